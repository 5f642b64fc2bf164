"""HTTP to a case system; the only import of httpx.

Here: one request, with every bound, and what its answer means for a message. Not here: what is in
requests (the adapters).

Certificates are always verified. A redirect is refused: it would carry a signed message, and a
token, to wherever it says. No proxy is taken from the environment. A connection serves one request:
a server that answers twice would else have its second answer taken for that to the next message,
which would be noted as sent and never arrive (seen in a test, with httpcore 1.0.9).

Source:
    RFC 9110, status codes and Retry-After; RFC 9457, problem details.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

import httpx

from ivrd.core.case_messages import Accepted, Delivery, NotNow, Refused
from ivrd.errors import PeerError
from ivrd.log import mask_text

CONNECT_S_MAX = 5.0

ANSWER_BYTES_MAX = 65_536
"""Of an answer that says yes or no; what comes after is not read."""

REASON_CHARACTERS_MAX = 300
"""Of what a problem's text says."""

NOT_NOW = frozenset({408, 409, 425, 429})
"""Client errors that pass: time-out, a conflict with what is going on, too early, too many."""

NEEDS_PERSON = frozenset({401, 403, 407})
"""A wrong secret or right is the destination's, not one message's: no reason to bury them all."""

AWAY = frozenset({429, 502, 503, 504})
"""It is the destination, or what stands before it, and not this message."""


class HttpTrouble(PeerError):
    """No whole answer came.

    Attributes:
        is_maybe_done: The request may have been carried out all the same.
    """

    def __init__(self, reason: str, *, is_maybe_done: bool) -> None:
        self.is_maybe_done = is_maybe_done
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    is_cut: bool = False
    """It was longer than we read."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> object:
        """Return what the body holds; None when it is no JSON, or not all of it."""
        try:
            return None if self.is_cut else json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class HttpClient:
    """Connections to one case system."""

    def __init__(self, *, ca_file: Path | None, timeout_s: float) -> None:
        """Make a client; nothing is connected yet.

        Args:
            ca_file: Certificates to trust instead of the system's; None for the system's.
            timeout_s: For each part of a request, such as the next bytes of its answer.
        """
        self._ca_file = ca_file
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S_MAX))
        self._client: httpx.AsyncClient | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> HttpAnswer:
        """Return the answer to one request.

        Raises:
            HttpTrouble: There was none, or not a whole one.
        """
        try:
            client = self._opened()
            request = client.build_request(method, url, headers=dict(headers), content=body)
            answer = await client.send(request, stream=True)
            try:
                return await _read(answer, bytes_max)
            finally:
                await answer.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise HttpTrouble(_named(error), is_maybe_done=False) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise HttpTrouble(_named(error), is_maybe_done=True) from error
        except (ssl.SSLError, OSError, httpx.InvalidURL) as error:
            raise HttpTrouble(_named(error), is_maybe_done=False) from error

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _opened(self) -> httpx.AsyncClient:
        """Return the client, made at its first use: the certificates are read then."""
        if self._client is None:
            context = ssl.create_default_context(
                cafile=None if self._ca_file is None else str(self._ca_file)
            )
            self._client = httpx.AsyncClient(
                verify=context,
                timeout=self._timeout,
                follow_redirects=False,
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
                # Packed, a small answer could become a large one.
                headers={
                    "accept-encoding": "identity",
                    "connection": "close",
                    "user-agent": "ivrd",
                },
            )
        return self._client


def delivery_of(answer: HttpAnswer, *, external_id: str | None = None) -> Delivery:
    """Return what an answer means for the message that was sent.

    Args:
        answer: To the request that carried it.
        external_id: What the answer calls the case, if it was taken.
    """
    status = answer.status
    if answer.is_success:
        return Accepted(external_id=external_id)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Refused(
            reason=f"HTTP {status}: a redirect is not followed; configure where it leads"
        )
    reason = _reason(answer)
    after = _retry_after(answer.headers.get("retry-after"))
    if status in NEEDS_PERSON:
        return NotNow(reason=reason, after=after, is_peer_away=True, needs_person=True)
    if status in NOT_NOW or not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotNow(reason=reason, after=after, is_peer_away=status in AWAY)
    return Refused(reason=reason)


def delivery_of_trouble(trouble: HttpTrouble) -> NotNow:
    """Return what a missing answer means for the message that was sent."""
    return NotNow(reason=str(trouble), is_peer_away=True)


async def _read(answer: httpx.Response, bytes_max: int) -> HttpAnswer:
    body = bytearray()
    is_cut = False
    async for part in answer.aiter_raw():
        body += part[: bytes_max - len(body)]
        if len(body) >= bytes_max:
            is_cut = True
            break
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HttpAnswer(status=answer.status_code, headers=headers, body=bytes(body), is_cut=is_cut)


def _reason(answer: HttpAnswer) -> str:
    """Return a line about an answer that is no success; numbers in it are masked."""
    told = [f"HTTP {answer.status}"]
    problem = answer.json()
    if isinstance(problem, dict):
        told += [str(problem[key]) for key in ("title", "detail") if problem.get(key)]
        violations = problem.get("violations")
        for one in violations if isinstance(violations, list) else []:
            if isinstance(one, dict):
                told.append(f"{one.get('field')}: {one.get('message')}")
    return mask_text("; ".join(told))[:REASON_CHARACTERS_MAX]


def _retry_after(text: str | None) -> timedelta | None:
    """Return how long we are asked to wait; None when nobody says, or nobody can read it.

    >>> _retry_after("120"), _retry_after("soon"), _retry_after(None)
    (datetime.timedelta(seconds=120), None, None)
    """
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 86_400))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return max(timedelta(), (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC))


def _named(error: BaseException) -> str:
    """Return a line about a fault of the connection, which httpx often leaves without words."""
    text = " ".join(str(error).split())
    return (
        f"{type(error).__name__}: {text}"[:REASON_CHARACTERS_MAX] if text else type(error).__name__
    )
