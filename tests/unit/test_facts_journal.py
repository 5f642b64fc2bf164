"""Unit tests of the journal: what stands in its files, and what it says when it cannot go on."""

import asyncio
import errno
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from ivrd.journal.codec import FORMAT_VERSION, UNWRITTEN, Fact, LineBroken, decode, encode
from ivrd.journal.facts_journal import FactsJournal, Kept
from ivrd.journal.segments import JournalLocked
from tests.integration.db.samples import (
    a_call_act,
    a_case,
    a_contact,
    a_decision,
    a_move,
    a_recorded_call,
    an_act,
    an_entry,
)
from tests.unit.journals import die, directory_bytes

MB = 1_000_000
NUMBER = "+46701740612"

LINES = {
    "entry": (
        '{"v":1,"crc":"cc613394","fact":{"kind":"entry",'
        '"at":"2026-03-02T09:01:30.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","number":1,"queue":"kc",'
        '"joined_at":"2026-03-02T09:00:00.123456+00:00","disposition":"answered",'
        '"entry_wait":25000001,"wait":25000000,"interface":"PJSIP/anna",'
        '"agent":"Anna Åkesson","answered_at":"2026-03-02T09:00:25.123456+00:00",'
        '"talk":null}}\n'
    ),
    "call": (
        '{"v":1,"crc":"08ba50a5","fact":{"kind":"call",'
        '"at":"2026-03-02T09:01:35.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","line":"main","caller_number":"+46701740612",'
        '"arrived_at":"2026-03-02T09:00:00.123456+00:00","choice":"kc","digit":null,'
        '"is_static_menu":false,"tries":0,"outcome":"resolved","wait":25000000,'
        '"first_queue":"vaxel","last_queue":"kc","moves":1,"transfers":0,'
        '"is_from_journal":false}}\n'
    ),
    "move": (
        '{"v":1,"crc":"76da97d2","fact":{"kind":"move",'
        '"at":"2026-03-02T09:00:05.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","from_queue":"vaxel","to_queue":"kc","reason":"rush",'
        '"end":"landed"}}\n'
    ),
    "case": (
        '{"v":1,"crc":"8f310677","fact":{"kind":"case",'
        '"at":"2026-03-02T09:01:35.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","rule":"resolved-by-guide","line":"main","queue":"kc",'
        '"agent":"Anna Åkesson","interface":"PJSIP/anna","department":null,'
        '"answered_at":"2026-03-02T09:00:25.123456+00:00","is_from_journal":false}}\n'
    ),
    "contact": (
        '{"v":1,"crc":"68cb3e68","fact":{"kind":"contact",'
        '"at":"2026-03-02T09:01:35.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","rule":"resolved-by-guide","line":"main",'
        '"queue":"kc","agent":"Anna Åkesson","interface":"PJSIP/anna","department":null,'
        '"answered_at":"2026-03-02T09:00:25.123456+00:00","is_from_journal":false,'
        '"caller_key":"5f2c"}}\n'
    ),
    "call_act": (
        '{"v":1,"crc":"10ddfb00","fact":{"kind":"call_act","act_id":"key1",'
        '"at":"2026-03-02T09:01:00.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","agent":"Anna Åkesson","what":"label",'
        '"value":"va.lacka","department":"teknisk","who":"Anna Åkesson",'
        '"from_where":"phone"}}\n'
    ),
    "act": (
        '{"v":1,"crc":"ba39ba8e","fact":{"kind":"act","act_id":"act1",'
        '"at":"2026-03-02T09:00:01.123456+00:00","who":"anna as root",'
        '"from_where":"control","act":"notice_on","subject":"notice driftstorning",'
        '"reason":"Vattenläcka i Råsunda","until":"2026-03-02T13:00:00.123456+00:00",'
        '"outcome":"done"}}\n'
    ),
    "decision": (
        '{"v":1,"crc":"1c9c3d1c","fact":{"kind":"decision",'
        '"at":"2026-03-02T09:00:04.123456+00:00","system":"pbx1",'
        '"call_id":"pbx1/1772442000.1","what":"asked","rule":"rush",'
        '"from_queue":"vaxel","to_queue":"kc","is_dry_run":false,"is_by_hand":false,'
        '"who":"","why":"","figures":"{\\"held\\":[{\\"figure\\":\\"waiting\\",\\"level\\":12,'
        '\\"limit\\":10}]}"}}\n'
    ),
}
"""The format as it is on disks out there: never changed, only added to."""

