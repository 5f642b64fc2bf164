"""What is told of people on the floor: callers who wait, agents in their queues.

Here: the shapes, and how they are filled from the trackers' books. Not here: HTTP, and who may see
which (guard.py). Numbers are masked here, always.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from pydantic import BaseModel, Field

from ivrd.core.agent_acts import version_of
from ivrd.core.call_book import CallBook
from ivrd.core.ids import LineName, QueueName, SystemName
from ivrd.core.live_view import (
    CallerView,
    MemberView,
    callers_of,
    members_of,
    waiting_by_line,
)
from ivrd.core.staff import Condition

Books = Mapping[SystemName, CallBook]

AgentState = Literal["available", "busy", "paused", "unavailable"]

STATES: Mapping[Condition, AgentState] = {
    Condition.AVAILABLE: "available",
    Condition.BUSY: "busy",
    Condition.PAUSED: "paused",
    Condition.UNAVAILABLE: "unavailable",
}


class CallerStatus(BaseModel):
    """One caller who waits."""

    system: str
    call_id: str
    queue: str
    line: str | None = Field(description="What they dialled; null when nobody knows.")
    number: str | None = Field(description="Its last two digits; null when hidden or not known.")
    arrived_at: datetime = Field(description="First arrival in any queue; a move restarts nothing.")
    wait_s: float = Field(description="wait so far: now - first arrival in any queue")
    place: int = Field(description="By first arrival among all who wait there, from 1.")
    is_offered: bool = Field(description="An agent's phone rings for them.")
    moving_to: str | None = Field(description="Where they are asked to move; null: nowhere.")


class CallerList(BaseModel):
    """Callers who wait, queue by queue, longest wait first."""

    at: datetime = Field(description="By Asterisk's clock.")
    unsynced: list[str] = Field(description="PBXs whose callers are not known now, and left out.")
    total: int = Field(description="All of them, also those beyond `limit`.")
    calls: list[CallerStatus]


class MembershipStatus(BaseModel):
    """One agent in one queue."""

    queue: str
    state: AgentState
    pause_reason: str = Field(description="Empty when there is none.")
    is_fixed: bool = Field(description="A member by queues.conf: cannot be logged out.")


class AgentStatus(BaseModel):
    """One agent, in every queue that they serve."""

    system: str
    agent: str = Field(description="The member's name.")
    interface: str
    state: AgentState = Field(description="The best of those in the queues.")
    is_in_call: bool
    queues: list[MembershipStatus]
    version: str = Field(description="For `seen` of an act: changes when log-in or pause does.")


class AgentList(BaseModel):
    """Every agent who is logged in somewhere."""

    at: datetime = Field(description="By Asterisk's clock.")
    unsynced: list[str] = Field(description="PBXs whose agents are not known now, and left out.")
    agents: list[AgentStatus]


class PeopleBook:
    """Callers and agents on demand."""

    def __init__(self, books: Callable[[], Books], *, now: Callable[[], datetime]) -> None:
        """Read from the trackers' books.

        Args:
            books: Each PBX's book.
            now: Asterisk's clock, by which arrivals are stamped.
        """
        self._books = books
        self._now = now

    def book(self, system: SystemName) -> CallBook | None:
        """Return one PBX's book; None when there is no such PBX."""
        return self._books().get(system)

    def callers(
        self, sees: Callable[[QueueName, LineName | None], bool], *, limit: int
    ) -> "FoundCallers":
        """Return who waits, of those that somebody may see, and at most so many."""
        books, now = self._books(), self._now()
        total = sum(
            number
            for book in _synced(books)
            for (queue, line), number in waiting_by_line(book).items()
            if sees(queue, line)
        )
        seen = (
            view
            for book in _synced(books)
            for view in callers_of(book)
            if sees(view.queue, view.line)
        )
        empty = CallerList(at=now, unsynced=unsynced(books), total=total, calls=[])
        return FoundCallers(empty=empty, views=list(islice(seen, limit)), now=now)

    def agents(self, sees: Callable[[Sequence[MemberView]], bool]) -> "FoundAgents":
        """Return every agent that somebody may see."""
        books = self._books()
        return FoundAgents(
            empty=AgentList(at=self._now(), unsynced=unsynced(books), agents=[]),
            views=[
                views
                for book in _synced(books)
                for views in agents_of(book).values()
                if sees(views)
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCallers:
    """Callers of one moment, to be written."""

    empty: CallerList
    views: Sequence[CallerView]
    now: datetime

    def text(self, view: CallerView) -> str:
        """Return one caller as JSON."""
        return _caller(view, self.now).model_dump_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAgents:
    """Agents of one moment, to be written: for each what they are in each queue."""

    empty: AgentList
    views: Sequence[Sequence[MemberView]]


def agents_of(book: CallBook) -> dict[str, list[MemberView]]:
    """Return what each agent is in each queue, by the member's name."""
    found: dict[str, list[MemberView]] = {}
    for view in members_of(book):
        found.setdefault(view.agent, []).append(view)
    return found


def agents_in(
    book: CallBook, queues: AbstractSet[QueueName], known: Mapping[str, Sequence[MemberView]]
) -> dict[str, list[MemberView]]:
    """Return what each agent of some queues is in each queue; nothing for one who has gone.

    Args:
        book: Their PBX's.
        queues: All in which a membership has changed since.
        known: What each agent was in each queue before.
    """
    found: dict[str, list[MemberView]] = {}
    for agent, views in known.items():
        if any(view.queue in queues for view in views):
            found[agent] = [view for view in views if view.queue not in queues]
    for view in members_of(book, queues):
        if view.agent not in found:
            found[view.agent] = []
        found[view.agent].append(view)
    places = {queue: place for place, queue in enumerate(book.queues)}
    for views in found.values():
        views.sort(key=lambda view: places[view.queue])
    return found


def agent_status(views: Sequence[MemberView]) -> AgentStatus:
    """Return one agent as told; `views` are of the same agent, and at least one."""
    first = views[0]
    best = min((view.condition for view in views), key=list(Condition).index)
    return AgentStatus(
        system=first.system,
        agent=first.agent,
        interface=first.interface,
        state=STATES[best],
        is_in_call=any(view.is_in_call for view in views),
        queues=[
            MembershipStatus(
                queue=view.queue,
                state=STATES[view.condition],
                pause_reason=view.pause_reason,
                is_fixed=view.is_fixed,
            )
            for view in views
        ],
        version=version_of(views),
    )


def unsynced(books: Books) -> list[str]:
    """Return the PBXs of which nobody knows now who waits and serves."""
    return [system for system, book in books.items() if not book.is_synced]


def masked(number: str | None) -> str | None:
    """Return a number cut to its last two digits.

    Example:
        >>> masked("+46701740612")
        '***12'
    """
    return None if number is None else f"***{number[-2:]}"


def _synced(books: Books) -> list[CallBook]:
    return [book for book in books.values() if book.is_synced]


def _caller(view: CallerView, now: datetime) -> CallerStatus:
    return CallerStatus(
        system=view.system,
        call_id=view.call_id,
        queue=view.queue,
        line=view.line,
        number=masked(view.number),
        arrived_at=view.first_joined_at,
        wait_s=round(max(0.0, (now - view.first_joined_at).total_seconds()), 3),
        place=view.place,
        is_offered=view.is_offered,
        moving_to=view.moving_to,
    )
