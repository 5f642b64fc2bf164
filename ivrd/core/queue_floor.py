"""One queue on the floor: who waits, who serves, what was counted.

Here: the mutable bookkeeping of one queue, owned by the tracker. Not here: what an event means.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from ivrd.core.effects import CountEntry
from ivrd.core.events import MemberChanged
from ivrd.core.floor import QueueView
from ivrd.core.ids import Interface, QueueName, SystemName
from ivrd.core.line import Line
from ivrd.core.rules import QueueRules
from ivrd.core.service_level import Counts, counted

NOT_IN_USE = 1
"""Asterisk's device states (devicestate.h): 0 unknown, 1 not in use, 2 in use, 3 busy, 4 invalid,
5 unavailable, 6 ringing, 7 ring in use, 8 on hold."""

UNREACHABLE = frozenset({4, 5})
"""Invalid and unavailable: no phone there. Unknown (0) is what a queue takes for reachable."""


@dataclass(slots=True)
class QueueFloor:
    """One queue of one PBX."""

    system: SystemName
    queue: QueueName
    rules: QueueRules | None
    """None for a queue that the configuration does not name: watched, and not counted."""
    waiting: Line = field(default_factory=Line)
    members: dict[Interface, MemberChanged] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    def count(self, entry: CountEntry) -> None:
        """Count one entry whose disposition is fixed."""
        if self.rules is None:
            return
        self.counts = counted(
            self.counts,
            entry.disposition,
            entry.wait,
            threshold=self.rules.service_level_threshold,
            short_abandon=self.rules.short_abandon,
        )

    def count_join(self, *, is_move: bool) -> None:
        """Count one caller who entered; by our own move or not."""
        if self.rules is None:
            return
        self.counts = replace(
            self.counts,
            joined=self.counts.joined + 1,
            moved_in=self.counts.moved_in + is_move,
        )

    def count_case(self) -> None:
        """Count one case that a call answered here has opened."""
        self.counts = replace(self.counts, cases=self.counts.cases + 1)

    def has_agents(self) -> bool:
        """Return whether somebody is logged in here, reachable and not paused."""
        return any(
            not member.is_paused and member.device_state not in UNREACHABLE
            for member in self.members.values()
        )

    def view(self, *, is_synced: bool, counted_since: datetime | None) -> QueueView:
        """Return how the queue looks now."""
        available = busy = paused = unavailable = 0
        for member in self.members.values():
            if member.device_state in UNREACHABLE:
                unavailable += 1
            elif member.is_paused:
                paused += 1
            elif member.device_state <= NOT_IN_USE and not member.is_in_call:
                available += 1
            else:
                busy += 1
        return QueueView(
            system=self.system,
            queue=self.queue,
            is_synced=is_synced,
            waiting=len(self.waiting),
            oldest_arrival_at=self.waiting.oldest_arrival_at,
            members_available=available,
            members_busy=busy,
            members_paused=paused,
            members_unavailable=unavailable,
            counts=self.counts,
            counted_since=counted_since,
        )
