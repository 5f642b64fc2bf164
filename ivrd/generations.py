"""The directory of the dialplan that Asterisk reads: replaced as a whole, kept for a step back.

Here: the disk. Not here: what the files say, and Asterisk.

    ivrd            what Asterisk reads
    ivrd.previous   what it read before; for one step back
    ivrd.next       a whole directory, on its way into or out of use
    ivrd.part       one that is being written
    ivrd.away       one half-way between two names, where the file system cannot exchange
    ivrd.undone     what somebody stepped back from, or what Asterisk did not take; for looking at
    ivrd.lock       locked by whoever is at work

Asterisk that starts while the directory is away has no dialplan at all, neither ours nor the
site's, for it refuses all of extensions.conf (seen on 22.10.1). So two directories change places in
one step of the file system, and there is no moment without one. Files that are not ours are
carried along.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from ivrd.errors import IvrdError

NAME = "ivrd"
"""The files include each other by this directory."""

NUMBER_FILE = "ivrd-generation"
"""Which generation a directory is, and since when: "7 2026-11-21T22:37:00+00:00"."""

OURS = "ivrd*.conf"

MAIN_FILE = "ivrd.conf"

READABLE = 0o644
"""Of a file that has no model: nothing in it is secret."""

_RENAME_EXCHANGE = 2
_HERE = -100
"""Of <fcntl.h> and <linux/fs.h>: AT_FDCWD."""


class Generations:
    """One directory and those beside it; changed only under `lock`."""

    def __init__(self, directory: Path) -> None:
        """Look at nothing yet.

        Args:
            directory: What Asterisk reads; it need not be there.
        """
        self.directory = directory.resolve()
        self._previous, self._next, self._part, self._away, self._undone, self._lock = (
            self.directory.with_name(f"{NAME}.{end}")
            for end in ("previous", "next", "part", "away", "undone", "lock")
        )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep everybody else from changing it; and mend what an interrupted change has left.

        Raises:
            IvrdError: Somebody else is at work.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                who = file.read().strip() or "somebody"
                raise IvrdError(
                    f"{self.directory}: {who} is changing the dialplan just now; nothing was done"
                ) from error
            file.truncate(0)
            file.write(f"process {os.getpid()}\n")
            file.flush()
            self._mend()
            yield
            file.truncate(0)

    def in_use(self) -> Mapping[str, str]:
        """Return our files of the directory, by name; empty when it is not there."""
        return _files(self.directory)

    def previous(self) -> Mapping[str, str] | None:
        """Return the files of one step back; None when there is no such step."""
        return _files(self._previous) if self._previous.is_dir() else None

    def told(self) -> str:
        """Return which generation is in use, in words."""
        number, since = _number(self.directory)
        return f"generation {number}" + (f", in use since {since}" if since else "")

    def put(self, files: Mapping[str, str], *, now: datetime) -> None:
        """Put other files in place of those in use; `confirm` or `take_back` follows.

        Args:
            files: All of ours.
            now: To be told later.
        """
        newest = max(_number(one)[0] for one in (self.directory, self._previous, self._undone))
        _remove(self._part)
        self._part.mkdir()
        self._part.chmod(0o755)
        if self.directory.is_dir():
            _carry(self.directory, self._part)
        for name, text in files.items():
            (self._part / name).write_text(text, encoding="utf-8")
            _permit(self._part / name, like=self.directory / MAIN_FILE)
        stamp = f"{newest + 1} {now.isoformat(timespec='seconds')}\n"
        (self._part / NUMBER_FILE).write_text(stamp, encoding="utf-8")
        _sync(self._part)
        _remove(self._next)
        self._part.rename(self._next)
        if self.directory.is_dir():
            self._exchange()
        else:
            self._next.rename(self.directory)
        _sync_directory(self.directory.parent)

    def confirm(self, *, is_step_back: bool) -> None:
        """Keep what was put there.

        Args:
            is_step_back: What was in use is not the step before, but what was undone; and there is
                no step before any more.
        """
        if not is_step_back:
            if self._next.is_dir():
                _remove(self._previous)
                self._next.rename(self._previous)
            return
        _remove(self._undone)
        self._next.rename(self._undone)
        _remove(self._previous)

    def take_back(self) -> bool:
        """Bring back what was in use before `put`; tell whether there was anything."""
        was_there = self._next.is_dir()
        _remove(self._undone)
        if was_there:
            self._exchange()
            self._next.rename(self._undone)
        else:
            self.directory.rename(self._undone)
        return was_there

    def _mend(self) -> None:
        """Take up where somebody was interrupted: the lower number is what was in use before."""
        _remove(self._part)
        if self._away.is_dir():
            self._away.rename(self._next if self.directory.is_dir() else self.directory)
        if not self._next.is_dir():
            return
        if _number(self._next)[0] < _number(self.directory)[0]:
            _remove(self._previous)
            self._next.rename(self._previous)
        else:
            _remove(self._next)

    def _exchange(self) -> None:
        """Let the next directory and the one in use change places, in one step where possible."""
        if _is_exchanged(self._next, self.directory):
            return
        self.directory.rename(self._away)
        self._next.rename(self.directory)
        self._away.rename(self._next)


def _files(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(directory.glob(OURS))}


def _number(directory: Path) -> tuple[int, str]:
    """Return a directory's number and since when; 0 when it was not put there by us."""
    try:
        number, _, since = (directory / NUMBER_FILE).read_text(encoding="utf-8").partition(" ")
        return int(number), since.strip()
    except (OSError, ValueError):
        return 0, ""


def _carry(source: Path, target: Path) -> None:
    """Copy what is not ours, and give the directory the same owner and mode."""
    ours = {path.name for path in source.glob(OURS)} | {NUMBER_FILE}
    for path in source.iterdir():
        if path.name in ours:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, target / path.name, symlinks=True)
        else:
            shutil.copy2(path, target / path.name, follow_symlinks=False)
    _permit(target, like=source)


def _permit(path: Path, *, like: Path) -> None:
    """Give a path the owner and mode of another; Asterisk must be able to read it."""
    try:
        known = like.stat()
    except FileNotFoundError:
        path.chmod(READABLE)
        return
    path.chmod(stat.S_IMODE(known.st_mode))
    if os.geteuid() == 0:
        os.chown(path, known.st_uid, known.st_gid)


def _is_exchanged(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; tell whether the file system can.

    Source:
        renameat2(2), RENAME_EXCHANGE: ext4, xfs, btrfs, tmpfs and others; not NFS.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    return bool(libc.renameat2(_HERE, names[0], _HERE, names[1], _RENAME_EXCHANGE) == 0)


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _sync(directory: Path) -> None:
    for path in directory.glob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
