"""A destination that takes signed CloudEvents by HTTP.

Here: the request, and what its answer says. Not here: HTTP itself (http_client.py), signatures
(signing.py).

The key goes three ways, so that a receiver may take the one it knows: as the event's id, as
`webhook-id`, and as `Idempotency-Key`. An answer may call the case something:
{"external_id": "K-2026-17"}.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ivrd.core.case_messages import CaseMessage, Delivery
from ivrd.handover.cloud_event import CONTENT_TYPE, cloud_event
from ivrd.handover.http_client import (
    HttpAnswer,
    HttpClient,
    HttpTrouble,
    delivery_of,
    delivery_of_trouble,
)
from ivrd.handover.signing import sign

EXTERNAL_ID_CHARACTERS_MAX = 200


class Webhook:
    """One receiver."""

    def __init__(
        self,
        client: HttpClient,
        *,
        url: str,
        secrets: Sequence[str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Send to a URL, signed with each of the secrets."""
        self._client = client
        self._url = url
        self._secrets = tuple(secrets)
        self._now = now

    async def send(self, message: CaseMessage, *, caller_number: str | None) -> Delivery:
        """Send once."""
        body = cloud_event(message, caller_number=caller_number)
        headers = {
            "content-type": CONTENT_TYPE,
            "accept": "application/json",
            "idempotency-key": message.key,
            **sign(message.key, self._now(), body, self._secrets),
        }
        try:
            answer = await self._client.request("POST", self._url, headers=headers, body=body)
        except HttpTrouble as trouble:
            return delivery_of_trouble(trouble)
        return delivery_of(answer, external_id=external_id_in(answer))

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()


def external_id_in(answer: HttpAnswer) -> str | None:
    """Return what an answer calls the case; None when it does not say."""
    told = answer.json()
    found = told.get("external_id") if isinstance(told, dict) else None
    if not isinstance(found, str) or not found.isprintable():
        return None
    return found[:EXTERNAL_ID_CHARACTERS_MAX] or None
