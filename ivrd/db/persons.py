"""All rows of one caller: found, read whole, and cleared; and who read a number.

Here: statements. Not here: keys and numbers (ivrd/privacy), files and words (ivrd/person_file.py).

How rows are found: by every caller key that the number may have had within its retention, and,
where a row's key is purged before its number, by opening each sealed number that is left. All
else belongs to a call, or to a case of a call: every table with a `call_id` or a `case_id`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Table, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivrd.db.connection import READ_ONLY
from ivrd.db.models import Base, CallRow, CaseRow, NumberReadRow
from ivrd.db.purge import FREE_TEXTS, redact_history

KEYS_PER_QUERY = 400
"""Stays far below any limit on bound parameters."""

PAGE_ROWS = 2_000

READ_S_MAX = 600.0
"""Opening every sealed number of a county's month: 400,000 of them."""

CALLS = Base.metadata.tables[CallRow.__tablename__]
CASES = Base.metadata.tables[CaseRow.__tablename__]
READS = Base.metadata.tables[NumberReadRow.__tablename__]

NO_CALLER = dict.fromkeys(("caller_sealed", "caller_key", "caller_key_before"))

HIDDEN_COLUMNS = frozenset({"caller_sealed"})
"""Of no use to the person: the number itself stands above the rows."""

_T = TypeVar("_T")

Value = str | int | bool | datetime | None

Engine = AsyncEngine
"""For whoever may not know SQLAlchemy."""

Rows = Sequence[Mapping[str, Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Which rows are one caller's."""

    calls: frozenset[str]
    """Ids of calls."""
    cases: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRead:
    """One look at a number, or at all of a person's."""

    read_id: str
    at: datetime
    who: str
    role: str
    call_id: str
    what: str
    why: str


async def find(
    engine: AsyncEngine, keys: Iterable[str], *, is_theirs: Callable[[str, str], bool]
) -> Found:
    """Return which calls and cases are a caller's.

    Args:
        engine: Of the database.
        keys: Every caller key that they may have.
        is_theirs: Whether a sealed number of a call opens to theirs.
    """
    calls: set[str] = set()
    cases: set[int] = set()
    async with asyncio.timeout(READ_S_MAX), engine.connect() as connection:
        connection = await connection.execution_options(**{READ_ONLY: True})
        rest = iter(keys)
        while some := list(islice(rest, KEYS_PER_QUERY)):
            query = select(CALLS.c.call_id).where(CALLS.c.caller_key.in_(some))
            calls.update(await connection.scalars(query))
            of_key = select(CASES.c.id).where(CASES.c.caller_key.in_(some))
            cases.update(await connection.scalars(of_key))
        async for call_id, sealed in _keyless(connection):
            if is_theirs(sealed, call_id):
                calls.add(call_id)
        for of_calls in _parts(sorted(calls)):
            query = select(CASES.c.id).where(CASES.c.call_id.in_(of_calls))
            cases.update(await connection.scalars(query))
        for of_cases in _parts(sorted(cases)):
            query = select(CASES.c.call_id).where(CASES.c.id.in_(of_cases))
            calls.update(await connection.scalars(query))
    return Found(calls=frozenset(calls), cases=frozenset(cases))


async def rows_of(engine: AsyncEngine, found: Found) -> Mapping[str, Rows]:
    """Return every row of a caller, by table; only tables that have some."""
    held: dict[str, Rows] = {}
    async with asyncio.timeout(READ_S_MAX), engine.connect() as connection:
        connection = await connection.execution_options(**{READ_ONLY: True})
        for table in Base.metadata.sorted_tables:
            rows = await _rows_in(connection, table, found)
            if rows:
                held[table.name] = rows
    return held


async def erase(engine: AsyncEngine, found: Found, *, log: NumberRead | None) -> Mapping[str, int]:
    """Clear number, keys and notes of a caller's rows, all or none, and keep that it was done.

    Returns:
        How many rows were cleared, by table.
    """
    cleared: dict[str, int] = {}
    async with asyncio.timeout(READ_S_MAX), engine.begin() as connection:
        for some in _parts(sorted(found.calls)):
            change = update(CALLS).where(
                CALLS.c.call_id.in_(some),
                or_(CALLS.c.caller_sealed.is_not(None), CALLS.c.caller_key.is_not(None)),
            )
            done = await connection.execute(change.values(**NO_CALLER))
            cleared["calls"] = cleared.get("calls", 0) + done.rowcount
        for part in _parts(sorted(found.cases)):
            await redact_history(connection, part)
            values: dict[str, str | None] = dict.fromkeys(FREE_TEXTS, "")
            holds = [CASES.c[name] != "" for name in FREE_TEXTS]
            change = update(CASES).where(
                CASES.c.id.in_(part), or_(CASES.c.caller_key.is_not(None), *holds)
            )
            done = await connection.execute(change.values(**values, caller_key=None))
            cleared["cases"] = cleared.get("cases", 0) + done.rowcount
        if log is not None:
            await _note(connection, log)
    return {table: rows for table, rows in cleared.items() if rows}


async def sealed_number(engine: AsyncEngine, call_id: str, *, log: NumberRead) -> str | None:
    """Return the sealed number of a call, and keep in the same transaction that it was asked for.

    None when the call has none, or there is no such call; that is kept too.
    """
    async with asyncio.timeout(READ_S_MAX), engine.begin() as connection:
        await _note(connection, log)
        sealed: str | None = await connection.scalar(
            select(CALLS.c.caller_sealed).where(CALLS.c.call_id == call_id)
        )
    return sealed


async def note(engine: AsyncEngine, log: NumberRead) -> None:
    """Keep that somebody looked."""
    async with asyncio.timeout(READ_S_MAX), engine.begin() as connection:
        await _note(connection, log)


async def _note(connection: AsyncConnection, log: NumberRead) -> None:
    await connection.execute(
        insert(READS).values(
            read_id=log.read_id,
            at=log.at,
            who=log.who,
            role=log.role,
            call_id=log.call_id,
            what=log.what,
            why=log.why,
        )
    )


async def _keyless(connection: AsyncConnection) -> AsyncIterator[tuple[str, str]]:
    """Yield call and sealed number of each row whose key is purged, page by page."""
    last = 0
    while True:
        query = (
            select(CALLS.c.id, CALLS.c.call_id, CALLS.c.caller_sealed)
            .where(
                CALLS.c.id > last, CALLS.c.caller_sealed.is_not(None), CALLS.c.caller_key.is_(None)
            )
            .order_by(CALLS.c.id)
            .limit(PAGE_ROWS)
        )
        page = (await connection.execute(query)).all()
        for row_id, call_id, sealed in page:
            last = row_id
            yield call_id, sealed
        if len(page) < PAGE_ROWS:
            return


async def _rows_in(connection: AsyncConnection, table: Table, found: Found) -> Rows:
    rows: list[Mapping[str, Value]] = []
    if "call_id" in table.c:
        wanted: Collection[str] | Collection[int] = found.calls
        column = table.c.call_id
    elif "case_id" in table.c:
        wanted, column = found.cases, table.c.case_id
    else:
        return rows
    shown = [each for each in table.c if each.name not in HIDDEN_COLUMNS]
    for some in _parts(sorted(wanted)):
        answer = await connection.execute(
            select(*shown).where(column.in_(some)).order_by(table.c.id)
        )
        rows.extend(dict(row) for row in answer.mappings())
    return rows


def _parts(values: Sequence[_T]) -> Iterable[Sequence[_T]]:
    for start in range(0, len(values), KEYS_PER_QUERY):
        yield values[start : start + KEYS_PER_QUERY]
