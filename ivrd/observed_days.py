"""Days that happened, for a rehearsal: from the database, from queue_log, or from a recording.

Here: reading each of them into the same visits. Not here: what a model makes of them
(core/rehearsal_day.py).

The database knows waits and talks to the millisecond, and nothing of ringing or of who was there.
queue_log knows all of it, to the second. A recording knows all of it, exactly.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from ivrd.ami import record
from ivrd.config import DatabaseConfig
from ivrd.core.effects import Disposition
from ivrd.core.events import (
    AgentConnected,
    AgentRang,
    CallerJoined,
    Event,
    MemberChanged,
    MemberRemoved,
    SnapshotTaken,
)
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.core.journal_day import day_of
from ivrd.core.journal_story import CALL_MAX
from ivrd.core.rehearsal_day import ObservedDay
from ivrd.core.rules import FloorRules
from ivrd.core.staff import Condition, condition_of
from ivrd.core.staffing import DutyMark
from ivrd.core.visits import REFUSED, Visit, VisitStay, visits_of
from ivrd.db.connection import DATABASE_ERRORS, DatabaseError, check_place, open_engine, reason_of
from ivrd.db.facts import CallFacts, facts_of
from ivrd.reconciliation import History
from ivrd.replay import replay

AT_THE_DOOR = frozenset({Disposition.CLOSED, Disposition.DIVERTED})
"""Of somebody who may never have waited there, and then has no wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was found of some days."""

    days: tuple[ObservedDay, ...]
    """Those on which anybody came, in order; a day is one of the place's own."""
    unfinished: int
    """Calls left out, because nobody knows how long one of their waits was."""


class StoredStay(Protocol):
    """A stay in a queue as we store it; EntryFacts and RecordEntry are such."""

    @property
    def queue(self) -> QueueName: ...
    @property
    def joined_at(self) -> datetime: ...
    @property
    def disposition(self) -> Disposition: ...
    @property
    def entry_wait(self) -> timedelta | None: ...
    @property
    def interface(self) -> Interface | None: ...
    @property
    def talk(self) -> timedelta | None: ...
    @property
    def joined_by(self) -> CallId | None: ...


async def from_database(
    config: DatabaseConfig,
    *,
    system: SystemName,
    since: datetime,
    until: datetime,
    zone: tzinfo,
) -> Observed:
    """Return the days of the calls that arrived in [since, until).

    Raises:
        DatabaseError: They cannot be read.
    """
    engine = open_engine(config)
    try:
        check_place(engine.url)
        facts = facts_of(engine, system=system, since=since, until=until)
        return await _of_facts(facts, system=system, zone=zone)
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error
    finally:
        await engine.dispose()


def from_queue_log(
    path: Path, *, system: SystemName, since: datetime, until: datetime, zone: tzinfo
) -> Observed:
    """Return the days of the waits that began in [since, until), rotated files included.

    Raises:
        OSError: The file cannot be read.
    """
    history = History(path, system=system, with_members=True)
    # Whoever came before, and waits or talks still, belongs to the day before.
    told = day_of(history.rows(since=since - CALL_MAX, until=until + CALL_MAX))
    visits = [visit for visit in told.visits if since <= visit.first.joined_at < until]
    return _by_day(visits, told.marks, system=system, zone=zone, unfinished=told.unfinished)


def from_recording(path: Path, *, system: SystemName, rules: FloorRules, zone: tzinfo) -> Observed:
    """Return the days of a recording of `ivrd record`."""
    witness = _Witness()
    events = record.replay(record.read_frames(path), system, note_refused=lambda _: None)
    ledger = replay(witness.seeing(events), system=system, rules=rules)
    visits: list[Visit] = []
    unfinished = 0
    for call_id, story in ledger.stories.items():
        line = None if story.call is None else story.call.line
        found = _visits(call_id, story.entries, line, witness.rings)
        unfinished += found is None
        visits.extend(found or ())
    return _by_day(visits, witness.marks, system=system, zone=zone, unfinished=unfinished)


