"""The overflow policy at work in a tracker: what it looks at, and when."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, timedelta
from fractions import Fraction

import pytest

from ivrd.core.effects import DivertCallers, Effect, MoveCaller, TellRuleChange
from ivrd.core.events import DeadlinePassed
from ivrd.core.hours import Interval, Schedule
from ivrd.core.ids import CallId, QueueName
from ivrd.core.mover import MOVES_PER_PLAN
from ivrd.core.overflow_rules import Condition, Figure, OverflowRule
from ivrd.core.service_level import Counts
from ivrd.core.tracker import Tracker
from tests.unit.core.story import (
    GUIDES,
    START,
    SWITCHBOARD,
    SYSTEM,
    at,
    cid,
    floor_rules,
    new_tracker,
    overflow_rule,
    play,
    read,
    tell,
)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_the_first_agent_of_the_target_sets_waiting_moves_going() -> None:
    told = tell(
        """
        0    snapshot
        1    joined   c1  switchboard
        2    joined   c2  switchboard
        9    member   guides  anna
        10   hung_up  c1
        10   hung_up  c2
        """,
        overflow_rule(),
    )
    assert told.startswith("move c1")


def test_a_whole_hall_moves_in_parts_in_order_and_nobody_twice() -> None:
    tracker = new_tracker(overflow_rule(stop=0))
    callers = [f"c{number}" for number in range(2 * MOVES_PER_PLAN + 50)]
    moved_by(tracker, "0 snapshot")
    for number, caller in enumerate(callers):
        moved_by(tracker, f"{1 + number / 1000} joined {caller} switchboard")
    parts = [moved_by(tracker, "9 member guides anna")]
    while tracker.is_plan_cut:
        deadline = tracker.next_deadline()
        assert deadline is not None
        assert deadline - at(9) < s(0.1)
        parts.append(moved(tracker.apply(DeadlinePassed(at=deadline, system=SYSTEM))))
    assert [len(part) for part in parts] == [MOVES_PER_PLAN, MOVES_PER_PLAN, 50]
    assert [call_id for part in parts for call_id in part] == [cid(each) for each in callers]
    assert moved_by(tracker, "10 member guides bo") == []


def moved_by(tracker: Tracker, event: str) -> list[CallId]:
    return [call_id for each in read(event) for call_id in moved(tracker.apply(each))]


def moved(effects: Iterable[Effect]) -> list[CallId]:
    return [effect.call_id for effect in effects if isinstance(effect, MoveCaller)]


def test_an_unreachable_phone_is_no_agent() -> None:
    told = tell(
        """
        0    snapshot  members=guides:anna:5
        1    joined    c1  switchboard
        2    joined    c2  switchboard
        """,
        overflow_rule(),
    )
    assert told == ""


def test_caller_who_is_offered_to_an_agent_is_moved_only_after_the_ringing() -> None:
    told = tell(
        """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        1    rang        c1  switchboard  olle
        2    joined      c2  switchboard
        9    ring_ended  c1  switchboard  olle
        10   hung_up     c1
        10   hung_up     c2
        """,
        overflow_rule(start=2, stop=0),
    )
    assert told.splitlines()[:2] == ["move c2 switchboard guides", "move c1 switchboard guides"]
    assert "move c1" not in tell(
        """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        1    rang        c1  switchboard  olle
        2    joined      c2  switchboard
        """,
        overflow_rule(start=2, stop=0),
    )


def test_a_move_that_was_never_sent_may_be_asked_for_again_and_one_that_was_may_not() -> None:
    story = """
        0    snapshot      members=guides:anna:1
        1    joined        c1  switchboard
        2    joined        c2  switchboard
        3    move_refused  c1  asked=2  {sent}
        4    joined        c3  switchboard
        5    move_refused  c1  asked=4
        6    joined        c4  switchboard
        """
    rule = overflow_rule(start=2, stop=1)
    assert tell(story.format(sent="sent=yes"), rule).count("move c1") == 1
    assert tell(story.format(sent="sent=no"), rule).count("move c1") == 2


def test_late_answer_to_an_old_request_does_not_end_a_newer_one() -> None:
    story = """
        0    snapshot      members=guides:anna:1
        1    joined        c1  switchboard
        2    joined        c2  switchboard
        32   passed
        33   joined        c3  switchboard
        34   move_refused  c1  asked=2   {sent}
        35   joined        c4  switchboard
        36   move_refused  c1  asked={asked}
        37   hung_up       c1
        """
    rule = overflow_rule(start=2, stop=1, moves_per_call=2)
    for sent in ("sent=yes", "sent=no"):
        told = tell(story.format(sent=sent, asked=2), rule)
        assert "moved c1 refused" not in told
        assert told.count("move c1") == 2
        assert "moved c1 refused" in tell(story.format(sent=sent, asked=32), rule)


def test_two_rules_that_want_the_same_caller_ask_once() -> None:
    rule = overflow_rule()
    told = tell(
        """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        2    joined      c2  switchboard
        """,
        rule,
        overflow_rule(name="second"),
    )
    assert told.count("move c1") == 1


def test_two_queues_that_relieve_each_other_do_not_play_with_a_caller() -> None:
    there = overflow_rule(1, 0, from_queue=SWITCHBOARD)
    back = overflow_rule(1, 0, name="back", from_queue=GUIDES, to_queue=SWITCHBOARD)
    told = tell(
        """
        0    snapshot    members=guides:anna:1,switchboard:olle:1
        1    joined      c1  switchboard
        2    left        c1  switchboard
        2    exited      c1  switchboard  WITHDRAW:relief
        2    joined      c1  guides
        9    hung_up     c1
        """,
        there,
        back,
    )
    assert told.count("move c1") == 1


def test_a_late_timer_and_no_timer_ask_for_the_same_moves() -> None:
    story = """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        2    joined      c2  switchboard
        {timer}
        33   left        c1  switchboard
        33   exited      c1  switchboard  WITHDRAW:relief
        33   joined      c1  guides
        35   hung_up     c1
        35   hung_up     c2
        """
    rule = overflow_rule(moves_per_call=2)
    with_timer = tell(story.format(timer="32 passed"), rule)
    assert with_timer == tell(story.format(timer=""), rule)
    assert "moved c1 landed" in with_timer


def test_a_late_timer_is_not_a_clock_that_stepped() -> None:
    tracker = new_tracker()
    play(tracker, read("5 joined c1 guides\n4 passed\n4 case_saved c1\n4 move_refused c1"))
    assert tracker.clamps == 0
    play(tracker, read("4 left c1 guides"))
    assert tracker.clamps == 1


# Time alone.


def timed(condition: Condition, **more: object) -> OverflowRule:
    rule = replace(overflow_rule(), conditions=(condition,), leave_waiting=0)
    return replace(rule, **more)  # type: ignore[arg-type]


TIMED = {
    "wait": (timed(Condition(figure=Figure.LONGEST_WAIT, start=s(60), stop=s(30))), 61),
    "start": (timed(Condition(figure=Figure.WAITING, start=1, stop=0), start_after=s(20)), 21),
}


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("timers", ["", "21.25 passed\n61.25 passed", "70 passed"])
def test_a_moment_without_an_event_is_not_missed(name: str, timers: str) -> None:
    rule, moved_s = TIMED[name]
    tracker = new_tracker(rule)
    story = f"0 snapshot members=guides:anna:1\n1 joined c1 switchboard\n{timers}\n99 hung_up c1"
    moves = [one for one in play(tracker, read(story)) if isinstance(one, MoveCaller)]
    assert [one.at for one in moves] == [at(moved_s)]
    assert tracker.next_deadline() is None, "nobody waits, so there is no moment to wait for"


def test_a_dwell_ends_by_itself() -> None:
    tracker = new_tracker(replace(overflow_rule(1, 0), dwell=s(30)))
    play(tracker, read("0 snapshot members=guides:anna:1\n1 joined c1 switchboard"))
    effects = play(tracker, read("5 hung_up c1\n99 passed"))
    ended = [one for one in effects if isinstance(one, TellRuleChange)]
    assert [(one.at, one.change.is_active) for one in ended] == [(at(31), False)]


def test_a_closing_is_seen_in_time_and_a_day_has_its_own_service_level() -> None:
    closing = timed(Condition(figure=Figure.CLOSES_IN, start=s(900), stop=s(901)))
    level = timed(
        Condition(figure=Figure.SERVICE_LEVEL, start=Fraction(1, 2), stop=Fraction(3, 4)),
        name="level",
    )
    week = ((Interval(opens_minute=480, closes_minute=600),),) * 7
    hours = Schedule(name="kc", week=week, special_days={})
    rules = replace(floor_rules(closing, level), hours={SWITCHBOARD: hours}, zone=UTC)
    tracker = Tracker(system=SYSTEM, rules=rules)
    story = """
        0      snapshot  members=guides:anna:1
        1      joined    c1  switchboard
        98     left      c1  switchboard
        98     hangup_asked  c1
        99     hung_up   c1
        86400  joined    c2  switchboard
        86401  hung_up   c2
        """
    changes = [
        (effect.change.rule, effect.change.is_active, (effect.at - START).total_seconds())
        for effect in play(tracker, read(story))
        if isinstance(effect, TellRuleChange)
    ]
    # Open from 8 to 10 o'clock; the story begins at 9, and the second day's call at 9 again.
    assert changes == [("level", True, 99.0), ("level", False, 15 * 3600.0)], "until midnight"


def test_what_today_came_to_before_a_restart_counts_until_midnight() -> None:
    """See counts_today.py: the day's counts come from what is stored, some time after the start."""
    rule = timed(
        Condition(figure=Figure.SERVICE_LEVEL, start=Fraction(1, 2), stop=Fraction(3, 4)),
        name="level",
    )
    tracker = Tracker(system=SYSTEM, rules=replace(floor_rules(rule), zone=UTC))
    told = play(tracker, read("0 snapshot members=guides:anna:1\n1 joined c1 switchboard"))
    assert not [one for one in told if isinstance(one, MoveCaller | TellRuleChange)]
    before = Counts(joined=9, answered=9, answered_within=4)
    tracker.count_on({SWITCHBOARD: before}, START - timedelta(hours=9))
    told = play(tracker, read("2 joined c2 guides\n9 hung_up c1\n9 hung_up c2\n86400 passed"))
    assert [one.call_id for one in told if isinstance(one, MoveCaller)] == [cid("c1")]
    changes = [one for one in told if isinstance(one, TellRuleChange)]
    assert [(one.change.is_active, one.at) for one in changes] == [
        (True, at(2)),
        (False, at(15 * 3600)),
    ]
    assert changes[0].change.held[0].level == Fraction(4, 9)


