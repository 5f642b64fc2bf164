"""Who waits and who serves now, person by person, as anybody who shows it sees them.

Here: the records, and how they are read from the book. Not here: whole queues (floor.py), and who
may see which (access/).
"""

from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime

from ivrd.core.call_book import CallBook
from ivrd.core.events import MemberChanged
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.core.staff import Condition, condition_of
from ivrd.core.stay import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerView:
    """One caller who waits."""

    system: SystemName
    call_id: CallId
    channel: str
    """Its name when last told, by which Asterisk takes requests about the caller."""
    queue: QueueName
    line: LineName | None
    """None when nobody knows which."""
    number: str | None
    """In clear: to be masked by whoever shows it. None when hidden or not known."""
    first_joined_at: datetime
    """First arrival in any queue: from then on the wait counts."""
    joined_at: datetime
    place: int
    """By first arrival among all who wait here, from 1."""
    is_offered: bool
    """An agent's phone rings for them right now."""
    moving_to: QueueName | None
    """Where they are asked to move; None when nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """One agent in one queue."""

    system: SystemName
    queue: QueueName
    agent: str
    """The member's name."""
    interface: Interface
    condition: Condition
    is_paused: bool
    pause_reason: str
    """Empty when there is none, or nobody gave one."""
    is_in_call: bool
    is_fixed: bool
    """A member by queues.conf, whom nobody can log out."""
    penalty: int
    state_interface: str
    """Empty when it is the interface itself."""


def waiting_by_line(book: CallBook) -> Counter[tuple[QueueName, LineName | None]]:
    """Return how many wait in each queue, by the line that they dialled."""
    return Counter(
        (queue, call.line)
        for queue, floor in book.queues.items()
        for call in map(book.calls.get, floor.waiting)
        if call is not None and call.entries and isinstance(call.entries[-1], Waiting)
    )


def callers_of(book: CallBook) -> Iterator[CallerView]:
    """Yield everybody who waits, queue by queue, longest wait first."""
    for queue, floor in book.queues.items():
        for place, call_id in enumerate(floor.waiting.in_order(), start=1):
            call = book.calls.get(call_id)
            last = call.entries[-1] if call is not None and call.entries else None
            if call is None or not isinstance(last, Waiting):
                continue
            yield CallerView(
                system=book.system,
                call_id=call_id,
                channel=call.channel,
                queue=queue,
                line=call.line,
                number=call.caller_number,
                first_joined_at=last.stay.first_joined_at,
                joined_at=last.stay.joined_at,
                place=place,
                is_offered=bool(last.offered_to),
                moving_to=None if last.move is None else last.move.to_queue,
            )


def members_of(book: CallBook, queues: Container[QueueName] | None = None) -> Iterator[MemberView]:
    """Yield every agent in every queue, as last told; or in some queues only."""
    for queue, floor in book.queues.items():
        if queues is not None and queue not in queues:
            continue
        for member in floor.members:
            yield _view(book.system, queue, member)


def _view(system: SystemName, queue: QueueName, member: MemberChanged) -> MemberView:
    return MemberView(
        system=system,
        queue=queue,
        agent=member.member_name,
        interface=member.interface,
        condition=condition_of(member),
        is_paused=member.is_paused,
        pause_reason=member.pause_reason if member.is_paused else "",
        is_in_call=member.is_in_call,
        is_fixed=member.is_fixed,
        penalty=member.penalty,
        state_interface=member.state_interface,
    )
