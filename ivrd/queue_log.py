"""Asterisk's own queue journal, the file queue_log, as rows: from a place on, and across rotation.

Here: files, places in them, lines. Not here: the fields of a line (queue_log_rows.py), what a row
means for a call (core/journal_story.py, core/call_rows.py), and which place is safe to go on from
(checkpoint.py).

The rules
    1. A place is a file (inode), an offset, and a checksum of the file's beginning. The checksum
       finds the file again when it was compressed or copied away, and tells a truncated file, or a
       reused inode, from the one that was meant.
    2. Rotated files are ordered by the stamp of their first row, then by their last change. So all
       strategies read alike: sequential (highest number newest), rotate (.0 newest), timestamp, and
       logrotate's (numbers or dates, gzip or not).
    3. A place has at least a line before it. An empty file has none, and could not be known again
       once it was compressed and its inode reused: the place in the file before it stands.
    4. A last line without its end is not read yet, unless its file is a rotated one.
    5. Nothing in the file makes us fail: what is no row is counted, and told once for each reading.

Source:
    logger.c, `ast_queue_log`: at most 8192 bytes a line. `rotate_file`: the names of rotated files.
    `reload_logger`: a new file begins with CONFIGRELOAD.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import structlog

from ivrd.core.ids import SystemName
from ivrd.core.journal import JournalRow
from ivrd.queue_log_rows import RowParser, is_stamp

LINE_BYTES_MAX = 16_384
"""Asterisk writes at most 8192 bytes a line; a longer one is no row, and is skipped in pieces."""

ROWS_MAX = 200_000
"""Rows in one reading, some 100 MB: two busy days of a county. More are left for the next one."""

BROKEN_AT_START_MAX = 100
"""Lines looked at for a file's first row."""

HEAD_BYTES = 256
"""Beginning of a file by which it is known again: some rows, and so never twice the same."""

BUFFER_BYTES = 262_144

DECODE_ERRORS = (OSError, EOFError, zlib.error)
"""All that reading a file, compressed or not, may raise."""

_ROTATED = re.compile(r"[.-][0-9]+(?:[.-][0-9]+)*(?P<packed>\.(?:gz|bz2|xz|zst|Z))?")

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place between two lines of the journal."""

    inode: int
    """Of the file; 0 for "before everything"."""
    offset: int
    """Bytes before the place, after unpacking."""
    head: int
    """CRC-32 of the file's first HEAD_BYTES, or of all before the place where that is less."""


START = Position(inode=0, offset=0, head=0)
"""Before the first row of the present file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What stood after a place."""

    rows: tuple[JournalRow, ...]
    """About calls, and each QUEUESTART, in the order of the journal."""
    position: Position
    """Where to go on."""
    broken: int = 0
    """Lines that are no rows."""
    misencoded: int = 0
    """Rows with bytes that are not UTF-8; they are delivered, with U+FFFD in their place."""
    is_truncated: bool = False
    """The file was cut down in place, or another took its inode; read from its beginning."""
    is_gap: bool = False
    """Rows may be missing before, or between, these: a file is gone or cannot be read."""
    is_cut: bool = False
    """There is more: read again from `position`."""
    unreadable: tuple[str, ...] = ()
    """Names of files that could not be read."""


