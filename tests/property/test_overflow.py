"""Any line, any rule, any day: the overflow policy's invariants, as its module states them."""

import itertools
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.ids import CallId, QueueName
from ivrd.core.line import Candidate, Line
from ivrd.core.overflow import decide
from ivrd.core.overflow_figures import QueueFigures, QueueLook
from ivrd.core.overflow_rules import Figure, First, Needs, OverflowRule, RuleMode, TargetGuard
from ivrd.core.overflow_state import Decision, DecisionKind, OverflowState, Plan, RuleState
from tests.unit.core.lines import condition, look, seconds
from tests.unit.core.story import GUIDES, SWITCHBOARD, at, cid

VA = QueueName("va")
QUEUES = (SWITCHBOARD, VA, GUIDES)

WEEK = timedelta(days=7)

limits = settings(deadline=None, print_blob=True, max_examples=100)


@st.composite
def candidates(draw: st.DrawFn, number: int) -> Candidate:
    is_moving = draw(st.booleans())
    moved_from = draw(st.sampled_from([(), (), (SWITCHBOARD,), (VA,), (GUIDES,)]))
    return Candidate(
        call_id=CallId(cid(f"c{number}")),
        first_joined_at=at(draw(st.integers(0, 20))),
        is_offered=draw(st.booleans()),
        is_moving=is_moving,
        moves_asked=draw(st.integers(0, 2)),
        moving_by=draw(st.sampled_from(["r0", "r1"])) if is_moving else "",
        moving_to=GUIDES if is_moving else None,
        moved_from=moved_from,
        moved_by="r0" if moved_from else "",
    )


@st.composite
def floors(draw: st.DrawFn) -> dict[QueueName, QueueLook]:
    """Draw three queues; each caller waits in one of them."""
    looks = {}
    number = 0
    for queue in QUEUES:
        callers = []
        for _ in range(draw(st.integers(0, 6))):
            callers.append(draw(candidates(number)))
            number += 1
        waits = draw(st.dictionaries(st.integers(0, 20), st.integers(0, 200), max_size=10))
        looks[queue] = look(
            queue,
            callers,
            waits=waits,
            free_agents=draw(st.integers(0, 2)),
            serving_agents=draw(st.integers(0, 2)),
            is_open=draw(st.integers(0, 4)) > 0,
            expected_wait=draw(st.none() | st.integers(0, 200).map(seconds)),
        )
    return looks


@st.composite
def rules(draw: st.DrawFn, name: str) -> OverflowRule:
    to_queue = draw(st.sampled_from(QUEUES))
    others = [queue for queue in QUEUES if queue != to_queue]
    stop = draw(st.integers(0, 3))
    conditions = [condition(Figure.WAITING, stop + draw(st.integers(1, 3)), stop)]
    if draw(st.booleans()):
        conditions.append(condition(Figure.LONGEST_WAIT, seconds(95), seconds(85)))
    if draw(st.booleans()):
        conditions.append(condition(Figure.FREE_AGENTS, 0, 2))
    if draw(st.booleans()):
        conditions.append(condition(Figure.EXPECTED_WAIT, seconds(60), seconds(20)))
    return OverflowRule(
        name=name,
        from_queues=tuple(draw(st.lists(st.sampled_from(others), min_size=1, unique=True))),
        to_queues=(to_queue,),
        conditions=tuple(conditions),
        needs=draw(st.sampled_from(Needs)),
        mode=draw(st.sampled_from([RuleMode.ON, RuleMode.ON, RuleMode.DRY_RUN])),
        dwell=seconds(draw(st.sampled_from([0, 0, 7]))),
        start_after=seconds(draw(st.sampled_from([0, 0, 3]))),
        leave_waiting=draw(st.integers(0, 2)),
        moves_at_once=draw(st.none() | st.integers(1, 3)),
        first=draw(st.sampled_from(First)),
        moves_per_call=draw(st.integers(1, 3)),
        guard=TargetGuard(
            waiting_max=draw(st.none() | st.integers(1, 5)),
            longer_wait_max=draw(st.none() | st.integers(0, 50).map(seconds)),
        ),
        returns_home=draw(st.booleans()),
        diverts_at_entry=draw(st.booleans()),
    )


