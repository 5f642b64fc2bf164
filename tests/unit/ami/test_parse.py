"""Parsing: one example per event, broken input, and forged headers."""

from datetime import UTC, datetime

import pytest

from ivrd.ami.filters import asterisk_version, event_filter_lines
from ivrd.ami.headers import MessageRefused, caller_number
from ivrd.ami.parse import WANTED, parse
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentLegReplaced,
    AgentRang,
    AgentRingEnded,
    AttendedTransferred,
    BlindTransferred,
    CallArrived,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    ChoiceMade,
    DialEnded,
    Event,
    HangupRequested,
    LabelPressed,
    MemberChanged,
    MemberRemoved,
    QueueExited,
    RecordingChanged,
)
from ivrd.core.ids import SystemName
from tests.integration.scripted_ami import block, event

SYSTEM = SystemName("pbx1")
AT = datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
AT_S = 1_700_000_000.123456
CALLER_NUMBER_BYTES_MAX = 79
"""What Asterisk 22 keeps of a number (measured)."""


def read(name: str, **headers: object) -> Event | None:
    raw = event(name, AT_S, **headers).removesuffix(b"\r\n\r\n")
    return parse(SYSTEM, name.encode(), raw)


CALLER = {"Uniqueid": "a.1", "CallerIDNum": "0701740605"}
QUEUE = {"Queue": "guides"}
MEMBER = {"Interface": "PJSIP/guide1", "MemberName": "Åsa"}
DEST = block("a.9", "Dest")
STATE = {"Status": 2, "Paused": 1, "InCall": 1}
COMMON = {"at": AT, "system": "pbx1"}
IN_QUEUE = {**COMMON, "call_id": "pbx1/a.1", "queue": "guides"}

