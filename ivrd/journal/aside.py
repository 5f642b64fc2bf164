"""What the journal has set aside for a person, seen through for what must go.

Here: reading and rewriting that one file, and looking for a text in the directory. Not here: what
must go, and why (ivrd/retention.py, ivrd/person_file.py).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ivrd.journal.codec import Fact, LineBroken, decode
from ivrd.journal.segments import FILE_MODE, segments_in

ASIDE_NAME = "set-aside.jsonl"


def prune_aside(
    directory: Path, *, is_gone: Callable[[Fact | None], bool], is_dry_run: bool = False
) -> int:
    """Take lines out of what was set aside, and return how many.

    A line that the daemon sets aside in the very moment of the rewrite is lost; it was counted and
    logged as refused.

    Args:
        directory: The journal's.
        is_gone: Whether a line must go; None for one that nobody can read.
        is_dry_run: Only count.

    Raises:
        OSError: The file cannot be read or written.
    """
    path = directory / ASIDE_NAME
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return 0
    kept = [line for line in lines if not is_gone(_fact_in(line))]
    gone = len(lines) - len(kept)
    if not gone or is_dry_run:
        return gone
    if not kept:
        path.unlink()
        return gone
    owner = path.stat()
    temporary = path.with_name(f".{ASIDE_NAME}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        file.write(b"".join(kept))
        file.flush()
        # It is all there is of these facts.
        os.fsync(descriptor)
    temporary.replace(path)
    return gone


def facts_on_disk(directory: Path) -> Iterator[Fact]:
    """Yield every readable fact that stands in the journal's files, stored already or not."""
    if not directory.is_dir():
        return
    for path in (*(path for _, path in segments_in(directory)), directory / ASIDE_NAME):
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            continue
        for line in lines:
            fact = _fact_in(line)
            if fact is not None:
                yield fact


def _fact_in(line: bytes) -> Fact | None:
    try:
        return decode(line)
    except LineBroken:
        return None