rule_lists = st.tuples(rules("r0"), rules("r1")).map(list)
states = st.builds(
    lambda active: OverflowState(
        rules={name: RuleState(is_active=True, changed_at=at(0)) for name in active}
    ),
    st.sets(st.sampled_from(["r0", "r1"])),
)


def by_id(looks: dict[QueueName, QueueLook]) -> dict[CallId, tuple[QueueName, Candidate]]:
    found = {}
    for queue, one in looks.items():
        for call_id in one.line:
            caller = one.line.get(call_id)
            assert caller is not None
            found[call_id] = (queue, caller)
    return found


def landed(
    looks: dict[QueueName, QueueLook], decisions: list[Decision]
) -> dict[QueueName, QueueLook]:
    """Return the queues when these moves, and no others, have come to their end."""
    callers = by_id(looks)
    for decision in decisions:
        queue, caller = callers[decision.call_id]
        there = replace(
            caller,
            moves_asked=caller.moves_asked + 1,
            moved_from=(*caller.moved_from, queue),
            moved_by=decision.rule,
        )
        callers[decision.call_id] = decision.to_queue, there
    return _with_callers(looks, callers, {queue: one.figures for queue, one in looks.items()})


def carried_out(
    looks: dict[QueueName, QueueLook], decisions: list[Decision]
) -> dict[QueueName, QueueLook]:
    """Return the queues when these moves are asked for; dry runs change nothing."""
    callers = by_id(looks)
    figures = {queue: one.figures for queue, one in looks.items()}
    for decision in decisions:
        if decision.is_dry_run:
            continue
        queue, caller = callers[decision.call_id]
        staying = sum(not one.is_moving for where, one in callers.values() if where == queue)
        if (estimate := figures[queue].expected_wait) is not None:
            estimate = estimate * staying / (staying + 1)
            figures[queue] = replace(figures[queue], expected_wait=estimate)
        there = figures[decision.to_queue]
        figures[decision.to_queue] = replace(there, incoming=there.incoming + 1)
        asked = replace(
            caller,
            is_moving=True,
            moving_by=decision.rule,
            moving_to=decision.to_queue,
            moves_asked=caller.moves_asked + 1,
        )
        callers[decision.call_id] = (queue, asked)
    return _with_callers(looks, callers, figures)


def _with_callers(
    looks: dict[QueueName, QueueLook],
    callers: dict[CallId, tuple[QueueName, Candidate]],
    figures: dict[QueueName, QueueFigures],
) -> dict[QueueName, QueueLook]:
    return {
        queue: replace(
            look(
                queue,
                [caller for where, caller in callers.values() if where == queue],
                incoming=figures[queue].incoming,
                expected_wait=figures[queue].expected_wait,
                free_agents=one.figures.free_agents,
                serving_agents=one.figures.serving_agents,
                is_open=one.figures.is_open,
            ),
            expect=one.expect,
        )
        for queue, one in looks.items()
    }


@limits
@given(looks=floors(), rules=rule_lists, state=states)
def test_whom_a_plan_moves(looks, rules: list[OverflowRule], state: OverflowState) -> None:
    planned = decide(looks, state, rules, at(100))
    known = {rule.name: rule for rule in rules}
    callers = by_id(looks)
    really = [one.call_id for one in planned.decisions if not one.is_dry_run]
    assert len(really) == len(set(really)), "at most one open move per caller"
    for decision in planned.decisions:
        rule = known[decision.rule]
        queue, caller = callers[decision.call_id]
        assert queue == decision.from_queue != decision.to_queue
        assert not caller.is_offered
        assert not caller.is_moving
        assert looks[decision.to_queue].figures.serving_agents > 0
        assert looks[decision.to_queue].figures.is_open
        if decision.kind is DecisionKind.HOME:
            assert caller.moves_asked <= rule.moves_per_call
            assert decision.to_queue == caller.moved_from[-1]
            assert caller.moved_by == rule.name
            continue
        assert caller.moves_asked < rule.moves_per_call
        assert decision.to_queue not in caller.moved_from, "no ping-pong"
        assert decision.source.waiting > rule.leave_waiting
        here, there = decision.caller.expected_here, decision.caller.expected_there
        longest = rule.guard.longer_wait_max
        assert longest is None or here is None or there is None or there <= here + longest
    for rule in rules:
        _check_order(rule, looks, planned)


