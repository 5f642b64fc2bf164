"""Filling gaps: reads from Asterisk's queue journal what happened while we were not there.

Here: when the journal is looked at, and from which place. Not here: the file (queue_log.py), which
place is safe (checkpoint.py), and what the rows mean (core/catch_up.py).

Per PBX: in sync, the journal's end is sampled every SAMPLE_S and the safe place kept on disk; after
a gap, at a reconnect or a restart alike, the AMI session asks `read` before each snapshot.

Without a kept place (its file was lost, or this is the very first start)
    1. The database says from when on a call may not be stored (db/facts.py, `trail_of`). From there
       on the journal is read, and what is stored is not told again.
    2. A database without any call: ivrd has never been here, and there is no gap to fill. Calls
       that the journal says were over by then are counted as unknown, and not stored: cases for
       calls of before ivrd's time would be a surprise to whoever pays for them.
    3. A database that does not answer: nobody can tell 1 from 2, so they are counted likewise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from ivrd.checkpoint import AGE_MAX, SAMPLE_S, CheckpointFile, Keeper
from ivrd.core.catch_up import ended_in, without_arrival
from ivrd.core.effects import Effect, RecordCall
from ivrd.core.events import JournalRead
from ivrd.core.ids import CallId, SystemName
from ivrd.core.journal import JournalRow
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.facts import Trail
from ivrd.queue_log import START, Position, QueueLog
from ivrd.queue_log_search import find

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
    def take_consultations(self) -> Mapping[CallId, datetime]: ...


class TrailOf(Protocol):
    """Who knows which calls are stored (the database)."""

    def __call__(self, *, system: SystemName, age: timedelta) -> Awaitable[Trail | None]: ...


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
        trail_of: TrailOf | None = None,
        forgotten: Callable[[CallId], None] | None = None,
    ) -> None:
        """Take over what an earlier run has left.

        Args:
            calls: Told at once which calls were decided before.
            forgotten: Told of each consultation that is over, with the call that it belongs to:
                a crash must not leave the one decided and the other to be told as a caller.
            now: This PBX's clock.
            trail_of: Asked only when no place was kept; None is as a database that is away.
        """
        self.rows_read = 0
        """Rows read to fill gaps."""
        self.unknown_calls = 0
        """Calls that were over when we first looked, and that nobody told us to fill in."""
        self._short_starts = 0
        self._trail_of = trail_of
        self._forgotten = forgotten
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
            "missing_rows": log_.gaps + self._short_starts,
            "unknown_call": self.unknown_calls,
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
            self._take_consultations()
            self._keeper.finish(effect.call_id, effect.at)

    async def read(self, at: datetime) -> JournalRead | None:
        """Return what the journal holds since before the oldest call we know.

        Args:
            at: Now, by the PBX's clock.

        Returns:
            None when there is no gap to fill, or none that anybody can tell the beginning of.
        """
        place = self._keeper.safe(self._calls.oldest_arrival_at)
        if place is None:
            return await self._begin(at)
        rows = await asyncio.to_thread(self._read_all, place)
        return self._told(at, rows)

    async def run(self) -> None:
        """Sample the journal's end, and keep the safe place, until cancelled."""
        try:
            while True:
                if self._calls.is_synced:
                    self._sample(self._now())
                await asyncio.sleep(SAMPLE_S)
        finally:
            # Calls that were decided since are not to be decided, and counted, once more.
            self._keep()

    def _sample(self, at: datetime) -> None:
        end = self._queue_log.end()
        if end is not None:
            self._keeper.sample(at, end)
            self._keep()

    async def _begin(self, at: datetime) -> JournalRead | None:
        """Begin without a kept place: from what is stored, or else from here on."""
        trail = await self._trail()
        found = None
        if trail is not None:
            found = await asyncio.to_thread(find, self._queue_log.path, trail.since)
        if trail is None or found is None:
            await asyncio.to_thread(self._count_unknown)
            # From here on nothing is missed, however soon we are killed.
            self._sample(at)
            return None
        self._short_starts += not found.is_complete
        rows = await asyncio.to_thread(self._read_all, found.position, trail.since)
        self._calls.remember_finished((*trail.calls, *without_arrival(rows)))
        for call_id, ended_at in trail.calls.items():
            self._keeper.finish(call_id, ended_at)
        self._keeper.sample(trail.since, found.position)
        self._keep()
        log.warning("gap_begun_from_database", asterisk=self._system, since=str(trail.since))
        return self._told(at, rows)

    async def _trail(self) -> Trail | None:
        if self._trail_of is None:
            return None
        try:
            return await self._trail_of(system=self._system, age=AGE_MAX)
        except DATABASE_ERRORS as error:
            # At the very first start there are no tables yet.
            log.info("gap_begin_not_found", asterisk=self._system, reason=reason_of(error))
            return None

    def _count_unknown(self) -> None:
        """Count the calls that the present file says were over; in a thread of its own."""
        decided = self._keeper.finished()
        unknown = sum(call_id not in decided for call_id in ended_in(self._rows(START)))
        self.unknown_calls += unknown
        if unknown:
            log.warning("gap_calls_unknown", asterisk=self._system, calls=unknown)

    def _told(self, at: datetime, rows: tuple[JournalRow, ...]) -> JournalRead:
        self.rows_read += len(rows)
        log.info("queue_log_read", asterisk=self._system, rows=len(rows))
        return JournalRead(at=at, system=self._system, rows=rows)

    def _take_consultations(self) -> None:
        for call_id, ended_at in self._calls.take_consultations().items():
            self._keeper.finish(call_id, ended_at)
            if self._forgotten is not None:
                self._forgotten(call_id)

    def _keep(self) -> None:
        self._take_consultations()
        checkpoint = self._keeper.checkpoint(self._calls.oldest_arrival_at)
        if checkpoint is not None:
            self._file.save(checkpoint)

    def _read_all(self, place: Position, since: datetime | None = None) -> tuple[JournalRow, ...]:
        """Read to the end, and leave out what is older; in a thread of its own."""
        rows = self._rows(place)
        return tuple(row for row in rows if since is None or row.at >= since)

    def _rows(self, place: Position) -> Iterator[JournalRow]:
        rows = 0
        for _ in range(READS_MAX):
            reading = self._queue_log.read(place)
            yield from reading.rows
            rows += len(reading.rows)
            place = reading.position
            if not reading.is_cut:
                return
        log.error("queue_log_gap_too_long", asterisk=self._system, rows=rows)
