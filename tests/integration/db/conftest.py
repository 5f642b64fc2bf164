"""Real SQLite and real PostgreSQL for every test here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.db.migrate import migrate
from tests.integration.db.samples import Database, a_postgres_config, an_engine
from tests.lab.postgres import Postgres


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    async with Postgres.start() as server:
        yield server


@pytest_asyncio.fixture(params=["sqlite", "postgresql"], loop_scope="session")
async def database(request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres) -> Database:
    if request.param == "sqlite":
        config = DatabaseConfig(url=f"sqlite+aiosqlite:///{tmp_path}/ivrd.sqlite")
        return Database("sqlite", config)
    return Database("postgresql", await a_postgres_config(postgres))


@pytest_asyncio.fixture(loop_scope="session")
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    async with an_engine(database.config) as engine:
        await migrate(engine)
        yield engine
