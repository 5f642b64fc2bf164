"""Facts on the local disk from the moment they are known until the database holds them.

Here: the order of writing, reading, flushing and removing, the bound, and the alarms. Not here: the
form of a line (codec.py), single files (segments.py), or the database (db/outbox.py).

What a crash can cost
    A crash or kill -9 of ivrd: nothing. `append` returns when the kernel has the line.
    A power cut: facts that are not yet in the database and younger than FLUSH_S plus one flush.
    While the database answers that is next to nothing, since it commits within milliseconds and
    by its own flush; so only what waits is flushed, and an idle disk stays idle. A flush per fact
    was rejected: it would hold up the event loop for some milliseconds each, and the same cut
    also ends the PBX and its calls.

Order: one writer of segments (`append`, on the loop), one reader (`read`, then `commit`). A start
begins a new segment, so a line torn by the last end is always the last of its segment.
"""

import asyncio
import contextlib
import enum
import errno
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from ivrd.journal.codec import Fact, JournalError, encode
from ivrd.journal.segments import (
    LINE_BYTES_MAX,
    Item,
    JournalLocked,
    Place,
    PlaceFile,
    append_aside,
    aside_bytes,
    check_version,
    count_lines,
    create_segment,
    fault_of,
    flush,
    prepare_directory,
    probe,
    read_items,
    segment_path,
    segments_in,
    take_lock,
)

SEGMENT_BYTES_MAX = 4 * 1024 * 1024
"""Some 12,000 facts: the step in which disk space comes back."""

DONE_BYTES_MAX = 256 * 1024
"""A segment that the database holds whole is removed from this size on, although it is still being
written: callers' numbers need not lie about, and a start has little to look at."""

ASIDE_BYTES_MAX = 8 * 1024 * 1024
"""Lines beyond it are only counted: what was put aside must not use up the journal."""

NEARLY_FULL, WELL_AGAIN = 0.8, 0.7
"""Shares of the bound at which the alarm begins and ends; apart, so that it does not flicker."""

FACT_BYTES = 350
"""A usual fact as a line, measured: 200 (a move) to 390 (a call)."""

DONE_S_MAX = 60.0
"""And however small it is, it goes when it is so old: what is purged or erased from the database
must not stand in a file beside it for hours."""

FLUSH_S = 1.0
"""How often what waits for the database is flushed to the disk."""

log = structlog.get_logger(__name__)


class Kept(enum.Enum):
    """What became of a fact that was appended."""

    YES = "yes"
    FULL = "full"
    """The journal has reached its bound."""
    UNFIT = "unfit"
    """No line can hold it."""
    FAILED = "failed"
    """The journal cannot be written now."""


@dataclass(slots=True)
class Segment:
    """One file of the journal."""

    number: int
    path: Path
    size: int = 0
    """Bytes of it that are lines, or may be."""
    done: int = 0
    """Bytes of it that the database holds."""
    waiting: int = 0
    """Lines beyond `done`."""
    flushed: int = 0
    """Bytes of it known to be on the disk itself."""
    is_fault_logged: bool = False


