"""Writes facts, each once: a few named operations, each one transaction.

Here: effects in, rows out. Not here: reading them back (facts.py), retries and queues (outbox.py).

Every insert is "on conflict do nothing" against a unique key, so that a repeat (after a time-out
whose commit did succeed, a reconnect or a replay) changes nothing. The first writing wins. A row
that was ignored although it says something else than the stored one is no repeat: a fact is lost
then, and that is counted and logged.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Dialect, UniqueConstraint, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivrd.core.case_record import Case, CaseAct, CaseChanged, CaseRules
from ivrd.core.decisions import RecordDecision
from ivrd.core.effects import (
    OpenCase,
    RecordCall,
    RecordCallAct,
    RecordContact,
    RecordEntry,
    RecordMove,
)
from ivrd.core.ids import CallId
from ivrd.core.switches import Actor, RecordAct
from ivrd.db.case_rows import OPENING, opening_values
from ivrd.db.case_writes import (
    ChangeHook,
    change_case,
    do_call_acts,
    keep_call_acts,
    open_cases,
)
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import (
    ActRow,
    Base,
    CallRow,
    CaseRow,
    CleanText,
    DecisionRow,
    EntryRow,
    MoveRow,
)
from ivrd.db.told_again import without_told_again

TRANSACTION_S_MAX = 30.0
"""A transaction takes milliseconds; one that hangs so long is given up, and may be repeated."""

ONE_MS = timedelta(milliseconds=1)

JOURNAL_TOLERANCE = timedelta(seconds=2)
"""queue_log cuts stamps to the second, so a wait between two of them may be off by nearly two."""

KEYS_PER_QUERY = 500
"""Rows looked up at a time: stays far below any limit on bound parameters."""

CLEAN_TEXT = CleanText()

log = structlog.get_logger(__name__)

Storable = (
    RecordEntry
    | RecordCall
    | OpenCase
    | RecordContact
    | RecordCallAct
    | RecordMove
    | RecordAct
    | RecordDecision
)
"""The effects that become rows."""

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a batch came to, now that it is committed."""

    case_ids: Mapping[tuple[CallId, str], int]
    """Of each case in the batch, new or not, by (call_id, rule)."""
    changes: tuple[CaseChanged, ...]
    """Of cases, in order; those opened first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A row that was not stored because another one has its key."""

    table: str
    id: str
    """Of the call, or of the act."""
    columns: tuple[str, ...]
    """Where the two differ."""


