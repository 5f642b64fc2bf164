"""One PBX as the engine wants it: who is asked to act there, and whose clock counts.

Here: passing on. Not here: the connection (client.py), and the clock (ivrd/clock.py).
"""

import time
from datetime import datetime

from ivrd.ami.client import AmiClient
from ivrd.clock import AsteriskClock
from ivrd.core.effects import DivertCallers, MoveCaller, PauseMember


class PbxLink:
    """One PBX as the engine sees it."""

    def __init__(self, client: AmiClient, clock: AsteriskClock) -> None:
        """Ask by this connection, and count by this clock."""
        self._client = client
        self._clock = clock

    def move(self, effect: MoveCaller) -> None:
        """Ask for a move; a refusal comes back as an event."""
        self._client.withdraw(effect)

    def divert(self, effect: DivertCallers) -> None:
        """Let the dialplan send callers on at a queue's door."""
        self._client.divert(effect)

    def pause(self, effect: PauseMember) -> None:
        """Pause a member of a queue, or let them take calls again."""
        self._client.pause(effect)

    def seconds_until(self, at: datetime) -> float:
        """Return how long until this PBX's clock says `at`."""
        return self._clock.monotonic_at(at) - time.monotonic()
