"""Tokens: made, hashed, compared.

Here: the text of a token. Not here: whose it is (book.py).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Protocol, TypeVar

PREFIX = "ivrd_"
"""Begins every token, so that a search for leaked secrets finds one."""

RANDOM_BYTES = 32

TOKEN_CHARACTERS_MAX = 200
"""Longer is no token, and is not hashed."""

_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{16,200}")


class Hashed(Protocol):
    """Something of which a token's SHA-256 is known, in hexadecimal."""

    @property
    def sha256(self) -> str: ...


OfToken = TypeVar("OfToken", bound=Hashed)


def new_token() -> str:
    """Return a token that nobody has: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def fingerprint(token: str) -> str:
    """Return what the configuration holds of a token.

    Example:
        >>> fingerprint("ivrd_example-for-the-docs")[:8]
        'f38f6b8e'
    """
    return hashlib.sha256(token.encode()).hexdigest()


def owner_of(token: str, entries: Iterable[OfToken]) -> OfToken | None:
    """Return the entry that a token belongs to; None when to none.

    Every entry is compared, and each in constant time: how long it takes tells nothing.
    """
    if _TOKEN.fullmatch(token) is None:
        return None
    mark, found = fingerprint(token), None
    for entry in entries:
        if hmac.compare_digest(mark, entry.sha256):
            found = entry
    return found
