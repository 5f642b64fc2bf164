"""Runs a private Mosquitto broker on loopback."""

import contextlib
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from tests.lab.directories import instance_directory, keep_logs, temporary_parent
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import Child, LabError
from tests.lab.root import print_progress

START_S_MAX = 30.0

SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"


class Mosquitto:
    """One running broker that takes anonymous clients and keeps nothing on disk."""

    def __init__(self, *, directory: Path, port: int, more: str = "") -> None:
        """Only describes the instance; use `start`."""
        self._more = more or "allow_anonymous true\n"
        self.port = port
        self._directory = directory
        self._child: Child | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, *, more: str = "") -> "AsyncIterator[Mosquitto]":
        """Run a broker until the body ends, in whatever way it ends.

        Args:
            more: Lines of mosquitto.conf for its listener; without, anybody may come.
        """
        with contextlib.ExitStack() as held:
            directory = held.enter_context(instance_directory(temporary_parent()))
            ports = reserve_port()
            held.callback(ports.release)
            broker = cls(directory=directory, port=ports.first, more=more)
            try:
                await broker.resume()
                yield broker
            except Exception:
                kept = keep_logs(directory, name="mosquitto")
                print_progress(f"logs of mosquitto are kept in {kept}")
                raise
            finally:
                await broker.stop()

    @property
    def host(self) -> str:
        """Where it listens."""
        return LOOPBACK

    @property
    def pid(self) -> int:
        """Of the running broker."""
        if self._child is None:
            raise LabError("mosquitto does not run")
        return self._child.pid

    @property
    def log_path(self) -> Path:
        """Its log, with each client that comes and goes."""
        return self._directory / "log"

    async def resume(self) -> None:
        """Start it, again on the same port after `stop` or `kill`."""
        binary = shutil.which("mosquitto", path=SEARCH_PATH) or shutil.which("mosquitto")
        if binary is None:
            raise LabError("mosquitto is missing; ./run test installs it on Debian")
        configuration = self._directory / "mosquitto.conf"
        # Staying root inside the lab: a change of user would drop the order to die with the parent.
        configuration.write_text(
            f"listener {self.port} {LOOPBACK}\n{self._more}persistence false\n"
            "user root\nlog_dest stderr\nlog_timestamp_format %Y-%m-%dT%H:%M:%S\n"
            "connection_messages true\n",
            encoding="utf-8",
        )
        self._child = await Child.start(
            [binary, "-c", configuration], name="mosquitto", log_path=self.log_path
        )
        await self._child.wait_until(self._answers, what="listening", within_s=START_S_MAX)

    async def stop(self) -> None:
        """End it in order; harmless when it has ended."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def kill(self) -> None:
        """End it as a crash would: no client is told."""
        if self._child is not None:
            await self._child.stop(steps=((signal.SIGKILL, START_S_MAX),))
            self._child = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1.0):
                return True
        except OSError:
            return False