SAMPLES: dict[str, Fact] = {
    "entry": an_entry(),
    "call": a_recorded_call(),
    "move": a_move(),
    "case": a_case(),
    "contact": replace(a_contact(), caller_key="5f2c"),
    "call_act": a_call_act(),
    "act": an_act(),
    "decision": a_decision(),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(directory: Path) -> Iterator[FactsJournal]:
    journal = an_open_journal(directory)
    yield journal
    journal.close()


def an_open_journal(directory: Path, *, bytes_max: int = MB) -> FactsJournal:
    journal = FactsJournal(directory, bytes_max=bytes_max)
    journal.open()
    return journal


def read(journal: FactsJournal, count: int = 1_000) -> list[Fact]:
    """Return what is read, and commit it."""
    items = asyncio.run(journal.read(count))
    if items:
        journal.commit(items)
    return [item.fact for item in items if item.fact is not None]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("facts-*.jsonl"))


def reopened(journal: FactsJournal) -> FactsJournal:
    """Return the journal of the next life, after a sudden end of this one."""
    die(journal)
    return an_open_journal(journal.directory, bytes_max=journal.bytes_max)


# Lines.


@pytest.mark.parametrize("kind", LINES)
def test_a_line_means_what_it_meant_when_it_was_written(kind: str) -> None:
    sample = SAMPLES[kind]
    if kind == "call":
        # A line of before callers' numbers were sealed.
        sample = a_recorded_call(number="+46701740612")
    assert decode(LINES[kind].encode()) == sample
    now, then = json.loads(encode(sample)), json.loads(LINES[kind])
    then["fact"] = {key: then["fact"][key] for key in then["fact"] if key not in UNWRITTEN}
    assert now["v"] == then["v"] == FORMAT_VERSION
    assert now["fact"] == now["fact"] | then["fact"]


def test_a_line_from_before_a_field_came_has_its_default() -> None:
    assert "is_from_journal" in LINES["call"]
    earlier = with_fact("call", is_from_journal="absent")
    assert decode(earlier) == a_recorded_call(number="+46701740612")


@pytest.mark.parametrize("make", [a_recorded_call, a_case])
def test_a_number_in_clear_is_in_no_line(make: Callable[[], Fact]) -> None:
    fact = replace(make(), caller_number="+46701740612")
    assert b"1740612" not in encode(fact)
    assert decode(encode(fact)) == make()


def with_fact(kind_of_line: str = "move", /, **changes: object) -> bytes:
    """Return a line with a sound checksum and another content; "absent" leaves a field out."""
    fact = json.loads(LINES[kind_of_line])["fact"] | changes
    fact = {name: value for name, value in fact.items() if value != "absent"}
    text = json.dumps(fact, separators=(",", ":")).encode()
    return b'{"v":1,"crc":"%08x","fact":%b}\n' % (zlib.crc32(text), text)


def test_the_helper_makes_sound_lines() -> None:
    assert decode(with_fact()) == a_move()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "dance"},
        {"kind": []},
        {"kind": "absent"},
        {"extra": 1},
        {"reason": "absent"},
        {"reason": None},
        {"reason": 7},
        {"end": "nowhere"},
        {"end": []},
        {"at": 1},
        {"at": "yesterday"},
    ],
)
def test_sound_lines_of_another_content_are_broken(changes: dict[str, object]) -> None:
    with pytest.raises(LineBroken, match="its content is wrong"):
        decode(with_fact(**changes))


