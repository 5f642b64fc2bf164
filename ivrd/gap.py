"""Filling gaps: reads from Asterisk's queue journal what happened while we were not there.

Here: when the journal is looked at, and from which place. Not here: the file (queue_log.py), which
place is safe (checkpoint.py), and what the rows mean (core/catch_up.py).

Per PBX: in sync, the journal's end is sampled every SAMPLE_S and the safe place kept on disk; after
a gap, at a reconnect or a restart alike, the AMI session asks `read` before each snapshot.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog

from ivrd.checkpoint import SAMPLE_S, CheckpointFile, Keeper
from ivrd.core.effects import Effect, RecordCall
from ivrd.core.events import JournalRead
from ivrd.core.ids import CallId, SystemName
from ivrd.core.journal import JournalRow
from ivrd.queue_log import Position, QueueLog, Reading

READS_MAX = 10
"""Readings in a row; each holds a day of a county. A longer gap is told as far as that goes."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class LiveCalls(Protocol):
    """Who knows which calls live (the tracker)."""

    @property
    def is_synced(self) -> bool: ...
    @property
    def oldest_arrival_at(self) -> datetime | None: ...
    def remember_finished(self, call_ids: tuple[CallId, ...], /) -> None: ...


class GapFiller:
    """One PBX's way back into step. Never raises: without a journal, a gap is told as unknown."""

    def __init__(
        self,
        *,
        system: SystemName,
        queue_log: QueueLog,
        file: CheckpointFile,
        calls: LiveCalls,
        now: Callable[[], datetime],
    ) -> None:
        """Take over what an earlier run has left.

        Args:
            calls: Told at once which calls were decided before.
            now: This PBX's clock.
        """
        self.rows_read = 0
        """Rows read to fill gaps."""
        self._system = system
        self._queue_log = queue_log
        self._file = file
        self._calls = calls
        self._now = now
        kept = file.load()
        self._keeper = Keeper(system, kept)
        if kept is not None:
            calls.remember_finished(kept.finished)

    def damages(self) -> dict[tuple[str, ...], int]:
        """Return what was wrong with the journal, or with the kept place, by system and kind."""
        log_, file = self._queue_log, self._file
        kinds = {
            "broken_line": log_.broken,
            "misencoded_row": log_.misencoded,
            "missing_rows": log_.gaps,
            "checkpoint_refused": file.refused,
            "checkpoint_not_written": file.failures,
        }
        return {(self._system, kind): count for kind, count in kinds.items()}

    @property
    def is_usable(self) -> bool:
        """Whether the journal can be read: without it, a gap cannot be filled."""
        return self._queue_log.trouble is None

    def observe(self, effect: Effect) -> None:
        """Note a call that was decided: the journal need not tell it again."""
        if isinstance(effect, RecordCall) and effect.system == self._system:
            self._keeper.finish(effect.call_id, effect.at)

    async def read(self, at: datetime) -> JournalRead | None:
        """Return what the journal holds since before the oldest call we know.

        Args:
            at: Now, by the PBX's clock.

        Returns:
            None before the first sample: on a first start there is no gap to fill.
        """
        place = self._keeper.safe(self._calls.oldest_arrival_at)
        if place is None:
            # The very first start. From here on nothing is missed, however soon we are killed.
            self._sample(at)
            return None
        rows = await asyncio.to_thread(self._read_all, place)
        self.rows_read += len(rows)
        log.info("queue_log_read", asterisk=self._system, rows=len(rows))
        return JournalRead(at=at, system=self._system, rows=rows)

    async def run(self) -> None:
        """Sample the journal's end, and keep the safe place, until cancelled."""
        while True:
            if self._calls.is_synced:
                self._sample(self._now())
            await asyncio.sleep(SAMPLE_S)

    def _sample(self, at: datetime) -> None:
        end = self._queue_log.end()
        if end is None:
            return
        self._keeper.sample(at, end)
        checkpoint = self._keeper.checkpoint(self._calls.oldest_arrival_at)
        if checkpoint is not None:
            self._file.save(checkpoint)

    def _read_all(self, place: Position) -> tuple[JournalRow, ...]:
        """Read to the end; in a thread of its own."""
        rows: list[JournalRow] = []
        for _ in range(READS_MAX):
            reading: Reading = self._queue_log.read(place)
            rows.extend(reading.rows)
            place = reading.position
            if not reading.is_cut:
                return tuple(rows)
        log.error("queue_log_gap_too_long", asterisk=self._system, rows=len(rows))
        return tuple(rows)
