"""The API fuzzed from its own OpenAPI document, over real HTTP on the whole daemon.

Whatever is sent: no server error, no status, type or shape that the document does not name. It is
sent by an administrator, who gets furthest, and by somebody without a token.
"""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ivrd.db.migrate import migrate
from tests.integration.site import Town
from tests.integration.test_site import SIGNED

EXAMPLES = 8
"""For each operation: some 600 requests in all, within seconds. Longer by hand, when it is time."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

WAITING = ["/api/events", "/api/cases/news", "/readyz"]
"""The first two answer when something happens; the third says 503 as long as there is no PBX."""

WITHIN_S = 60.0


@pytest.fixture(scope="module")
def served() -> Iterator[SimpleNamespace]:
    """Serve the daemon's application from a thread, with one loop for all requests."""
    ready: Future[SimpleNamespace] = Future()

    async def live(directory: Path) -> None:
        limits = {"requests_per_minute": 100_000, "address_requests_per_minute": 100_000}
        town = Town(directory, **limits)
        await migrate(town.daemon._store.engine)
        town.fill()
        town.daemon._site._web = town.daemon._site._web.model_copy(update={"port": 0})
        serving = asyncio.create_task(town.daemon._site.serve())
        await town.daemon._site.is_open.wait()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        ready.set_result(
            SimpleNamespace(
                url=town.daemon._site.place,
                token=town.tokens["adam"],
                stop=lambda: loop.call_soon_threadsafe(stop.set),
            )
        )
        await stop.wait()
        serving.cancel()
        await asyncio.wait([serving])
        await town.daemon._store.close()

    with tempfile.TemporaryDirectory() as directory:
        thread = threading.Thread(target=lambda: asyncio.run(live(Path(directory))))
        thread.start()
        try:
            site = ready.result(WITHIN_S)
            yield site
        finally:
            if ready.done():
                site.stop()
            thread.join(WITHIN_S)


def test_nothing_sent_to_the_api_breaks_it(served: SimpleNamespace) -> None:
    document = httpx.get(f"{served.url}/openapi.json", timeout=WITHIN_S).json()
    schema = schemathesis.openapi.from_dict(document).exclude(path=WAITING)
    tried = 0
    for found in schema.get_all_operations():
        fuzz(found.ok(), served)
        tried += 1
    assert tried > 30


def fuzz(operation: Any, served: SimpleNamespace) -> None:
    """Send what the document allows to one route, and look at the answers."""
    headers = {"authorization": f"Bearer {served.token}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS)
        if case.path.startswith("/api/") and case.path not in SIGNED:
            answer = case.call(base_url=served.url, headers={"authorization": "Bearer nobody"})
            assert answer.status_code in (401, 413), (case.path, answer.status_code)

    send()
