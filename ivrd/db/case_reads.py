"""Reads cases for screens, searches and exports; each of them by an index (docs/cases.md).

Here: queries that return cases. Not here: changing them (case_writes.py), and layout.

Pages go by the place of the last row, never by counting rows over again, so that the thousandth
costs what the first does.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from ivrd.core.case_record import Case, CaseClass, CaseState, Change, FeedbackKind
from ivrd.db.case_rows import CASES, case_of_row, change_of_row
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import IS_NOT_CLOSED, IS_UNLABELLED, CaseChangeRow

READ_S_MAX = 30.0
"""A person waits for it."""

PAGE_CASES_MAX = 500
"""As facts.PAGE_CALLS."""

CHANGES_MAX = 10_000
"""No case has so many; one that some program changes for ever must not fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose cases somebody may see; an empty set is no limit."""

    lines: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()

    def sees(self, case: Case) -> bool:
        """Return whether a case is within it."""
        return (not self.lines or case.line in self.lines) and (
            not self.departments or case.department in self.departments
        )


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases are sought; None is any."""

    since: datetime | None = None
    """Opened from then on."""
    until: datetime | None = None
    """Opened before then."""
    agent: str | None = None
    line: str | None = None
    department: str | None = None
    label: str | None = None
    state: CaseState | None = None
    case_class: CaseClass | None = None
    is_case: bool | None = None
    """False: contacts only."""
    is_unlabelled: bool = False
    """Only those that wait for their label."""
    is_not_closed: bool = False
    caller_key: str | None = None
    feedback_kind: FeedbackKind | None = None
    due_before: datetime | None = None
    """Open, with a call back promised before then."""
    external_id: str | None = None
    call_id: str | None = None
    scope: Scope = EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ended."""

    opened_at: datetime
    case_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some cases, newest first, and where the next page begins."""

    cases: tuple[Case, ...]
    next: Place | None
    """None on the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHistory:
    """One case with every change, oldest first."""

    case: Case
    changes: tuple[Change, ...]


async def drafts_of(
    engine: AsyncEngine, agent: str, *, count_max: int = PAGE_CASES_MAX
) -> Sequence[Case]:
    """Return an agent's cases that wait for their label, newest first."""
    wanted = CaseFilter(agent=agent, is_unlabelled=True)
    return (await search(engine, wanted, count_max=count_max)).cases


async def unlabelled_by_agent(engine: AsyncEngine) -> dict[str, int]:
    """Return how many cases wait for their label, by agent."""
    query = select(CASES.c.agent, func.count()).where(text(IS_UNLABELLED)).group_by(CASES.c.agent)
    async with asyncio.timeout(READ_S_MAX), _reader(engine) as connection:
        return {agent: count for agent, count in (await connection.execute(query)).all()}


async def case_of(
    engine: AsyncEngine, case_id: int, *, scope: Scope = EVERYTHING
) -> CaseHistory | None:
    """Return a case with its history; None when there is none, or it is out of scope."""
    changes = (
        select(CaseChangeRow)
        .where(CaseChangeRow.case_id == case_id)
        .order_by(CaseChangeRow.version)
        .limit(CHANGES_MAX)
    )
    reader = engine.execution_options(**{READ_ONLY: True})
    async with asyncio.timeout(READ_S_MAX), AsyncSession(reader) as session:
        row = (await session.execute(select(CASES).where(CASES.c.id == case_id))).one_or_none()
        if row is None or not scope.sees(case := case_of_row(row)):
            return None
        found = (await session.scalars(changes)).all()
        return CaseHistory(case=case, changes=tuple(change_of_row(one) for one in found))


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
    """
    count = max(1, min(count_max, PAGE_CASES_MAX))
    query = search_query(wanted, after=after, count=count + 1)
    async with asyncio.timeout(READ_S_MAX), _reader(engine) as connection:
        rows = (await connection.execute(query)).all()
    cases = tuple(case_of_row(row) for row in rows[:count])
    is_last = len(rows) <= count
    end = None if is_last else Place(opened_at=cases[-1].opened_at, case_id=cases[-1].case_id)
    return Page(cases=cases, next=end)


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


def search_query(
    wanted: CaseFilter, *, after: Place | None, count: int
) -> Select[tuple[object, ...]]:
    """Return the statement of a search; its own function, so that a test may have it explained."""
    place = tuple_(CASES.c.opened_at, CASES.c.id)
    query = select(CASES).where(*_conditions(wanted))
    if after is not None:
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
    if wanted.scope.lines:
        found.append(columns.line.in_(sorted(wanted.scope.lines)))
    if wanted.scope.departments:
        found.append(columns.department.in_(sorted(wanted.scope.departments)))
    return found


def _said(words: str) -> ColumnElement[bool]:
    """Return a condition in the very words of a partial index."""
    return or_(text(words))


def _reader(engine: AsyncEngine) -> "AsyncConnection":
    return engine.execution_options(**{READ_ONLY: True}).connect()
