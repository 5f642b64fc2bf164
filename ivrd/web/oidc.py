"""Signing in by the municipality's own OpenID Connect: code flow with PKCE, state and nonce.

Here: the provider's documents, the two routes, and the checks of the id token. Not here: what a
person may do (access/), and the cookie of a session (signing_in.py).

Rules
    1. What must come back unchanged (state, nonce, verifier, where to go) is in a signed cookie of
       this browser only, worth nothing elsewhere and gone after SIGN_IN_S_MAX.
    2. The id token is believed when the provider's keys signed it by an asymmetric algorithm, for
       us, from that issuer, now, with our nonce. Its claims decide; no other document is asked.
    3. A provider that is away, slow or wrong costs a sign-in and nothing else: 503 with a sentence.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlencode

import httpx
import structlog
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.discovery import OpenIDProviderMetadata
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from ivrd.access.book import ANONYMOUS_NAME
from ivrd.access.sessions import OidcSession
from ivrd.config import OidcConfig
from ivrd.web.guard import Guard, guard_of
from ivrd.web.signing_in import (
    AWAY,
    HOME,
    NO_ROLE,
    NOT_CONFIGURED,
    REFUSED,
    TOO_LATE,
    is_secure,
    own_path,
    sign_in_page,
    signed_in,
)

NOTE_COOKIE = "ivrd_sign_in"

DONE_PATH = "/login/oidc/done"

SIGN_IN_S_MAX = 600
"""Time to type a password, and to find the telephone with the second factor."""

PROVIDER_S_MAX = 10.0
"""For all that one request of a browser asks of the provider, however many documents that is: one
that drips would else be waited for as long as it pleases."""

DOCUMENTS_S_MAX = 3600.0
"""The provider's documents are read anew after this, and its keys when one is not known."""

DOCUMENT_BYTES_MAX = 500_000
"""Of a document; of a longer one the rest is not read."""

