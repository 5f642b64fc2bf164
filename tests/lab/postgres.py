"""Runs a private PostgreSQL server on loopback."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from tests.lab.directories import instance_directory, keep_logs, temporary_parent
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import Child, LabError, RunAs, run_to_end
from tests.lab.root import print_progress

START_S_MAX = 30.0

INITDB_S_MAX = 60.0

USER = "ivrd"

STOP_STEPS = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""Fast shutdown first, then immediate (postgres(1))."""

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "shared_buffers": "32MB",
    "unix_socket_directories": "",
    "listen_addresses": LOOPBACK,
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
}
"""Quick and small; a crash of the machine may lose the data, a kill of the server may not."""


class Postgres:
    """One running server with a user of its own, reached by password on loopback."""

    def __init__(self, *, directory: Path, port: int, password: str) -> None:
        """Only describes the instance; use `start`."""
        self.port = port
        self.user = USER
        self.password = password
        self._directory = directory
        self._programs = find_programs()
        self._run_as = unprivileged_user()
        self._child: Child | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls) -> "AsyncIterator[Postgres]":
        """Run a server with an empty database `ivrd` until the body ends, in whatever way."""
        with contextlib.ExitStack() as held:
            directory = held.enter_context(instance_directory(temporary_parent()))
            ports = reserve_port()
            held.callback(ports.release)
            server = cls(directory=directory, port=ports.first, password=secrets.token_urlsafe(18))
            try:
                await server._make_cluster()
                await server.resume()
                await server.create_database(USER)
                yield server
            except Exception:
                kept = keep_logs(server.log_path.parent, name="postgres")
                print_progress(f"logs of postgres are kept in {kept}")
                raise
            finally:
                await server.stop()

    @property
    def host(self) -> str:
        """Where it listens."""
        return LOOPBACK

    @property
    def pid(self) -> int:
        """Of the running server."""
        if self._child is None:
            raise LabError("postgres does not run")
        return self._child.pid

    @property
    def log_path(self) -> Path:
        """Its log."""
        return self._directory / "log" / "postgres"

    def url(self, database: str = USER, *, scheme: str = "postgresql+asyncpg") -> str:
        """Return the address of a database, password included, as SQLAlchemy wants it."""
        return f"{scheme}://{self.user}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    async def create_database(self, name: str) -> str:
        """Make an empty database and return its `url`."""
        connection = await asyncpg.connect(self.url("postgres", scheme="postgresql"))
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return self.url(name)

    async def resume(self) -> None:
        """Start it, again on the same port and data after `stop` or `kill`."""
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._child = await Child.start(
            [self._programs / "postgres", "-D", self._data_dir, "-p", str(self.port), *options],
            name="postgres",
            log_path=self.log_path,
            run_as=self._run_as,
            death_signal=signal.SIGQUIT,
        )
        await self._child.wait_until(
            self._accepts_connections, what="accepting connections", within_s=START_S_MAX
        )

    async def stop(self) -> None:
        """End it, cutting open connections; harmless when it has ended."""
        if self._child is not None:
            await self._child.stop(steps=STOP_STEPS)
            self._child = None

    async def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            await self._child.stop(steps=((signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)))
            self._child = None

    @property
    def _data_dir(self) -> Path:
        return self._directory / "data"

    async def _make_cluster(self) -> None:
        self.log_path.parent.mkdir()
        self._data_dir.mkdir(mode=0o700)
        password_file = self._directory / "password"
        password_file.write_text(self.password + "\n", encoding="utf-8")
        self._directory.chmod(0o755)
        if self._run_as is not None:
            for path in (self._data_dir, password_file):
                os.chown(path, self._run_as.uid, self._run_as.gid)
        password_file.chmod(0o600)
        await run_to_end(
            [
                self._programs / "initdb",
                f"--pgdata={self._data_dir}",
                f"--username={self.user}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            name="initdb",
            log_path=self.log_path,
            within_s=INITDB_S_MAX,
            run_as=self._run_as,
        )

    def _accepts_connections(self) -> bool:
        """Return whether start-up is over: the server says so in its own state file.

        Source:
            PostgreSQL, utils/pidfile.h: line 8 of postmaster.pid is `ready` padded with blanks.
        """
        try:
            lines = (self._data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self.pid)


def find_programs() -> Path:
    """Return the directory of the newest installed server's programs, initdb among them."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise LabError("PostgreSQL's initdb is missing; ./run test installs it on Debian")
    return Path(initdb).resolve().parent


def unprivileged_user() -> RunAs | None:
    """Return whom the server runs as, since it refuses to be root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(uid=entry.pw_uid, gid=entry.pw_gid)
    raise LabError("neither a user postgres nor nobody for PostgreSQL to run as")
