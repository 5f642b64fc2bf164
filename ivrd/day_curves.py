"""Reads a queue's day, and the same weekday of last week, for whoever draws its curve.

Here: when the database is asked, and what is kept meanwhile. Not here: the query (db/day_curve.py)
and the shape (web/day_curve.py).

However many look, a day is read once within its time, and one at a time: boards must not slow down
what they show.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from ivrd.config import Config
from ivrd.core.half_hours import half_hours
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.periods import Span, period_of
from ivrd.core.rules import FloorRules
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.day_curve import counts_by_place, known_since
from ivrd.db.store import Store
from ivrd.errors import PeerUnreachable
from ivrd.rules import floor_rules
from ivrd.web.day_curve import CurveDay, DayCurve, curve_day, formula

TODAY_S = 30.0
"""So old today's curve may be: its steps are half hours."""

BEFORE_S = 900.0
"""Last week's facts change no more, but when a gap is filled."""

WEEK = timedelta(days=7)

Which = Literal["today", "before"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    day: CurveDay
    at: datetime
    read_s: float


class DayCurves:
    """Curves on demand."""

    def __init__(
        self,
        store: Store,
        config: Config,
        *,
        systems: Collection[SystemName],
        now: Callable[[], datetime],
    ) -> None:
        """Read nothing yet.

        Args:
            store: Where facts are.
            config: Which queues there are, and what is in time.
            systems: The PBXs.
            now: The PBXs' time.
        """
        self._store = store
        self._systems = frozenset(systems)
        self._now = now
        self._reading = asyncio.Lock()
        self._kept: dict[tuple[SystemName, QueueName, Which], _Read] = {}
        self.change(config)

    def change(self, config: Config) -> None:
        """Take another configuration: limits, and so levels, may be others."""
        self._rules: FloorRules = floor_rules(config)
        self._kept.clear()

    async def curve(self, system: SystemName, queue: QueueName) -> DayCurve | None:
        """Return a queue's day; None when no such queue is configured.

        Raises:
            PeerUnreachable: The database does not answer.
        """
        if system not in self._systems or queue not in self._rules.queues:
            return None
        today = self._now().astimezone(self._rules.zone).date()
        async with self._reading:
            try:
                now = await self._day(system, queue, "today", today, within_s=TODAY_S)
                before = await self._day(system, queue, "before", today - WEEK, within_s=BEFORE_S)
            except DATABASE_ERRORS as error:
                raise PeerUnreachable(f"database: {reason_of(error)}") from error
        return DayCurve(
            system=system,
            queue=queue,
            at=now.at,
            formula=formula(),
            today=now.day,
            before=before.day,
        )

    async def _day(
        self, system: SystemName, queue: QueueName, which: Which, day: date, *, within_s: float
    ) -> _Read:
        kept = self._kept.get((system, queue, which))
        if kept is not None and kept.day.date == day and time.monotonic() - kept.read_s < within_s:
            return kept
        rules = self._rules.queues[queue]
        stretches = half_hours(period_of(Span.DAY, day, self._rules.zone))
        now, read_s = self._now(), time.monotonic()
        engine = self._store.engine
        counts = await counts_by_place(
            engine,
            system=system,
            queue=queue,
            stretches=stretches,
            threshold=rules.service_level_threshold,
            short_abandon=rules.short_abandon,
        )
        since = await known_since(engine, system=system)
        told = curve_day(day, stretches, counts, now=now, known_since=since)
        read = _Read(day=told, at=now, read_s=read_s)
        self._kept[(system, queue, which)] = read
        return read
