"""Unit tests of what the collector need not look through."""

import gc
import time
from collections.abc import Iterator

import pytest

from ivrd import long_lived as module
from ivrd.long_lived import NIGHT_HOUR, WHOLE_EVERY_S, LongLived

DAY_S = 24 * 3600.0


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """Count what a test makes only, not what a process with all the tests holds."""
    gc.freeze()
    yield
    gc.unfreeze()


def at_hour(hour: int) -> float:
    """Return a moment of that hour by the machine's clock."""
    moment_s = 1_800_000_000.0
    while time.localtime(moment_s).tm_hour != hour:
        moment_s += 3600.0
    return moment_s


@pytest.fixture
def begun() -> Iterator[LongLived]:
    """Set aside what lives, as the daemon does."""
    long_lived = LongLived()
    long_lived.begin()
    yield long_lived
    long_lived.end()


@pytest.mark.usefixtures("begun")
def test_what_a_walk_leaves_is_set_aside_and_is_freed_all_the_same() -> None:
    known = gc.get_freeze_count()
    kept = [[number] for number in range(1_000)]
    gc.collect(1)
    assert gc.get_freeze_count() < known + 1_000, "the young may still die in rings"
    gc.collect()
    before = gc.get_freeze_count()
    assert before >= known + 1_000
    assert not any(one is kept for one in gc.get_objects()), "no walk comes here again"
    kept.clear()
    assert gc.get_freeze_count() <= before - 1_000


def test_nothing_is_set_aside_after_the_end(begun: LongLived) -> None:
    begun.end()
    assert gc.get_threshold() == begun._thresholds
    kept = [[number] for number in range(1_000)]
    known = gc.get_freeze_count()
    gc.collect()
    assert gc.get_freeze_count() <= known
    assert len(kept) == 1_000
    begun.begin()


def test_rings_that_gather_by_day_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, begun: LongLived
) -> None:
    monkeypatch.setattr(module, "GATHERED_MAX", 1_000)
    noon_s = at_hour(12)
    monkeypatch.setattr(begun, "_now_s", lambda: noon_s)
    rings: list[list[object]] = [[] for _ in range(1_500)]
    for ring in rings:
        ring.append(ring)
    gc.collect()
    assert begun.check(), "so many came"
    assert not begun.check(), "and live, so they are known"
    before = gc.get_freeze_count()
    del ring
    rings.clear()
    assert gc.get_freeze_count() >= before - 10, "a ring frees nothing by itself"
    more = [[number] for number in range(1_100)]
    gc.collect()
    assert begun.check()
    assert gc.get_freeze_count() < before
    assert more


def test_all_is_looked_through_once_a_night() -> None:
    now_s = [at_hour(NIGHT_HOUR) - DAY_S]
    long_lived = LongLived(now_s=lambda: now_s[0])
    assert not long_lived.check(), "it began in this night"
    wholes = []
    for _ in range(48):
        now_s[0] += 3600.0
        if long_lived.check():
            wholes.append(now_s[0])
    assert len(wholes) == 2
    assert wholes[1] - wholes[0] >= WHOLE_EVERY_S
    assert all(time.localtime(moment_s).tm_hour == NIGHT_HOUR for moment_s in wholes)
