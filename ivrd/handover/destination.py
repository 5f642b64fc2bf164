"""What the sender knows of a destination: how to bring a message there.

Here: the Protocol that every adapter keeps. Not here: the adapters.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from ivrd.core.case_messages import CaseMessage, Delivery

NumberOf = Callable[[CaseMessage], Awaitable[str | None]]
"""Returns the number of the caller whose case a message is about; None when there is none."""


class Adapter(Protocol):
    """Brings messages to one destination."""

    async def send(self, message: CaseMessage, *, caller_number: str | None) -> Delivery:
        """Send once, and tell what came of it.

        Peer trouble is a `NotNow`, and never raised. The sender cuts it off when it takes too long.
        """

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One configured case system."""

    name: str
    adapter: Adapter
    timeout: timedelta
    """Sending takes at most so long."""
    attempts_max: int
    """After so many tries a message is dead."""
    first_delay: timedelta
    slowest_delay: timedelta
    settle: timedelta = timedelta()
    """A try of which nobody knows the end is not repeated before this."""
    number_of: NumberOf | None = None
    """None: the caller's number does not go there."""
