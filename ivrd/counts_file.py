"""Counts that outlive the process: a snapshot, and every step since, on the local disk.

Here: files in the state directory, and whether they may be trusted. Not here: what is counted
(metrics.py), and the facts themselves (journal/, db/).

    counts.json         every total when the log of its generation began
    counts-000012.jsonl one line per thing that was counted since: ["key",[[metric,[labels],s],...]]

Why files, and not sums over the database: Prometheus takes a counter that went down for one that
began anew at 0, and adds all of it once more to every rate and day total that looks back over the
restart. So what was ever shown must be shown again, exactly, also when the database is away, and
also for an answer whose stay is not stored yet. A step is with the kernel before anybody can read
of it, so kill -9 loses none.

What cannot be continued exactly begins at 0, honestly: Prometheus reckons right from there. So it
is after a power cut (another boot, and no line that says "closed": the kernel may have lost what it
held), with a broken file, and after a disk that took no more (the files are removed then).

A key names what was counted, such as one entry of one call. After a start the gap is told again by
queue_log, with calls that were counted before; what the files hold is not counted once more. The
keys of two generations are kept: the last 20,000 calls or so.
"""

import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog

VERSION = 1

LOG_BYTES_MAX = 4 * 1024 * 1024
"""Some 25,000 steps, 8,000 calls: a week of a municipality. A start reads at most two of them."""

SNAPSHOT_BYTES_MAX = 64_000_000
"""Far above every metric with all label sets that it may have; a larger file is not ours."""

UNKEPT_KEYS_MAX = 20_000
"""Remembered while the disk takes nothing: hours of a county, 2 MB."""

RETRY_S = 60.0
"""How often a disk that took nothing is tried again."""

CALL_KEY = "call "
"""How the key of a call begins that was decided."""

Labels = tuple[str, ...]

Step = tuple[str, Labels, float | None]
"""Metric, label values, and seconds; None for a plain count."""

Rows = Sequence[object]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Series(Protocol):
    """Who holds the counts (metrics.py)."""

    def take(self, step: Step) -> None:
        """Count one step."""

    def totals(self) -> Mapping[str, Rows]:
        """Return every total, as JSON can hold it."""

    def restore(self, totals: Mapping[str, Rows]) -> None:
        """Take over totals; raises ValueError when they are not of that form."""


