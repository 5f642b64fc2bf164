"""What the floor looks like now: one queue, as anybody who shows it sees it.

Here: the record. Not here: how it is kept (tracker.py) or shown (metrics, web, MQTT, terminal).
"""

from dataclasses import dataclass
from datetime import datetime

from ivrd.core.expected_wait import Expectation
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What awaits one caller who enters a queue now."""

    place: int
    """Among all who wait, from 1."""
    has_agents: bool
    """Somebody serves there: logged in, reachable, not paused."""
    expected: Expectation | None
    """None when nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """One queue at one moment. When `is_synced` is False everything but the counts is unknown."""

    system: SystemName
    queue: QueueName
    is_synced: bool
    """We hold a snapshot and an unbroken stream of events since."""
    waiting: int
    oldest_arrival_at: datetime | None
    """First arrival in any queue of the longest waiting caller; None when nobody waits."""
    members_available: int
    """Not in use, and not paused."""
    members_busy: int
    """In use, ringing or on hold, and not paused."""
    members_paused: int
    members_unavailable: int
    """Not reachable; paused or not."""
    counts: Counts
    counted_since: datetime | None
    """The first event that this daemon counted, None before it; after a restart, whose day's counts
    go on, the first moment of the day."""
    members_ringing: int = 0
    """Of the busy, those whose phone rings and who are in no call."""
    members_wrapping_up: int = 0
    """Of the paused, those who are held until their case has a label."""
    expected: Expectation | None = None
    """The wait of a caller who enters now; None when nobody can tell."""
