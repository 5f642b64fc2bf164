"""A case as a row, and back.

Here: the translation only. Not here: statements (case_writes.py, case_reads.py).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from sqlalchemy import Row

from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import (
    Case,
    CaseClass,
    CaseState,
    Change,
    FeedbackKind,
    changed_fields,
)
from ivrd.core.effects import OpenCase, RecordContact
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.db.models import Base, CaseChangeRow, CaseRow
from ivrd.db.words import word

OPENING = (
    "system",
    "call_id",
    "rule",
    "line",
    "queue",
    "agent",
    "interface",
    "answered_at",
    "opened_at",
    "is_from_journal",
    "is_handed_on",
)
"""The columns that never change: what a repeat is compared by."""

RowValues = Mapping[str, object]

CASES = Base.metadata.tables[CaseRow.__tablename__]


def opening_values(effect: OpenCase | RecordContact) -> RowValues:
    """Return the row that a case, or a contact, begins as."""
    is_contact = isinstance(effect, RecordContact)
    return {
        "system": effect.system,
        "call_id": effect.call_id,
        "rule": effect.rule,
        "line": effect.line,
        "queue": effect.queue,
        "agent": effect.agent,
        "interface": effect.interface,
        "department": effect.department,
        "answered_at": effect.answered_at,
        "opened_at": effect.at,
        "is_from_journal": effect.is_from_journal,
        "is_handed_on": is_contact,
        "case_class": (CaseClass.CONTACT if is_contact else CaseClass.RESOLVED).value,
        "is_case": not is_contact,
        "state": (CaseState.CLOSED if is_contact else CaseState.DRAFT).value,
        "caller_key": effect.caller_key,
        "is_protected": effect.is_protected,
        "version": 1,
        "updated_at": effect.at,
    }


def case_of_row(row: Row[tuple[object, ...]]) -> Case:
    """Return a whole row of `cases` as a case.

    Raises:
        UnknownWord: A newer ivrd wrote it.
    """
    found = row._mapping
    kind = found["feedback_kind"]
    return Case(
        case_id=found["id"],
        system=SystemName(found["system"]),
        call_id=CallId(found["call_id"]),
        rule=found["rule"],
        line=None if found["line"] is None else LineName(found["line"]),
        queue=QueueName(found["queue"]),
        agent=found["agent"],
        interface=Interface(found["interface"]),
        answered_at=found["answered_at"],
        opened_at=found["opened_at"],
        is_from_journal=found["is_from_journal"],
        is_handed_on=found["is_handed_on"],
        case_class=word(CaseClass, found["case_class"], "cases.case_class", row=found["id"]),
        is_case=found["is_case"],
        state=word(CaseState, found["state"], "cases.state", row=found["id"]),
        label=found["label"],
        department=found["department"],
        note=found["note"],
        deadline=found["deadline"],
        feedback_kind=None
        if kind is None
        else word(FeedbackKind, kind, "cases.feedback_kind", row=found["id"]),
        feedback_receiver=found["feedback_receiver"],
        feedback_text=found["feedback_text"],
        linked_case_id=found["linked_case_id"],
        caller_key=found["caller_key"],
        external_id=found["external_id"],
        external_status=found["external_status"],
        external_status_at=found["external_status_at"],
        version=found["version"],
        updated_at=found["updated_at"],
        is_protected=found["is_protected"],
    )


def change_of_row(row: CaseChangeRow) -> Change:
    """Return one row of a history."""
    return Change(
        case_id=row.case_id,
        version=row.version,
        at=row.at,
        by=Actor(
            who=row.who,
            origin=word(Origin, row.from_where, "case_changes.from_where", row=row.case_id),
        ),
        what=row.what,
        before=row.before,
        after=row.after,
        act_id=row.act_id,
    )


def change_values(change: Change) -> RowValues:
    """Return one change as a row."""
    return {
        "case_id": change.case_id,
        "version": change.version,
        "at": change.at,
        "who": change.by.who,
        "from_where": change.by.origin.value,
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "act_id": change.act_id,
    }


def updates(before: Case, after: Case) -> RowValues:
    """Return the columns to set, all fields of a case but its id being columns of the same name."""
    return {name: _plain(getattr(after, name)) for name in changed_fields(before, after)}


def as_told(case: Case, names: tuple[str, ...]) -> str:
    """Return some fields of a case as JSON, for its history."""
    told = {name: _json(getattr(case, name)) for name in names}
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else _plain(value)
