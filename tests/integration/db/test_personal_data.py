"""What is purged or erased is in no file any more, on both databases; read from the bytes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd import person_file, personal_data, retention
from ivrd.config import Config, JournalConfig, PrivacyConfig, check
from ivrd.core.case_messages import CaseMessage
from ivrd.core.case_record import Label, Note
from ivrd.core.effects import OpenCase
from ivrd.core.period_book import House
from ivrd.core.periods import Period, Span
from ivrd.core.switches import Actor, Origin
from ivrd.db.migrate import downgrade, migrate
from ivrd.db.models import CallRow, CaseRow, EntryRow, NumberReadRow
from ivrd.db.outbox import StoreOutbox
from ivrd.db.period_calls import calls_of
from ivrd.db.store import Storable, Store
from ivrd.journal.facts_journal import FactsJournal
from ivrd.person_file import NotAllowed, PersonDesk, Reader
from ivrd.privacy.callers import Callers, sealer_of
from ivrd.privacy.sealing import new_key_line
from ivrd.protected_file import ProtectedFile
from tests.integration.db.samples import (
    Database,
    a_case,
    a_recorded_call,
    an_engine,
    an_entry,
    eventually,
    rows_in,
)
from tests.lab.postgres import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "+46701740605"
FORMS = ("+46701740605", "46701740605", "0701740605", "701740605", "070-174 06 05", "174 06 05")
OTHER = "0701740699"
NOTE = "Ringer om sin son Kalle-Oskar"
NOW = datetime.now(UTC).replace(microsecond=0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BY = Reader(who="anna as root", role="administrator", why="begäran enligt artikel 15")


@dataclass
class Town:
    """One ivrd's files: a database, a journal and a state directory."""

    config: Config
    database: Database
    directory: Path
    engine: AsyncEngine
    postgres: Postgres

    @property
    def callers(self) -> Callers:
        protected = ProtectedFile(self.config.state_directory)
        return Callers(
            self.config.privacy, sealer=sealer_of(self.config.privacy), protected=protected
        )

    async def keep(self, facts: Iterable[Storable]) -> None:
        """Let facts go the way of the daemon's: sealed, on the disk, in the database."""
        journal = FactsJournal(self.config.journal.directory, bytes_max=10_000_000)
        journal.open()
        store = Store(self.engine)
        outbox = StoreOutbox(
            store, report=lambda event: None, journal=journal, callers=self.callers
        )
        for fact in facts:
            outbox.put_nowait(fact)
        task = asyncio.create_task(outbox.run(), name="outbox")
        await eventually(lambda: not outbox.depth, what="all is stored")
        task.cancel()
        await asyncio.wait([task])
        # As after a kill: what the journal holds stays for the next start.
        journal._let_go()

    async def bytes_on_disk(self, *, with_logs: bool = False) -> bytes:
        """Return every byte of every file that could hold something of ours.

        Args:
            with_logs: With PostgreSQL's own log and write-ahead log, which goes in its own time.
        """
        files = [path for path in self.directory.rglob("*") if path.is_file()]
        if self.database.kind == "postgresql":
            connection = await asyncpg.connect(self.url)
            await connection.execute("CHECKPOINT")
            base = await connection.fetchval(
                "SELECT oid FROM pg_database WHERE datname = current_database()"
            )
            await connection.close()
            data = self.postgres._data_dir
            # The databases of other tests beside it are none of ours.
            roots = [data / "base" / str(base), data / "global"]
            if with_logs:
                roots += [data / "pg_wal", self.postgres.log_path.parent]
            files += [path for root in roots for path in root.rglob("*") if path.is_file()]
        return bytes_of(files)

    @property
    def url(self) -> str:
        name = self.config.database.url.rpartition("/")[2]
        return self.postgres.url(name, scheme="postgresql")

    async def stored(self) -> Sequence[CallRow]:
        async with self.engine.connect() as connection:
            query = select(CallRow.__table__).order_by(CallRow.id)
            return (await connection.execute(query)).all()  # type: ignore[return-value]


@pytest_asyncio.fixture(loop_scope="session")
async def town(database: Database, tmp_path: Path, postgres: Postgres) -> AsyncIterator[Town]:
    # A key of its own: all tests share the server, and its files are read whole.
    config = check(a_document()).model_copy(
        update={
            "database": database.config,
            "state_directory": tmp_path / "state",
            "journal": JournalConfig(directory=tmp_path / "journal"),
            "privacy": PrivacyConfig(keys=(SecretStr(new_key_line(NOW)),)),
        }
    )
    (tmp_path / "state").mkdir()
    async with an_engine(database.config) as engine:
        await migrate(engine)
        yield Town(config, database, tmp_path, engine, postgres)