def test_a_line_of_another_version_is_broken_and_says_so() -> None:
    with pytest.raises(LineBroken, match="format version 2, and not 1"):
        decode(LINES["move"].replace('"v":1', '"v":2').encode())


def test_a_broken_line_is_not_quoted() -> None:
    line = encode(replace(a_recorded_call(), choice=NUMBER)).replace(b"tries", b"trees")
    assert NUMBER.encode() in line
    with pytest.raises(LineBroken) as caught:
        decode(line)
    assert NUMBER not in str(caught.value)


# Files.


def test_only_ivrd_may_read_what_is_in_the_journal(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    old = os.umask(0)
    try:
        journal = an_open_journal(directory)
        journal.append(a_recorded_call())
        journal.set_aside(b"something\n")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
        assert set(files.values()) == {0o600}, files
        assert len(files) == 4
        journal.close()
    finally:
        os.umask(old)


def test_facts_come_back_in_order_until_they_are_committed(journal: FactsJournal) -> None:
    put = [an_entry(call=number) for number in range(10)]
    assert [journal.append(fact) for fact in put] == [Kept.YES] * 10
    items = asyncio.run(journal.read(4))
    assert [item.fact for item in items] == put[:4]
    assert [item.fact for item in asyncio.run(journal.read(4))] == put[:4]
    journal.commit(items[:3])
    assert (journal.waiting, journal.appended) == (7, 10)
    assert read(journal) == put[3:]
    assert journal.waiting == 0


def test_a_crash_loses_nothing_and_a_start_goes_on_where_the_database_is(
    journal: FactsJournal,
) -> None:
    for number in range(10):
        journal.append(an_entry(call=number))
    read(journal, 4)
    again = reopened(journal)
    assert again.waiting == 6
    again.append(an_entry(call=10))
    assert read(again) == [an_entry(call=number) for number in range(4, 10)]
    assert read(again) == [an_entry(call=10)]
    again.close()


def test_after_a_clean_end_no_number_is_left_on_the_disk(
    directory: Path, journal: FactsJournal
) -> None:
    journal.append(a_recorded_call())
    read(journal)
    assert segments(directory) != []
    journal.close()
    assert segments(directory) == []


def test_committed_facts_do_not_pile_up(directory: Path, journal: FactsJournal) -> None:
    for number in range(3_000):
        journal.append(an_entry(call=number))
        read(journal)
    assert directory_bytes(directory) == journal.bytes < 270_000


def test_a_segment_put_back_is_stored_again_and_not_thrown_away(
    directory: Path, journal: FactsJournal
) -> None:
    journal.append(a_move(1))
    [first] = segments(directory)
    kept = first.read_bytes()
    journal.close()
    for _ in range(3):
        journal = reopened(journal)
        journal.append(a_move(2))
        read(journal)
        read(journal)
        journal.close()
    first.write_bytes(kept)
    again = an_open_journal(directory)
    assert read(again) == [a_move(1)]
    again.close()


def test_a_torn_last_line_costs_itself_only(directory: Path, journal: FactsJournal) -> None:
    journal.append(a_move(1))
    die(journal)
    with segments(directory)[0].open("ab") as file:
        file.write(encode(a_recorded_call())[:200])
    with structlog.testing.capture_logs() as logs:
        again = an_open_journal(directory)
        again.append(a_move(2))
        assert (read(again), read(again)) == ([a_move(1)], [a_move(2)])
    assert (again.broken_lines, again.waiting) == (1, 0)
    assert (directory / "set-aside.jsonl").read_bytes() == encode(a_recorded_call())[:200] + b"\n"
    [line] = [entry for entry in logs if entry["event"] == "journal_line_broken"]
    assert NUMBER not in repr(line)
    again.close()
    last = an_open_journal(directory)
    assert read(last) == []
    assert last.broken_lines == 0
    last.close()


def test_broken_lines_in_the_middle_are_kept_aside_and_told_once(
    directory: Path, journal: FactsJournal
) -> None:
    for number in range(10):
        journal.append(a_move(number))
    die(journal)
    lines = segments(directory)[0].read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"rush", b"hush")
    lines[5] = b"\0\0\0\n"
    lines[6] = b"\n"
    segments(directory)[0].write_bytes(b"".join(lines))
    with structlog.testing.capture_logs() as logs:
        again = an_open_journal(directory)
        assert read(again) == [a_move(number) for number in (0, 1, 3, 4, 7, 8, 9)]
    assert again.broken_lines == 3
    aside = (directory / "set-aside.jsonl").read_bytes()
    assert aside == lines[2] + lines[5] + lines[6]
    assert [entry["event"] for entry in logs].count("journal_line_broken") == 1
    again.close()


