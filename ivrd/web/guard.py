"""The door of every route: who asks, how often, and whether they may.

Here: tokens and cookies of requests, limits, and what protects a cookie against other sites. Not
here: who may do what (access/), and how people sign in (signing_in.py).

How it is used
    @router.get("/api/queues")
    async def queues(person: Annotated[Person, person_with(Deed.SEE_FLOOR)]) -> QueueList: ...
A route that acts asks once more, when it knows which lines are touched:
    require(request, person, deed, lines)

Rules
    1. A token that is nobody's is refused, also where nothing would be needed.
    2. A cookie counts for what changes something only when the browser says that one of our own
       pages sent it (Sec-Fetch-Site, or Origin); a token needs no such sign, for no browser sends
       it by itself.
    3. Limits hold for the address first, then for the person; a wrong token costs WRONG_COST.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from ivrd.access import Deed, Person, refusal
from ivrd.access.book import ANONYMOUS_NAME, AccessBook
from ivrd.access.limits import RateLimit
from ivrd.access.sessions import Sessions
from ivrd.core.actors import Actor, Origin

COOKIE = "ivrd_session"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

WRONG_COST = 20.0
"""Requests that a wrong token counts for: 60 tries a minute at the default limit."""

HOUR_S = 3600

NEEDS_TOKEN = "a token is needed, in the header Authorization: Bearer ..."

ASKS_FOR_TOKEN = {"WWW-Authenticate": "Bearer"}

BRIDGE = "mqtt"
"""Whose "address" a message has that did not come by HTTP (bridge.py); no connection has it."""

LOOPBACK = frozenset({"127.0.0.1", "::1"})

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_bearer = HTTPBearer(auto_error=False, description="A token of `ivrd token new`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Set by POST /login; pages only.")


class Guard:
    """Knows who asks. One for an application.

    Attributes:
        refused: How many, by why: unknown_token, no_right, other_site, too_often.
    """

    def __init__(
        self,
        book: AccessBook,
        sessions: Sessions,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts.

        Args:
            book: Who is who.
            sessions: Reads cookies.
            now_s: A clock that never goes back.
        """
        self.book = book
        self.sessions = sessions
        self.refused: Counter[tuple[str, ...]] = Counter()
        self._now_s = now_s
        self._persons = RateLimit(book.config.requests_per_minute)
        self._addresses = RateLimit(book.config.address_requests_per_minute)

    def person(self, request: Request, token: str | None, cookie: str | None) -> Person:
        """Return who asks.

        Raises:
            HTTPException: 401 for a token that is nobody's, 403 for another site's wish, 429.
        """
        address = self.address_of(request)
        self._count(self._addresses, self.book.config.address_requests_per_minute, address)
        person = self._found(request, token, cookie)
        if person is None:
            return self.book.anonymous()
        self._count(self._persons, self.book.config.requests_per_minute, person.name)
        return person

    def is_anonymous(self, person: Person) -> bool:
        """Return whether somebody has shown no token."""
        return person.name == ANONYMOUS_NAME

    def present(self, request: Request, person: Person) -> Callable[[], Person | None]:
        """Return a look at who a request is from, with the rights of that moment.

        For what lasts longer than an answer; counts for no limit.
        """
        header = request.headers.get("authorization", "")
        cookie = request.cookies.get(COOKIE)
        if header:
            return lambda: self.book.by_token(header.partition(" ")[2].strip())
        hours = self.book.config.session_hours
        is_anonymous = self.is_anonymous(person)

        def look() -> Person | None:
            session = None
            if cookie is not None:
                session = self.sessions.read(cookie, within_s=hours * HOUR_S)
            found = None if session is None else self.book.by_session(session)
            return self.book.anonymous() if found is None and is_anonymous else found

        return look

    def check_site(self, request: Request) -> None:
        """Refuse what another site's page lets a browser send; see rule 2.

        Raises:
            HTTPException: 403.
        """
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site == "same-origin":
            return
        if site is None and origin is not None and origin in self._own_origins(request):
            return
        self.refused[("other_site",)] += 1
        told = "a page of ours must send this; programs send a token in Authorization instead"
        raise HTTPException(HTTPStatus.FORBIDDEN, told)

    def count_wrong(self, request: Request) -> None:
        """Count a wrong token against its address."""
        self.refused[("unknown_token",)] += 1
        address = self.address_of(request)
        log.warning("token_refused", address=address, path=request.url.path)
        self._addresses.charge(address, self._now_s(), WRONG_COST)

    def count_request(self, request: Request) -> None:
        """Count a request for which nobody is asked who it is.

        Raises:
            HTTPException: 429.
        """
        limit = self.book.config.address_requests_per_minute
        self._count(self._addresses, limit, self.address_of(request))

    def address_of(self, request: Request) -> str:
        """Return whose address it is: behind our own proxy, the one that the proxy has met."""
        address = "" if request.client is None else request.client.host
        forwarded = request.headers.get("x-forwarded-for")
        if self.book.config.public_url is not None and address in LOOPBACK and forwarded:
            return forwarded.rpartition(",")[2].strip()[:64]
        return address

    def _found(self, request: Request, token: str | None, cookie: str | None) -> Person | None:
        if token is not None:
            person = self.book.by_token(token)
            if person is None:
                self.count_wrong(request)
                raise HTTPException(
                    HTTPStatus.UNAUTHORIZED,
                    "this token is nobody's; `ivrd token new` makes one",
                    ASKS_FOR_TOKEN,
                )
            return person
        if cookie is None:
            return None
        hours = self.book.config.session_hours
        session = self.sessions.read(cookie, within_s=hours * HOUR_S)
        if session is None or (person := self.book.by_session(session)) is None:
            return None
        if request.method not in SAFE_METHODS:
            self.check_site(request)
        return person

    def _own_origins(self, request: Request) -> frozenset[str]:
        public = self.book.config.public_url
        if public is not None:
            parts = urlsplit(public)
            return frozenset({f"{parts.scheme}://{parts.netloc}"})
        host = request.headers.get("host", "")
        return frozenset({f"{request.url.scheme}://{host}"})

    def _count(self, limit: RateLimit, per_minute: int, key: str) -> None:
        limit.per_minute = per_minute
        wait_s = limit.wait_s(key, self._now_s())
        if wait_s > 0:
            self.refused[("too_often",)] += 1
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"more than {per_minute} requests a minute; try again in {wait_s:.0f} s",
                {"Retry-After": str(int(wait_s) + 1)},
            )


