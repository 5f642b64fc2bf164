"""Visits: a caller's wait from the first arrival to an answer or a leaving, over all moves.

Here: records that tell alike what happened and what a model came to. Not here: where they come from
(rehearse.py, rehearsal.py) and what they come to in figures (day_figures.py).

A call may have several visits: who was answered and handed on into another queue, or sent on by a
time-out, begins a new one. A stay that ended by our own move goes on in the next stay.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, Interface, LineName, QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitStay:
    """One stay in one queue."""

    queue: QueueName
    joined_at: datetime
    left_at: datetime
    """End of the wait: the answer, or the leaving."""
    disposition: Disposition
    interface: Interface | None = None
    """The member that answered; None when nobody did."""
    talk: timedelta | None = None
    """None when nobody answered, or the end is not known."""
    ring: timedelta | None = None
    """How long it rang, in vain too, until the answer or the leaving; None when not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One wait."""

    call_id: CallId
    """With "#2" and so on behind it for a call's later visits."""
    stays: tuple[VisitStay, ...]
    """At least one; all but the last ended by a move."""
    line: LineName | None = None
    diverted_from: QueueName | None = None
    """The queue at whose door the caller was sent on; None for who was let in."""

    @property
    def came_to(self) -> QueueName:
        """The queue that the caller was after."""
        return self.first.queue if self.diverted_from is None else self.diverted_from

    @property
    def first(self) -> VisitStay:
        """Where the caller came in."""
        return self.stays[0]

    @property
    def last(self) -> VisitStay:
        """Where the wait ended."""
        return self.stays[-1]

    @property
    def is_answered(self) -> bool:
        """Whether an agent answered."""
        return self.last.disposition is Disposition.ANSWERED

    @property
    def wait(self) -> timedelta:
        """From the first arrival to the end of the wait: a move does not restart it."""
        return self.last.left_at - self.first.joined_at


REFUSED = frozenset({Disposition.FULL, Disposition.JOIN_EMPTY})
"""Of a caller who never stood in line: no visit. CLOSED may be either, see `visits_of`."""


def visits_of(
    call_id: CallId, stays: Iterable[VisitStay], *, line: LineName | None = None
) -> Iterator[Visit]:
    """Yield the visits of one call.

    Args:
        call_id: The call's.
        stays: In order. Who met a closed queue has a stay without length, and makes no visit.
        line: That the call came by; told of its first visit.
    """
    open_stays: list[VisitStay] = []
    diverted_from: QueueName | None = None
    number = 0
    for stay in stays:
        if stay.disposition is Disposition.DIVERTED:
            diverted_from = diverted_from or stay.queue
            continue
        is_at_door = stay.disposition is Disposition.CLOSED and stay.left_at == stay.joined_at
        if is_at_door or stay.disposition in REFUSED:
            continue
        open_stays.append(stay)
        if stay.disposition is not Disposition.MOVED:
            number += 1
            yield _visit(call_id, number, open_stays, line, diverted_from)
            open_stays, diverted_from = [], None
    if open_stays:  # Moved, and refused there.
        yield _visit(call_id, number + 1, open_stays, line, diverted_from)


def _visit(
    call_id: CallId,
    number: int,
    stays: Sequence[VisitStay],
    line: LineName | None,
    diverted_from: QueueName | None,
) -> Visit:
    return Visit(
        call_id=call_id if number == 1 else CallId(f"{call_id}#{number}"),
        stays=tuple(stays),
        line=line if number == 1 else None,
        diverted_from=diverted_from,
    )
