"""Opens cases and changes them, each change with a row of its history, inside a transaction.

Here: statements on a connection whose transaction somebody else holds (store.py). Not here: what an
act makes of a case (core/case_record.py), and reading for screens (case_reads.py).

Opening, in order
    1. Rows go in, on conflict do nothing; only new ones come back.
    2. A new case is linked to the same caller's last one that is not closed.
    3. Version 1 of its history says so.
    4. What the guide said of the call meanwhile, by phone, is done to it.
A hook is awaited in the same transaction after each change: what must go out exactly because a
case changed (an outbox) is kept or lost together with the change.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, RowMapping, Table, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ivrd.case_errors import CaseConflict, CaseRefused, CaseUnknown
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import (
    OPENED,
    Case,
    CaseAct,
    CaseChanged,
    CaseClass,
    CaseRules,
    Change,
    Label,
    Refusal,
    SetClass,
    apply,
    changed_fields,
    word_of,
)
from ivrd.core.effects import CallActKind, OpenCase, RecordCallAct, RecordContact
from ivrd.db.case_rows import (
    CASES,
    as_told,
    case_of_row,
    change_values,
    opening_values,
    updates,
)
from ivrd.db.models import IS_NOT_CLOSED, Base, CallActRow, CaseChangeRow
from ivrd.db.words import UnknownWord, Word, word

IDS_PER_QUERY = 500
"""As store.KEYS_PER_QUERY."""

CALL_ACTS = Base.metadata.tables[CallActRow.__tablename__]

THE_RULE = Actor(who="rule", origin=Origin.RULE)

ChangeHook = Callable[[AsyncConnection, Sequence[CaseChanged]], Awaitable[None]]
"""Awaited with the changes of a transaction before it is committed; what it raises undoes them."""

log = structlog.get_logger(__name__)


async def open_cases(
    connection: AsyncConnection,
    effects: Sequence[OpenCase | RecordContact],
    rules: CaseRules,
) -> Sequence[CaseChanged]:
    """Store cases and contacts, unless (call_id, rule) is there; return those that are new."""
    statement = _insert_or_leave(connection, CASES).returning(CASES.c.id)
    rows = [opening_values(effect) for effect in effects]
    new_ids = [row.id for row in await connection.execute(statement, rows)]
    earlier = {(each.call_id, each.rule): each.earlier_keys.split() for each in effects}
    opened: list[CaseChanged] = []
    for start in range(0, len(new_ids), IDS_PER_QUERY):
        ids = new_ids[start : start + IDS_PER_QUERY]
        query = select(CASES).where(CASES.c.id.in_(ids)).order_by(CASES.c.id)
        for row in (await connection.execute(query)).all():
            case = case_of_row(row)
            case = await _linked(connection, case, earlier[(case.call_id, case.rule)], rules)
            opened.append(CaseChanged(case=case, change=_opening(case)))
    await _keep_changes(connection, [one.change for one in opened])
    return opened


async def keep_call_acts(connection: AsyncConnection, acts: Sequence[RecordCallAct]) -> None:
    """Store what guides said of calls, unless act_id is there."""
    statement = _insert_or_leave(connection, CALL_ACTS)
    await connection.execute(
        statement,
        [
            {
                "act_id": act.act_id,
                "system": act.system,
                "call_id": act.call_id,
                "at": act.at,
                "agent": act.agent,
                "what": act.what.value,
                "value": act.value,
                "department": act.department,
                "who": act.who,
                "from_where": act.from_where.value,
            }
            for act in acts
        ],
    )


async def do_call_acts(
    connection: AsyncConnection, call_ids: Iterable[str], rules: CaseRules
) -> Sequence[CaseChanged]:
    """Do to the cases of calls what was said of the calls and is not done yet, in its order."""
    wanted = sorted(set(call_ids))
    done: list[CaseChanged] = []
    for start in range(0, len(wanted), IDS_PER_QUERY):
        some = wanted[start : start + IDS_PER_QUERY]
        waiting = await connection.execute(
            select(CALL_ACTS)
            .where(CallActRow.call_id.in_(some), CallActRow.case_id.is_(None))
            .order_by(CallActRow.at, CallActRow.id)
        )
        for row in waiting.all():
            try:
                changed = await _do_call_act(connection, row._mapping, rules)
            except UnknownWord:
                continue  # Logged there; it waits for a version that knows the case's words.
            done += [] if changed is None else [changed]
    return done


async def change_case(
    connection: AsyncConnection,
    case_id: int,
    act: CaseAct,
    by: Actor,
    *,
    at: datetime,
    rules: CaseRules,
    expected_version: int | None = None,
    act_id: str | None = None,
) -> tuple[Case, CaseChanged | None]:
    """Do an act to a case.

    Returns:
        The case after it, and the change; None when there was nothing to change.

    Raises:
        CaseUnknown: There is no such case.
        CaseConflict: It has another version than the expected.
        CaseRefused: The act does not fit it.
    """
    case = await _locked(connection, CASES.c.id == case_id)
    if case is None:
        raise CaseUnknown(f"there is no case {case_id}")
    if act_id is not None and await _is_done(connection, case_id, act_id):
        return case, None
    after = apply(case, act, rules=rules, at=at)
    if after == case and act_id is None:
        return case, None
    if expected_version is not None and expected_version != case.version:
        raise CaseConflict(case)
    if isinstance(after, Refusal):
        raise CaseRefused(f"case {case_id}: {after.because}", after.code)
    changed = await _change(connection, case, after, word_of(act), by, at=at, act_id=act_id)
    return changed.case, changed


async def _do_call_act(
    connection: AsyncConnection, act: RowMapping, rules: CaseRules
) -> CaseChanged | None:
    """Do one kept act; None when its call has no case yet, or the case would not take it."""
    is_mine = CASES.c.call_id == act["call_id"]
    case = await _locked(connection, is_mine)
    if case is None:
        return None
    changed: CaseChanged | None = None
    because: str | None = None
    by = Actor(who=act["who"], origin=_word(Origin, act, "from_where"))
    after = apply(case, _act_of(act), rules=rules, at=act["at"])
    if isinstance(after, Refusal):
        because = after.because
        log.warning("call_act_refused", call_id=act["call_id"], what=act["what"], because=because)
    elif after != case:
        changed = await _change(
            connection,
            case,
            after,
            word_of(_act_of(act)),
            by,
            # What was said during the call was done to the case when it opened.
            at=max(act["at"], case.updated_at),
            act_id=act["act_id"],
        )
    await connection.execute(
        update(CALL_ACTS)
        .where(CallActRow.act_id == act["act_id"])
        .values(case_id=case.case_id, refused_because=because)
    )
    return changed


def _word(kind: type[Word], act: RowMapping, column: str) -> Word:
    return word(kind, act[column], f"call_acts.{column}", row=act["act_id"])


def _act_of(act: RowMapping) -> CaseAct:
    match _word(CallActKind, act, "what"):
        case CallActKind.LABEL:
            return Label(code=act["value"], department=act["department"])
        case CallActKind.HALF_HELPED:
            return SetClass(case_class=CaseClass.HALF_HELPED)


async def _change(
    connection: AsyncConnection,
    before: Case,
    after: Case,
    what: str,
    by: Actor,
    *,
    at: datetime,
    act_id: str | None,
) -> CaseChanged:
    names = changed_fields(before, after)
    change = Change(
        case_id=before.case_id,
        version=before.version + 1,
        at=at,
        by=by,
        what=what,
        before=as_told(before, names),
        after=as_told(after, names),
        act_id=act_id,
    )
    after = replace(after, version=change.version, updated_at=at)
    await connection.execute(
        update(CASES).where(CASES.c.id == before.case_id).values(**updates(before, after))
    )
    await _keep_changes(connection, [change])
    return CaseChanged(case=after, change=change)


async def _locked(connection: AsyncConnection, condition: ColumnElement[bool]) -> Case | None:
    """Return the newest case of a condition, which nobody else can change meanwhile.

    SQLite has no such lock and needs none: the transaction began by taking the only one.
    """
    query = select(CASES).where(condition).order_by(CASES.c.id.desc()).limit(1)
    row = (await connection.execute(query.with_for_update())).one_or_none()
    return None if row is None else case_of_row(row)


async def _is_done(connection: AsyncConnection, case_id: int, act_id: str) -> bool:
    mine = select(CaseChangeRow.id).where(
        CaseChangeRow.case_id == case_id, CaseChangeRow.act_id == act_id
    )
    return (await connection.execute(mine.limit(1))).one_or_none() is not None


async def _linked(
    connection: AsyncConnection, case: Case, earlier_keys: Sequence[str], rules: CaseRules
) -> Case:
    """Return a new case with the caller's last one that is not closed linked to it.

    Caller keys change with time, so those of the period before count too.
    """
    if case.caller_key is None or not case.is_case or not rules.repeat:
        return case
    earlier = (
        select(CASES.c.id)
        .where(
            CASES.c.caller_key.in_([case.caller_key, *earlier_keys]),
            CASES.c.opened_at >= case.opened_at - rules.repeat,
            CASES.c.opened_at <= case.opened_at,
            CASES.c.id != case.case_id,
            text(IS_NOT_CLOSED),
        )
        .order_by(CASES.c.opened_at.desc(), CASES.c.id.desc())
        .limit(1)
    )
    found = (await connection.execute(earlier)).one_or_none()
    if found is None:
        return case
    await connection.execute(
        update(CASES).where(CASES.c.id == case.case_id).values(linked_case_id=found.id)
    )
    return replace(case, linked_case_id=found.id)


def _opening(case: Case) -> Change:
    names = ("case_class", "state", "department", "linked_case_id")
    told = tuple(name for name in names if getattr(case, name) is not None)
    return Change(
        case_id=case.case_id,
        version=1,
        at=case.opened_at,
        by=THE_RULE,
        what=OPENED,
        before="{}",
        after=as_told(case, told),
    )


async def _keep_changes(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    if changes:
        rows = [change_values(change) for change in changes]
        await connection.execute(insert(CaseChangeRow), rows)


def _insert_or_leave(
    connection: AsyncConnection, table: Table
) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
