"""Finding a moment in queue_log, in one file or in many."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivrd.core.ids import SystemName
from ivrd.queue_log import QueueLog
from ivrd.queue_log_search import NEAR_BYTES, find

PBX = SystemName("pbx1")
BEGIN = 1_772_442_000
SECONDS = 12_000
"""Of one row each: some eight times what the search looks at row by row."""


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGIN + seconds, tz=UTC)


def write(path: Path, first: int, last: int) -> None:
    rows = (f"{BEGIN + n}|1.{n}|kc|NONE|ENTERQUEUE||0701740605|1\n" for n in range(first, last))
    path.write_text("".join(rows), encoding="utf-8")


def told_since(path: Path, seconds: float) -> list[int]:
    found = find(path, moment(seconds))
    assert found is not None
    reading = QueueLog(path, system=PBX).read(found.position)
    assert not reading.is_gap
    return [int(row.call_id.rpartition(".")[2]) for row in reading.rows]


@pytest.mark.parametrize("seconds", [0.5, 1, 700, 700.9, 6_000, SECONDS - 1, SECONDS + 50])
def test_nothing_of_the_moment_or_later_is_left_out_and_little_before_is_read(
    tmp_path: Path, seconds: float
) -> None:
    path = tmp_path / "queue_log"
    write(path, 0, SECONDS)
    assert path.stat().st_size > 6 * NEAR_BYTES
    told = told_since(path, seconds)
    assert told[0] <= seconds
    assert told[-1] == SECONDS - 1
    assert len(told) - (SECONDS - seconds) < 3 * SECONDS * NEAR_BYTES / path.stat().st_size


@pytest.mark.parametrize("seconds", [1, 100, 4_000, 4_001, 8_000, 8_500])
@pytest.mark.parametrize("is_packed", [False, True])
def test_the_moment_may_lie_in_a_rotated_file(
    tmp_path: Path, seconds: int, is_packed: bool
) -> None:
    path = tmp_path / "queue_log"
    for name, first, last in (("queue_log.2", 0, 4_000), ("queue_log.1", 4_000, 8_000)):
        write(tmp_path / name, first, last)
        if is_packed:
            plain = tmp_path / name
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
    write(path, 8_000, SECONDS)
    told = told_since(path, seconds)
    assert told[0] <= seconds
    assert told == list(range(told[0], SECONDS))


def test_a_moment_before_the_oldest_row_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    write(path, 0, 10)
    first, before = find(path, moment(0)), find(path, moment(-1))
    assert first is not None
    assert before is not None
    assert (first.is_complete, before.is_complete) == (True, False)
    assert told_since(path, -1) == list(range(10))


def test_without_a_row_there_is_no_place(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    assert find(path, moment(0)) is None
    path.write_text("no row\n", encoding="utf-8")
    assert find(path, moment(0)) is None


def test_a_binary_heap_of_long_lines_ends_the_search_too(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    write(path, 0, 2_000)
    with path.open("ab") as file:
        file.write(b"x" * 500_000 + b"\n")
    assert find(path, moment(1_999)) is not None
