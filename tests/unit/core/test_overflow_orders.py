"""What people say of overflow: rules switched, and one caller moved, as events of a tracker."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from ivrd.core.effects import (
    Effect,
    MoveCaller,
    MoveEnd,
    RecordMove,
    TellDecision,
    TellNotMoved,
    TellRuleChange,
)
from ivrd.core.events import OrderGiven
from ivrd.core.ids import CallId, QueueName
from ivrd.core.overflow_rules import RuleMode
from ivrd.core.overflow_state import HandMove, Order, RuleOrders
from ivrd.core.rule_orders import orders_of
from ivrd.core.switches import Actor, Origin, Setting, Stand, Switch, SwitchKind, SwitchState
from ivrd.core.tracker import Tracker
from tests.unit.core.story import SYSTEM, at, cid, new_tracker, overflow_rule, read

RUSH = """
    0    snapshot  members=guides:anna:1
    1    joined    c1  switchboard
    2    joined    c2  switchboard
"""


def played(tracker: Tracker, table: str) -> list[Effect]:
    return [effect for event in read(table) for effect in tracker.apply(event)]


def order_rules(tracker: Tracker, seconds: float, **orders: Order) -> list[Effect]:
    order = RuleOrders(orders=orders)
    return list(tracker.apply(OrderGiven(at=at(seconds), system=SYSTEM, order=order)))


def move_by_hand(tracker: Tracker, call: str, to: str, seconds: float = 3) -> list[Effect]:
    move = HandMove(call_id=CallId(cid(call)), to_queue=QueueName(to), who="anna", why="Sjuk")
    return list(tracker.apply(OrderGiven(at=at(seconds), system=SYSTEM, order=move)))


def of(effects: list[Effect], kind: type[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


DRY = Order(mode=RuleMode.DRY_RUN, who="anna", why="Prov")


def test_a_dry_run_decides_and_the_word_on_moves() -> None:
    tracker = new_tracker(overflow_rule())
    order_rules(tracker, 0, relief=DRY)
    effects = played(tracker, RUSH)
    assert of(effects, MoveCaller) == []
    [decision] = of(effects, TellDecision)
    assert isinstance(decision, TellDecision)
    assert decision.decision.is_dry_run
    [move] = of(order_rules(tracker, 4), MoveCaller)
    assert isinstance(move, MoveCaller)
    assert (move.call_id, move.reason) == (cid("c1"), "relief")


def test_a_rule_switched_off_begins_nothing_until_released() -> None:
    tracker = new_tracker(overflow_rule())
    order_rules(tracker, 0, relief=Order(mode=RuleMode.OFF))
    assert of(played(tracker, RUSH), MoveCaller) == []
    assert len(of(order_rules(tracker, 4), MoveCaller)) == 1


def test_whose_hand_it_was_is_told_with_the_rule_and_the_move() -> None:
    tracker = new_tracker(overflow_rule(start=9))
    assert of(played(tracker, RUSH), MoveCaller) == []
    forced = Order(mode=RuleMode.ON, is_forced=True, who="anna", why="Utbildning")
    effects = order_rules(tracker, 4, relief=forced)
    [began] = of(effects, TellRuleChange)
    [decision, *_] = of(effects, TellDecision)
    assert isinstance(began, TellRuleChange)
    assert isinstance(decision, TellDecision)
    for told in (began.change, decision.decision):
        assert (told.is_by_hand, told.who, told.why) == (True, "anna", "Utbildning")


def test_what_people_said_goes_before_what_was_remembered() -> None:
    before = new_tracker(overflow_rule())
    order_rules(before, 0, relief=DRY)
    kept = before.state()
    heard = new_tracker(overflow_rule())
    order_rules(heard, 0)
    heard.restore(kept)
    assert heard.state().overflow.policy.orders == {}
    unheard = new_tracker(overflow_rule())
    unheard.restore(kept)
    assert unheard.state().overflow.policy.orders == {"relief": DRY}


def test_a_caller_moved_by_hand_goes_the_way_of_all_moves() -> None:
    tracker = new_tracker(overflow_rule(start=9))
    played(tracker, RUSH)
    effects = move_by_hand(tracker, "c2", "guides")
    [told] = of(effects, TellDecision)
    assert isinstance(told, TellDecision)
    decision = told.decision
    assert (decision.rule, decision.is_by_hand, decision.who) == ("by-hand", True, "anna")
    assert (decision.source.waiting, decision.target.serving_agents) == (2, 1)
    assert (decision.caller.wait, decision.caller.place_here) == (timedelta(seconds=1), 2)
    [move] = of(effects, MoveCaller)
    assert isinstance(move, MoveCaller)
    assert (move.from_queue, move.to_queue, move.reason) == ("switchboard", "guides", "by-hand")
    landed = played(
        tracker,
        """
        4    left    c2  switchboard
        4    exited  c2  switchboard  WITHDRAW:by-hand
        4    joined  c2  guides
        """,
    )
    [ended] = of(landed, RecordMove)
    assert isinstance(ended, RecordMove)
    assert (ended.reason, ended.end) == ("by-hand", MoveEnd.LANDED)


@pytest.mark.parametrize(
    ("more", "call", "to", "because"),
    [
        ("", "c9", "guides", "no live call has the id"),
        ("", "c2", "elsewhere", "no queue is named 'elsewhere'; known: guides, switchboard"),
        ("", "c2", "switchboard", "the caller waits in switchboard already"),
        ("3 rang c1 switchboard olle", "c1", "guides", "is being offered to an agent"),
        ("3 arrived c5 main", "c5", "guides", "the caller does not wait in a queue"),
        ("3 hung_up c2", "c2", "guides", "no live call has the id"),
        ("3 member guides anna state=5", "c2", "guides", "nobody serves in guides"),
        (
            "3 left c1 switchboard\n3 connected c1 switchboard olle leg=a1",
            "c1",
            "guides",
            "olle in switchboard has answered",
        ),
    ],
)
def test_a_move_by_hand_that_cannot_be_is_told_why(
    more: str, call: str, to: str, because: str
) -> None:
    tracker = new_tracker(overflow_rule(start=9))
    played(tracker, RUSH + more)
    effects = move_by_hand(tracker, call, to, seconds=4)
    assert of(effects, MoveCaller) == []
    [told] = of(effects, TellNotMoved)
    assert isinstance(told, TellNotMoved)
    assert because in told.because


def test_nobody_is_moved_twice_at_once_nor_before_the_first_snapshot() -> None:
    tracker = new_tracker(overflow_rule(start=9))
    played(tracker, RUSH)
    move_by_hand(tracker, "c2", "guides")
    [again] = of(move_by_hand(tracker, "c2", "guides"), TellNotMoved)
    assert isinstance(again, TellNotMoved)
    assert again.because == "the caller is on the way to guides already, by by-hand"
    [early] = of(move_by_hand(new_tracker(), "c2", "guides"), TellNotMoved)
    assert isinstance(early, TellNotMoved)
    assert early.because.startswith("the PBX cannot be asked now")


UNTIL = at(60)


def switched(stand: Stand, name: str, kind: SwitchKind = SwitchKind.RULE) -> SwitchState:
    setting = Setting(
        stand=stand,
        until=None if stand is Stand.FREE else UNTIL,
        reason="Prov",
        by=Actor(who="anna", origin=Origin.CONTROL),
        at=at(0),
    )
    return SwitchState().having(Switch(kind=kind, name=name), setting)


@pytest.mark.parametrize(
    ("state", "now", "orders"),
    [
        (switched(Stand.DRY_RUN, "relief"), at(1), {"relief": DRY}),
        (switched(Stand.DRY_RUN, "relief"), UNTIL, {}),
        (switched(Stand.FREE, "relief"), at(1), {}),
        (switched(Stand.CLOSED, "relief", SwitchKind.LINE), at(1), {}),
        (
            switched(Stand.FORCED, "relief"),
            at(1),
            {"relief": Order(mode=RuleMode.ON, is_forced=True, who="anna", why="Prov")},
        ),
        (
            switched(Stand.OFF, "relief"),
            at(1),
            {"relief": Order(mode=RuleMode.OFF, who="anna", why="Prov")},
        ),
    ],
)
def test_orders_are_what_is_switched_now(
    state: SwitchState, now: datetime, orders: Mapping[str, Order]
) -> None:
    assert orders_of(state, now).orders == orders