def test_a_newer_format_is_refused_and_left_alone(directory: Path, journal: FactsJournal) -> None:
    journal.append(a_move(1))
    die(journal)
    [segment] = segments(directory)
    newer = segment.read_bytes().replace(b'"v":1', b'"v":%d' % (FORMAT_VERSION + 1))
    segment.write_bytes(newer)
    again = an_open_journal(directory)
    assert again.trouble is not None
    assert str(segment) in again.trouble
    assert "written by a newer ivrd (format 2; this one reads 1); run that one" in again.trouble
    assert again.append(a_move(2)) is Kept.FAILED
    asyncio.run(again.keep())
    assert segment.read_bytes() == newer
    segment.rename(directory / "kept")
    asyncio.run(again.keep())
    assert again.trouble is None
    again.close()


def test_two_daemons_cannot_share_a_journal(directory: Path, journal: FactsJournal) -> None:
    with pytest.raises(JournalLocked) as caught:
        an_open_journal(directory)
    assert str(caught.value) == (
        f"{directory}: is used by another ivrd (process {os.getpid()}); end that one, or give "
        "this one its own [journal] directory"
    )
    assert journal.append(a_move()) is Kept.YES


# Bound and alarm.


def test_the_journal_is_bounded_and_says_so_before_and_when_it_is_full(directory: Path) -> None:
    journal = an_open_journal(directory, bytes_max=100_000)
    with structlog.testing.capture_logs() as logs:
        kept = [journal.append(an_entry(call=number)) for number in range(400)]
        assert journal.trouble is not None
        assert "is full (0 of 0 MB), facts are dropped; bring the database back" in journal.trouble
        assert set(kept) == {Kept.YES, Kept.FULL}
        assert directory_bytes(directory) == journal.bytes <= 100_000
        assert len(read(journal)) == kept.count(Kept.YES) == journal.appended
        again = reopened(journal)
        assert again.append(an_entry()) is Kept.YES
        assert again.trouble is None
    events = [entry["event"] for entry in logs if entry["event"] != "journal_opened"]
    assert events == ["journal_nearly_full"]
    again.close()


