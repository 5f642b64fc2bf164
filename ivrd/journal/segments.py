"""The files of a journal's directory, and what is done with one of them at a time.

Here: names, modes, the lock, reading lines, flushing. Not here: when any of it is done, and counts
(facts_journal.py).

    lock              held by the one daemon that uses the directory; its process id
    facts-000012.jsonl  a segment: lines of codec.py, only ever appended to, in the order of numbers
    committed.json    the place up to which the database holds everything
    set-aside.jsonl   lines that were broken, and facts that the database refused: for a person

All are 0600 in a directory of 0700, because callers' numbers are in them.
"""

import errno
import fcntl
import json
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivrd.journal.codec import FORMAT_VERSION, Fact, JournalError, LineBroken, decode, version_of

LINE_BYTES_MAX = 1024 * 1024
"""A line is some 350 bytes. Its texts come from AMI messages of at most 64 KiB (ami/frames.py), and
a control character takes six bytes in JSON; what is longer is no line of ours."""

PLACE_BYTES = 128
"""The place's file has always this size: it is overwritten in place by one write."""

PROBE_BYTES = 64 * 1024
"""So much must fit on a disk that was full before it is trusted again: some 180 facts."""

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700

_SEGMENT = re.compile(r"facts-(\d{6,18})\.jsonl")
_PLACE = re.compile(r'\{"crc":"([0-9a-f]{8})","place":(\{"segment":\d+,"offset":\d+\})\} *\n')


class JournalLocked(JournalError):
    """Another daemon uses the directory: this one must not run beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the journal; everything before it is in the database."""

    segment: int
    offset: int
    """Bytes from the segment's beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line that was read, or one fact that never came to the disk."""

    fact: Fact | None
    """None for a broken line."""
    raw: bytes = b""
    """A broken line as it was found."""
    fault: str = ""
    """What is wrong with it."""
    after: Place | None = None
    """The place behind it; None for a fact that never came to the disk."""


def prepare_directory(directory: Path) -> None:
    """Make the directory, and see that nobody else may look into it.

    Raises:
        OSError: `fault_of` says it in words.
    """
    if not directory.is_dir():
        directory.mkdir(mode=DIRECTORY_MODE)
    if directory.stat().st_mode & 0o777 != DIRECTORY_MODE:
        directory.chmod(DIRECTORY_MODE)


def take_lock(directory: Path) -> int:
    """Return the open lock; the kernel lets go of it when the process ends, however it does.

    Raises:
        JournalLocked: Somebody else holds it.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise JournalLocked(
            f"{directory}: is used by another ivrd (process {holder or 'unknown'}); end that one, "
            "or give this one its own [journal] directory"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def segment_path(directory: Path, number: int) -> Path:
    """Return a segment's path."""
    return directory / f"facts-{number:06}.jsonl"


def segments_in(directory: Path) -> Sequence[tuple[int, Path]]:
    """Return every segment, oldest first."""
    found = [(_SEGMENT.fullmatch(path.name), path) for path in directory.iterdir()]
    return sorted((int(match[1]), path) for match, path in found if match is not None)


