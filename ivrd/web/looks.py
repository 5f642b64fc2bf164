"""Everything that is only looked at: queues, lines, callers, agents, moves, decisions, cases.

Here: routes and the cut to what somebody may see. Not here: the shapes' contents (status.py,
lines.py, floor_people.py, decisions_now.py), acts (acts.py) and the stream (events.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, HTTPException, Path, Query, Response
from pydantic import BaseModel, Field

from ivrd.access import Deed, Person
from ivrd.core.ids import LineName, QueueName, SystemName
from ivrd.web.decisions_now import DecisionList, DecisionStatus
from ivrd.web.floor_people import AgentList, CallerList, PeopleBook
from ivrd.web.guard import person_with
from ivrd.web.lines import LineList, Lines
from ivrd.web.listing import answer, written_list
from ivrd.web.problems import told
from ivrd.web.status import QueueList, QueueStatus, StatusBook

NAME_CHARACTERS_MAX = 80
"""Asterisk's longest queue name (app_queue.c, AST_MAX_EXTENSION); longer is nobody's name."""

CALLERS_SHOWN_MAX = 5_000

DECISIONS_SHOWN_MAX = 500

NameInPath = Annotated[str, Path(max_length=NAME_CHARACTERS_MAX)]

SeesFloor = Annotated[Person, person_with(Deed.SEE_FLOOR)]
SeesCalls = Annotated[Person, person_with(Deed.SEE_CALLS)]
SeesAgents = Annotated[Person, person_with(Deed.SEE_AGENTS)]

READ_ERRORS = told(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
"""What every route that only shows something may answer with."""

QueueLines = Mapping[str, frozenset[str]]
"""Which lines' callers can come to each queue."""


class Decisions(Protocol):
    """Who knows what overflow decided lately, and about one call."""

    def latest(self) -> Sequence[DecisionStatus]:
        """Return the latest decisions since the start, newest first."""

    async def about(self, call: str) -> Sequence[DecisionStatus] | None:
        """Return what is stored about a call, oldest first; None when no call has that name.

        Raises:
            PeerError: The database does not answer.
        """


class CaseCount(BaseModel):
    """Cases of one queue."""

    system: str
    queue: str
    cases: int
    counted_since: datetime | None


class CaseCounts(BaseModel):
    """Cases opened by calls that were answered in each queue."""

    formula: str = "cases opened by calls answered in the queue, since counted_since"
    counts: list[CaseCount]


