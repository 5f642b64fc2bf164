"""What a tracker knows, as values: kept across a restart, and cut in tests.

Here: the records. Not here: making and restoring them (tracker.py).
"""

from dataclasses import dataclass
from datetime import datetime

from ivrd.core.call import Call
from ivrd.core.events import MemberChanged
from ivrd.core.expected_wait import PaceHistory
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.overflow_state import MoverState
from ivrd.core.service_level import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue, as it is kept across a restart."""

    queue: QueueName
    members: tuple[MemberChanged, ...]
    counts: Counts
    counts_before_today: Counts
    pace: PaceHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerState:
    """Everything that a tracker knows, as values: kept across a restart, and cut in tests."""

    system: SystemName
    calls: tuple[Call, ...]
    queues: tuple[QueueState, ...]
    overflow: MoverState
    last_at: datetime | None
    counted_since: datetime | None
    finished: tuple[CallId, ...]
    """Calls decided not long ago, oldest first."""
    from_journal: frozenset[CallId]
    """Live calls of which the journal told a part."""
