"""Brings a database to the newest form of our tables, at every start.

Here: running Alembic on a connection of ours. Not here: the steps themselves (migrations/versions).
"""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.db.callers import Callers
from ivrd.db.connection import DATABASE_ERRORS, DatabaseError, check_place, reason_of

ADVISORY_LOCK = 0x69767264
"""Key of the lock that makes simultaneous starts wait for each other: "ivrd" in ASCII."""

LOCK_WAIT_S = 15
"""A start waits so long for another start's migration; ours take well under a second. Below
STATEMENT_S_MAX, so that the database says that it was the lock; the start is then tried again."""

CONNECTION = "connection"
"""Where env.py finds the connection to use, in the attributes of Alembic's configuration."""

CALLERS = "callers"
"""Where migration 0007 finds what seals and opens numbers, if anything does."""


async def migrate(
    engine: AsyncEngine, *, revision: str = "head", callers: Callers | None = None
) -> None:
    """Bring the database up to a revision, the newest by default. Harmless when repeated.

    Args:
        engine: Of the database.
        revision: Which.
        callers: Seals numbers that older tables hold in clear. None: they are dropped.

    Raises:
        DatabaseError: The database is away, or cannot be written.
    """
    await _run(engine, lambda config: command.upgrade(config, revision), callers)


async def downgrade(engine: AsyncEngine, *, revision: str, callers: Callers | None = None) -> None:
    """Take the database back to an earlier revision; data of dropped columns and tables is lost.

    Sealed numbers come back in clear only with `callers`.

    Raises:
        DatabaseError: The database is away, or cannot be written.
    """
    await _run(engine, lambda config: command.downgrade(config, revision), callers)


def script_config(connection: Connection) -> AlembicConfig:
    """Return a configuration that needs no alembic.ini and works from any directory."""
    config = AlembicConfig()
    # Alembic's parser reads % as the beginning of a variable.
    scripts = str(Path(__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    config.attributes[CONNECTION] = connection
    return config


async def _run(
    engine: AsyncEngine, step: Callable[[AlembicConfig], None], callers: Callers | None
) -> None:
    place = engine.url.render_as_string(hide_password=True)
    check_place(engine.url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run_locked, step, callers)
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"{place}: {reason_of(error)}") from error


def _run_locked(
    connection: Connection, step: Callable[[AlembicConfig], None], callers: Callers | None
) -> None:
    """Run a step in the caller's transaction; both databases undo half a step.

    On SQLite the transaction itself is the lock, as it begins by taking the write lock.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
    config = script_config(connection)
    config.attributes[CALLERS] = callers
    step(config)
