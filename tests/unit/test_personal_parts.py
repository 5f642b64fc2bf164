"""Recordings by line, the list of protected callers, what is due when, and what is set aside."""

import doctest
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivrd import retention
from ivrd.config import RetentionConfig
from ivrd.core.events import (
    CallArrived,
    ChannelHungUp,
    Event,
    RecordingChanged,
    SnapshotTaken,
)
from ivrd.core.ids import CallId, ChannelId, LineName, SystemName
from ivrd.db.purge import TABLES
from ivrd.journal.aside import prune_aside
from ivrd.journal.codec import encode
from ivrd.protected_file import ProtectedFile
from ivrd.recording_watch import RecordingWatch
from tests.integration.db.samples import AT, a_recorded_call

SYSTEM = SystemName("pbx1")
MAIN = ("pbx1", "main")


def arrived(call: str, line: str = "main") -> Event:
    return CallArrived(
        at=AT,
        system=SYSTEM,
        call_id=CallId(call),
        linked_id=ChannelId(call),
        channel="PJSIP/x",
        line=LineName(line),
        caller_number=None,
    )


def recording(channel: str, *, linked: str = "", is_on: bool = True) -> Event:
    return RecordingChanged(
        at=AT,
        system=SYSTEM,
        channel_id=ChannelId(channel),
        linked_id=ChannelId(linked or channel),
        is_on=is_on,
    )


def gone(channel: str) -> Event:
    return ChannelHungUp(at=AT, system=SYSTEM, channel_id=ChannelId(channel), cause=16)


def snapshot(*channels: str) -> Event:
    return SnapshotTaken(
        at=AT,
        system=SYSTEM,
        queues=(),
        channels=frozenset(ChannelId(channel) for channel in channels),
        can_withdraw=True,
    )


def counted(*events: Event) -> dict[tuple[str, ...], float]:
    watch = RecordingWatch(systems=[SYSTEM], lines=[LineName("main")])
    for event in events:
        watch.note(event)
    return {labels: count for labels, count in watch.counts().items() if count or labels == MAIN}


def test_a_recorded_caller_or_agent_counts_for_the_callers_line() -> None:
    assert counted(arrived("pbx1/1")) == {MAIN: 0}
    assert counted(arrived("pbx1/1"), recording("pbx1/1")) == {MAIN: 1}
    assert counted(arrived("pbx1/1"), recording("pbx1/9", linked="pbx1/1")) == {MAIN: 1}
    assert counted(recording("pbx1/7")) == {MAIN: 0, ("pbx1", ""): 1}


@pytest.mark.parametrize("end", [recording("pbx1/1", is_on=False), gone("pbx1/1"), snapshot()])
def test_a_recording_ends_with_its_end_its_channel_or_a_snapshot_without_it(end: Event) -> None:
    assert counted(arrived("pbx1/1"), recording("pbx1/1"), end) == {MAIN: 0}


def test_a_recording_told_twice_is_one_and_goes_on_over_a_snapshot_with_it() -> None:
    events = [arrived("pbx1/1"), recording("pbx1/1"), recording("pbx1/1"), snapshot("pbx1/1")]
    assert counted(*events) == {MAIN: 1}


def test_an_event_that_was_not_taken_is_not_noted() -> None:
    watch = RecordingWatch(systems=[SYSTEM], lines=[LineName("main")])

    def full(event: Event) -> None:
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        watch.tap(full)(recording("pbx1/1"))
    assert watch.begun == 0


def test_the_list_is_seen_anew_when_it_has_changed_and_holds_when_it_breaks(
    tmp_path: Path,
) -> None:
    file, other = ProtectedFile(tmp_path), ProtectedFile(tmp_path)
    assert not file.holds(["a"])
    assert other.change(add=["a", "b"])
    assert not other.change(add=["a"])
    assert file.holds(["x", "a"])
    assert len(file) == 2
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.write_text('{"version": 1, "hashes": 5}', encoding="utf-8")
    assert file.holds(["a"])
    assert file.faults
    with pytest.raises(ValueError, match="no list of hashes"):
        other.change(add=["c"])
    file.path.unlink()
    assert not file.holds(["a"])


def test_every_rule_names_columns_that_are_there() -> None:
    for rule in retention.rules_of(RetentionConfig(), AT):
        columns = {rule.age, *(rule.cleared or {})}
        assert columns <= set(TABLES[rule.table].c.keys()), rule.table


def test_each_field_goes_by_its_own_time() -> None:
    rules = retention.rules_of(RetentionConfig(caller_number_days=3, note_months=1), AT)
    before = {(rule.table, rule.field): rule.before for rule in rules}
    assert before["calls", "caller_sealed"] == AT - timedelta(days=3)
    assert before["cases", "note, feedback_text"] == datetime(2026, 2, 2, 9, tzinfo=UTC).replace(
        hour=AT.hour, minute=AT.minute, second=AT.second, microsecond=AT.microsecond
    )
    assert max(Counter((rule.table, rule.field) for rule in rules).values()) == 1


def test_docstring_examples_hold() -> None:
    assert doctest.testmod(retention).failed == 0


def test_what_stays_set_aside_is_on_the_disk_before_it_takes_the_old_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "set-aside.jsonl"
    file.write_bytes(b"torn\n" + encode(a_recorded_call(1)))
    flushed: list[bytes] = []
    monkeypatch.setattr(
        os, "fsync", lambda number: flushed.append(Path(f"/proc/self/fd/{number}").read_bytes())
    )
    prune_aside(tmp_path, is_gone=lambda fact: fact is None)
    assert flushed == [file.read_bytes()]


def test_what_was_set_aside_goes_line_by_line(tmp_path: Path) -> None:
    old, new = a_recorded_call(1), a_recorded_call(2, arrived_at=AT + timedelta(days=90))
    file = tmp_path / "set-aside.jsonl"
    file.write_bytes(encode(old) + b"torn\n" + encode(new))

    def is_old(fact: object) -> bool:
        return fact is None or fact == old

    assert prune_aside(tmp_path, is_gone=is_old, is_dry_run=True) == 2
    assert len(file.read_bytes().splitlines()) == 3
    assert prune_aside(tmp_path, is_gone=is_old) == 2
    assert file.read_bytes() == encode(new)
    assert prune_aside(tmp_path, is_gone=lambda fact: True) == 1
    assert not file.exists()
