"""(h) Ten million cases: how long each read takes a person to wait, on both databases.

Here: filling, asking and timing. Not here: the rows (tests/lab/many_cases.py), and by which index
each read goes (tests/integration/db/test_case_plans.py).
"""

import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ivrd.config import DatabaseConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import CaseState, FeedbackKind, Note
from ivrd.core.case_search import CaseFilter, Place, Scope
from ivrd.core.ids import CallId
from ivrd.db.case_reads import answered_by_department, case_of, drafts_of, search, unlabelled
from ivrd.db.connection import open_engine
from ivrd.db.migrate import migrate
from ivrd.db.store import Store
from tests.bench.result import Result, Row, percentile, tail_row
from tests.integration.db.samples import a_case
from tests.lab.many_cases import (
    AGENTS,
    BEGINS_AT,
    DEPARTMENTS,
    ENDS_AT,
    LABELS,
    LINES,
    analyze,
    fill,
)
from tests.lab.postgres import Postgres

CASES = 10_000_000
QUICK_CASES = 200_000

READS = 200
"""Of each kind, each for something else, so that not all of it is in memory."""

COUNTS = 10
"""Of those that count over a month: they are asked for reports."""

GOAL_MS = 100.0
"""A page of cases comes before anybody notices that they wait."""

SEED = 1

MONTH = timedelta(days=30)

ANNA = Actor(who="bench", origin=Origin.PAGE)

Ask = Callable[[AsyncEngine, random.Random], Awaitable[object]]


async def measure(*, is_quick: bool, cases: int | None = None) -> Result:
    """Return what each read takes, by database."""
    count = cases or (QUICK_CASES if is_quick else CASES)
    rows: list[Row] = []
    slowest_ms = 0.0
    with tempfile.TemporaryDirectory(prefix="ivrd-bench-") as directory:
        file = Path(directory) / "ivrd.sqlite"
        some, ms = await _measure_one(f"sqlite+aiosqlite:///{file}", count)
        rows += some
        rows.append(Row(name="SQLite: size", unit="MB", figures={"all": file.stat().st_size / 1e6}))
        slowest_ms = max(slowest_ms, ms)
    async with Postgres.start() as server:
        some, ms = await _measure_one(await server.create_database("bench"), count)
        rows += some
        slowest_ms = max(slowest_ms, ms)
    return Result(
        key="h",
        title=f"{count:,} cases: what each read takes, SQLite and PostgreSQL",
        rows=rows,
        figure=slowest_ms,
        goal=f"p99 of the slowest page <= {GOAL_MS:g} ms",
        is_met=slowest_ms <= GOAL_MS,
        notes=(
            f"{READS} reads of each kind, {COUNTS} of each count, each for something else",
            "three years; each case with one row of history, every fourth labelled by phone",
            "SQLite without statistics, as the daemon leaves it; PostgreSQL analyzed",
        ),
    )


async def _measure_one(url: str, count: int) -> tuple[list[Row], float]:
    """Fill a database and ask it everything; return rows, and the slowest page's p99 in ms."""
    is_sqlite = url.startswith("sqlite")
    kind = "SQLite" if is_sqlite else "PostgreSQL"
    # Without the daemon's limit on a statement: an index of ten million takes longer.
    filler = open_engine(DatabaseConfig(url=url)) if is_sqlite else create_async_engine(url)
    started_s = time.perf_counter()
    try:
        await migrate(filler)
        await fill(filler, count)
        if not is_sqlite:
            await analyze(filler)
        filled_s = time.perf_counter() - started_s
        rows = [Row(name=f"{kind}: filling", unit="s", figures={"all": filled_s})]
        pages_ms: list[float] = []
        for name, ask in _pages(count).items():
            times_ms = await _times_ms(filler, ask, READS)
            pages_ms.append(percentile(times_ms, 99))
            rows.append(tail_row(f"{kind}: {name}", "ms", times_ms))
        for name, ask in {**_counts(), **_acts(count)}.items():
            rows.append(tail_row(f"{kind}: {name}", "ms", await _times_ms(filler, ask, COUNTS)))
        return rows, max(pages_ms)
    finally:
        await filler.dispose()


