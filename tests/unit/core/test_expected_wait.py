"""Unit tests of the expected wait: what a queue learns, what it says, and when it is silent."""

import dataclasses
from copy import deepcopy
from datetime import timedelta

import pytest

from ivrd.core import expected_wait
from ivrd.core.effects import CountEntry, Disposition, Effect
from ivrd.core.expected_wait import (
    ANSWERS_MAX,
    ANSWERS_MIN,
    PICK_UPS_MAX,
    Expectation,
    Pace,
    WaitModel,
)
from ivrd.core.tracker import Tracker
from tests.unit.core import story
from tests.unit.core.story import GUIDES, at, new_tracker, read


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def busy_pace(
    *, answers: int = 10, every: float = 30, queued: int = 2, agents: int = 4, left: int = 0
) -> Pace:
    """Return the pace of a queue in which somebody always waited."""
    pace = Pace()
    pace.note(at(0), queued=queued, agents=agents)
    for number in range(1, answers + 1):
        if number <= left:
            pace.end(None, s(9), is_answered=False)
        pace.end(None, s(9), is_answered=True)
        pace.note(at(number * every), queued=queued, agents=agents)
    return pace


def wait_of(pace: Pace, *, place: int = 1, agents: int = 4) -> timedelta:
    expected = pace.expect(place=place, agents=agents, is_free=False)
    assert expected is not None
    assert expected.model is WaitModel.AGENT_TIME
    return expected.wait


# The models.


def test_a_place_costs_the_time_between_answers() -> None:
    pace = busy_pace(every=30)
    assert [wait_of(pace, place=place) for place in (1, 2, 5)] == [s(30), s(60), s(150)]


def test_a_staff_that_halves_is_believed_as_soon_as_the_last_answers_are_old() -> None:
    pace = busy_pace(every=30, agents=4)
    pace.note(at(301), queued=0, agents=2)
    assert wait_of(pace, agents=2) == s(30), "the last answers were with four"
    pace.note(at(300 + 601), queued=0, agents=2)
    assert wait_of(pace, agents=2) == s(60)


def test_a_staff_that_halves_while_somebody_waits_is_believed_little_by_little() -> None:
    pace = busy_pace(every=30, agents=4)
    pace.note(at(300), queued=1, agents=2)
    waits = []
    for number in range(1, 6):
        pace.end(None, s(9), is_answered=True)
        pace.note(at(300 + number * 60), queued=1, agents=2)
        waits.append(wait_of(pace, agents=2))
    assert waits == sorted(waits)
    assert waits[0] > s(30)
    assert waits[-1] == s(60)


def test_whoever_gives_up_shortens_the_wait_of_those_behind() -> None:
    patient, impatient = busy_pace(), busy_pace(left=3)
    assert wait_of(impatient, place=1) == wait_of(patient, place=1)
    # One of 20 callers' half-minutes each ended so: q = 3 / 20 per answer.
    exact = sum(30 / (1 + ahead * 3 / 20) for ahead in range(10))
    assert wait_of(impatient, place=10).total_seconds() == pytest.approx(exact, rel=0.01)


def test_a_thousand_places_cost_no_more_than_one_to_reckon() -> None:
    exact = sum(1 / (1 + ahead * 0.01) for ahead in range(1000))
    assert expected_wait._answers_until(1000, 0.01) == pytest.approx(exact, rel=0.01)


def test_with_a_free_agent_the_wait_is_what_the_last_ones_waited() -> None:
    pace = Pace()
    pace.note(at(0), queued=0, agents=1)
    free = pace.expect(place=1, agents=1, is_free=True)
    assert free == Expectation(model=WaitModel.FREE_AGENT, wait=s(0))
    for seconds in (4, 6):
        pace.end(free, s(seconds), is_answered=True)
    pace.end(free, s(60), is_answered=False)
    assert pace.expect(place=1, agents=1, is_free=True) == Expectation(
        model=WaitModel.FREE_AGENT, wait=s(5)
    )


# What is learnt.


def test_time_in_which_nobody_waits_teaches_nothing() -> None:
    pace = busy_pace(every=30)
    pace.note(at(300), queued=0, agents=4)
    pace.note(at(9000), queued=1, agents=4)
    pace.end(None, s(9), is_answered=True)
    pace.note(at(9030), queued=0, agents=4)
    assert wait_of(pace) == s(30)


def test_the_answer_of_a_caller_who_found_an_agent_free_teaches_no_pace() -> None:
    pace = busy_pace(every=30)
    known = pace.history().costs
    free = Expectation(model=WaitModel.FREE_AGENT, wait=s(3))
    pace.end(free, s(3), is_answered=True)
    pace.note(at(303), queued=1, agents=4)
    assert pace.history().costs == known


