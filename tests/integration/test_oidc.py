"""Signing in by OpenID Connect against a provider over real HTTP: what is believed, what not."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from ivrd.access import Role
from ivrd.access.sessions import Sessions
from ivrd.config import AccessConfig
from ivrd.web import oidc
from ivrd.web.guard import COOKIE
from tests.integration.provider import CLIENT, SECRET, Provider, running
from tests.unit.web.test_guard import Site

URL = "http://ivrd.example"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running() as provider:
        yield provider


@pytest.fixture
async def site(provider: Provider) -> AsyncIterator[Site]:
    site = Site(public_url=URL, oidc=section(provider))
    with_secret(site)
    async with site.client:
        yield site


def section(provider: Provider, **more: object) -> dict[str, Any]:
    return {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret_file": "oidc-secret",
        "agent_claim": "telephone",
        "roles": [
            {"value": "kc-guide", "role": "guide"},
            {"value": "kc-ledare", "role": "supervisor", "lines": ["kommunen"]},
        ],
        **more,
    }


def with_secret(site: Site) -> None:
    config: AccessConfig = site.guard.book.config
    assert config.oidc is not None
    oidc = config.oidc.model_copy(update={"client_secret": type(config.oidc.client_secret)(SECRET)})
    changed = config.model_copy(update={"oidc": oidc})
    site.guard.book.change(changed, zone="Europe/Stockholm")


async def to_provider(site: Site, where: str = "/api/lines") -> httpx.Response:
    """Let the browser go to the provider, and return where it is sent from there."""
    begun = await site.client.get(f"/login/oidc?next={where}")
    assert begun.status_code == 303, begun.text
    assert "HttpOnly" in begun.headers["set-cookie"]
    async with httpx.AsyncClient(timeout=60.0) as browser:
        return await browser.get(begun.headers["location"])


async def sign_in(site: Site) -> httpx.Response:
    answer = await to_provider(site)
    return await site.client.get(answer.headers["location"])


async def test_a_person_is_signed_in_with_the_roles_of_the_claim(
    site: Site, provider: Provider
) -> None:
    assert (await site.client.get("/api/lines")).status_code == 401
    provider.claims["telephone"] = "PJSIP/bo"
    done = await sign_in(site)
    assert (done.status_code, done.headers["location"]) == (303, "/api/lines")
    assert (await site.client.get("/api/lines")).status_code == 200
    sessions: Sessions = site.guard.sessions
    session = sessions.read(site.client.cookies[COOKIE], within_s=60)
    assert session is not None
    person = site.guard.book.by_session(session)
    assert person is not None
    assert (person.name, person.roles, person.agent) == ("bo", {Role.SUPERVISOR}, "PJSIP/bo")
    assert person.grants[0].lines == {"kommunen"}


@pytest.mark.parametrize(
    ("overrides", "status"),
    [
        ({"aud": "somebody-else"}, 503),
        ({"iss": "https://elsewhere.example"}, 503),
        ({"nonce": "another"}, 503),
        ({"exp": int(time.time()) - 3600}, 503),
        ({"azp": "somebody-else"}, 503),
        ({"preferred_username": ""}, 503),
        ({"preferred_username": "anonymous"}, 503),
        ({"preferred_username": 7}, 503),
        ({"roles": []}, 403),
        ({"roles": "stadshuset"}, 403),
        ({"roles": ["kc-guide", "x"]}, 303),
    ],
)
async def test_what_is_not_for_us_and_now_signs_nobody_in(
    site: Site, provider: Provider, overrides: dict[str, Any], status: int
) -> None:
    provider.overrides = overrides
    done = await sign_in(site)
    assert done.status_code == status
    assert (COOKIE in site.client.cookies) == (status == 303)
    if status != 303:
        assert 'role="alert"' in done.text


async def test_another_key_is_not_believed_and_a_new_one_is(site: Site, provider: Provider) -> None:
    assert (await sign_in(site)).status_code == 303
    site.client.cookies.clear()
    forged = RSAKey.generate_key(2048, {"kid": "one"})
    ours, provider.key = provider.key, forged
    assert (await sign_in(site)).status_code == 503
    provider.key = provider.published = RSAKey.generate_key(2048, {"kid": "two"})
    assert (await sign_in(site)).status_code == 303
    assert ours is not provider.key


async def test_state_and_cookie_belong_together(site: Site) -> None:
    answer = await to_provider(site)
    back = answer.headers["location"]
    site.client.cookies.clear()
    assert (await site.client.get(back)).status_code == 400
    await to_provider(site)
    # With the cookie of another sign-in it is another browser's state.
    assert (await site.client.get(back)).status_code == 400
    assert (await site.client.get("/login/oidc/done?state=x&code=y")).status_code == 400
    assert COOKIE not in site.client.cookies


async def test_a_code_counts_once_and_a_refusal_is_said(site: Site, provider: Provider) -> None:
    answer = await to_provider(site)
    provider.codes.clear()
    assert (await site.client.get(answer.headers["location"])).status_code == 503
    answer = await to_provider(site)
    back = answer.headers["location"].replace("code=", "error=access_denied&was=")
    assert (await site.client.get(back)).status_code == 401


async def test_a_provider_that_is_away_costs_a_sign_in_and_nothing_else() -> None:
    async with running() as provider:
        settings = section(provider)
    site = Site(public_url=URL, oidc=settings)
    with_secret(site)
    async with site.client:
        answer = await site.client.get("/login/oidc")
        assert (answer.status_code, "svarar inte" in answer.text) == (503, True)
        assert "Logga in med kommunens konto" in answer.text
        assert await site.status("/healthz") == 200


async def test_a_document_of_another_issuer_is_refused(provider: Provider) -> None:
    settings = section(provider, issuer=provider.issuer)
    site = Site(public_url=URL, oidc=settings)
    with_secret(site)
    provider.issuer = "http://127.0.0.1:1"
    async with site.client:
        assert (await site.client.get("/login/oidc")).status_code == 503


async def test_an_answer_without_end_is_not_read_to_its_end(site: Site, provider: Provider) -> None:
    provider.blanks, provider.parts = b" " * 65_536, 1_000
    answer = await site.client.get("/login/oidc")
    assert (answer.status_code, "svarar inte" in answer.text) == (503, True)
    # The system's own buffers take some megabytes that nobody reads.
    assert provider.parts_sent < provider.parts
    provider.parts = 0
    assert (await sign_in(site)).status_code == 303


async def test_a_provider_that_drips_is_not_waited_for(
    site: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "PROVIDER_S_MAX", 0.3)
    # Each part in good time, and all of them not.
    provider.blanks, provider.parts, provider.part_s = b" ", 40, 0.02
    assert (await site.client.get("/login/oidc")).status_code == 503
    assert provider.parts_sent < provider.parts
