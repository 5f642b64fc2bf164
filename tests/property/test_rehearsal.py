"""Any day, by any rule of number: everybody comes, waits and ends once."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ivrd.core.day_cast import Agent, RehearsalDay, Shift, Visitor
from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, Interface
from ivrd.core.rehearsal import Rehearsal, rehearse
from ivrd.core.tracker import Tracker
from ivrd.core.visits import Visit
from tests.unit.core.story import GUIDES, SWITCHBOARD, SYSTEM, at, floor_rules, overflow_rule

QUEUES = (SWITCHBOARD, GUIDES)

durations = st.integers(min_value=0, max_value=90_000).map(lambda ms: timedelta(milliseconds=ms))


@st.composite
def visitors(draw: st.DrawFn) -> tuple[Visitor, ...]:
    count = draw(st.integers(min_value=1, max_value=25))
    return tuple(
        Visitor(
            call_id=CallId(f"{SYSTEM}/c{number}"),
            queue=draw(st.sampled_from(QUEUES)),
            arrived_at=at(0) + draw(durations) * 3,
            patience=draw(st.none() | durations),
            ring=draw(durations) / 10,
            talks=dict.fromkeys(QUEUES, draw(durations)),
            wrap_up=draw(durations) / 5,
        )
        for number in range(count)
    )


@st.composite
def agents(draw: st.DrawFn) -> tuple[Agent, ...]:
    found = []
    for number in range(draw(st.integers(min_value=0, max_value=4))):
        begins_at = at(0) + draw(durations)
        queues = draw(st.sets(st.sampled_from(QUEUES), min_size=1))
        shift = Shift(begins_at=begins_at, ends_at=begins_at + draw(durations) * 5)
        found.append(
            Agent(
                interface=Interface(f"PJSIP/a{number}"), queues=frozenset(queues), shifts=(shift,)
            )
        )
    return tuple(found)


days = st.builds(
    RehearsalDay,
    system=st.just(SYSTEM),
    queues=st.just(QUEUES),
    visitors=visitors(),
    agents=agents(),
)


def played(day: RehearsalDay, start: int) -> Rehearsal:
    rules = floor_rules(overflow_rule(start, start - 1))
    return rehearse(day, Tracker(system=SYSTEM, rules=rules))


@settings(max_examples=120, deadline=None)
@given(day=days, start=st.integers(min_value=1, max_value=5))
def test_every_arrival_ends_once(day: RehearsalDay, start: int) -> None:
    visits = played(day, start).visits
    assert sorted(visit.call_id for visit in visits) == sorted(v.call_id for v in day.visitors)
    by_id = {visitor.call_id: visitor for visitor in day.visitors}
    for visit in visits:
        visitor = by_id[visit.call_id]
        assert visit.first.joined_at == visitor.arrived_at
        assert all(stay.disposition is Disposition.MOVED for stay in visit.stays[:-1])
        assert visit.last.disposition is not Disposition.MOVED
        assert len(visit.stays) <= 2, "a caller is moved once"
        for stay, following in pairwise(visit.stays):
            assert following.joined_at == stay.left_at
        if visit.last.disposition is Disposition.ABANDONED:
            assert visit.wait == visitor.patience
        elif visit.is_answered:
            assert visitor.patience is None or visit.wait <= visitor.patience


@settings(max_examples=120, deadline=None)
@given(day=days, start=st.integers(min_value=1, max_value=5))
def test_an_agent_has_one_call_at_a_time_in_own_queues_and_time(
    day: RehearsalDay, start: int
) -> None:
    busy: defaultdict[Interface, list[tuple[datetime, datetime]]] = defaultdict(list)
    by_name = {agent.interface: agent for agent in day.agents}
    by_id = {visitor.call_id: visitor for visitor in day.visitors}
    for visit in played(day, start).visits:
        last = visit.last
        if last.interface is None:
            continue
        assert last.talk is not None
        visitor, agent = by_id[visit.call_id], by_name[last.interface]
        rung_at = last.left_at - visitor.ring
        assert last.queue in agent.queues
        assert agent.shifts[0].begins_at <= rung_at <= agent.shifts[0].ends_at
        busy[last.interface].append((rung_at, last.left_at + last.talk + visitor.wrap_up))
    for spans in busy.values():
        spans.sort()
        assert all(one[1] <= two[0] for one, two in pairwise(spans))


def _rung_at(visit: Visit) -> datetime:
    """Return when the phone rang that was answered."""
    assert visit.last.ring is not None
    return visit.last.left_at - visit.last.ring


def _one_agent_leaves(leaves_s: float) -> RehearsalDay:
    """Return a day on which two agents come at 10 s, c2's channel looks at 10.6 and c1's at 10.8.

    If one leaves between, c2 has seen an agent for each of them, and c1 must wait: by chance found.
    """
    staying = Agent(
        interface=Interface("PJSIP/a0"),
        queues=frozenset({SWITCHBOARD}),
        shifts=(Shift(begins_at=at(10), ends_at=at(100)),),
    )
    leaving = replace(
        staying,
        interface=Interface("PJSIP/a1"),
        shifts=(Shift(begins_at=at(10), ends_at=at(leaves_s)),),
    )
    caller = Visitor(
        call_id=CallId(f"{SYSTEM}/c1"),
        queue=SWITCHBOARD,
        arrived_at=at(0.8),
        patience=None,
        ring=timedelta(0),
        talks=dict.fromkeys(QUEUES, timedelta(seconds=30)),
        wrap_up=timedelta(0),
    )
    later = replace(caller, call_id=CallId(f"{SYSTEM}/c2"), arrived_at=at(1.6))
    return RehearsalDay(
        system=SYSTEM, queues=QUEUES, visitors=(caller, later), agents=(staying, leaving)
    )


@settings(max_examples=120, deadline=None)
@given(day=days, start=st.integers(min_value=1, max_value=5))
@example(day=_one_agent_leaves(10.7), start=5)
@example(day=_one_agent_leaves(10.5), start=5)
def test_nobody_is_rung_for_while_an_earlier_caller_has_no_agent(
    day: RehearsalDay, start: int
) -> None:
    """Whoever is rung for before an earlier caller leaves a free agent for each of these.

    Moved callers too: their place is that of their first arrival. That each of these gets that
    agent cannot be said, because somebody of another queue may, or the agent leaves; see below.
    """
    visits = [visit for visit in played(day, start).visits if visit.is_answered]
    wrap_ups = {visitor.call_id: visitor.wrap_up for visitor in day.visitors}
    busy: defaultdict[Interface, list[tuple[datetime, datetime]]] = defaultdict(list)
    for visit in visits:
        last = visit.last
        assert last.interface is not None
        assert last.talk is not None
        until = last.left_at + last.talk + wrap_ups[visit.call_id]
        busy[last.interface].append((_rung_at(visit), until))
    for visit in visits:
        moment, queue = _rung_at(visit), visit.last.queue
        ahead = [
            other
            for other in visits
            if other.last.queue == queue
            and (other.first.joined_at, other.call_id) < (visit.first.joined_at, visit.call_id)
            and other.last.joined_at < moment < _rung_at(other)
        ]
        free = [
            agent
            for agent in day.agents
            if queue in agent.queues
            and any(shift.begins_at <= moment <= shift.ends_at for shift in agent.shifts)
            and not any(begins < moment < ends for begins, ends in busy[agent.interface])
        ]
        assert len(ahead) < len(free), "the agent who is rung is one of these"


@settings(max_examples=120, deadline=None)
@given(day=days, start=st.integers(min_value=1, max_value=5))
def test_agents_who_stay_at_one_queue_ring_its_callers_in_order_of_arrival(
    day: RehearsalDay, start: int
) -> None:
    """Into the switchboard nobody is moved: an earlier caller's agent can be taken by none.

    But for the second in which a waiting channel looks: who comes just then is looked at at once.
    """
    second = timedelta(seconds=1)
    staying = tuple(
        replace(
            agent,
            queues=frozenset({max(agent.queues)}),
            shifts=(replace(agent.shifts[0], ends_at=at(86_400)),),
        )
        for agent in day.agents
    )
    rung = [
        (visit.first.joined_at, _rung_at(visit))
        for visit in played(replace(day, agents=staying), start).visits
        if visit.is_answered and visit.last.queue == SWITCHBOARD
    ]
    for joined_at, rung_at in rung:
        for other_joined_at, other_rung_at in rung:
            assert other_joined_at >= joined_at or other_rung_at <= rung_at + second
