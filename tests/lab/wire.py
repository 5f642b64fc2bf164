"""A wire between two ports on loopback that can be cut, or slow: what a network does to AMI."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from tests.lab.ports import LOOPBACK

CHUNK_BYTES = 65536


class Wire:
    """Carries every connection to its port on to another; `cut` ends them all, at once.

    Example:
        >>> async def use(ami_port: int) -> None:
        ...     async with Wire.to(ami_port) as wire:
        ...         wire.cut()
    """

    def __init__(self, target_port: int) -> None:
        """Only describes it; use `to`."""
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()
        self._group = asyncio.TaskGroup()
        self._held: list[tuple[asyncio.StreamWriter, bytes]] | None = None
        """What has come back and is kept for now; None while all goes through."""
        self.cuts = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, target_port: int) -> "AsyncIterator[Wire]":
        """Listen on a free port until the body ends."""
        wire = cls(target_port)
        async with wire._group:
            wire._server = await asyncio.start_server(wire._carry, LOOPBACK, 0)
            try:
                yield wire
            finally:
                wire._server.close()
                wire.cut()

    @property
    def port(self) -> int:
        """Where to connect."""
        assert self._server is not None, "an open wire listens"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Break every connection, in the middle of whatever it carries."""
        self.cuts += 1
        for transport in tuple(self._open):
            transport.abort()

    @contextlib.contextmanager
    def slow(self) -> Iterator[None]:
        """Keep back what the far side says, and let it through in order when the body ends."""
        assert self._held is None, "it is slow already"
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for writer, chunk in held:
                writer.write(chunk)

    def has_kept_back(self, text: bytes) -> bool:
        """Return whether the far side has said something that is still kept back."""
        return any(text in chunk for _, chunk in self._held or ())

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._target_port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer.transport, far_writer.transport}
        self._open |= ends
        there = self._group.create_task(_pipe(reader, far_writer), name="wire there")
        back = self._group.create_task(self._carry_back(far_reader, writer), name="wire back")
        await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        for transport in ends:
            transport.abort()
        self._open -= ends

    async def _carry_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self._held is not None:
                    self._held.append((writer, chunk))
                    continue
                writer.write(chunk)
                await writer.drain()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A broken end is what a cut looks like from here.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
