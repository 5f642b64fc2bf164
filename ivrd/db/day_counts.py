"""What a day has come to so far, per queue, from what is stored: for whoever counts on from there.

Here: one read, and the sums that the live counts have (core/service_level.py). Not here: ratios,
and who adds what to what (core/tracker.py, `count_on`).

Only of calls that are stored themselves, which is when they are over. A call that lives still, or
lived when ivrd was killed, is told again by the PBX or by queue_log with all its stays, and counted
then; so nothing is counted twice, and nothing is left out.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Integer, Select, and_, case, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, MoveEnd
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.rules import QueueRules
from ivrd.core.service_level import Counts, counted_many
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import CallRow, CaseRow, EntryRow, MoveRow
from ivrd.db.store import milliseconds
from ivrd.db.words import word_or

READ_S_MAX = 30.0
"""A county's day is read in a tenth of a second."""

AGE_MAX = timedelta(hours=24)
"""No call lasts longer: who was counted today joined no earlier than this before today."""

NEVER_JOINED = (Disposition.FULL, Disposition.JOIN_EMPTY, Disposition.DIVERTED)


async def counts_since(
    engine: AsyncEngine,
    *,
    system: SystemName,
    since: datetime,
    queues: Mapping[QueueName, QueueRules],
) -> Mapping[QueueName, Counts]:
    """Return what each configured queue has counted since a moment, stored calls only.

    As the live counts: an entry counts when its disposition is fixed, at the answer or at the
    unanswered exit; a join when it happens; a case when it opens.

    Raises:
        DATABASE_ERRORS: The database does not answer.
    """
    found: defaultdict[str, Counts] = defaultdict(Counts)
    if not queues:
        return {}
    session = AsyncSession(engine.execution_options(**{READ_ONLY: True}))
    async with asyncio.timeout(READ_S_MAX), session:
        for queue, disposition, number, within, short in await session.execute(
            _entries(system, since, queues)
        ):
            found[queue] = counted_many(
                found[queue],
                word_or(Disposition, disposition, "entries.disposition", Disposition.UNKNOWN),
                number=number,
                within=within,
                short=short,
            )
        for queue, joined in await session.execute(_joins(system, since)):
            found[queue] = replace(found[queue], joined=joined)
        for queue, moved in await session.execute(_moves(system, since)):
            found[queue] = replace(found[queue], moved_in=moved)
        for queue, cases in await session.execute(_cases(system, since)):
            found[queue] = replace(found[queue], cases=cases)
    return {QueueName(queue): counts for queue, counts in found.items() if queue in queues}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTotal:
    """How many cases, and contacts, of one kind were opened."""

    system: SystemName
    department: str | None
    """By the label, else by the queue; None while nobody knows."""
    case_class: CaseClass
    number: int


async def cases_since(engine: AsyncEngine, *, since: datetime) -> Sequence[CaseTotal]:
    """Return what cases were opened since a moment, as they stand now.

    Raises:
        DATABASE_ERRORS: The database does not answer.
    """
    columns = (CaseRow.system, CaseRow.department, CaseRow.case_class)
    query = select(*columns, func.count()).where(CaseRow.opened_at >= since).group_by(*columns)
    session = AsyncSession(engine.execution_options(**{READ_ONLY: True}))
    async with asyncio.timeout(READ_S_MAX), session:
        rows = (await session.execute(query)).all()
    return [
        CaseTotal(
            system=SystemName(system),
            department=department,
            case_class=known,
            number=number,
        )
        for system, department, case_class, number in rows
        if (known := word_or(CaseClass, case_class, "cases.case_class", None)) is not None
    ]


def _entries(
    system: SystemName, since: datetime, queues: Mapping[QueueName, QueueRules]
) -> Select[tuple[str, str, int, int, int]]:
    threshold = _limit({name: each.service_level_threshold for name, each in queues.items()})
    short = _limit({name: each.short_abandon for name, each in queues.items()})
    return (
        select(
            EntryRow.queue,
            EntryRow.disposition,
            func.count(),
            _number_of(EntryRow.wait_ms <= threshold),
            _number_of(EntryRow.wait_ms < short),
        )
        .where(
            EntryRow.system == system,
            EntryRow.joined_at >= since - AGE_MAX,
            func.coalesce(EntryRow.answered_at, EntryRow.ended_at) >= since,
            _is_over(EntryRow.call_id),
        )
        .group_by(EntryRow.queue, EntryRow.disposition)
    )


def _joins(system: SystemName, since: datetime) -> Select[tuple[str, int]]:
    """Who was refused, or sent on, at the door never joined; who met a closed one did not wait."""
    never = or_(
        EntryRow.disposition.in_([each.value for each in NEVER_JOINED]),
        and_(
            EntryRow.disposition == Disposition.CLOSED.value,
            EntryRow.entry_wait_ms.is_(None),
        ),
    )
    return (
        select(EntryRow.queue, func.count())
        .where(
            EntryRow.system == system,
            EntryRow.joined_at >= since,
            ~never,
            _is_over(EntryRow.call_id),
        )
        .group_by(EntryRow.queue)
    )


def _moves(system: SystemName, since: datetime) -> Select[tuple[str, int]]:
    return (
        select(MoveRow.to_queue, func.count())
        .where(
            MoveRow.system == system,
            MoveRow.ended_at >= since,
            MoveRow.end == MoveEnd.LANDED.value,
            _is_over(MoveRow.call_id),
        )
        .group_by(MoveRow.to_queue)
    )


def _cases(system: SystemName, since: datetime) -> Select[tuple[str, int]]:
    """Not of calls that were handed on: what a guide makes of them later is not counted live."""
    return (
        select(CaseRow.queue, func.count())
        .where(
            CaseRow.system == system,
            CaseRow.opened_at >= since,
            ~CaseRow.is_handed_on,
            _is_over(CaseRow.call_id),
        )
        .group_by(CaseRow.queue)
    )


def _is_over(call_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return exists().where(CallRow.call_id == call_id)


def _limit(limits: Mapping[QueueName, timedelta]) -> ColumnElement[int]:
    """Return each queue's own limit in ms; NULL, which nothing is below, for another queue."""
    in_ms = {str(queue): milliseconds(limit) for queue, limit in limits.items()}
    return cast(case(in_ms, value=EntryRow.queue, else_=None), Integer)


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