class MoveList(BaseModel):
    """Moves of callers since the start, newest first."""

    moves: list[DecisionStatus] = Field(description="What was asked, and what came of it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """What can be looked at."""

    statuses: StatusBook
    lines: Lines
    people: PeopleBook
    decisions: Decisions
    queue_lines: Callable[[], QueueLines]

    def sees_queue(self, person: Person, deed: Deed, queue: str) -> bool:
        """Return whether somebody sees what happens in a queue."""
        return person.sees(deed, self.queue_lines().get(queue, frozenset()))

    def queues_of(self, person: Person, deed: Deed) -> Callable[[str], bool]:
        """Return whether somebody sees what happens in each queue: asked once for each."""
        known = self.queue_lines()
        scope = person.scope(deed)
        if scope is None:
            return lambda queue: True
        return lambda queue: not scope.isdisjoint(known.get(queue, frozenset()))

    def callers_of(self, person: Person) -> Callable[[QueueName, LineName | None], bool]:
        """Return whether somebody sees callers: by the line, or else by the queue."""
        sees_queue, scope = self.queues_of(person, Deed.SEE_CALLS), person.scope(Deed.SEE_CALLS)

        def sees(queue: QueueName, line: LineName | None) -> bool:
            return sees_queue(queue) if line is None else scope is None or line in scope

        return sees


def looks_router(sights: Sights) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["status"], responses=READ_ERRORS)
    _add_floor(router, sights)
    _add_people(router, sights)
    _add_decisions(router, sights)
    return router


def _add_floor(router: APIRouter, sights: Sights) -> None:
    @router.get("/queues", response_model=QueueList)
    async def queues(person: SeesFloor) -> Response:
        """Return every queue."""
        sees = sights.queues_of(person, Deed.SEE_FLOOR)
        texts = (one.text for one in sights.statuses.texts() if sees(one.view.queue))
        return answer(QueueList(queues=[]), "queues", texts)

    @router.get("/queues/{system}/{queue}", responses=told(HTTPStatus.NOT_FOUND))
    async def queue(system: NameInPath, queue: NameInPath, person: SeesFloor) -> QueueStatus:
        """Return one queue."""
        status = sights.statuses.one(SystemName(system), QueueName(queue))
        if status is None or not sights.sees_queue(person, Deed.SEE_FLOOR, queue):
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such queue on such a system")
        return status

    @router.get("/lines")
    async def every_line(person: SeesFloor) -> LineList:
        """Return every line: open or closed now, why, until when."""
        return LineList(
            lines=[one for one in sights.lines() if person.sees(Deed.SEE_FLOOR, [one.line])]
        )

    @router.get("/cases/count")
    async def case_counts(person: SeesFloor) -> CaseCounts:
        """Return how many cases each queue's calls have opened."""
        sees = sights.queues_of(person, Deed.SEE_FLOOR)
        return CaseCounts(
            counts=[
                CaseCount(
                    system=view.system,
                    queue=view.queue,
                    cases=view.counts.cases,
                    counted_since=view.counted_since,
                )
                for view in sights.statuses.views()
                if sees(view.queue)
            ]
        )


def _add_people(router: APIRouter, sights: Sights) -> None:
    @router.get("/calls", response_model=CallerList)
    async def calls(
        person: SeesCalls, limit: Annotated[int, Query(ge=1, le=CALLERS_SHOWN_MAX)] = 500
    ) -> Response:
        """Return who waits, queue by queue, longest wait first; numbers are masked."""
        found = await sights.people.callers(sights.callers_of(person), limit=limit)
        return await written_list(found.empty, "calls", found.views, found.text)

    @router.get("/agents", response_model=AgentList)
    async def agents(person: SeesAgents) -> Response:
        """Return every agent who is logged in: in which queues, free, busy or paused, and why."""
        sees = sights.queues_of(person, Deed.SEE_AGENTS)
        found = sights.people.agents(lambda views: any(sees(view.queue) for view in views))
        return await written_list(found.empty, "agents", found.views, sights.people.agent_text)


def _add_decisions(router: APIRouter, sights: Sights) -> None:
    def seen(person: Person, decisions: Sequence[DecisionStatus]) -> list[DecisionStatus]:
        return [
            one
            for one in decisions
            if any(
                sights.sees_queue(person, Deed.SEE_CALLS, queue)
                for queue in (one.from_queue, one.to_queue)
            )
        ]

    @router.get("/moves")
    async def moves(
        person: SeesCalls, limit: Annotated[int, Query(ge=1, le=DECISIONS_SHOWN_MAX)] = 100
    ) -> MoveList:
        """Return moves of callers since the start: asked, landed, or why not."""
        found = [one for one in seen(person, sights.decisions.latest()) if one.call_id is not None]
        return MoveList(moves=found[:limit])

    @router.get("/decisions", responses=told(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
    async def decisions(
        person: SeesCalls,
        call: Annotated[
            str | None,
            Query(max_length=200, description="A call's id; none: the latest of all."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=DECISIONS_SHOWN_MAX)] = 100,
    ) -> DecisionList:
        """Return what overflow decided, by which figures: lately, or about one call."""
        if call is None:
            return DecisionList(decisions=seen(person, sights.decisions.latest())[:limit])
        found = await sights.decisions.about(call)
        if found is None:
            told_why = "nothing was decided about such a call, or the name fits several"
            raise HTTPException(HTTPStatus.NOT_FOUND, told_why)
        return DecisionList(decisions=seen(person, found)[:limit])
