"""Reads stored facts back: whole calls for reconciliation, and plain counts.

Here: queries that return records. Not here: ratios (core/service_level.py) and layout.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, MoveEnd, Outcome, Reach
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.core.switches import ActOutcome, Origin
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import ActRow, CallRow, CaseRow, EntryRow, MoveRow
from ivrd.db.words import word, word_or

PAGE_CALLS = 500
"""Calls read at a time: keeps memory small, and stays far below any limit on bound parameters."""

READ_S_MAX = 60.0
"""One page, or one count over a year, is read well within this."""

TRAIL_S_MAX = 10.0
"""Asked before the first snapshot, so that live figures wait for it."""

TRAIL_MARGIN = timedelta(minutes=1)
"""An arrival's event and its row in queue_log differ by less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """One stored stay in one queue."""

    number: int
    queue: QueueName
    joined_at: datetime
    ended_at: datetime
    disposition: Disposition
    entry_wait: timedelta | None
    wait: timedelta | None
    interface: Interface | None
    agent: str | None
    answered_at: datetime | None
    talk: timedelta | None
    joined_by: CallId | None = None
    """The consulting channel of an agent, under whose id queue_log has the stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFacts:
    """One stored attempt to move the caller."""

    from_queue: QueueName
    to_queue: QueueName
    reason: str
    end: MoveEnd
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFacts:
    """One stored case."""

    case_id: int
    rule: str
    queue: QueueName
    agent: str
    department: str | None
    opened_at: datetime
    is_from_journal: bool = False
    """A part of the call was learnt from queue_log after a gap."""
    case_class: CaseClass = CaseClass.RESOLVED
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """One stored call with all that belongs to it. The caller's number stays in the database."""

    system: SystemName
    call_id: CallId
    line: LineName | None
    arrived_at: datetime
    ended_at: datetime
    choice: str | None
    digit: str | None
    is_static_menu: bool
    tries: int
    outcome: Outcome
    wait: timedelta | None
    moves: int
    transfers: int
    entries: tuple[EntryFacts, ...]
    """By number."""
    move_attempts: tuple[MoveFacts, ...]
    """By time."""
    cases: tuple[CaseFacts, ...]
    """By id; at most one per rule. Those that the rule opened: what a guide has made of a contact
    since is not among them."""
    hand_over: Reach | None = None
    """What became of the last hand-over; None when there was none."""
    is_from_journal: bool = False
    path: str = ""
    """Every choice in order; see RecordCall."""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """Where the stored calls of one PBX end."""

    since: datetime
    """Calls that are not stored arrived no earlier: as long before the last end as a call may last,
    and not before the first call that was ever stored."""
    calls: Mapping[CallId, datetime]
    """Those that arrived since, with their ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCounts:
    """How many facts are stored."""

    calls: Mapping[Outcome, int]
    entries: Mapping[tuple[QueueName, Disposition], int]
    moves: Mapping[MoveEnd, int]
    cases: int


async def facts_of(
    engine: AsyncEngine, *, system: SystemName, since: datetime, until: datetime
) -> AsyncIterator[CallFacts]:
    """Yield the calls that arrived in [since, until), oldest first, page by page.

    No transaction is open between pages, so a slow reader hinders nobody.
    """
    place: tuple[datetime, int] | None = None
    while True:
        query = select(CallRow).where(
            CallRow.system == system, CallRow.arrived_at >= since, CallRow.arrived_at < until
        )
        if place is not None:
            query = query.where(tuple_(CallRow.arrived_at, CallRow.id) > place)
        page = await _read_page(engine, query)
        for _, facts in page:
            yield facts
        if len(page) < PAGE_CALLS:
            return
        last_id, last = page[-1]
        place = (last.arrived_at, last_id)


async def trail_of(engine: AsyncEngine, *, system: SystemName, age: timedelta) -> Trail | None:
    """Return what is stored of one PBX's last calls; None when no call ever was.

    Args:
        age: No call lasts longer.
    """
    mine = CallRow.system == system
    async with asyncio.timeout(TRAIL_S_MAX), _session(engine) as session:
        spans = select(func.min(CallRow.arrived_at), func.max(CallRow.arrived_at)).where(mine)
        first, newest = (await session.execute(spans)).one()
        if first is None:
            return None
        last_end = select(func.max(CallRow.ended_at)).where(
            mine, CallRow.arrived_at >= newest - age
        )
        ended_at = await session.scalar(last_end)
        assert ended_at is not None, "the newest call is among them"
        since = max(first, ended_at - age)
        known = select(CallRow.call_id, CallRow.ended_at).where(
            mine, CallRow.arrived_at >= since - TRAIL_MARGIN
        )
        calls = {CallId(call_id): ended for call_id, ended in await session.execute(known)}
    return Trail(since=since, calls=calls)


async def counts(
    engine: AsyncEngine, *, system: SystemName, since: datetime, until: datetime
) -> StoredCounts:
    """Return how many facts happened in [since, until): calls by arrival, cases by opening."""
    calls = select(CallRow.outcome, func.count()).group_by(CallRow.outcome)
    entries = select(EntryRow.queue, EntryRow.disposition, func.count()).group_by(
        EntryRow.queue, EntryRow.disposition
    )
    moves = select(MoveRow.end, func.count()).group_by(MoveRow.end)
    cases = select(func.count()).select_from(CaseRow)
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        call_rows = await session.execute(
            calls.where(
                CallRow.system == system, CallRow.arrived_at >= since, CallRow.arrived_at < until
            )
        )
        entry_rows = await session.execute(
            entries.where(
                EntryRow.system == system, EntryRow.joined_at >= since, EntryRow.joined_at < until
            )
        )
        move_rows = await session.execute(
            moves.where(
                MoveRow.system == system, MoveRow.ended_at >= since, MoveRow.ended_at < until
            )
        )
        case_count = await session.scalar(
            cases.where(
                CaseRow.system == system,
                CaseRow.is_case,
                CaseRow.opened_at >= since,
                CaseRow.opened_at < until,
            )
        )
        calls_of: Counter[Outcome] = Counter()
        for said, count in call_rows:
            calls_of[_outcome(said)] += count
        entries_of: Counter[tuple[QueueName, Disposition]] = Counter()
        for queue, said, count in entry_rows:
            entries_of[QueueName(queue), _disposition(said)] += count
        ends = ((word_or(MoveEnd, said, "moves.end", None), count) for said, count in move_rows)
        return StoredCounts(
            calls=dict(calls_of),
            entries=dict(entries_of),
            moves={end: count for end, count in ends if end is not None},
            cases=case_count or 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFacts:
    """One stored act of a person."""

    at: datetime
    who: str
    from_where: Origin
    act: str
    subject: str
    reason: str
    until: datetime | None
    outcome: ActOutcome


async def acts_of(
    engine: AsyncEngine, *, since: datetime, until: datetime, count_max: int = PAGE_CALLS
) -> Sequence[ActFacts]:
    """Return the newest acts in [since, until), newest first."""
    query = (
        select(ActRow)
        .where(ActRow.at >= since, ActRow.at < until)
        .order_by(ActRow.at.desc(), ActRow.id.desc())
        .limit(count_max)
    )
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        rows = (await session.scalars(query)).all()
    return [
        ActFacts(
            at=row.at,
            who=row.who,
            from_where=word(Origin, row.from_where, "acts.from_where", row=row.act_id),
            act=row.act,
            subject=row.subject,
            reason=row.reason,
            until=row.until,
            outcome=word(ActOutcome, row.outcome, "acts.outcome", row=row.act_id),
        )
        for row in rows
    ]


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine.execution_options(**{READ_ONLY: True}), expire_on_commit=False)


async def _read_page(
    engine: AsyncEngine, query: Select[tuple[CallRow]]
) -> Sequence[tuple[int, CallFacts]]:
    ordered = query.order_by(CallRow.arrived_at, CallRow.id).limit(PAGE_CALLS)
    async with asyncio.timeout(READ_S_MAX), _session(engine) as session:
        calls = (await session.scalars(ordered)).all()
        ids = [call.call_id for call in calls]
        entries = await session.scalars(
            select(EntryRow).where(EntryRow.call_id.in_(ids)).order_by(EntryRow.number)
        )
        moves = await session.scalars(
            select(MoveRow).where(MoveRow.call_id.in_(ids)).order_by(MoveRow.ended_at, MoveRow.id)
        )
        cases = await session.scalars(
            select(CaseRow)
            .where(CaseRow.call_id.in_(ids), CaseRow.is_handed_on.is_(False))
            .order_by(CaseRow.id)
        )
        entries_of, moves_of, cases_of = _by_call(entries), _by_call(moves), _by_call(cases)
    return [
        (
            call.id,
            _call(call, entries_of[call.call_id], moves_of[call.call_id], cases_of[call.call_id]),
        )
        for call in calls
    ]


_Owned = TypeVar("_Owned", EntryRow, MoveRow, CaseRow)


def _by_call(rows: Iterable[_Owned]) -> Mapping[str, list[_Owned]]:
    grouped: defaultdict[str, list[_Owned]] = defaultdict(list)
    for row in rows:
        grouped[row.call_id].append(row)
    return grouped


def _call(
    row: CallRow, entries: list[EntryRow], moves: list[MoveRow], cases: list[CaseRow]
) -> CallFacts:
    return CallFacts(
        system=SystemName(row.system),
        call_id=CallId(row.call_id),
        line=None if row.line is None else LineName(row.line),
        arrived_at=row.arrived_at,
        ended_at=row.ended_at,
        choice=row.choice,
        digit=row.digit,
        is_static_menu=row.is_static_menu,
        tries=row.tries,
        outcome=_outcome(row.outcome, row.call_id),
        wait=_duration(row.wait_ms),
        moves=row.moves,
        transfers=row.transfers,
        hand_over=None
        if row.hand_over is None
        else word_or(Reach, row.hand_over, "calls.hand_over", Reach.UNKNOWN, row=row.call_id),
        is_from_journal=row.is_from_journal,
        path=row.path,
        language=row.language,
        entries=tuple(_entry(entry) for entry in entries),
        move_attempts=tuple(
            _move(move, end)
            for move in moves
            if (end := word_or(MoveEnd, move.end, "moves.end", None, row=move.call_id))
        ),
        cases=tuple(
            _case(case, known)
            for case in cases
            if (known := word_or(CaseClass, case.case_class, "cases.case_class", None, row=case.id))
        ),
    )


def _entry(row: EntryRow) -> EntryFacts:
    return EntryFacts(
        number=row.number,
        queue=QueueName(row.queue),
        joined_at=row.joined_at,
        ended_at=row.ended_at,
        disposition=_disposition(row.disposition, row.call_id),
        entry_wait=_duration(row.entry_wait_ms),
        wait=_duration(row.wait_ms),
        interface=None if row.interface is None else Interface(row.interface),
        agent=row.agent,
        answered_at=row.answered_at,
        talk=_duration(row.talk_ms),
        joined_by=None if row.joined_by is None else CallId(row.joined_by),
    )


def _move(row: MoveRow, end: MoveEnd) -> MoveFacts:
    return MoveFacts(
        from_queue=QueueName(row.from_queue),
        to_queue=QueueName(row.to_queue),
        reason=row.reason,
        end=end,
        ended_at=row.ended_at,
    )


def _case(row: CaseRow, case_class: CaseClass) -> CaseFacts:
    return CaseFacts(
        case_id=row.id,
        rule=row.rule,
        queue=QueueName(row.queue),
        agent=row.agent,
        department=row.department,
        opened_at=row.opened_at,
        is_from_journal=row.is_from_journal,
        case_class=case_class,
        label=row.label,
    )


def _duration(milliseconds: int | None) -> timedelta | None:
    return None if milliseconds is None else timedelta(milliseconds=milliseconds)


def _outcome(said: str, row: object = None) -> Outcome:
    return word_or(Outcome, said, "calls.outcome", Outcome.UNKNOWN, row=row)


def _disposition(said: str, row: object = None) -> Disposition:
    return word_or(Disposition, said, "entries.disposition", Disposition.UNKNOWN, row=row)
