"""Reads back what was decided about one call.

Here: queries that return records. Not here: what people read of it (cli_overflow.py).
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ivrd.core.decisions import NO_CALL, DecidedKind, RecordDecision
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import CallRow, DecisionRow

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
        rows = {row.id: row for row in await session.scalars(ordered)}
        asked = {(row.system, row.rule, row.at) for row in rows.values()}
        for system, rule, at in sorted(asked):
            began = await session.scalar(_last_begin(system, rule, at))
            if began is not None:
                rows[began.id] = began
    return [_fact(row) for row in sorted(rows.values(), key=lambda row: (row.at, row.id))]


def _last_begin(system: str, rule: str, at: datetime) -> Select[tuple[DecisionRow]]:
    return (
        select(DecisionRow)
        .where(
            DecisionRow.call_id == NO_CALL,
            DecisionRow.system == system,
            DecisionRow.what == DecidedKind.BEGAN.value,
            DecisionRow.rule == rule,
            DecisionRow.at <= at,
            DecisionRow.at >= at - RULE_LOOKS_BACK,
        )
        .order_by(DecisionRow.at.desc(), DecisionRow.id.desc())
        .limit(1)
    )


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine.execution_options(**{READ_ONLY: True}), expire_on_commit=False)


def _fact(row: DecisionRow) -> RecordDecision:
    return RecordDecision(
        at=row.at,
        system=SystemName(row.system),
        call_id=CallId(row.call_id),
        what=DecidedKind(row.what),
        rule=row.rule,
        from_queue=QueueName(row.from_queue),
        to_queue=QueueName(row.to_queue),
        is_dry_run=row.is_dry_run,
        is_by_hand=row.is_by_hand,
        who=row.who,
        why=row.why,
        figures=row.figures,
    )
