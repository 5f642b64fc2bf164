"""The application: /metrics, /healthz, /readyz, the way in, and the routers of the API.

Here: what belongs to every route. Not here: the server (server.py), what is looked at (looks.py)
and what is done (acts.py).

No page loads anything from elsewhere: FastAPI's own documentation pages fetch scripts from a
content network, so they are off; the OpenAPI document stays. Metrics, health and readiness are open
to whoever reaches the address; all else asks who it is (guard.py).
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel

from ivrd import __version__
from ivrd.metric_text import Form, Taken, form_of
from ivrd.web import oidc, signing_in
from ivrd.web.body_limit import BodyLimit
from ivrd.web.guard import Guard
from ivrd.web.problems import add_problems

LABEL_SETS_PER_TURN = 200
"""Of a scrape, written between two looks at the loop's other tasks: some 3 ms."""

Readiness = Callable[[], Sequence[str]]
"""Returns a sentence for each thing that keeps us from working; empty when ready."""


Router = APIRouter
"""For whoever puts routes together and need not know of FastAPI."""


class Scraped(Protocol):
    """What is shown to scrapers (metrics.Metrics)."""

    registry: CollectorRegistry

    def freshen(self, most: int) -> bool: ...
    def text(self, form: Form) -> bytes: ...


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
    metrics: Scraped,
    readiness: Readiness,
    guard: Guard,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the web application.

    Args:
        metrics: What /metrics shows.
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
    app.add_middleware(BodyLimit)
    add_problems(app)
    app.state.provider = oidc.Provider()
    app.include_router(signing_in.router)
    app.include_router(oidc.router)
    _add_operations_pages(app, metrics, readiness)
    for router in routers:
        app.include_router(router)
    return app


def _add_operations_pages(app: FastAPI, metrics: Scraped, readiness: Readiness) -> None:
    # Every route is `async`: FastAPI runs others in threads, and our figures belong to the loop's.
    @app.get("/metrics", response_class=Response)
    async def scrape(request: Request) -> Response:
        """Return every metric in the form the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        form = form_of(content_type)
        if form is None:
            text = await asyncio.to_thread(encode, Taken(list(metrics.registry.collect())))
        else:
            # At first all is to be written; then others get a turn in between. The rest is of one
            # moment, so that figures of a scrape fit each other.
            while metrics.freshen(LABEL_SETS_PER_TURN):  # noqa: ASYNC110 - nobody would tell us.
                await asyncio.sleep(0)
            text = metrics.text(form)
        return Response(text, headers={"content-type": content_type})

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