EXAMPLES = [
    (
        "UserEvent",
        {**CALLER, "UserEvent": "IvrdArrived", "Line": "main"},
        CallArrived,
        {
            **COMMON,
            "call_id": "pbx1/a.1",
            "linked_id": "pbx1/a.1",
            "channel": "PJSIP/x-a.1",
            "line": "main",
            "caller_number": "0701740605",
        },
    ),
    (
        "UserEvent",
        {
            **CALLER,
            "UserEvent": "IvrdChoice",
            "Menu": "tonval",
            "Outcome": "chosen",
            "Choice": "vaxel",
            "Digit": "1",
            "Tries": "2",
            "Source": "ivrd",
        },
        ChoiceMade,
        {
            **COMMON,
            "call_id": "pbx1/a.1",
            "menu": "tonval",
            "outcome": "chosen",
            "choice": "vaxel",
            "digit": "1",
            "tries": 2,
            "is_static": False,
            "language": "sv",
        },
    ),
    (
        "UserEvent",
        {
            **CALLER,
            "UserEvent": "IvrdLabel",
            **QUEUE,
            "Call": "a.7",
            "Label": "avfall",
            "Class": "half",
            "When": "after",
            "Pressed": "1772442000",
        },
        LabelPressed,
        {
            **COMMON,
            "queue": IN_QUEUE["queue"],
            "call_id": "pbx1/a.7",
            "label": "avfall",
            "is_half": True,
            "is_after": True,
            "pressed_at": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
            "channel_id": "pbx1/a.1",
            "channel": "PJSIP/x-a.1",
        },
    ),
    (
        "UserEvent",
        {
            **CALLER,
            "UserEvent": "IvrdQueueExit",
            **QUEUE,
            "Status": "WITHDRAW",
            "Info": "ivrd-move guides x",
        },
        QueueExited,
        {
            **IN_QUEUE,
            "status": "WITHDRAW",
            "info": "ivrd-move guides x",
            "linked_id": "pbx1/a.1",
            "channel": "PJSIP/x-a.1",
        },
    ),
    (
        "QueueCallerJoin",
        {**CALLER, **QUEUE, "Position": 3, "Count": 3},
        CallerJoined,
        {**IN_QUEUE, "linked_id": "pbx1/a.1", "channel": "PJSIP/x-a.1", "position": 3},
    ),
    ("QueueCallerLeave", {**CALLER, **QUEUE, "Position": 1}, CallerLeft, IN_QUEUE),
    ("QueueCallerAbandon", {**CALLER, **QUEUE, "HoldTime": 2}, CallerAbandonNoted, IN_QUEUE),
    (
        "AgentCalled",
        {**CALLER, **DEST, **QUEUE, **MEMBER},
        AgentRang,
        {**IN_QUEUE, "interface": "PJSIP/guide1"},
    ),
    (
        "AgentRingNoAnswer",
        {**CALLER, **DEST, **QUEUE, **MEMBER, "RingTime": 5000},
        AgentRingEnded,
        {**IN_QUEUE, "interface": "PJSIP/guide1"},
    ),
    (
        "AgentConnect",
        {**CALLER, **DEST, **QUEUE, **MEMBER, "RingTime": 5, "HoldTime": 7},
        AgentConnected,
        {
            **IN_QUEUE,
            "interface": "PJSIP/guide1",
            "member_name": "Åsa",
            "agent_leg": "pbx1/a.9",
        },
    ),
    (
        "AgentComplete",
        {**CALLER, **DEST, **QUEUE, **MEMBER, "Reason": "caller"},
        AgentCompleted,
        {**IN_QUEUE, "reason": "caller"},
    ),
    ("HangupRequest", {**CALLER}, HangupRequested, {**COMMON, "channel_id": "pbx1/a.1"}),
    (
        "SoftHangupRequest",
        {**CALLER, "Cause": 32},
        HangupRequested,
        {**COMMON, "channel_id": "pbx1/a.1"},
    ),
    (
        "Hangup",
        {**CALLER, "Cause": 16, "Cause-txt": "Normal Clearing"},
        ChannelHungUp,
        {**COMMON, "channel_id": "pbx1/a.1", "cause": 16},
    ),
    (
        "BlindTransfer",
        {
            "Result": "Success",
            **block("a.9", "Transferer"),
            **block("a.1", "Transferee"),
            "IsExternal": "Yes",
            "Context": "x",
            "Extension": "8100",
        },
        BlindTransferred,
        {
            **COMMON,
            "transferer_id": "pbx1/a.9",
            "transferee_id": "pbx1/a.1",
            "extension": "8100",
            "is_success": True,
        },
    ),
    (
        "AttendedTransfer",
        {
            "Result": "Fail",
            **block("a.8", "OrigTransferer"),
            **block("a.9", "SecondTransferer"),
            **block("a.1", "Transferee"),
            "IsExternal": "Yes",
            "DestType": "Fail",
        },
        AttendedTransferred,
        {
            **COMMON,
            "orig_transferer_id": "pbx1/a.8",
            "second_transferer_id": "pbx1/a.9",
            "transferee_id": "pbx1/a.1",
            "target_id": None,
            "destination": "Fail",
            "is_success": False,
            "extension": "8001",
        },
    ),
    (
        "AttendedTransfer",
        {
            "Result": "Success",
            **block("a.8", "OrigTransferer"),
            **block("a.8", "SecondTransferer"),
            **block("a.1", "Transferee"),
            **block("a.9", "TransferTarget"),
            "TransferTargetChannel": "Local/8102@from-agents-00000002;1",
            "DestType": "Bridge",
        },
        AttendedTransferred,
        {
            **COMMON,
            "orig_transferer_id": "pbx1/a.8",
            "second_transferer_id": "pbx1/a.8",
            "transferee_id": "pbx1/a.1",
            "target_id": "pbx1/a.9",
            "destination": "Bridge",
            "is_success": True,
            "extension": "8102",
        },
    ),
    (
        "DialEnd",
        {**CALLER, **block("a.7", "Dest"), "DialStatus": "BUSY"},
        DialEnded,
        {
            **COMMON,
            "channel_id": "pbx1/a.1",
            "linked_id": "pbx1/a.7",
            "dialled_id": "pbx1/a.7",
            "device": "PJSIP/x",
            "status": "BUSY",
        },
    ),
    (
        "DialEnd",
        {**block("a.7", "Dest"), "DialStatus": "ANSWER"},
        DialEnded,
        {
            **COMMON,
            "channel_id": None,
            "linked_id": "pbx1/a.7",
            "dialled_id": "pbx1/a.7",
            "device": "PJSIP/x",
            "status": "ANSWER",
        },
    ),
    (
        "BridgeEnter",
        {"BridgeUniqueid": "b", **CALLER, "SwapUniqueid": "a.7"},
        AgentLegReplaced,
        {**COMMON, "old_id": "pbx1/a.7", "new_id": "pbx1/a.1"},
    ),
    *(
        (
            name,
            CALLER,
            RecordingChanged,
            {**COMMON, "channel_id": "pbx1/a.1", "linked_id": "pbx1/a.1", "is_on": is_on},
        )
        for name, is_on in (("MixMonitorStart", True), ("MixMonitorStop", False))
    ),
    *(
        (
            name,
            {**QUEUE, **MEMBER, **STATE},
            MemberChanged,
            {
                **COMMON,
                "queue": "guides",
                "interface": "PJSIP/guide1",
                "member_name": "Åsa",
                "device_state": 2,
                "is_paused": True,
                "is_in_call": True,
            },
        )
        for name in ("QueueMemberAdded", "QueueMemberStatus", "QueueMemberPause")
    ),
    (
        "QueueMemberRemoved",
        {**QUEUE, **MEMBER, **STATE},
        MemberRemoved,
        {**COMMON, "queue": "guides", "interface": "PJSIP/guide1"},
    ),
]