class Store:
    """The named operations on one database."""

    def __init__(self, engine: AsyncEngine, *, case_rules: CaseRules | None = None) -> None:
        """Use an engine made by `ivrd.db.connection.open_engine`."""
        self._engine = engine
        self.case_rules = case_rules or CaseRules()
        """Of what is opened or changed from now on; set anew by whoever reloads them."""
        self.change_hooks: list[ChangeHook] = []
        """Whoever must write something in the same transaction as a case's change."""
        self.conflicts = 0
        """Rows ignored although they said something else than the row with their key."""
        self._is_conflict_logged = False

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations and reads."""
        return self._engine

    async def save_entry(self, entry: RecordEntry) -> None:
        """Store one ended stay in one queue, unless (call_id, number) is there."""
        await self.save_batch([entry])

    async def save_call(self, call: RecordCall) -> None:
        """Store one ended call, unless call_id is there."""
        await self.save_batch([call])

    async def save_move(self, move: RecordMove) -> None:
        """Store one ended move, unless (call_id, ended_at) is there."""
        await self.save_batch([move])

    async def save_act(self, act: RecordAct) -> None:
        """Store one act, unless act_id is there."""
        await self.save_batch([act])

    async def save_batch(self, batch: Sequence[Storable]) -> Saved:
        """Store many effects in one transaction: all or none."""
        opened = [one for one in batch if isinstance(one, OpenCase | RecordContact)]
        said = [one for one in batch if isinstance(one, RecordCallAct)]
        async with asyncio.timeout(TRANSACTION_S_MAX), self._engine.begin() as connection:
            conflicts: list[Conflict] = []
            for table, rows in _rows_by_table(batch).items():
                new = await without_told_again(connection, table, rows)
                conflicts += await _insert_rows(connection, table, new) if new else ()
            changes: list[CaseChanged] = []
            if said:
                await keep_call_acts(connection, said)
            if opened:
                changes += await open_cases(connection, opened, self.case_rules)
                if len(changes) < len(opened):
                    conflicts += await _opening_conflicts(connection, opened)
            calls = [change.case.call_id for change in changes] + [one.call_id for one in said]
            changes += await do_call_acts(connection, calls, self.case_rules)
            case_ids = await _case_ids(connection, opened)
            await self._run_hooks(connection, changes)
        self._note(conflicts)
        return Saved(case_ids=case_ids, changes=tuple(changes))

    async def change_case(
        self,
        case_id: int,
        act: CaseAct,
        by: Actor,
        *,
        at: datetime,
        expected_version: int | None = None,
        act_id: str | None = None,
    ) -> tuple[Case, CaseChanged | None]:
        """Do an act to a case and keep the change, in one transaction; see case_writes."""
        async with asyncio.timeout(TRANSACTION_S_MAX), self._engine.begin() as connection:
            case, changed = await change_case(
                connection,
                case_id,
                act,
                by,
                at=at,
                rules=self.case_rules,
                expected_version=expected_version,
                act_id=act_id,
            )
            await self._run_hooks(connection, [] if changed is None else [changed])
        return case, changed

    async def _run_hooks(self, connection: AsyncConnection, changes: Sequence[CaseChanged]) -> None:
        for hook in self.change_hooks:
            if changes:
                await hook(connection, changes)

    async def ping(self) -> None:
        """Return when the database answers, and raise when it does not."""
        async with asyncio.timeout(TRANSACTION_S_MAX), self._engine.connect() as connection:
            connection = await connection.execution_options(**{READ_ONLY: True})
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    def _note(self, conflicts: Sequence[Conflict]) -> None:
        """Count conflicts; log the first of a run of batches that have some."""
        self.conflicts += len(conflicts)
        if conflicts and not self._is_conflict_logged:
            first = conflicts[0]
            log.error(
                "store_conflict_noticed",
                table=first.table,
                call_id=first.id,
                columns=first.columns,
                conflicts=self.conflicts,
            )
        self._is_conflict_logged = bool(conflicts)


def milliseconds(duration: timedelta | None) -> int | None:
    """Return whole milliseconds, rounded up.

    Up, because a service level's boundary is inclusive: 25.0002 s must not be stored as 25.000 s.

    >>> milliseconds(timedelta(seconds=25, microseconds=1)), milliseconds(None)
    (25001, None)
    """
    return None if duration is None else -(-duration // ONE_MS)


def _insert(dialect: Dialect, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    if dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


async def _insert_rows(
    connection: AsyncConnection, table: type[Base], rows: Sequence[Row]
) -> Sequence[Conflict]:
    """Insert rows, and return those ignored that were no repeats.

    Only when the database tells of fewer new rows than we gave, which is rare, are they compared.
    """
    statement = _insert(connection.dialect, table).returning(table.__table__.c.id)
    new_ids = (await connection.execute(statement, rows)).all()
    if len(new_ids) == len(rows):
        return ()
    found: list[Conflict] = []
    for start in range(0, len(rows), KEYS_PER_QUERY):
        found += await _conflicts(connection, table, rows[start : start + KEYS_PER_QUERY])
    return found


async def _conflicts(
    connection: AsyncConnection, table: type[Base], rows: Sequence[Row]
) -> Sequence[Conflict]:
    key = _key_of(table)
    columns = [table.__table__.c[name] for name in rows[0]]
    wanted = tuple_(*(table.__table__.c[name] for name in key))
    keys = [tuple(row[name] for name in key) for row in rows]
    answer = await connection.execute(select(*columns).where(wanted.in_(keys)))
    stored = {tuple(row[name] for name in key): dict(row) for row in answer.mappings()}
    found = []
    for row, its_key in zip(rows, keys, strict=True):
        other = stored.get(its_key)
        differing = () if other is None else tuple(_differing(row, other, connection.dialect))
        if differing:
            its_id = str(its_key[0])
            found.append(Conflict(table=table.__tablename__, id=its_id, columns=differing))
    return found


def _key_of(table: type[Base]) -> tuple[str, ...]:
    [key] = (
        constraint
        for constraint in table.metadata.tables[table.__tablename__].constraints
        if isinstance(constraint, UniqueConstraint)
    )
    return tuple(column.name for column in key.columns)


def _differing(row: Row, stored: Mapping[str, object], dialect: Dialect) -> Iterable[str]:
    """Yield the columns in which a row is not what is stored, as the database would hold it."""
    for name, value in row.items():
        held = CLEAN_TEXT.process_bind_param(value, dialect) if isinstance(value, str) else value
        if held != stored[name] and not _is_told_again(name, held, stored[name]):
            yield name


def _is_told_again(name: str, value: object, stored: object) -> bool:
    """Return whether values differ only as queue_log, which tells a gap, differs from AMI."""
    # Sealed anew a number looks different, and what is purged or erased comes back from nowhere.
    if name in ("is_from_journal", "caller_sealed", "caller_key", "caller_key_before"):
        return True
    if isinstance(value, datetime) and isinstance(stored, datetime):
        return abs(value - stored) <= JOURNAL_TOLERANCE
    if name.endswith("_ms") and isinstance(value, int) and isinstance(stored, int):
        return abs(value - stored) <= JOURNAL_TOLERANCE // ONE_MS
    return False


async def _opening_conflicts(
    connection: AsyncConnection, opened: Sequence[OpenCase | RecordContact]
) -> Sequence[Conflict]:
    """Compare what never changes of a case; the rest may have been changed by hand since."""
    values = (opening_values(effect) for effect in opened)
    rows = [{name: row[name] for name in OPENING} for row in values]
    found: list[Conflict] = []
    for start in range(0, len(rows), KEYS_PER_QUERY):
        found += await _conflicts(connection, CaseRow, rows[start : start + KEYS_PER_QUERY])
    return found


async def _case_ids(
    connection: AsyncConnection, cases: Sequence[OpenCase | RecordContact]
) -> Mapping[tuple[CallId, str], int]:
    if not cases:
        return {}
    keys = [(case.call_id, case.rule) for case in cases]
    columns = select(CaseRow.call_id, CaseRow.rule, CaseRow.id)
    found = await connection.execute(columns.where(tuple_(CaseRow.call_id, CaseRow.rule).in_(keys)))
    return {(CallId(call_id), rule): case_id for call_id, rule, case_id in found}


def _rows_by_table(batch: Sequence[Storable]) -> Mapping[type[Base], list[Row]]:
    tables: dict[type[Base], list[Row]] = {}
    for effect in batch:
        match effect:
            case RecordEntry():
                tables.setdefault(EntryRow, []).append(_entry_row(effect))
            case RecordCall():
                tables.setdefault(CallRow, []).append(_call_row(effect))
            case RecordMove():
                tables.setdefault(MoveRow, []).append(_move_row(effect))
            case OpenCase() | RecordContact() | RecordCallAct():
                pass  # In an order of their own: see case_writes.py.
            case RecordAct():
                tables.setdefault(ActRow, []).append(_act_row(effect))
            case RecordDecision():
                tables.setdefault(DecisionRow, []).append(_decision_row(effect))
    return tables


def _entry_row(entry: RecordEntry) -> Row:
    return {
        "system": entry.system,
        "call_id": entry.call_id,
        "number": entry.number,
        "queue": entry.queue,
        "joined_at": entry.joined_at,
        "ended_at": entry.at,
        "disposition": entry.disposition.value,
        "entry_wait_ms": milliseconds(entry.entry_wait),
        "wait_ms": milliseconds(entry.wait),
        "interface": entry.interface,
        "agent": entry.agent,
        "answered_at": entry.answered_at,
        "talk_ms": milliseconds(entry.talk),
        "joined_by": entry.joined_by,
    }


def _call_row(call: RecordCall) -> Row:
    return {
        "system": call.system,
        "call_id": call.call_id,
        "line": call.line,
        "caller_sealed": call.caller_sealed,
        "caller_key": call.caller_key,
        "caller_key_before": call.caller_key_before,
        "is_protected": call.is_protected,
        "arrived_at": call.arrived_at,
        "ended_at": call.at,
        "choice": call.choice,
        "digit": call.digit,
        "is_static_menu": call.is_static_menu,
        "tries": call.tries,
        "outcome": call.outcome.value,
        "wait_ms": milliseconds(call.wait),
        "first_queue": call.first_queue,
        "last_queue": call.last_queue,
        "moves": call.moves,
        "transfers": call.transfers,
        "hand_over": None if call.hand_over is None else call.hand_over.value,
        "is_from_journal": call.is_from_journal,
        "path": call.path,
        "language": call.language,
        "handed_to": call.handed_to,
    }


def _move_row(move: RecordMove) -> Row:
    return {
        "system": move.system,
        "call_id": move.call_id,
        "from_queue": move.from_queue,
        "to_queue": move.to_queue,
        "reason": move.reason,
        "end": move.end.value,
        "ended_at": move.at,
    }


def _act_row(act: RecordAct) -> Row:
    return {
        "act_id": act.act_id,
        "at": act.at,
        "who": act.who,
        "from_where": act.from_where.value,
        "act": act.act,
        "subject": act.subject,
        "reason": act.reason,
        "until": act.until,
        "outcome": act.outcome.value,
    }


def _decision_row(decision: RecordDecision) -> Row:
    return {
        "call_id": decision.call_id,
        "system": decision.system,
        "at": decision.at,
        "what": decision.what.value,
        "rule": decision.rule,
        "from_queue": decision.from_queue,
        "to_queue": decision.to_queue,
        "is_dry_run": decision.is_dry_run,
        "is_by_hand": decision.is_by_hand,
        "who": decision.who,
        "why": decision.why,
        "figures": decision.figures,
    }


def id_of(fact: Storable) -> str:
    """Return the id by which a log line names a fact: the call's, or an act's own."""
    return fact.act_id if isinstance(fact, RecordAct) else fact.call_id
