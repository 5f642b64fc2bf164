"""Every exception of ours, sorted by what the *caller* can do about it.

Here: types only. Not here: texts and decisions.

- `ConfigError`: a person must change the configuration; the process ends.
- `PeerError`: the other side, expected; handled in the adapter that talks to it.
- `IvrdBug`: we are wrong; never caught locally.
"""

from collections.abc import Iterable


class IvrdError(Exception):
    """Base of all that ivrd raises on purpose."""


class ConfigError(IvrdError):
    """The configuration is wrong; the text has one line per fault.

    Attributes:
        faults: Each "path: what is wrong; the nearest known name".
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class PeerError(IvrdError):
    """The other side of a connection is in trouble: expected, counted, retried by its adapter."""


class PeerUnreachable(PeerError):
    """No connection, or it broke: try again after a back-off."""


class PeerTimedOut(PeerError):
    """A deadline passed without an answer: drop the connection, then as `PeerUnreachable`."""


class PeerConfused(PeerError):
    """The other side does not speak the protocol: drop the connection, then slow down at once."""


class PeerRefused(PeerError):
    """The other side said no to one request: do not repeat that request."""


class CredentialsRefused(PeerRefused):
    """Wrong name or secret: a person must act, so slow down at once."""


class RightMissing(PeerRefused):
    """A permission or module is missing: a person must act, so slow down at once.

    Attributes:
        missing: What must be granted or loaded, one sentence each.
    """

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("; ".join(self.missing))


class IvrdBug(IvrdError):
    """Our own code broke a promise; never caught locally."""
