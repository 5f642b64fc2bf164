"""Reads cases for screens, searches and exports; each of them by an index (docs/cases.md).

Here: queries that return cases. Not here: changing them (case_writes.py), and layout.

Pages go by the place of the last row, never by counting rows over again, so that the thousandth
costs what the first does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, text, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from ivrd.case_errors import CaseRefused
from ivrd.core.case_record import Case, CaseClass, CaseState
from ivrd.core.case_search import EVERYTHING, CaseFilter, CaseHistory, Page, Place, Scope
from ivrd.core.first_contact import AnsweredCalls, counted
from ivrd.core.ids import CallId
from ivrd.db.case_rows import CASES, case_of_row, change_of_row
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import IS_NOT_CLOSED, IS_UNLABELLED, CallRow, CaseChangeRow
from ivrd.db.words import UnknownWord, word_or

READ_S_MAX = 30.0
"""A person waits for it."""

COUNT_S_MAX = 60.0
"""As facts.READ_S_MAX: a year is counted within this."""

PAGE_CASES_MAX = 500
"""As facts.PAGE_CALLS."""

CHANGES_MAX = 10_000
"""No case has so many; one that some program changes for ever must not fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Which way a call came and went."""

    path: str = ""
    """Through the menus, as in `CallRow`."""
    handed_to: str = ""
    """An extension that a label knows; "" for none."""


async def drafts_of(
    engine: AsyncEngine, agent: str, *, count_max: int = PAGE_CASES_MAX
) -> Sequence[Case]:
    """Return an agent's cases that wait for their label, newest first."""
    wanted = CaseFilter(agent=agent, is_unlabelled=True)
    return (await search(engine, wanted, count_max=count_max)).cases


async def ways_of(engine: AsyncEngine, call_ids: Sequence[CallId]) -> Mapping[CallId, Way]:
    """Return which way calls came and went; calls that are not stored are left out."""
    query = select(CallRow.call_id, CallRow.path, CallRow.handed_to).where(
        CallRow.call_id.in_(call_ids[:PAGE_CASES_MAX])
    )
    async with asyncio.timeout(READ_S_MAX), _reader(engine) as connection:
        rows = (await connection.execute(query)).all()
    return {CallId(row.call_id): Way(path=row.path, handed_to=row.handed_to) for row in rows}


async def unlabelled(engine: AsyncEngine) -> Mapping[tuple[str, str], int]:
    """Return how many cases wait for their label, by system and queue."""
    columns = (CASES.c.system, CASES.c.queue)
    query = select(*columns, func.count()).where(_said(IS_UNLABELLED)).group_by(*columns)
    async with asyncio.timeout(READ_S_MAX), _reader(engine) as connection:
        rows = (await connection.execute(query)).all()
    return {(system, queue): count for system, queue, count in rows}


async def answered_by_department(
    engine: AsyncEngine, *, since: datetime, until: datetime, scope: Scope = EVERYTHING
) -> Mapping[str | None, AnsweredCalls]:
    """Return the calls that guides answered in [since, until), by department; they add up."""
    columns = CASES.c
    is_second = or_(columns.linked_case_id.is_not(None), columns.deadline.is_not(None))
    keys = (columns.department, columns.case_class, is_second)
    wanted = CaseFilter(since=since, until=until, scope=scope)
    query = select(*keys, func.count()).where(*_conditions(wanted)).group_by(*keys)
    async with asyncio.timeout(COUNT_S_MAX), _reader(engine) as connection:
        rows = (await connection.execute(query)).all()
    counts: dict[str | None, AnsweredCalls] = {}
    for department, case_class, second, calls in rows:
        known = word_or(CaseClass, case_class, "cases.case_class", None)
        if known is None:
            continue
        some = counted(known, is_second=bool(second), calls=calls)
        counts[department] = counts.get(department, AnsweredCalls()) + some
    return counts


async def case_of(engine: AsyncEngine, case_id: int) -> CaseHistory | None:
    """Return a case with its history; None when there is none."""
    changes = (
        select(CaseChangeRow)
        .where(CaseChangeRow.case_id == case_id)
        .order_by(CaseChangeRow.version)
        .limit(CHANGES_MAX)
    )
    reader = engine.execution_options(**{READ_ONLY: True})
    async with asyncio.timeout(READ_S_MAX), AsyncSession(reader) as session:
        row = (await session.execute(select(CASES).where(CASES.c.id == case_id))).one_or_none()
        if row is None:
            return None
        found = (await session.scalars(changes)).all()
        return CaseHistory(
            case=case_of_row(row), changes=tuple(change_of_row(one) for one in found)
        )


async def search(
    engine: AsyncEngine,
    wanted: CaseFilter,
    *,
    after: Place | None = None,
    count_max: int = 50,
) -> Page:
    """Return one page of the cases that are sought, newest first.

    Args:
        engine: The database.
        wanted: Which.
        after: Where the page before ended; None for the first.
        count_max: At most so many, and never more than PAGE_CASES_MAX.

    Raises:
        CaseRefused: The filter asks for what no index can find.
    """
    fault = wanted.fault()
    if fault is not None:
        raise CaseRefused(fault)
    count = max(1, min(count_max, PAGE_CASES_MAX))
    query = search_query(wanted, after=after, count=count + 1)
    async with asyncio.timeout(READ_S_MAX), _reader(engine) as connection:
        rows = (await connection.execute(query)).all()
    cases: list[Case] = []
    for row in rows[:count]:
        with contextlib.suppress(UnknownWord):  # Logged there; the others are shown.
            cases.append(case_of_row(row))
    is_last = len(rows) <= count
    last = rows[:count][-1:]
    end = None if is_last else Place(opened_at=last[0].opened_at, case_id=last[0].id)
    return Page(cases=tuple(cases), next=end)


