"""Runs a real Asterisk with a private configuration on loopback, several at once if wanted.

What is configured is decided in `pbx_config.py`; where Asterisk comes from, in `root.py`.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lab.directories import instance_directory, keep_logs, temporary_parent
from tests.lab.other_time import wall_clock_ahead
from tests.lab.pbx_config import LAB_USER, Agent, Directories, PbxPlan, Wiring, render
from tests.lab.ports import LOOPBACK, reserve_port, reserve_range
from tests.lab.processes import POLL_S, Child, LabError
from tests.lab.root import Asterisk, find_asterisk, print_progress

__all__ = ["LAB_USER", "Agent", "Pbx", "PbxPlan"]

BOOT_S_MAX = 60.0
"""Measured 0.5 s; several instances at once on 2 cores need more."""

CLI_S_MAX = 30.0

STOP_NOW_S_MAX = 15.0

MUSIC_S = 10
"""Length of the silent music on hold."""

PRIORITY = 10
"""Among real-time processes; what `asterisk -p` asks for (asterisk.c), as does Debian's service."""

_goes_first = False


def let_pbx_go_first() -> None:
    """Let each Asterisk from now on have the CPU whenever it wants it, as where people call.

    Asked for by the tests, of which several share a CPU. From when it is booted: reading hundreds
    of modules would keep the others waiting. Without the right to it nothing changes.
    """
    global _goes_first
    _goes_first = True