def origin_of(request: Request) -> Origin:
    """Return which way an act came: by MQTT, by a program's token, or from a page."""
    if request.client is not None and request.client.host == BRIDGE:
        return Origin.MQTT
    return Origin.API if "authorization" in request.headers else Origin.PAGE


def guard_of(request: Request) -> Guard:
    """Return the guard of the application that answers a request."""
    guard: Guard = request.app.state.guard
    return guard


def actor_of(request: Request, person: Person) -> Actor:
    """Return who acts, and which way it came."""
    return Actor(who=person.name, origin=origin_of(request))


def person_with(deed: Deed) -> Any:
    """Return the dependency that lets in whoever may do something, in some lines at least."""

    async def check(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
        cookie: Annotated[str | None, Security(_cookie)],
    ) -> Person:
        token = None if bearer is None else bearer.credentials
        person = guard_of(request).person(request, token, cookie)
        require(request, person, deed)
        return person

    return Depends(check)


def known_person() -> Any:
    """Return the dependency that lets in whoever has a token; rights are asked for later."""

    async def check(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
        cookie: Annotated[str | None, Security(_cookie)],
    ) -> Person:
        token = None if bearer is None else bearer.credentials
        guard = guard_of(request)
        person = guard.person(request, token, cookie)
        if guard.is_anonymous(person):
            guard.refused[("no_right",)] += 1
            raise HTTPException(HTTPStatus.UNAUTHORIZED, NEEDS_TOKEN, ASKS_FOR_TOKEN)
        return person

    return Depends(check)


def require(
    request: Request, person: Person, deed: Deed, lines: Iterable[str] | None = None
) -> None:
    """Refuse what somebody may not do.

    Args:
        request: What is asked.
        person: Who asks.
        deed: What it is.
        lines: Every line that it touches; None for what has nothing to do with lines.

    Raises:
        HTTPException: 401 for somebody without a token, 403 for somebody without the right.
    """
    fault = refusal(person, deed, lines)
    if fault is None:
        return
    guard_of(request).refused[("no_right",)] += 1
    if guard_of(request).is_anonymous(person):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, NEEDS_TOKEN, ASKS_FOR_TOKEN)
    log.warning("deed_refused", who=person.name, deed=deed.value, path=request.url.path)
    raise HTTPException(HTTPStatus.FORBIDDEN, fault)
