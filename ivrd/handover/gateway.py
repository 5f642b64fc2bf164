"""Requests through an API gateway that wants a token (OAuth 2, client credentials).

Here: getting the token, keeping it, and doing a request with it. Not here: which requests.

A token is fetched when it is needed, and once more when the gateway no longer takes it.

Source:
    RFC 6749, sections 2.3.1 and 4.4; RFC 6750, section 2.1.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote_plus

from ivrd.handover.http_client import ANSWER_BYTES_MAX, HttpAnswer, HttpClient, HttpTrouble

LIFE_S = 300.0
"""Of a token whose life nobody told."""

MARGIN_S = 30.0
"""So long before its end a token is not used any more."""

TOKEN_CHARACTERS_MAX = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Who we are at the gateway."""

    token_url: str
    client_id: str
    client_secret: str


class Gateway:
    """One API behind its gateway."""

    def __init__(
        self,
        client: HttpClient,
        credentials: ClientCredentials | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use a client; without credentials no token is sent."""
        self._client = client
        self._credentials = credentials
        self._monotonic = monotonic
        self._token: str | None = None
        self._token_ends = 0.0
        self._fetching = asyncio.Lock()

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> HttpAnswer:
        """Return the answer to a request with JSON.

        Raises:
            HttpTrouble: There was none, or no token.
        """
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        if self._credentials is None:
            return await self._client.request(
                method, url, headers=headers, body=body, bytes_max=bytes_max
            )
        answer: HttpAnswer | None = None
        for _ in range(2):
            token = await self._get_token(self._credentials)
            headers["authorization"] = f"Bearer {token}"
            answer = await self._client.request(
                method, url, headers=headers, body=body, bytes_max=bytes_max
            )
            if answer.status != HTTPStatus.UNAUTHORIZED:
                break
            if self._token == token:
                self._token = None
        assert answer is not None, "asked at least once"
        return answer

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def _get_token(self, credentials: ClientCredentials) -> str:
        async with self._fetching:
            if self._token is None or self._monotonic() >= self._token_ends:
                self._token, life_s = await self._fetch(credentials)
                self._token_ends = self._monotonic() + life_s
            return self._token

    async def _fetch(self, credentials: ClientCredentials) -> tuple[str, float]:
        """Return a new token and for how many seconds to use it."""
        pair = f"{quote_plus(credentials.client_id)}:{quote_plus(credentials.client_secret)}"
        headers = {
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
            "authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii"),
        }
        try:
            answer = await self._client.request(
                "POST",
                credentials.token_url,
                headers=headers,
                body=b"grant_type=client_credentials",
            )
        except HttpTrouble as trouble:
            # Whatever became of it: nothing was asked of the API itself.
            raise HttpTrouble(f"token: {trouble}", is_maybe_done=False) from trouble
        told = answer.json()
        token = told.get("access_token") if isinstance(told, dict) else None
        if not answer.is_success or not isinstance(token, str) or not _is_token(token):
            raise HttpTrouble(f"token: HTTP {answer.status} and no token", is_maybe_done=False)
        life = told.get("expires_in") if isinstance(told, dict) else None
        is_told = isinstance(life, int) and not isinstance(life, bool) and life > 0
        return token, max(float(life) - MARGIN_S, 1.0) if is_told and life else LIFE_S


def _is_token(text: str) -> bool:
    """Return whether a text may stand in a header."""
    return 0 < len(text) <= TOKEN_CHARACTERS_MAX and text.isascii() and text.isprintable()
