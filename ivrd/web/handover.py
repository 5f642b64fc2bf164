"""Case systems over HTTP: statuses that they send, and for people the messages that wait.

Here: routes. Not here: what a status makes of a case (ivrd/handover), and SQL (db/).

A case system has no token: its signature says who it is. Messages belong to no line, so only
somebody whose rights hold for every line may see, resend or drop them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field

from ivrd.access import Deed, Person
from ivrd.core.actors import Actor
from ivrd.core.case_messages import OPEN_STATES, MessageState, StatusFault, StatusFaultKind
from ivrd.core.switches import REASON_CHARACTERS_MAX
from ivrd.web.acts import ActsAudit, allow
from ivrd.web.guard import actor_of, guard_of, known_person, person_with, require
from ivrd.web.problems import told

NAME_CHARACTERS_MAX = 64

NUMBER_MAX = 2**63 - 1

PAGE_MAX = 200

STATUS_OF = {
    StatusFaultKind.UNKNOWN: HTTPStatus.NOT_FOUND,
    StatusFaultKind.UNSIGNED: HTTPStatus.UNAUTHORIZED,
    StatusFaultKind.MISUNDERSTOOD: HTTPStatus.UNPROCESSABLE_ENTITY,
}

PERSON_ERRORS = told(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)

DestinationName = Annotated[str, Path(max_length=NAME_CHARACTERS_MAX)]
Number = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
Sees = Annotated[Person, person_with(Deed.SEE_CASES)]
Somebody = Annotated[Person, known_person()]
"""Whoever has a token; the right is asked for where a refusal is told to the audit."""


class TakesStatuses(Protocol):
    """Takes what case systems say (handover.statuses.Statuses)."""

    async def take(
        self, destination: str, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> StatusFault | None:
        """Return why it was not taken; None when it was."""


class Desk(Protocol):
    """The messages, for people (db.case_message_desk.MessageDesk)."""

    async def messages(
        self,
        *,
        states: Sequence[MessageState],
        destination: str | None,
        case_id: int | None,
        limit: int,
    ) -> Sequence[object]:
        """Return lines with the fields of `MessageTold`."""

    async def resend(
        self, message_ids: Sequence[int], by: Actor, *, at: datetime, reason: str
    ) -> Sequence[int]:
        """Return those that are sent anew."""

    async def drop(
        self, message_ids: Sequence[int], by: Actor, *, at: datetime, reason: str
    ) -> Sequence[int]:
        """Return those that are dropped."""


class MessageTold(BaseModel, from_attributes=True):
    """One message about one case."""

    message_id: int
    case_id: int
    version: int = Field(description="Of the case; messages of a case are sent in its order.")
    destination: str
    kind: str = Field(description="Such as handed_over.")
    key: str = Field(description="The same however often it is sent.")
    state: MessageState
    created_at: datetime
    attempts: int
    next_try_at: datetime
    last_error: str | None
    sent_at: datetime | None
    external_id: str | None = Field(description="What the case system calls the case.")
    settled_why: str | None = Field(description="Why a person dropped it.")


class MessageList(BaseModel):
    """Messages in the order in which they were written."""

    messages: list[MessageTold]


class StatusSaid(BaseModel):
    """What a case system says of a case; a CloudEvent may carry it as its data."""

    case: int | str = Field(description="Our case_id, or key.")
    status: str = Field(description="One line, in their words; shown to the guide.")
    is_closed: bool = Field(default=False, description="True closes the case.")
    external_id: str | None = Field(default=None, description="What they call the case.")
    at: datetime | None = Field(
        default=None,
        description="When it came to be, with its offset; one that is older than the last is not "
        "taken. A CloudEvent says it as `time`. Without it, the last to come counts.",
    )


class Why(BaseModel, extra="forbid"):
    """Why somebody acts."""

    reason: str = Field(default="", max_length=REASON_CHARACTERS_MAX)


class WhyDropped(BaseModel, extra="forbid"):
    """Why a case system is not to hear of it."""

    reason: str = Field(min_length=1, max_length=REASON_CHARACTERS_MAX)


def handover_router(statuses: TakesStatuses, desk: Desk, audit: ActsAudit) -> APIRouter:
    """Return the routes.

    Args:
        statuses: Takes what case systems say.
        desk: Holds the messages, and keeps who acted on them.
        audit: Told of those who may not.
    """
    router = APIRouter(prefix="/api/handover", tags=["handover"])
    _add_statuses(router, statuses)
    _add_list(router, desk)
    _add_acts(router, desk, audit)
    return router


def _add_statuses(router: APIRouter, statuses: TakesStatuses) -> None:
    more = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS)
    errors = told(*STATUS_OF.values(), *more)
    # The body is read as it came, for its signature; so FastAPI knows nothing of its form.
    schema = StatusSaid.model_json_schema()
    said = {"required": True, "content": {"application/json": {"schema": schema}}}

    @router.post(
        "/{destination}/status",
        status_code=HTTPStatus.NO_CONTENT,
        responses=errors,
        openapi_extra={"requestBody": said},
    )
    async def status(destination: DestinationName, request: Request) -> Response:
        """Take what a case system says of a case; signed, see docs/handover.md."""
        guard_of(request).count_request(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.body()
        fault = await statuses.take(destination, headers, body, now=datetime.now(UTC))
        if fault is not None:
            if fault.kind is StatusFaultKind.UNSIGNED:
                guard_of(request).count_wrong(request)
            raise HTTPException(STATUS_OF[fault.kind], fault.because)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_list(router: APIRouter, desk: Desk) -> None:
    @router.get("/messages", responses=PERSON_ERRORS)
    async def messages(
        request: Request,
        person: Sees,
        *,
        state: Annotated[list[MessageState] | None, Query(max_length=len(MessageState))] = None,
        destination: Annotated[str | None, Query(max_length=NAME_CHARACTERS_MAX)] = None,
        case_id: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
    ) -> MessageList:
        """Return messages to case systems: those that wait or are dead, unless `state` says."""
        require(request, person, Deed.SEE_CASES, ())
        found = await desk.messages(
            states=state or OPEN_STATES, destination=destination, case_id=case_id, limit=limit
        )
        return MessageList(messages=[MessageTold.model_validate(one) for one in found])


def _add_acts(router: APIRouter, desk: Desk, audit: ActsAudit) -> None:
    errors = PERSON_ERRORS | told(HTTPStatus.CONFLICT)

    def allowed(request: Request, person: Person, act: str, number: int, reason: str) -> Actor:
        allow(
            request,
            person,
            Deed.CHANGE_CASES,
            (),
            audit=audit,
            act=f"handover_{act}",
            subject=f"case message {number}",
            reason=reason,
        )
        return actor_of(request, person)

    @router.post("/messages/{number}/resend", status_code=HTTPStatus.NO_CONTENT, responses=errors)
    async def resend(number: Number, why: Why, request: Request, person: Somebody) -> Response:
        """Let a message be sent again as soon as its turn comes, with the same key."""
        by = allowed(request, person, "resend", number, why.reason)
        done = await desk.resend([number], by, at=datetime.now(UTC), reason=why.reason)
        return _done(done, "it was sent already, or is not there")

    @router.post("/messages/{number}/drop", status_code=HTTPStatus.NO_CONTENT, responses=errors)
    async def drop(number: Number, why: WhyDropped, request: Request, person: Somebody) -> Response:
        """Let a message never be sent; the later ones of its case then go on."""
        by = allowed(request, person, "drop", number, why.reason)
        done = await desk.drop([number], by, at=datetime.now(UTC), reason=why.reason)
        return _done(done, "it neither waits nor is dead")


def _done(done: Sequence[int], otherwise: str) -> Response:
    if not done:
        raise HTTPException(HTTPStatus.CONFLICT, otherwise)
    return Response(status_code=HTTPStatus.NO_CONTENT)
