"""Reads back what people did: acts, and who read a number in clear; newest first, page by page.

Here: queries that return records. Not here: who may see which (audit_desk.py). Acts on cases are
not in it: each case has a history of its own (case_reads.py).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from ivrd.core.actors import Origin
from ivrd.core.switches import ActOutcome
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import ActRow, CallRow, NumberReadRow
from ivrd.db.words import word, word_or

READ_S_MAX = 30.0
"""A person waits for it."""

NUMBER_ACT = "number_"
"""How the word of a look at a number begins: number_read, number_export, number_erase, ..."""

Engine = AsyncEngine
"""For whoever may not know SQLAlchemy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlace:
    """Where a page ended."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What is sought; None: whatever it is."""

    since: datetime | None = None
    until: datetime | None = None
    """Before it."""
    who: str | None = None
    act: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One thing that somebody did."""

    key: str
    """Unique; after the time it says the order."""
    at: datetime
    who: str
    origin: Origin | None
    """None for a look at a number: that keeps the role instead."""
    act: str
    subject: str
    reason: str
    until: datetime | None
    outcome: ActOutcome
    is_number: bool
    """A look at a caller's number, or at all of a person's."""

    @property
    def place(self) -> AuditPlace:
        """Where a page ends that ends with it."""
        return AuditPlace(at=self.at, key=self.key)


async def audited(
    engine: AsyncEngine,
    wanted: AuditFilter,
    *,
    after: AuditPlace | None,
    count: int,
    with_numbers: bool,
) -> Sequence[Audited]:
    """Return so many at most, newest first.

    Args:
        engine: The database.
        wanted: Which.
        after: Where the page before ended; None for the first.
        count: How many at most.
        with_numbers: Looks at numbers too.
    """
    found: list[Audited] = []
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        acts = select(ActRow).where(*_conditions(ActRow, ActRow.act_id, wanted, after))
        if wanted.act is not None:
            acts = acts.where(ActRow.act == wanted.act)
        acts = acts.order_by(ActRow.at.desc(), ActRow.act_id.desc()).limit(count)
        found += [_act(row) for row in await session.scalars(acts)]
        if with_numbers and (wanted.act or NUMBER_ACT).startswith(NUMBER_ACT):
            key = NumberReadRow.read_id
            looks = select(NumberReadRow).where(*_conditions(NumberReadRow, key, wanted, after))
            if wanted.act is not None:
                looks = looks.where(NumberReadRow.what == wanted.act.removeprefix(NUMBER_ACT))
            looks = looks.order_by(NumberReadRow.at.desc(), key.desc()).limit(count)
            found += [_look(row) for row in await session.scalars(looks)]
    found.sort(key=lambda one: (one.at, one.key), reverse=True)
    return found[:count]


async def lines_of_calls(
    engine: AsyncEngine, call_ids: Collection[str]
) -> Mapping[str, str | None]:
    """Return the line of each of some calls, None when nobody knows it; those not stored lack."""
    if not call_ids:
        return {}
    query = select(CallRow.call_id, CallRow.line).where(CallRow.call_id.in_(sorted(call_ids)))
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        return {call_id: line for call_id, line in await session.execute(query)}


def _conditions(
    table: type[ActRow] | type[NumberReadRow],
    key: InstrumentedAttribute[str],
    wanted: AuditFilter,
    after: AuditPlace | None,
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(table.at >= wanted.since)
    if wanted.until is not None:
        found.append(table.at < wanted.until)
    if wanted.who is not None:
        found.append(table.who == wanted.who)
    if after is not None:
        # The first alone is what an index of time can begin with.
        found += [table.at <= after.at, tuple_(table.at, key) < (after.at, after.key)]
    return found


def _act(row: ActRow) -> Audited:
    return Audited(
        key=row.act_id,
        at=row.at,
        who=row.who,
        origin=word_or(Origin, row.from_where, "acts.from_where", None, row=row.act_id),
        act=row.act,
        subject=row.subject,
        reason=row.reason,
        until=row.until,
        outcome=word(ActOutcome, row.outcome, "acts.outcome", row=row.act_id),
        is_number=False,
    )


def _look(row: NumberReadRow) -> Audited:
    return Audited(
        key=row.read_id,
        at=row.at,
        who=row.who,
        origin=None,
        act=NUMBER_ACT + row.what,
        subject=f"call {row.call_id}" if row.call_id else "person",
        reason=row.why,
        until=None,
        outcome=ActOutcome.DONE,
        is_number=True,
    )


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine.execution_options(**{READ_ONLY: True}), expire_on_commit=False)
