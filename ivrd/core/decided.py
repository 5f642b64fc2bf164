"""What is over: calls decided not long ago, which the journal must not open again.

Here: the memory. Not here: deciding (tracker.py), and what outlives a restart (checkpoint.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from ivrd.core.ids import CallId

FINISHED_CALLS_MAX = 20_000
"""An afternoon of a county: more than the journal is ever read back for. About 2 MB."""


class Decided:
    """Calls, and consultations, that are over; the newest of each."""

    def __init__(self) -> None:
        """Begin with none."""
        self.calls: dict[CallId, None] = {}
        """Oldest first, consultations included."""
        self._consultations: dict[CallId, datetime] = {}
        """Ended, or merged into their call, and not yet taken."""

    def add(self, call_id: CallId) -> None:
        """Remember that a call is over."""
        self.calls[call_id] = None
        if len(self.calls) > FINISHED_CALLS_MAX:
            del self.calls[next(iter(self.calls))]

    def add_all(self, call_ids: Iterable[CallId]) -> None:
        """Take over what an earlier tracker had decided."""
        self.calls.update(dict.fromkeys(call_ids))

    def add_consultation(self, call_id: CallId, at: datetime) -> None:
        """Remember that a consultation is over."""
        self._consultations[call_id] = at
        if len(self._consultations) > FINISHED_CALLS_MAX:
            del self._consultations[next(iter(self._consultations))]
        self.add(call_id)

    def take_consultations(self) -> Mapping[CallId, datetime]:
        """Return which consultations ended since the last time, and when."""
        taken, self._consultations = self._consultations, {}
        return taken
