"""The floor at one moment, whole: queues, lines, and what keeps us from vouching for them.

Here: the pages' own models put together for who asks on this host (`ivrd status`). Not here: how
they are filled (web/status.py, lines_now.py), and how they are printed (status_table.py).
"""

from collections.abc import Callable, Mapping, Sequence

from ivrd.web.lines import Lines
from ivrd.web.status import StatusBook


class FloorNow:
    """Tells all of it, in the very words of the API."""

    def __init__(
        self, statuses: StatusBook, *, lines: Lines, faults: Callable[[], Sequence[str]]
    ) -> None:
        """Read from those who know.

        Args:
            statuses: Every queue.
            lines: Every line.
            faults: A sentence for each thing that keeps us from working.
        """
        self._statuses = statuses
        self._lines = lines
        self._faults = faults

    def __call__(self) -> Mapping[str, object]:
        """Return one JSON object: queues, lines, faults."""
        return {
            "queues": [queue.model_dump(mode="json") for queue in self._statuses.every()],
            "lines": [line.model_dump(mode="json") for line in self._lines()],
            "faults": list(self._faults()),
        }