class FactsJournal:
    """The journal of one daemon."""

    def __init__(
        self, directory: Path, *, bytes_max: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Only remember where; `open` comes before all else.

        Args:
            directory: Made when only its last part is missing.
            bytes_max: Its files together take at most this much, next to some small ones.
            monotonic: Seconds that never step.
        """
        self._monotonic = monotonic
        self._began_s = 0.0
        """When the active segment was made."""
        self.directory = directory
        self.bytes_max = bytes_max
        self.bytes = 0
        """Size of all segments, and of what was put aside."""
        self.waiting = 0
        """Facts that the database does not hold yet."""
        self.appended = 0
        self.broken_lines = 0
        """Lines that could not be read, and were put aside."""
        self.faults = 0
        """Times that the journal could not be used."""
        self.lost = 0
        """Facts whose segment somebody took away."""
        self._segments: deque[Segment] = deque()
        self._place: PlaceFile | None = None
        self._lock: int | None = None
        self._active: Segment | None = None
        self._descriptor: int | None = None
        self._next_number = 1
        self._own_from: int | None = None
        """The first segment that this process can have begun."""
        self._fault: str | None = "it is not open yet"
        self._is_fault_logged = False
        self._is_nearly_full = False
        self._is_full = False

    @property
    def is_usable(self) -> bool:
        """Whether facts come to the disk now."""
        return self._fault is None

    @property
    def holds_inherited(self) -> bool:
        """Whether a fact of an earlier process waits."""
        first = self._segments[0] if self._segments else None
        return first is not None and first.waiting > 0 and first.number < (self._own_from or 0)

    @property
    def trouble(self) -> str | None:
        """What a person must see to before facts are lost; None when all is well."""
        if self._fault is not None:
            return self._fault
        used = f"{self.bytes / 1e6:.0f} of {self.bytes_max / 1e6:.0f} MB"
        way_out = "bring the database back, or raise [journal] size_mb_max"
        if self._is_full:
            return f"{self.directory}: is full ({used}), facts are dropped; {way_out}"
        if self._is_nearly_full:
            return f"{self.directory}: is nearly full ({used}); {way_out}"
        return None

    def open(self) -> None:
        """Take the directory, and find what waits there; again after a fault, as often as needed.

        Another fault than the lock is `trouble` afterwards. Reads every line that waits: measured
        a third of a second for 256 MB.

        Raises:
            JournalLocked: Another daemon uses the directory.
        """
        self._let_go()
        try:
            prepare_directory(self.directory)
            self._lock = take_lock(self.directory)
            self._place = PlaceFile(self.directory)
            self._find_segments(self._place.read())
        except JournalLocked as error:
            self._fault = str(error)
            raise
        except JournalError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(fault_of(self.directory, error))
        else:
            self._recover()
            log.info("journal_opened", path=str(self.directory), waiting=self.waiting)

    def close(self) -> None:
        """Flush what waits, remove what does not, and let the directory go."""
        self._retire()
        with contextlib.suppress(OSError):
            flush([segment.path for segment in self._segments], self.directory)
        self._let_go()
        self._fault = "it is closed"

    def append(self, fact: Fact) -> Kept:
        """Write a fact; the kernel has it when this returns YES. Never waits, never raises."""
        if self._fault is not None:
            return Kept.FAILED
        try:
            line = encode(fact)
        except (TypeError, ValueError):
            return Kept.UNFIT
        size = len(line)
        if size > LINE_BYTES_MAX:
            return Kept.UNFIT
        if self.bytes + size > self.bytes_max:
            self._is_full = True
            return Kept.FULL
        try:
            segment = self._write(line)
        except OSError as error:
            self._retire()
            self._fail(fault_of(self.directory, error))
            return Kept.FAILED
        segment.size += size
        segment.waiting += 1
        self.waiting += 1
        self.appended += 1
        self._is_full = False
        self._resize(size)
        return Kept.YES

    async def read(self, count: int) -> Sequence[Item]:
        """Return the oldest lines that wait, at most so many; the same again until `commit`.

        Empty when none waits, or none can be read now.
        """
        while self.waiting:
            first = self._segments[0]
            start = Place(segment=first.number, offset=first.done)
            try:
                items = await asyncio.to_thread(read_items, first.path, start, first.size, count)
            except FileNotFoundError:
                items = ()
            except OSError as error:
                self._fail(fault_of(self.directory, error))
                return ()
            if items:
                return items
            if self._segments and first is self._segments[0]:
                self._lose(first)
        return ()

    def commit(self, items: Sequence[Item]) -> None:
        """Take note that the database holds what `read` returned, or the beginning of it."""
        first = self._segments[0] if self._segments else None
        after = items[-1].after
        if first is None or after is None or first.number != after.segment:
            # The directory was taken anew meanwhile; a repeat of what is there now is harmless.
            return
        for item in items:
            if item.fact is None:
                self._note_broken(first, item)
        first.done = after.offset
        first.waiting -= len(items)
        self.waiting -= len(items)
        self._remember(after)
        if first.done < first.size:
            return
        if first is not self._active:
            self._remove(first)
        elif first.size >= DONE_BYTES_MAX:
            self._retire()

    def set_aside(self, line: bytes) -> None:
        """Keep what cannot be stored for a person to look at."""
        if aside_bytes(self.directory) >= ASIDE_BYTES_MAX:
            return
        try:
            self._resize(append_aside(self.directory, line))
        except OSError as error:
            self._fail(fault_of(self.directory, error))

    async def keep(self) -> None:
        """Flush what waits; or, after a fault, see whether the journal can be used again."""
        if self._fault is not None:
            await self._mend()
            return
        active = self._active
        if active is not None and active.size and not active.waiting:
            if self._monotonic() - self._began_s >= DONE_S_MAX:
                self._retire()
        due = [(s, s.size) for s in self._segments if s.waiting and s.flushed < s.size]
        if not due:
            return
        try:
            await asyncio.to_thread(flush, [segment.path for segment, _ in due], self.directory)
        except OSError as error:
            # What a failed flush has left behind on the disk is unknown: go on in a new file.
            self._retire()
            self._fail(fault_of(self.directory, error))
            return
        for segment, size in due:
            segment.flushed = size

    async def _mend(self) -> None:
        try:
            await asyncio.to_thread(probe, self.directory)
        except OSError as error:
            self._fail(fault_of(self.directory, error))
            return
        # All anew: a file system that came back has other files than those we hold open. Not in a
        # thread: nothing may be committed meanwhile.
        with contextlib.suppress(JournalLocked):
            self.open()

    def _find_segments(self, place: Place | None) -> None:
        """Take stock of the directory: remove what is committed, count what waits.

        A segment older than the place waits too: somebody has put it back, or it could not be
        removed. Its repeat is harmless, its loss would not be.

        Raises:
            JournalError: A segment is of a newer format.
            OSError: The disk will not be read.
        """
        paths = segments_in(self.directory)
        for _, path in paths:
            check_version(path)
        found: deque[Segment] = deque()
        for number, path in paths:
            segment = Segment(number, path, size=path.stat().st_size)
            if place is not None and number == place.segment:
                segment.done = min(segment.size, place.offset)
            if segment.done == segment.size:
                path.unlink()
                continue
            segment.waiting = count_lines(path, segment.done)
            found.append(segment)
        known = [0 if place is None else place.segment, *(number for number, _ in paths)]
        self._next_number = max(self._next_number, max(known) + 1)
        if self._own_from is None:
            self._own_from = self._next_number
        self._segments = found
        self.waiting = sum(segment.waiting for segment in found)
        self.bytes = 0
        self._resize(sum(s.size for s in found) + aside_bytes(self.directory))

    def _write(self, line: bytes) -> Segment:
        """Append a line to the active segment, or to a new one.

        Raises:
            OSError: Nothing of the line counts.
        """
        segment = self._active
        if segment is None or segment.size + len(line) > SEGMENT_BYTES_MAX:
            self._retire()
            segment = self._begin()
        assert self._descriptor is not None, "an active segment is open"
        if os.write(self._descriptor, line) < len(line):
            # write(2): a file takes less than it is given when its disk has become full.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return segment

    def _begin(self) -> Segment:
        segment = Segment(self._next_number, segment_path(self.directory, self._next_number))
        self._next_number += 1
        self._descriptor = create_segment(segment.path)
        self._began_s = self._monotonic()
        self._active = segment
        self._segments.append(segment)
        return segment

    def _retire(self) -> None:
        """Write no more to the active segment; remove it when nothing in it waits."""
        segment, descriptor = self._active, self._descriptor
        self._active = self._descriptor = None
        if segment is None or descriptor is None:
            return
        with contextlib.suppress(OSError):
            # A line that was not taken whole must not come back at the next start.
            if os.fstat(descriptor).st_size > segment.size:
                os.ftruncate(descriptor, segment.size)
        os.close(descriptor)
        if not segment.waiting:
            self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self._resize(-segment.size)
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            self._fail(fault_of(self.directory, error))

    def _let_go(self) -> None:
        self._retire()
        if self._place is not None:
            self._place.close()
        if self._lock is not None:
            os.close(self._lock)
        self._place = self._lock = None

    def _remember(self, place: Place) -> None:
        if self._place is None:
            return
        try:
            self._place.write(place)
        except OSError as error:
            self._fail(fault_of(self.directory, error))

    def _lose(self, segment: Segment) -> None:
        """Go on without a segment that is gone, or shorter than what we wrote."""
        log.error("journal_segment_lost", path=str(segment.path), lost=segment.waiting)
        self.lost += segment.waiting
        self.waiting -= segment.waiting
        segment.waiting = 0
        if segment is self._active:
            self._retire()
        else:
            self._remove(segment)

    def _note_broken(self, segment: Segment, item: Item) -> None:
        self.broken_lines += 1
        self.set_aside(item.raw)
        if not segment.is_fault_logged:
            segment.is_fault_logged = True
            log.error("journal_line_broken", path=str(segment.path), reason=item.fault)

    def _resize(self, by: int) -> None:
        """Keep the sum, and raise or end the alarm."""
        self.bytes += by
        share = self.bytes / self.bytes_max
        if self._is_nearly_full and share < WELL_AGAIN:
            self._is_nearly_full = self._is_full = False
            log.info("journal_has_room", bytes=self.bytes, waiting=self.waiting)
        elif not self._is_nearly_full and share >= NEARLY_FULL:
            self._is_nearly_full = True
            log.error("journal_nearly_full", reason=self.trouble, waiting=self.waiting)

    def _fail(self, fault: str) -> None:
        self._fault = fault
        if not self._is_fault_logged:
            self._is_fault_logged = True
            self.faults += 1
            log.error("journal_failed", reason=fault, waiting=self.waiting)

    def _recover(self) -> None:
        self._fault = None
        if self._is_fault_logged:
            log.info("journal_usable", path=str(self.directory), waiting=self.waiting)
        self._is_fault_logged = False
