"""What is told of people on the floor: callers who wait, agents in their queues.

Here: the shapes, and how they are filled from the trackers' books. Not here: HTTP, and who may see
which (guard.py). Numbers are masked here, always.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from ivrd.core.agent_acts import version_of
from ivrd.core.call import Call
from ivrd.core.call_book import CallBook
from ivrd.core.ids import LineName, QueueName, SystemName
from ivrd.core.live_view import (
    CallerView,
    MemberView,
    StaffViews,
    caller_view,
    is_waiting,
    standing_in,
)
from ivrd.core.staff import Condition

Books = Mapping[SystemName, CallBook]

CALLERS_PER_TURN = 250
"""Looked at between two looks at the loop's other tasks: 1 to 2 ms."""

TEXTS_KEPT_MAX = 10_000
"""Agents as last written, also of those who have gone: some 5 MB."""

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
        self._staff: dict[SystemName, StaffViews] = {}
        self._texts: dict[tuple[SystemName, str], tuple[Sequence[MemberView], str]] = {}
        """Each agent as last written, and of what: every screen shows the same."""

    def systems(self) -> list[SystemName]:
        """Return every PBX."""
        return list(self._books())

    def book(self, system: SystemName) -> CallBook | None:
        """Return one PBX's book; None when there is no such PBX."""
        return self._books().get(system)

    async def callers(
        self, sees: Callable[[QueueName, LineName | None], bool], *, limit: int
    ) -> "FoundCallers":
        """Return who waits now, of those that somebody may see, and at most so many.

        All are of the moment of the call; others get a turn while they are looked at.
        """
        books, now = self._books(), self._now()
        total, views = 0, []
        missing = unsynced(books)
        standing = list(_standing(books))
        for number, (queue, place, call) in enumerate(standing, start=1):
            if is_waiting(call) and sees(queue, call.line):
                total += 1
                if total <= limit:
                    views.append(caller_view(queue, place, call))
            if number % CALLERS_PER_TURN == 0:
                await asyncio.sleep(0)
        empty = CallerList(at=now, unsynced=missing, total=total, calls=[])
        return FoundCallers(empty=empty, views=views, now=now)

    def agents(self, sees: Callable[[Sequence[MemberView]], bool]) -> "FoundAgents":
        """Return every agent that somebody may see."""
        books = self._books()
        return FoundAgents(
            empty=AgentList(at=self._now(), unsynced=unsynced(books), agents=[]),
            views=[
                views
                for book in _synced(books)
                for views in self.agents_of(book).values()
                if sees(views)
            ],
        )

    def agents_of(self, book: CallBook) -> dict[str, list[MemberView]]:
        """Return what each agent is in each queue, by the member's name.

        One of whom nothing has changed has the very same views as the last time.
        """
        agents = self._staff.setdefault(book.system, StaffViews()).agents(book)
        if len(self._texts) > TEXTS_KEPT_MAX:
            self._texts.clear()
        return agents

    def agent_text(self, views: Sequence[MemberView]) -> str:
        """Return one agent as JSON; `views` are of the same agent, and at least one."""
        key = (views[0].system, views[0].agent)
        kept = self._texts.get(key)
        if kept is None or kept[0] != views:
            kept = self._texts[key] = (views, agent_status(views).model_dump_json())
        return kept[1]


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


def _standing(books: Books) -> Iterator[tuple[QueueName, int, Call]]:
    """Yield who stands in a line now, with the place there."""
    for book in _synced(books):
        for standing in standing_in(book):
            for place, call in enumerate(standing.calls, start=1):
                if call is not None:
                    yield standing.queue, place, call


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
