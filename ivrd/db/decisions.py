"""Reads back what was decided about one call.

Here: queries that return records. Not here: what people read of it (cli_overflow.py).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ivrd.core.decisions import NO_CALL, DecidedKind, RecordDecision
from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import CallRow, DecisionRow, EntryRow
from ivrd.db.words import word_or

READ_S_MAX = 30.0
"""A person waits for it."""

CALLS_MAX = 10
"""So many calls of the same last part are told of, to choose from."""

ROWS_MAX = 1_000
"""No call has so many decisions."""

RULE_LOOKS_BACK = timedelta(days=7)
"""A rule that is in force began within this."""


async def calls_named(engine: AsyncEngine, text: str) -> Sequence[CallId]:
    """Return the calls that a text names, by the whole id or its last part; newest first."""
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        found: dict[CallId, None] = {}
        for column, order in (
            (DecisionRow.call_id, DecisionRow.id),
            (CallRow.call_id, CallRow.id),
        ):
            is_it = or_(column == text, column.endswith(f"/{text}", autoescape=True))
            query = select(column).where(is_it).order_by(order.desc()).limit(ROWS_MAX)
            found |= dict.fromkeys(CallId(one) for one in await session.scalars(query))
    whole = CallId(text)
    return [whole] if whole in found else list(found)[:CALLS_MAX]


async def decisions_about(engine: AsyncEngine, call_id: CallId) -> Sequence[RecordDecision]:
    """Return the decisions about a call in order, each rule's last beginning among them."""
    mine = select(DecisionRow).where(DecisionRow.call_id == call_id)
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        ordered = mine.order_by(DecisionRow.at, DecisionRow.id).limit(ROWS_MAX)
        found = [told for row in await session.scalars(ordered) if (told := _fact(row))]
        found += await _diverted(session, call_id)
        began: dict[int, RecordDecision] = {}
        for one in found:
            is_it = (DecisionRow.rule == one.rule, DecisionRow.what == DecidedKind.BEGAN.value)
            row = await session.scalar(_last(one.system, one.at, *is_it))
            if row is not None and (beginning := _fact(row)) is not None:
                began[row.id] = beginning
    # A rule begins, and then moves, in the same moment.
    return sorted([*began.values(), *found], key=lambda one: one.at)


async def _diverted(session: AsyncSession, call_id: CallId) -> Sequence[RecordDecision]:
    """Return that a call was sent on at a door, by the rule whose doors they were then."""
    stays = select(EntryRow).where(
        EntryRow.call_id == call_id, EntryRow.disposition == Disposition.DIVERTED.value
    )
    found = []
    for stay in (await session.scalars(stays.order_by(EntryRow.number))).all():
        is_it = (
            DecisionRow.from_queue == stay.queue,
            DecisionRow.what == DecidedKind.DIVERTING.value,
        )
        door = await session.scalar(_last(stay.system, stay.joined_at, *is_it))
        if door is not None and (told := _fact(door)) is not None:
            found.append(
                replace(told, call_id=call_id, at=stay.joined_at, what=DecidedKind.DIVERTED)
            )
    return found


def _last(system: str, at: datetime, *more: ColumnElement[bool]) -> Select[tuple[DecisionRow]]:
    """Return how to find the last decision about a rule or a door until then."""
    return (
        select(DecisionRow)
        .where(
            DecisionRow.call_id == NO_CALL,
            DecisionRow.system == system,
            DecisionRow.at <= at,
            DecisionRow.at >= at - RULE_LOOKS_BACK,
            *more,
        )
        .order_by(DecisionRow.at.desc(), DecisionRow.id.desc())
        .limit(1)
    )


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine.execution_options(**{READ_ONLY: True}), expire_on_commit=False)


def _fact(row: DecisionRow) -> RecordDecision | None:
    """Return a decision; None for one of a kind that this version does not know."""
    what = word_or(DecidedKind, row.what, "decisions.what", None, row=row.id)
    if what is None:
        return None
    return RecordDecision(
        at=row.at,
        system=SystemName(row.system),
        call_id=CallId(row.call_id),
        what=what,
        rule=row.rule,
        from_queue=QueueName(row.from_queue),
        to_queue=QueueName(row.to_queue),
        is_dry_run=row.is_dry_run,
        is_by_hand=row.is_by_hand,
        who=row.who,
        why=row.why,
        figures=row.figures,
    )
