"""Who comes on a day that is played again, and who is there: what rehearsal.py is given.

Here: plain values. Not here: how they are known (rehearsal_day.py, staffing.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """One caller who comes, whatever the rules are, and what they bring along."""

    call_id: CallId
    queue: QueueName
    arrived_at: datetime
    patience: timedelta | None
    """Since arrival, over all moves; None for somebody who never leaves."""
    leaves_by: Disposition = Disposition.ABANDONED
    """What leaving after that time is: a hang-up, a key, a time-out."""
    ring: timedelta = _NOTHING
    talks: Mapping[QueueName, timedelta] = field(default_factory=dict)
    """By who answers; every queue must be there."""
    wrap_up: timedelta = _NOTHING
    line: LineName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A time in which an agent takes calls."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent's day."""

    interface: Interface
    queues: frozenset[QueueName]
    shifts: tuple[Shift, ...]
    """In order, and apart from each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalDay:
    """Who comes, and who is there."""

    system: SystemName
    queues: tuple[QueueName, ...]
    """All queues between which callers move."""
    visitors: tuple[Visitor, ...]
    agents: tuple[Agent, ...]


def on_duty(agents: Iterable[Agent]) -> timedelta:
    """Return how long agents are there, together."""
    return sum(
        (shift.ends_at - shift.begins_at for agent in agents for shift in agent.shifts), _NOTHING
    )
