"""Unit tests of reading queue_log: lines of every kind, and places across every rotation."""

import gzip
import os
import shutil
import tracemalloc
from pathlib import Path

import pytest

from ivrd.core.ids import SystemName
from ivrd.queue_log import (
    LINE_BYTES_MAX,
    Position,
    QueueLog,
    Reading,
    rotated_files,
)

PBX = SystemName("pbx1")


class File:
    """A queue_log that is written, and rotated in the ways that there are."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "queue_log"
        self.clock = 1_764_000_000
        self.path.touch()

    def write(self, *calls: str, event: str = "ENTERQUEUE") -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for call in calls:
                self.clock += 1
                file.write(f"{self.clock}|{call}|kc|NONE|{event}||0701740605|1\n")

    def append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def begin_anew(self) -> None:
        self.clock += 1
        self.append(f"{self.clock}|NONE|NONE|NONE|CONFIGRELOAD|\n".encode())

    def sequential(self) -> None:
        number = 0
        while self.path.with_name(f"queue_log.{number}").exists():
            number += 1
        self.path.rename(self.path.with_name(f"queue_log.{number}"))
        self.begin_anew()

    def rotate(self) -> None:
        number = 0
        while self.path.with_name(f"queue_log.{number}").exists():
            number += 1
        for old in range(number, 0, -1):
            self.path.with_name(f"queue_log.{old - 1}").rename(
                self.path.with_name(f"queue_log.{old}")
            )
        self.path.rename(self.path.with_name("queue_log.0"))
        self.begin_anew()

    def timestamp(self) -> None:
        self.path.rename(self.path.with_name(f"queue_log.{self.clock}"))
        self.begin_anew()

    def dated_and_packed(self) -> None:
        packed = self.path.with_name(f"queue_log-{self.clock}.gz")
        with gzip.open(packed, "wb") as file:
            file.write(self.path.read_bytes())
        # As logrotate does: the new file first, so that the inode is another one.
        self.path.rename(self.path.with_name("old"))
        self.begin_anew()
        self.path.with_name("old").unlink()

    def copy_and_truncate(self) -> None:
        shutil.copyfile(self.path, self.path.with_name(f"queue_log.{self.clock}"))
        os.truncate(self.path, 0)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


@pytest.fixture
def queue_log(file: File) -> QueueLog:
    return QueueLog(file.path, system=PBX)


def calls(reading: Reading) -> list[str]:
    return [row.call_id.removeprefix("pbx1/") for row in reading.rows]


def end(queue_log: QueueLog) -> Position:
    place = queue_log.end()
    assert place is not None
    return place


def test_rows_after_a_place_are_those_written_since(file: File, queue_log: QueueLog) -> None:
    file.write("a", "b")
    place = end(queue_log)
    file.write("c")
    reading = queue_log.read(place)
    assert calls(reading) == ["c"]
    assert (reading.is_gap, reading.is_truncated, reading.is_cut) == (False, False, False)
    assert reading.broken == 0
    assert reading.position == end(queue_log)
    assert queue_log.read(reading.position).rows == ()
    assert calls(queue_log.read(None)) == ["a", "b", "c"]


ROTATIONS = ["sequential", "rotate", "timestamp", "dated_and_packed", "copy_and_truncate"]


@pytest.mark.parametrize("times", [1, 2, 12])
@pytest.mark.parametrize("how", ROTATIONS)
def test_a_place_is_followed_through_every_rotation(
    file: File, queue_log: QueueLog, how: str, times: int
) -> None:
    file.write("old1", "old2", "old3")
    getattr(file, how)()
    file.write("before")
    place = end(queue_log)
    file.write("rest")
    for number in range(times):
        getattr(file, how)()
        file.write(f"new{number}")
    reading = queue_log.read(place)
    assert calls(reading) == ["rest", *(f"new{number}" for number in range(times))]
    assert not reading.is_gap
    assert reading.position == end(queue_log)


@pytest.mark.parametrize("how", ROTATIONS)
def test_a_place_at_the_very_end_of_a_rotated_file_is_found(
    file: File, queue_log: QueueLog, how: str
) -> None:
    file.write("a")
    place = end(queue_log)
    getattr(file, how)()
    file.write("b")
    assert calls(queue_log.read(place)) == ["b"]


def test_a_file_truncated_without_a_copy_is_read_from_its_beginning_and_said(
    file: File, queue_log: QueueLog
) -> None:
    file.write("a", "b")
    place = end(queue_log)
    os.truncate(file.path, 0)
    file.write("c")
    reading = queue_log.read(place)
    assert calls(reading) == ["c"]
    assert reading.is_truncated
    assert reading.is_gap
    assert queue_log.gaps == 1


def test_a_truncated_file_that_has_grown_past_the_place_is_noticed(
    file: File, queue_log: QueueLog
) -> None:
    file.write("a")
    place = end(queue_log)
    os.truncate(file.path, 0)
    file.write("b", "c", "d")
    reading = queue_log.read(place)
    assert calls(reading) == ["b", "c", "d"]
    assert reading.is_truncated


def test_a_place_in_a_file_that_is_gone_is_a_gap(file: File, queue_log: QueueLog) -> None:
    file.write("a")
    place = end(queue_log)
    file.sequential()
    file.path.with_name("queue_log.0").unlink()
    file.write("b")
    reading = queue_log.read(place)
    assert calls(reading) == ["b"]
    assert reading.is_gap


def test_a_packed_file_that_nobody_can_read_is_named(file: File, queue_log: QueueLog) -> None:
    file.write("a")
    place = end(queue_log)
    file.sequential()
    file.write("b")
    file.sequential()
    file.path.with_name("queue_log.1").rename(file.path.with_name("queue_log.1.bz2"))
    file.write("c")
    reading = queue_log.read(place)
    assert calls(reading) == ["c"]
    assert reading.unreadable == ("queue_log.1.bz2",)
    assert reading.is_gap


def test_a_half_packed_file_counts_as_unreadable_and_its_original_is_preferred(
    file: File, queue_log: QueueLog
) -> None:
    file.write("a")
    place = end(queue_log)
    file.write("b")
    file.sequential()
    packed = file.path.with_name("queue_log.0.gz")
    packed.write_bytes(gzip.compress(file.path.with_name("queue_log.0").read_bytes())[:30])
    assert [rotated.path.name for rotated in rotated_files(file.path)] == ["queue_log.0"]
    assert calls(queue_log.read(place)) == ["b"]
    file.path.with_name("queue_log.0").unlink()
    assert queue_log.read(place).is_gap


def test_other_files_beside_the_journal_are_left_alone(file: File) -> None:
    for name in ("queue_log.bak", "queue_log_old", "queue_log.0.swp", "messages.0", "queue_log.d"):
        file.path.with_name(name).write_text("1764000000|x|kc|NONE|ABANDON|1|1|1\n")
    file.path.with_name("queue_log.7").mkdir()
    assert rotated_files(file.path) == []


def test_a_missing_journal_is_trouble_until_it_is_back(file: File, queue_log: QueueLog) -> None:
    file.write("a")
    place = end(queue_log)
    file.write("b")
    file.path.rename(file.path.with_name("queue_log.0"))
    assert queue_log.end() is None
    assert queue_log.trouble is not None
    reading = queue_log.read(place)
    assert calls(reading) == ["b"]
    assert reading.is_gap
    file.write("c")
    assert calls(queue_log.read(reading.position)) == ["c"]
    assert queue_log.trouble is None


def test_a_line_without_its_end_is_not_taken_until_it_has_one(
    file: File, queue_log: QueueLog
) -> None:
    file.write("a")
    file.append(b"1764000009|b|kc|NONE|ABAN")
    place = end(queue_log)
    reading = queue_log.read(None)
    assert calls(reading) == ["a"]
    assert reading.position == place
    assert reading.broken == 0
    file.append(b"DON|1|1|3\n")
    assert [row.event for row in queue_log.read(place).rows] == ["ABANDON"]


def test_a_rotated_file_may_end_in_the_middle_of_a_line(file: File, queue_log: QueueLog) -> None:
    file.write("a")
    place = end(queue_log)
    file.append(b"1764000009|b|kc|NONE|ABAN")
    file.sequential()
    file.write("c")
    reading = queue_log.read(place)
    assert calls(reading) == ["c"]
    assert reading.broken == 1


BROKEN = [
    b"",
    b"garbage",
    b"1764000000|a|kc|NONE",
    b"|a|kc|NONE|ABANDON|",
    b"-5|a|kc|NONE|ABANDON|",
    b"99999999999999999999|a|kc|NONE|ABANDON|",
    "\N{SUPERSCRIPT TWO}|a|kc|NONE|ABANDON|".encode(),
    b"\x00" * 4000,
    bytes(range(256)).replace(b"\n", b""),
    b"x" * 1_000_000,
    b"1764000000|a|kc|NONE|ABANDON|" + b"y" * LINE_BYTES_MAX,
]


@pytest.mark.parametrize("line", BROKEN, ids=[repr(line[:12]) for line in BROKEN])
def test_a_broken_line_is_counted_and_disturbs_no_other(
    file: File, queue_log: QueueLog, line: bytes
) -> None:
    file.write("a")
    file.append(line + b"\n")
    file.write("b")
    reading = queue_log.read(None)
    assert calls(reading) == ["a", "b"]
    assert reading.broken == queue_log.broken == 1


def test_a_line_of_a_megabyte_without_an_end_is_waited_for_in_little_memory(
    file: File, queue_log: QueueLog
) -> None:
    file.write("a")
    file.append(b"z" * 8_000_000)
    tracemalloc.start()
    try:
        assert calls(queue_log.read(None)) == ["a"]
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_name_in_another_encoding_is_a_row_all_the_same(file: File, queue_log: QueueLog) -> None:
    file.append("1764000000|a|kc|Åsa|CONNECT|1|b|2\n".encode("latin-1"))
    reading = queue_log.read(None)
    assert reading.misencoded == 1
    assert reading.broken == 0
    assert [row.agent for row in reading.rows] == ["\N{REPLACEMENT CHARACTER}sa"]


def test_a_bar_in_an_agents_name_does_not_hide_the_event(file: File, queue_log: QueueLog) -> None:
    file.append(b"1764000000|a|kc|Anna|Kundtj|CONNECT|1|b|2\n")
    (row,) = queue_log.read(None).rows
    assert (row.agent, row.event, row.data) == ("Anna|Kundtj", "CONNECT", ("1", "b", "2"))


def test_rows_about_queues_and_members_are_left_out_but_a_start_is_told(
    file: File, queue_log: QueueLog
) -> None:
    for call in ("NONE", "MANAGER", "CLI", "REALTIME", ""):
        file.write(call, event="ADDMEMBER")
    file.append(b"1764000100|NONE|NONE|NONE|QUEUESTART|\n")
    file.append(b"1764000101|a|NONE|NONE|IVRDARRIVED|kommunen|PJSIP/x-1\n")
    start, row = queue_log.read(None).rows
    assert (start.event, start.call_id) == ("QUEUESTART", "pbx1/NONE")
    assert start.at.isoformat() == "2025-11-24T16:01:40+00:00"
    assert row.data == ("kommunen", "PJSIP/x-1")


def test_a_reading_is_bounded_says_so_and_can_be_gone_on_with(file: File) -> None:
    queue_log = QueueLog(file.path, system=PBX, rows_max=4)
    file.write("a", "b", "c")
    place = Position(inode=file.path.stat().st_ino, offset=0, head=0)
    for _ in range(3):
        file.sequential()
        file.write("d", "e", "f")
    told: list[str] = []
    while True:
        reading = queue_log.read(place)
        assert len(reading.rows) <= 4
        told += calls(reading)
        place = reading.position
        if not reading.is_cut:
            break
    assert "".join(told) == "abc" + "def" * 3