class Pbx:
    """One running PBX.

    Example:
        >>> async def look(plan: PbxPlan) -> str:
        ...     async with Pbx.start(plan) as pbx:
        ...         return await pbx.cli("queue show")
    """

    def __init__(
        self, *, asterisk: Asterisk, plan: PbxPlan, wiring: Wiring, directories: Directories
    ) -> None:
        """Only describes the instance; use `start`."""
        self.asterisk = asterisk
        self.plan = plan
        self.wiring = wiring
        self._directories = directories
        self._child: Child | None = None
        self._ahead = timedelta()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, plan: PbxPlan | None = None, *, asterisk: Asterisk | None = None
    ) -> "AsyncIterator[Pbx]":
        """Run a PBX from when it is fully booted until the body ends, in whatever way it ends.

        Args:
            plan: None for a PBX without queues, phones and dialplan.
            asterisk: None for the one that `find_asterisk` finds.
        """
        plan = plan or PbxPlan()
        asterisk = asterisk or await find_asterisk()
        with contextlib.ExitStack() as held:
            parent = asterisk.root / "srv/lab" if asterisk.root else temporary_parent()
            base = held.enter_context(instance_directory(parent))
            ami, sip = reserve_port(), reserve_port()
            rtp = reserve_range(plan.rtp_port_count)
            for ports in (ami, sip, rtp):
                held.callback(ports.release)
            wiring = Wiring(
                ami_port=ami.first,
                sip_port=sip.first,
                rtp_ports=rtp.numbers,
                lab_secret=secrets.token_urlsafe(18),
            )
            directories = Directories(base=asterisk.inside(base), modules=asterisk.modules_dir)
            pbx = cls(asterisk=asterisk, plan=plan, wiring=wiring, directories=directories)
            pbx._write_files()
            try:
                await pbx.resume(at=plan.starts_at)
                yield pbx
            except Exception:
                kept = keep_logs(pbx.log_path.parent, name=plan.system_name)
                print_progress(f"logs of {plan.system_name} are kept in {kept}")
                raise
            finally:
                await pbx.stop()

    # What a test connects to.

    @property
    def ami_port(self) -> int:
        """AMI, TCP on loopback."""
        return self.wiring.ami_port

    @property
    def sip_port(self) -> int:
        """SIP, UDP on loopback."""
        return self.wiring.sip_port

    @property
    def rtp_ports(self) -> range:
        """The PBX's own media ports."""
        return self.wiring.rtp_ports

    @property
    def lab_user(self) -> str:
        """An AMI user with all rights."""
        return LAB_USER

    @property
    def lab_secret(self) -> str:
        """The secret of `lab_user`."""
        return self.wiring.lab_secret

    @property
    def version(self) -> str:
        """Asterisk's version, such as 22.10.1."""
        return self.asterisk.version

    @property
    def pid(self) -> int:
        """Of the running Asterisk; another one after `restart`."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._child is not None and self._child.returncode is None

    # Its files, by the paths of the machine.

    @property
    def etc_dir(self) -> Path:
        """The configuration directory; a change counts after `restart` or a reload by `cli`."""
        return self.asterisk.outside(self._directories.etc)

    @property
    def log_path(self) -> Path:
        """Asterisk's own log: notices, warnings, errors."""
        return self.asterisk.outside(self._directories.log / "messages")

    @property
    def queue_log(self) -> Path:
        """The journal of app_queue."""
        return self.asterisk.outside(self._directories.log / "queue_log")

    @property
    def sounds_dir(self) -> Path:
        """Private sounds: a file `sv/ivrd/menu.wav` below it plays as `ivrd/menu` in Swedish."""
        return self.asterisk.outside(self._directories.data / "sounds")

    # What it can be asked and told.

    async def cli(self, command: str) -> str:
        """Return what Asterisk's console prints for `command`.

        Raises:
            LabError: the PBX does not answer.
        """
        process = await asyncio.create_subprocess_exec(
            *self._argv("-rx", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), CLI_S_MAX)
        except TimeoutError as error:
            raise LabError(f"no answer to {command!r} in {CLI_S_MAX} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode("utf-8", errors="replace")
        if process.returncode != 0:
            raise LabError(f"{command!r} failed with {process.returncode}: {text.strip()}")
        return text

    def now(self) -> datetime:
        """Return what its wall clock says, in UTC."""
        return datetime.now(UTC) + self._ahead

    def cpu_seconds(self) -> float:
        """Return the CPU time that this Asterisk has used, all threads, user and system."""
        return self._running().cpu_seconds()

    async def stop(self) -> None:
        """End the PBX: by its console, else by signal; harmless when it has ended."""
        child = self._child
        if child is None:
            return
        if child.returncode is None:
            with contextlib.suppress(LabError):
                await self.cli("core stop now")
                await child.wait(within_s=STOP_NOW_S_MAX)
        await child.stop()
        self._child = None

    async def kill(self) -> None:
        """End the PBX as a crash would: at once, with nothing written."""
        child = self._running()
        await child.stop(steps=((signal.SIGKILL, STOP_NOW_S_MAX),))
        self._child = None

    async def resume(self, *, at: datetime | None = None) -> None:
        """Start it again with the same ports and files, and wait until it is fully booted.

        Args:
            at: What its wall clock says at the start; None for the same clock as before.

        Raises:
            LabError: it did not boot; the message holds the end of its log.
        """
        self._control_socket.unlink(missing_ok=True)
        if at is not None:
            self._ahead = at - datetime.now(UTC)
        clock = wall_clock_ahead(self.asterisk, self._ahead) if self._ahead else None
        self._child = await Child.start(
            self._argv("-f", "-n", environment=clock),
            name=f"asterisk {self.plan.system_name}",
            log_path=self.asterisk.outside(self._directories.log / "console"),
        )
        try:
            await self._wait_until_booted(self._child)
        except LabError as error:
            raise LabError(f"{error}\n{_tail(self.log_path)}") from error
        if _goes_first:
            _put_first(self.pid)

    async def restart(self, *, at: datetime | None = None) -> None:
        """Stop and start with the same ports and files; `at` is for `resume`."""
        await self.stop()
        await self.resume(at=at)

    # Inside.

    @property
    def _control_socket(self) -> Path:
        return self.asterisk.outside(self._directories.run / "asterisk.ctl")

    def _argv(self, *arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
        conf = str(self._directories.etc / "asterisk.conf")
        return self.asterisk.argv("-C", conf, *arguments, environment=environment)

    def _running(self) -> Child:
        if self._child is None:
            raise LabError(f"{self.plan.system_name} does not run")
        return self._child

    async def _wait_until_booted(self, child: Child) -> None:
        deadline = time.monotonic() + BOOT_S_MAX
        await child.wait_until(
            self._control_socket.exists, what="its console opened", within_s=BOOT_S_MAX
        )
        while "fully booted" not in await self._boot_state():
            if child.returncode is not None or time.monotonic() > deadline:
                raise LabError(f"{child.name} is not fully booted; status {child.returncode}")
            await asyncio.sleep(POLL_S)
        await child.wait_until(self._answers_ami, what="AMI answers", within_s=BOOT_S_MAX)

    async def _boot_state(self) -> str:
        """Return what the console says once it can; empty while it cannot."""
        try:
            return (await self.cli("core waitfullybooted")).lower()
        except LabError:
            return ""

    def _answers_ami(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.ami_port), timeout=1.0) as connection:
                return connection.recv(64).startswith(b"Asterisk Call Manager/")
        except OSError:
            return False

    def _write_files(self) -> None:
        outside = self.asterisk.outside
        for directory in self._directories.all:
            outside(directory).mkdir(parents=True)
        modules = self.asterisk.modules()
        for name, text in render(
            self.plan, self.wiring, self._directories, modules=modules
        ).items():
            path = self.etc_dir / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self._link_data()

    def _link_data(self) -> None:
        """Make a data directory of our own: links to what comes with Asterisk, and own sounds."""
        data = self.asterisk.outside(self._directories.data)
        given = self.asterisk.data_dir
        for source, target in (
            # The deepest first: what is there then is no link to what came with Asterisk.
            (given / "sounds" / "en", data / "sounds" / "en"),
            (given / "sounds", data / "sounds"),
            (given, data),
        ):
            target.mkdir(exist_ok=True)
            for entry in self._followed(source).iterdir():
                if not (target / entry.name).exists():
                    (target / entry.name).symlink_to(source / entry.name)
        silence = b"\xff" * (8000 * MUSIC_S)
        (data / "moh" / "silence.ulaw").write_bytes(silence)

    def _followed(self, path: Path) -> Path:
        """Return where a directory of Asterisk's is for the machine: its links lead inside."""
        while self.asterisk.outside(path).is_symlink():
            path = path.parent / self.asterisk.outside(path).readlink()
        return self.asterisk.outside(path)


def _put_first(pid: int) -> None:
    """Make each thread a real-time one; a new thread is as the one that makes it."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(PRIORITY))


def _tail(path: Path, *, lines: int = 30) -> str:
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
