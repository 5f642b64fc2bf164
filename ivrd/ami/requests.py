"""The way to ask Asterisk for something, as it is handed to those who ask."""

from typing import Protocol

from ivrd.ami.actions import AmiAction
from ivrd.ami.replies import Reply


class Request(Protocol):
    """Sends one action and waits for its answer."""

    async def __call__(self, action: AmiAction, *, within_s: float) -> Reply:
        """Return the answer.

        Raises:
            PeerTimedOut: None came in time; it will not be sent again.
            PeerUnreachable: The connection is gone.
        """
