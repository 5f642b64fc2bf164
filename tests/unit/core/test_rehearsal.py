"""Queues that are only played: known results of queueing theory, and what Asterisk does."""

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random
from statistics import fmean

import pytest

from ivrd.core.day_cast import Agent, RehearsalDay, Shift, Visitor
from ivrd.core.effects import Disposition, DivertCallers, Effect, MoveCaller, RecordEntry
from ivrd.core.events import AgentRang, CallerJoined, Event
from ivrd.core.ids import CallId, Interface, QueueName
from ivrd.core.rehearsal import LOOK_EVERY, NoPolicy, Rehearsal, rehearse
from ivrd.core.tracker import Tracker
from ivrd.core.visits import Visit
from tests.unit.core.story import GUIDES, SWITCHBOARD, SYSTEM, at, floor_rules, overflow_rule

HOUR = 3600.0


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def visitor(
    name: str,
    arrives: float,
    *,
    queue: QueueName = SWITCHBOARD,
    patience: float | None = None,
    talk: float = 60,
    ring: float = 0,
    wrap_up: float = 0,
) -> Visitor:
    return Visitor(
        call_id=CallId(f"{SYSTEM}/{name}"),
        queue=queue,
        arrived_at=at(arrives),
        patience=None if patience is None else s(patience),
        ring=s(ring),
        talks={SWITCHBOARD: s(talk), GUIDES: s(talk)},
        wrap_up=s(wrap_up),
    )


def agent(name: str, *queues: QueueName, begins: float = 0, ends: float = 9 * HOUR) -> Agent:
    shift = Shift(begins_at=at(begins), ends_at=at(ends))
    return Agent(
        interface=Interface(f"PJSIP/{name}"),
        queues=frozenset(queues or (SWITCHBOARD,)),
        shifts=(shift,),
    )


def day(visitors: Iterable[Visitor], agents: Iterable[Agent]) -> RehearsalDay:
    return RehearsalDay(
        system=SYSTEM,
        queues=(SWITCHBOARD, GUIDES),
        visitors=tuple(visitors),
        agents=tuple(agents),
    )


def by_name(rehearsal: Rehearsal) -> dict[str, Visit]:
    return {visit.call_id.removeprefix(f"{SYSTEM}/"): visit for visit in rehearsal.visits}


# Known results.

CALLS = 2500
WARM = 300


def crowd(seed: int, *, per_s: float, talk_s: float, patience_s: float | None) -> list[Visitor]:
    chance, now, found = Random(seed), 0.0, []
    for number in range(CALLS):
        now += chance.expovariate(per_s)
        found.append(
            visitor(
                f"c{number}",
                now,
                talk=chance.expovariate(1 / talk_s),
                patience=None if patience_s is None else chance.expovariate(1 / patience_s),
            )
        )
    return found


def erlang_c(load: float, agents: int) -> float:
    """Return the share who wait, of those whom nobody loses."""
    below = sum(load**k / math.factorial(k) for k in range(agents))
    above = load**agents / math.factorial(agents) * agents / (agents - load)
    return above / (below + above)


def erlang_a(*, per_s: float, talk_s: float, patience_s: float, agents: int) -> float:
    """Return the share who hang up, from the birth and death of callers in the system."""
    weights, weight = [1.0], 1.0
    for there in range(1, 400):
        ends = min(there, agents) / talk_s + max(0, there - agents) / patience_s
        weight *= per_s / ends
        weights.append(weight)
    whole = sum(weights)
    waiting = sum(max(0, n - agents) * weight for n, weight in enumerate(weights)) / whole
    return waiting / patience_s / per_s


def played(seeds: range, *, agents: int, **kind: float | None) -> list[Visit]:
    visits: list[Visit] = []
    staff = [agent(f"a{number}", ends=200 * HOUR) for number in range(agents)]
    for seed in seeds:
        callers = crowd(seed, **kind)  # type: ignore[arg-type]
        visits += rehearse(day(callers, staff), NoPolicy()).visits[WARM:]
    return visits


def test_callers_who_never_leave_wait_as_erlang_says() -> None:
    visits = played(range(14), agents=8, per_s=1 / 40, talk_s=240, patience_s=None)
    share = erlang_c(6.0, 8)
    assert fmean(visit.wait > s(0) for visit in visits) == pytest.approx(share, rel=0.07)
    expected_s = share / (8 / 240 - 1 / 40)
    # Whoever waits looks once a second, half a second after the agent is free.
    waited = fmean(visit.wait.total_seconds() for visit in visits)
    assert waited == pytest.approx(expected_s + share * 0.5, rel=0.12)


