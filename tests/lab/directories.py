"""Private directories of the lab, and logs that are kept when something failed.

A directory is told from what a killed run left behind by a lock that the kernel drops at the end of
the holder; what is left behind is removed by the next run.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab.root import cache_dir

KEPT_LOGS_MAX = 20
"""Older ones are removed; each holds the logs of one failed instance."""


def temporary_parent() -> Path:
    """Return a directory for instances that any user may pass through, made if needed."""
    path = Path(tempfile.gettempdir()) / f"ivrd-lab-{os.getuid()}"
    path.mkdir(mode=0o711, exist_ok=True)
    return path


@contextlib.contextmanager
def instance_directory(parent: Path) -> Iterator[Path]:
    """Make a directory below `parent` and remove it, with all in it, at the end."""
    _remove_abandoned(parent)
    lock_fd, lock_path = _locked_file(parent)
    base = lock_path.with_suffix("")
    try:
        base.mkdir()
        yield base
    finally:
        shutil.rmtree(base, ignore_errors=True)
        lock_path.unlink(missing_ok=True)
        os.close(lock_fd)


def _locked_file(parent: Path) -> tuple[int, Path]:
    """Make a locked file; another run may take one for abandoned before it is locked."""
    while True:
        lock_fd, lock_name = tempfile.mkstemp(suffix=".lock", dir=parent)
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        if os.fstat(lock_fd).st_nlink > 0:
            return lock_fd, Path(lock_name)
        os.close(lock_fd)


def _remove_abandoned(parent: Path) -> None:
    for lock_path in parent.glob("*.lock"):
        try:
            lock_fd = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
            lock_path.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock_fd)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # Another run, which keeps logs too, has just removed it.
        return 0.0


def keep_logs(log_dir: Path, *, name: str) -> Path:
    """Copy the logs of an instance that failed to where they outlive it, and return that place."""
    shelf = cache_dir() / "logs" / "failed"
    shelf.mkdir(parents=True, exist_ok=True)
    older = sorted(shelf.iterdir(), key=_changed_at)
    for path in older[: max(0, len(older) - KEPT_LOGS_MAX + 1)]:
        shutil.rmtree(path, ignore_errors=True)
    kept = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=shelf))
    sockets = shutil.ignore_patterns("*.sock")  # They cannot be copied.
    shutil.copytree(
        log_dir, kept, dirs_exist_ok=True, ignore_dangling_symlinks=True, ignore=sockets
    )
    return kept