def test_a_rule_that_diverts_sees_the_closing_with_nobody_waiting() -> None:
    closing = Condition(figure=Figure.CLOSES_IN, start=s(900), stop=s(901))
    rule = timed(closing, diverts_at_entry=True)
    week = ((Interval(opens_minute=480, closes_minute=600),),) * 7
    hours = Schedule(name="kc", week=week, special_days={})
    tracker = Tracker(
        system=SYSTEM, rules=replace(floor_rules(rule), hours={SWITCHBOARD: hours}, zone=UTC)
    )
    play(tracker, read("0 snapshot members=guides:anna:1"))
    assert tracker.next_deadline() == at(45 * 60)
    effects = play(tracker, read(f"{24 * 3600} passed"))
    diverts = [one for one in effects if isinstance(one, DivertCallers)]
    assert [(one.at, one.to_queue) for one in diverts] == [
        (at(45 * 60), GUIDES),
        (at(23 * 3600), None),
    ]


# After a restart, and after a refusal.


@pytest.mark.parametrize(("moves_per_call", "is_moved"), [(1, False), (2, True)])
def test_a_move_that_the_journal_tells_counts(moves_per_call: int, is_moved: bool) -> None:
    rule = overflow_rule(
        1,
        0,
        name="on",
        moves_per_call=moves_per_call,
        from_queue=GUIDES,
        to_queue=QueueName("va"),
    )
    told = tell(
        """
        1    joined      c1  switchboard
        2    left        c1  switchboard
        2    exited      c1  switchboard  WITHDRAW:relief
        2    joined      c1  guides
        3    snapshot    waiting=c1:guides:1  alive=c1
        4    member      va  sten
        9    hung_up     c1
        """,
        rule,
    )
    assert ("move c1 guides va" in told) == is_moved


def test_a_queue_that_refused_is_tried_again_only_after_a_rest() -> None:
    tracker = new_tracker(overflow_rule(1, 0))
    events = read(
        """
        0     snapshot    members=guides:anna:1
        1     joined      c1  switchboard
        2     left        c1  switchboard
        2     exited      c1  switchboard  WITHDRAW:relief
        2     exited      c1  guides  FULL
        2     joined      c1  switchboard
        10    joined      c2  switchboard
        40    hung_up     c1
        50    hung_up     c2
        """
    )
    moves = [one for one in play(tracker, events) if isinstance(one, MoveCaller)]
    assert [(one.call_id, one.at) for one in moves] == [(cid("c1"), at(1)), (cid("c2"), at(32))]
