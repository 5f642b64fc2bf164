"""Finding a moment in queue_log, when no place was kept.

Here: which file, and where in it. Not here: reading on from there (queue_log.py), and which moment
(gap.py).

Stamps rise within a file, but for a clock that stepped: so a moment is found by halving, in
milliseconds also in a file that was never rotated. A compressed file is read from its beginning.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from ivrd.queue_log import (
    DECODE_ERRORS,
    LINE_BYTES_MAX,
    Position,
    first_stamp_of,
    head_of,
    open_log,
    rotated_files,
)

NEAR_BYTES = 65_536
"""Halving ends here: some hundred rows too many cost less than another look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A place that no row of the moment, or of a later one, stands before."""

    position: Position
    is_complete: bool
    """False when the oldest row there is, is younger than the moment."""


def find(path: Path, moment: datetime) -> Found | None:
    """Return the place from which to read what happened since a moment; None without any row."""
    stamp = int(moment.timestamp())
    stamped = [
        (each.path, each.first_stamp)
        for each in rotated_files(path)
        if each.first_stamp is not None and each.is_readable
    ]
    try:
        with open_log(path) as file:
            first = first_stamp_of(file)
        if first is not None:
            stamped.append((path, first))
        earlier = [name for name, begins in stamped if begins < stamp]
        if earlier:
            return Found(position=_place(earlier[-1], stamp), is_complete=True)
        if stamped:
            return Found(position=_place(stamped[0][0], stamp), is_complete=stamped[0][1] <= stamp)
    except DECODE_ERRORS:
        pass
    return None


def _place(path: Path, stamp: int) -> Position:
    """Return the place in a file from which all rows of a stamp, and of later ones, follow."""
    with open_log(path) as file:
        stat = os.fstat(file.fileno())
        offset = 0 if path.suffix == ".gz" else _offset(file, stat.st_size, stamp)
        return Position(inode=stat.st_ino, offset=offset, head=head_of(file, offset))


def _offset(file: BinaryIO, size: int, stamp: int) -> int:
    low, high = 0, size
    while high - low > NEAR_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(LINE_BYTES_MAX)
        start = file.tell()
        found = first_stamp_of(file, start)
        if found is None or found >= stamp:
            high = middle
        else:
            low = start
    return low
