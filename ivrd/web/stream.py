"""The route of server-sent events.

Here: one GET, and who may hold it open. Not here: what goes out (events.py).
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.sse import EventSourceResponse

from ivrd.access import Deed, Person
from ivrd.web.events import VIEWERS_MAX, EventStream
from ivrd.web.guard import guard_of, person_with
from ivrd.web.problems import told

DESCRIPTION = """Server-sent events.

First `clock`, the time, by which each state's `at` tells how old it is; `reset`, the last state of
each thing, and `present`; then changes as they happen: `queue`
(as /api/queues/{system}/{queue}), `line` (as in /api/lines), `agent` (as in /api/agents), `switch`
(as in /api/switches), `decision` (as in /api/decisions), `act` (as in /api/audit, to whoever may
see that), `gone` (a thing that is no more). With `Last-Event-ID`, only what came since. `heartbeat`
comes every ten seconds; `lagged` to a viewer who took nothing for long, `signed-out` to one who may
not see any more: then the stream ends."""


def stream_router(stream: EventStream) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api", tags=["status"])

    @router.get(
        "/events",
        description=DESCRIPTION,
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **told(
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        },
    )
    async def events(
        request: Request,
        person: Annotated[Person, person_with(Deed.SEE_FLOOR)],
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> EventSourceResponse:
        if not stream.has_room:
            stream.refused += 1
            told_why = f"{VIEWERS_MAX} watch already; try again later"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, told_why, {"Retry-After": "30"})
        look = guard_of(request).present(request, person)
        return EventSourceResponse(stream.watch(look, last_id=last_event_id))

    return router
