"""What a department used: each call that a guide answered, once, with what it may cost.

Here: usage facts of one call. Not here: prices (prices.py) and sums (account.py).

Whose a call is, stored_calls.py says. Minutes are talk with guides alone, hold included: waiting,
the switchboard and wrap-up cost nobody anything.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ivrd.core.case_record import CaseClass
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.period_book import House
from ivrd.core.stored_calls import Basis, StoredCall, belonging_of, guided_stays

UNLABELLED = ""
"""Stands for the department of a call that nobody has labelled, and whose queue says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One call that a guide answered."""

    call_id: CallId
    arrived_at: datetime
    ended_at: datetime
    day: date
    """Of arrival, by the place's clock; decides the month and the price."""
    line: LineName | None
    queue: QueueName
    department: str
    """UNLABELLED when there is none."""
    basis: Basis
    talk: timedelta | None
    """With guides; None when an end was not seen, and no minutes can be paid for."""
    case_class: CaseClass | None
    """None when the call has no case."""
    is_internal: bool


def usage_of(call: StoredCall, house: House) -> Usage | None:
    """Return what a call is to be accounted as; None when no guide answered it."""
    mine = belonging_of(call, house.queues)
    if mine is None:
        return None
    talks = [stay.talk for stay in guided_stays(call, house.queues)]
    known = [talk for talk in talks if talk is not None]
    return Usage(
        call_id=call.call_id,
        arrived_at=call.arrived_at,
        ended_at=call.ended_at,
        day=call.arrived_at.astimezone(house.zone).date(),
        line=call.line,
        queue=mine.queue,
        department=mine.department or UNLABELLED,
        basis=mine.basis,
        talk=sum(known, timedelta(0)) if len(known) == len(talks) else None,
        case_class=call.case.case_class if call.case is not None and call.case.is_case else None,
        is_internal=call.line in house.internal_lines,
    )
