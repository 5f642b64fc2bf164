"""From the engine to the database by way of the journal: nothing is lost or doubled, ever."""

import asyncio
import contextlib
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.core.case_record import CaseChanged
from ivrd.core.case_search import CaseFilter
from ivrd.core.events import CaseSaved, Event
from ivrd.db.case_reads import all_of
from ivrd.db.migrate import migrate
from ivrd.db.models import ActRow, Base, CallRow, CaseChangeRow, CaseRow, EntryRow, MoveRow
from ivrd.db.outbox import StoreOutbox
from ivrd.db.store import Storable, Store
from ivrd.journal.codec import decode
from ivrd.journal.facts_journal import FactsJournal
from tests.integration.db.samples import (
    REPOSITORY,
    WITHIN_S,
    Database,
    a_call_act,
    a_call_id,
    a_case,
    a_move,
    a_postgres_config,
    a_recorded_call,
    all_of_a_call,
    an_act,
    an_engine,
    an_entry,
    eventually,
    rows_in,
)
from tests.lab.postgres import Postgres
from tests.unit.journals import die

pytestmark = pytest.mark.asyncio(loop_scope="session")

MB = 1_000_000
ROUNDS = 12
LIFE_S_MAX = 0.3
"""Of a child that is killed, from its first file on; it puts some 5,000 facts a second."""


def a_journal(directory: Path, *, bytes_max: int = 50 * MB) -> FactsJournal:
    journal = FactsJournal(directory / "journal", bytes_max=bytes_max)
    journal.open()
    return journal


def an_outbox(
    engine: AsyncEngine, journal: FactsJournal, reported: list[Event] | None = None
) -> StoreOutbox:
    events: list[Event] = [] if reported is None else reported
    return StoreOutbox(Store(engine), report=events.append, journal=journal)


@contextlib.asynccontextmanager
async def running(outbox: StoreOutbox) -> AsyncIterator[None]:
    task = asyncio.create_task(outbox.run(), name="outbox")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def all_saved(outbox: StoreOutbox) -> None:
    await eventually(lambda: outbox.depth == 0, what="all facts saved")


async def something_saved(outbox: StoreOutbox) -> None:
    await eventually(lambda: outbox.saved > 0, what="something saved")


async def counts(engine: AsyncEngine) -> list[int]:
    return [await rows_in(engine, table) for table in (EntryRow, MoveRow, CallRow, CaseRow)]


def facts_of_calls(count: int) -> list[Storable]:
    return [fact for number in range(count) for fact in all_of_a_call(number)]


async def test_every_fact_goes_by_way_of_the_journal(database: Database, tmp_path: Path) -> None:
    reported: list[Event] = []
    journal = a_journal(tmp_path)
    async with an_engine(database.config) as engine:
        outbox = an_outbox(engine, journal, reported)
        for fact in facts_of_calls(1_000):
            outbox.put_nowait(fact)
        assert outbox.depth == journal.waiting == journal.appended == 4_000
        async with running(outbox):
            assert await outbox.drain(within_s=WITHIN_S) == 0
        assert (outbox.saved, outbox.depth) == (4_000, 0)
        assert await counts(engine) == [1_000] * 4
    journal.close()
    saved = [event.call_id for event in reported if isinstance(event, CaseSaved)]
    assert saved == [a_call_id(number) for number in range(1_000)]