def _check_order(rule: OverflowRule, looks: dict[QueueName, QueueLook], planned: Plan) -> None:
    """See that callers leave in order, and that nobody is passed over whom the queue would take."""
    callers = by_id(looks)
    away = [
        callers[one.call_id][1].first_joined_at
        for one in planned.decisions
        if one.rule == rule.name and one.kind is DecisionKind.AWAY
    ]
    assert away == sorted(away, reverse=rule.first is First.SHORTEST_WAIT)
    if rule.guard != TargetGuard() or not away:
        return
    decided = {one.call_id for one in planned.decisions}
    left_behind = [
        caller.first_joined_at
        for queue, caller in callers.values()
        if queue in rule.from_queues
        and caller.call_id not in decided
        and not (caller.is_moving or caller.is_offered)
        and caller.moves_asked < rule.moves_per_call
        and not set(rule.to_queues) & set(caller.moved_from)
    ]
    if rule.first is First.LONGEST_WAIT:
        assert all(went <= stays for went in away for stays in left_behind)
    else:
        assert all(went >= stays for went in away for stays in left_behind)


@limits
@given(looks=floors(), rules=rule_lists, state=states)
def test_planning_again_without_news_changes_nothing(
    looks, rules: list[OverflowRule], state: OverflowState
) -> None:
    first = decide(looks, state, rules, at(100))
    again = decide(carried_out(looks, list(first.decisions)), first.state, rules, at(100))
    assert again.decisions == ()
    assert again.changes == ()


@limits
@given(looks=floors(), rule=rules("r0"), home=st.integers(0, 1))
def test_those_who_go_home_do_not_make_their_rule_begin(
    looks, rule: OverflowRule, home: int
) -> None:
    """Else it would move others in their stead: a second look would take the moves back."""
    rule = replace(rule, mode=RuleMode.ON, returns_home=True)
    rule = replace(rule, start_after=seconds(0), moves_per_call=3)
    from_queue = rule.from_queues[home % len(rule.from_queues)]
    for queue in rule.to_queues:
        guests = [
            replace(caller, moved_from=(from_queue,), moved_by="r0", is_offered=False)
            for where, caller in by_id(looks).values()
            if where == queue
        ]
        looks[queue] = replace(looks[queue], line=Line(guests), expect=lambda *_: WEEK)
    figures = replace(looks[from_queue].figures, is_open=True, serving_agents=2)
    looks[from_queue] = replace(looks[from_queue], figures=figures, expect=lambda *_: timedelta(0))
    planned = decide(looks, OverflowState(), [rule], at(100))
    if planned.state.rules["r0"].is_active:
        assert all(one.kind is DecisionKind.AWAY for one in planned.decisions)
        return
    again = decide(landed(looks, list(planned.decisions)), planned.state, [rule], at(100))
    assert not again.state.rules["r0"].is_active


@limits
@given(looks=floors(), rule=rules("r0"), state=states, cut=st.integers(0, 6))
def test_a_plan_that_is_interrupted_goes_on_where_it_was(
    looks, rule: OverflowRule, state: OverflowState, cut: int
) -> None:
    rule = replace(rule, mode=RuleMode.ON)
    whole = decide(looks, state, [rule], at(100))
    done = list(whole.decisions[:cut])
    rest = decide(carried_out(looks, done), whole.state, [rule], at(100))
    assert [(one.call_id, one.to_queue) for one in (*done, *rest.decisions)] == [
        (one.call_id, one.to_queue) for one in whole.decisions
    ]


