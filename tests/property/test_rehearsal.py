"""Any day, by any rule of number: everybody comes, waits and ends once."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.day_cast import Agent, RehearsalDay, Shift, Visitor
from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, Interface
from ivrd.core.rehearsal import Rehearsal, rehearse
from ivrd.core.tracker import Tracker
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


@settings(max_examples=60, deadline=None)
@given(day=days, start=st.integers(min_value=1, max_value=5))
def test_the_rungs_of_a_queue_come_in_order_of_arrival_unless_it_is_moved_into(
    day: RehearsalDay, start: int
) -> None:
    """Among callers of one queue who were never moved, nobody is rung for before an earlier one.

    But for the second in which a waiting channel looks: who comes just then is looked at at once.
    """
    second = timedelta(seconds=1)
    rung = [
        (visit.first.joined_at, visit.last.left_at - (visit.last.ring or timedelta(0)), visit)
        for visit in played(day, start).visits
        if visit.is_answered and len(visit.stays) == 1
    ]
    for joined_at, rung_at, visit in rung:
        for other_joined_at, other_rung_at, other in rung:
            if other.last.queue == visit.last.queue and other_joined_at < joined_at:
                assert other_rung_at <= rung_at + second
