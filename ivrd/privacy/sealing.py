"""Seals callers' numbers, and makes the keyed hash that finds repeat calls; home of cryptography.

Here: keys in, text out. Not here: where keys come from (config/key_file.py), or what is stored.

Sealed: AES-256-GCM under a key of its own, derived from the secret by HKDF-SHA-256. The text is
"1.KEY.DATA": a version, the key's id, so that keys can be changed while older numbers stay
readable, and nonce and ciphertext in base64url. The call's id is authenticated with it: a sealed
number that was moved to another row does not open. All numbers are padded to one length.

Caller key: HMAC-SHA-256 of the number, cut to 128 bits, under a key of its own for each period of
so many days. So keys of one caller in different periods cannot be linked without the secret. The
text is "PERIOD-HASH"; a repeat across the end of a period is found by the key of the period before.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ivrd.errors import IvrdBug, PeerError

VERSION = "1"

SECRET_BYTES = 32

NONCE_BYTES = 12
"""Random: safe for 2**32 numbers under one key (NIST SP 800-38D, 8.3), 10,000 years of a county."""

PADDED_BYTES = 16
"""A plus and the 15 digits of E.164; the length of a number tells its country."""

HASH_HEX = 32
"""128 bits: no two of all numbers of the world meet."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SealBroken(PeerError):
    """A sealed number does not open: its key is gone, or text or row are not as they were."""


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of the key file."""

    id: str
    data: bytes

    def __repr__(self) -> str:
        """Show the id only."""
        return f"Secret({self.id!r})"


class _Key:
    """What is derived from one secret."""

    def __init__(self, secret: Secret) -> None:
        if len(secret.data) != SECRET_BYTES:
            raise IvrdBug(f"a secret has {SECRET_BYTES} bytes, and not {len(secret.data)}")
        self.id = secret.id
        self.box = AESGCM(_derived(secret.data, "seal"))
        self.hash_key = _derived(secret.data, "caller key")
        self.list_key = _derived(secret.data, "protected")
        self._periods: dict[int, bytes] = {}

    def hash_in(self, period: int, number: str) -> str:
        """Return the number's hash in a period."""
        key = self._periods.get(period)
        if key is None:
            key = hmac.digest(self.hash_key, b"period %d" % period, "sha256")
            # A year of periods at most: one per day, were they that short.
            if len(self._periods) > 400:
                self._periods.clear()
            self._periods[period] = key
        return hmac.digest(key, number.encode("ascii"), "sha256").hex()[:HASH_HEX]


class Sealer:
    """The keys of one ivrd; the newest seals, all of them open."""

    def __init__(self, secrets: Sequence[Secret], *, period: timedelta) -> None:
        """Derive the keys.

        Args:
            secrets: The newest first; at least one.
            period: How long a caller key lasts.
        """
        self._keys = {secret.id: _Key(secret) for secret in secrets}
        self._newest = self._keys[secrets[0].id]
        self.period = period

    def seal(self, number: str, *, bound_to: str) -> str:
        """Return a number as text that only this row and a key of ours open.

        Args:
            number: In one form (numbers.py).
            bound_to: The row: the call's id.
        """
        nonce = os.urandom(NONCE_BYTES)
        plain = number.encode("ascii").ljust(PADDED_BYTES, b"\0")
        box = self._newest.box.encrypt(nonce, plain, _bound(self._newest.id, bound_to))
        data = base64.urlsafe_b64encode(nonce + box).rstrip(b"=").decode("ascii")
        return f"{VERSION}.{self._newest.id}.{data}"

    def unseal(self, sealed: str, *, bound_to: str) -> str:
        """Return the number in clear.

        Raises:
            SealBroken: With the reason; the text quotes nothing.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, data = rest.partition(".")
        if version != VERSION:
            raise SealBroken("it is sealed in a form that this ivrd does not know")
        key = self._keys.get(key_id)
        if key is None:
            raise SealBroken(f"its key {key_id[:16]!r} is not in the key file")
        try:
            raw = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
            plain = key.box.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(key_id, bound_to))
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise SealBroken("text, key or row are not those it was sealed with") from error
        return plain.rstrip(b"\0").decode("ascii")

    def caller_key(self, number: str, at: datetime) -> str:
        """Return the caller key to store with a call of that moment."""
        return self._written(self._newest, self._period_of(at), number)

    def key_before(self, number: str, at: datetime, *, within: timedelta) -> str | None:
        """Return the caller's key of the period before, when that ended so shortly ago.

        Stored beside the key, it lets a report find a repeat across the end of a period without any
        secret. Later in a period it would only link what need not be linked.
        """
        now = self._period_of(at)
        if at - (_EPOCH + now * self.period) > within:
            return None
        return self._written(self._newest, now - 1, number)

    def earlier_keys(self, number: str, at: datetime) -> tuple[str, ...]:
        """Return the other keys of a call of this caller at most one period earlier.

        Of the period before, and of this one by older secrets. `caller_key` itself is not among
        them.
        """
        now = self._period_of(at)
        return tuple(
            self._written(key, period, number)
            for period in (now, now - 1)
            for key in self._keys.values()
            if (key, period) != (self._newest, now)
        )

    def keys_between(self, number: str, since: datetime, until: datetime) -> Iterator[str]:
        """Yield every key that a call of this caller may have, by each secret."""
        for period in range(self._period_of(since), self._period_of(until) + 1):
            for key in self._keys.values():
                yield self._written(key, period, number)

    def list_hashes(self, number: str) -> tuple[str, ...]:
        """Return how a list of protected numbers may name this one; the newest secret's first.

        It does not rotate, or the list would forget; it stands in no row of any call.
        """
        ordered = (self._newest, *(k for k in self._keys.values() if k is not self._newest))
        return tuple(
            hmac.digest(key.list_key, number.encode("ascii"), "sha256").hex()[:HASH_HEX]
            for key in ordered
        )

    def _period_of(self, at: datetime) -> int:
        return (at - _EPOCH) // self.period

    @staticmethod
    def _written(key: _Key, period: int, number: str) -> str:
        return f"{period}-{key.hash_in(period, number)}"


def secrets_of(lines: Iterable[str]) -> Sequence[Secret]:
    """Return the secrets of a key file's lines, "ID BASE64URL" each."""
    found = []
    for line in lines:
        key_id, _, text = line.partition(" ")
        found.append(Secret(key_id, base64.urlsafe_b64decode(text.strip())))
    return found


def new_key_line(at: datetime) -> str:
    """Return a line with a new secret for a key file, named by the day."""
    text = base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).decode("ascii")
    return f"k{at:%Y%m%d} {text}"


def _bound(key_id: str, bound_to: str) -> bytes:
    return f"ivrd caller {VERSION} {key_id} {bound_to}".encode("utf-8", "surrogatepass")


def _derived(secret: bytes, use: str) -> bytes:
    """Return a key for one use (RFC 5869); no salt, since the secret is random already."""
    info = f"ivrd {use}".encode("ascii")
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
