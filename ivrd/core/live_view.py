"""Who waits and who serves now, person by person, as anybody who shows it sees them.

Here: the records, and how they are read from the book. Not here: whole queues (floor.py), and who
may see which (access/).
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ivrd.core.call import Call
from ivrd.core.call_book import CallBook
from ivrd.core.events import MemberChanged
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName
from ivrd.core.staff import Condition, Staff, condition_of
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


@dataclass(frozen=True, slots=True)
class Standing:
    """One queue's line at one moment: calls are records that nobody changes any more."""

    queue: QueueName
    calls: Sequence[Call | None]
    """Longest wait first; None for one that nobody knows, and who has a place all the same."""


def standing_in(book: CallBook) -> list[Standing]:
    """Return who stands in each queue: cheap, so that all is of one moment, and viewed later."""
    known = book.calls.get
    return [
        Standing(queue, [known(call_id) for call_id in floor.waiting.in_order()])
        for queue, floor in book.queues.items()
    ]


def callers_of(book: CallBook) -> Iterator[CallerView]:
    """Yield everybody who waits, queue by queue, longest wait first."""
    for standing in standing_in(book):
        for place, call in enumerate(standing.calls, start=1):
            if call is not None and is_waiting(call):
                yield caller_view(standing.queue, place, call)


def is_waiting(call: Call) -> bool:
    """Return whether a call waits in a queue now."""
    return bool(call.entries) and isinstance(call.entries[-1], Waiting)


def caller_view(queue: QueueName, place: int, call: Call) -> CallerView:
    """Return one who waits (`is_waiting`), as seen by whoever shows it."""
    last = call.entries[-1]
    assert isinstance(last, Waiting), "who stands in a line waits there"
    return CallerView(
        system=call.system,
        call_id=call.call_id,
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


class StaffViews:
    """Agents in their queues, viewed again only where something has changed."""

    def __init__(self) -> None:
        self._kept: dict[QueueName, tuple[Staff, int, Sequence[MemberView]]] = {}
        """By queue: whom, and how many changes of theirs, these are views of."""

    def agents(self, book: CallBook) -> dict[str, list[MemberView]]:
        """Return what each agent is in each queue now, by the member's name; always the same PBX's.

        Views of a queue in which nothing has changed are the very same records as the last time.
        """
        self._kept = {queue: self._of(book, queue) for queue in book.queues}
        found: dict[str, list[MemberView]] = {}
        for _, _, views in self._kept.values():
            for view in views:
                found.setdefault(view.agent, []).append(view)
        return found

    def _of(self, book: CallBook, queue: QueueName) -> tuple[Staff, int, Sequence[MemberView]]:
        staff = book.queues[queue].members
        kept = self._kept.get(queue)
        if kept is None or kept[0] is not staff or kept[1] != staff.changes:
            return staff, staff.changes, [_view(book.system, queue, one) for one in staff]
        return kept


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