class QueueLog:
    """One PBX's journal, for the daemon. Never raises; `trouble` says what is wrong."""

    def __init__(self, path: Path, *, system: SystemName, rows_max: int = ROWS_MAX) -> None:
        """Open nothing yet."""
        self.path = path
        self.system = system
        self.trouble: str | None = None
        """Why the present file cannot be read; None when it can."""
        self.broken = 0
        """Lines that were no rows, so far."""
        self.misencoded = 0
        self.gaps = 0
        """Readings between whose rows some may be missing."""
        self._rows_max = rows_max

    def end(self) -> Position | None:
        """Return the place after the last whole row; None without one, or unreadable.

        Cheap: looks at the file's beginning and at its last bytes.
        """
        try:
            with open_log(self.path) as file:
                stat = os.fstat(file.fileno())
                offset = _whole_lines(file, stat.st_size)
                head = head_of(file, offset)
        except OSError as error:
            self._note(error)
            return None
        self._note(None)
        return Position(inode=stat.st_ino, offset=offset, head=head) if offset else None

    def read(self, since: Position | None) -> Reading:
        """Return the rows after a place, at most `rows_max` of them.

        Some 100,000 rows a second: for a gap of hours, call it in a thread.

        Args:
            since: From `end`, or an earlier reading's `position`; None for the present file's
                beginning.
        """
        since = since or START
        try:
            current: BinaryIO | None = open_log(self.path)
            self._note(None)
        except OSError as error:
            current = None
            self._note(error)
        walk = _Walk(since=since, system=self.system, rows_max=self._rows_max)
        if current is None:
            walk.read_rotated(rotated_files(self.path))
        else:
            with current:
                walk.read_all(self.path, current)
        reading = walk.reading(is_lost=current is None)
        self._count(reading)
        return reading

    def _count(self, reading: Reading) -> None:
        self.broken += reading.broken
        self.misencoded += reading.misencoded
        self.gaps += reading.is_gap
        if reading.broken or reading.misencoded or reading.is_gap:
            log.warning(
                "queue_log_damaged",
                asterisk=self.system,
                broken_lines=reading.broken,
                misencoded_rows=reading.misencoded,
                is_truncated=reading.is_truncated,
                is_gap=reading.is_gap,
                unreadable=reading.unreadable,
            )

    def _note(self, error: OSError | None) -> None:
        """Log the first failure, and the recovery."""
        trouble = None if error is None else f"{self.path}: {error.strerror}"
        if trouble is not None and self.trouble is None:
            log.error("queue_log_unreadable", asterisk=self.system, reason=trouble)
        elif trouble is None and self.trouble is not None:
            log.info("queue_log_readable", asterisk=self.system)
        self.trouble = trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedFile:
    """A file that was the journal once."""

    path: Path
    inode: int
    first_stamp: int | None
    """Epoch of its first row; None when it holds none."""
    is_readable: bool


def rotated_files(path: Path) -> list[RotatedFile]:
    """Return the files that a journal was renamed or copied to, oldest first.

    A compressed file beside its original is being made, and left out.
    """
    found: dict[str, tuple[str, os.DirEntry[str]]] = {}
    try:
        entries = sorted(os.scandir(path.parent), key=lambda entry: entry.name)
    except OSError:
        return []
    for entry in entries:
        match = _ROTATED.fullmatch(entry.name.removeprefix(path.name))
        if entry.name.startswith(path.name) and match is not None:
            packed = match["packed"] or ""
            # Sorted by name, the original comes before what is made of it.
            found.setdefault(entry.name.removesuffix(packed), (packed, entry))
    files = [file for packed, entry in found.values() for file in _rotated(packed, entry)]
    return [file for _, file in sorted(files, key=lambda keyed: keyed[0])]


def _rotated(
    packed: str, entry: os.DirEntry[str]
) -> Iterator[tuple[tuple[float, int], RotatedFile]]:
    """Yield one file and its place in the order; nothing when it vanished or is no file."""
    try:
        stat = entry.stat()
        if not entry.is_file():
            return
    except OSError:
        return
    first, is_readable = None, False
    if packed in ("", ".gz"):
        try:
            with open_log(Path(entry.path)) as file:
                first, is_readable = first_stamp_of(file), True
        except FileNotFoundError:
            return
        except DECODE_ERRORS:
            pass
    order = (stat.st_mtime if first is None else float(first), stat.st_mtime_ns)
    yield (
        order,
        RotatedFile(
            path=Path(entry.path), inode=stat.st_ino, first_stamp=first, is_readable=is_readable
        ),
    )


