"""The application: /metrics, /healthz, /readyz, the way in, and the routers of the API.

Here: what belongs to every route. Not here: the server (server.py), what is looked at (looks.py)
and what is done (acts.py).

No page loads anything from elsewhere: FastAPI's own documentation pages fetch scripts from a
content network, so they are off; the OpenAPI document stays. Metrics, health and readiness are open
to whoever reaches the address; all else asks who it is (guard.py).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel

from ivrd import __version__
from ivrd.web import oidc, signing_in
from ivrd.web.body_limit import BodyLimit
from ivrd.web.guard import Guard
from ivrd.web.problems import add_problems

Readiness = Callable[[], Sequence[str]]
"""Returns a sentence for each thing that keeps us from working; empty when ready."""


Router = APIRouter
"""For whoever puts routes together and need not know of FastAPI."""


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
    registry: CollectorRegistry,
    readiness: Readiness,
    guard: Guard,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the web application.

    Args:
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
    app.add_middleware(BodyLimit)
    add_problems(app)
    app.state.provider = oidc.Provider()
    app.include_router(signing_in.router)
    app.include_router(oidc.router)
    _add_operations_pages(app, registry, readiness)
    for router in routers:
        app.include_router(router)
    return app


class _Taken(Collector):
    """Figures of one moment, which nobody changes any more."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: the registry then does not look at us twice."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def _add_operations_pages(app: FastAPI, registry: CollectorRegistry, readiness: Readiness) -> None:
    # Every route is `async`: FastAPI runs others in threads, and our figures belong to the loop's.
    @app.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return every metric in the form the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Figures are taken on the loop's thread, to which they belong; their text, which costs four
        # times as much, is written beside it: 200 queues are 17,000 lines.
        taken = CollectorRegistry()
        taken.register(_Taken(list(registry.collect())))
        text = await asyncio.to_thread(encode, taken)
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
