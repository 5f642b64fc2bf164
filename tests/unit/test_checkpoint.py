"""Unit tests of the checkpoint: which place is safe, and a file that is whole or nothing."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.checkpoint import (
    AGE_MAX,
    FINISHED_MAX,
    GAPS_PER_AGE,
    MARGIN,
    SAMPLE_S,
    SAMPLES_MAX,
    Checkpoint,
    CheckpointFile,
    Keeper,
)
from ivrd.core.ids import CallId, SystemName
from ivrd.queue_log import Position

PBX = SystemName("pbx1")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PERIOD = timedelta(seconds=SAMPLE_S)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def place(seconds: float) -> Position:
    """Return the journal's end at a moment: one byte a second since noon."""
    return Position(inode=7, offset=int(seconds), head=1)


def sampled(*seconds: float) -> Keeper:
    keeper = Keeper(PBX)
    for second in seconds:
        keeper.sample(at(second), place(second))
    return keeper


def a_checkpoint() -> Checkpoint:
    return Checkpoint(
        system=PBX, position=place(5), taken_at=at(5), finished=(CallId("pbx1/a"), CallId("pbx1/b"))
    )


def test_without_a_sample_no_place_is_safe() -> None:
    assert Keeper(PBX).safe(None) is None
    assert Keeper(PBX).checkpoint(at(0)) is None


def test_the_safe_place_lies_a_margin_before_the_oldest_live_call() -> None:
    keeper = sampled(*range(0, 100, 2))
    arrival = at(60)
    assert keeper.safe(arrival) == place((60 - MARGIN.total_seconds()) // 2 * 2)


def test_without_live_calls_a_margin_is_kept_for_one_that_is_not_known_yet() -> None:
    keeper = sampled(*range(0, 100, 2))
    assert keeper.safe(None) == place((98 - MARGIN.total_seconds()) // 2 * 2)


def test_for_a_call_older_than_all_samples_the_oldest_place_is_the_best_there_is() -> None:
    assert sampled(10, 12, 14).safe(at(3)) == place(10)


def test_what_an_earlier_run_left_is_safe_until_new_samples_are_old_enough() -> None:
    keeper = Keeper(PBX, a_checkpoint())
    assert keeper.safe(None) == place(5)
    keeper.sample(at(3600), place(3600))
    assert keeper.safe(None) == place(5)
    keeper.sample(at(3606), place(3606))
    assert keeper.safe(None) == place(3600)
    assert keeper.safe(at(3601)) == place(5)


def test_a_clock_that_steps_back_forgets_what_was_sampled_in_its_future() -> None:
    keeper = sampled(0, 100, 102, 104)
    keeper.sample(at(50), place(106))
    keeper.sample(at(60), place(116))
    assert keeper.safe(None) == place(106)
    assert keeper.safe(at(54)) == place(0)


def test_finished_calls_are_kept_until_the_place_has_moved_past_them() -> None:
    keeper = Keeper(PBX, a_checkpoint())
    assert CallId("pbx1/a") in keeper.finished()
    for second in range(20, 100, 2):
        keeper.sample(at(second), place(second))
    keeper.finish(CallId("pbx1/c"), at(90))
    held = keeper.checkpoint(at(8))
    assert held is not None
    assert held.finished == ("pbx1/a", "pbx1/b", "pbx1/c")
    moved = keeper.checkpoint(None)
    assert moved is not None
    assert moved.finished == ("pbx1/c",)


def test_finished_calls_are_bounded() -> None:
    keeper = sampled(0)
    for number in range(FINISHED_MAX + 10):
        keeper.finish(CallId(f"pbx1/{number}"), at(0))
    kept = keeper.checkpoint(at(0))
    assert kept is not None
    assert len(kept.finished) == FINISHED_MAX
    assert kept.finished[0] == "pbx1/10"


def test_a_week_of_samples_stays_small_and_fine_enough() -> None:
    keeper = Keeper(PBX)
    seconds = range(0, 7 * 86400, int(SAMPLE_S))
    for second in seconds:
        keeper.sample(at(second), place(second))
    assert len(keeper._samples) <= SAMPLES_MAX
    for age in (10, 60, 600, 3600, 36_000, AGE_MAX.total_seconds() - 3600):
        arrival = seconds[-1] - age
        safe = keeper.safe(at(arrival))
        assert safe is not None
        late = arrival - MARGIN.total_seconds() - safe.offset
        assert 0 <= late <= (age + MARGIN.total_seconds()) / GAPS_PER_AGE * 1.2 + SAMPLE_S


@given(
    gaps=st.lists(st.floats(0.5, 4000), min_size=1, max_size=1500),
    age=st.floats(0, 90_000),
)
def test_a_safe_place_is_never_too_young_unless_there_is_none_older(
    gaps: list[float], age: float
) -> None:
    keeper = Keeper(PBX)
    second = 0.0
    for gap in gaps:
        second += gap
        keeper.sample(at(second), place(second))
    safe = keeper.safe(at(second - age))
    assert safe is not None
    assert len(keeper._samples) <= SAMPLES_MAX
    oldest = keeper._samples[0][1].offset
    assert safe.offset <= second - age - MARGIN.total_seconds() or safe.offset == oldest


def test_a_checkpoint_comes_back_as_it_was_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "state", PBX)
    assert file.load() is None
    assert file.save(a_checkpoint())
    assert file.load() == a_checkpoint()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["checkpoint-pbx1.json"]
    assert (file.refused, file.failures) == (0, 0)


GOOD = {
    "version": 1,
    "system": "pbx1",
    "inode": 1,
    "offset": 2,
    "head": 3,
    "taken_at": "2026-03-02T12:00:00+00:00",
    "finished": [],
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00" * 200,
        "[" * 100_000,
        "9" * 9_000_000,
        json.dumps({**GOOD, "more": 1}),
        json.dumps({key: value for key, value in GOOD.items() if key != "head"}),
        json.dumps({**GOOD, "version": 2}),
        json.dumps({**GOOD, "system": "pbx2"}),
        json.dumps({**GOOD, "inode": -1}),
        json.dumps({**GOOD, "offset": True}),
        json.dumps({**GOOD, "offset": 1.5}),
        json.dumps({**GOOD, "head": "3"}),
        json.dumps({**GOOD, "taken_at": "2026-03-02T12:00:00"}),
        json.dumps({**GOOD, "taken_at": "noon"}),
        json.dumps({**GOOD, "taken_at": 5}),
        json.dumps({**GOOD, "finished": "pbx1/a"}),
        json.dumps({**GOOD, "finished": ["pbx2/a"]}),
        json.dumps({**GOOD, "finished": [7]}),
        json.dumps({**GOOD, "finished": ["pbx1/" + "a" * 300]}),
    ],
)
def test_a_broken_or_foreign_file_is_no_checkpoint_and_is_counted(
    tmp_path: Path, text: str
) -> None:
    file = CheckpointFile(tmp_path, PBX)
    file.path.write_text(text)
    assert file.load() is None
    assert file.refused == 1


def test_bytes_that_are_no_text_are_no_checkpoint(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path, PBX)
    file.path.write_bytes(b"\xff\xfe{}")
    assert file.load() is None
    file.path.unlink()
    file.path.mkdir()
    assert file.load() is None
    assert file.refused == 2


def test_a_failed_write_is_counted_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path, PBX)
    file.path.mkdir()
    (file.path / "in the way").touch()
    assert not file.save(a_checkpoint())
    assert not file.save(a_checkpoint())
    assert file.failures == 2
    assert os.listdir(tmp_path) == ["checkpoint-pbx1.json"]