def test_the_alarm_ends_when_there_is_room(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivrd.journal.facts_journal.SEGMENT_BYTES_MAX", 10_000)
    journal = an_open_journal(directory, bytes_max=100_000)
    with structlog.testing.capture_logs() as logs:
        while journal.trouble is None:
            journal.append(an_entry())
        assert 80_000 <= journal.bytes < 81_000
        assert "is nearly full" in journal.trouble
        while journal.trouble is not None:
            read(journal, 10)
        assert journal.bytes < 70_000
    assert [entry["event"] for entry in logs] == ["journal_nearly_full", "journal_has_room"]
    journal.close()


# Trouble with the disk.


def failing(number: int, *, after: int = 0) -> Callable[[int, bytes], int]:
    """Return a write() that takes the beginning of a line, and fails from then on."""
    real = os.write
    state = {"is_cut": after == 0}

    def write(descriptor: int, line: bytes) -> int:
        if state["is_cut"]:
            raise OSError(number, os.strerror(number))
        state["is_cut"] = True
        return real(descriptor, line[:after])

    return write


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "there is no space left on its disk; free some"),
        (errno.EROFS, "its file system is read-only; mount it writable"),
        (errno.EACCES, "ivrd may not write there; give it to ivrd's user with mode 0700"),
        (errno.EIO, "Input/output error; see the kernel's log and the disk"),
    ],
)
def test_a_disk_that_will_not_be_written_is_told_once_with_the_way_out(
    journal: FactsJournal, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    journal.append(a_move(1))
    with structlog.testing.capture_logs() as logs:
        with monkeypatch.context() as broken:
            broken.setattr(os, "write", failing(number))
            assert [journal.append(a_move(2)) for _ in range(3)] == [Kept.FAILED] * 3
        fault = f"{journal.directory}: {told}, or set another [journal] directory"
        assert journal.trouble == fault
        assert (journal.is_usable, journal.faults) == (False, 1)
        assert read(journal) == [a_move(1)]
        asyncio.run(journal.keep())
        assert journal.trouble is None
    assert journal.append(a_move(3)) is Kept.YES
    assert read(journal) == [a_move(3)]
    told_events = [entry["event"] for entry in logs]
    assert told_events == ["journal_failed", "journal_usable", "journal_opened"]


def test_a_disk_that_becomes_full_within_a_line_leaves_no_half_line(
    directory: Path, journal: FactsJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(a_move(1))
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", failing(errno.ENOSPC, after=20))
        assert journal.append(a_move(2)) is Kept.FAILED
    again = reopened(journal)
    assert read(again) == [a_move(1)]
    assert again.broken_lines == 0
    again.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    journal = an_open_journal(tmp_path / "nowhere" / "journal")
    assert journal.trouble == (
        f"{tmp_path}/nowhere/journal: cannot be made; create it for ivrd's user with mode 0700, "
        "or set another [journal] directory"
    )
    assert journal.append(a_move()) is Kept.FAILED
    (tmp_path / "nowhere").mkdir()
    asyncio.run(journal.keep())
    assert journal.trouble is None
    assert journal.append(a_move()) is Kept.YES
    journal.close()


def test_a_directory_that_is_taken_away_is_made_again(
    directory: Path, journal: FactsJournal
) -> None:
    journal.append(a_move(1))
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    assert read(journal) == []
    assert (journal.lost, journal.waiting) == (1, 0)
    assert journal.append(a_move(2)) is Kept.FAILED
    asyncio.run(journal.keep())
    assert journal.append(a_move(3)) is Kept.YES
    with pytest.raises(JournalLocked):
        an_open_journal(directory)
    assert read(journal) == [a_move(3)]


def test_a_flush_that_fails_is_told_and_costs_nothing(
    journal: FactsJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal.append(a_move(1))
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        asyncio.run(journal.keep())
    assert journal.trouble is not None
    assert "Input/output error" in journal.trouble
    asyncio.run(journal.keep())
    assert journal.append(a_move(2)) is Kept.YES
    assert (read(journal), read(journal)) == ([a_move(1)], [a_move(2)])


def test_only_what_waits_is_flushed(journal: FactsJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    journal.append(a_move(1))
    read(journal)
    asyncio.run(journal.keep())
    assert flushed == []
    journal.append(a_move(2))
    asyncio.run(journal.keep())
    assert len(flushed) == 2, "the segment and its directory"
    asyncio.run(journal.keep())
    assert len(flushed) == 2


def test_nothing_that_is_put_can_raise(journal: FactsJournal) -> None:
    nonsense = replace(a_move(), reason=object())  # type: ignore[arg-type]
    assert journal.append(nonsense) is Kept.UNFIT
    assert journal.append(replace(a_move(), reason="x" * 2_000_000)) is Kept.UNFIT
    assert journal.append(replace(an_entry(), talk=timedelta.max, number=2**70)) is Kept.YES
    assert read(journal) == [replace(an_entry(), talk=timedelta.max, number=2**70)]
