"""One queue on the floor: who waits, who serves, what was counted.

Here: the mutable bookkeeping of one queue, owned by the tracker. Not here: what an event means.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from ivrd.core.effects import CountEntry, Disposition
from ivrd.core.expected_wait import Expectation, Pace
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.line import Line
from ivrd.core.rules import QueueRules
from ivrd.core.service_level import Counts, added, counted, without
from ivrd.core.staff import Condition, Staff


@dataclass(slots=True)
class QueueFloor:
    """One queue of one PBX."""

    system: SystemName
    queue: QueueName
    rules: QueueRules | None
    """None for a queue that the configuration does not name: watched, and not counted."""
    waiting: Line = field(default_factory=Line)
    members: Staff = field(default_factory=Staff)
    counts: Counts = field(default_factory=Counts)
    counts_before_today: Counts = field(default_factory=Counts)
    pace: Pace = field(default_factory=Pace)

    def count(self, entry: CountEntry) -> None:
        """Count one entry whose disposition is fixed."""
        if entry.entry_wait is not None:
            is_answered = entry.disposition is Disposition.ANSWERED
            self.pace.end(entry.expected, entry.entry_wait, is_answered=is_answered)
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

    def count_those_inside(self, number: int) -> None:
        """Count callers who came while nobody counted, for they will be counted when they leave."""
        self.counts = replace(self.counts, joined=self.counts.joined + number)

    def count_case(self) -> None:
        """Count one case that a call answered here has opened."""
        self.counts = replace(self.counts, cases=self.counts.cases + 1)

    def count_more(self, counts: Counts, *, is_of_today: bool) -> None:
        """Add what was counted elsewhere, today or on a day before."""
        self.counts = added(self.counts, counts)
        if not is_of_today:
            self.counts_before_today = added(self.counts_before_today, counts)

    def begin_day(self) -> None:
        """Note that all that was counted so far was before today."""
        self.counts_before_today = self.counts

    def forget_before_today(self) -> None:
        """Keep only what was counted today."""
        self.counts = without(self.counts, self.counts_before_today)
        self.counts_before_today = Counts()

    def has_agents(self) -> bool:
        """Return whether somebody is logged in here, reachable and not paused."""
        return self.members.serving > 0

    def note(self, at: datetime, *, is_synced: bool) -> None:
        """Let the pace see how the queue is from a moment on."""
        if is_synced:
            self.pace.note(at, queued=self.waiting.queued, agents=self.members.serving)
        else:
            self.pace.pause()

    def expect(
        self, first_joined_at: datetime | None = None, *, ahead: int = 0
    ) -> Expectation | None:
        """Return how long a caller who enters now will wait here; None when nobody can tell.

        Args:
            first_joined_at: When the caller came into a queue first; None for now.
            ahead: So many more are before the caller, and not in line yet.
        """
        line, staff = self.waiting, self.members
        place = line.queued + 1 if first_joined_at is None else line.place_of(first_joined_at)
        return self.pace.expect(
            place=place + ahead,
            agents=staff.serving,
            is_free=staff.count(Condition.AVAILABLE) > line.unserved + ahead,
        )

    def view(self, *, is_synced: bool, counted_since: datetime | None) -> QueueView:
        """Return how the queue looks now."""
        staff = self.members
        return QueueView(
            system=self.system,
            queue=self.queue,
            is_synced=is_synced,
            waiting=len(self.waiting),
            oldest_arrival_at=self.waiting.oldest_arrival_at,
            members_available=staff.count(Condition.AVAILABLE),
            members_busy=staff.count(Condition.BUSY),
            members_ringing=staff.ringing,
            members_wrapping_up=staff.wrapping_up,
            members_paused=staff.count(Condition.PAUSED),
            members_unavailable=staff.count(Condition.UNAVAILABLE),
            counts=self.counts,
            counted_since=counted_since,
            expected=self.expect() if is_synced else None,
        )
