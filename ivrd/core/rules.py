"""What the municipality has decided: the rules that the core follows, as plain values.

Here: frozen records, built from the configuration by app.py. Not here: reading or checking files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ivrd.core.ids import QueueName


class Role(StrEnum):
    """Who serves a queue, which decides what an answer there means."""

    GUIDE = "guide"
    SWITCHBOARD = "switchboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """What is decided about one queue."""

    name: QueueName
    role: Role
    service_level_threshold: timedelta
    """Answered within this, boundary included, is answered in time."""
    short_abandon: timedelta
    """Abandoned before this, boundary excluded, counts as neither hit nor miss."""
    department: str | None
    """The department that a case from this queue is for; None when it must be labelled by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowRule:
    """When to move waiting callers from one queue to another.

    Begins when `start_waiting` callers or more wait; ends when `stop_waiting` or fewer do. The gap
    between them is what keeps the rule from flapping.
    """

    name: str
    from_queue: QueueName
    to_queue: QueueName
    start_waiting: int
    stop_waiting: int
    moves_per_call: int
    """A caller is moved at most so often, by all rules together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRules:
    """All that is decided about one PBX's queues."""

    queues: Mapping[QueueName, QueueRules]
    overflow: tuple[OverflowRule, ...]
    """In order of priority."""
    case_rule: str
    """Name of the case rule, part of the key that keeps a case from being opened twice."""
