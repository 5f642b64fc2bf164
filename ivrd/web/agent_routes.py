"""What people do with agents, and with a caller's rank, over HTTP.

Here: routes, and who may. Not here: carrying out (agent_board.py).

Guides do to themselves what supervisors do to others: pause, end the pause, log out, and log in
where they were before. A supervisor of some lines acts on an agent only when every queue that is
touched serves these lines and no other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, Request, Response

from ivrd.access import Deed, Person
from ivrd.core.actors import Actor
from ivrd.core.agent_acts import AgentAct, AgentDeed
from ivrd.core.ids import QueueName
from ivrd.core.live_view import CallerView
from ivrd.core.switches import ActOutcome
from ivrd.web.act_forms import ActAnswer, AgentForm, AgentUndoForm, RankForm
from ivrd.web.acts import ACT_ERRORS, ActsAudit, allow, answer
from ivrd.web.guard import actor_of, known_person
from ivrd.web.problems import problem

Somebody = Annotated[Person, known_person()]


class AgentDone(Protocol):
    """What came of an act (agent_board.AgentResult)."""

    @property
    def outcome(self) -> ActOutcome: ...
    @property
    def text(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def is_unknown(self) -> bool: ...


class Agents(Protocol):
    """Where agents are acted on (agent_board.AgentBoard)."""

    def queues_of(self, agent: str) -> frozenset[QueueName]: ...
    def find_caller(self, call: str) -> CallerView | None: ...
    async def act(self, act: AgentAct, by: Actor, *, seen: str | None = None) -> AgentDone: ...
    async def undo(self, agent: str, by: Actor, *, seen: str | None = None) -> AgentDone: ...
    async def rank(self, call: str, by: Actor, *, is_urgent: bool, reason: str) -> AgentDone: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHands:
    """What can be done, and what it touches."""

    agents: Agents
    audit: ActsAudit
    queue_lines: Callable[[], Mapping[str, frozenset[str]]]

    def lines_of(self, queues: frozenset[QueueName]) -> frozenset[str]:
        """Return every line that these queues serve."""
        known = self.queue_lines()
        return frozenset[str]().union(*(known.get(queue, frozenset()) for queue in queues))


def agents_router(hands: AgentHands) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["agents"], responses=ACT_ERRORS)

    @router.post("/agents/pause", response_model=ActAnswer)
    async def pause(form: AgentForm, request: Request, person: Somebody) -> Response | ActAnswer:
        """Give an agent no calls until the pause ends."""
        return await _act(request, hands, person, AgentDeed.PAUSE, form)

    @router.post("/agents/unpause", response_model=ActAnswer)
    async def unpause(form: AgentForm, request: Request, person: Somebody) -> Response | ActAnswer:
        """Give an agent calls again."""
        return await _act(request, hands, person, AgentDeed.UNPAUSE, form)

    @router.post("/agents/log-in", response_model=ActAnswer)
    async def log_in(form: AgentForm, request: Request, person: Somebody) -> Response | ActAnswer:
        """Let an agent serve queues: those of before, or those named."""
        return await _act(request, hands, person, AgentDeed.LOG_IN, form)

    @router.post("/agents/log-out", response_model=ActAnswer)
    async def log_out(form: AgentForm, request: Request, person: Somebody) -> Response | ActAnswer:
        """Let an agent serve no queue, or not those named; a call that goes on is not ended."""
        return await _act(request, hands, person, AgentDeed.LOG_OUT, form)

    @router.post("/agents/undo", response_model=ActAnswer)
    async def undo(form: AgentUndoForm, request: Request, person: Somebody) -> Response | ActAnswer:
        """Bring back what was before the last act on an agent."""
        _allow(request, hands, person, form.agent, frozenset(), act="agent_undo", reason="")
        by = actor_of(request, person)
        return _told(await hands.agents.undo(form.agent, by, seen=form.seen))

    @router.post("/calls/rank", response_model=ActAnswer)
    async def rank(form: RankForm, request: Request, person: Somebody) -> Response | ActAnswer:
        """Let a caller go before all who are not urgent, or by arrival again."""
        view = hands.agents.find_caller(form.call)
        lines: frozenset[str] = frozenset()
        if view is not None:
            own = None if view.line is None else frozenset({str(view.line)})
            lines = own or hands.lines_of(frozenset({view.queue}))
        allow(
            request,
            person,
            Deed.RANK_CALLER,
            lines,
            audit=hands.audit,
            act="caller_first" if form.is_urgent else "caller_by_arrival",
            subject=f"call {form.call}",
            reason=form.reason,
        )
        by = actor_of(request, person)
        done = await hands.agents.rank(form.call, by, is_urgent=form.is_urgent, reason=form.reason)
        return _told(done)

    return router


async def _act(
    request: Request, hands: AgentHands, person: Person, deed: AgentDeed, form: AgentForm
) -> Response | ActAnswer:
    queues = frozenset(QueueName(name) for name in form.queues)
    _allow(request, hands, person, form.agent, queues, act=deed, reason=form.reason)
    act = AgentAct(deed=deed, agent=form.agent, queues=queues, reason=form.reason)
    return _told(await hands.agents.act(act, actor_of(request, person), seen=form.seen))


def _allow(
    request: Request,
    hands: AgentHands,
    person: Person,
    agent: str,
    queues: frozenset[QueueName],
    *,
    act: str,
    reason: str,
) -> None:
    """Refuse what somebody may not do with an agent.

    Raises:
        HTTPException: 403.
    """
    own_queues = hands.agents.queues_of(agent)
    # To oneself only where one is or was: nobody logs in to another group's queue by themselves.
    if (
        person.is_own(agent)
        and person.may(Deed.DIRECT_SELF)
        and own_queues
        and queues <= own_queues
    ):
        return
    allow(
        request,
        person,
        Deed.DIRECT_AGENT,
        hands.lines_of(queues or own_queues),
        audit=hands.audit,
        act=act,
        subject=f"agent {agent}",
        reason=reason,
    )


def _told(done: AgentDone) -> Response | ActAnswer:
    if done.is_unknown:
        return problem(HTTPStatus.NOT_FOUND, done.text)
    if done.outcome is ActOutcome.CONFLICT:
        return problem(HTTPStatus.CONFLICT, done.text, version=done.version)
    return answer(done.outcome, done.text, version=done.version)
