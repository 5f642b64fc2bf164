"""Service levels: worked examples, the boundary, and what a queue counts."""

from datetime import timedelta
from fractions import Fraction

import pytest

from ivrd.core.effects import Disposition
from ivrd.core.service_level import (
    Counts,
    counted,
    sl,
    sl_all_ended,
    sl_answered,
    sl_offered,
    sl_queued,
)
from tests.unit.core.story import GUIDES, SWITCHBOARD, new_tracker, overflow_rule, play, read

T = timedelta(seconds=20)
X = timedelta(seconds=5)
MONDAY = Counts(
    joined=108,
    answered=90,
    answered_within=81,
    abandoned=10,
    abandoned_within=6,
    short_abandons=4,
)


def test_one_day_has_five_service_levels() -> None:
    assert sl(MONDAY) == Fraction(81, 96)
    assert sl_answered(MONDAY) == Fraction(81, 90)
    assert sl_all_ended(MONDAY) == Fraction(87, 100)
    assert sl_offered(MONDAY) == Fraction(81, 100)
    assert sl_queued(MONDAY) == Fraction(87, 108)


def test_no_traffic_is_no_value() -> None:
    for figure in (sl, sl_answered, sl_all_ended, sl_offered, sl_queued):
        assert figure(Counts()) is None
    assert sl(Counts(abandoned=3, short_abandons=3)) is None


@pytest.mark.parametrize(
    ("wait_s", "within"), [(0.0, 1), (19.999999, 1), (20.0, 1), (20.000001, 0)]
)
def test_the_threshold_itself_is_in_time(wait_s: float, within: int) -> None:
    wait = timedelta(seconds=wait_s)
    counts = counted(Counts(), Disposition.ANSWERED, wait, threshold=T, short_abandon=X)
    assert (counts.answered, counts.answered_within) == (1, within)
    counts = counted(Counts(), Disposition.ABANDONED, wait, threshold=T, short_abandon=X)
    assert (counts.abandoned, counts.abandoned_within) == (1, within)


@pytest.mark.parametrize(("wait_s", "short"), [(0.0, 1), (4.999999, 1), (5.0, 0)])
def test_the_short_limit_itself_is_not_short(wait_s: float, short: int) -> None:
    wait = timedelta(seconds=wait_s)
    counts = counted(Counts(), Disposition.ABANDONED, wait, threshold=T, short_abandon=X)
    assert (counts.abandoned, counts.short_abandons) == (1, short)


def test_an_unknown_wait_is_in_no_within_count() -> None:
    counts = counted(Counts(), Disposition.ABANDONED, None, threshold=T, short_abandon=X)
    assert counts == Counts(abandoned=1)


@pytest.mark.parametrize("disposition", Disposition)
def test_every_disposition_is_counted_once(disposition: Disposition) -> None:
    counts = counted(Counts(), disposition, None, threshold=T, short_abandon=X)
    assert sum(getattr(counts, name) for name in Counts.__dataclass_fields__) == 1


def test_wait_runs_on_across_a_move_and_is_counted_where_it_was_answered() -> None:
    tracker = new_tracker(overflow_rule())
    play(
        tracker,
        read("""
        0    snapshot   members=guides:anna:1
        0    joined     c1  switchboard
        5    joined     c2  switchboard
       18    left       c1  switchboard
       18    exited     c1  switchboard  WITHDRAW:relief
       18    joined     c1  guides
       21    connected  c1  guides  anna  leg=a1
       22    hung_up    c2
       30    hung_up    c1
        """),
    )
    guides, switchboard = tracker.view(GUIDES), tracker.view(SWITCHBOARD)
    assert guides is not None
    assert switchboard is not None
    assert guides.counts == Counts(joined=1, moved_in=1, answered=1, answered_within=0, cases=1)
    assert switchboard.counts == Counts(joined=2, moved_out=1, abandoned=1, abandoned_within=1)


def test_a_caller_handed_to_a_queue_and_moved_from_there_waits_since_the_handing() -> None:
    tracker = new_tracker(overflow_rule(moves_per_call=1))
    effects = play(
        tracker,
        read("""
        0    snapshot   members=guides:anna:1
        0    joined     c1  guides
        2    connected  c1  guides  anna  leg=a1
       60    blind      a1  switchboard
       60    completed  c1  guides  transfer
       60    joined     c1  switchboard
       61    joined     c2  switchboard
       65    left       c1  switchboard
       65    exited     c1  switchboard  WITHDRAW:relief
       65    joined     c1  guides
       75    connected  c1  guides  anna  leg=a2
       80    hung_up    c1
       80    hung_up    c2
        """),
    )
    waits = [getattr(effect, "wait", None) for effect in effects if hasattr(effect, "number")]
    assert timedelta(seconds=15) in waits


def test_a_queue_without_rules_is_watched_and_not_counted() -> None:
    tracker = new_tracker()
    effects = play(tracker, read("0 joined c1 other"))
    view = {view.queue: view for view in tracker.views()}["other"]
    assert (view.waiting, view.counts) == (1, Counts())
    effects += play(tracker, read("9 hung_up c1"))
    assert any(getattr(effect, "outcome", None) == "abandoned" for effect in effects)
    assert {view.queue: view for view in tracker.views()}["other"].counts == Counts()