def test_answers_of_one_moment_share_the_time_before_it() -> None:
    pace = busy_pace(answers=5, every=30)
    for _ in range(5):
        pace.end(None, s(9), is_answered=True)
    pace.note(at(180), queued=0, agents=4)
    assert wait_of(pace) == s(18)


def test_nothing_is_learnt_in_a_gap_and_nothing_forgotten() -> None:
    pace = busy_pace(every=30)
    known = pace.history()
    pace.pause()
    pace.end(None, s(9), is_answered=True)
    pace.note(at(9000), queued=3, agents=4)
    assert pace.history() == known
    assert wait_of(pace) == s(30)


def test_a_stamp_from_before_the_last_one_costs_nothing() -> None:
    pace = busy_pace(every=30)
    pace.note(at(1), queued=2, agents=4)
    pace.end(None, s(9), is_answered=True)
    pace.note(at(330), queued=2, agents=4)
    assert wait_of(pace) == s(30)


def test_memory_is_bounded() -> None:
    pace = busy_pace(answers=10 * ANSWERS_MAX, left=10 * ANSWERS_MAX)
    free = pace.expect(place=1, agents=1, is_free=True)
    for _ in range(10 * PICK_UPS_MAX):
        pace.end(free, s(3), is_answered=True)
    history = pace.history()
    assert (len(history.costs), len(history.pick_ups)) == (ANSWERS_MAX, PICK_UPS_MAX)


def test_sums_are_those_of_what_is_kept() -> None:
    """After many answers of other costs: what was added is taken away again, to the microsecond."""
    pace = busy_pace(answers=100, every=17.123456)
    pace.note(at(1712.3456), queued=0, agents=4)
    pace.note(at(2000), queued=1, agents=3)
    for number in range(ANSWERS_MAX):
        pace.end(None, s(9), is_answered=True)
        pace.note(at(2000 + (number + 1) * 11), queued=1, agents=3)
    assert wait_of(pace, agents=3) == s(11)
    again = Pace(pace.history())
    again.note(at(3000), queued=0, agents=3)
    assert wait_of(again, agents=3) == s(11)


def test_who_asks_again_and_again_is_told_what_one_who_asks_once_is() -> None:
    """What was said is kept until something is noted or learnt, and no longer."""

    def told(pace: Pace) -> list[Expectation | None]:
        return [
            pace.expect(place=place, agents=agents, is_free=is_free)
            for place in (1, 3)
            for agents in (0, 2)
            for is_free in (True, False)
        ]

    asked, unasked = Pace(), Pace()
    for number in range(1, 3 * ANSWERS_MIN):
        for pace in (asked, unasked):
            pace.note(at(number * 700), queued=2, agents=number % 3)
        assert told(asked) == told(deepcopy(unasked))
        for expected in (Expectation(model=WaitModel.FREE_AGENT, wait=s(0)), None):
            for pace in (asked, unasked):
                pace.end(expected, s(number), is_answered=True)
            assert told(asked) == told(deepcopy(unasked))
    for pace in (asked, unasked):
        pace.pause()
    assert told(asked) == told(deepcopy(unasked))
    assert told(asked)[2] is not None


# Silence.


def test_without_agents_nobody_can_tell() -> None:
    assert busy_pace().expect(place=1, agents=0, is_free=False) is None


def test_too_few_answers_say_nothing() -> None:
    few, enough = busy_pace(answers=ANSWERS_MIN - 1), busy_pace(answers=ANSWERS_MIN)
    assert few.expect(place=1, agents=4, is_free=False) is None
    assert enough.expect(place=1, agents=4, is_free=False) is not None


# In the tracker.

TAUGHT = """
    0    snapshot  members=guides:anna:2
    1    joined    c0  guides
    2    joined    c1  guides
    3    joined    c2  guides
    4    joined    c3  guides
    5    joined    c4  guides
    21   left      c0  guides
    21   connected c0  guides  anna  leg=a0
    41   left      c1  guides
    41   connected c1  guides  anna  leg=a1
    61   left      c2  guides
    61   connected c2  guides  anna  leg=a2
    81   left      c3  guides
    81   connected c3  guides  anna  leg=a3
    101  left      c4  guides
    101  connected c4  guides  anna  leg=a4
"""
"""One agent, who talks 20 s with each."""


def play(tracker: Tracker, text: str) -> list[Effect]:
    return story.play(tracker, read(text))


def taught() -> Tracker:
    tracker = new_tracker()
    play(tracker, TAUGHT)
    return tracker


def counted(tracker: Tracker, text: str) -> list[CountEntry]:
    return [effect for effect in play(tracker, text) if isinstance(effect, CountEntry)]


