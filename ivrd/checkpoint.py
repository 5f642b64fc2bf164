"""Where to read queue_log from after a restart: the place, its file, and which place is safe.

Here: the checkpoint, its file in the state directory, and `Keeper`, which decides. Not here:
reading queue_log (queue_log.py), and what its rows tell of a gap (core/catch_up.py).

How it is called, per PBX
    at start         kept = CheckpointFile(directory, system).load()
                     keeper = Keeper(kept)
    in sync, every SAMPLE_S
                     place = queue_log.end()
                     if place is not None: keeper.sample(clock.now(), place)
                     file.save(keeper.checkpoint(oldest_live_arrival))   # unless None
    call decided     keeper.finish(call_id, ended_at)
    in sync again    reading = queue_log.read(keeper.safe(oldest_live_arrival))
                     ... apply, skipping keeper.finished() ...
    Take no sample out of sync: it would say that what happened meanwhile is known. Take the first
    one after the reading was applied.

All times are the PBX's (clock.py), because they are compared with its stamps.
"""

import json
import os
from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import structlog

from ivrd.core.ids import CallId, SystemName
from ivrd.queue_log import Position

VERSION = 1

SAMPLE_S = 2.0
"""How often the journal's end is looked at: so much is read twice after a restart."""

MARGIN = timedelta(seconds=5)
"""A place is safe for a call when it was sampled this long before the call's arrival. One second,
because the journal's stamps are cut to it; the rest, because a row and the event of the same moment
come by different ways, and an event may be some seconds late. Too much costs rows read twice."""

GAPS_PER_AGE = 16
"""Samples are kept a sixteenth of their age apart: a place is at most so much older than it could
be, and a day takes about 200 of them."""

SAMPLES_MAX = 512

AGE_MAX = timedelta(hours=24)
"""No call lasts longer; a channel that hangs for ever does not hold the place back for ever."""

FINISHED_MAX = 20_000
"""Calls remembered as decided: two busy days of a county. Beyond, the oldest are forgotten, and the
database's unique keys are what keeps them from being stored twice."""

FILE_BYTES_MAX = 8_000_000
"""FINISHED_MAX ids with room to spare; a larger file is not ours."""

CALL_ID_LENGTH_MAX = 200

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What one PBX's journal need not tell us again."""

    system: SystemName
    position: Position
    taken_at: datetime
    """When the place was the journal's end, by the PBX's clock."""
    finished: tuple[CallId, ...]
    """Calls with rows after the place that were decided all the same."""


class Keeper:
    """Remembers the journal's end as it moved on, and says which place is safe to go on from."""

    def __init__(self, system: SystemName, kept: Checkpoint | None = None) -> None:
        """Begin with what an earlier run left; without it, with nothing."""
        self.system = system
        self._samples: deque[tuple[datetime, Position]] = deque()
        self._finished: dict[CallId, datetime] = {}
        if kept is not None:
            self._samples.append((kept.taken_at, kept.position))
            # When they ended is not kept; so they go only once the place has moved on.
            self._finished = dict.fromkeys(kept.finished, kept.taken_at)

    def sample(self, at: datetime, position: Position) -> None:
        """Note the journal's end. Only while events are in sync.

        A time before the last one (a clock that stepped) makes what was sampled after it useless,
        and it is forgotten.
        """
        samples = self._samples
        while len(samples) > 1 and samples[-1][0] >= at:
            samples.pop()
        samples.append((at, position))
        if len(samples) > SAMPLES_MAX:
            self._samples = _thinned(samples)

    def finish(self, call_id: CallId, ended_at: datetime) -> None:
        """Remember a call that was decided, as long as the journal may tell of it again."""
        self._finished.pop(call_id, None)
        self._finished[call_id] = ended_at
        if len(self._finished) > FINISHED_MAX:
            del self._finished[next(iter(self._finished))]

    def finished(self) -> Container[CallId]:
        """Return the calls that need not be told again."""
        return self._finished.keys()

    def safe(self, oldest_live_arrival: datetime | None) -> Position | None:
        """Return the place from which all rows of live calls, and of unseen ones, follow.

        Args:
            oldest_live_arrival: When the oldest call that is not decided arrived; None without any.

        Returns:
            The newest place that was sampled MARGIN before the call, and before the newest sample:
            a call that arrived just now may not be known yet. The oldest place there is, when none
            is old enough; None before the first sample.
        """
        chosen = self._choose(oldest_live_arrival)
        return None if chosen is None else chosen[1]

    def checkpoint(self, oldest_live_arrival: datetime | None) -> Checkpoint | None:
        """Return what to keep, and forget the finished calls that lie before it.

        Args:
            oldest_live_arrival: As for `safe`.
        """
        chosen = self._choose(oldest_live_arrival)
        if chosen is None:
            return None
        taken_at, position = chosen
        for call_id, ended_at in list(self._finished.items()):
            if ended_at + MARGIN < taken_at:
                del self._finished[call_id]
        return Checkpoint(
            system=self.system,
            position=position,
            taken_at=taken_at,
            finished=tuple(self._finished),
        )

    def _choose(self, oldest_live_arrival: datetime | None) -> tuple[datetime, Position] | None:
        if not self._samples:
            return None
        newest = self._samples[-1][0]
        limit = newest if oldest_live_arrival is None else min(newest, oldest_live_arrival)
        limit -= MARGIN
        for sample in reversed(self._samples):
            if sample[0] <= limit:
                return sample
        return self._samples[0]