def bytes_of(paths: Iterable[Path]) -> bytes:
    """Return what files hold; PostgreSQL makes and drops some while it runs."""
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found.append(path.read_bytes())
    return b"\n".join(found)


def a_document() -> dict[str, object]:
    return {
        "pbx": [{"name": "pbx1", "secret_file": "ami-secret"}],
        "queues": [{"name": "kc", "role": "guide", "service_level_threshold_s": 60}],
        "menus": [{"name": "m", "prompt": "m", "choices": {"1": "kc"}, "stay_choice": "kc"}],
        "lines": [{"name": "main", "number": "0846500400", "menu": "m"}],
    }


def facts_of(call: int, number: str, *, days_ago: float) -> list[Storable]:
    at = NOW - timedelta(days=days_ago)
    record = a_recorded_call(call, arrived_at=at, number=number)
    entry = replace(an_entry(call=call), joined_at=at, at=at + timedelta(seconds=90))
    return [entry, record, a_case_of(call, number, at=record.at)]


def a_case_of(call: int, number: str, *, at: datetime) -> OpenCase:
    return replace(a_case(call), at=at, answered_at=at, caller_number=number)


def traces_of_number(content: bytes) -> list[str]:
    """Return the forms of the number that stand in some bytes."""
    wanted = [form.encode(coding) for form in FORMS for coding in ("ascii", "utf-16-le")]
    wanted += [NUMBER.encode().hex().encode(), NUMBER[::-1].encode(), NUMBER[1:][::-1].encode()]
    return [trace.decode("latin-1") for trace in wanted if trace in content]


async def write_note(town: Town, note: str) -> None:
    """Write a note on every case, and change it, so that history holds it too."""
    store = Store(town.engine)
    async with town.engine.connect() as connection:
        ids = (await connection.scalars(select(CaseRow.id))).all()
    by = Actor(who="guide", origin=Origin.PAGE)
    for case_id in ids:
        for act in (Note(text=note), Note(text=note + "!"), Label(code="a.b", department="a")):
            await store.change_case(case_id, act, by, at=NOW)


async def test_a_number_is_on_no_disk_in_clear_and_opens_for_its_own_call(town: Town) -> None:
    await town.keep(facts_of(1, "070-174 06 05", days_ago=1))
    assert traces_of_number(await town.bytes_on_disk(with_logs=True)) == []
    [row] = await town.stored()
    assert town.callers.opened(row.caller_sealed or "", row.call_id) == NUMBER
    assert row.caller_sealed.encode() in await town.bytes_on_disk()
    async with town.engine.connect() as connection:
        [case] = (await connection.execute(select(CaseRow.__table__))).all()
    assert case.caller_key == row.caller_key


HIDDEN = ("anonymous", "unknown", "266696687", "", "anna")


async def test_a_hidden_number_leaves_nothing(town: Town) -> None:
    await town.keep(
        fact
        for call, number in enumerate(HIDDEN, start=1)
        for fact in facts_of(call, number, days_ago=1)
    )
    rows = await town.stored()
    assert {(row.caller_sealed, row.caller_key, row.is_protected) for row in rows} == {
        (None, None, False)
    }
    assert len(rows) == len(HIDDEN)
    town.config = town.config.model_copy(update={"privacy": PrivacyConfig()})
    await town.keep(facts_of(9, NUMBER, days_ago=1))
    without_a_key = (await town.stored())[-1]
    assert (without_a_key.caller_sealed, without_a_key.caller_key) == (None, None)
    assert traces_of_number(await town.bytes_on_disk(with_logs=True)) == []


async def test_a_repeat_is_linked_across_the_end_of_a_period(town: Town) -> None:
    sealer = sealer_of(town.config.privacy)
    assert sealer is not None
    await town.keep(facts_of(1, NUMBER, days_ago=13))
    await town.keep(facts_of(2, "0701740605", days_ago=0))
    await town.keep(facts_of(3, OTHER, days_ago=0))
    async with town.engine.connect() as connection:
        rows = (await connection.execute(select(CaseRow.__table__).order_by(CaseRow.id))).all()
    assert [row.linked_case_id for row in rows] == [None, rows[0].id, None]


