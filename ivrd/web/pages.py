"""The pages: /metrics, /healthz, /readyz and the JSON API.

Here: routes and their answers. Not here: the server (server.py) and the figures (status.py).

No page loads anything from elsewhere: FastAPI's own documentation pages fetch scripts from a
content network, so they are off; the OpenAPI document stays. Metrics, health and readiness are open
to whoever reaches the address; all else asks who it is (guard.py).
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Path, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel

from ivrd import __version__
from ivrd.access import Deed, Person
from ivrd.core.ids import QueueName, SystemName
from ivrd.web import signing_in
from ivrd.web.guard import Guard, person_with
from ivrd.web.lines import LineList, Lines
from ivrd.web.problems import add_problems, told
from ivrd.web.status import QueueList, QueueStatus, StatusBook

NAME_CHARACTERS_MAX = 80
"""Asterisk's longest queue name (app_queue.c, AST_MAX_EXTENSION); longer is nobody's name."""

NameInPath = Annotated[str, Path(max_length=NAME_CHARACTERS_MAX)]

Sees = Annotated[Person, person_with(Deed.SEE_FLOOR)]

READ_ERRORS = told(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
"""What every route that only shows something may answer with."""

Readiness = Callable[[], Sequence[str]]
"""Returns a sentence for each thing that keeps us from working; empty when ready."""


class Health(BaseModel):
    """The process is alive and its event loop turns, or there would be no answer."""

    status: str
    version: str


class Ready(BaseModel):
    """Whether we can do our work now."""

    is_ready: bool
    reasons: list[str]


def create_app(
    *,
    statuses: StatusBook,
    lines: Lines,
    registry: CollectorRegistry,
    readiness: Readiness,
    guard: Guard,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the web application.

    Args:
        statuses: What is told of queues.
        lines: What is told of lines.
        registry: The metrics to show.
        readiness: See `Readiness`; called for each /readyz.
        guard: Says who asks, and whether they may.
        routers: Further routes, each with its own check.
    """
    app = FastAPI(
        title="ivrd",
        version=__version__,
        description="Queue figures and health beside an Asterisk PBX.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.guard = guard
    add_problems(app)
    app.include_router(signing_in.router)
    _add_operations_pages(app, registry, readiness)
    _add_queue_pages(app, statuses)
    _add_line_pages(app, lines)
    for router in routers:
        app.include_router(router)
    return app


def _add_operations_pages(app: FastAPI, registry: CollectorRegistry, readiness: Readiness) -> None:
    # Every route is `async`: FastAPI runs others in threads, and our figures belong to the loop's.
    @app.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return every metric in the form the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    @app.get("/healthz")
    async def healthz() -> Health:
        """Return 200 while the process lives."""
        return Health(status="ok", version=__version__)

    @app.get("/readyz", responses={503: {"model": Ready}})
    async def readyz(response: Response) -> Ready:
        """Return 200 when all that we need is there, else 503 with the reasons."""
        reasons = list(readiness())
        if reasons:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Ready(is_ready=not reasons, reasons=reasons)


def _add_queue_pages(app: FastAPI, statuses: StatusBook) -> None:
    @app.get("/api/queues", responses=READ_ERRORS)
    async def queues(_person: Sees) -> QueueList:
        """Return every queue."""
        return QueueList(queues=statuses.every())

    @app.get("/api/queues/{system}/{queue}", responses=READ_ERRORS | told(HTTPStatus.NOT_FOUND))
    async def queue(system: NameInPath, queue: NameInPath, _person: Sees) -> QueueStatus:
        """Return one queue."""
        status = statuses.one(SystemName(system), QueueName(queue))
        if status is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such queue on such a system")
        return status


def _add_line_pages(app: FastAPI, lines: Lines) -> None:
    @app.get("/api/lines", responses=READ_ERRORS)
    async def every_line(_person: Sees) -> LineList:
        """Return every line: open or closed now, why, until when."""
        return LineList(lines=list(lines()))
