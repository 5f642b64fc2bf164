"""Lets the live counts of a day go on over a restart, from what is stored.

Here: when that is read, and who is told. Not here: the query (db/day_counts.py).

It is read once, when the database holds what earlier lives have left in the journal, and nothing
yet of this one: so each call is either in it or told live, never both. Until then, and where the
database does not tell, counts are those since the start, as `counted_since` says.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import structlog

from ivrd.core.hours import begin_of
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.rules import FloorRules
from ivrd.core.service_level import Counts
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.day_counts import counts_since
from ivrd.db.store import Store

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Counting(Protocol):
    """Who counts live, and tells of it (the engine)."""

    def count_on(
        self, system: SystemName, counts: Mapping[QueueName, Counts], since: datetime
    ) -> None:
        """Add what is stored since then."""


async def restore(
    store: Store,
    counting: Counting,
    systems: Iterable[SystemName],
    *,
    rules: FloorRules,
    now: Callable[[SystemName], datetime],
) -> None:
    """Give each PBX's counts of today back. Never raises for the database's sake."""
    for system in systems:
        since = begin_of(now(system).astimezone(rules.zone).date(), rules.zone)
        try:
            queues = rules.queues
            counts = await counts_since(store.engine, system=system, since=since, queues=queues)
        except DATABASE_ERRORS as error:
            log.warning("day_counts_not_read", asterisk=system, reason=reason_of(error))
            continue
        counting.count_on(system, counts, since)
        log.info("day_counts_read", asterisk=system, since=since.isoformat(), queues=len(counts))