@limits
@given(looks=floors(), rules=rule_lists, state=states, limit=st.integers(1, 3))
def test_a_plan_in_parts_settles_and_moves_nobody_twice(
    looks, rules: list[OverflowRule], state: OverflowState, limit: int
) -> None:
    """And for one rule it is the plan that is made at once."""
    parts: dict[bool, list[Decision]] = {True: [], False: []}
    for is_alone in parts:
        some = rules[:1] if is_alone else rules
        here, then = looks, state
        for _ in range(30):
            part = decide(here, then, some, at(100), decisions_max=limit)
            assert len(part.decisions) <= limit
            parts[is_alone] += part.decisions
            here, then = carried_out(here, list(part.decisions)), part.state
            if not part.is_cut:
                break
        again = decide(here, then, some, at(100))
        assert (again.decisions, again.changes) == ((), ())
        really = [one.call_id for one in parts[is_alone] if not one.is_dry_run]
        assert len(really) == len(set(really))
    whole = decide(looks, state, rules[:1], at(100))
    assert [(one.call_id, one.to_queue) for one in parts[True]] == [
        (one.call_id, one.to_queue) for one in whole.decisions
    ]


@limits
@given(looks=floors(), rule=rules("r0"), state=states)
def test_a_dry_run_moves_nothing_and_decides_what_the_rule_would(
    looks, rule: OverflowRule, state: OverflowState
) -> None:
    really = decide(looks, state, [replace(rule, mode=RuleMode.ON)], at(100))
    dry = decide(looks, state, [replace(rule, mode=RuleMode.DRY_RUN)], at(100))
    assert all(one.is_dry_run for one in dry.decisions)
    assert dry.state.rules["r0"].diverts_to is None
    assert [(one.call_id, one.to_queue) for one in dry.decisions] == [
        (one.call_id, one.to_queue) for one in really.decisions if one.kind is DecisionKind.AWAY
    ]
    again = decide(looks, dry.state, [replace(rule, mode=RuleMode.DRY_RUN)], at(101))
    assert not {one.call_id for one in dry.decisions} & {one.call_id for one in again.decisions}


@dataclass
class Day:
    """Three queues in which callers come, are moved, and leave."""

    rules: list[OverflowRule]
    state: OverflowState = field(default_factory=OverflowState)
    callers: dict[CallId, tuple[QueueName, Candidate]] = field(default_factory=dict)
    paths: dict[CallId, list[QueueName]] = field(default_factory=dict)
    asked: dict[CallId, int] = field(default_factory=dict)
    homes: dict[CallId, int] = field(default_factory=dict)
    changed: dict[str, list[int]] = field(default_factory=dict)
    free: dict[QueueName, int] = field(default_factory=dict)
    now_s: int = 0

    def plan(self) -> None:
        looks = {
            queue: look(
                queue,
                [caller for where, caller in self.callers.values() if where == queue],
                when=at(self.now_s),
                free_agents=self.free.get(queue, 0),
                serving_agents=2,
            )
            for queue in QUEUES
        }
        planned = decide(looks, self.state, self.rules, at(self.now_s))
        self.state = planned.state
        for change in planned.changes:
            self.changed.setdefault(change.rule, []).append(self.now_s)
        for decision in planned.decisions:
            queue, caller = self.callers[decision.call_id]
            assert not caller.is_moving, "at most one open move per caller"
            asked = self.asked.get(decision.call_id, 0) + 1
            self.asked[decision.call_id] = asked
            if decision.kind is DecisionKind.HOME:
                self.homes[decision.call_id] = self.homes.get(decision.call_id, 0) + 1
            self.callers[decision.call_id] = (
                queue,
                replace(
                    caller,
                    is_moving=True,
                    moving_by=decision.rule,
                    moving_to=decision.to_queue,
                    moves_asked=asked,
                ),
            )

    def land(self, call_id: CallId, *, is_refused: bool) -> None:
        queue, caller = self.callers[call_id]
        if not caller.is_moving:
            return
        still = replace(caller, is_moving=False, moving_by="", moving_to=None)
        if is_refused:
            self.callers[call_id] = queue, still
            return
        assert caller.moving_to is not None
        self.paths[call_id].append(caller.moving_to)
        self.callers[call_id] = (
            caller.moving_to,
            replace(still, moved_from=(*caller.moved_from, queue), moved_by=caller.moving_by),
        )