@pytest.mark.parametrize(("name", "headers", "kind", "fields"), EXAMPLES)
def test_each_wanted_event_is_read(
    name: str, headers: dict[str, object], kind: type, fields: dict[str, object]
) -> None:
    assert read(name, **headers) == kind(**fields)


def test_every_wanted_event_has_an_example() -> None:
    assert {name for name, *_ in EXAMPLES} == {name.decode() for name in WANTED}


@pytest.mark.parametrize(("name", "headers", "kind", "fields"), EXAMPLES)
def test_an_event_cut_anywhere_is_refused_or_none(
    name: str, headers: dict[str, object], kind: type, fields: dict[str, object]
) -> None:
    raw = event(name, AT_S, **headers).removesuffix(b"\r\n\r\n")
    lines = raw.split(b"\r\n")
    for count in range(1, len(lines)):
        try:
            cut = parse(SYSTEM, name.encode(), b"\r\n".join(lines[:count]))
        except MessageRefused:
            continue
        assert cut is None or cut == kind(**fields) or name in ("AttendedTransfer", "BlindTransfer")


@pytest.mark.parametrize(
    "head",
    [
        b"Event: Hangup\r\n",
        b"Event: Hangup\r\nPrivilege: call,all\r\n",
        b"Event: Hangup\r\nTimestamp: 1700000000.123456\r\n",
        b"Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: nan\r\n",
        b"Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1700000000\r\n",
        b"Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: \r\n",
    ],
)
def test_without_a_stamp_there_is_no_event(head: bytes) -> None:
    rest = b"\r\n".join(f"{key}: {text}".encode() for key, text in block("a.1").items())
    with pytest.raises(MessageRefused, match="Timestamp"):
        parse(SYSTEM, b"Hangup", head + rest + b"\r\nCause: 16")


def test_somebody_elses_user_event_is_of_no_interest() -> None:
    assert read("UserEvent", **CALLER, UserEvent="Theirs") is None


def test_an_agent_complete_without_its_caller_is_of_no_interest() -> None:
    assert read("AgentComplete", **DEST, **QUEUE, **MEMBER, Reason="agent") is None


def test_entering_a_bridge_without_a_swap_is_of_no_interest() -> None:
    assert read("BridgeEnter", BridgeUniqueid="b", **CALLER) is None


def test_a_dial_by_a_queue_of_ours_is_of_no_interest() -> None:
    by_queue = {**block("a.1"), "Context": "ivrd-queue-kc"}
    assert read("DialEnd", **by_queue, **DEST, DialStatus="ANSWER") is None


def test_staying_on_the_line_has_no_digit() -> None:
    made = read(
        "UserEvent",
        **CALLER,
        UserEvent="IvrdChoice",
        Menu="tonval",
        Outcome="stayed",
        Choice="guides",
        Digit="",
        Tries=0,
        Source="static",
    )
    assert isinstance(made, ChoiceMade)
    assert made.digit is None
    assert made.is_static


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0701740605", "0701740605"),
        ("+46701740605", "+46701740605"),
        ("<unknown>", None),
        ("", None),
        ("anonymous", None),
        ("070 174", None),
        ("${SHELL(id)}", None),
        ("0701\x00", None),
        ("9" * 41, None),
    ],
)
def test_what_is_no_number_counts_as_absent(text: str, number: str | None) -> None:
    assert caller_number(text) == number


