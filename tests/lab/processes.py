"""Child processes of the lab: started by argv with a named log, ended by their own id.

A child never outlives the process that started it: the kernel kills it when the parent dies, even
by SIGKILL. Nothing here knows what the child is.
"""

import asyncio
import atexit
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

POLL_S = 0.02
"""How often a condition without a notification of its own is looked at."""

STOP_STEPS: tuple[tuple[signal.Signals, float], ...] = (
    (signal.SIGTERM, 5.0),
    (signal.SIGKILL, 20.0),
)
"""Signals sent in turn when a child is stopped, each with the seconds it may take."""

LOG_TAIL_LINES = 30

_live_pids: set[int] = set()


class LabError(Exception):
    """Something the lab needs is missing, did not start, or did not stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The user a child runs as, for programs that refuse to be root."""

    uid: int
    gid: int


class Process(Protocol):
    """What a child needs of a process; `asyncio.subprocess.Process` has it."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""

    async def wait(self) -> int:
        """Wait for its end, and return the exit status."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal; ProcessLookupError when it has ended."""


@atexit.register
def _kill_what_is_left() -> None:
    for pid in tuple(_live_pids):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, even if its parent has not asked for its status yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


class Child:
    """One running program."""

    def __init__(self, *, name: str, log_path: Path, process: Process) -> None:
        """Wrap a process that is running already; use `start` instead."""
        self.name = name
        self.log_path = log_path
        self._process = process

    @classmethod
    async def start(
        cls,
        argv: Sequence[str | os.PathLike[str]],
        *,
        name: str,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        run_as: RunAs | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> "Child":
        """Start `argv` with both its outputs in `log_path`.

        `setpriv` sets the signal which the kernel sends when the parent is gone. It does so after
        changing the user, since a change of user clears the setting (prctl(2), PR_SET_PDEATHSIG).
        The child has a session of its own, so a Ctrl-C at the terminal reaches the parent only.
        Start it from a thread that outlives it: the kernel counts that thread as the parent.
        """
        wrapper = ["setpriv", "--pdeathsig", death_signal.name.removeprefix("SIG")]
        if run_as is not None and os.geteuid() == 0:
            wrapper += [f"--reuid={run_as.uid}", f"--regid={run_as.gid}", "--clear-groups"]
        with log_path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *wrapper,
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        _live_pids.add(process.pid)
        return cls(name=name, log_path=log_path, process=process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; None while the child runs."""
        return self._process.returncode

    async def wait(self, *, within_s: float) -> int:
        """Return the exit status.

        Raises:
            LabError: the child still runs after `within_s`.
        """
        try:
            status = await asyncio.wait_for(self._process.wait(), within_s)
        except TimeoutError as error:
            raise LabError(f"{self.name} (pid {self.pid}) still runs after {within_s} s") from error
        _live_pids.discard(self.pid)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send one signal; nothing happens when the child has ended."""
        if self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return

    async def stop(self, *, steps: Sequence[tuple[signal.Signals, float]] = STOP_STEPS) -> None:
        """End the child, each step harder than the one before; harmless when it has ended.

        Raises:
            LabError: the last step did not help either.
        """
        for number, within_s in steps:
            self.send_signal(number)
            try:
                await self.wait(within_s=within_s)
            except LabError:
                continue
            return
        raise LabError(f"{self.name} (pid {self.pid}) cannot be stopped; log: {self.log_path}")

    def log_tail(self, *, lines: int = LOG_TAIL_LINES) -> str:
        """Return the last lines the child wrote."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far, user and system.

        Source:
            proc_pid_stat(5): fields 14 and 15, counted after the name, which may hold blanks.
        """
        text = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii", errors="replace")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def wait_until(
        self, condition: Callable[[], bool], *, what: str, within_s: float
    ) -> None:
        """Wait until `condition` holds.

        Raises:
            LabError: it took longer than `within_s`, or the child ended first.
        """
        deadline = time.monotonic() + within_s
        while not condition():
            if self.returncode is not None:
                raise LabError(
                    f"{self.name} ended with status {self.returncode} before {what}; "
                    f"log {self.log_path}:\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise LabError(
                    f"{self.name}: not {what} within {within_s} s; "
                    f"log {self.log_path}:\n{self.log_tail()}"
                )
            await asyncio.sleep(POLL_S)


async def run_to_end(
    argv: Sequence[str | os.PathLike[str]],
    *,
    name: str,
    log_path: Path,
    within_s: float,
    env: Mapping[str, str] | None = None,
    run_as: RunAs | None = None,
) -> None:
    """Run a program to its end.

    Raises:
        LabError: it failed or took too long; the last lines of its log are in the message.
    """
    child = await Child.start(argv, name=name, log_path=log_path, env=env, run_as=run_as)
    try:
        status = await child.wait(within_s=within_s)
    finally:
        await child.stop()
    if status != 0:
        raise LabError(f"{name} failed with status {status}; log {log_path}:\n{child.log_tail()}")
