"""A plan is whole: another look without news changes nothing. So it is in dry runs and homeward."""

from dataclasses import replace

from ivrd.core.ids import QueueName
from ivrd.core.overflow import decide
from ivrd.core.overflow_rules import Figure, Needs, RuleMode, TargetGuard
from ivrd.core.overflow_state import OverflowState, RuleState, Shadow
from tests.unit.core.lines import caller, condition, is_active, look, moved, moves, plan, seconds
from tests.unit.core.story import GUIDES, SWITCHBOARD, at, cid, overflow_rule

RULE = overflow_rule(start=3, stop=1)
LINE = [caller("c3", 3), caller("c1", 1), caller("c2", 2)]
HOME = replace(RULE, returns_home=True)
GUESTS = [caller("c1", 1, asked=1, moved_from=(SWITCHBOARD,)), caller("c2", 2)]
VA = QueueName("va")


def test_a_rule_whose_load_another_takes_at_the_same_look_has_not_begun() -> None:
    """Found by chance: it was told as begun, diverted, and ended at the next event of any kind."""
    idle = replace(
        overflow_rule(start=1, stop=0, name="idle"), leave_waiting=3, diverts_at_entry=True
    )
    taker = overflow_rule(start=1, stop=0, name="taker")
    planned = plan(look(SWITCHBOARD, LINE), rules=[idle, taker])
    assert moved(planned) == ["c1", "c2", "c3"]
    assert [(one.rule, one.is_active) for one in planned.changes] == [("taker", True)]
    assert planned.state.rules["idle"] == RuleState()
    active = OverflowState(rules={"idle": RuleState(is_active=True, changed_at=at(0))})
    planned = plan(look(SWITCHBOARD, LINE), rules=[idle, taker], state=active)
    assert [(one.rule, one.is_active) for one in planned.changes] == [
        ("idle", False),
        ("taker", True),
    ]
    resting = replace(idle, dwell=seconds(9))
    planned = plan(look(SWITCHBOARD, LINE), rules=[resting, taker])
    assert planned.state.rules["idle"].is_active, "within its dwell it does not end"


def test_a_queue_that_the_next_rule_relieves_takes_callers_at_once() -> None:
    first = replace(RULE, to_queues=(VA,), guard=TargetGuard(waiting_max=1))
    second = replace(overflow_rule(1, 0, from_queue=VA, name="second"))
    planned = plan(look(SWITCHBOARD, LINE), look(VA, [caller("v1", 9)]), rules=[first, second])
    assert moves(planned) == ["v1 va guides", "c1 switchboard va"]


def test_a_plan_that_is_cut_leaves_the_rest_to_its_rule_not_to_those_behind_it() -> None:
    first = replace(overflow_rule(start=1, stop=0, name="first"), to_queues=(VA,))
    second = overflow_rule(start=1, stop=0, name="second")
    looks = {queue: look(queue) for queue in (VA, GUIDES)}
    looks[SWITCHBOARD] = look(SWITCHBOARD, LINE)
    planned = decide(looks, OverflowState(), [first, second], at(100), decisions_max=2)
    assert (moves(planned), planned.is_cut) == (["c1 switchboard va", "c2 switchboard va"], True)
    assert [one.rule for one in planned.changes] == ["first"]
    assert "second" not in planned.state.rules


def test_a_dry_run_decides_each_caller_once_and_as_if_they_went() -> None:
    rule = replace(RULE, mode=RuleMode.DRY_RUN)
    first = plan(look(SWITCHBOARD, LINE), rules=[rule])
    assert moved(first) == ["c1", "c2"]
    assert all(decision.is_dry_run for decision in first.decisions)
    soon = plan(look(SWITCHBOARD, LINE), rules=[rule], state=first.state)
    assert (moved(soon), is_active(soon)) == ([], True), "as if c1 and c2 were on their way"
    assert soon.look_again == {"relief": at(101)}
    again = plan(look(SWITCHBOARD, LINE, when=at(101)), rules=[rule], state=soon.state)
    assert (moved(again), is_active(again)) == ([], False), "as if c1 and c2 had gone"
    more = [*LINE, caller("c4", 4), caller("c5", 5)]
    here = look(SWITCHBOARD, more, when=at(102))
    assert moved(plan(here, rules=[rule], state=again.state)) == ["c3", "c4"]
    fewer = [caller("c3", 3), caller("c6", 6), caller("c7", 7)]
    here = look(SWITCHBOARD, fewer, when=at(102))
    planned = plan(here, rules=[rule], state=again.state)
    assert set(planned.state.rules["relief"].decided) == {cid("c3"), cid("c6")}, (
        "c1 and c2 have left"
    )


