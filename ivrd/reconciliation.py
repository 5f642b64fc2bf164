"""`ivrd reconcile`: the stored facts of some days against Asterisk's queue_log.

Here: walking both sides together, and the last result on disk. Not here: what is compared
(core/reconcile.py), reading either side (db/facts.py, queue_log.py), and output (cli.py).

A call belongs where it arrived, and is compared whole: both sides are read CALL_MAX beyond both
ends of the interval. The facts come oldest first; for each, the journal is read until after its
end. What the journal tells besides waits until no fact can belong to it. So memory holds the calls
of half a day, however long the interval is.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ivrd.checkpoint import read_bounded, write_atomically
from ivrd.config import DatabaseConfig
from ivrd.core.effects import Reach
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.journal import JournalRow
from ivrd.core.journal_story import CALL_MAX, CallJournal, JournalBook, Story, stay_of_ours
from ivrd.core.reconcile import Difference, Kind, difference_of
from ivrd.core.rules import Role
from ivrd.db.connection import (
    DATABASE_ERRORS,
    DatabaseError,
    check_place,
    open_engine,
    reason_of,
)
from ivrd.db.facts import CallFacts, facts_of
from ivrd.queue_log import (
    DECODE_ERRORS,
    first_stamp_of,
    lines_of,
    open_log,
    rotated_files,
)
from ivrd.queue_log_rows import RowParser

LATE_ROWS = timedelta(seconds=10)
"""A call's last rows come within seconds of its end (ASTERISK.md §C4)."""

SWEEP_ROWS = 10_000
"""Rows between two looks for calls that nobody has stored."""

RESULT_BYTES_MAX = 65_536

VERSION = 1

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def story_of(call: CallFacts) -> Story:
    """Return one of our calls in the journal's words."""
    return Story(
        stays=tuple(
            stay_of_ours(entry.queue, entry.disposition)
            for entry in call.entries
            if entry.joined_by is None
        ),
        transfers=call.transfers,
        choice=call.choice,
        outcomes=frozenset({call.outcome}),
        cases=len(call.cases),
        is_half_seen=call.hand_over in (Reach.CAME_BACK, Reach.CONFERENCE)
        or any(entry.joined_by is not None for entry in call.entries),
        hiding=sum((entry.interface or "").startswith("Local/") for entry in call.entries),
    )


