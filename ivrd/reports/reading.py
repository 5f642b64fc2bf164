"""Stored calls counted into the book of a period.

Here: database and core brought together. Not here: SQL (db/period_calls.py), counting
(core/period_book.py).
"""

from collections.abc import AsyncIterator
from datetime import datetime
from zoneinfo import ZoneInfo

from ivrd import rules
from ivrd.config import Config
from ivrd.core.ids import LineName, SystemName
from ivrd.core.period_book import House, PeriodBook
from ivrd.core.periods import Period
from ivrd.core.stored_calls import StoredCall
from ivrd.db import day_curve
from ivrd.db.connection import DATABASE_ERRORS, DatabaseError, check_place, open_engine, reason_of
from ivrd.db.period_calls import calls_of


def house_of(settings: Config) -> House:
    """Return what figures go by."""
    return House(
        queues=rules.floor_rules(settings).queues,
        internal_lines=frozenset(
            LineName(line.name) for line in settings.lines if line.is_internal
        ),
        zone=ZoneInfo(settings.time_zone),
    )


async def read_book(settings: Config, period: Period) -> PeriodBook:
    """Return a period's calls of all PBXs, counted.

    Raises:
        DatabaseError: They cannot be read.
    """
    book = PeriodBook(house_of(settings))
    async for call in stored_calls(settings, period):
        book.add(call)
    return book


async def known_since(settings: Config) -> datetime | None:
    """Return since when all PBXs are known; None: no call is stored.

    Of several PBXs the last one's first call counts; one that never had a call does not.

    Raises:
        DatabaseError: It cannot be read.
    """
    engine = open_engine(settings.database)
    try:
        check_place(engine.url)
        first = [
            await day_curve.known_since(engine, system=SystemName(pbx.name)) for pbx in settings.pbx
        ]
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error
    finally:
        await engine.dispose()
    return max((moment for moment in first if moment is not None), default=None)


async def stored_calls(settings: Config, period: Period) -> AsyncIterator[StoredCall]:
    """Yield a period's calls of all PBXs, in order of arrival.

    Raises:
        DatabaseError: They cannot be read.
    """
    engine = open_engine(settings.database)
    systems = [pbx.name for pbx in settings.pbx]
    try:
        check_place(engine.url)
        async for call in calls_of(engine, period, house=house_of(settings), systems=systems):
            yield call
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error
    finally:
        await engine.dispose()
