"""What overflow decided, as it is told over HTTP.

Here: the shape, and the latest of them, kept in memory. Not here: deciding (core/overflow.py), and
those stored (db/decisions.py).
"""

import json
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from itertools import islice

from pydantic import BaseModel, Field, JsonValue

from ivrd.core.decisions import DecidedKind, RecordDecision, Told, decided
from ivrd.core.effects import Effect

LATEST_MAX = 500
"""Decisions kept; those before are in the database."""


class DecisionStatus(BaseModel):
    """One decision."""

    at: datetime
    system: str
    call_id: str | None = Field(description="Null for one about a rule or a door.")
    what: DecidedKind
    rule: str
    from_queue: str
    to_queue: str
    is_dry_run: bool
    is_by_hand: bool
    who: str = Field(description="Who wished it; empty for a rule.")
    why: str
    figures: Mapping[str, JsonValue] = Field(description="As they were at that moment.")


class DecisionList(BaseModel):
    """Decisions."""

    decisions: list[DecisionStatus]


def decision_status(record: RecordDecision) -> DecisionStatus:
    """Return a decision as it is told."""
    return DecisionStatus(
        at=record.at,
        system=record.system,
        call_id=record.call_id or None,
        what=record.what,
        rule=record.rule,
        from_queue=record.from_queue,
        to_queue=record.to_queue,
        is_dry_run=record.is_dry_run,
        is_by_hand=record.is_by_hand,
        who=record.who,
        why=record.why,
        figures=json.loads(record.figures),
    )


class LatestDecisions:
    """The last so many, as effects tell them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._effects: deque[Told] = deque(maxlen=LATEST_MAX)
        self.count = 0
        """How many were ever told."""

    def observe(self, effect: Effect) -> None:
        """See an effect; never raises, and makes nothing of it yet: a rule moves hundreds."""
        if isinstance(effect, Told):
            self._effects.append(effect)
            self.count += 1

    def latest(self) -> list[DecisionStatus]:
        """Return them, newest first."""
        return [decision_status(decided(effect)) for effect in reversed(self._effects)]

    def after(self, number: int, *, most: int) -> tuple[list[DecisionStatus], int]:
        """Return the next decisions after the first `number` ever told, oldest first.

        Args:
            number: What this returned last, or `count`.
            most: Rendered at a time: each costs some 100 µs.

        Returns:
            They, without those forgotten since, and the number to go on with.
        """
        forgotten = self.count - len(self._effects)
        first = max(number - forgotten, 0)
        part = list(islice(self._effects, first, first + most))
        return [decision_status(decided(effect)) for effect in part], forgotten + first + len(part)