async def all_of(engine: AsyncEngine, wanted: CaseFilter) -> AsyncIterator[Case]:
    """Yield every case that is sought, newest first, page by page, as an export does."""
    after: Place | None = None
    while True:
        page = await search(engine, wanted, after=after, count_max=PAGE_CASES_MAX)
        for case in page.cases:
            yield case
        if page.next is None:
            return
        after = page.next


def search_query(wanted: CaseFilter, *, after: Place | None, count: int) -> Select[tuple[Any, ...]]:
    """Return the statement of a search; its own function, so that a test may have it explained.

    Of several lines, or departments, each is sought by itself and the newest of all are taken: an
    index holds each in order of time, but not several of them together.
    """
    parts = _parts(wanted)
    newest = (CASES.c.opened_at.desc(), CASES.c.id.desc())
    if len(parts) == 1:
        return _branch(select(CASES), wanted, after=after, count=count)
    places = select(CASES.c.opened_at, CASES.c.id)
    branches = (_branch(places, part, after=after, count=count) for part in parts)
    # SQLite takes no LIMIT in a part of a union, unless the part is a selection of a selection.
    union = union_all(*(select(branch.subquery()) for branch in branches)).subquery()
    found = select(union.c.id).order_by(union.c.opened_at.desc(), union.c.id.desc()).limit(count)
    return select(CASES).where(CASES.c.id.in_(found)).order_by(*newest)


def _parts(wanted: CaseFilter) -> Sequence[CaseFilter]:
    """Return searches that together find the same, each of one line or one department."""
    lines, departments = wanted.scope.lines, wanted.scope.departments
    if wanted.line is not None and lines:
        lines &= {wanted.line}
    if wanted.department is not None and departments:
        departments &= {wanted.department}
    if len(lines) > 1:
        scopes = [replace(wanted.scope, lines=frozenset({line})) for line in sorted(lines)]
    elif len(departments) > 1:
        scopes = [
            replace(wanted.scope, departments=frozenset({one})) for one in sorted(departments)
        ]
    else:
        return [wanted]
    return [replace(wanted, scope=scope) for scope in scopes]


def _branch(
    columns: Select[tuple[Any, ...]], wanted: CaseFilter, *, after: Place | None, count: int
) -> Select[tuple[Any, ...]]:
    query = columns.where(*_conditions(wanted))
    if after is not None:
        place = tuple_(CASES.c.opened_at, CASES.c.id)
        query = query.where(place < (after.opened_at, after.case_id))
    return query.order_by(CASES.c.opened_at.desc(), CASES.c.id.desc()).limit(count)


def _conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    columns = CASES.c
    same = {
        columns.agent: wanted.agent,
        columns.line: wanted.line,
        columns.department: wanted.department,
        columns.label: wanted.label,
        columns.state: None if wanted.state is None else wanted.state.value,
        columns.case_class: None if wanted.case_class is None else wanted.case_class.value,
        columns.caller_key: wanted.caller_key,
        columns.feedback_kind: (
            None if wanted.feedback_kind is None else wanted.feedback_kind.value
        ),
        columns.external_id: wanted.external_id,
        columns.call_id: wanted.call_id,
    }
    found = [column == value for column, value in same.items() if value is not None]
    if wanted.since is not None:
        found.append(columns.opened_at >= wanted.since)
    if wanted.until is not None:
        found.append(columns.opened_at < wanted.until)
    if wanted.is_case is not None:
        found.append(columns.is_case.is_(wanted.is_case))
    if wanted.is_unlabelled:
        found.append(_said(IS_UNLABELLED))
    elif wanted.is_not_closed or wanted.state not in (None, CaseState.CLOSED):
        found.append(_said(IS_NOT_CLOSED))
    if wanted.due_before is not None:
        found.append(columns.state == CaseState.OPEN.value)
        found.append(columns.deadline < wanted.due_before)
    if wanted.words is not None:
        found.append(
            or_(
                columns.note.icontains(wanted.words, autoescape=True),
                columns.feedback_text.icontains(wanted.words, autoescape=True),
            )
        )
    if wanted.scope.lines:
        found.append(_one_of(columns.line, wanted.scope.lines))
    if wanted.scope.departments:
        found.append(_one_of(columns.department, wanted.scope.departments))
    return found


def _one_of(column: ColumnElement[Any], values: frozenset[str]) -> ColumnElement[bool]:
    """Return a condition; of one value an equation, after which an index goes on in order."""
    [*some] = sorted(values)
    return column == some[0] if len(some) == 1 else column.in_(some)


def _said(words: str) -> ColumnElement[bool]:
    """Return a condition in the very words of a partial index."""
    return or_(text(words))


def _reader(engine: AsyncEngine) -> "AsyncConnection":
    return engine.execution_options(**{READ_ONLY: True}).connect()
