"""Tells the case systems of a case's change, in the transaction that changes it.

Here: which changes are told, to whom, and what a message holds. Not here: sending (ivrd/handover).

Rules
    1. Handing over tells every destination that takes the case by its department and class.
    2. While a case is handed over, and when it ceases to be, each change is told to whoever was
       told of the hand-over, and to nobody else.
    3. What a case system has said itself is not told back.
    4. A message holds no number of the caller's, and no key of theirs.
"""

import json
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivrd.core.actors import Actor, Origin
from ivrd.core.case_messages import MessageState, Route, destinations
from ivrd.core.case_record import Case, CaseChanged, CaseState, Change
from ivrd.db.case_messages import write_message
from ivrd.db.models import CaseMessageRow

KINDS: Mapping[str, str] = {
    "hand_over": "handed_over",
    "label": "labelled",
    "note": "noted",
    "set_class": "classified",
    "promise": "promised",
    "feedback": "feedback_given",
    "close": "closed",
    "reopen": "reopened",
}
"""What a message is called, by the act's word in the case's history; others are not told."""


class MessageHook:
    """A change hook of `ivrd.db.store.Store`."""

    def __init__(self, routes: Callable[[], Sequence[Route]]) -> None:
        """Ask at each change which destinations there are."""
        self._routes = routes

    async def __call__(self, connection: AsyncConnection, changes: Sequence[CaseChanged]) -> None:
        """Write the messages of these changes."""
        routes = self._routes()
        for one in changes if routes else ():
            if one.change.what not in KINDS or not _is_told(one):
                continue
            names = await _told_before(connection, one.case.case_id)
            if one.case.state is CaseState.HANDED_OVER and one.change.what == "hand_over":
                names |= set(_takers(routes, one.case))
            for route in routes:
                if route.destination in names and not _is_by(route.destination, one.change):
                    await _write(connection, route, one)


def case_key(case: Case) -> str:
    """Return what a case is called outside: the same whatever row it has.

    Rows may be numbered anew by a restored database; a call and a rule have one case for ever.
    """
    return f"{case.call_id}/{case.rule}"


def payload(case: Case, change: Change, *, includes_note: bool) -> Mapping[str, object]:
    """Return what a message tells of a case and of its change."""
    told: dict[str, object] = {
        "key": case_key(case),
        "case_id": case.case_id,
        "version": change.version,
        "system": case.system,
        "call_id": case.call_id,
        "line": case.line,
        "queue": case.queue,
        "agent": case.agent,
        "answered_at": case.answered_at.isoformat(),
        "opened_at": case.opened_at.isoformat(),
        "class": case.case_class.value,
        "state": case.state.value,
        "department": case.department,
        "label": case.label,
        "deadline": None if case.deadline is None else case.deadline.isoformat(),
        "feedback_kind": None if case.feedback_kind is None else case.feedback_kind.value,
        "feedback_receiver": case.feedback_receiver,
        "linked_case_id": case.linked_case_id,
        "external_id": case.external_id,
    }
    if includes_note:
        told |= {"note": case.note, "feedback_text": case.feedback_text}
    return {
        "case": told,
        "change": {
            "kind": KINDS[change.what],
            "version": change.version,
            "at": change.at.isoformat(),
            "who": change.by.who,
            "from_where": change.by.origin.value,
            "fields": sorted(json.loads(change.after)),
        },
    }


def _is_told(one: CaseChanged) -> bool:
    before = json.loads(one.change.before).get("state", one.case.state.value)
    handed_over = CaseState.HANDED_OVER.value
    return handed_over in (before, one.case.state.value)


def _takers(routes: Sequence[Route], case: Case) -> tuple[str, ...]:
    return destinations(routes, department=case.department, case_class=case.case_class.value)


def _is_by(destination: str, change: Change) -> bool:
    return change.by == Actor(who=destination, origin=Origin.CASE_SYSTEM)


async def _told_before(connection: AsyncConnection, case_id: int) -> set[str]:
    """Return who was told of a case, or would be but for a person's word."""
    query = (
        select(CaseMessageRow.destination)
        .where(
            CaseMessageRow.case_id == case_id,
            CaseMessageRow.state != MessageState.DROPPED.value,
        )
        .distinct()
    )
    return set(await connection.scalars(query))


async def _write(connection: AsyncConnection, route: Route, one: CaseChanged) -> None:
    await write_message(
        connection,
        destination=route.destination,
        case_id=one.case.case_id,
        version=one.change.version,
        kind=KINDS[one.change.what],
        case_key=case_key(one.case),
        payload=payload(one.case, one.change, includes_note=route.includes_note),
        at=one.change.at,
    )
