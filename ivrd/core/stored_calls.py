"""An ended call as reports and accounts are given it, and whose it is.

Here: plain values, and the rule for the department that pays. Not here: reading them (db/), figures
(period_figures.py), money (prices.py).

The rule
    A call that a guide answered belongs to one department, or to none: the department of its case's
    label; else that of the queue whose guide answered last; else it is *unlabelled*, and shown so.
    No other call belongs to a department: nobody has said what it was about.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.rules import QueueRules, Role

REPEAT_WITHIN = timedelta(days=7)
"""A call by the same caller so soon after another is a repeat (METRICS.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStay:
    """One stay in one queue."""

    queue: QueueName
    joined_at: datetime
    disposition: Disposition
    entry_wait: timedelta | None
    """Spent in this queue; None when unknown, or for somebody who never joined."""
    wait: timedelta | None
    """Since the first arrival in any queue."""
    talk: timedelta | None
    """Answer to the end of the agent's part; None when nobody answered or the end is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """The case of a call."""

    case_class: CaseClass
    is_case: bool
    """Counts, and is paid for, as a case; a contact does not."""
    is_solved: bool
    """At first contact: resolved, no repeat of an open case, and no call back was promised."""
    label: str | None
    department: str | None
    """Of the label; before there is one, of the queue; None when neither says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """One ended call."""

    call_id: CallId
    line: LineName | None
    arrived_at: datetime
    ended_at: datetime
    outcome: Outcome
    transfers: int
    stays: tuple[StoredStay, ...]
    """In order."""
    case: StoredCase | None = None
    is_repeated: bool | None = None
    """The same caller rang again within REPEAT_WITHIN; None when nobody can tell who rang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSeen:
    """That some caller rang."""

    caller: str | None
    """The same for the same caller; None for a hidden or unknown number."""
    arrived_at: datetime
    call_id: CallId


class Basis(StrEnum):
    """What a call's department rests on."""

    LABEL = "label"
    QUEUE = "queue"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Whose a call is that a guide answered."""

    queue: QueueName
    """Whose guide answered last."""
    department: str | None
    """None for an unlabelled call."""
    basis: Basis


def belonging_of(call: StoredCall, queues: Mapping[QueueName, QueueRules]) -> Belonging | None:
    """Return whose a call is; None when no guide answered it."""
    stays = guided_stays(call, queues)
    if not stays:
        return None
    queue = stays[-1].queue
    if call.case is not None and call.case.label is not None:
        return Belonging(queue=queue, department=call.case.department, basis=Basis.LABEL)
    department = queues[queue].department
    basis = Basis.NOTHING if department is None else Basis.QUEUE
    return Belonging(queue=queue, department=department, basis=basis)


def guided_stays(
    call: StoredCall, queues: Mapping[QueueName, QueueRules]
) -> tuple[StoredStay, ...]:
    """Return the stays of a call that a guide answered, in order."""
    return tuple(
        stay
        for stay in call.stays
        if stay.disposition is Disposition.ANSWERED
        and (rules := queues.get(stay.queue)) is not None
        and rules.role is Role.GUIDE
    )


def repeated(calls: Iterable[CallerSeen]) -> Mapping[CallId, bool]:
    """Return of each call whether its caller rang again within a week; unknown callers left out.

    Args:
        calls: In order of arrival, and a week longer than what is asked about.
    """
    last: dict[str, CallerSeen] = {}
    found: dict[CallId, bool] = {}
    for call in calls:
        if call.caller is None:
            continue
        before = last.get(call.caller)
        if before is not None and call.arrived_at - before.arrived_at <= REPEAT_WITHIN:
            found[before.call_id] = True
        last[call.caller] = call
        found[call.call_id] = False
    return found
