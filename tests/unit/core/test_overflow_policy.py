"""The overflow policy alone: when a rule is in force, whom it moves, and where to."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from ivrd.core.hours import Opening, OpeningState, Reason, Rule
from ivrd.core.ids import LineName, QueueName
from ivrd.core.overflow import decide
from ivrd.core.overflow_conditions import Held
from ivrd.core.overflow_rules import Figure, First, Level, Needs, RuleMode, TargetGuard
from ivrd.core.overflow_state import DecisionKind, Order, OverflowState, RuleState
from tests.unit.core.lines import (
    NOW,
    caller,
    condition,
    is_active,
    look,
    moved,
    moves,
    plan,
    seconds,
)
from tests.unit.core.story import GUIDES, SWITCHBOARD, at, cid, overflow_rule

VA = QueueName("va")
RULE = overflow_rule(start=3, stop=1)
LINE = [caller("c3", 3), caller("c1", 1), caller("c2", 2)]
ACTIVE = OverflowState(rules={"relief": RuleState(is_active=True, changed_at=at(0))})


def one(figure: Figure, start: Level, stop: Level):
    """Return a rule with one condition."""
    return replace(RULE, conditions=(condition(figure, start, stop),), leave_waiting=0)


# Whom, and in which order.


def test_rule_begins_at_its_start_and_moves_the_longest_waiting_down_to_its_stop() -> None:
    planned = plan(look(SWITCHBOARD, LINE), rules=[RULE])
    assert moved(planned) == ["c1", "c2"]
    assert [(change.rule, change.is_active) for change in planned.changes] == [("relief", True)]


def test_equal_arrivals_move_in_the_same_order_however_they_are_listed() -> None:
    line = [caller("c1", 1), caller("c2", 1), caller("c3", 1)]
    plans = [plan(look(SWITCHBOARD, listed), rules=[RULE]) for listed in (line, line[::-1])]
    assert moved(plans[0]) == moved(plans[1]) == ["c1", "c2"]


def test_rule_does_not_begin_below_its_start() -> None:
    planned = plan(look(SWITCHBOARD, LINE[:2]), rules=[RULE])
    assert (moved(planned), is_active(planned), planned.changes) == ([], False, ())


def test_rule_in_force_goes_on_until_its_stop_and_then_ends() -> None:
    planned = plan(look(SWITCHBOARD, LINE[:2]), rules=[RULE], state=ACTIVE)
    assert moved(planned) == ["c1"]
    planned = plan(look(SWITCHBOARD, LINE[:1]), rules=[RULE], state=ACTIVE)
    assert (moved(planned), is_active(planned)) == ([], False)


def test_rule_is_in_force_until_its_moves_have_come_to_an_end() -> None:
    leaving = [caller("c1", 1, moving=True), caller("c2", 2, moving=True), caller("c3", 3)]
    planned = plan(look(SWITCHBOARD, leaving), rules=[RULE], state=ACTIVE)
    assert (moved(planned), is_active(planned)) == ([], True)


def test_rule_stays_in_force_while_it_may_move_nobody() -> None:
    line = [caller("c1", 1, offered=True), caller("c2", 2, asked=1), caller("c3", 3, offered=True)]
    planned = plan(look(SWITCHBOARD, line), rules=[RULE])
    assert (moved(planned), is_active(planned)) == ([], True)


def test_who_is_offered_or_has_moved_enough_is_passed_over() -> None:
    line = [caller("c1", 1, offered=True), caller("c2", 2, asked=1), *LINE[:1], caller("c4", 4)]
    assert moved(plan(look(SWITCHBOARD, line), rules=[RULE])) == ["c3", "c4"]


def test_the_shortest_wait_may_move_first() -> None:
    rule = replace(RULE, first=First.SHORTEST_WAIT)
    assert moved(plan(look(SWITCHBOARD, LINE), rules=[rule])) == ["c3", "c2"]


def test_so_many_are_left_and_so_many_are_on_the_way_at_once() -> None:
    assert moved(plan(look(SWITCHBOARD, LINE), rules=[replace(RULE, leave_waiting=2)])) == ["c1"]
    rule = replace(RULE, moves_at_once=1)
    assert moved(plan(look(SWITCHBOARD, LINE), rules=[rule])) == ["c1"]
    leaving = [caller("c0", 0, moving=True), *LINE]
    assert moved(plan(look(SWITCHBOARD, leaving), rules=[rule], state=ACTIVE)) == []


def test_several_queues_are_one_line() -> None:
    rule = replace(overflow_rule(start=4, stop=1), from_queues=(SWITCHBOARD, VA))
    planned = plan(
        look(SWITCHBOARD, [caller("c1", 1), caller("c4", 4)]),
        look(VA, [caller("c2", 2), caller("c3", 3)]),
        rules=[rule],
    )
    assert moves(planned) == ["c1 switchboard guides", "c2 va guides", "c3 va guides"]
    assert [decision.source.waiting for decision in planned.decisions] == [4, 3, 2]
    assert [decision.target.incoming for decision in planned.decisions] == [0, 1, 2]


def test_who_is_taken_by_one_rule_is_gone_for_the_next() -> None:
    first = replace(overflow_rule(start=2, stop=1, name="first"), to_queues=(VA,))
    second = overflow_rule(start=1, stop=0, name="second")
    planned = plan(look(SWITCHBOARD, LINE[:2]), look(VA), rules=[first, second])
    assert moves(planned) == ["c1 switchboard va", "c3 switchboard guides"]
    planned = plan(look(SWITCHBOARD, LINE[:2]), look(VA), rules=[second, first])
    assert moves(planned) == ["c1 switchboard guides", "c3 switchboard guides"]


# Conditions.

CONDITIONS = [
    # figure, start, stop, figures, begins, goes on
    (Figure.WAITING, 3, 1, {}, True, True),
    (Figure.WAITING, 4, 2, {}, False, True),
    (Figure.WAITING, 4, 3, {}, False, False),
    (Figure.LONGEST_WAIT, seconds(99), seconds(10), {}, True, True),
    (Figure.LONGEST_WAIT, seconds(100), seconds(98), {}, False, True),
    (Figure.LONGEST_WAIT, seconds(120), seconds(99), {}, False, False),
    (Figure.WAITING_PER_FREE_AGENT, Fraction(3, 2), 1, {"free_agents": 2}, True, True),
    (Figure.WAITING_PER_FREE_AGENT, 2, 1, {"free_agents": 2}, False, True),
    (Figure.WAITING_PER_FREE_AGENT, 3, 1, {"free_agents": 0}, True, True),
    (Figure.FREE_AGENTS, 0, 1, {"free_agents": 0}, True, True),
    (Figure.FREE_AGENTS, 0, 2, {"free_agents": 1}, False, True),
    (Figure.FREE_AGENTS, 0, 2, {"free_agents": 2}, False, False),
    (Figure.SERVING_AGENTS, 1, 2, {"serving_agents": 1}, True, True),
    (Figure.SERVING_AGENTS, 1, 2, {"serving_agents": 2}, False, False),
    (Figure.EXPECTED_WAIT, seconds(60), seconds(30), {"expected_wait": seconds(60)}, True, True),
    (Figure.EXPECTED_WAIT, seconds(60), seconds(30), {"expected_wait": seconds(59)}, False, True),
    (Figure.EXPECTED_WAIT, seconds(60), seconds(30), {"expected_wait": None}, False, False),
    (Figure.SERVICE_LEVEL, Fraction(7, 10), Fraction(8, 10), (7, 10), True, True),
    (Figure.SERVICE_LEVEL, Fraction(7, 10), Fraction(8, 10), (3, 4), False, True),
    (Figure.SERVICE_LEVEL, Fraction(7, 10), Fraction(8, 10), (8, 10), False, False),
    (Figure.SERVICE_LEVEL, Fraction(7, 10), Fraction(8, 10), (0, 0), False, False),
    (Figure.CLOSES_IN, seconds(900), seconds(901), {"closes_at": at(1000)}, True, True),
    (Figure.CLOSES_IN, seconds(900), seconds(901), {"closes_at": at(1001)}, False, False),
    (Figure.CLOSES_IN, seconds(900), seconds(901), {"is_open": False}, True, True),
    (Figure.CLOSES_IN, seconds(900), seconds(901), {}, False, False),
]


@pytest.mark.parametrize(("figure", "start", "stop", "more", "begins", "goes_on"), CONDITIONS)
def test_a_condition_begins_at_its_start_and_goes_on_until_its_stop(
    figure: Figure, start: Level, stop: Level, more: object, begins: bool, goes_on: bool
) -> None:
    if isinstance(more, tuple):
        more = {"in_time_today": more[0], "counted_today": more[1]}
    assert isinstance(more, dict)
    rule = one(figure, start, stop)
    there = look(SWITCHBOARD, LINE, **more)
    assert is_active(plan(there, rules=[rule])) == begins
    assert is_active(plan(there, rules=[rule], state=ACTIVE)) == goes_on


def test_each_move_is_judged_as_if_those_before_had_landed() -> None:
    rule = one(Figure.LONGEST_WAIT, seconds(99), seconds(97))
    assert moved(plan(look(SWITCHBOARD, LINE), rules=[rule])) == ["c1", "c2"]
    rule = one(Figure.EXPECTED_WAIT, seconds(60), seconds(40))
    there = look(SWITCHBOARD, LINE, expected_wait=seconds(80))
    assert moved(plan(there, rules=[rule])) == ["c1", "c2"], "80, 60, and then 40 s"


def test_any_or_all_conditions_are_needed() -> None:
    two = (
        condition(Figure.WAITING, 3, 1),
        condition(Figure.FREE_AGENTS, 0, 1),
    )
    for needs, free, begins in [
        (Needs.ANY, 5, True),
        (Needs.ALL, 5, False),
        (Needs.ALL, 0, True),
    ]:
        rule = replace(RULE, conditions=two, needs=needs)
        assert is_active(plan(look(SWITCHBOARD, LINE, free_agents=free), rules=[rule])) == begins


def test_a_rule_without_conditions_begins_only_by_hand() -> None:
    rule = replace(RULE, conditions=())
    assert not is_active(plan(look(SWITCHBOARD, LINE), rules=[rule]))
    forced = OverflowState(orders={"relief": Order(is_forced=True)})
    planned = plan(look(SWITCHBOARD, LINE), rules=[rule], state=forced)
    assert moved(planned) == ["c1", "c2"]
    assert planned.decisions[0].is_by_hand
    assert planned.changes[0].is_by_hand


# Time.


def test_conditions_must_have_held_for_a_while() -> None:
    rule = replace(RULE, start_after=seconds(10))
    first = plan(look(SWITCHBOARD, LINE), rules=[rule])
    assert (is_active(first), first.look_again) == (False, {"relief": at(110)})
    early = plan(look(SWITCHBOARD, LINE, when=at(109)), rules=[rule], state=first.state)
    assert not is_active(early)
    assert is_active(plan(look(SWITCHBOARD, LINE, when=at(110)), rules=[rule], state=early.state))
    eased = plan(look(SWITCHBOARD, when=at(109)), rules=[rule], state=first.state)
    again = plan(look(SWITCHBOARD, LINE, when=at(110)), rules=[rule], state=eased.state)
    assert not is_active(again), "they held anew since 110"


def test_a_rule_neither_ends_nor_begins_again_within_its_dwell() -> None:
    rule = replace(RULE, dwell=seconds(30))
    begun = plan(look(SWITCHBOARD, LINE), rules=[rule])
    eased = plan(look(SWITCHBOARD, when=at(129)), rules=[rule], state=begun.state)
    assert (is_active(eased), eased.look_again) == (True, {"relief": at(130)})
    ended = plan(look(SWITCHBOARD, when=at(130)), rules=[rule], state=eased.state)
    assert not is_active(ended)
    held = plan(look(SWITCHBOARD, LINE, when=at(159)), rules=[rule], state=ended.state)
    assert (is_active(held), held.look_again) == (False, {"relief": at(160)})
    assert is_active(plan(look(SWITCHBOARD, LINE, when=at(160)), rules=[rule], state=held.state))


def test_a_wait_that_grows_and_a_closing_that_nears_are_looked_at_in_time() -> None:
    rule = one(Figure.LONGEST_WAIT, seconds(120), seconds(60))
    assert plan(look(SWITCHBOARD, LINE), rules=[rule]).look_again == {"relief": at(121)}
    assert plan(look(SWITCHBOARD), rules=[rule]).look_again == {}, "nobody waits"
    rule = one(Figure.CLOSES_IN, seconds(900), seconds(901))
    there = look(SWITCHBOARD, LINE, closes_at=at(2000), changes_at=at(2000))
    assert plan(there, rules=[rule]).look_again == {"relief": at(1100)}


def test_a_rule_may_go_by_other_hours_than_its_queues() -> None:
    rule = one(Figure.CLOSES_IN, seconds(900), seconds(901))
    opening = Opening(
        state=OpeningState.OPEN, reason=Reason(rule=Rule.WEEK), until=at(700), closes_at=at(700)
    )
    looks = {SWITCHBOARD: look(SWITCHBOARD, LINE), GUIDES: look(GUIDES)}
    planned = decide(looks, OverflowState(), [rule], NOW, openings={"relief": opening})
    assert planned.decisions[0].held == (
        Held(figure=Figure.CLOSES_IN, level=seconds(600), limit=seconds(901)),
    )


# Where to.

BUSY = TargetGuard(serving_min=2, free_min=1, waiting_max=2, expected_wait_max=seconds(60))
FIT = {"serving_agents": 2, "free_agents": 1, "waiting": 1, "expected_wait": seconds(60)}


@pytest.mark.parametrize(
    ("more", "count"),
    [
        (FIT, 1),
        ({**FIT, "waiting": 0}, 2),
        ({**FIT, "waiting": 2}, 0),
        ({**FIT, "incoming": 1}, 0),
        ({**FIT, "serving_agents": 1}, 0),
        ({**FIT, "free_agents": 0}, 0),
        ({**FIT, "expected_wait": seconds(61)}, 0),
        ({**FIT, "expected_wait": None}, 1),
        ({**FIT, "is_open": False}, 0),
    ],
)
def test_a_guarded_queue_takes_so_many(more: dict[str, object], count: int) -> None:
    rule = replace(RULE, guard=BUSY)
    planned = plan(look(SWITCHBOARD, LINE), look(GUIDES, **more), rules=[rule])
    assert len(planned.decisions) == count
    assert is_active(planned)


@pytest.mark.parametrize("more", [{"serving_agents": 0}, {"is_open": False}])
def test_nobody_is_moved_to_a_queue_that_cannot_answer(more: dict[str, object]) -> None:
    forced = OverflowState(orders={"relief": Order(is_forced=True)})
    planned = plan(look(SWITCHBOARD, LINE), look(GUIDES, **more), rules=[RULE], state=forced)
    assert (moved(planned), is_active(planned)) == ([], True)


def test_a_queue_that_refused_a_caller_rests() -> None:
    state = OverflowState(resting={GUIDES: at(101)})
    planned = plan(look(SWITCHBOARD, LINE), rules=[RULE], state=state)
    assert (moved(planned), planned.look_again) == ([], {"relief": at(101)})
    there = look(SWITCHBOARD, LINE, when=at(101))
    assert moved(plan(there, rules=[RULE], state=state)) == ["c1", "c2"]


def test_the_first_queue_that_takes_a_caller_is_the_one() -> None:
    rule = replace(RULE, to_queues=(VA, GUIDES), guard=TargetGuard(waiting_max=1))
    planned = plan(look(SWITCHBOARD, LINE), look(VA), rules=[rule])
    assert moves(planned) == ["c1 switchboard va", "c2 switchboard guides"]


def test_nobody_goes_back_to_where_a_move_took_them_from() -> None:
    rule = replace(RULE, moves_per_call=5)
    line = [caller("c1", 1, asked=1, moved_from=(GUIDES,)), *LINE[:1], *LINE[2:]]
    assert moved(plan(look(SWITCHBOARD, line), rules=[rule])) == ["c2", "c3"]


def test_the_wait_there_may_be_longer_by_so_much() -> None:
    here = look(SWITCHBOARD, LINE, waits={1: 10, 2: 20, 3: 30})
    there = look(GUIDES, waits={1: 10, 2: 26, 3: 35})
    for longer, expected in [(0, ["c1"]), (5, ["c1", "c3"]), (6, ["c1", "c2"])]:
        rule = replace(RULE, guard=TargetGuard(longer_wait_max=seconds(longer)))
        assert moved(plan(here, there, rules=[rule])) == expected
    rule = replace(RULE, guard=TargetGuard(longer_wait_max=seconds(0)))
    assert moved(plan(look(SWITCHBOARD, LINE), there, rules=[rule])) == ["c1", "c2"], "not known"


def test_urgent_callers_never_move_backward() -> None:
    urgent = [replace(one, line=LineName("acute")) for one in LINE]
    rule = replace(RULE, urgent_lines=frozenset({LineName("acute")}))
    ahead = [caller("g1", 1.5), caller("g2", 2.5)]
    planned = plan(look(SWITCHBOARD, urgent), look(GUIDES, ahead), rules=[rule])
    assert moved(planned) == ["c1"], "c2 and c3 would stand behind g1, and c1 who is on the way"
    assert moved(plan(look(SWITCHBOARD, LINE), look(GUIDES, ahead), rules=[rule])) == ["c1", "c2"]
    slower = look(GUIDES, waits={1: 11})
    planned = plan(look(SWITCHBOARD, urgent, waits={1: 10}), slower, rules=[rule])
    assert "c1" not in moved(planned)


# By hand.


def test_a_supervisors_word_goes_before_the_configuration() -> None:
    off = OverflowState(rules=ACTIVE.rules, orders={"relief": Order(mode=RuleMode.OFF)})
    planned = plan(look(SWITCHBOARD, LINE), rules=[replace(RULE, dwell=seconds(999))], state=off)
    assert (moved(planned), is_active(planned)) == ([], False)
    assert planned.changes[0].is_by_hand
    on = OverflowState(orders={"relief": Order(mode=RuleMode.ON)})
    rule = replace(RULE, mode=RuleMode.OFF)
    assert moved(plan(look(SWITCHBOARD, LINE), rules=[rule])) == []
    assert moved(plan(look(SWITCHBOARD, LINE), rules=[rule], state=on)) == ["c1", "c2"]


# Home.

HOME = replace(RULE, returns_home=True)
GUESTS = [caller("c1", 1, asked=1, moved_from=(SWITCHBOARD,)), caller("c2", 2)]


def test_who_was_moved_goes_home_to_an_agent_who_is_free() -> None:
    planned = plan(look(SWITCHBOARD, free_agents=1), look(GUIDES, GUESTS), rules=[HOME])
    assert moves(planned) == ["c1 guides switchboard"]
    assert planned.decisions[0].kind is DecisionKind.HOME


def test_only_one_goes_home_for_each_free_agent() -> None:
    guests = [replace(GUESTS[0], call_id=cid(f"c{n}")) for n in (1, 2, 3)]
    planned = plan(look(SWITCHBOARD, free_agents=2), look(GUIDES, guests), rules=[HOME])
    assert moved(planned) == ["c1", "c2"]


def test_who_was_moved_goes_home_when_the_wait_is_clearly_shorter_there() -> None:
    guides = look(GUIDES, GUESTS, waits={1: 60})
    for wait, expected in [(49, ["c1"]), (51, [])]:
        assert moved(plan(look(SWITCHBOARD, waits={1: wait}), guides, rules=[HOME])) == expected


@pytest.mark.parametrize(
    ("guest", "home", "guides", "state"),
    [
        ({"is_offered": True}, {}, {}, None),
        ({"moves_asked": 2}, {}, {}, None),
        ({"moved_by": "other"}, {}, {}, None),
        ({}, {"is_open": False}, {}, None),
        ({}, {"serving_agents": 0}, {}, None),
        ({}, {"free_agents": 0}, {}, None),
        ({}, {"waiting": 2}, {}, None),
        ({}, {}, {"free_agents": 1}, None),
        ({}, {}, {}, OverflowState(orders={"relief": Order(is_forced=True)})),
        ({}, {}, {}, OverflowState(orders={"relief": Order(mode=RuleMode.OFF)})),
    ],
)
def test_nobody_goes_home_otherwise(
    guest: dict[str, object],
    home: dict[str, object],
    guides: dict[str, object],
    state: OverflowState | None,
) -> None:
    line = [replace(GUESTS[0], **guest)]  # type: ignore[arg-type]
    free = {"free_agents": 1, **home}
    planned = plan(
        look(SWITCHBOARD, **free), look(GUIDES, line, **guides), rules=[HOME], state=state
    )
    assert moved(planned) == []


def test_the_way_home_waits_for_the_dwell() -> None:
    rule = replace(HOME, dwell=seconds(30))
    ended = OverflowState(rules={"relief": RuleState(changed_at=at(80))})
    looks = (look(SWITCHBOARD, free_agents=1), look(GUIDES, GUESTS))
    planned = plan(*looks, rules=[rule], state=ended)
    assert (moved(planned), planned.look_again) == ([], {"relief": at(110)})


# At the door.

DOOR = replace(RULE, diverts_at_entry=True)


def test_callers_at_the_door_go_on_while_the_rule_is_in_force() -> None:
    assert plan(look(SWITCHBOARD, LINE), rules=[DOOR]).state.rules["relief"].diverts_to == GUIDES
    assert plan(look(SWITCHBOARD), rules=[DOOR]).state.rules["relief"].diverts_to is None


@pytest.mark.parametrize(
    ("rule", "guides", "resting"),
    [
        (replace(DOOR, mode=RuleMode.DRY_RUN), {}, {}),
        (DOOR, {"serving_agents": 0}, {}),
        (DOOR, {"is_open": False}, {}),
        (DOOR, {}, {GUIDES: at(101)}),
        (
            replace(DOOR, guard=TargetGuard(longer_wait_max=timedelta(0))),
            {"expected_wait": seconds(99)},
            {},
        ),
    ],
)
def test_callers_at_the_door_are_let_in_otherwise(
    rule, guides: dict[str, object], resting: dict[QueueName, object]
) -> None:
    there = look(SWITCHBOARD, LINE, expected_wait=seconds(60))
    state = OverflowState(resting=resting)  # type: ignore[arg-type]
    planned = plan(there, look(GUIDES, **guides), rules=[rule], state=state)
    assert planned.state.rules["relief"].diverts_to is None


def test_a_rule_may_only_divert() -> None:
    rule = replace(DOOR, moves_waiting=False)
    planned = plan(look(SWITCHBOARD, LINE), rules=[rule])
    assert (moved(planned), planned.state.rules["relief"].diverts_to) == ([], GUIDES)


# Explained.


def test_each_decision_carries_the_figures_it_rests_on() -> None:
    here = look(SWITCHBOARD, LINE, waits={1: 40})
    [decision, _] = plan(here, look(GUIDES, waits={1: 10}), rules=[RULE]).decisions
    assert decision.held == (Held(figure=Figure.WAITING, level=3, limit=1),)
    assert (decision.source.waiting, decision.source.longest_wait) == (3, seconds(99))
    assert decision.caller.wait == seconds(99)
    assert (decision.caller.place_here, decision.caller.place_there) == (1, 1)
    assert decision.caller.expected_here == seconds(40)
    assert decision.caller.expected_there == seconds(10)
