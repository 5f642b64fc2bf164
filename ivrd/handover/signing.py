"""Signatures of messages, by Standard Webhooks, in both directions.

Here: arithmetic on bytes. Not here: HTTP, and where secrets come from.

Signed is "ID.TIMESTAMP.BODY" with HMAC-SHA256. A message carries one signature for each secret that
is valid now, so a secret is changed without losing any: first both sides know old and new, then the
old one goes.

Source:
    Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks, spec).
"""

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ivrd.config.handover import SECRET_PREFIX

NEW_SECRET_BYTES = 32

TOLERANCE = timedelta(minutes=5)
"""An older message, or one from so far in the future, may be one that somebody plays again."""

SIGNATURES_MAX = 10
"""More in one header is nobody's change of secrets."""

ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)


class SignatureRefused(Exception):
    """A message is not from whom it says; the text tells why, and quotes nothing of it."""


def new_secret() -> str:
    """Return a new secret, as both sides are to write it down."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(NEW_SECRET_BYTES)).decode("ascii")


def sign(message_id: str, at: datetime, body: bytes, keys: Sequence[str]) -> Mapping[str, str]:
    """Return the three headers of a message.

    Args:
        message_id: Its key, the same at each repeat.
        at: When it is sent; an aware moment.
        body: Exactly the bytes that are sent.
        keys: The secrets, each `signing_fault(...) is None`.
    """
    stamp = str(int(at.timestamp()))
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: stamp,
        SIGNATURE_HEADER: " ".join(_signature(message_id, stamp, body, key) for key in keys),
    }


def verify(headers: Mapping[str, str], body: bytes, keys: Sequence[str], *, now: datetime) -> str:
    """Return the id of a message that is from whom it says.

    Args:
        headers: By lower-case name.
        body: As it came.
        keys: Any one of them is enough.
        now: An aware moment.

    Raises:
        SignatureRefused: A header is missing, its time is too far from ours, or no signature fits.
    """
    message_id = headers.get(ID_HEADER, "")
    stamp = headers.get(TIMESTAMP_HEADER, "")
    given = headers.get(SIGNATURE_HEADER, "")
    if not message_id or not stamp or not given:
        raise SignatureRefused(f"{ID_HEADER}, {TIMESTAMP_HEADER} and {SIGNATURE_HEADER} are needed")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= len("9999999999")):
        raise SignatureRefused(f"{TIMESTAMP_HEADER} must be whole seconds since 1970")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        raise SignatureRefused(f"{TIMESTAMP_HEADER} is more than {TOLERANCE.seconds} s from now")
    wanted = [_signature(message_id, stamp, body, key).encode() for key in keys]
    offered = [one.encode("utf-8", "replace") for one in given.split(" ")[:SIGNATURES_MAX]]
    # Every pair is compared, so that the time taken tells nothing.
    fitting = [hmac.compare_digest(one, other) for one in wanted for other in offered]
    if not any(fitting):
        raise SignatureRefused("no signature fits a secret of ours")
    return message_id


def _signature(message_id: str, stamp: str, body: bytes, key: str) -> str:
    content = b".".join((message_id.encode(), stamp.encode(), body))
    digest = hmac.digest(base64.b64decode(key.removeprefix(SECRET_PREFIX)), content, "sha256")
    return "v1," + base64.b64encode(digest).decode("ascii")
