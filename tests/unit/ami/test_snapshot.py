"""The snapshot, from the lists of QueueStatus and CoreShowChannels."""

from datetime import UTC, datetime, timedelta

import pytest

from ivrd.ami.headers import MessageRefused
from ivrd.ami.snapshot import SnapshotLists, snapshot
from ivrd.core.events import SnapshotTaken
from ivrd.core.ids import SystemName
from tests.integration.scripted_ami import block

AT = datetime(2026, 1, 1, tzinfo=UTC)


def item(name: str, **headers: object) -> bytes:
    lines = [f"Event: {name}", *(f"{key}: {text}" for key, text in headers.items())]
    return "\r\n".join([*lines, "ActionID: x"]).encode()


def taken(queue_items: list[bytes], channel_items: list[bytes] | None = None) -> SnapshotTaken:
    return snapshot(
        at=AT,
        system=SystemName("pbx1"),
        queue_items=queue_items,
        channel_items=channel_items or [],
        can_withdraw=True,
    )


PARAMS = item("QueueParams", Queue="guides", Max=0, Calls=2)
MEMBER = item(
    "QueueMember",
    Queue="guides",
    Name="Åsa",
    Location="PJSIP/guide1",
    StateInterface="PJSIP/guide1",
    InCall=0,
    Status=1,
    Paused=1,
)


def entry(position: int, **changes: object) -> bytes:
    headers = {
        "Queue": "guides",
        "Position": position,
        "Channel": f"PJSIP/x-{position}",
        "Uniqueid": f"1.{position}",
        "CallerIDNum": "0701740605",
        "CallerIDName": "unknown",
        "Wait": 7,
        "Priority": 0,
    }
    return item("QueueEntry", **{**headers, **changes})


def test_members_and_callers_belong_to_their_queue_in_order() -> None:
    other = item("QueueParams", Queue="vaxel", Max=0, Calls=0)
    queues = taken([PARAMS, MEMBER, entry(1), entry(2, Wait=3), other]).queues
    assert [queue.queue for queue in queues] == ["guides", "vaxel"]
    assert [caller.call_id for caller in queues[0].callers] == ["pbx1/1.1", "pbx1/1.2"]
    assert [caller.wait for caller in queues[0].callers] == [
        timedelta(seconds=7),
        timedelta(seconds=3),
    ]
    assert queues[0].members[0].is_paused
    assert queues[0].members[0].member_name == "Åsa"
    assert queues[1].callers == ()


def test_lists_read_in_parts_are_those_read_whole() -> None:
    other = item("QueueParams", Queue="vaxel", Max=0, Calls=0)
    queue_items = [PARAMS, MEMBER, entry(1), entry(2, Wait=3), other]
    channel_items = [item("CoreShowChannel", **block(f"1.{each}")) for each in (1, 2)]
    lists = SnapshotLists(at=AT, system=SystemName("pbx1"))
    for each in queue_items:
        lists.take_queues([each])
    for each in channel_items:
        lists.take_channels([each])
    assert lists.taken(can_withdraw=True) == taken(queue_items, channel_items)


def test_a_caller_name_cannot_change_ids_or_wait() -> None:
    forged = "x\r\nUniqueid: 6.6\r\nChannel: y\r\nPosition: 9\r\nWait: 9999"
    caller = taken([PARAMS, entry(1, CallerIDName=forged)]).queues[0].callers[0]
    assert (caller.call_id, caller.channel, caller.position) == ("pbx1/1.1", "PJSIP/x-1", 1)
    assert caller.wait == timedelta(seconds=7)


def test_a_wait_beyond_all_reason_is_bounded() -> None:
    caller = taken([PARAMS, entry(1, Wait=99_999_999_999)]).queues[0].callers[0]
    assert caller.wait == timedelta(days=10)


def test_channels_are_taken_from_whole_blocks_only() -> None:
    cut = item("CoreShowChannel", Channel="PJSIP/y", CallerIDNum="1", Uniqueid="6.6")
    whole = item("CoreShowChannel", **block("1.1"), Application="Queue")
    assert taken([], [cut, whole]).channels == {"pbx1/1.1"}


@pytest.mark.parametrize(
    "items",
    [
        [MEMBER],
        [PARAMS, entry(1, Wait="-1")],
        [PARAMS, entry(1, Uniqueid="")],
        [PARAMS, item("QueueMember", Queue="guides", Name="x", Location="y", Status="?")],
    ],
)
def test_a_broken_list_is_refused_whole(items: list[bytes]) -> None:
    with pytest.raises(MessageRefused):
        taken(items)