class _Witness:
    """Sees in a stream of events what nobody stores: who was there, and how long it rang."""

    def __init__(self) -> None:
        self.marks: list[DutyMark] = []
        self.rings: dict[tuple[CallId, QueueName], timedelta] = {}
        self._rang_at: dict[tuple[CallId, QueueName], datetime] = {}
        self._there: defaultdict[Interface, set[QueueName]] = defaultdict(set)

    def seeing(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events as they come."""
        for event in events:
            match event:
                case SnapshotTaken():
                    for queue in event.queues:
                        for member in queue.members:
                            self._note(event.at, member, is_there=_is_serving(member))
                case MemberChanged():
                    self._note(event.at, event, is_there=_is_serving(event))
                case MemberRemoved():
                    self._note(event.at, event, is_there=False)
                case CallerJoined():
                    self._rang_at.pop((event.call_id, event.queue), None)
                case AgentRang():
                    self._rang_at.setdefault((event.call_id, event.queue), event.at)
                case AgentConnected():
                    rang_at = self._rang_at.pop((event.call_id, event.queue), event.at)
                    self.rings[event.call_id, event.queue] = event.at - rang_at
                case _:
                    pass
            yield event

    def _note(self, at: datetime, member: MemberChanged | MemberRemoved, *, is_there: bool) -> None:
        there = self._there[member.interface]
        was_there = bool(there)
        if is_there:
            there.add(member.queue)
        else:
            there.discard(member.queue)
        if bool(there) != was_there:
            self.marks.append(
                DutyMark(
                    at=at, interface=member.interface, queue=member.queue, is_there=bool(there)
                )
            )


def _is_serving(member: MemberChanged) -> bool:
    return condition_of(member) in (Condition.AVAILABLE, Condition.BUSY)


async def _of_facts(
    facts: AsyncIterator[CallFacts], *, system: SystemName, zone: tzinfo
) -> Observed:
    visits: list[Visit] = []
    unfinished = 0
    async for call in facts:
        found = _visits(call.call_id, call.entries, call.line)
        unfinished += found is None
        visits.extend(found or ())
    return _by_day(visits, (), system=system, zone=zone, unfinished=unfinished)


def _visits(
    call_id: CallId,
    entries: Iterable[StoredStay],
    line: LineName | None,
    rings: Mapping[tuple[CallId, QueueName], timedelta] = MappingProxyType({}),
) -> Sequence[Visit] | None:
    """Return a call's visits; None when nobody knows how long one of the waits was."""
    stays = []
    for entry in entries:
        if entry.joined_by is not None or entry.disposition in REFUSED:
            continue
        wait = entry.entry_wait
        if wait is None and entry.disposition not in AT_THE_DOOR:
            return None
        stays.append(
            VisitStay(
                queue=entry.queue,
                joined_at=entry.joined_at,
                left_at=entry.joined_at + (wait or timedelta(0)),
                disposition=entry.disposition,
                interface=entry.interface,
                talk=entry.talk,
                ring=rings.get((call_id, entry.queue)) if entry.interface is not None else None,
            )
        )
    return list(visits_of(call_id, stays, line=line))


def _by_day(
    visits: Iterable[Visit],
    marks: Iterable[DutyMark],
    *,
    system: SystemName,
    zone: tzinfo,
    unfinished: int,
) -> Observed:
    by_day: defaultdict[date, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_day[visit.first.joined_at.astimezone(zone).date()].append(visit)
    marks_of: defaultdict[date, list[DutyMark]] = defaultdict(list)
    for mark in marks:
        marks_of[mark.at.astimezone(zone).date()].append(mark)
    days = []
    for day in sorted(by_day):
        by_day[day].sort(key=lambda visit: (visit.first.joined_at, visit.call_id))
        days.append(
            ObservedDay(system=system, visits=tuple(by_day[day]), marks=tuple(marks_of[day]))
        )
    return Observed(days=tuple(days), unfinished=unfinished)
