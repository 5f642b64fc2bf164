"""The door of every route: tokens, cookies, other sites, limits."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from ivrd.access.book import AccessBook
from ivrd.access.sessions import Sessions
from ivrd.access.tokens import fingerprint, new_token
from ivrd.config import AccessConfig
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.metrics import Metrics
from ivrd.web.decisions_now import DecisionStatus
from ivrd.web.floor_people import PeopleBook
from ivrd.web.guard import COOKIE, Guard
from ivrd.web.looks import Sights, looks_router
from ivrd.web.pages import create_app
from ivrd.web.signing_in import own_path
from ivrd.web.status import StatusBook

TOKEN = new_token()
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OWN = {"origin": "http://ivrd.example"}


class NoFloor:
    def queues(self) -> list[QueueView]:
        return []

    def queue(self, system: SystemName, queue: QueueName) -> None:
        return None


class NoDecisions:
    def latest(self) -> list[DecisionStatus]:
        return []

    async def about(self, call: str) -> None:
        return None


def a_sight() -> Sights:
    return Sights(
        statuses=StatusBook(NoFloor(), now=lambda: AT, titles=[]),
        lines=list,
        people=PeopleBook(dict, now=lambda: AT),
        decisions=NoDecisions(),
        queue_lines=dict,
    )


class Site:
    """An application behind a guard, and its clock."""

    def __init__(self, **more: object) -> None:
        entry = {"name": "anna", "role": "viewer", "sha256": fingerprint(TOKEN)}
        section = AccessConfig.model_validate({"token": [entry], **more})
        self.now_s = 0.0
        book = AccessBook(section, zone="Europe/Stockholm", now=lambda: AT)
        self.guard = Guard(book, Sessions(b"k" * 32), now_s=lambda: self.now_s)
        self.app = create_app(
            metrics=Metrics(),
            readiness=list,
            guard=self.guard,
            routers=[looks_router(a_sight())],
        )
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://ivrd.example")

    async def status(self, path: str = "/api/lines", **headers: str) -> int:
        return (await self.client.get(path, headers=headers)).status_code

    async def sign_in(self, token: str = TOKEN, **more: str) -> httpx.Response:
        return await self.client.post("/login", data={"token": token, **more}, headers=OWN)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with site.client:
        yield site


async def test_health_and_metrics_are_open_and_figures_are_not(site: Site) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert await site.status(path) == 200
    for path in ("/api/lines", "/api/queues", "/api/queues/pbx1/kc"):
        answer = await site.client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["status"] == 401
    assert await site.status(authorization=f"Bearer {TOKEN}") == 200


async def test_a_wrong_token_is_refused_where_nobody_needs_one() -> None:
    site = Site(anonymous_role="viewer")
    async with site.client:
        assert await site.status() == 200
        assert await site.status(authorization=f"Bearer {TOKEN}x") == 401
        assert site.guard.refused[("unknown_token",)] == 1


async def test_a_browser_is_sent_to_sign_in_and_comes_back(site: Site) -> None:
    answer = await site.client.get("/api/lines", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/api/lines")
    page = await site.client.get(answer.headers["location"])
    assert 'value="/api/lines"' in page.text
    answer = await site.sign_in(next="/api/lines")
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/lines")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert await site.status() == 200
    answer = await site.client.post("/logout", headers=OWN)
    assert answer.headers["location"] == "/login"
    assert await site.status() == 401


async def test_behind_https_the_cookie_travels_by_nothing_else() -> None:
    site = Site(public_url="https://ivrd.kommunen.example")
    async with site.client:
        headers = {"origin": "https://ivrd.kommunen.example"}
        answer = await site.client.post("/login", data={"token": TOKEN}, headers=headers)
        assert "Secure" in answer.headers["set-cookie"]
        # What the Host header says does not count then.
        answer = await site.client.post("/login", data={"token": TOKEN}, headers=OWN)
        assert answer.status_code == 403


async def test_a_wrong_token_signs_nobody_in(site: Site) -> None:
    answer = await site.sign_in("ivrd_" + "x" * 43)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://ivrd.example"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_another_sites_page_can_do_nothing_with_the_cookie(
    site: Site, headers: dict[str, str]
) -> None:
    assert (await site.sign_in()).status_code == 303
    for path in ("/login", "/logout"):
        answer = await site.client.post(path, data={"token": TOKEN}, headers=headers)
        assert answer.status_code == 403
    assert await site.status() == 200


async def test_too_many_requests_are_told_when_to_come_again() -> None:
    site = Site(requests_per_minute=10)
    async with site.client:
        bearer = {"authorization": f"Bearer {TOKEN}"}
        assert [await site.status(**bearer) for _ in range(11)] == [200] * 10 + [429]
        answer = await site.client.get("/api/lines", headers=bearer)
        assert (answer.json()["status"], answer.headers["retry-after"]) == (429, "7")
        site.now_s += 7
        assert await site.status(**bearer) == 200
        assert await site.status("/healthz") == 200


async def test_guessing_tokens_is_slowed_down() -> None:
    site = Site(address_requests_per_minute=100)
    async with site.client:
        wrong = f"Bearer ivrd_{'x' * 43}"
        statuses = [await site.status(authorization=wrong) for _ in range(10)]
        assert statuses == [401] * 5 + [429] * 5
        assert (await site.sign_in()).status_code == 429
        site.now_s += 60
        assert (await site.sign_in()).status_code == 303


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/board?wall=1", "/board?wall=1"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_elsewhere(text: str, path: str) -> None:
    assert own_path(text) == path


async def test_openapi_knows_the_tokens_and_the_errors(site: Site) -> None:
    document = (await site.client.get("/openapi.json")).json()
    assert {"HTTPBearer", "APIKeyCookie"} <= set(document["components"]["securitySchemes"])
    route = document["paths"]["/api/lines"]["get"]
    assert {"401", "403", "429"} <= set(route["responses"])
    assert list(route["responses"]["401"]["content"]) == ["application/problem+json"]
    assert "Problem" in document["components"]["schemas"]
