"""What came to a queue in each stretch of a day, from what is stored: for the day's curve.

Here: one read. Not here: which stretches (core/half_hours.py), how old a read may be and who is
told (../day_curves.py).

An entry belongs to the stretch in which it came to the queue, whenever it was answered. It is
stored when it is over, so who waits or talks now comes later.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Integer, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ivrd.core.effects import Disposition
from ivrd.core.half_hours import HalfHour
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts, counted_many
from ivrd.db.connection import READ_ONLY
from ivrd.db.day_counts import NEVER_JOINED
from ivrd.db.models import CallRow, EntryRow
from ivrd.db.store import milliseconds
from ivrd.db.words import word_or

READ_S_MAX = 15.0
"""A queue's day is read by an index: a thousand rows within some ms."""


async def counts_by_place(
    engine: AsyncEngine,
    *,
    system: SystemName,
    queue: QueueName,
    stretches: Sequence[HalfHour],
    threshold: timedelta,
    short_abandon: timedelta,
) -> Mapping[int, Counts]:
    """Return what came to a queue by place; a place without anything is not in it.

    Raises:
        DATABASE_ERRORS: The database does not answer.
    """
    found: dict[int, Counts] = {}
    query = _entries(system, queue, stretches, threshold=threshold, short_abandon=short_abandon)
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        for place, said, has_waited, number, within, short in await session.execute(query):
            disposition = word_or(Disposition, said, "entries.disposition", Disposition.UNKNOWN)
            counts = counted_many(
                found.get(place, Counts()), disposition, number=number, within=within, short=short
            )
            # Who met a closed queue did not join it; whose wait it ended did.
            is_at_door = disposition is Disposition.CLOSED and not has_waited
            if disposition not in NEVER_JOINED and not is_at_door:
                counts = replace(counts, joined=counts.joined + number)
            found[place] = counts
    return found


async def known_since(engine: AsyncEngine, *, system: SystemName) -> datetime | None:
    """Return when the first stored call of a PBX came: before that nobody knows; None: no call.

    Raises:
        DATABASE_ERRORS: The database does not answer.
    """
    query = (
        select(CallRow.arrived_at)
        .where(CallRow.system == system)
        .order_by(CallRow.arrived_at)
        .limit(1)
    )
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        return (await session.execute(query)).scalar_one_or_none()


def _entries(
    system: SystemName,
    queue: QueueName,
    stretches: Sequence[HalfHour],
    *,
    threshold: timedelta,
    short_abandon: timedelta,
) -> Select[tuple[int, str, bool, int, int, int]]:
    # Named within, grouped outside: PostgreSQL takes two equal expressions with parameters for two.
    place = case(
        *((EntryRow.joined_at < each.until, each.place) for each in stretches), else_=None
    ).label("place")
    entries = (
        select(
            place,
            EntryRow.disposition,
            EntryRow.entry_wait_ms.is_not(None).label("has_waited"),
            case((EntryRow.wait_ms <= milliseconds(threshold), 1), else_=0).label("within"),
            case((EntryRow.wait_ms < milliseconds(short_abandon), 1), else_=0).label("short"),
        )
        .where(
            EntryRow.system == system,
            EntryRow.queue == queue,
            EntryRow.joined_at >= stretches[0].since,
            EntryRow.joined_at < stretches[-1].until,
        )
        .subquery()
    )
    groups = (entries.c.place, entries.c.disposition, entries.c.has_waited)
    return select(
        *groups,
        func.count(),
        func.sum(entries.c.within, type_=Integer),
        func.sum(entries.c.short, type_=Integer),
    ).group_by(*groups)


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine.execution_options(**{READ_ONLY: True}))
