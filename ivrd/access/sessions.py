"""A sign-in on the page, kept in the browser's cookie: signed, dated, and worth nothing by itself.

Here: the cookie's text, and the key that signs it. Not here: HTTP (web/), and what the person may
do: that is looked up at each request, so whoever is taken out of the configuration is out at once.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from itsdangerous import BadData, URLSafeTimedSerializer

KEY_BYTES = 32

KEY_NAME = "session.key"

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSession:
    """Somebody who signed in with a token."""

    sha256: str
    """Of the token, shortened: enough to find its entry again, nothing to sign in with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSession:
    """Somebody whom the provider has vouched for."""

    name: str
    values: tuple[str, ...]
    """Of the role claim, those that the configuration knows."""
    agent: str | None


Session = TokenSession | OidcSession

MARK_CHARACTERS = 32
"""Of a token's SHA-256 in a cookie."""


class Sessions:
    """Signs cookies and reads them again."""

    def __init__(self, key: bytes) -> None:
        """Take the key."""
        self._signer = URLSafeTimedSerializer(
            key, salt="ivrd-session", signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._notes = URLSafeTimedSerializer(
            key, salt="ivrd-note", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def cookie(self, session: Session) -> str:
        """Return the cookie's text."""
        match session:
            case TokenSession():
                return str(self._signer.dumps({"t": session.sha256[:MARK_CHARACTERS]}))
            case OidcSession():
                told = {"n": session.name, "v": list(session.values), "a": session.agent}
                return str(self._signer.dumps(told))

    def read(self, cookie: str, *, within_s: int) -> Session | None:
        """Return whose cookie it is; None when it is not ours, changed or too old."""
        try:
            told = self._signer.loads(cookie, max_age=within_s)
        except BadData:
            return None
        if "t" in told:
            return TokenSession(sha256=told["t"])
        return OidcSession(name=told["n"], values=tuple(told["v"]), agent=told["a"])

    def note(self, told: Mapping[str, str]) -> str:
        """Return a text that travels through a browser and comes back unchanged."""
        return str(self._notes.dumps(dict(told)))

    def read_note(self, text: str, *, within_s: int) -> Mapping[str, str] | None:
        """Return what a note holds; None when it is not ours, changed or too old."""
        try:
            told: dict[str, str] = self._notes.loads(text, max_age=within_s)
        except BadData:
            return None
        return told


def session_key(directory: Path) -> bytes:
    """Return the key of the state directory, made at the first start; readable by us only.

    A key that cannot be kept lasts as long as this process: everybody signs in again after it.
    """
    path = directory / KEY_NAME
    with contextlib.suppress(OSError):
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
    key = secrets.token_bytes(KEY_BYTES)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
    except OSError as error:
        log.error("session_key_not_kept", path=str(path), reason=error.strerror or str(error))
    return key