async def test_reports_find_a_repeat_across_the_end_of_a_period(town: Town) -> None:
    periods = (NOW - EPOCH) // timedelta(days=30)
    end = EPOCH + periods * timedelta(days=30)
    first, again, late = end - timedelta(days=2), end + timedelta(days=3), end + timedelta(days=9)
    for call, at in enumerate((first, again, late), start=1):
        await town.keep([a_recorded_call(call, arrived_at=at, number=NUMBER)])
    rows = await town.stored()
    assert [row.caller_key_before is None for row in rows] == [True, False, True]
    assert rows[1].caller_key_before == rows[0].caller_key
    span = Period(
        span=Span.MONTH,
        first=first.date() - timedelta(days=1),
        last=late.date() + timedelta(days=1),
        zone=UTC,
    )
    house = House(queues={}, internal_lines=frozenset(), zone=UTC)
    found = [call async for call in calls_of(town.engine, span, house=house, systems=["pbx1"])]
    assert [call.is_repeated for call in found] == [True, True, False]


async def test_export_and_erase_leave_figures_and_no_trace(town: Town) -> None:
    await town.keep([*facts_of(1, NUMBER, days_ago=70), *facts_of(2, NUMBER, days_ago=2)])
    await town.keep(facts_of(3, OTHER, days_ago=2))
    await write_note(town, NOTE)
    async with town.engine.begin() as connection:
        # As after a purge of keys: only the sealed number leads to this call.
        await connection.execute(
            text("UPDATE calls SET caller_key = NULL WHERE call_id LIKE '%.1'")
        )
    rows = await town.stored()
    mine, others = rows[:2], rows[2:]
    secrets = [row.caller_sealed for row in mine] + [mine[1].caller_key, NOTE]
    before = await town.bytes_on_disk()
    assert [secret for secret in secrets if secret.encode() not in before] == []

    desk = PersonDesk(town.config)
    try:
        file = await desk.export("070-174 06 05", BY, at=NOW)
        assert {name: len(held) for name, held in file.rows.items() if name != "number_reads"} == {
            "calls": 2,
            "entries": 2,
            "cases": 2,
            "case_changes": 8,
        }
        told = json.loads(person_file.as_json(file))
        assert told["number"] == NUMBER
        page = person_file.as_page(file)
        assert NUMBER in page
        assert NOTE in page
        assert mine[1].caller_sealed not in page

        # The other caller's note is the same words: give it others, to tell them apart.
        async with town.engine.begin() as connection:
            case_of_other = select(CaseRow.id).where(CaseRow.call_id == others[0].call_id)
            other_id = await connection.scalar(case_of_other)
            for table, column in (("cases", "id"), ("case_changes", "case_id")):
                fields = ["note"] if table == "cases" else ["before", "after"]
                for field in fields:
                    await connection.execute(
                        text(f"UPDATE {table} SET {field} = '{{}}' WHERE {column} = {other_id}")
                    )
        end_journal(town)
        done = await desk.erase("+46 70 174 06 05", BY, at=NOW)
    finally:
        await desk.close()
    assert done.rows == {"calls": 2, "cases": 2}
    assert done.is_journal_clean
    after = await town.bytes_on_disk()
    assert traces_of_number(after) == []
    assert [secret for secret in secrets if secret.encode() in after] == []
    assert others[0].caller_sealed.encode() in after
    assert await rows_in(town.engine, CallRow) == 3
    assert await rows_in(town.engine, EntryRow) == 3
    async with town.engine.connect() as connection:
        reads = (await connection.execute(select(NumberReadRow.__table__))).all()
    assert [(read.what, read.who, read.call_id) for read in reads] == [
        ("export", BY.who, ""),
        ("erase", BY.who, ""),
    ]


def end_journal(town: Town) -> None:
    """Open and close the journal, as the next start does: what is stored leaves the disk."""
    journal = FactsJournal(town.config.journal.directory, bytes_max=10_000_000)
    journal.open()
    journal.close()


async def test_a_purge_takes_what_is_due_from_rows_and_bytes(town: Town) -> None:
    await town.keep([*facts_of(1, NUMBER, days_ago=200), *facts_of(2, OTHER, days_ago=1)])
    end_journal(town)
    old, new = await town.stored()
    told = await retention.run(town.config, now=NOW, is_dry_run=True, is_rewritten=False)
    assert old.caller_sealed.encode() in await town.bytes_on_disk()
    done = await retention.run(town.config, now=NOW, is_dry_run=False, is_rewritten=True)
    assert told.gone == done.gone
    assert {(one.table, one.field): one.rows for one in done.gone if one.rows} == {
        ("calls", "caller_sealed"): 1,
        ("calls", "caller_key"): 1,
        ("cases", "caller_key"): 1,
    }
    after = await town.bytes_on_disk()
    assert old.caller_sealed.encode() not in after
    assert old.caller_key.encode() not in after
    assert new.caller_sealed.encode() in after
    again = await retention.run(town.config, now=NOW, is_dry_run=False, is_rewritten=False)
    assert [one for one in again.gone if one.rows] == []
    years = await retention.run(
        town.config, now=NOW + timedelta(days=8 * 366), is_dry_run=False, is_rewritten=True
    )
    assert {one.table for one in years.gone if one.rows} >= {"calls", "entries", "cases"}
    assert await rows_in(town.engine, CallRow) == 0
    [last_run] = retention.PurgeFile(town.config.state_directory).last_run().values()
    assert last_run > NOW.timestamp()