async def _times_ms(engine: AsyncEngine, ask: Ask, count: int) -> list[float]:
    chance = random.Random(SEED)
    times_ms = []
    for _ in range(count):
        started_s = time.perf_counter()
        await ask(engine, chance)
        times_ms.append((time.perf_counter() - started_s) * 1000)
    return times_ms


def _pages(count: int) -> Mapping[str, Ask]:
    """Return each read of a page, for something that chance chooses."""

    def moment(chance: random.Random) -> datetime:
        return BEGINS_AT + (ENDS_AT - BEGINS_AT) * chance.random()

    def seek(wanted: Callable[[random.Random], CaseFilter], *, is_deep: bool = False) -> Ask:
        def ask(engine: AsyncEngine, chance: random.Random) -> Awaitable[object]:
            after = Place(opened_at=moment(chance), case_id=1) if is_deep else None
            return search(engine, wanted(chance), after=after)

        return ask

    def of(most: int) -> Callable[[random.Random], int]:
        return lambda chance: chance.randrange(most)

    agent, department, line, label = of(AGENTS), of(DEPARTMENTS), of(LINES), of(LABELS)
    guide = "guide{}".format
    lines = frozenset({"line1", "line4", "line9"})
    return {
        "a guide's drafts": lambda engine, chance: drafts_of(engine, guide(agent(chance))),
        "one case with its history": lambda engine, chance: case_of(
            engine, 1 + chance.randrange(count)
        ),
        "newest": seek(lambda chance: CaseFilter()),
        "a page in the middle": seek(lambda chance: CaseFilter(), is_deep=True),
        "a guide's": seek(lambda chance: CaseFilter(agent=guide(agent(chance))), is_deep=True),
        "a department's": seek(
            lambda chance: CaseFilter(department=f"department{department(chance)}"), is_deep=True
        ),
        "a line's": seek(lambda chance: CaseFilter(line=f"line{line(chance)}"), is_deep=True),
        "three lines' together": seek(
            lambda chance: CaseFilter(scope=Scope(lines=lines)), is_deep=True
        ),
        "a label's": seek(lambda chance: CaseFilter(label=f"label{label(chance)}"), is_deep=True),
        "a caller's": seek(lambda chance: CaseFilter(caller_key=f"key{chance.randrange(9_999)}")),
        "feedback": seek(
            lambda chance: CaseFilter(feedback_kind=FeedbackKind.COMPLAINT), is_deep=True
        ),
        "handed over": seek(lambda chance: CaseFilter(state=CaseState.HANDED_OVER), is_deep=True),
        "calls back that are due": seek(
            lambda chance: CaseFilter(due_before=BEGINS_AT + MONTH * chance.random())
        ),
        "by the department's own number": seek(
            lambda chance: CaseFilter(external_id=f"KC-{chance.randrange(count)}")
        ),
        "of a line that has none": seek(lambda chance: CaseFilter(line="line-of-long-ago")),
    }


def _counts() -> Mapping[str, Ask]:
    def month(engine: AsyncEngine, chance: random.Random) -> Awaitable[object]:
        since = BEGINS_AT + MONTH * chance.randrange(35)
        return answered_by_department(engine, since=since, until=since + MONTH)

    def words(engine: AsyncEngine, chance: random.Random) -> Awaitable[object]:
        since = BEGINS_AT + MONTH * chance.randrange(35)
        return search(engine, CaseFilter(words="finns ej", since=since, until=since + MONTH))

    return {
        "without a label, counted": lambda engine, chance: unlabelled(engine),
        "first contact of a month": month,
        "words that no note of a month has": words,
    }


def _acts(count: int) -> Mapping[str, Ask]:
    def note(engine: AsyncEngine, chance: random.Random) -> Awaitable[object]:
        act = Note(text=f"{chance.random()}")
        return Store(engine).change_case(1 + chance.randrange(count), act, ANNA, at=ENDS_AT)

    def opening(engine: AsyncEngine, chance: random.Random) -> Awaitable[object]:
        case = replace(
            a_case(),
            call_id=CallId(f"pbx1/new{chance.random()}"),
            at=ENDS_AT,
            caller_key=f"key{chance.randrange(9_999)}",
        )
        return Store(engine).save_batch([case])

    return {"an act on one": note, "one more is opened": opening}
