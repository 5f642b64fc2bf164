"""The HTTP server: uvicorn as a coroutine among our other tasks.

Here: the listening socket, limits, time-outs and a clean end. Not here: the pages (pages.py).

uvicorn as a program installs signal handlers, sets up logging and waits for ever for a request's
head. As one task of ours it must do none of these.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ivrd.config import WebConfig
from ivrd.errors import PeerError

CONNECTIONS_MAX = 500
"""Boards that stay connected (web/events.py), scrapers, supervisors; beyond it we answer 503."""

REQUEST_S_MAX = 5
"""A client may be connected so long without a whole request: then a scan is closed."""

HEAD_BYTES_MAX = 16_384
"""Request line and headers; twice what browsers send."""

SHUTDOWN_S_MAX = 2
"""Our answers take milliseconds; whoever still reads after this is cut off."""

BACKLOG_CONNECTIONS = 64
"""Connections the kernel holds for us while the loop is busy."""

ACCEPTS_PER_TURN = 8
"""Connections taken between two looks at the loop's other tasks: to take one and answer its request
costs a millisecond. After a restart all boards come back at once."""

HEADERS = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
]
"""Figures are of this moment; nobody's browser should guess what they are; and a page takes
nothing from elsewhere, and stands in nobody's frame."""


async def serve(
    app: FastAPI,
    config: WebConfig,
    *,
    on_listening: Callable[[str, int], None],
    on_stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve until cancelled; then finish what is being answered, and end.

    Args:
        app: The application.
        config: Where to listen.
        on_listening: Told the address and the actual port, once requests are taken.
        on_stopping: Called as the end begins, to end answers that would go on for ever.

    Raises:
        PeerError: The address cannot be listened on.
    """
    listener = _listen(config)
    server = _Server(_settings(app))

    def announce() -> None:
        # asyncio has told the kernel to hold as many as it takes itself in a turn.
        listener.listen(BACKLOG_CONNECTIONS)
        on_listening(*listener.getsockname()[:2])

    server.announce = announce
    try:
        await server.serve(sockets=[listener])
    except asyncio.CancelledError:
        on_stopping()
        # Cancelled between its ticks, uvicorn would leave open connections hanging.
        if server.started:
            await server.shutdown(sockets=[listener])
        raise
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: ivrd's own shutdown order decides when it ends."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _BoundedProtocol(H11Protocol):
    """HTTP that closes a connection on which no whole request arrives in time.

    uvicorn's keep-alive limit begins after the first response only, and ends with the first byte.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        # What our side does decides: idle means that no request is being answered.
        if self.conn.our_state is h11.IDLE:
            self._arm()
        else:
            self._disarm()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.our_state is h11.IDLE:
            self._arm()

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S_MAX, self._close_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_late(self) -> None:
        self._deadline = None
        self.transport.abort()


def _settings(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=HEADERS,
        backlog=ACCEPTS_PER_TURN,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=REQUEST_S_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
    )


def _listen(config: WebConfig) -> socket.socket:
    """Listen ourselves: uvicorn ends the whole process when it cannot.

    The protocol is named because asyncio switches Nagle's delay off only for sockets that say TCP;
    without it each answer waits 40 ms for the client's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        listener.close()
        raise PeerError(f"web: cannot listen on {config.host}:{config.port}: {error}") from error
    return listener
