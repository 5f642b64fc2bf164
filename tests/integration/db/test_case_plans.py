"""Every read of cases goes by an index: what each database plans for the very statement."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import CaseState, FeedbackKind, Note
from ivrd.core.case_search import CaseFilter, Place, Scope
from ivrd.db.case_reads import answered_by_department, case_of, search, unlabelled
from ivrd.db.migrate import migrate
from ivrd.db.store import Store
from tests.integration.db.samples import a_call_act, a_case, a_postgres_config, an_engine
from tests.lab.many_cases import BEGINS_AT, ENDS_AT, analyze, fill
from tests.lab.postgres import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = 20_000
"""Enough that a planner which may read the whole table does not."""

MIDDLE = BEGINS_AT + (ENDS_AT - BEGINS_AT) / 2
MONTH = timedelta(days=30)

Read = Callable[[AsyncEngine], Awaitable[object]]


def a_search(**wanted: object) -> Read:
    """Return a search for its first page and one in the middle of the whole time."""

    async def read(engine: AsyncEngine) -> None:
        sought = CaseFilter(**wanted)  # type: ignore[arg-type]
        await search(engine, sought)
        await search(engine, sought, after=Place(opened_at=MIDDLE, case_id=7))

    return read


async def the_writes(engine: AsyncEngine) -> None:
    """Open a case of a known caller with a label that was keyed in, change it, and undo it all."""

    class Enough(Exception):
        pass

    async def hook(*_: object) -> None:
        if len(store.change_hooks) == 2:
            raise Enough

    store = Store(engine)
    store.change_hooks += [hook, hook]
    case = replace(a_case(), at=MIDDLE, caller_key="key77")
    with pytest.raises(Enough):
        await store.save_batch([case, a_call_act()])
    by = Actor(who="anna", origin=Origin.PAGE)
    with pytest.raises(Enough):
        await store.change_case(7, Note(text="x"), by, at=ENDS_AT, act_id="a1")


TIME = "ix_cases_opened_at_id"

READS: dict[str, tuple[Read, set[str]]] = {
    "newest": (a_search(), {TIME}),
    "a guide's drafts": (
        a_search(agent="guide7", is_unlabelled=True),
        {"ix_cases_unlabelled"},
    ),
    "a guide's": (a_search(agent="guide7"), {"ix_cases_agent_opened_at"}),
    "a department's": (a_search(department="department3"), {"ix_cases_department_opened_at"}),
    "a department's in a month": (
        a_search(department="department3", since=MIDDLE, until=MIDDLE + MONTH),
        {"ix_cases_department_opened_at"},
    ),
    "a line's": (a_search(line="line3"), {"ix_cases_line_opened_at"}),
    "several lines'": (
        a_search(scope=Scope(lines=frozenset({"line1", "line2"}))),
        {"ix_cases_line_opened_at"},
    ),
    "of a label": (a_search(label="label5"), {"ix_cases_label"}),
    "a caller's": (a_search(caller_key="key77"), {"ix_cases_caller"}),
    "feedback": (a_search(feedback_kind=FeedbackKind.COMPLAINT), {"ix_cases_feedback"}),
    "handed over": (a_search(state=CaseState.HANDED_OVER), {"ix_cases_not_closed"}),
    "calls back that are due": (a_search(due_before=MIDDLE), {"ix_cases_deadline"}),
    "by the department's own number": (a_search(external_id="KC-19"), {"ix_cases_external"}),
    "of a call": (a_search(call_id="pbx1/55"), {"cases"}),
    "words in a month": (a_search(words="x", since=MIDDLE, until=MIDDLE + MONTH), {TIME}),
    "one with its history": (lambda engine: case_of(engine, 4711), {"cases", "case_changes"}),
    "without a label, counted": (unlabelled, {"ix_cases_unlabelled"}),
    "first contact of a month": (
        lambda engine: answered_by_department(engine, since=MIDDLE, until=MIDDLE + MONTH),
        {TIME, "ix_cases_department_opened_at"},
    ),
    "what an opening and an act look up": (
        the_writes,
        {"cases", "case_changes", "call_acts", "ix_cases_caller", "ix_call_acts_call_id"},
    ),
}
"""Each read, and the indexes it may go by; a table's name stands for its unique keys."""


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sqlite", "postgresql"])
async def full(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    with tempfile.TemporaryDirectory() as directory:
        config = DatabaseConfig(url=f"sqlite+aiosqlite:///{directory}/ivrd.sqlite")
        if request.param == "postgresql":
            config = await a_postgres_config(postgres)
        async with an_engine(config) as engine:
            await migrate(engine)
            await fill(engine, CASES)
            if request.param == "postgresql":
                # Its autovacuum does so by itself; nobody does in SQLite.
                await analyze(engine)
            yield engine


async def plans_of(engine: AsyncEngine, read: Read) -> list[str]:
    """Return what the database plans for each statement of a read that looks anything up."""
    seen: list[tuple[str, object]] = []

    def note(_c: object, _u: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            seen.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        await read(engine)
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert seen
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    plans = []
    async with engine.connect() as connection:
        for statement, parameters in seen:
            rows = await connection.exec_driver_sql(f"{explain} {statement}", parameters)  # type: ignore[arg-type]
            plans.append("\n".join(str(row[-1]) for row in rows))
        await connection.rollback()
    return plans


@pytest.mark.parametrize("name", READS)
async def test_a_read_goes_by_its_index(full: AsyncEngine, name: str) -> None:
    read, indexes = READS[name]
    for plan in await plans_of(full, read):
        told = f"{name} on {full.dialect.name}:\n{plan}"
        keys = {f"{start}{table}" for table in indexes for start in ("pk_", "uq_")}
        own = {"PRIMARY KEY", "sqlite_autoindex_"}
        allowed = indexes | keys | (own if full.dialect.name == "sqlite" else {TIME})
        assert any(index in plan for index in allowed), told
        assert "Seq Scan" not in plan, told
        assert "SCAN cases USING INDEX" in plan or "SCAN cases" not in plan, told
        assert "SCAN cases USING INDEX" not in plan or indexes & {TIME, "ix_cases_unlabelled"}, told