class _Walk:
    """One reading on its way through the files."""

    def __init__(self, *, since: Position, system: SystemName, rows_max: int) -> None:
        self._since = since
        self._rows_max = rows_max
        self._parser = RowParser(system)
        self._rows: list[JournalRow] = []
        self._position = since
        self._unreadable: list[str] = []
        self._is_found = False
        self._is_truncated = False
        self._is_cut = False

    def read_all(self, path: Path, current: BinaryIO) -> None:
        """Read what follows the place, in the present file or in rotated ones and then there."""
        stat = os.fstat(current.fileno())
        since = self._since
        if since.inode == stat.st_ino:
            if _is_at(current, since):
                self._is_found = True
                self._read(current, stat.st_ino, since.offset, is_current=True)
                return
            self._is_truncated = True
        if since.inode == 0:
            self._is_found = True
        else:
            self.read_rotated([f for f in rotated_files(path) if f.inode != stat.st_ino])
        if not self._is_cut:
            self._read(current, stat.st_ino, 0, is_current=True)

    def read_rotated(self, files: Iterable[RotatedFile]) -> None:
        """Read from the place to the end of the newest rotated file, if the place is in one."""
        files = list(files)
        start = self._find(files)
        if start is None:
            return
        self._is_found = True
        for number, file in enumerate(files[start:]):
            if self._is_cut:
                return
            offset = 0 if number else self._since.offset
            try:
                with open_log(file.path) as content:
                    if file.is_readable:
                        self._read(content, file.inode, offset, is_current=False)
                        continue
            except DECODE_ERRORS:
                pass
            self._unreadable.append(file.path.name)

    def reading(self, *, is_lost: bool) -> Reading:
        """Return what was read."""
        return Reading(
            rows=tuple(self._rows),
            position=self._position,
            broken=self._parser.broken,
            misencoded=self._parser.misencoded,
            is_truncated=self._is_truncated,
            is_gap=not self._is_found or is_lost or bool(self._unreadable),
            is_cut=self._is_cut,
            unreadable=tuple(self._unreadable),
        )

    def _find(self, files: list[RotatedFile]) -> int | None:
        """Return which file the place is in: the same one, else one with the same beginning."""
        same = [number for number, file in enumerate(files) if file.inode == self._since.inode]
        others = [number for number in range(len(files)) if number not in same]
        if not self._since.offset:
            others = []  # Nothing of it was read, so nothing can be recognised.
        for number in (*same, *others):
            try:
                with open_log(files[number].path) as content:
                    if _is_at(content, self._since):
                        return number
            except DECODE_ERRORS:
                continue
        return None

    def _read(self, file: BinaryIO, inode: int, offset: int, *, is_current: bool) -> None:
        parser, rows = self._parser, self._rows
        for line, end in lines_of(file, offset):
            if is_current and line is not None and not line.endswith(b"\n"):
                break
            row = parser.row_of(line)
            if row is not None:
                rows.append(row)
            offset = end
            if len(rows) >= self._rows_max:
                self._is_cut = True
                break
        if offset:
            self._position = Position(inode=inode, offset=offset, head=head_of(file, offset))


def open_log(path: Path) -> BinaryIO:
    """Open a file of the journal; unpacks gzip."""
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb", buffering=BUFFER_BYTES)


def lines_of(file: BinaryIO, offset: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield each line with the offset after it; None for one that is too long.

    A last line may lack its end; a too long one without an end is not yielded.
    """
    file.seek(offset)
    while line := file.readline(LINE_BYTES_MAX):
        offset += len(line)
        if line.endswith(b"\n") or len(line) < LINE_BYTES_MAX:
            yield line, offset
            continue
        while part := file.readline(LINE_BYTES_MAX):
            offset += len(part)
            if part.endswith(b"\n"):
                yield None, offset
                break


def _whole_lines(file: BinaryIO, size: int) -> int:
    """Return the offset after the last line that has its end."""
    start = max(0, size - LINE_BYTES_MAX)
    file.seek(start)
    end = file.read(size - start).rfind(b"\n")
    return start + end + 1 if end >= 0 or start == 0 else size


def head_of(file: BinaryIO, offset: int) -> int:
    """Return the checksum by which the file of a place is known again."""
    file.seek(0)
    return zlib.crc32(file.read(min(offset, HEAD_BYTES)))


def _is_at(file: BinaryIO, place: Position) -> bool:
    """Return whether a place lies in this file."""
    if head_of(file, place.offset) != place.head:
        return False
    file.seek(place.offset - 1 if place.offset else 0)
    return place.offset == 0 or len(file.read(1)) == 1


def first_stamp_of(file: BinaryIO, offset: int = 0) -> int | None:
    """Return the stamp of the first row after a place; looks no further than some broken lines."""
    for line, _ in islice(lines_of(file, offset), BROKEN_AT_START_MAX):
        stamp = b"" if line is None else line.partition(b"|")[0]
        if is_stamp(stamp.decode("ascii", errors="replace")):
            return int(stamp)
    return None
