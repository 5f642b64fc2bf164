"""Many cases in a database at once, made by the database itself, for plans and measurements.

Here: rows as a few years of a municipality, or a county, would leave them. Not here: asking for
them (tests/integration/db/test_case_plans.py, tests/bench/many_cases.py).
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

BEGINS_AT = datetime(2023, 1, 2, 7, 0, tzinfo=UTC)
ENDS_AT = BEGINS_AT + timedelta(days=3 * 365)
AGENTS = 300
DEPARTMENTS = 9
LINES = 12
LABELS = 60
CALLS_PER_CALLER = 6

CASES_PER_STATEMENT = 500_000

NUMBERS = {
    "sqlite": (
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    ),
    "postgresql": "WITH n(i) AS (SELECT generate_series({first}::bigint, {last}::bigint))",
}

HISTORY = 'case_id, version, at, who, from_where, what, "before", "after"'

SAID = "act_id, system, call_id, at, agent, what, value, who, from_where, case_id"

INDEXES = {
    "sqlite": (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        " AND tbl_name IN ('cases', 'case_changes', 'call_acts') ORDER BY rowid"
    ),
    "postgresql": (
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE tablename IN ('cases', 'case_changes', 'call_acts') AND indexname LIKE 'ix%'"
    ),
}
"""Those that may be made afterwards, with how; SQLite prefers of two the one made last."""

MOMENT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', {unix}, 'unixepoch')",
    "postgresql": "to_timestamp({unix})",
}

COLUMNS = {
    "id": "i",
    "system": "'pbx1'",
    "call_id": "'pbx1/' || i",
    "rule": "'resolved-by-guide'",
    "line": "'line' || (({mix} / 7) % {lines})",
    "queue": "'kc'",
    "agent": "'guide' || (({mix} / 11) % {agents})",
    "interface": "'PJSIP/guide'",
    "department": "'department' || (({mix} / 13) % {departments})",
    "answered_at": "{at}",
    "opened_at": "{at}",
    "is_from_journal": "{false}",
    "is_handed_on": "{false}",
    "case_class": "CASE WHEN {mix} % 50 = 0 THEN 'half_helped' ELSE 'resolved' END",
    "is_case": "{true}",
    "state": (
        "CASE WHEN i > {draft_from} AND {mix} % 20 = 0 THEN 'draft'"
        " WHEN {mix} % 997 = 1 THEN 'open' WHEN {mix} % 997 = 2 THEN 'handed_over'"
        " ELSE 'closed' END"
    ),
    "label": (
        "CASE WHEN i > {draft_from} AND {mix} % 20 = 0 THEN NULL"
        " ELSE 'label' || (({mix} / 17) % {labels}) END"
    ),
    "note": "'Ringde om samma sak som i våras; återkommer.'",
    "deadline": "CASE WHEN {mix} % 997 = 1 THEN {at} END",
    "feedback_kind": "CASE WHEN {mix} % 211 = 0 THEN 'complaint' END",
    "caller_key": "'key' || ({mix} % {callers})",
    "external_id": "CASE WHEN {mix} % 19 = 0 THEN 'KC-' || i END",
    "version": "1",
    "updated_at": "{at}",
}


async def fill(engine: AsyncEngine, cases: int) -> None:
    """Put so many cases into an empty database, each with one row of history.

    The engine must have no limit on statements: making an index of millions takes minutes.
    Indexes are made afterwards, as a restored backup has them: row by row it takes ten times as
    long. Statistics are left to the database, as the daemon leaves them.
    """
    async with engine.begin() as connection:
        indexes = (await connection.execute(text(INDEXES[engine.dialect.name]))).all()
        for name, _ in indexes:
            await connection.exec_driver_sql(f"DROP INDEX {name}")
    for first in range(1, cases + 1, CASES_PER_STATEMENT):
        last = min(cases, first + CASES_PER_STATEMENT - 1)
        await _fill_some(engine, first, last, cases)
    for _, statement in indexes:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(statement)
    if engine.dialect.name == "postgresql":
        async with engine.begin() as connection:
            for name in ("cases", "case_changes", "call_acts"):
                # Rows came with ids of their own.
                last_id = f"(SELECT max(id) FROM {name})"
                await connection.exec_driver_sql(f"SELECT setval('{name}_id_seq', {last_id})")


async def analyze(engine: AsyncEngine) -> None:
    """Let the database count, as PostgreSQL's autovacuum does by itself and SQLite when asked."""
    async with engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.exec_driver_sql("ANALYZE")


async def _fill_some(engine: AsyncEngine, first: int, last: int, cases: int) -> None:
    kind = engine.dialect.name
    step_s = (ENDS_AT - BEGINS_AT).total_seconds() / cases
    unix = f"({BEGINS_AT.timestamp():.0f} + i * {step_s!r})"
    told = {
        # Fibonacci hashing: what follows from it has nothing to do with the time.
        "mix": "((i * 2654435761) % 4294967296)",
        "at": MOMENT[kind].format(unix=unix),
        "lines": LINES,
        "agents": AGENTS,
        "departments": DEPARTMENTS,
        "labels": LABELS,
        "callers": max(1, cases // CALLS_PER_CALLER),
        "draft_from": cases - max(1_000, cases // 1_000),
        "true": "1" if kind == "sqlite" else "true",
        "false": "0" if kind == "sqlite" else "false",
    }
    # Twice, because some parts hold others.
    values = ", ".join(value.format(**told).format(**told) for value in COLUMNS.values())
    numbers = NUMBERS[kind].format(first=first, last=last)
    history = ("i", "1", told["at"], "'rule'", "'rule'", "'opened'", "'{}'", "'{}'")
    said = (
        *("'key' || i", "'pbx1'", "'pbx1/' || i", told["at"], "'guide'", "'label'", "'label1'"),
        *("'guide'", "'phone'", "i"),
    )
    tables = {
        "cases": (", ".join(COLUMNS), values),
        "case_changes": (HISTORY, ", ".join(history)),
        "call_acts": (SAID, ", ".join(said)),
    }
    async with engine.begin() as connection:
        for table, (columns, selected) in tables.items():
            # A label by phone for every fourth.
            some = " WHERE i % 4 = 0" if table == "call_acts" else ""
            statement = f"INSERT INTO {table} ({columns}) {numbers} SELECT {selected} FROM n{some}"
            await connection.exec_driver_sql(statement)