async def test_an_act_while_the_database_is_away_is_stored_by_the_next_life(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    journal = a_journal(tmp_path)
    an_outbox(engine, journal).put_nowait(an_act())
    die(journal)
    journal = a_journal(tmp_path)
    outbox = an_outbox(engine, journal)
    async with running(outbox):
        await all_saved(outbox)
    journal.close()
    assert await rows_in(engine, ActRow) == 1


async def test_a_daemon_that_dies_in_the_middle_leaves_all_to_the_next(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    dice = random.Random(7)
    put = facts_of_calls(500)
    for start in range(0, len(put), 200):
        journal = a_journal(tmp_path)
        outbox = an_outbox(engine, journal)
        async with running(outbox):
            for fact in put[start : start + 200]:
                outbox.put_nowait(fact)
                if dice.random() < 0.05:
                    await asyncio.sleep(0)
            if dice.random() < 0.5:
                await something_saved(outbox)
            die(journal)
    journal = a_journal(tmp_path)
    store = Store(engine)
    outbox = StoreOutbox(store, report=lambda _: None, journal=journal)
    async with running(outbox):
        await all_saved(outbox)
    journal.close()
    assert await counts(engine) == [500] * 4
    assert store.conflicts == 0


async def test_what_guides_keyed_in_is_on_their_cases_whenever_the_daemon_dies(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    dice = random.Random(11)
    put: list[Storable] = []
    for number in range(40):
        during, after = a_call_act(2 * number, call=number), a_case(number)
        late = a_call_act(2 * number + 1, call=number, value="va.avgift", seconds=120)
        put += [during, after, late]
    told: list[CaseChanged] = []
    for start in range(0, len(put), 30):
        journal = a_journal(tmp_path)
        outbox = StoreOutbox(
            Store(engine), report=lambda _: None, changed=told.append, journal=journal
        )
        async with running(outbox):
            for fact in put[start : start + 30]:
                outbox.put_nowait(fact)
            if dice.random() < 0.5:
                await something_saved(outbox)
            die(journal)
    journal = a_journal(tmp_path)
    outbox = StoreOutbox(Store(engine), report=lambda _: None, journal=journal)
    async with running(outbox):
        await all_saved(outbox)
    journal.close()
    assert await rows_in(engine, CaseRow) == 40
    assert await rows_in(engine, CaseChangeRow) == 120, "opened, labelled, labelled anew: each once"
    async for case in all_of(engine, CaseFilter()):
        assert (case.label, case.version) == ("va.avgift", 3)
    keys = [(one.case.case_id, one.change.version) for one in told]
    assert len(keys) == len(set(keys)), "nobody is told twice"


async def test_a_database_that_is_away_for_a_restart_gets_all_when_it_is_back(
    postgres: Postgres, tmp_path: Path
) -> None:
    reported: list[Event] = []
    async with an_engine(await a_postgres_config(postgres)) as engine:
        await migrate(engine)
        await postgres.stop()
        for life in range(3):
            journal = a_journal(tmp_path)
            outbox = an_outbox(engine, journal)
            async with running(outbox):
                for number in range(life * 100, life * 100 + 100):
                    outbox.put_nowait(a_case(number))
                with structlog.testing.capture_logs() as logs:
                    # Given up at once: longer than that systemd would not wait either.
                    assert await asyncio.wait_for(outbox.drain(within_s=600), WITHIN_S) == 0
            assert outbox.depth == (life + 1) * 100
            [line] = [entry for entry in logs if entry["event"] == "facts_wait_in_journal"]
            assert line["waiting"] == (life + 1) * 100
            journal.close()
        await postgres.resume()
        journal = a_journal(tmp_path)
        outbox = an_outbox(engine, journal, reported)
        async with running(outbox):
            await all_saved(outbox)
        journal.close()
        assert await rows_in(engine, CaseRow) == 300
    calls = [event.call_id for event in reported if isinstance(event, CaseSaved)]
    assert calls == [a_call_id(number) for number in range(300)]


async def test_a_replay_of_what_is_stored_changes_nothing_and_is_no_conflict(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    journal = a_journal(tmp_path)
    outbox = an_outbox(engine, journal)
    for fact in facts_of_calls(50):
        outbox.put_nowait(fact)
    await Store(engine).save_batch(facts_of_calls(50))
    store = Store(engine)
    outbox = StoreOutbox(store, report=lambda _: None, journal=journal)
    async with running(outbox):
        await all_saved(outbox)
    journal.close()
    assert await counts(engine) == [50] * 4
    assert store.conflicts == 0


async def test_a_fact_that_is_ignored_for_another_with_its_key_is_noticed(
    engine: AsyncEngine,
) -> None:
    store = Store(engine)
    await store.save_batch(all_of_a_call(1))
    with structlog.testing.capture_logs() as logs:
        await store.save_batch([replace(an_entry(), queue="other"), a_recorded_call()])
        await store.save_batch([replace(a_case(), agent="Bo"), replace(a_move(), to_queue="x")])
        await store.save_batch([replace(an_entry(2), agent="Eve\0\udce5")])
        await store.save_batch([replace(an_entry(2), agent="Eve\0\udce5")])
        await store.save_batch([an_entry(3), replace(an_entry(3), talk=an_entry().wait)])
    assert store.conflicts == 4
    told = [entry for entry in logs if entry["event"] == "store_conflict_noticed"]
    assert [(entry["table"], entry["columns"]) for entry in told] == [
        ("entries", ("queue",)),
        ("entries", ("talk_ms",)),
    ]


async def test_what_the_database_refuses_is_set_aside(engine: AsyncEngine, tmp_path: Path) -> None:
    journal = a_journal(tmp_path)
    outbox = an_outbox(engine, journal)
    refused = replace(an_entry(call=2), number=2**70)
    for fact in (an_entry(call=1), refused, an_entry(call=3)):
        outbox.put_nowait(fact)
    async with running(outbox):
        await all_saved(outbox)
    journal.close()
    assert (outbox.saved, outbox.refused, outbox.dropped) == (2, 1, 0)
    [line] = (tmp_path / "journal" / "set-aside.jsonl").read_bytes().splitlines(keepends=True)
    assert decode(line) == refused


async def test_a_journal_that_is_full_drops_and_says_so_and_goes_on(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    journal = a_journal(tmp_path, bytes_max=100_000)
    outbox = an_outbox(engine, journal)
    with structlog.testing.capture_logs() as logs:
        for number in range(1_000):
            outbox.put_nowait(a_case(number))
        assert outbox.dropped == 1_000 - journal.appended > 0
        kept = journal.appended
        async with running(outbox):
            await all_saved(outbox)
            # The segment is below the size at which it goes; the next life takes it away.
            journal.close()
        journal.open()
        outbox.put_nowait(a_case(5_000))
        async with running(outbox):
            await all_saved(outbox)
    journal.close()
    assert await rows_in(engine, CaseRow) == kept + 1
    events = [entry["event"] for entry in logs]
    assert [events.count(name) for name in ("outbox_overflowed", "outbox_has_room")] == [1, 1]


async def test_without_a_journal_facts_wait_in_memory_and_move_to_it_later(
    postgres: Postgres, tmp_path: Path
) -> None:
    async with an_engine(await a_postgres_config(postgres)) as engine:
        await migrate(engine)
        await postgres.stop()
        journal = a_journal(tmp_path / "nowhere")
        outbox = an_outbox(engine, journal)
        async with running(outbox):
            for number in range(100):
                outbox.put_nowait(a_case(number))
            assert (outbox.depth, journal.waiting) == (100, 0)
            assert await outbox.drain(within_s=0.1) == 100
            (tmp_path / "nowhere").mkdir()
            await eventually(lambda: journal.waiting == 100, what="facts came to the journal")
            assert await outbox.drain(within_s=WITHIN_S) == 0
        die(journal)
        await postgres.resume()
        journal = a_journal(tmp_path / "nowhere")
        outbox = an_outbox(engine, journal)
        async with running(outbox):
            await all_saved(outbox)
        journal.close()
        assert await rows_in(engine, CaseRow) == 100


CHILD = """
import asyncio, itertools, os, sys
from pathlib import Path
import structlog
from ivrd.config import DatabaseConfig
from ivrd.db.connection import open_engine
from ivrd.db.outbox import StoreOutbox
from ivrd.db.store import Store
from ivrd.journal.facts_journal import FactsJournal
from tests.integration.db.samples import all_of_a_call

async def main(directory, first):
    journal = FactsJournal(Path(directory) / "journal", bytes_max=50_000_000)
    journal.open()
    assert journal.trouble is None, journal.trouble
    engine = open_engine(DatabaseConfig(url=f"sqlite+aiosqlite:///{directory}/ivrd.sqlite"))
    outbox = StoreOutbox(Store(engine), report=lambda _: None, journal=journal)
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.run(), name="outbox")
        for call in itertools.count(first):
            for fact in all_of_a_call(call):
                outbox.put_nowait(fact)
            os.write(1, b"%d\\n" % call)
            if call % 7 == 0:
                await asyncio.sleep(0.005)

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    dice = random.Random()
    seed = dice.randrange(10**6)
    dice.seed(seed)
    put: list[int] = []
    killed_while_waiting = 0
    for number in range(ROUNDS):
        first = (put[-1] + 10) if put else 0
        child = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL"),
            *(sys.executable, "-c", CHILD, str(tmp_path), str(first)),
            stdout=asyncio.subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert child.stdout is not None
        await child_writes(tmp_path)
        # Half of them die after their first call, however little a busy machine lets them do.
        line = await child.stdout.readline() if number % 2 else b""
        told = asyncio.create_task(child.stdout.read())
        await asyncio.sleep(dice.uniform(0.0, LIFE_S_MAX))
        child.send_signal(signal.SIGKILL)
        assert await child.wait() == -signal.SIGKILL, f"the child ended by itself; seed {seed}"
        # A number cut in two was not told whole.
        put += [int(line) for line in (line + await told).split(b"\n")[:-1]]
        journal = a_journal(tmp_path)
        killed_while_waiting += journal.waiting > 0
        die(journal)
    await nothing_is_missing(tmp_path, put, seed)
    print(f"{len(put)} calls put; {killed_while_waiting} of {ROUNDS} lives left some; seed {seed}")
    assert put
    assert killed_while_waiting > ROUNDS // 4, f"seed {seed}"


async def child_writes(directory: Path) -> None:
    """Wait until the child has begun: it holds the lock, so it has opened its journal."""
    lock = directory / "journal" / "lock"
    before = lock.read_text() if lock.exists() else ""
    await eventually(
        lambda: lock.exists() and lock.read_text() not in ("", before), what="the child began"
    )


async def nothing_is_missing(directory: Path, put: list[int], seed: int) -> None:
    """Let one more life save what waits; see that each call that was put is there once."""
    journal = a_journal(directory)
    url = f"sqlite+aiosqlite:///{directory}/ivrd.sqlite"
    async with an_engine(DatabaseConfig(url=url)) as engine:
        store = Store(engine)
        outbox = StoreOutbox(store, report=lambda _: None, journal=journal)
        async with running(outbox):
            await all_saved(outbox)
        journal.close()
        for table in (EntryRow, MoveRow, CallRow, CaseRow):
            stored = await call_ids(engine, table)
            assert max(stored.values()) == 1, f"seed {seed}"
            missing = {a_call_id(call) for call in put} - stored.keys()
            assert missing == set(), f"seed {seed}"
    assert (store.conflicts, journal.lost, journal.broken_lines) == (0, 0, 0)


async def call_ids(engine: AsyncEngine, table: type[Base]) -> Counter[str]:
    async with engine.connect() as connection:
        return Counter(await connection.scalars(select(table.__table__.c.call_id)))
