"""Whom an overflow rule moves, and where to, at one look.

Here: the board of figures that change as moves are decided, and the choice of callers and targets.
Not here: whether a rule is in force (overflow.py, where the invariants stand too).
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.hours import Opening
from ivrd.core.ids import CallId, QueueName
from ivrd.core.line import Candidate
from ivrd.core.overflow_conditions import begun_by, kept_by
from ivrd.core.overflow_figures import CallerFigures, QueueFigures, QueueLook, together
from ivrd.core.overflow_rules import First, OverflowRule
from ivrd.core.overflow_state import Decision, DecisionKind, Shadow

LOOKS_MAX = 50
"""So many callers whom no target suits are looked at per rule and plan: a long line of them must
not cost a look at each upon every event."""

HOME_GAIN = timedelta(seconds=10)
"""The way home must win so much by the estimate; less is within its error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """In what way a rule is in force."""

    is_dry_run: bool
    is_by_hand: bool


class Board:
    """The queues as they are when what was decided so far has landed."""

    def __init__(
        self,
        looks: Mapping[QueueName, QueueLook],
        *,
        openings: Mapping[str, Opening],
        resting: Mapping[QueueName, datetime],
        at: datetime,
        decisions_max: int | None = None,
    ) -> None:
        """Begin with what is."""
        self.at = at
        self.is_cut = False
        self._decisions_max = decisions_max
        self.decisions: list[Decision] = []
        self._looks = looks
        self._openings = openings
        self._resting = resting
        self._figures = {queue: look.figures for queue, look in looks.items()}
        self._taken: set[CallId] = set()
        self._asked: Counter[str] = Counter()
        """Moves away that were decided at this look, by rule."""
        self._coming: dict[QueueName, datetime] = {}
        """Of those whose move into a queue is outstanding, the first arrival in any."""

    def imagined(self, rule: OverflowRule, decided: Mapping[CallId, Shadow]) -> "Board":
        """Return how all this would be had a dry run moved whom it decided to move.

        What is decided there is told like all else, and changes nothing here.
        """
        board = Board(
            self._looks,
            openings=self._openings,
            resting=self._resting,
            at=self.at,
            decisions_max=self._decisions_max,
        )
        board.decisions = self.decisions
        board._figures = dict(self._figures)
        board._taken = set(self._taken)
        board._asked = self._asked.copy()
        gone: Counter[QueueName] = Counter()
        for call_id, shadow in decided.items():
            here = self._where(rule, call_id)
            if here is None or call_id in self._taken:
                continue
            board._taken.add(call_id)
            board._asked[rule.name] += self.at < shadow.lands_at
            gone[here] += 1
            is_there = shadow.answered_at is None or self.at < shadow.answered_at
            if is_there and shadow.to_queue in board._figures:
                there = board._figures[shadow.to_queue]
                board._figures[shadow.to_queue] = there.with_one_on_the_way()
        for queue, number in gone.items():
            oldest = board._oldest_of(queue)
            for _ in range(number):
                board._figures[queue] = board._figures[queue].without(oldest)
        return board

    def _where(self, rule: OverflowRule, call_id: CallId) -> QueueName | None:
        """Return where a caller stays whom a rule could move; None when it could not."""
        for queue in rule.from_queues:
            caller = self._looks[queue].line.get(call_id)
            if caller is not None and not caller.is_moving:
                return queue
        return None

    def outstanding(self, rule: OverflowRule) -> int:
        """Return how many moves of a rule have not ended, those decided at this look included."""
        asked = sum(self._looks[queue].line.moving_by(rule.name) for queue in rule.from_queues)
        return asked + self._asked[rule.name]

    def source(self, rule: OverflowRule) -> QueueFigures:
        """Return the queues of a rule as one."""
        source = together([self._figures[queue] for queue in rule.from_queues])
        opening = self._openings.get(rule.name)
        return source if opening is None else source.with_hours(opening)

    def target(self, queue: QueueName) -> QueueFigures:
        """Return a queue as one to move to."""
        return self._figures[queue]

    def waking_of(self, queue: QueueName) -> list[datetime]:
        """Return when time alone may make a queue take callers, or no longer."""
        moments = (self._figures[queue].changes_at, self._resting.get(queue))
        return [moment for moment in moments if moment is not None]

    def still_in_line(
        self, rule: OverflowRule, callers: Mapping[CallId, Shadow]
    ) -> dict[CallId, Shadow]:
        """Return those of some callers who wait where a rule moves from."""
        lines = [self._looks[queue].line for queue in rule.from_queues]
        return {
            call_id: shadow
            for call_id, shadow in callers.items()
            if any(line.get(call_id) for line in lines)
        }

    def has_guests(self, rule: OverflowRule) -> bool:
        """Return whether somebody whom a rule moved could go home."""
        return any(self._looks[queue].line.has_guests(rule.name) for queue in rule.to_queues)

    def takes(self, rule: OverflowRule, queue: QueueName) -> bool:
        """Return whether a rule may move anybody to a queue."""
        figures, guard = self._figures[queue], rule.guard
        if not figures.is_open or figures.serving_agents < max(1, guard.serving_min):
            return False
        if queue in self._resting and self.at < self._resting[queue]:
            return False
        if figures.free_agents < guard.free_min:
            return False
        load = figures.waiting + figures.incoming
        if guard.waiting_max is not None and load >= guard.waiting_max:
            return False
        expected = figures.expected_wait
        return (
            guard.expected_wait_max is None
            or expected is None
            or expected <= guard.expected_wait_max
        )

    def divert_of(self, rule: OverflowRule, source: QueueFigures) -> QueueName | None:
        """Return where callers at the door go; None when they are let in."""
        here = source.expected_wait
        for queue in rule.to_queues:
            there = self._figures[queue].expected_wait
            if self.takes(rule, queue) and not _is_longer(rule, here, there):
                return queue
        return None

    def move_away(self, rule: OverflowRule, force: Force) -> tuple[Decision, ...]:
        """Decide who leaves, one after the other, each as if those before had; return this."""
        moved: list[Decision] = []
        source = self.source(rule)
        heads = {queue: self._staying(queue) for queue in rule.from_queues}
        oldest = {queue: next(heads[queue], None) for queue in rule.from_queues}
        room = None if rule.moves_at_once is None else rule.moves_at_once - self.outstanding(rule)
        unsuited = 0
        for caller, queue in self._candidates(rule):
            held = kept_by(rule, source)
            is_wanted = (held or force.is_by_hand) and source.waiting > rule.leave_waiting
            if not is_wanted or unsuited >= LOOKS_MAX or (room is not None and len(moved) >= room):
                break
            if self._is_full():
                break
            if caller.call_id in self._taken:
                continue
            found = self._target_of(rule, caller, queue)
            if found is None:
                unsuited += 1
                continue
            to_queue, figures = found
            decision = Decision(
                rule=rule.name,
                kind=DecisionKind.AWAY,
                from_queue=queue,
                to_queue=to_queue,
                is_dry_run=force.is_dry_run,
                is_by_hand=force.is_by_hand,
                held=held,
                source=source,
                target=self._figures[to_queue],
                caller=figures,
            )
            moved.append(decision)
            self._taken.add(caller.call_id)
            if oldest[queue] == caller:
                oldest[queue] = next(heads[queue], None)
            staying = oldest[queue]
            self._decide(decision, None if staying is None else staying.first_joined_at)
            source = self.source(rule)
        self._asked[rule.name] += len(moved)
        return tuple(moved)

    def move_home(self, rule: OverflowRule) -> None:
        """Decide who goes back to where a rule took them from."""
        unsuited = 0
        for queue in rule.to_queues:
            for caller in self._looks[queue].line.guests(rule.name):
                if unsuited >= LOOKS_MAX or self._is_full():
                    return
                if caller.call_id in self._taken or caller.moves_asked > rule.moves_per_call:
                    continue
                decision = self._way_home(rule, caller, queue)
                if decision is None:
                    unsuited += 1
                else:
                    self._taken.add(caller.call_id)
                    self._decide(decision, self._oldest_of(queue))
                    known = self._coming.get(decision.to_queue, caller.first_joined_at)
                    self._coming[decision.to_queue] = min(known, caller.first_joined_at)

    def _way_home(self, rule: OverflowRule, caller: Candidate, queue: QueueName) -> Decision | None:
        """Return the way home of one caller; None when it is better to stay."""
        home = caller.moved_from[-1]
        if home not in rule.from_queues or home == queue:
            return None
        there = self._figures[home]
        if not there.is_open or not there.serving_agents:
            return None
        source = self.source(rule)
        # With everybody who is on the way home too: together they must not make the rule begin.
        coming = [self._coming_to(queue) for queue in rule.from_queues]
        first = min((moment for moment in coming if moment is not None), default=None)
        arrived = source.with_those_on_the_way(first).with_one_more(caller.first_joined_at)
        if begun_by(rule, arrived):
            return None
        figures = self._figures_of(caller, queue, home)
        # Whoever is rung for counts too: that the agent is no longer free is told a moment later.
        is_free = there.free_agents > there.waiting + there.incoming
        is_free = is_free and not self._figures[queue].free_agents
        if not is_free:
            if kept_by(rule, arrived):
                return None
            here, then = figures.expected_here, figures.expected_there
            if here is None or then is None or then > here - HOME_GAIN:
                return None
        return Decision(
            rule=rule.name,
            kind=DecisionKind.HOME,
            from_queue=queue,
            to_queue=home,
            is_dry_run=False,
            is_by_hand=False,
            held=(),
            source=source,
            target=there,
            caller=figures,
        )

    def _is_full(self) -> bool:
        """Return whether this plan may hold no more; the next one then goes on."""
        limit = self._decisions_max
        self.is_cut = self.is_cut or (limit is not None and len(self.decisions) >= limit)
        return self.is_cut

    def _decide(self, decision: Decision, oldest: datetime | None) -> None:
        """Note a decision; the figures are as if it had landed."""
        self.decisions.append(decision)
        from_queue, to_queue = decision.from_queue, decision.to_queue
        self._figures[from_queue] = self._figures[from_queue].without(oldest)
        self._figures[to_queue] = self._figures[to_queue].with_one_on_the_way()

    def _coming_to(self, queue: QueueName) -> datetime | None:
        """Return the first arrival of those who are on the way into a queue; None without one."""
        if queue not in self._coming:
            moments = [
                look.line.first_moving_to(queue)
                for look in self._looks.values()
                if look.line.moving_to(queue)
            ]
            found = min((moment for moment in moments if moment is not None), default=None)
            if found is None:
                return None
            self._coming[queue] = found
        return self._coming[queue]

    def _candidates(self, rule: OverflowRule) -> Iterator[tuple[Candidate, QueueName]]:
        """Yield who may leave, who goes first first, over all queues of a rule."""
        is_reversed = rule.first is First.SHORTEST_WAIT

        def of(queue: QueueName) -> Iterator[tuple[Candidate, QueueName]]:
            line = self._looks[queue].line
            for caller in line.movable(rule.moves_per_call, is_reversed=is_reversed):
                yield caller, queue

        return heapq.merge(
            *(of(queue) for queue in rule.from_queues),
            key=lambda found: (found[0].first_joined_at, found[0].call_id),
            reverse=is_reversed,
        )

    def _target_of(
        self, rule: OverflowRule, caller: Candidate, queue: QueueName
    ) -> tuple[QueueName, CallerFigures] | None:
        """Return the first queue that takes a caller, and that suits them; None without one."""
        for to_queue in rule.to_queues:
            if to_queue == queue or to_queue in caller.moved_from:
                continue
            if not self.takes(rule, to_queue):
                continue
            figures = self._figures_of(caller, queue, to_queue)
            here, there = figures.expected_here, figures.expected_there
            if _is_longer(rule, here, there):
                continue
            if caller.line in rule.urgent_lines and (
                figures.place_there > figures.place_here
                or (here is not None and there is not None and there > here)
            ):
                continue
            return to_queue, figures
        return None

    def _figures_of(
        self, caller: Candidate, queue: QueueName, to_queue: QueueName
    ) -> CallerFigures:
        here, there = self._looks[queue], self._looks[to_queue]
        arrived_at = caller.first_joined_at
        incoming = self._figures[to_queue].incoming
        return CallerFigures(
            call_id=caller.call_id,
            line=caller.line,
            wait=self.at - arrived_at,
            moves_asked=caller.moves_asked,
            place_here=here.line.place_of(arrived_at),
            place_there=there.line.place_of(arrived_at) + incoming,
            expected_here=here.expect(arrived_at, 0),
            expected_there=there.expect(arrived_at, incoming),
        )

    def _staying(self, queue: QueueName) -> Iterator[Candidate]:
        """Yield who stays in a queue, in order, as it is when each is asked for."""
        for caller in self._looks[queue].line.staying_in_order():
            if caller.call_id not in self._taken:
                yield caller

    def _oldest_of(self, queue: QueueName) -> datetime | None:
        oldest = next(self._staying(queue), None)
        return None if oldest is None else oldest.first_joined_at


def _is_longer(rule: OverflowRule, here: timedelta | None, there: timedelta | None) -> bool:
    """Return whether the wait there is longer by more than a rule allows."""
    limit = rule.guard.longer_wait_max
    return limit is not None and here is not None and there is not None and there > here + limit
