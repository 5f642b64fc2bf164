"""Connections to SQLite and PostgreSQL: pools, time limits, and what each of them must be told.

Here: the engine, and which errors are the database's doing. Not here: statements.
"""

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ivrd.config import DatabaseConfig
from ivrd.db.words import UnknownWord
from ivrd.errors import PeerError

POOL_CONNECTIONS = 5
"""One for the writer, the others for people's acts on cases and for whoever reads: each takes some
milliseconds, so twenty guides at once wait a tenth of a second at most."""

POOL_WAIT_S = 10.0
"""A reader waits so long for a connection before it is told that the database is busy."""

CONNECT_S_MAX = 5.0
"""PostgreSQL on the same network answers in milliseconds; after this it is as good as away."""

STATEMENT_S_MAX = 20.0
"""A batch is inserted in milliseconds; a statement that hangs so long is hanging on a dead peer."""

SQLITE_BUSY_MS = 5_000
"""How long SQLite waits for another process's write, such as a report run beside the daemon."""

READ_ONLY = "ivrd_read_only"
"""Execution option of a connection that will not write, so that it need not wait for writers."""

DATABASE_ERRORS = (
    SQLAlchemyError,
    OSError,
    TimeoutError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    UnknownWord,
)
"""All that a database, or the way to it, may raise; or what it holds, if a newer ivrd wrote it.

The drivers' own classes stand here because SQLAlchemy wraps them only once a connection is made.
"""


class DatabaseError(PeerError):
    """The database cannot be used; the message says which, why, and the way out."""


def open_engine(config: DatabaseConfig, *, statement_s_max: float = STATEMENT_S_MAX) -> AsyncEngine:
    """Return the engine for the configured database; nothing is connected yet.

    Args:
        config: Where it is.
        statement_s_max: Longer for a command that may rewrite whole tables.
    """
    url = make_url(config.url)
    if config.password is not None:
        url = url.set(password=config.password.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    return create_async_engine(
        url,
        pool_size=POOL_CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_S_MAX,
            "command_timeout": statement_s_max,
            "server_settings": {"application_name": "ivrd", "timezone": "UTC"},
        },
    )


@contextlib.asynccontextmanager
async def reading(config: DatabaseConfig) -> AsyncIterator[AsyncEngine]:
    """Lend the configured database to a command that reads it.

    Raises:
        DatabaseError: It cannot be read.
    """
    engine = open_engine(config)
    check_place(engine.url)
    try:
        yield engine
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error
    finally:
        await engine.dispose()


def check_place(url: URL) -> None:
    """Raise when the SQLite file cannot be where the configuration puts it.

    Raises:
        DatabaseError: SQLite itself would only say "unable to open database file".
    """
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    file = Path(url.database)
    if not file.parent.is_dir():
        raise DatabaseError(f"{file}: there is no directory {file.parent}; create it for ivrd")
    if not os.access(file.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise DatabaseError(f"{file}: the directory {file.parent} is not writable by ivrd")
    if file.exists() and not os.access(file, os.R_OK | os.W_OK, effective_ids=True):
        raise DatabaseError(f"{file}: is not readable and writable by ivrd; see its owner and mode")


def reason_of(error: BaseException) -> str:
    """Return one line that names a fault, without the statement and its values.

    SQLAlchemy's own text holds the parameters, and so the caller's number.
    """
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split())
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


def _sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=POOL_CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Set a new connection up.

    synchronous=FULL: each commit is on the disk before we tell a subscriber of the case. NORMAL may
    lose the last commits at a power cut (SQLite manual, "PRAGMA synchronous"); a department pays by
    these rows, and batches keep the number of flushes low.
    """
    # Python's driver would begin transactions by its own rules; `_begin_sqlite` does instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is purged or erased is overwritten with zeros, and not only forgotten.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start: taken later it may fail at once, without any waiting.

    Source:
        SQLite manual, "Transaction": a read transaction cannot be upgraded once another wrote.
    """
    is_read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")