def test_impatient_callers_leave_as_erlang_a_says() -> None:
    visits = played(range(8), agents=8, per_s=1 / 26, talk_s=240, patience_s=300)
    expected = erlang_a(per_s=1 / 26, talk_s=240, patience_s=300, agents=8)
    assert expected > 0.1
    assert fmean(not visit.is_answered for visit in visits) == pytest.approx(expected, rel=0.06)


# What Asterisk does.


def test_nobody_there_so_everybody_leaves_or_stays() -> None:
    visits = by_name(rehearse(day([visitor("a", 0, patience=30), visitor("b", 1)], []), NoPolicy()))
    assert visits["a"].last.disposition is Disposition.ABANDONED
    assert visits["a"].wait == s(30)
    assert visits["b"].last.disposition is Disposition.UNKNOWN


def test_callers_are_answered_in_order_of_arrival() -> None:
    callers = [visitor(f"c{n}", n, talk=50) for n in range(6)]
    visits = rehearse(day(callers, [agent("a")]), NoPolicy()).visits
    answers = [visit.last.left_at for visit in visits]
    assert answers == sorted(answers)


def test_a_waiting_channel_looks_once_a_second() -> None:
    callers = [visitor("first", 0, talk=60.3), visitor("second", 10.5)]
    visits = by_name(rehearse(day(callers, [agent("a")]), NoPolicy()))
    assert visits["second"].last.left_at == at(60.5)


def test_an_agent_may_leave_before_the_caller_looks_for_whom_one_was_free() -> None:
    """As on Asterisk: with two agents free the second in line may be rung for first."""
    agents = [agent("a", begins=10), agent("b", begins=10, ends=10.7)]
    visits = by_name(rehearse(day([visitor("c1", 0.8), visitor("c2", 1.6)], agents), NoPolicy()))
    assert visits["c2"].last.left_at == at(10.6)
    assert visits["c1"].last.left_at == at(70.8), "at the look after c2's talk of a minute"
    for ends, c2 in [(10.9, 10.6), (10.5, 71.6)]:
        agents[1] = agent("b", begins=10, ends=ends)
        found = rehearse(day([visitor("c1", 0.8), visitor("c2", 1.6)], agents), NoPolicy())
        assert [visit.last.left_at for visit in found.visits] == [at(10.8), at(c2)]


def test_whoever_gives_up_while_it_rings_frees_the_agent_at_once() -> None:
    callers = [visitor("hasty", 0, patience=3, ring=8), visitor("next", 1, ring=2)]
    visits = by_name(rehearse(day(callers, [agent("a")]), NoPolicy()))
    assert visits["hasty"].last.disposition is Disposition.ABANDONED
    assert visits["next"].last.left_at == at(4 + 2)


def test_an_agent_who_goes_home_finishes_the_call() -> None:
    callers = [visitor("first", 0, talk=100), visitor("second", 5, patience=500)]
    visits = by_name(rehearse(day(callers, [agent("a", ends=50)]), NoPolicy()))
    assert visits["first"].last.talk == s(100)
    assert not visits["second"].is_answered


def test_an_agent_writes_before_the_next_call() -> None:
    callers = [visitor("first", 0, talk=10, wrap_up=20), visitor("second", 1)]
    visits = by_name(rehearse(day(callers, [agent("a")]), NoPolicy()))
    assert visits["second"].last.left_at == at(31)


class Mover:
    """Asks for one move, when somebody has come."""

    def __init__(self, name: str, when: str) -> None:
        self._call_id, self._when = CallId(f"{SYSTEM}/{name}"), CallId(f"{SYSTEM}/{when}")

    def apply(self, event: Event, /) -> tuple[Effect, ...]:
        if not isinstance(event, CallerJoined) or event.call_id != self._when:
            return ()
        return (
            MoveCaller(
                at=event.at,
                system=SYSTEM,
                call_id=self._call_id,
                channel="PJSIP/x",
                from_queue=SWITCHBOARD,
                to_queue=GUIDES,
                reason="relief",
                not_after=event.at,
            ),
        )

    def next_deadline(self) -> None:
        return None