async def test_reading_a_number_needs_a_role_and_leaves_a_row(town: Town) -> None:
    await town.keep(facts_of(1, NUMBER, days_ago=1))
    [row] = await town.stored()
    with pytest.raises(NotAllowed, match="may not see numbers"):
        Reader(who="stig", role="supervisor", why="vill ringa upp")
    with pytest.raises(NotAllowed, match="say why"):
        Reader(who="siv", role="administrator", why=" ")
    by = Reader(who="siv", role="administrator", why="hot mot handläggare, ring 0701740605")
    desk = PersonDesk(town.config)
    try:
        assert await desk.number_of(row.call_id, by, at=NOW) == NUMBER
        assert await desk.number_of("pbx1/nobody", by, at=NOW) is None
    finally:
        await desk.close()
    async with town.engine.connect() as connection:
        reads = (await connection.execute(select(NumberReadRow.__table__))).all()
    assert [(read.who, read.role, read.call_id) for read in reads] == [
        ("siv", "administrator", row.call_id),
        ("siv", "administrator", "pbx1/nobody"),
    ]
    assert "0605" not in reads[0].why


async def test_a_case_system_that_is_to_have_the_number_reads_it_and_leaves_a_row(
    town: Town,
) -> None:
    await town.keep(facts_of(1, NUMBER, days_ago=1))
    [row] = await town.stored()
    number_of = personal_data.wire(town.config).number_of(Store(town.engine))
    assert await number_of(a_message(row.call_id)) == NUMBER
    assert await number_of(a_message("pbx1/gone")) is None
    async with town.engine.connect() as connection:
        reads = (await connection.execute(select(NumberReadRow.__table__))).all()
    assert {read.who for read in reads} == {"handover platina"}


def a_message(call_id: str) -> CaseMessage:
    return CaseMessage(
        message_id=1,
        case_id=1,
        version=1,
        destination="platina",
        key="k",
        kind="handed_over",
        payload=json.dumps({"case": {"call_id": call_id}, "change": {}}),
        created_at=NOW,
        attempts=1,
        external_id=None,
    )


async def test_of_a_protected_number_only_the_call_is_kept(town: Town) -> None:
    desk = PersonDesk(town.config)
    file = ProtectedFile(town.config.state_directory)
    assert file.change(add=desk.hashes("070-1740605")[:1])
    await desk.close()
    await town.keep([*facts_of(1, NUMBER, days_ago=1), *facts_of(2, OTHER, days_ago=1)])
    protected, other = await town.stored()
    assert (protected.caller_sealed, protected.caller_key) == (None, None)
    assert (protected.is_protected, other.is_protected) == (True, False)
    assert traces_of_number(await town.bytes_on_disk(with_logs=True)) == []
    async with town.engine.connect() as connection:
        cases = (await connection.execute(select(CaseRow.__table__).order_by(CaseRow.id))).all()
    assert [(case.is_protected, case.caller_key is None) for case in cases] == [
        (True, True),
        (False, False),
    ]


async def test_numbers_of_before_are_sealed_or_dropped_and_come_back_with_the_key(
    town: Town,
) -> None:
    await town.keep(facts_of(1, NUMBER, days_ago=1))
    await downgrade(town.engine, revision="0006", callers=town.callers)
    assert await numbers_in_clear(town.engine) == [NUMBER]
    await migrate(town.engine, callers=town.callers)
    [row] = await town.stored()
    assert town.callers.opened(row.caller_sealed or "", row.call_id) == NUMBER
    assert row.caller_key is not None
    await downgrade(town.engine, revision="0006")
    assert await numbers_in_clear(town.engine) == [None]
    await migrate(town.engine)
    await downgrade(town.engine, revision="0006", callers=town.callers)
    async with town.engine.begin() as connection:
        await connection.execute(text("UPDATE calls SET caller_number = '0701740605'"))
    await migrate(town.engine)
    [row] = await town.stored()
    assert (row.caller_sealed, row.caller_key) == (None, None)


async def numbers_in_clear(engine: AsyncEngine) -> list[str | None]:
    async with engine.connect() as connection:
        return list(await connection.scalars(text("SELECT caller_number FROM calls")))
