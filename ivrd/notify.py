"""Signs of life for systemd.

Here: sd_notify's datagram and the watchdog's rhythm. Not here: reading the environment (config/).
Fifteen lines of our own: the known libraries are unmaintained or need a compiler.
"""

import asyncio
import contextlib
import socket

from ivrd.config import Supervision

PINGS_PER_LIMIT = 2
"""sd_watchdog_enabled(3) recommends a ping at half the limit."""


class Notifier:
    """Tells systemd how we are; does nothing when nobody listens."""

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision

    def ready(self) -> None:
        """Say that the daemon does its work now."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the daemon is ending."""
        self._send("STOPPING=1")

    async def watchdog(self) -> None:
        """Ping from the event loop until cancelled: a loop that stalls stops the pings too."""
        limit_s = self._supervision.watchdog_s
        if limit_s is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(limit_s / PINGS_PER_LIMIT)

    def _send(self, text: str) -> None:
        address = self._supervision.notify_socket
        if address is None:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]
        # A lost datagram is systemd's to notice: it is what the watchdog is for.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(address)
            out.sendall(text.encode())