steps = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "leave", "land", "refuse", "free", "pass"]),
        st.integers(0, 30),
        st.sampled_from(QUEUES),
        st.integers(0, 4),
    ),
    max_size=40,
)


@limits
@given(rules=rule_lists, steps=steps)
def test_a_day_of_moves_has_no_ping_pong_and_no_flapping(
    rules: list[OverflowRule], steps: list[tuple[str, int, QueueName, int]]
) -> None:
    rules = [replace(rule, mode=RuleMode.ON, moves_per_call=2) for rule in rules]
    day = Day(rules=rules)
    for kind, number, queue, pause in steps:
        day.now_s += pause
        call_id = CallId(cid(f"c{number}"))
        if kind == "come" and call_id not in day.paths:
            caller = Candidate(
                call_id=call_id,
                first_joined_at=at(day.now_s),
                is_offered=False,
                is_moving=False,
                moves_asked=0,
            )
            day.callers[call_id] = queue, caller
            day.paths[call_id] = [queue]
        elif kind == "leave":
            day.callers.pop(call_id, None)
        elif kind in ("land", "refuse") and call_id in day.callers:
            day.land(call_id, is_refused=kind == "refuse")
        elif kind == "free":
            day.free[queue] = pause
        day.plan()
    for call_id, path in day.paths.items():
        assert day.asked.get(call_id, 0) <= 3, "two moves, and one way home"
        assert day.homes.get(call_id, 0) <= 2
        backward = sum(queue in path[:number] for number, queue in enumerate(path))
        assert backward <= day.homes.get(call_id, 0), f"{path} goes back where it was"
    for rule in rules:
        moments = day.changed.get(rule.name, [])
        for before, after in itertools.pairwise(moments):
            assert timedelta(seconds=after - before) >= rule.dwell


@limits
@given(
    steps=st.lists(st.tuples(st.integers(0, 9).flatmap(candidates), st.booleans()), max_size=40),
    limit=st.integers(1, 3),
)
def test_a_line_that_changed_is_like_one_counted_anew(
    steps: list[tuple[Candidate, bool]], limit: int
) -> None:
    line = Line()
    callers: dict[CallId, Candidate] = {}
    for caller, is_leaving in steps:
        if is_leaving:
            line.remove(caller.call_id)
            callers.pop(caller.call_id, None)
        else:
            line.put(caller)
            callers[caller.call_id] = caller
    ordered = sorted(callers.values(), key=lambda one: (one.first_joined_at, one.call_id))
    assert set(line) == set(callers)
    assert line.oldest_arrival_at == min((one.first_joined_at for one in ordered), default=None)
    assert list(line.staying_in_order()) == [one for one in ordered if not one.is_moving]
    free = [one for one in ordered if not (one.is_moving or one.is_offered)]
    assert list(line.movable(limit)) == [one for one in free if one.moves_asked < limit]
    assert list(line.movable(limit, is_reversed=True)) == [
        one for one in reversed(free) if one.moves_asked < limit
    ]
    assert list(line.guests("r0")) == [one for one in free if one.moved_by == "r0"]
    assert line.has_guests("r0") == any(one.moved_by == "r0" for one in free)
    for rule in ("r0", "r1"):
        assert line.moving_by(rule) == sum(one.moving_by == rule for one in ordered)
    assert line.moving_to(GUIDES) == sum(one.is_moving for one in ordered)
