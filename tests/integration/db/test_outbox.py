"""Nothing is lost or doubled on the way to the database."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.core.events import CaseSaved, Event
from ivrd.db.migrate import migrate
from ivrd.db.models import CallRow, CaseRow, EntryRow
from ivrd.db.outbox import StoreOutbox
from ivrd.db.store import Store
from ivrd.journal.facts_journal import FactsJournal
from tests.integration.db.samples import (
    AT,
    WITHIN_S,
    Database,
    a_call_id,
    a_case,
    a_postgres_config,
    a_recorded_call,
    all_of_a_call,
    an_engine,
    an_entry,
    eventually,
    rows_in,
)
from tests.lab.postgres import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextlib.asynccontextmanager
async def running(outbox: StoreOutbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run(), name="outbox")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_outbox_migrates_saves_and_reports_each_case(database: Database) -> None:
    reported: list[Event] = []
    async with an_engine(database.config) as engine:
        outbox = StoreOutbox(Store(engine), report=reported.append)
        for number in range(1_000):
            for effect in all_of_a_call(number):
                outbox.put_nowait(effect)
        assert outbox.depth == 4_000
        async with running(outbox):
            assert await outbox.drain(within_s=WITHIN_S) == 0
        assert (outbox.saved, outbox.dropped, outbox.refused) == (4_000, 0, 0)
        assert await rows_in(engine, CaseRow) == 1_000
    saved = [event for event in reported if isinstance(event, CaseSaved)]
    assert [event.call_id for event in saved] == [a_call_id(number) for number in range(1_000)]
    assert len({event.case_id for event in saved}) == 1_000
    assert all(event.at == AT + timedelta(seconds=95) for event in saved)


async def test_a_case_in_the_database_already_is_reported_too(engine: AsyncEngine) -> None:
    saved = await Store(engine).save_batch([a_case()])
    reported: list[Event] = []
    outbox = StoreOutbox(Store(engine), report=reported.append)
    outbox.put_nowait(a_case())
    async with running(outbox):
        assert await outbox.drain(within_s=WITHIN_S) == 0
    [event] = reported
    assert isinstance(event, CaseSaved)
    assert [event.case_id] == list(saved.case_ids.values())


async def test_more_than_the_bound_is_dropped_and_counted(engine: AsyncEngine) -> None:
    outbox = StoreOutbox(Store(engine), report=lambda _: None, bound=10)
    for number in range(15):
        outbox.put_nowait(an_entry(call=number))
    assert (outbox.depth, outbox.dropped) == (10, 5)
    async with running(outbox):
        assert await outbox.drain(within_s=WITHIN_S) == 0
    assert await rows_in(engine, EntryRow) == 10


async def test_one_fact_that_the_database_refuses_does_not_stop_the_others(
    engine: AsyncEngine,
) -> None:
    outbox = StoreOutbox(Store(engine), report=lambda _: None)
    outbox.put_nowait(an_entry(call=1))
    outbox.put_nowait(replace(an_entry(call=2), number=2**70))
    outbox.put_nowait(replace(an_entry(call=3), joined_at=AT.replace(tzinfo=None)))
    outbox.put_nowait(an_entry(call=4))
    async with running(outbox):
        assert await outbox.drain(within_s=WITHIN_S) == 0
    assert (outbox.saved, outbox.refused) == (2, 2)
    assert await rows_in(engine, EntryRow) == 2


@pytest.mark.parametrize("is_crash", [False, True])
async def test_postgresql_away_and_back_loses_and_doubles_nothing(
    postgres: Postgres, is_crash: bool
) -> None:
    reported: list[Event] = []
    async with an_engine(await a_postgres_config(postgres)) as engine:
        outbox = StoreOutbox(Store(engine), report=reported.append)
        async with running(outbox):
            for number in range(100):
                outbox.put_nowait(a_case(number))
            await eventually(lambda: outbox.saved > 0, what="first cases saved")
            for number in range(100, 2_000):
                outbox.put_nowait(a_case(number))
            await (postgres.kill() if is_crash else postgres.stop())
            for number in range(2_000, 3_000):
                outbox.put_nowait(a_case(number))
            await eventually(lambda: outbox.trouble is not None, what="the loss noticed")
            assert outbox.depth >= 1_000
            await postgres.resume()
            assert await outbox.drain(within_s=WITHIN_S) == 0
            assert outbox.trouble is None
        assert await rows_in(engine, CaseRow) == 3_000
    calls = {event.call_id for event in reported if isinstance(event, CaseSaved)}
    assert calls == {a_call_id(number) for number in range(3_000)}
    assert (outbox.saved, outbox.dropped, outbox.refused) == (3_000, 0, 0)


async def test_a_database_that_is_away_at_the_start_is_waited_for(postgres: Postgres) -> None:
    config = await a_postgres_config(postgres)
    await postgres.stop()
    async with an_engine(config) as engine:
        outbox = StoreOutbox(Store(engine), report=lambda _: None)
        outbox.put_nowait(a_recorded_call())
        async with running(outbox):
            await eventually(
                lambda: "refused" in (outbox.trouble or "").lower(), what="trouble named"
            )
            assert await outbox.drain(within_s=0.05) == 1
            await postgres.resume()
            assert await outbox.drain(within_s=WITHIN_S) == 0
        assert await rows_in(engine, CallRow) == 1


async def test_a_locked_sqlite_file_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "ivrd.sqlite"
    async with an_engine(DatabaseConfig(url=f"sqlite+aiosqlite:///{file}")) as engine:
        await migrate(engine)
        outbox = StoreOutbox(Store(engine), report=lambda _: None)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outbox.put_nowait(a_recorded_call())
            async with running(outbox):
                await eventually(
                    lambda: "locked" in (outbox.trouble or ""), what="the lock noticed"
                )
                other.execute("ROLLBACK")
                assert await outbox.drain(within_s=WITHIN_S) == 0
        assert await rows_in(engine, CallRow) == 1


async def test_cancelling_the_outbox_keeps_what_is_not_saved(engine: AsyncEngine) -> None:
    outbox = StoreOutbox(Store(engine), report=lambda _: None)
    for number in range(2_000):
        outbox.put_nowait(a_case(number))
    async with running(outbox):
        await eventually(lambda: outbox.saved > 0, what="a first batch saved")
    assert outbox.saved + outbox.depth == 2_000
    async with running(outbox):
        assert await outbox.drain(within_s=WITHIN_S) == 0
    assert await rows_in(engine, CaseRow) == 2_000


async def test_what_earlier_lives_left_is_saved_before_anything_of_this_one(
    database: Database, tmp_path: Path
) -> None:
    before = FactsJournal(tmp_path / "journal", bytes_max=1_000_000)
    before.open()
    for number in range(3):
        before.append(a_recorded_call(number))
    before.close()
    journal = FactsJournal(tmp_path / "journal", bytes_max=1_000_000)
    journal.open()
    assert journal.holds_inherited
    held: list[int] = []
    async with an_engine(database.config) as engine:

        async def look() -> None:
            held.append(await rows_in(engine, CallRow))

        outbox = StoreOutbox(Store(engine), report=lambda _: None, journal=journal, before_own=look)
        outbox.put_nowait(a_recorded_call(3))
        async with running(outbox):
            assert await outbox.drain(within_s=WITHIN_S) == 0
        assert await rows_in(engine, CallRow) == 4
    assert held == [3]
    journal.close()