def create_segment(path: Path) -> int:
    """Return a new file, open for appending."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
    return os.open(path, flags, FILE_MODE)


def check_version(path: Path) -> None:
    """Raise when a segment is of a newer format: reading it as ours would lose what it says.

    Raises:
        JournalError: With the way out.
    """
    with path.open("rb") as file:
        version = version_of(file.readline(LINE_BYTES_MAX))
    if version is not None and version > FORMAT_VERSION:
        raise JournalError(
            f"{path}: was written by a newer ivrd (format {version}; this one reads "
            f"{FORMAT_VERSION}); run that one until its database has taken the journal, or move "
            "the file away and keep it"
        )


def count_lines(path: Path, start: int) -> int:
    """Return how many lines `read_items` finds from there on; a torn last one is one."""
    with path.open("rb") as file:
        file.seek(start)
        return sum(1 for _ in iter(lambda: file.readline(LINE_BYTES_MAX), b""))


def read_items(path: Path, start: Place, end: int, count: int) -> Sequence[Item]:
    """Return up to so many lines between two places, decoded; broken ones as such.

    Args:
        path: The segment of `start`.
        start: Of the first line.
        end: Bytes from the segment's beginning; nothing is read beyond it.
        count: Lines at most.
    """
    items: list[Item] = []
    offset = start.offset
    with path.open("rb") as file:
        file.seek(offset)
        while len(items) < count and offset < end:
            line = file.readline(min(LINE_BYTES_MAX, end - offset))
            if not line:
                break
            offset += len(line)
            items.append(_item(line, Place(segment=start.segment, offset=offset)))
    return items


def _item(line: bytes, after: Place) -> Item:
    try:
        return Item(fact=decode(line), after=after)
    except LineBroken as error:
        return Item(fact=None, raw=line, fault=str(error), after=after)


def flush(paths: Iterable[Path], directory: Path) -> None:
    """Return when these files are on the disk itself; one that is gone was committed meanwhile."""
    for path in (*paths, directory):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def probe(directory: Path) -> None:
    """Return when the directory takes a new file with something in it.

    Raises:
        OSError: It does not.
    """
    prepare_directory(directory)
    path = directory / "probe"
    try:
        path.write_bytes(b"\0" * PROBE_BYTES)
    finally:
        path.unlink(missing_ok=True)


def append_aside(directory: Path, line: bytes) -> int:
    """Put a line where a person finds it, and return the bytes written."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    descriptor = os.open(directory / "set-aside.jsonl", flags, FILE_MODE)
    try:
        return os.write(descriptor, line if line.endswith(b"\n") else line + b"\n")
    finally:
        os.close(descriptor)


def aside_bytes(directory: Path) -> int:
    """Return the size of what was put aside."""
    try:
        return (directory / "set-aside.jsonl").stat().st_size
    except FileNotFoundError:
        return 0


class PlaceFile:
    """Remembers the committed place over a restart.

    One write of PLACE_BYTES over the old text: whole after a crash of ours, since the kernel has
    it or not; after a power cut it is old or does not fit its checksum. Either only makes the
    replay longer, which is harmless; so it is never flushed.
    """

    def __init__(self, directory: Path) -> None:
        """Open it, or make it."""
        self._descriptor = os.open(directory / "committed.json", os.O_RDWR | os.O_CREAT, FILE_MODE)

    def read(self) -> Place | None:
        """Return the place; None when there is none that can be read."""
        text = os.pread(self._descriptor, PLACE_BYTES, 0).decode("ascii", "replace")
        found = _PLACE.fullmatch(text)
        if found is None or int(found[1], 16) != zlib.crc32(found[2].encode()):
            return None
        place: dict[str, int] = json.loads(found[2])
        return Place(segment=place["segment"], offset=place["offset"])

    def write(self, place: Place) -> None:
        """Remember the place."""
        inner = f'{{"segment":{place.segment},"offset":{place.offset}}}'
        text = f'{{"crc":"{zlib.crc32(inner.encode()):08x}","place":{inner}}}'
        os.pwrite(self._descriptor, f"{text:{PLACE_BYTES - 1}}\n".encode("ascii"), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def fault_of(directory: Path, error: OSError) -> str:
    """Return what keeps us from the journal, with the path and the way out."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            told = "cannot be made; create it for ivrd's user with mode 0700"
        case errno.ENOSPC | errno.EDQUOT:
            told = "there is no space left on its disk; free some"
        case errno.EROFS:
            told = "its file system is read-only; mount it writable"
        case errno.EACCES | errno.EPERM:
            told = "ivrd may not write there; give it to ivrd's user with mode 0700"
        case _:
            told = f"{error.strerror or type(error).__name__}; see the kernel's log and the disk"
    return f"{directory}: {told}, or set another [journal] directory"