def test_broken_utf8_is_replaced_and_not_lost() -> None:
    raw = event("QueueMemberRemoved", AT_S, Queue="guides", Interface="PJSIP/X")
    removed = parse(SYSTEM, b"QueueMemberRemoved", raw.replace(b"X", b"\xc3\xff"))
    assert isinstance(removed, MemberRemoved)
    assert removed.interface == "PJSIP/\ufffd\ufffd"


FORGERIES = [
    "1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\nCause: 1\r\nQueue: x\r\nX: ",
    "1\r\nSwapUniqueid: 6.6\r\nPosition: 99\r\nUserEvent: IvrdArrived",
    "1\r\nLanguage: \r\nContext: \r\nExten: \r\nPriority: 1\r\nUniqueid: 6.6",
    "1\r\nUserEvent: IvrdChoice\r\nDestUniqueid: 6.6\r\nChannel: x",
]


@pytest.mark.parametrize("number", FORGERIES)
@pytest.mark.parametrize(("name", "headers", "kind", "fields"), EXAMPLES)
def test_a_number_cannot_forge_headers(
    name: str, headers: dict[str, object], kind: type, fields: dict[str, object], number: str
) -> None:
    assert len(number) <= CALLER_NUMBER_BYTES_MAX
    forged = {
        key: number if key.endswith(("CallerIDNum", "ConnectedLineNum")) else text
        for key, text in headers.items()
    }
    expected = kind(**fields)
    found = read(name, **forged)
    if isinstance(found, CallArrived):
        assert found.caller_number == "1"
        expected = kind(**{**fields, "caller_number": "1"})
    assert found == expected


@pytest.mark.parametrize(
    "number",
    [
        "1\r\nUniqueid: 6.6\r\nLinkedid: 6.6\r\n\r\n",
        "\r\n\r\nEvent: Hangup\r\nTimestamp: 1700000000.123456\r\nUniqueid: 6\r\nCause: 1\r\n\r\n",
        "\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1700000000.000000\r\nCause: 1",
    ],
)
def test_a_number_that_ends_the_frame_forges_no_event_of_another_channel(number: str) -> None:
    for name in ("HangupRequest", "Hangup"):
        stream = event(name, AT_S, Uniqueid="a.1", CallerIDNum=number[:79], Cause=16)
        for raw in stream.split(b"\r\n\r\n"):
            try:
                found = parse(SYSTEM, name.encode(), raw)
            except MessageRefused:
                continue
            assert isinstance(found, (HangupRequested, ChannelHungUp))
            assert found.channel_id == "pbx1/a.1"


def test_filter_lines_name_every_event_and_narrow_two() -> None:
    lines = event_filter_lines((22, 10, 1))
    assert "eventfilter(action(include),name(Hangup)) =" in lines
    assert "eventfilter(action(include),name(FullyBooted)) =" in lines
    assert "eventfilter(action(include),name(BridgeEnter),header(SwapUniqueid)) =" in lines
    assert (
        "eventfilter(action(include),name(UserEvent),header(UserEvent),method(starts_with)) = Ivrd"
        in lines
    )
    assert lines[-1] == (
        "eventfilter(action(exclude),name(DialEnd),header(Context),method(starts_with))"
        " = ivrd-queue-"
    )
    assert len(lines) == len(WANTED) + 4


@pytest.mark.parametrize(
    ("version", "is_advanced"),
    [
        ((18, 26, 0), False),
        ((20, 10, 0), False),
        ((20, 11, 0), True),
        ((21, 5), False),
        ((21, 6), True),
        ((22, 0, 0), False),
        ((22, 1, 0), True),
        ((23,), True),
    ],
)
def test_old_versions_get_the_legacy_syntax(version: tuple[int, ...], is_advanced: bool) -> None:
    lines = event_filter_lines(version)
    assert all(line.startswith("eventfilter(") == is_advanced for line in lines)
    if not is_advanced:
        assert "eventfilter = ^Event: Hangup[[:cntrl:]]" in lines
        excluded = "^Event: DialEnd[[:cntrl:]].*[[:cntrl:]]Context: ivrd-queue-"
        assert lines[-1] == f"eventfilter = !{excluded}"


def test_no_version_is_none() -> None:
    assert asterisk_version("GIT-master") is None
