"""A bare AMI listener that keeps what Asterisk sends, in the chunks in which it came.

Here: listening. Not here: any understanding of what came; neither side of a comparison is used.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tests.lab.ports import LOOPBACK

LOGIN_S_MAX = 5.0


@dataclass(slots=True)
class Listener(asyncio.Protocol):
    """One connection; bounded by the length of its measurement."""

    chunks: list[bytes] = field(default_factory=list)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to ask."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def ask(self, action: str) -> None:
        """Write one action; its answer comes among the messages."""
        assert self.transport is not None, "it is connected"
        self.transport.write(f"{action}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Keep one chunk."""
        self.chunks.append(data)
        if b"FullyBooted" in data:
            self.has_begun.set()

    def messages(self) -> Sequence[bytes]:
        """Return all that came, cut into messages."""
        return b"".join(self.chunks).split(b"\r\n\r\n")[:-1]


@contextlib.asynccontextmanager
async def listening(
    *, port: int, username: str, secret: str, events: str = "on"
) -> AsyncIterator[Listener]:
    """Listen until the body ends.

    Args:
        port: Of AMI, on loopback.
        username: An AMI user.
        secret: That user's secret.
        events: Which classes, such as "agent,dtmf,system"; system is waited for.
    """
    loop = asyncio.get_running_loop()
    transport, listener = await loop.create_connection(Listener, LOOPBACK, port)
    try:
        login = f"Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\nEvents: {events}"
        listener.ask(login)
        async with asyncio.timeout(LOGIN_S_MAX):
            await listener.has_begun.wait()
        yield listener
    finally:
        transport.abort()


def header(message: bytes, name: bytes) -> bytes:
    """Return the first header of that name, b"" when there is none."""
    _, found, after = message.partition(b"\r\n" + name + b": ")
    return after.partition(b"\r\n")[0] if found else b""