def test_a_dry_run_moves_no_more_at_once_than_the_rule_would() -> None:
    rule = replace(RULE, mode=RuleMode.DRY_RUN, moves_at_once=1)
    first = plan(look(SWITCHBOARD, LINE), rules=[rule])
    soon = plan(look(SWITCHBOARD, LINE), rules=[rule], state=first.state)
    then = plan(look(SWITCHBOARD, LINE, when=at(101)), rules=[rule], state=soon.state)
    assert [moved(one) for one in (first, soon, then)] == [["c1"], [], ["c2"]]


def test_a_dry_run_fills_a_guarded_queue_as_the_rule_would() -> None:
    rule = replace(RULE, mode=RuleMode.DRY_RUN, guard=TargetGuard(waiting_max=1))
    first = plan(look(SWITCHBOARD, LINE), rules=[rule])
    later = plan(look(SWITCHBOARD, LINE, when=at(900)), rules=[rule], state=first.state)
    assert [moved(one) for one in (first, later)] == [["c1"], []], "c1 would stand there yet"
    there = look(GUIDES, waits={1: 30})
    first = plan(look(SWITCHBOARD, LINE), there, rules=[rule])
    assert first.look_again == {"relief": at(101)}
    for when, expected in [(129, []), (130, ["c2"])]:
        here = look(SWITCHBOARD, LINE, when=at(when))
        assert moved(plan(here, there, rules=[rule], state=first.state)) == expected


def test_a_dry_run_counts_nobody_twice_whom_another_rule_takes() -> None:
    dry = replace(overflow_rule(start=4, stop=0, name="dry"), mode=RuleMode.DRY_RUN)
    shadow = Shadow(to_queue=GUIDES, lands_at=at(50), answered_at=at(50))
    state = OverflowState(
        rules={"dry": RuleState(is_active=True, changed_at=at(0), decided={cid("c1"): shadow})}
    )
    planned = plan(look(SWITCHBOARD, LINE), rules=[RULE, dry], state=state)
    assert moved(planned) == ["c1", "c2", "c3"], "two by the rule, and who is left by the dry run"
    assert planned.decisions[-1].source.waiting == 1


def test_a_dry_run_takes_nobody_from_another_rule() -> None:
    dry = replace(overflow_rule(start=3, stop=1, name="dry"), mode=RuleMode.DRY_RUN)
    planned = plan(look(SWITCHBOARD, LINE), rules=[dry, RULE])
    assert [(one.rule, one.is_dry_run) for one in planned.decisions] == [
        ("dry", True),
        ("dry", True),
        ("relief", False),
        ("relief", False),
    ]
    assert moved(planned) == ["c1", "c2", "c1", "c2"]


def test_those_who_go_home_do_not_make_the_rule_begin_together() -> None:
    """Found by reading: each alone was looked at, and all went home to a load that began it."""
    guests = [replace(GUESTS[0], call_id=cid(f"c{n}")) for n in (1, 2, 3)]
    faster = look(SWITCHBOARD, waits={1: 10})
    planned = plan(faster, look(GUIDES, guests, waits={1: 60}), rules=[HOME])
    assert moved(planned) == ["c1"], "it stops at one: two would keep it, and three begin it"
    planned = plan(
        look(SWITCHBOARD, waits={1: 10}, incoming=1),
        look(GUIDES, guests, waits={1: 60}),
        rules=[HOME],
    )
    assert moved(planned) == [], "somebody is on the way already"
    both = replace(
        HOME,
        conditions=(
            condition(Figure.WAITING, 2, 0),
            condition(Figure.LONGEST_WAIT, seconds(95), seconds(90)),
        ),
        needs=Needs.ALL,
    )
    guests[1] = replace(guests[1], first_joined_at=at(50))
    guests[2] = replace(guests[2], first_joined_at=at(51))
    guides = look(GUIDES, guests, waits={1: 60, 50: 60, 51: 60})
    planned = plan(look(SWITCHBOARD, waits={1: 0, 50: 0, 51: 0}), guides, rules=[both])
    assert moved(planned) == ["c2", "c3"], "c1 has waited long enough to keep it"
    free = look(SWITCHBOARD, free_agents=9)
    assert moved(plan(free, guides, rules=[both])) == ["c1"], "with c1 there, c2 would begin it"
    planned = plan(free, look(GUIDES, guests), rules=[HOME])
    assert moved(planned) == ["c1", "c2"], "three would begin it, though agents are free"