def test_a_move_takes_up_to_a_second_and_keeps_the_place_of_the_first_arrival() -> None:
    callers = [
        visitor("busy", 0, queue=GUIDES, talk=50),
        visitor("moved", 1.25),
        visitor("late", 20, queue=GUIDES),
    ]
    rehearsal = rehearse(day(callers, [agent("g", GUIDES)]), Mover("moved", "late"))
    visits = by_name(rehearsal)
    moved = visits["moved"]
    assert rehearsal.moves_asked == 1
    assert [stay.disposition for stay in moved.stays] == [Disposition.MOVED, Disposition.ANSWERED]
    assert moved.stays[0].left_at == at(20.25)
    assert moved.stays[0].left_at - at(20) <= LOOK_EVERY
    assert moved.last.left_at < visits["late"].last.left_at
    assert moved.wait == moved.last.left_at - at(1.25)


def test_nobody_is_moved_while_an_agent_rings() -> None:
    callers = [visitor("rung", 0, ring=10), visitor("late", 2, queue=GUIDES)]
    staff = [agent("a"), agent("g", GUIDES, begins=1)]
    visits = by_name(rehearse(day(callers, staff), Mover("rung", "late")))
    assert [stay.queue for stay in visits["rung"].stays] == [SWITCHBOARD]


def test_whoever_gives_up_before_the_move_is_not_moved() -> None:
    callers = [visitor("gone", 0.5, patience=2.9), visitor("late", 3, queue=GUIDES)]
    visits = by_name(rehearse(day(callers, []), Mover("gone", "late")))
    assert visits["gone"].last.disposition is Disposition.ABANDONED
    assert len(visits["gone"].stays) == 1


class Doorkeeper:
    """Sends everybody on from the first ringing on."""

    def apply(self, event: Event, /) -> tuple[Effect, ...]:
        if not isinstance(event, AgentRang):
            return ()
        divert = DivertCallers(
            at=event.at, system=SYSTEM, queue=SWITCHBOARD, to_queue=GUIDES, reason="relief"
        )
        return (divert,)

    def next_deadline(self) -> None:
        return None


def test_a_diverted_caller_never_stands_in_the_first_queue() -> None:
    callers = [visitor("let_in", 0), visitor("sent_on", 5)]
    staff = [agent("a"), agent("g", GUIDES)]
    visits = by_name(rehearse(day(callers, staff), Doorkeeper()))
    assert visits["let_in"].diverted_from is None
    assert visits["sent_on"].diverted_from == SWITCHBOARD
    assert [stay.queue for stay in visits["sent_on"].stays] == [GUIDES]
    assert visits["sent_on"].came_to == SWITCHBOARD


# By the daemon's own tracker.


class Noting(Tracker):
    """A tracker whose records are kept."""

    records: list[RecordEntry]

    def apply(self, event: Event) -> tuple[Effect, ...]:
        effects = super().apply(event)
        self.records += [effect for effect in effects if isinstance(effect, RecordEntry)]
        return effects


def a_busy_day() -> RehearsalDay:
    callers = crowd(3, per_s=1 / 20, talk_s=180, patience_s=240)[:600]
    return day(callers, [agent("a"), agent("b"), *(agent(f"g{n}", GUIDES) for n in range(6))])


def test_the_tracker_sees_the_day_as_it_was_played() -> None:
    tracker = Noting(system=SYSTEM, rules=floor_rules(overflow_rule(4, 2)))
    tracker.records = []
    visits = rehearse(a_busy_day(), tracker).visits
    told = {
        (record.call_id, record.number): (record.queue, record.disposition, record.entry_wait)
        for record in tracker.records
    }
    stays = {
        (visit.call_id, number): (stay.queue, stay.disposition, stay.left_at - stay.joined_at)
        for visit in visits
        for number, stay in enumerate(visit.stays, start=1)
    }
    assert sum(disposition is Disposition.MOVED for _, disposition, _ in stays.values()) > 50
    # The last to end has nobody after it, upon whose event it would be told.
    missing = stays.keys() - told.keys()
    assert len(missing) <= 1
    assert {key: stays[key] for key in told} == told


def test_the_same_day_comes_to_the_same_twice() -> None:
    def run() -> Sequence[Visit]:
        rules = floor_rules(overflow_rule(4, 2))
        return rehearse(a_busy_day(), Tracker(system=SYSTEM, rules=rules)).visits

    assert run() == run()