class CountsFile:
    """The counts of one daemon on disk. Never raises: without it, counts begin at 0."""

    def __init__(self, directory: Path) -> None:
        """Open nothing yet."""
        self.is_usable = False
        """Whether what is counted now would outlive a kill."""
        self.faults = 0
        """Times that it could not be written, or not be trusted."""
        self._directory = directory
        self._series: Series | None = None
        self._known: dict[str, None] = {}
        self._generation = 0
        self._descriptor: int | None = None
        self._bytes = 0
        self._pending: list[tuple[str, Sequence[Step]]] = []
        self._unkept: deque[str] = deque(maxlen=UNKEPT_KEYS_MAX)
        """Keys of what was counted while the disk took nothing."""
        self._retry_at_s = 0.0

    def open(self, series: Series) -> None:
        """Give the counts of earlier lives back, and keep those of this one from now on."""
        self._series = series
        try:
            self._load(series)
        except (FileNotFoundError, NotADirectoryError):
            self._begin()
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.faults += 1
            log.warning("counts_begun_anew", reason=str(error))
            series.restore({})
            self._known.clear()
            self._begin()

    def close(self) -> None:
        """Say that nothing is missing, whatever becomes of the machine."""
        self.flush()
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            os.write(self._descriptor, b'{"closed":true}\n')
            os.fsync(self._descriptor)
        self._let_go()

    def has(self, key: str) -> bool:
        """Return whether an earlier life has counted it."""
        return key in self._known

    def finished_calls(self) -> Sequence[str]:
        """Return the ids of calls that earlier lives decided, oldest first."""
        return [key[len(CALL_KEY) :] for key in self._known if key.startswith(CALL_KEY)]

    def note_call(self, call_id: str) -> None:
        """Remember that a call is decided for which nothing is counted, as a consultation."""
        self.note(f"{CALL_KEY}{call_id}", ())

    def note(self, key: str, steps: Sequence[Step]) -> None:
        """Remember what is counted; `flush` brings it to the disk."""
        if self._series is not None:
            self._pending.append((key, steps))

    def flush(self) -> None:
        """Return when the kernel has every step; before anybody reads of them."""
        if not self._pending:
            return
        counted, self._pending = self._pending, []
        if self._descriptor is None:
            self._unkept.extend(key for key, _ in counted)
            if time.monotonic() >= self._retry_at_s:
                self._begin()
            return
        try:
            self._bytes += _write(self._descriptor, _lines(counted))
        except OSError as error:
            self._unkept.extend(key for key, _ in counted)
            self._fail(error)
            return
        if self._bytes > LOG_BYTES_MAX:
            self._begin()

    # Reading.

    def _load(self, series: Series) -> None:
        """Take over the newest generation, and go on in its log.

        Raises:
            FileNotFoundError: There is none.
            OSError: It cannot be read.
            ValueError: It cannot be trusted.
        """
        with self._snapshot_path.open("rb") as file:
            document = json.loads(file.read(SNAPSHOT_BYTES_MAX))
        if document["version"] != VERSION:
            raise ValueError(f"{self._snapshot_path}: of version {document['version']!r}")
        generation = int(document["generation"])
        path = self._log_path(generation)
        if not path.exists():
            raise ValueError(f"{path}: is gone")
        series.restore(document["totals"])
        is_trusted = False
        for line in _whole_lines(path):
            match json.loads(line):
                case {"boot": boot_id}:
                    is_trusted = boot_id == _boot_id()
                case {"closed": True}:
                    is_trusted = True
                case [str() as key, list() as steps]:
                    self._known[key] = None
                    for name, labels, seconds in steps:
                        series.take((name, tuple(labels), seconds))
                case _:
                    raise ValueError(f"{path}: a line that is none of ours")
        if not is_trusted:
            raise ValueError(f"{path}: the machine went down meanwhile, and steps may be missing")
        self._known = self._keys_of(generation - 1) | self._known
        self._generation = generation
        self._go_on(path)

    def _keys_of(self, generation: int) -> dict[str, None]:
        """Return what the log of before counted, as far as it can be read."""
        keys: dict[str, None] = {}
        with contextlib.suppress(OSError, ValueError):
            for line in _whole_lines(self._log_path(generation)):
                match json.loads(line):
                    case [str() as key, list()]:
                        keys[key] = None
        return keys

    # Writing.

    def _go_on(self, path: Path) -> None:
        self._descriptor = descriptor = os.open(path, os.O_RDWR)
        end = _end_of_lines(path)
        os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)
        self._bytes = end + _write(descriptor, _boot_line())
        # Or a power cut may leave the line before it, which says that nothing is missing.
        os.fsync(descriptor)
        self.is_usable = True
        log.info("counts_restored", keys=len(self._known), generation=self._generation)

    def _begin(self) -> None:
        """Begin the next generation, with a snapshot of all that is counted now."""
        if self._series is None:
            return
        generation = self._generation + 1
        totals = self._series.totals()
        text = json.dumps({"version": VERSION, "generation": generation, "totals": totals})
        temporary = self._snapshot_path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._log_path(generation), flags, 0o600)
            try:
                keys = _lines((key, ()) for key in self._unkept)  # Their steps are in the totals.
                size = _write(descriptor, _boot_line() + keys)
                temporary.write_text(text, encoding="utf-8")
                temporary.replace(self._snapshot_path)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            self._fail(error)
            return
        self._let_go()
        self._descriptor, self._bytes = descriptor, size
        self._generation = generation
        self._unkept.clear()
        self.is_usable = True
        for path in self._directory.glob("counts-*.jsonl"):
            if path not in (self._log_path(generation), self._log_path(generation - 1)):
                path.unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        """Keep nothing that lacks a step: a start from it would show less than was shown."""
        self.faults += 1
        log.error("counts_not_kept", path=str(self._directory), reason=error.strerror or str(error))
        self._let_go()
        self._retry_at_s = time.monotonic() + RETRY_S
        with contextlib.suppress(OSError):
            self._snapshot_path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        self.is_usable = False

    @property
    def _snapshot_path(self) -> Path:
        return self._directory / "counts.json"

    def _log_path(self, generation: int) -> Path:
        return self._directory / f"counts-{generation:06}.jsonl"


def _lines(counted: Iterable[tuple[str, Sequence[Step]]]) -> bytes:
    return "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in counted).encode()


def _write(descriptor: int, text: bytes) -> int:
    """Write all of it, and return its size.

    Raises:
        OSError: A part of it, or nothing, was taken.
    """
    if os.write(descriptor, text) < len(text):
        # write(2): a file takes less than it is given when its disk has become full.
        raise OSError("its disk is full")
    return len(text)


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yield every line but a torn last one."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def _end_of_lines(path: Path) -> int:
    return sum(len(line) for line in _whole_lines(path))


def _boot_line() -> bytes:
    return json.dumps({"boot": _boot_id()}).encode() + b"\n"


def _boot_id() -> str:
    """Return what names this run of the machine; "" where the kernel does not tell."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
