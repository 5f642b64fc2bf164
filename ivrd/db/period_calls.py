"""Reads ended calls for reports and accounts: only the columns that they need, day by day.

Here: queries that return records. Not here: figures (core/period_book.py).

One PBX or several make no difference to a report: a municipality is all of them.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.period_book import House
from ivrd.core.periods import Period
from ivrd.core.stored_calls import (
    REPEAT_WITHIN,
    CallerSeen,
    StoredCall,
    StoredCase,
    StoredStay,
    repeated,
)
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import CallRow, CaseRow, EntryRow
from ivrd.db.words import word_or

READ_S_MAX = 60.0
"""One day of a county is read well within this."""


async def calls_of(
    engine: AsyncEngine, period: Period, *, house: House, systems: Sequence[str]
) -> AsyncIterator[StoredCall]:
    """Yield the calls that arrived in a period, in order of arrival.

    A day at a time, and no transaction is open between two: a slow reader hinders nobody.

    Args:
        house: Whose internal lines are nobody's repeat.
        systems: The PBXs.

    Raises:
        DATABASE_ERRORS: They cannot be read.
    """
    repeats = await _repeats(engine, period, house=house, systems=systems)
    for day in period.days():
        for call in await _day(engine, day, systems=systems, repeats=repeats):
            yield call


async def _repeats(
    engine: AsyncEngine, period: Period, *, house: House, systems: Sequence[str]
) -> Mapping[CallId, bool]:
    query = (
        select(
            CallRow.caller_key,
            CallRow.caller_key_before,
            CallRow.arrived_at,
            CallRow.call_id,
            CallRow.line,
        )
        .where(
            CallRow.system.in_(systems),
            CallRow.arrived_at >= period.since,
            CallRow.arrived_at < period.until + REPEAT_WITHIN,
        )
        .order_by(CallRow.arrived_at, CallRow.id)
    )
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        rows = (await session.execute(query)).all()
    before = {row.caller_key: row.caller_key_before for row in rows if row.caller_key_before}
    return repeated(
        CallerSeen(
            caller=_first_key(row.caller_key, before),
            arrived_at=row.arrived_at,
            call_id=CallId(row.call_id),
        )
        for row in rows
        if row.line not in house.internal_lines
    )


def _first_key(key: str | None, before: Mapping[str, str]) -> str | None:
    """Return one name for a caller whose key has changed meanwhile (privacy/sealing.py)."""
    while key is not None and key in before:
        key = before[key]
    return key


async def _day(
    engine: AsyncEngine,
    day: Period,
    *,
    systems: Sequence[str],
    repeats: Mapping[CallId, bool],
) -> Sequence[StoredCall]:
    mine = (
        CallRow.system.in_(systems),
        CallRow.arrived_at >= day.since,
        CallRow.arrived_at < day.until,
    )
    calls = (
        select(
            CallRow.call_id,
            CallRow.line,
            CallRow.arrived_at,
            CallRow.ended_at,
            CallRow.outcome,
            CallRow.transfers,
        )
        .where(*mine)
        .order_by(CallRow.arrived_at, CallRow.id)
    )
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        stays = await _stays(session, mine)
        cases = await _cases(session, mine)
        return [
            StoredCall(
                call_id=CallId(call_id),
                line=None if line is None else LineName(line),
                arrived_at=arrived_at,
                ended_at=ended_at,
                outcome=word_or(Outcome, outcome, "calls.outcome", Outcome.UNKNOWN, row=call_id),
                transfers=transfers,
                stays=tuple(stays.get(call_id, ())),
                case=cases.get(call_id),
                is_repeated=repeats.get(CallId(call_id)),
            )
            for call_id, line, arrived_at, ended_at, outcome, transfers in await session.execute(
                calls
            )
        ]


async def _stays(
    session: AsyncSession, mine: Sequence[ColumnElement[bool]]
) -> Mapping[str, Sequence[StoredStay]]:
    query = (
        select(
            EntryRow.call_id,
            EntryRow.queue,
            EntryRow.joined_at,
            EntryRow.disposition,
            EntryRow.entry_wait_ms,
            EntryRow.wait_ms,
            EntryRow.talk_ms,
        )
        .join(CallRow, CallRow.call_id == EntryRow.call_id)
        .where(*mine)
        .order_by(EntryRow.call_id, EntryRow.number)
    )
    found: defaultdict[str, list[StoredStay]] = defaultdict(list)
    for call_id, queue, joined_at, disposition, entry_wait, wait, talk in await session.execute(
        query
    ):
        found[call_id].append(
            StoredStay(
                queue=QueueName(queue),
                joined_at=joined_at,
                disposition=word_or(
                    Disposition,
                    disposition,
                    "entries.disposition",
                    Disposition.UNKNOWN,
                    row=call_id,
                ),
                entry_wait=_duration(entry_wait),
                wait=_duration(wait),
                talk=_duration(talk),
            )
        )
    return found


async def _cases(
    session: AsyncSession, mine: Sequence[ColumnElement[bool]]
) -> Mapping[str, StoredCase]:
    """Return each call's case or contact; of several rules the last one's."""
    query = (
        select(
            CaseRow.call_id,
            CaseRow.case_class,
            CaseRow.is_case,
            CaseRow.deadline,
            CaseRow.linked_case_id,
            CaseRow.label,
            CaseRow.department,
        )
        .join(CallRow, CallRow.call_id == CaseRow.call_id)
        .where(*mine)
        .order_by(CaseRow.id)
    )
    return {
        call_id: StoredCase(
            case_class=known,
            is_case=is_case,
            is_solved=(
                is_case and case_class == CaseClass.RESOLVED and deadline is None and linked is None
            ),
            label=label,
            department=department,
        )
        for (
            call_id,
            case_class,
            is_case,
            deadline,
            linked,
            label,
            department,
        ) in await session.execute(query)
        if (known := word_or(CaseClass, case_class, "cases.case_class", None, row=call_id))
    }


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine.execution_options(**{READ_ONLY: True}))


def _duration(milliseconds: int | None) -> timedelta | None:
    return None if milliseconds is None else timedelta(milliseconds=milliseconds)
