"""Carrying out the overflow policy: remembers how its rules stand, and asks for what they want.

Here: the policy's input from the book, the record of what it asked, and when time alone calls for
another look. Not here: the policy itself (overflow.py) and how a move ends (entry.py, tracker.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from ivrd.core import by_hand, overflow
from ivrd.core.call_book import CallBook
from ivrd.core.days import DAY
from ivrd.core.effects import DivertCallers, MoveCaller, TellDecision, TellNotMoved, TellRuleChange
from ivrd.core.events import OrderGiven
from ivrd.core.hours import Opening, Schedule, begin_of, opening_at
from ivrd.core.ids import QueueName
from ivrd.core.overflow_figures import QueueFigures, QueueLook
from ivrd.core.overflow_rules import Figure, OverflowRule
from ivrd.core.overflow_state import (
    Decision,
    Divert,
    HandMove,
    MoverState,
    Order,
    OverflowState,
    RuleOrders,
)
from ivrd.core.service_level import Counts
from ivrd.core.staff import Condition
from ivrd.core.stay import Move, Waiting

MOVE_LAPSES_AFTER = timedelta(seconds=30)
"""Asterisk looks at a withdraw once a second, but not during an announcement or while agents ring
(15 s ring and 5 s retry by default, ASTERISK.md §A1): past this no proof will come."""

MOVE_NOT_AFTER = timedelta(seconds=5)
"""A request that has waited so long for its connection rests on an old picture of the queues."""

TARGET_RESTS_FOR = timedelta(seconds=30)
"""A queue that refused a caller of ours would refuse the next one too: full or without agents does
not change within a second, and each refusal costs a caller a way there and back."""

MOVES_PER_PLAN = 100
"""A rule that begins may move a whole hall; so many moves cost 5 ms, and 500 at once would keep the
event loop from everybody else for 50."""

PLAN_GOES_ON_AFTER = timedelta(milliseconds=2)
"""In between, other events have their turn."""

PLAN_AGAIN_AFTER = timedelta(seconds=1)
"""After a fault of ours in planning, when no event comes: it may come again each time."""

HOURS_KEPT_FOR = timedelta(hours=1)
"""Hours are looked up again after so long, because a closing is told only when it is near."""


class Mover:
    """The overflow rules of one PBX at work."""

    def __init__(self, book: CallBook) -> None:
        """Begin with no rule in force."""
        self._book = book
        self._policy = OverflowState()
        self._diverts: dict[QueueName, Divert] = {}
        self._today_ends_at: datetime | None = None
        self._orders: Mapping[str, Order] | None = None
        """What people said last; None before they said anything."""
        self._look_again: dict[str, datetime] = {}
        self._due: set[str] = set()
        """Rules that are to be looked at although their queues look the same."""
        self._goes_on_at: datetime | None = None
        """When a plan that was cut is continued, for the rules of `_cut`."""
        self._cut: frozenset[str] = frozenset()
        self._openings: dict[str, tuple[datetime, Opening]] = {}
        self._daily = _daily(book.rules.overflow)
        self._rules_at = _rules_at(book.rules.overflow)

    def state(self) -> MoverState:
        """Return everything remembered, as values."""
        return MoverState(
            policy=self._policy,
            diverts=dict(self._diverts),
            today_ends_at=self._today_ends_at,
        )

    def restore(self, state: MoverState) -> None:
        """Take over what an earlier mover remembered; what people said since goes before it."""
        orders = state.policy.orders if self._orders is None else self._orders
        self._policy = replace(state.policy, orders=orders)
        self._diverts = dict(state.diverts)
        self._today_ends_at = state.today_ends_at

    def forget_gone(self) -> None:
        """Forget how those rules stand that are no more, and all hours: they may be others."""
        names = {rule.name for rule in self._book.rules.overflow}
        self._policy = replace(
            self._policy,
            rules={name: kept for name, kept in self._policy.rules.items() if name in names},
            orders={name: kept for name, kept in self._policy.orders.items() if name in names},
        )
        self._look_again = {name: at for name, at in self._look_again.items() if name in names}
        self._openings.clear()
        self._daily = _daily(self._book.rules.overflow)
        self._rules_at = _rules_at(self._book.rules.overflow)
        self._today_ends_at = None

    # Time.

    @property
    def wake_at(self) -> datetime | None:
        """When time alone may change what is wanted; None when it cannot."""
        moments = list(self._look_again.values())
        if self._today_ends_at is not None and self._daily:
            moments.append(self._today_ends_at)
        if self._goes_on_at is not None:
            moments.append(self._goes_on_at)
        return min(moments, default=None)

    @property
    def is_plan_cut(self) -> bool:
        """Whether more moves are wanted already, and `wake_at` is not to be waited for."""
        return self._goes_on_at is not None

    def wake(self, at: datetime) -> None:
        """Note that a moment of `wake_at` has come; `ask_moves` follows."""
        due = {name for name, moment in self._look_again.items() if moment <= at}
        self._due |= due
        for name in due:
            del self._look_again[name]
        if self._goes_on_at is not None and self._goes_on_at <= at:
            self._goes_on_at = None
            self._due |= self._cut

    def start_over(self, at: datetime) -> None:
        """Look at every rule anew, at the next event or soon: a look was cut short by a fault."""
        names = {rule.name for rule in self._book.rules.overflow}
        self._due = set(names)
        self._look_again = dict.fromkeys(names, at + PLAN_AGAIN_AFTER)
        self._goes_on_at, self._cut = None, frozenset()

    def turn_day(self, at: datetime) -> None:
        """Begin the figures of today anew, before anything of a new day is counted."""
        if self._today_ends_at is not None and at < self._today_ends_at:
            return
        if self._today_ends_at is not None:
            for floor in self._book.queues.values():
                floor.begin_day()
            self._due |= self._daily
        self._today_ends_at = self._end_of_day(at)

    def is_of_today(self, since: datetime) -> bool:
        """Return whether counts since a day's first moment are of today, and not of a day before.

        Asked before the first event, or before the first of a new day, it says which day it is.
        """
        self.turn_day(since)
        return self._end_of_day(since) == self._today_ends_at

    def _end_of_day(self, at: datetime) -> datetime:
        today: date = at.astimezone(self._book.rules.zone).date()
        return begin_of(today + DAY, self._book.rules.zone)

    # What people say.

    def obey(self, event: OrderGiven, *, can_move: bool) -> None:
        """Take what a person said; `ask_moves` follows."""
        match event.order:
            case RuleOrders():
                self._obey_rules(event.order.orders)
            case HandMove():
                self._obey_move(event, event.order, can_move=can_move)

    def _obey_rules(self, orders: Mapping[str, Order]) -> None:
        was, self._orders = self._policy.orders, orders
        self._policy = replace(self._policy, orders=orders)
        changed = {name for name in {*was, *orders} if was.get(name) != orders.get(name)}
        self._due |= {rule.name for rule in self._book.rules.overflow if rule.name in changed}

    def _obey_move(self, event: OrderGiven, move: HandMove, *, can_move: bool) -> None:
        """Ask for a move by hand, unless it cannot be now: that is told, and changes nothing."""
        because = by_hand.why_not(self._book, move, can_move=can_move)
        if because is not None:
            self._book.effects.append(
                TellNotMoved(at=event.at, system=self._book.system, move=move, because=because)
            )
            return
        incoming = self._incoming()
        decision = by_hand.decision(
            self._book, move, look=lambda queue: self._look(queue, event.at, incoming)
        )
        self._book.effects.append(
            TellDecision(at=event.at, system=self._book.system, decision=decision)
        )
        self._ask_move(decision, event.at)
        self._book.touch(decision.from_queue)

    # Planning.

    def ask_moves(self, at: datetime) -> None:
        """Plan again for each rule whose queues look different now, or whose time has come."""
        if not self._book.touched and not self._due:
            return
        resting = self._resting(at)
        if resting != self._policy.resting:
            self._policy = replace(self._policy, resting=resting)
        rules = self._rules_to_plan()
        self._due.clear()
        if rules:
            self._plan(rules, at)
        self._tell_diverts(at)

    def _rules_to_plan(self) -> list[OverflowRule]:
        """Return the rules that are due, or whose queues look different, in their order."""
        places = {place for queue in self._book.touched for place in self._rules_at.get(queue, ())}
        rules = self._book.rules.overflow
        if self._due:
            places.update(at for at, rule in enumerate(rules) if rule.name in self._due)
        return [rules[place] for place in sorted(places)]

    def _plan(self, rules: list[OverflowRule], at: datetime) -> None:
        incoming = self._incoming()
        plan = overflow.decide(
            {queue: self._look(queue, at, incoming) for queue in _queues_of(rules)},
            self._policy,
            rules,
            at,
            openings={
                rule.name: self._opening(f"rule {rule.name}", rule.closing_hours, at)
                for rule in rules
                if rule.closing_hours is not None
            },
            decisions_max=MOVES_PER_PLAN,
        )
        self._policy = plan.state
        # Rules that were to go on, and were not looked at now, are due all the same.
        unfinished = frozenset(rule.name for rule in rules) if plan.is_cut else frozenset()
        waiting = self._cut - {rule.name for rule in rules}
        self._cut = unfinished | waiting
        self._goes_on_at = at + PLAN_GOES_ON_AFTER if self._cut else None
        for rule in rules:
            self._look_again.pop(rule.name, None)
        self._look_again.update(plan.look_again)
        system = self._book.system
        for change in plan.changes:
            if change.is_by_hand:
                order = self._order(change.rule)
                change = replace(change, who=order.who, why=order.why)
            self._book.effects.append(TellRuleChange(at=at, system=system, change=change))
        for decision in plan.decisions:
            if decision.is_by_hand:
                order = self._order(decision.rule)
                decision = replace(decision, who=order.who, why=order.why)
            self._book.effects.append(TellDecision(at=at, system=system, decision=decision))
            if not decision.is_dry_run:
                self._ask_move(decision, at)
            self._book.secure()  # A fault in a later one must not leave this one asked by halves.

    def _order(self, rule: str) -> Order:
        return self._policy.orders.get(rule, overflow.AS_CONFIGURED)

    def _resting(self, at: datetime) -> dict[QueueName, datetime]:
        """Return which queues refused a caller just now."""
        resting = {queue: end for queue, end in self._policy.resting.items() if at < end}
        while self._book.refused_moves:
            queue, refused_at = self._book.refused_moves.pop()
            resting[queue] = max(resting.get(queue, at), refused_at + TARGET_RESTS_FOR)
        return resting

    # What the policy looks at.

    def _look(self, queue: QueueName, at: datetime, incoming: Mapping[QueueName, int]) -> QueueLook:
        floor = self._book.floor(queue)

        def expect(first_joined_at: datetime, ahead: int) -> timedelta | None:
            expected = floor.expect(first_joined_at, ahead=ahead)
            return None if expected is None else expected.wait

        return QueueLook(
            queue=queue,
            figures=self._figures(queue, at, incoming.get(queue, 0)),
            line=floor.waiting,
            expect=expect,
        )

    def _figures(self, queue: QueueName, at: datetime, incoming: int) -> QueueFigures:
        floor = self._book.floor(queue)
        oldest = next(floor.waiting.staying_in_order(), None)
        expected = floor.expect()
        counts, before = floor.counts, floor.counts_before_today
        figures = QueueFigures(
            at=at,
            waiting=floor.waiting.staying,
            oldest_arrival_at=None if oldest is None else oldest.first_joined_at,
            incoming=incoming,
            free_agents=floor.members.count(Condition.AVAILABLE),
            serving_agents=floor.members.serving,
            expected_wait=None if expected is None else expected.wait,
            counted_today=_counted(counts) - _counted(before),
            in_time_today=counts.answered_within - before.answered_within,
        )
        schedule = self._book.rules.hours.get(queue)
        if schedule is None:
            return figures
        return figures.with_hours(self._opening(f"queue {queue}", schedule, at))

    def _incoming(self) -> Mapping[QueueName, int]:
        """Return how many are on the way into each queue by moves."""
        incoming = Counter(self._book.on_the_way.values())
        for floor in self._book.queues.values():
            if targets := floor.waiting.targets:
                incoming.update(targets)
        return incoming

    def _opening(self, key: str, schedule: Schedule, at: datetime) -> Opening:
        kept = self._openings.get(key)
        if kept is not None and at < kept[0]:
            return kept[1]
        rules = self._book.rules
        opening = opening_at(schedule, rules.days, at=at, zone=rules.zone)
        until = at + HOURS_KEPT_FOR
        if opening.until is not None:
            until = min(until, opening.until)
        self._openings[key] = (until, opening)
        return opening

    # What it wants.

    def _ask_move(self, decision: Decision, at: datetime) -> None:
        call = self._book.calls[decision.call_id]
        last = call.entries[-1]
        assert isinstance(last, Waiting), "only a waiting caller is moved"
        assert last.move is None, "nobody is asked to move twice at once"
        move = Move(
            rule=decision.rule,
            to_queue=decision.to_queue,
            asked_at=at,
            lapses_at=at + MOVE_LAPSES_AFTER,
        )
        self._book.note_asked(call, last, move)
        self._book.set_deadline(move.lapses_at, call.call_id)
        self._book.effects.append(
            MoveCaller(
                at=at,
                system=self._book.system,
                call_id=call.call_id,
                channel=call.channel,
                from_queue=decision.from_queue,
                to_queue=decision.to_queue,
                reason=decision.rule,
                not_after=at + MOVE_NOT_AFTER,
            )
        )

    def _tell_diverts(self, at: datetime) -> None:
        """Say where callers at each door go, when that is another queue than before."""
        wanted: dict[QueueName, Divert] = {}
        for rule in self._book.rules.overflow:
            stand = self._policy.rules.get(rule.name)
            if stand is None or stand.diverts_to is None:
                continue
            for queue in rule.from_queues:
                wanted.setdefault(queue, Divert(to_queue=stand.diverts_to, rule=rule.name))
        for queue in {**self._diverts, **wanted}:
            divert = wanted.get(queue)
            if divert == self._diverts.get(queue):
                continue
            self._book.effects.append(
                DivertCallers(
                    at=at,
                    system=self._book.system,
                    queue=queue,
                    to_queue=None if divert is None else divert.to_queue,
                    reason="" if divert is None else divert.rule,
                )
            )
        self._diverts = wanted


def _daily(rules: Iterable[OverflowRule]) -> frozenset[str]:
    """Return the rules that go by the service level so far today."""
    return frozenset(
        rule.name
        for rule in rules
        for condition in rule.conditions
        if condition.figure is Figure.SERVICE_LEVEL
    )


def _rules_at(rules: Iterable[OverflowRule]) -> dict[QueueName, list[int]]:
    """Return the places of the rules that name each queue."""
    places: dict[QueueName, list[int]] = {}
    for place, rule in enumerate(rules):
        for queue in {*rule.from_queues, *rule.to_queues}:
            places.setdefault(queue, []).append(place)
    return places


def _queues_of(rules: Iterable[OverflowRule]) -> Iterable[QueueName]:
    """Return every queue that some rules name, once."""
    return dict.fromkeys(queue for rule in rules for queue in (*rule.from_queues, *rule.to_queues))


def _counted(counts: Counts) -> int:
    """Return what the house's service level is a part of (service_level.sl)."""
    return counts.answered + counts.abandoned - counts.short_abandons
