"""What the municipality has decided: the rules that the core follows, as plain values.

Here: frozen records, built from the configuration by app.py. Not here: reading or checking files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from enum import StrEnum

from ivrd.core.days import Days
from ivrd.core.hours import Schedule
from ivrd.core.ids import QueueName
from ivrd.core.overflow_rules import OverflowRule


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
    hold: timedelta = timedelta(0)
    """So long at most a guide is kept from the next call until the case has a label; zero never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRules:
    """All that is decided about one PBX's queues."""

    queues: Mapping[QueueName, QueueRules]
    overflow: tuple[OverflowRule, ...]
    """In order of priority."""
    case_rule: str
    """Name of the case rule, part of the key that keeps a case from being opened twice."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The department of each label."""
    numbers: frozenset[str] = frozenset()
    """Extensions that hint at a label when a caller is handed on there."""
    hours: Mapping[QueueName, Schedule] = field(default_factory=dict)
    """Of queues that are not always open."""
    days: Days = field(default_factory=dict)
    """What dates are, for as long as anybody asks."""
    zone: tzinfo = UTC
    """Whose wall clock hours, and days, are told by."""