def _thinned(samples: deque[tuple[datetime, Position]]) -> deque[tuple[datetime, Position]]:
    """Return samples ever farther apart with age; the oldest within AGE_MAX and the newest stay."""
    newest = samples[-1][0]
    young = [sample for sample in samples if newest - sample[0] <= AGE_MAX]
    kept = deque(young[:1])
    for sample, following in pairwise(young[1:]):
        if following[0] - kept[-1][0] > (newest - sample[0]) / GAPS_PER_AGE:
            kept.append(sample)
    kept.extend(young[1:][-1:])
    return kept


class CheckpointFile:
    """The checkpoint of one PBX on disk. Never raises: without it, a gap is told as unknown."""

    def __init__(self, directory: Path, system: SystemName) -> None:
        """Open nothing yet."""
        self.path = directory / f"checkpoint-{system}.json"
        self.refused = 0
        """Files that were broken, foreign or unreadable."""
        self.failures = 0
        """Times it could not be written."""
        self._system = system
        self._is_failing = False

    def load(self) -> Checkpoint | None:
        """Return the checkpoint; None when there is none that is whole and ours."""
        try:
            text = read_bounded(self.path, FILE_BYTES_MAX)
            return _parse(text, self._system)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self.refused += 1
            log.error("checkpoint_refused", asterisk=self._system, reason=str(error))
            return None

    def save(self, checkpoint: Checkpoint) -> bool:
        """Replace the file at once; return whether it worked. Logs the first failure only.

        Not flushed to the disk: a power cut takes Asterisk's calls, and its own unflushed journal,
        with it; and a broken file is no checkpoint.
        """
        try:
            write_atomically(self.path, _text_of(checkpoint))
        except OSError as error:
            self.failures += 1
            if not self._is_failing:
                log.error("checkpoint_failed", asterisk=self._system, reason=str(error))
            self._is_failing = True
            return False
        self._is_failing = False
        return True


def write_atomically(path: Path, text: str) -> None:
    """Replace a file of ours in one step: readers see the old one or the new one, whole.

    By root's hand it belongs to whom the directory belongs to, so that the daemon can read it.

    Raises:
        OSError: It could not be written; the old one is as it was.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # A dead writer with our process id may have left one.
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(text)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_bounded(path: Path, bytes_max: int) -> str:
    """Return a small file's text.

    Raises:
        OSError: It cannot be read.
        ValueError: It is larger than `bytes_max`, or no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise ValueError(f"{path}: more than {bytes_max} bytes")
    return content.decode("utf-8")


def _text_of(checkpoint: Checkpoint) -> str:
    position = checkpoint.position
    document = {
        "version": VERSION,
        "system": checkpoint.system,
        "inode": position.inode,
        "offset": position.offset,
        "head": position.head,
        "taken_at": checkpoint.taken_at.isoformat(),
        "finished": checkpoint.finished,
    }
    return json.dumps(document) + "\n"


def _parse(text: str, system: SystemName) -> Checkpoint:
    """Return the checkpoint in a text.

    Raises:
        ValueError: It is not exactly one of ours.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    if set(document) != {"version", "system", "inode", "offset", "head", "taken_at", "finished"}:
        raise ValueError(f"unexpected keys {sorted(document)}")
    if document["version"] != VERSION or document["system"] != system:
        raise ValueError(f"of version {document['version']!r} and PBX {document['system']!r}")
    finished = document["finished"]
    if not isinstance(finished, list) or len(finished) > FINISHED_MAX:
        raise ValueError("finished is no list of calls")
    return Checkpoint(
        system=system,
        position=Position(
            inode=_whole(document, "inode"),
            offset=_whole(document, "offset"),
            head=_whole(document, "head"),
        ),
        taken_at=_moment(document["taken_at"]),
        finished=tuple(_call_id(value, system) for value in finished),
    )


def _whole(document: dict[str, object], key: str) -> int:
    value = document[key]
    if type(value) is not int or not 0 <= value < 2**64:
        raise ValueError(f"{key} is no whole number: {value!r:.40}")
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"no moment: {value!r:.40}")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a time zone: {value:.40}")
    return moment


def _call_id(value: object, system: SystemName) -> CallId:
    if not isinstance(value, str) or len(value) > CALL_ID_LENGTH_MAX:
        raise ValueError(f"no call: {value!r:.40}")
    if not value.startswith(f"{system}/"):
        raise ValueError(f"a call of another PBX: {value:.40}")
    return CallId(value)
