"""The pages: /metrics, /healthz, /readyz and the JSON API.

Here: routes and their answers. Not here: the server (server.py) and the figures (status.py).

No page loads anything from elsewhere: FastAPI's own documentation pages fetch scripts from a
content network, so they are off; the OpenAPI document stays. Errors are JSON problems (RFC 9457).
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, HTTPException, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from ivrd import __version__
from ivrd.core.ids import QueueName, SystemName
from ivrd.web.lines import LineList, Lines
from ivrd.web.status import QueueList, QueueStatus, StatusBook

NAME_CHARACTERS_MAX = 80
"""Asterisk's longest queue name (app_queue.c, AST_MAX_EXTENSION); longer is nobody's name."""

NameInPath = Annotated[str, Path(max_length=NAME_CHARACTERS_MAX)]

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


class ProblemResponse(JSONResponse):
    """An error as RFC 9457 has it."""

    media_type = "application/problem+json"


def create_app(
    *,
    statuses: StatusBook,
    lines: Lines,
    registry: CollectorRegistry,
    readiness: Readiness,
) -> FastAPI:
    """Return the web application.

    Args:
        statuses: What is told of queues.
        lines: What is told of lines.
        registry: The metrics to show.
        readiness: See `Readiness`; called for each /readyz.
    """
    app = FastAPI(
        title="ivrd",
        version=__version__,
        description="Queue figures and health beside an Asterisk PBX.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_exception_handler(StarletteHTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    _add_operations_pages(app, registry, readiness)
    _add_queue_pages(app, statuses)
    _add_line_pages(app, lines)
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
    @app.get("/api/queues")
    async def queues() -> QueueList:
        """Return every queue."""
        return QueueList(queues=statuses.every())

    @app.get("/api/queues/{system}/{queue}")
    async def queue(system: NameInPath, queue: NameInPath) -> QueueStatus:
        """Return one queue."""
        status = statuses.one(SystemName(system), QueueName(queue))
        if status is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such queue on such a system")
        return status


def _add_line_pages(app: FastAPI, lines: Lines) -> None:
    @app.get("/api/lines")
    async def every_line() -> LineList:
        """Return every line: open or closed now, why, until when."""
        return LineList(lines=list(lines()))


async def _http_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, StarletteHTTPException):
        raise error
    return _problem(error.status_code, str(error.detail), error.headers)


async def _validation_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    )
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, faults, None)


def _problem(status: int, detail: str, headers: Mapping[str, str] | None) -> Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    return ProblemResponse(body, status_code=status, headers=headers)