CLOCK_SLACK_S = 60
"""Our clock and the provider's may differ by so much."""

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Asymmetric only: with a shared secret, whoever has it could make tokens."""

NAME_CHARACTERS_MAX = 60

log: structlog.stdlib.BoundLogger = structlog.get_logger()

router = APIRouter(include_in_schema=False)


class ProviderFault(Exception):
    """The provider is away, or says what cannot be."""


@dataclass(slots=True)
class _Documents:
    issuer: str
    metadata: Mapping[str, object]
    keys: KeySet
    read_at: float


class Provider:
    """The provider's documents, kept for a while. One for an application."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._documents: _Documents | None = None

    async def documents(self, config: OidcConfig, *, is_fresh: bool = False) -> _Documents:
        """Return discovery document and keys.

        Raises:
            ProviderFault: They cannot be had, or are of somebody else.
        """
        known = self._documents
        now = time.monotonic()
        is_known = known is not None and known.issuer == config.issuer
        is_good = is_known and not is_fresh
        if known is not None and is_good and now - known.read_at < DOCUMENTS_S_MAX:
            return known
        async with _client() as client:
            place = f"{config.issuer}/.well-known/openid-configuration"
            metadata = await _document(client, place)
            _check_metadata(config, metadata)
            keys = await _document(client, endpoint(metadata, "jwks_uri"))
        try:
            key_set = KeySet.import_key_set(keys)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderFault(f"its keys cannot be read: {error}") from error
        self._documents = _Documents(config.issuer, metadata, key_set, now)
        return self._documents

    async def exchange(self, config: OidcConfig, *, code: str, verifier: str, redirect: str) -> str:
        """Return the id token that a code is good for.

        Raises:
            ProviderFault: The provider does not give one.
        """
        documents = await self.documents(config)
        # RFC 6749, 2.3.1: both halves are form-encoded before they become Basic.
        name = quote(config.client_id, safe="")
        secret = quote(config.client_secret.get_secret_value(), safe="")
        async with _client(auth=httpx.BasicAuth(name, secret)) as client:
            answer = await _document(
                client,
                endpoint(documents.metadata, "token_endpoint"),
                form={
                    "grant_type": "authorization_code",
                    "code": code,
                    "code_verifier": verifier,
                    "redirect_uri": redirect,
                },
            )
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFault("its answer holds no id token")
        return token

    async def claims(self, config: OidcConfig, token: str, *, nonce: str) -> Mapping[str, object]:
        """Return what an id token says, once it is believed.

        Raises:
            ProviderFault: It is not.
        """
        documents = await self.documents(config)
        try:
            decoded = jwt.decode(token, documents.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # Perhaps the keys are new: once more with what is valid now.
            documents = await self.documents(config, is_fresh=True)
            try:
                decoded = jwt.decode(token, documents.keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError) as error:
                raise ProviderFault(f"its id token is not signed by it: {error}") from error
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SLACK_S,
            sub={"essential": True},
            iss={"essential": True, "value": str(documents.metadata["issuer"])},
            aud={"essential": True, "value": config.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            registry.validate(decoded.claims)
        except JoseError as error:
            raise ProviderFault(f"its id token is not for us, or not for now: {error}") from error
        party = decoded.claims.get("azp", config.client_id)
        if party != config.client_id:
            raise ProviderFault("its id token was made for another party")
        return dict(decoded.claims)


def endpoint(metadata: Mapping[str, object], name: str) -> str:
    """Return an address of the discovery document.

    Raises:
        ProviderFault: There is none.
    """
    place = metadata.get(name)
    if not isinstance(place, str):
        raise ProviderFault(f"its discovery document holds no {name}")
    return place


@router.get("/login/oidc")
async def begin(request: Request, next: str = HOME) -> Response:
    """Send the browser to the provider."""
    guard = guard_of(request)
    guard.count_request(request)
    config = guard.book.config.oidc
    if config is None:
        return sign_in_page(guard, own_path(next), NOT_CONFIGURED, HTTPStatus.NOT_FOUND)
    try:
        async with _in_time():
            documents = await _provider(request).documents(config)
        place = endpoint(documents.metadata, "authorization_endpoint")
    except ProviderFault as error:
        return _away(guard, error)
    note = {
        "state": secrets.token_urlsafe(24),
        "nonce": secrets.token_urlsafe(24),
        "verifier": secrets.token_urlsafe(48),
        "next": own_path(next),
    }
    query = {
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": _redirect_uri(guard),
        "scope": " ".join(config.scopes),
        "state": note["state"],
        "nonce": note["nonce"],
        "code_challenge": create_s256_code_challenge(note["verifier"]),
        "code_challenge_method": "S256",
    }
    sign = "&" if "?" in place else "?"
    answer = RedirectResponse(f"{place}{sign}{urlencode(query)}", HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        NOTE_COOKIE,
        guard.sessions.note(note),
        max_age=SIGN_IN_S_MAX,
        path="/login",
        secure=is_secure(guard),
        httponly=True,
        samesite="lax",
    )
    return answer


@router.get(DONE_PATH)
async def done(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Take the browser back from the provider."""
    guard = guard_of(request)
    guard.count_request(request)
    config = guard.book.config.oidc
    text = request.cookies.get(NOTE_COOKIE, "")
    note = guard.sessions.read_note(text, within_s=SIGN_IN_S_MAX)
    if (
        config is None
        or note is None
        or not secrets.compare_digest(state.encode(), note["state"].encode())
    ):
        return sign_in_page(guard, HOME, TOO_LATE, HTTPStatus.BAD_REQUEST)
    if error or not code:
        log.warning("sign_in_refused", reason=error[:60] or "no code")
        return sign_in_page(guard, note["next"], REFUSED, HTTPStatus.UNAUTHORIZED)
    provider = _provider(request)
    try:
        async with _in_time():
            token = await provider.exchange(
                config, code=code, verifier=note["verifier"], redirect=_redirect_uri(guard)
            )
            claims = await provider.claims(config, token, nonce=note["nonce"])
        session = session_of(config, claims, guard)
    except ProviderFault as fault:
        return _away(guard, fault)
    if guard.book.by_session(session) is None:
        log.warning("sign_in_without_role", who=session.name)
        return sign_in_page(guard, note["next"], NO_ROLE, HTTPStatus.FORBIDDEN)
    log.info("signed_in", who=session.name, roles=session.values)
    answer = signed_in(guard, session, note["next"])
    answer.delete_cookie(NOTE_COOKIE, path="/login")
    return answer


def session_of(config: OidcConfig, claims: Mapping[str, object], guard: Guard) -> OidcSession:
    """Return who signed in, by the claims of an id token that is believed.

    Raises:
        ProviderFault: The name that stands there is none.
    """
    name = claim(claims, config.name_claim)
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise ProviderFault(f"its id token has no name in {config.name_claim}")
    if not name.isprintable() or name == ANONYMOUS_NAME:
        raise ProviderFault(f"its id token has no name for a person in {config.name_claim}")
    roles = claim(claims, config.role_claim)
    values = roles if isinstance(roles, list) else [roles]
    agent = None if config.agent_claim is None else claim(claims, config.agent_claim)
    return OidcSession(
        name=name,
        values=guard.book.known_values(str(value) for value in values),
        agent=agent if isinstance(agent, str) and agent else None,
    )


def claim(claims: Mapping[str, object], name: str) -> object:
    """Return a claim; "realm_access.roles" is one within another, unless it is a name itself.

    Example:
        >>> claim({"realm_access": {"roles": ["kc"]}}, "realm_access.roles")
        ['kc']
        >>> claim({"https://x.example/roles": "kc"}, "https://x.example/roles")
        'kc'
    """
    if name in claims:
        return claims[name]
    first, _, rest = name.partition(".")
    inner = claims.get(first)
    return claim(inner, rest) if rest and isinstance(inner, Mapping) else None


def _away(guard: Guard, fault: ProviderFault) -> Response:
    log.error("sign_in_failed", reason=str(fault))
    return sign_in_page(guard, HOME, AWAY, HTTPStatus.SERVICE_UNAVAILABLE)


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.provider
    return provider


def _redirect_uri(guard: Guard) -> str:
    return f"{guard.book.config.public_url}{DONE_PATH}"


def _check_metadata(config: OidcConfig, metadata: Mapping[str, object]) -> None:
    """See that a discovery document is the issuer's, and sends nobody to plain HTTP.

    Raises:
        ProviderFault: It is not, or does.
    """
    if str(metadata.get("issuer", "")).rstrip("/") != config.issuer:
        raise ProviderFault("its discovery document is of another issuer")
    if not config.issuer.startswith("https://"):
        return  # On this machine, where a test's provider has no certificate.
    try:
        OpenIDProviderMetadata(metadata).validate()
    except ValueError as error:
        raise ProviderFault(f"its discovery document: {error}") from error


@contextlib.asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Bound what is asked of the provider by the clock.

    Raises:
        ProviderFault: The time is up.
    """
    try:
        async with asyncio.timeout(PROVIDER_S_MAX):
            yield
    except TimeoutError as error:
        raise ProviderFault(f"no whole answer came within {PROVIDER_S_MAX:g} s") from error


def _client(*, auth: httpx.BasicAuth | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=PROVIDER_S_MAX,
        trust_env=False,
        auth=auth,
        # Packed, a small answer could become a large one.
        headers={"accept-encoding": "identity"},
    )


async def _document(
    client: httpx.AsyncClient,
    place: str,
    *,
    form: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return a JSON object that the provider answers with.

    Raises:
        ProviderFault: It does not, or with too much.
    """
    method = "GET" if form is None else "POST"
    try:
        async with client.stream(method, place, data=form) as answer:
            body = await _body(place, answer)
        found = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
        raise ProviderFault(f"{place}: {type(error).__name__}") from error
    if not answer.is_success or not isinstance(found, dict):
        raise ProviderFault(f"{place}: answered {answer.status_code}")
    return found


async def _body(place: str, answer: httpx.Response) -> bytes:
    """Return an answer's body.

    Raises:
        ProviderFault: It is longer than a document may be.
    """
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > DOCUMENT_BYTES_MAX:
            raise ProviderFault(f"{place}: answers more than {DOCUMENT_BYTES_MAX} bytes")
    return bytes(body)
