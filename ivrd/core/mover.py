"""Carrying out the overflow policy: remembers which rules are in force, and asks for moves.

Here: the policy's input from the book, and the record of what it asked. Not here: the policy itself
(overflow.py) and how a move ends (entry.py, tracker.py).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from ivrd.core import overflow
from ivrd.core.call_book import CallBook
from ivrd.core.effects import MoveCaller
from ivrd.core.ids import CallId
from ivrd.core.rules import OverflowRule
from ivrd.core.stay import Move, Waiting

MOVE_LAPSES_AFTER = timedelta(seconds=30)
"""Asterisk looks at a withdraw once a second, but not during an announcement or while agents ring
(15 s ring and 5 s retry by default, ASTERISK.md §A1): past this no proof will come."""

MOVE_NOT_AFTER = timedelta(seconds=5)
"""A request that has waited so long for its connection rests on an old picture of the queues."""


class Mover:
    """The overflow rules of one PBX at work."""

    def __init__(self, book: CallBook) -> None:
        self._book = book
        self.active_rules: set[str] = set()
        """Rules that have begun and not ended (hysteresis)."""

    def forget_gone(self) -> None:
        """Forget which rules are in force of those that are no more."""
        self.active_rules &= {rule.name for rule in self._book.rules.overflow}

    def ask_moves(self, at: datetime) -> None:
        """Plan again for each rule whose queues look different now."""
        if not self._book.touched:
            return
        for rule in self._book.rules.overflow:
            if rule.from_queue in self._book.touched or rule.to_queue in self._book.touched:
                self._plan_rule(rule, at)

    def _plan_rule(self, rule: OverflowRule, at: datetime) -> None:
        was_active = rule.name in self.active_rules
        line = self._book.floor(rule.from_queue).waiting
        if not was_active and len(line) < rule.start_waiting:
            return
        plan = overflow.plan(
            rule,
            was_active=was_active,
            line=line,
            has_target_agents=self._book.floor(rule.to_queue).has_agents(),
        )
        if plan.is_active:
            self.active_rules.add(rule.name)
        else:
            self.active_rules.discard(rule.name)
        for call_id in plan.moves:
            self._ask_move(call_id, rule, at)

    def _ask_move(self, call_id: CallId, rule: OverflowRule, at: datetime) -> None:
        call = self._book.calls[call_id]
        last = call.entries[-1]
        assert isinstance(last, Waiting), "only a waiting caller is moved"
        move = Move(
            rule=rule.name,
            to_queue=rule.to_queue,
            asked_at=at,
            lapses_at=at + MOVE_LAPSES_AFTER,
        )
        self._book.with_entry(
            replace(call, moves_asked=call.moves_asked + 1), last, replace(last, move=move)
        )
        self._book.set_deadline(move.lapses_at, call_id)
        self._book.effects.append(
            MoveCaller(
                at=at,
                system=self._book.system,
                call_id=call_id,
                channel=call.channel,
                from_queue=rule.from_queue,
                to_queue=rule.to_queue,
                reason=rule.name,
                not_after=at + MOVE_NOT_AFTER,
            )
        )