def test_an_answer_tells_what_was_expected_at_the_join() -> None:
    (entry,) = counted(
        taught(),
        """
        110  joined     c5  guides
        135  left       c5  guides
        135  connected  c5  guides  anna  leg=a5
        """,
    )
    assert entry.entry_wait == s(25)
    assert entry.expected == Expectation(model=WaitModel.AGENT_TIME, wait=s(20))


def test_the_queue_shows_what_a_newcomer_can_expect() -> None:
    tracker = taught()
    play(tracker, "110 joined c5 guides")
    view = tracker.view(GUIDES)
    assert view is not None
    assert view.expected == Expectation(model=WaitModel.AGENT_TIME, wait=s(40))
    play(tracker, "111 lost")
    view = tracker.view(GUIDES)
    assert view is not None
    assert view.expected is None


def test_first_callers_are_told_nothing_and_have_no_error() -> None:
    entries = counted(new_tracker(), TAUGHT)
    assert [entry.expected for entry in entries] == [None] * 5


def test_a_free_agent_is_not_promised_twice() -> None:
    tracker = taught()
    entries = counted(
        tracker,
        """
        200  member     guides  anna  state=1
        201  joined     c5  guides
        202  joined     c6  guides
        205  left       c5  guides
        205  connected  c5  guides  anna  leg=a5
        225  left       c6  guides
        225  connected  c6  guides  anna  leg=a6
        """,
    )
    models = [entry.expected and entry.expected.model for entry in entries]
    assert models == [WaitModel.FREE_AGENT, WaitModel.AGENT_TIME]


def test_whoever_is_rung_for_leaves_the_next_free_agent_to_others() -> None:
    tracker = taught()
    entries = counted(
        tracker,
        """
        200  member     guides  anna  state=1
        200  member     guides  bo    state=1
        201  joined     c5  guides
        201  member     guides  anna  state=6
        201  rang       c5  guides  anna
        202  joined     c6  guides
        205  left       c6  guides
        205  connected  c6  guides  bo  leg=a6
        """,
    )
    assert [entry.expected and entry.expected.model for entry in entries] == [WaitModel.FREE_AGENT]


def test_a_moved_caller_stands_where_the_first_arrival_puts_them() -> None:
    tracker = taught()
    (moved, entry) = counted(
        tracker,
        """
        110  joined     c5  switchboard
        111  joined     c6  guides
        112  joined     c7  guides
        115  exited     c5  switchboard  WITHDRAW:relief
        115  joined     c5  guides
        140  left       c5  guides
        140  connected  c5  guides  anna  leg=a5
        """,
    )
    assert moved.disposition is Disposition.MOVED
    assert entry.expected == Expectation(model=WaitModel.AGENT_TIME, wait=s(20))


def test_a_consultation_is_neither_measured_nor_learnt_from() -> None:
    tracker = taught()
    play(
        tracker,
        """
        110  joined     k1  switchboard  linked=c4
        140  left       k1  switchboard
        140  connected  k1  switchboard  olle  leg=b1
        """,
    )
    (floor,) = [queue for queue in tracker.state().queues if queue.queue == "switchboard"]
    assert floor.pace == expected_wait.PaceHistory()


def test_callers_of_a_gap_have_no_error() -> None:
    tracker = taught()
    play(tracker, "110 lost")
    entries = counted(
        tracker,
        """
        150  snapshot   waiting=c5:guides:20  alive=c5  members=guides:anna:2
        160  left       c5  guides
        160  connected  c5  guides  anna  leg=a5
        """,
    )
    assert [entry.expected for entry in entries if entry.disposition is Disposition.ANSWERED] == [
        None
    ]


def test_a_doubled_answer_is_measured_once() -> None:
    tracker = taught()
    text = """
        110  joined     c5  guides
        135  connected  c5  guides  anna  leg=a5
        135  connected  c5  guides  anna  leg=a5
        """
    assert len(counted(tracker, text)) == 1


def test_what_was_learnt_survives_a_restart_and_the_gap() -> None:
    tracker, other = taught(), new_tracker()
    other.restore(tracker.state())
    play(other, "200 snapshot waiting= alive= members=guides:anna:2")
    view = other.view(GUIDES)
    assert view is not None
    assert view.expected == Expectation(model=WaitModel.AGENT_TIME, wait=s(20))


def test_members_are_counted_whatever_comes_twice_or_late() -> None:
    tracker = new_tracker()
    [event] = read("0 member guides anna state=1")
    tracker.apply(event)
    tracker.apply(event)
    tracker.apply(dataclasses.replace(event, is_paused=True))  # type: ignore[call-arg]
    view = tracker.view(GUIDES)
    assert view is not None
    assert (view.members_available, view.members_paused) == (0, 1)