class History:
    """The whole journal, rotated files included, for a command: streams, and keeps nothing."""

    def __init__(self, path: Path, *, system: SystemName, with_members: bool = False) -> None:
        """Find the files, oldest first.

        Args:
            path: The present file, or a copy.
            system: Whose it is.
            with_members: Also deliver rows that say that an agent came or went.

        Raises:
            OSError: The present file cannot be read.
        """
        with open_log(path) as file:
            first = first_stamp_of(file)
        rotated = rotated_files(path)
        self.unreadable = tuple(each.path.name for each in rotated if not each.is_readable)
        """Names of files that could not be read; more may come while reading."""
        self.until = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        """Last change of the present file: a copy is complete until then."""
        self.parser = RowParser(system, with_members=with_members)
        """Counts what is no row."""
        self._files = [
            (each.path, _at(each.first_stamp)) for each in rotated if each.first_stamp is not None
        ]
        if first is not None:
            self._files.append((path, _at(first)))

    @property
    def begins_at(self) -> datetime | None:
        """Stamp of the oldest row; None when there is none."""
        return self._files[0][1] if self._files else None

    def rows(self, *, since: datetime, until: datetime) -> Iterator[JournalRow]:
        """Yield the rows from `since` to `until`, oldest first."""
        followings = [first for _, first in self._files[1:]]
        for number, (path, first) in enumerate(self._files):
            if number < len(followings) and followings[number] < since:
                continue
            if first > until:
                return
            yield from self._rows_of(path, since, until)

    def _rows_of(self, path: Path, since: datetime, until: datetime) -> Iterator[JournalRow]:
        try:
            with open_log(path) as file:
                for line, _ in lines_of(file, 0):
                    row = self.parser.row_of(line)
                    if row is None or row.at < since:
                        continue
                    if row.at > until:
                        return
                    yield row
        except DECODE_ERRORS:
            self.unreadable = (*self.unreadable, path.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Which calls to compare: those that arrived in [since, until)."""

    since: datetime
    until: datetime
    known_until: datetime
    """Calls that ended later are left out as open: now, or when a copy was made."""

    @property
    def read_since(self) -> datetime:
        """From when on both sides are read, so that calls are whole."""
        return self.since - CALL_MAX

    @property
    def read_until(self) -> datetime:
        """Until when both sides are read."""
        return self.until + CALL_MAX

    def has(self, moment: datetime) -> bool:
        """Return whether a call that arrived then belongs here."""
        return self.since <= moment < self.until


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a comparison came to."""

    calls: int = 0
    """Compared, whichever side told of them."""
    open: int = 0
    """Left out: not over, or not stored yet."""
    differences: int = 0
    """Calls that differ."""
    kinds: Counter[Kind] = field(default_factory=Counter)
    """How many calls differ in what; a call may differ in several."""


class Reconciliation:
    """One comparison; used once."""

    def __init__(
        self,
        *,
        facts: AsyncIterator[CallFacts],
        history: History,
        interval: Interval,
        roles: Mapping[QueueName, Role],
    ) -> None:
        """Begin with the journal's first row.

        Args:
            facts: Calls that arrived from `interval.read_since` to `.read_until`, oldest first.
            history: The journal.
            interval: Which calls to compare.
            roles: Who serves each queue.
        """
        self.tally = Tally()
        self._facts = facts
        self._interval = interval
        self._roles = roles
        self._book = JournalBook()
        self._rows = history.rows(since=interval.read_since, until=interval.read_until)
        self._next: JournalRow | None = next(self._rows, None)
        self._unswept = 0

    async def differences(self) -> AsyncIterator[Difference]:
        """Yield each difference, roughly by time; `tally` counts meanwhile."""
        async for call in self._facts:
            for found in self._advance(call.ended_at + LATE_ROWS, seen=call.arrived_at):
                yield self._count(found)
            told = self._book.take(call.call_id)
            difference = self._compare(call, told)
            if difference is not None:
                yield self._count(difference)
        for found in self._advance(None, seen=None):
            yield self._count(found)
        for found in self._missing(self._book.take_older(None)):
            yield self._count(found)

    def _advance(self, until: datetime | None, *, seen: datetime | None) -> Iterator[Difference]:
        """Read the journal on, and yield calls of it that no fact can belong to any more.

        Args:
            until: None for its end.
            seen: All calls that arrived before have come by; None when all have.
        """
        while self._next is not None and (until is None or self._next.at <= until):
            self._book.add(self._next)
            at = self._next.at
            self._unswept += 1
            if self._unswept >= SWEEP_ROWS:
                self._unswept = 0
                oldest = (at if seen is None else min(at, seen)) - CALL_MAX
                yield from self._missing(self._book.take_older(oldest))
            self._next = next(self._rows, None)

    def _compare(self, call: CallFacts, told: CallJournal | None) -> Difference | None:
        """Return how a stored call differs from the journal."""
        if not self._interval.has(call.arrived_at):
            return None
        if call.ended_at > self._interval.known_until:
            self.tally.open += 1
            return None
        self.tally.calls += 1
        marked_since = self._book.marked_since
        return difference_of(
            call.call_id,
            story_of(call),
            None if told is None or not told.is_story else told.story(self._roles),
            is_marked=marked_since is not None and marked_since <= call.arrived_at,
        )

    def _missing(self, calls: Iterator[CallJournal]) -> Iterator[Difference]:
        """Yield the calls of the journal that are not stored, and should be."""
        for call in calls:
            if not self._interval.has(call.first_at):
                continue
            if not call.is_over(self._interval.known_until):
                self.tally.open += 1
                continue
            marked_since = self._book.marked_since
            difference = difference_of(
                call.call_id,
                None,
                call.story(self._roles),
                is_marked=marked_since is not None and marked_since <= call.first_at,
            )
            if difference is not None:
                self.tally.calls += 1
                yield difference

    def _count(self, difference: Difference) -> Difference:
        self.tally.differences += 1
        self.tally.kinds.update(difference.kinds)
        return difference


async def reconcile(
    database: DatabaseConfig,
    history: History,
    interval: Interval,
    *,
    system: SystemName,
    roles: Mapping[QueueName, Role],
    report: Callable[[Difference], None],
) -> Tally:
    """Compare one PBX's calls, report each difference, and return what it came to.

    Raises:
        DatabaseError: The facts cannot be read.
    """
    engine = open_engine(database)
    try:
        check_place(engine.url)
        facts = facts_of(
            engine, system=system, since=interval.read_since, until=interval.read_until
        )
        work = Reconciliation(facts=facts, history=history, interval=interval, roles=roles)
        async for difference in work.differences():
            report(difference)
        return work.tally
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error
    finally:
        await engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the last `ivrd reconcile` of one PBX came to."""

    finished_at: datetime
    since: datetime
    until: datetime
    calls: int
    open: int
    differences: int

    def as_json(self, system: SystemName) -> dict[str, object]:
        """Return it for a program, and for the state directory."""
        return {
            "system": system,
            "finished_at": self.finished_at.isoformat(),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "calls": self.calls,
            "open": self.open,
            "differences": self.differences,
        }


class ResultFile:
    """The last result of one PBX on disk: written by the command, read by the daemon."""

    def __init__(self, directory: Path, system: SystemName) -> None:
        """Open nothing yet."""
        self.path = directory / f"reconcile-{system}.json"
        self._system = system
        self._is_refused = False

    def save(self, result: Result) -> None:
        """Replace the file at once.

        Raises:
            OSError: It cannot be written.
        """
        document = {"version": VERSION, **result.as_json(self._system)}
        write_atomically(self.path, json.dumps(document) + "\n")

    def load(self) -> Result | None:
        """Return the last result; None before the first, and for a file that is not ours."""
        try:
            result = _parse(read_bounded(self.path, RESULT_BYTES_MAX), self._system)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            if not self._is_refused:
                log.error("reconcile_result_refused", asterisk=self._system, reason=str(error))
            self._is_refused = True
            return None
        self._is_refused = False
        return result


GAUGES: Mapping[str, tuple[str, Callable[[Result], float]]] = {
    "ivrd_reconcile_differences": (
        "Calls that the stored facts and queue_log told differently, at the last `ivrd reconcile`.",
        lambda result: result.differences,
    ),
    "ivrd_reconcile_calls": (
        "Calls compared at the last `ivrd reconcile`.",
        lambda result: result.calls,
    ),
    "ivrd_reconcile_last_run_timestamp_seconds": (
        "When the last `ivrd reconcile` was done, Unix time; absent before the first.",
        lambda result: result.finished_at.timestamp(),
    ),
}
"""Metrics of the last result: help text, and which of its figures."""


def last_results(
    files: Mapping[SystemName, ResultFile], figure: Callable[[Result], float]
) -> dict[tuple[str, ...], float]:
    """Return one figure of each PBX's last result, for the metrics; absent where there is none."""
    results = {system: file.load() for system, file in files.items()}
    return {(system,): figure(result) for system, result in results.items() if result is not None}


def describe(difference: Difference) -> str:
    """Return a difference as one line with both sides.

    No number and no name of anybody: the line is for a log.
    """
    kinds = ", ".join(difference.kinds)
    ours = "-" if Kind.NOT_STORED in difference.kinds else _told(difference.ours)
    journal = "-" if Kind.NOT_IN_JOURNAL in difference.kinds else _told(difference.journal)
    return f"{difference.call_id}: {kinds}\n    stored:    {ours}\n    queue_log: {journal}"


def as_json(difference: Difference) -> dict[str, object]:
    """Return a difference for a program."""
    return {
        "call_id": difference.call_id,
        "kinds": [kind.value for kind in difference.kinds],
        "stored": None if Kind.NOT_STORED in difference.kinds else _as_json(difference.ours),
        "queue_log": (
            None if Kind.NOT_IN_JOURNAL in difference.kinds else _as_json(difference.journal)
        ),
    }


def _told(story: Story) -> str:
    stays = " > ".join(f"{stay.queue} {stay.end.value}" for stay in story.stays)
    parts = [stays or "no queue", f"{story.transfers} transfers"]
    if story.choice is not None:
        parts.append(f"choice {story.choice}")
    if story.outcomes:
        parts.append(" or ".join(sorted(outcome.value for outcome in story.outcomes)))
    if story.cases is not None:
        parts.append(f"{story.cases} cases")
    return "; ".join(parts)


def _as_json(story: Story) -> dict[str, object]:
    return {
        "stays": [{"queue": stay.queue, "end": stay.end.value} for stay in story.stays],
        "transfers": story.transfers,
        "choice": story.choice,
        "outcomes": sorted(outcome.value for outcome in story.outcomes),
        "cases": story.cases,
    }


def _parse(text: str, system: SystemName) -> Result:
    """Return the result in a text.

    Raises:
        ValueError: It is not exactly one of ours.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ValueError("not a result of this version")
    if document.get("system") != system:
        raise ValueError(f"of PBX {document.get('system')!r:.40}")
    return Result(
        finished_at=_moment(document, "finished_at"),
        since=_moment(document, "since"),
        until=_moment(document, "until"),
        calls=_count(document, "calls"),
        open=_count(document, "open"),
        differences=_count(document, "differences"),
    )


def _count(document: Mapping[str, object], key: str) -> int:
    value = document.get(key)
    if type(value) is not int or value < 0:
        raise ValueError(f"{key} is no count: {value!r:.40}")
    return value


def _moment(document: Mapping[str, object], key: str) -> datetime:
    value = document.get(key)
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{key} is no moment with a time zone: {value!r:.40}")
    return moment


def _at(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp, tz=UTC)
