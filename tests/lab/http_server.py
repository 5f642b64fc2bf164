"""A small HTTP server on loopback that can misbehave as real ones do.

Here: the wire. Not here: what a case system answers (case_systems.py).
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from tests.lab.ports import LOOPBACK, reserve_port


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Manner(Enum):
    """How an answer comes."""

    PLAIN = "plain"
    TWICE = "twice"
    """Two answers to one request, one after the other."""
    CUT = "cut"
    """The connection ends instead, after the request was carried out."""
    SILENT = "silent"
    """Nothing comes, and the connection stays, after the request was carried out."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a request is answered with."""

    status: int = 200
    body: object = None
    """JSON; nothing when None."""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.PLAIN
    after_s: float = 0.0


Handler = Callable[[Request], Awaitable[Reply]]


class HttpServer:
    """One server; its port stays its own while it is down."""

    def __init__(self, handler: Handler, port: int) -> None:
        """Only describes it; use `start`."""
        self.port = port
        self.requests = 0
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, handler: Handler) -> "AsyncIterator[HttpServer]":
        """Serve until the body ends."""
        ports = reserve_port()
        server = cls(handler, ports.first)
        try:
            await server.resume()
            yield server
        finally:
            await server.stop()
            ports.release()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    async def resume(self) -> None:
        """Listen, again after `stop`."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def stop(self) -> None:
        """Listen no more and cut every connection: a connection is then refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read(reader)
        self.requests += 1
        reply = await self._handler(request)
        await asyncio.sleep(reply.after_s)
        if reply.manner is Manner.CUT:
            return False
        if reply.manner is Manner.SILENT:
            # Until whoever asked has gone.
            await reader.read()
            return False
        writer.write(_as_bytes(reply) * (2 if reply.manner is Manner.TWICE else 1))
        await writer.drain()
        return True


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    parts = urlsplit(target)
    return Request(
        method=method,
        path=parts.path,
        query={name: values[0] for name, values in parse_qs(parts.query).items()},
        headers=headers,
        body=await reader.readexactly(int(headers.get("content-length", "0"))),
    )


def _as_bytes(reply: Reply) -> bytes:
    body = b"" if reply.body is None else json.dumps(reply.body).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **reply.headers,
    }
    lines = [f"HTTP/1.1 {reply.status} x", *(f"{name}: {text}" for name, text in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
