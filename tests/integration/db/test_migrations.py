"""The migrations, and places where no database can be."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import CaseClass, CaseState
from ivrd.db.case_reads import CaseFilter, Way, case_of, drafts_of, search, ways_of
from ivrd.db.connection import DatabaseError
from ivrd.db.migrate import downgrade, migrate
from ivrd.db.models import Base, CallRow
from ivrd.db.store import Store
from tests.integration.db.samples import (
    REPOSITORY,
    Database,
    a_call_id,
    a_case,
    a_contact,
    a_postgres_config,
    a_recorded_call,
    all_facts,
    all_of_a_call,
    an_engine,
    rows_in,
)
from tests.lab.postgres import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_models_and_migrations_agree(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_migration_goes_down_and_up_again_with_facts_in_it(engine: AsyncEngine) -> None:
    store = Store(engine)
    await store.save_batch(all_of_a_call(1))
    await downgrade(engine, revision="base")

    def tables(connection: Connection) -> list[str]:
        return inspect(connection).get_table_names()

    async with engine.connect() as connection:
        assert await connection.run_sync(tables) == ["alembic_version"]
    await migrate(engine)
    await store.save_batch(all_of_a_call(1))
    assert await rows_in(engine, CallRow) == 1


async def test_a_second_migration_keeps_the_facts(engine: AsyncEngine) -> None:
    await Store(engine).save_batch(all_of_a_call(1))
    await migrate(engine)
    assert await rows_in(engine, CallRow) == 1


async def test_facts_from_before_hand_overs_go_up_and_down_whole(engine: AsyncEngine) -> None:
    await Store(engine).save_batch(all_of_a_call(1))
    before = await all_facts(engine)
    await downgrade(engine, revision="0001")
    await migrate(engine)
    [call] = await all_facts(engine)
    assert [call] == before
    assert (call.hand_over, call.is_from_journal) == (None, False)
    assert [case.is_from_journal for case in call.cases] == [False]
    assert [entry.joined_by for entry in call.entries] == [None]


async def test_a_call_from_before_its_target_was_kept_goes_up_and_down_whole(
    engine: AsyncEngine,
) -> None:
    await Store(engine).save_batch([replace(a_recorded_call(1), handed_to="8100")])
    assert await ways_of(engine, [a_call_id(1)]) == {a_call_id(1): Way(handed_to="8100")}
    before = await all_facts(engine)
    await downgrade(engine, revision="0012")
    await migrate(engine)
    assert await all_facts(engine) == before
    assert await ways_of(engine, [a_call_id(1)]) == {a_call_id(1): Way()}


async def test_a_status_from_before_its_time_was_kept_goes_up_and_down_whole(
    engine: AsyncEngine,
) -> None:
    await Store(engine).save_batch([a_case(1)])
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE cases SET external_status = 'Pågår'"))
    await downgrade(engine, revision="0009")
    await migrate(engine)
    [case] = (await search(engine, CaseFilter())).cases
    assert (case.external_status, case.external_status_at) == ("Pågår", None)


async def test_cases_from_before_labels_come_in_closed_with_a_history(
    engine: AsyncEngine,
) -> None:
    store = Store(engine)
    await store.save_batch([a_case(1), a_contact(2)])
    await downgrade(engine, revision="0005")
    async with engine.connect() as connection:
        left = await connection.execute(text("SELECT call_id, department FROM cases"))
        assert left.all() == [(a_call_id(1), None)], "a contact is no case"
    await migrate(engine)
    page = await search(engine, CaseFilter())
    [case] = page.cases
    assert (case.state, case.case_class, case.is_case, case.version) == (
        CaseState.CLOSED,
        CaseClass.RESOLVED,
        True,
        1,
    )
    assert (case.opened_at, case.updated_at) == (a_case().at, a_case().at)
    history = await case_of(engine, case.case_id)
    assert history is not None
    [change] = history.changes
    assert (change.version, change.what, change.at) == (1, "opened", a_case().at)
    assert change.by == Actor(who="rule", origin=Origin.RULE)
    assert json.loads(change.after) == {"case_class": "resolved", "state": "closed"}
    assert await drafts_of(engine, case.agent) == (), "nobody is asked for a label of long ago"
    again = await store.save_batch([a_case(1), a_contact(2)])
    assert [one.case.call_id for one in again.changes] == [a_call_id(2)]
    assert store.conflicts == 0


async def test_simultaneous_starts_migrate_once(database: Database) -> None:
    async with contextlib.AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(an_engine(database.config)) for _ in range(8)]
        async with asyncio.TaskGroup() as group:
            for engine in engines:
                group.create_task(migrate(engine))
        assert await rows_in(engines[0], CallRow) == 0


async def test_half_a_migration_leaves_nothing(database: Database) -> None:
    async with an_engine(database.config) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE moves (id INTEGER PRIMARY KEY)"))
        with pytest.raises(DatabaseError, match="moves"):
            await migrate(engine)
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda c: inspect(c).get_table_names())
        assert names == ["moves"]


async def test_an_installed_wheel_finds_its_migrations_from_anywhere(tmp_path: Path) -> None:
    await run_python(REPOSITORY, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    wheel = the_wheel_in(tmp_path)
    installed = tmp_path / "100% installed"
    await run_python(tmp_path, "-m", "zipfile", "-e", str(wheel), str(installed))
    await run_python(
        tmp_path,
        "-c",
        "import asyncio, ivrd, sys\n"
        "from ivrd.config import DatabaseConfig\n"
        "from ivrd.db.connection import open_engine\n"
        "from ivrd.db.migrate import migrate\n"
        "assert ivrd.__file__.startswith(sys.argv[1]), ivrd.__file__\n"
        "engine = open_engine(DatabaseConfig(url='sqlite+aiosqlite:///ivrd.sqlite'))\n"
        "async def main():\n"
        "    await migrate(engine)\n"
        "    await engine.dispose()\n"
        "asyncio.run(main())\n",
        str(installed),
        path=installed,
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "ivrd.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM cases").fetchone() == (0,)


def the_wheel_in(directory: Path) -> Path:
    [wheel] = directory.glob("*.whl")
    return wheel


async def run_python(cwd: Path, *arguments: str, path: Path | None = None) -> None:
    """Run this Python with what is installed in `path` before all else."""
    environment = os.environ | ({} if path is None else {"PYTHONPATH": str(path)})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(240):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    config = DatabaseConfig(url=f"sqlite+aiosqlite:///{tmp_path}/nowhere/ivrd.sqlite")
    async with an_engine(config) as engine:
        with pytest.raises(DatabaseError, match=f"there is no directory {tmp_path}/nowhere"):
            await migrate(engine)


async def test_a_database_that_we_may_not_write_is_named() -> None:
    with tempfile.TemporaryDirectory() as directory:
        set_mode(directory, 0o755)
        file = Path(directory) / "ivrd.sqlite"
        config = DatabaseConfig(url=f"sqlite+aiosqlite:///{file}")
        async with an_engine(config) as engine:
            await migrate(engine)
        set_mode(file, 0o444)
        set_mode(directory, 0o555)
        with as_nobody():
            async with an_engine(config) as engine:
                with pytest.raises(DatabaseError, match=r"ivrd\.sqlite: .*not writable"):
                    await migrate(engine)
        set_mode(directory, 0o755)
        with as_nobody():
            async with an_engine(config) as engine:
                with pytest.raises(DatabaseError, match=r"ivrd\.sqlite"):
                    await migrate(engine)


def set_mode(path: str | Path, mode: int) -> None:
    Path(path).chmod(mode)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to write everywhere, for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ivrd.sqlite"
    file.write_bytes(b"this is a text and not a database" * 100)
    async with an_engine(DatabaseConfig(url=f"sqlite+aiosqlite:///{file}")) as engine:
        with pytest.raises(DatabaseError, match="not a database"):
            await migrate(engine)


async def test_a_wrong_password_is_an_error_without_the_password(postgres: Postgres) -> None:
    config = await a_postgres_config(postgres)
    config = config.model_copy(update={"password": SecretStr("hush-hush")})
    async with an_engine(config) as engine:
        with pytest.raises(DatabaseError, match="password authentication failed") as caught:
            await migrate(engine)
    assert "hush-hush" not in str(caught.value)


async def test_a_database_that_does_not_exist_is_named(postgres: Postgres) -> None:
    config = (await a_postgres_config(postgres)).model_copy(
        update={"url": f"postgresql+asyncpg://ivrd@{postgres.host}:{postgres.port}/nowhere"}
    )
    async with an_engine(config) as engine:
        with pytest.raises(DatabaseError, match='database "nowhere" does not exist'):
            await migrate(engine)
