"""Any line: the oldest movable go first, nobody too often, and planning twice changes nothing."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.ids import CallId
from ivrd.core.line import Candidate, Line
from ivrd.core.overflow import Plan, plan
from tests.unit.core.story import at, cid, overflow_rule

candidates = st.builds(
    Candidate,
    call_id=st.integers(0, 99).map(lambda n: CallId(cid(f"c{n}"))),
    first_joined_at=st.integers(0, 1000).map(at),
    is_offered=st.booleans(),
    is_moving=st.booleans(),
    moves_asked=st.integers(0, 3),
)
queues = st.lists(candidates, max_size=12, unique_by=lambda c: c.call_id)
rules = st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(1, 3)).map(
    lambda n: overflow_rule(start=n[0] + n[1], stop=n[0], moves_per_call=n[2])
)
limits = settings(deadline=None, print_blob=True, max_examples=200)


@limits
@given(rule=rules, line=queues, was_active=st.booleans(), has_agents=st.booleans())
def test_a_plan_moves_the_oldest_who_may_go_and_no_more_than_needed(
    rule, line: list[Candidate], was_active: bool, has_agents: bool
) -> None:
    planned = plan(rule, was_active=was_active, line=Line(line), has_target_agents=has_agents)
    staying = [caller for caller in line if not caller.is_moving]
    by_id = {caller.call_id: caller for caller in line}
    moved = [by_id[call_id] for call_id in planned.moves]
    assert all(not caller.is_offered and not caller.is_moving for caller in moved)
    assert all(caller.moves_asked < rule.moves_per_call for caller in moved)
    assert moved == sorted(moved, key=lambda caller: caller.first_joined_at)
    assert not moved or has_agents
    assert not moved or len(staying) - len(moved) >= rule.stop_waiting
    left_behind = [
        caller
        for caller in staying
        if caller not in moved
        and not caller.is_offered
        and caller.moves_asked < rule.moves_per_call
    ]
    assert all(m.first_joined_at <= s.first_joined_at for m in moved for s in left_behind)


@limits
@given(rule=rules, line=queues, was_active=st.booleans(), has_agents=st.booleans())
def test_a_rule_begins_at_its_start_and_holds_until_its_stop(
    rule, line: list[Candidate], was_active: bool, has_agents: bool
) -> None:
    planned = plan(rule, was_active=was_active, line=Line(line), has_target_agents=has_agents)
    waiting = sum(not caller.is_moving for caller in line)
    if waiting <= rule.stop_waiting or (waiting < rule.start_waiting and not was_active):
        assert not planned.is_active
        assert not planned.moves
    else:
        assert planned.is_active == (waiting - len(planned.moves) > rule.stop_waiting)


@limits
@given(rule=rules, line=queues, was_active=st.booleans(), has_agents=st.booleans())
def test_planning_again_without_news_changes_nothing(
    rule, line: list[Candidate], was_active: bool, has_agents: bool
) -> None:
    first = plan(rule, was_active=was_active, line=Line(line), has_target_agents=has_agents)
    asked = [
        replace(caller, is_moving=True, moves_asked=caller.moves_asked + 1)
        if caller.call_id in first.moves
        else caller
        for caller in line
    ]
    again = plan(rule, was_active=first.is_active, line=Line(asked), has_target_agents=has_agents)
    assert again.moves == ()
    assert again.is_active == first.is_active


@limits
@given(
    rule=rules,
    steps=st.lists(st.tuples(candidates, st.booleans()), max_size=40),
    has_agents=st.booleans(),
)
def test_a_line_that_changed_plans_like_one_counted_anew(
    rule, steps: list[tuple[Candidate, bool]], has_agents: bool
) -> None:
    line = Line()
    callers: dict[CallId, Candidate] = {}
    for step, is_leaving in steps:
        caller = replace(step, call_id=CallId(f"{step.call_id}"[:-1]))
        if is_leaving:
            line.remove(caller.call_id)
            callers.pop(caller.call_id, None)
        else:
            line.put(caller)
            callers[caller.call_id] = caller
    assert set(line) == set(callers)
    assert len(line) == len(callers)
    arrivals = [caller.first_joined_at for caller in callers.values()]
    assert line.oldest_arrival_at == min(arrivals, default=None)
    planned = plan(rule, was_active=False, line=line, has_target_agents=has_agents)
    assert planned == _counted_anew(rule, list(callers.values()), has_agents)


def _counted_anew(rule, line: list[Candidate], has_agents: bool) -> Plan:
    """Return the plan by looking at everybody."""
    staying = [caller for caller in line if not caller.is_moving]
    if len(staying) < rule.start_waiting:
        return Plan(is_active=False)
    movable = [c for c in staying if not c.is_offered and c.moves_asked < rule.moves_per_call]
    movable.sort(key=lambda caller: (caller.first_joined_at, caller.call_id))
    moves = movable[: len(staying) - rule.stop_waiting] if has_agents else []
    return Plan(
        is_active=len(staying) - len(moves) > rule.stop_waiting,
        moves=tuple(caller.call_id for caller in moves),
    )
