"""Takes away what is older than it may be kept, field by field, in small transactions.

Here: statements. Not here: how long each field is kept (ivrd/retention.py), nor whose it is
(persons.py).

A batch is some hundred rows, so that the daemon, which writes beside it, waits for milliseconds. A
purge that is cut off in the middle has taken away what it has; the next one goes on.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, and_, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivrd.db.connection import READ_ONLY
from ivrd.db.models import Base

BATCH_ROWS = 500

BETWEEN_BATCHES_S = 0.02
"""The writer's turn: without it SQLite's lock would be taken again before the daemon tries."""

BATCH_S_MAX = 30.0

COUNT_S_MAX = 600.0
"""A whole table of ten million rows is read through."""

FREE_TEXTS = ("note", "feedback_text")
"""Fields of a case in which a guide may have written anything."""

REDACTED = ""

TABLES: Mapping[str, Table] = Base.metadata.tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One field, or the rows of one table, and from when on they are kept."""

    table: str
    field: str
    """As it is told: a column, or "rows"."""
    age: str
    """The column that says how old a row is."""
    before: datetime
    """What is older goes."""
    cleared: Mapping[str, object] | None = None
    """Columns and what they become; None takes the whole row."""
    is_closed_only: bool = False
    """Cases that are not closed keep it however old they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What one rule took away, or would take."""

    table: str
    field: str
    rows: int
    before: datetime


async def count(engine: AsyncEngine, rule: Rule) -> Gone:
    """Return what a rule would take away."""
    table = TABLES[rule.table]
    query = select(func.count()).select_from(table).where(_is_due(table, rule))
    async with asyncio.timeout(COUNT_S_MAX), engine.connect() as connection:
        connection = await connection.execution_options(**{READ_ONLY: True})
        rows = await connection.scalar(query)
    return Gone(table=rule.table, field=rule.field, rows=rows or 0, before=rule.before)


async def purge(engine: AsyncEngine, rule: Rule) -> Gone:
    """Take away what a rule says, batch by batch."""
    table = TABLES[rule.table]
    total = 0
    while True:
        async with asyncio.timeout(BATCH_S_MAX), engine.begin() as connection:
            ids = select(table.c.id).where(_is_due(table, rule)).order_by(table.c.id)
            due = (await connection.scalars(ids.limit(BATCH_ROWS))).all()
            if due:
                await _take(connection, table, rule, due)
        total += len(due)
        if len(due) < BATCH_ROWS:
            return Gone(table=rule.table, field=rule.field, rows=total, before=rule.before)
        await asyncio.sleep(BETWEEN_BATCHES_S)


async def _take(connection: AsyncConnection, table: Table, rule: Rule, ids: Sequence[int]) -> None:
    if rule.cleared is None:
        if table.name == "cases":
            await _take_history(connection, ids)
        await connection.execute(delete(table).where(table.c.id.in_(ids)))
        return
    if table.name == "cases" and set(rule.cleared) & set(FREE_TEXTS):
        await redact_history(connection, ids)
    await connection.execute(update(table).where(table.c.id.in_(ids)).values(**rule.cleared))


async def _take_history(connection: AsyncConnection, case_ids: Sequence[int]) -> None:
    """Take the rows of other tables that belong to cases."""
    for table in TABLES.values():
        if "case_id" in table.c and table.name != "cases":
            await connection.execute(delete(table).where(table.c.case_id.in_(case_ids)))


async def redact_history(connection: AsyncConnection, case_ids: Sequence[int]) -> None:
    """Take free text out of the history of cases, and of what was told of them elsewhere.

    That there was a note, when and by whom, stays.
    """
    for name, columns in (("case_changes", ("before", "after")), ("case_messages", ("payload",))):
        table = TABLES.get(name)
        if table is None:
            continue
        query = select(table.c.id, *(table.c[column] for column in columns))
        for row in (await connection.execute(query.where(table.c.case_id.in_(case_ids)))).all():
            found = {column: row._mapping[column] for column in columns}
            clean = {column: _redacted(value) for column, value in found.items()}
            if clean != found:
                change = update(table).where(table.c.id == row.id).values(**clean)
                await connection.execute(change)


def _redacted(document: str) -> str:
    """Return a JSON text without what people wrote freely, at whatever depth."""

    def without(value: object) -> object:
        if isinstance(value, dict):
            return {
                key: REDACTED if key in (*FREE_TEXTS, "caller_key") and inner else without(inner)
                for key, inner in value.items()
            }
        return [without(inner) for inner in value] if isinstance(value, list) else value

    try:
        value = json.loads(document)
    except ValueError:
        return REDACTED
    clean = without(value)
    return document if clean == value else json.dumps(clean, ensure_ascii=False)


def _is_due(table: Table, rule: Rule) -> ColumnElement[bool]:
    conditions = [table.c[rule.age] < rule.before]
    if rule.is_closed_only:
        conditions.append(table.c.state == "closed")
    if rule.cleared is not None:
        conditions.append(
            or_(*(table.c[name].is_distinct_from(value) for name, value in rule.cleared.items()))
        )
    return and_(*conditions)


async def wipe(engine: AsyncEngine, tables: Sequence[str], *, is_rewritten: bool) -> str:
    """See that what was taken away is gone from the files too, and say what was done.

    SQLite has overwritten it (secure_delete), so emptying its write-ahead log is enough; a rewrite
    makes the file smaller as well. PostgreSQL keeps dead rows in its files until their place is
    used again; only a rewrite of the tables ends that, and locks them while it lasts.

    Raises:
        TimeoutError: A reader kept the write-ahead log in use for too long.
    """
    if engine.dialect.name == "postgresql":
        return await _wipe_postgres(engine, tables, is_rewritten=is_rewritten)
    return await _wipe_sqlite(engine, is_rewritten=is_rewritten)


CHECKPOINT_TRIES = 100

CHECKPOINT_PAUSE_S = 0.1


async def _wipe_sqlite(engine: AsyncEngine, *, is_rewritten: bool) -> str:
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None, "a connection has a driver's connection"
        # Not by SQLAlchemy, which would begin a transaction first.
        if is_rewritten:
            await raw.execute("VACUUM")
        for _ in range(CHECKPOINT_TRIES):
            cursor = await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = await cursor.fetchone()
            await cursor.close()
            if row[0] == 0:
                return "file rewritten" if is_rewritten else "write-ahead log emptied"
            await asyncio.sleep(CHECKPOINT_PAUSE_S)
    raise TimeoutError("a reader has kept SQLite's write-ahead log in use; run it again")


async def _wipe_postgres(engine: AsyncEngine, tables: Sequence[str], *, is_rewritten: bool) -> str:
    how = "VACUUM (FULL)" if is_rewritten else "VACUUM"
    options = {"isolation_level": "AUTOCOMMIT"}
    async with engine.connect() as connection:
        connection = await connection.execution_options(**options)
        for table in tables:
            await connection.execute(text(f'{how} "{TABLES[table].name}"'))
    return "tables rewritten" if is_rewritten else "tables vacuumed"
