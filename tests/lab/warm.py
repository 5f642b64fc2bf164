"""Starts ivrd for tests from a process that has imported it already.

Half of what the tests of real calls work is Python reading the same modules for each ivrd anew.
Here one process reads them once and waits; each ivrd is forked from it, and is then a process like
any other: id, session, log, signals, exit status of its own, nothing shared. Asked for by
`keep_warm`; without, as in the demo and in benchmarks, ivrd is started as everybody starts it.

A forked ivrd is no child of the tests: they watch it by its pidfd, and its exit status comes
through a file, because a pipe would have to be read by an event loop that outlives the test's.
"""

import asyncio
import atexit
import contextlib
import ctypes
import importlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.lab.processes import POLL_S, Child, LabError

REPOSITORY = Path(__file__).resolve().parents[2]

MODULES = ("ivrd.cli", "ivrd.cli_run")
"""What `ivrd run` imports."""

PR_SET_PDEATHSIG = 1
"""prctl(2)."""

_is_warm = False


def keep_warm() -> None:
    """Let every ivrd from now on be forked."""
    global _is_warm
    _is_warm = True


@cache
def _warm() -> "_Warm":
    return _Warm()


async def start_ivrd(words: Sequence[str | os.PathLike[str]], *, log_path: Path) -> Child:
    """Start `ivrd` with these words in the repository, both its outputs in `log_path`."""
    if not _is_warm:
        argv = [sys.executable, "-m", "ivrd", *words]
        return await Child.start(argv, name="ivrd", log_path=log_path, cwd=REPOSITORY)
    process = _warm().fork(words, log_path=log_path)
    return Child(name="ivrd", log_path=log_path, process=process)


class _Warm:
    """The process that waits; it ends with this one, and all that was forked from it too."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="ivrd-warm-")
        self._count = 0
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.lab.warm"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        atexit.register(self._end)

    def fork(self, words: Sequence[str | os.PathLike[str]], *, log_path: Path) -> "Forked":
        """Fork an ivrd; waits for milliseconds, or until all is imported the first time."""
        self._count += 1
        status_path = Path(self._directory.name) / str(self._count)
        asked = {
            "words": [os.fspath(word) for word in words],
            "log": str(log_path),
            "status": str(status_path),
            "environment": dict(os.environ),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise LabError("the process from which ivrd is forked has ended; see its complaint")
        return Forked(int(answer), status_path)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()


class Forked:
    """A process that is not our child, with what `asyncio.subprocess.Process` offers of one."""

    def __init__(self, pid: int, status_path: Path) -> None:
        """Watch a process that is running, or has just ended."""
        self.pid = pid
        self._status_path = status_path
        self._status: int | None = None
        # Nobody else can have its number yet: its parent has not asked for its status, or has
        # written it down.
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._pidfd = -1

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self._status is None:
            with contextlib.suppress(FileNotFoundError):
                self._status = int(self._status_path.read_text(encoding="ascii"))
                if self._pidfd >= 0:
                    os.close(self._pidfd)
        return self._status

    async def wait(self) -> int:
        """Return the exit status when it has ended."""
        for _ in itertools.count():
            if (status := self.returncode) is not None:
                return status
            await asyncio.sleep(POLL_S)
        raise AssertionError("counting never ends")

    def send_signal(self, number: int, /) -> None:
        """Send one signal.

        Raises:
            ProcessLookupError: It has ended.
        """
        if self.returncode is not None or self._pidfd < 0:
            raise ProcessLookupError(self.pid)
        signal.pidfd_send_signal(self._pidfd, number)


def _serve() -> None:
    """Fork an ivrd for each line that comes in, and write down how each ended."""
    for module in MODULES:
        importlib.import_module(module)
    statuses: dict[int, Path] = {}
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(0, select.POLLIN)
    lines = b""
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken in ready:
            os.read(woken, 4096)
            _write_down(statuses)
        if 0 not in ready:
            continue
        read = os.read(0, 65536)
        if not read:
            return
        *whole, lines = (lines + read).split(b"\n")
        for line in whole:
            asked = json.loads(line)
            pid = os.fork()
            if not pid:
                _become_ivrd(asked)
            statuses[pid] = Path(asked["status"])
            os.write(1, f"{pid}\n".encode())


def _write_down(statuses: dict[int, Path]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        path = statuses.pop(pid)
        half = path.with_suffix(".half")
        half.write_text(str(os.waitstatus_to_exitcode(status)), encoding="ascii")
        half.rename(path)


def _become_ivrd(asked: dict[str, object]) -> None:
    parent = os.getppid()
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(str(asked["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    environment = asked["environment"]
    words = asked["words"]
    assert isinstance(environment, dict)
    assert isinstance(words, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["ivrd", *words]
    importlib.import_module("ivrd.cli").main()
    raise SystemExit(0)


if __name__ == "__main__":
    _serve()
