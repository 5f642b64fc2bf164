"""The FastAGI socket: who may connect, for how long, and how it all ends.

Here: accepting, the limits that protect the event loop and the other callers, shutdown. Not here:
what is said on a connection (session.py, codec.py).

Each connection is one named task of one TaskGroup. Peer trouble ends that connection alone and is
counted by `SessionEnd`. A bug ends the group and so the process: systemd restarts it, and meanwhile
every caller meets the static menu of the dialplan.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count

import structlog

from ivrd.agi.session import AgiSession, MenuReport, SessionEnd, SessionLimits
from ivrd.agi.waiting import WaitSpeaker
from ivrd.core.ids import MenuName
from ivrd.core.menu import Menu
from ivrd.errors import IvrdBug

BACKLOG = 128
"""Connections waiting for accept. asyncio accepts up to so many in one turn of the loop, some ms of
work; a full backlog costs a caller 2.0 s (ASTERISK.md §B), so it is above any burst of calls."""

READ_BUFFER_BYTES = 8192
"""asyncio stops reading a connection at twice this; a peer that floods waits in its own kernel."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgiLimits:
    """What the server allows."""

    sessions_max: int = 500
    """Open connections, whatever they are; each costs a file descriptor and some 10 KB."""
    request_s: float = 2.0
    """The dialplan's own TIMEOUT(absolute) before our first command is 2 s: later is of no use."""
    session_s: int = 300
    """A caller's time in the menu; told to Asterisk as TIMEOUT(absolute)."""
    grace_s: float = 5.0
    """Asterisk ends a session first, at session_s; this much later we end that of a frozen peer."""


class AgiServer:
    """Serves tone menus, and what waiting callers are told, over FastAGI.

    Use: `await bind()` (port in use shows here), then run `serve()` as a task until cancelled.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        menus: Mapping[MenuName, Menu],
        limits: AgiLimits,
        report: MenuReport,
        speaker: WaitSpeaker | None = None,
    ) -> None:
        """Listen nowhere yet; without a `speaker` there is no route /wait."""
        self._host = host
        self._port = port
        self._menus = dict(menus)
        self._speaker = speaker
        self._limits = limits
        self._report = report
        self._server: asyncio.Server | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._numbers = count(1)
        self._is_full = False
        self.sessions_open = 0
        """Connections now open; for a gauge."""
        self.started = asyncio.Event()
        """Set once connections are accepted; await it before telling anybody that we are ready."""

    @property
    def port(self) -> int:
        """The TCP port bound; differs from the wish when that was 0."""
        if self._server is None:
            raise IvrdBug("the AGI server was asked for its port before bind()")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def change_menus(self, menus: Mapping[MenuName, Menu]) -> None:
        """Take other menus, all at once; a caller in a menu goes on in the one begun with."""
        self._menus = dict(menus)

    async def bind(self) -> None:
        """Take the port without accepting on it yet.

        Raises:
            OSError: the address is in use, unknown or not ours.
        """
        self._server = await asyncio.start_server(
            self._accept,
            host=self._host,
            port=self._port,
            limit=READ_BUFFER_BYTES,
            backlog=BACKLOG,
            start_serving=False,
        )

    async def serve(self) -> None:
        """Accept and serve until cancelled; then close the port and cut every session at once.

        A session's end awaits nothing, so the cancellation takes one turn of the loop. The callers
        go on in the static menu.
        """
        if self._server is None:
            raise IvrdBug("AgiServer.serve() was called before bind()")
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._server.start_serving()
                self.started.set()
                log.info("agi_server_started", host=self._host, port=self.port)
                # Never set: only a cancellation, or a session's bug, ends the wait.
                await asyncio.Event().wait()
            finally:
                self._tasks = None
                self._server.close()
                log.info("agi_server_stopped", sessions_open=self.sessions_open)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Start a session, or refuse it at once; runs inside asyncio's connection callback."""
        if self._tasks is None:
            self._refuse(writer, SessionEnd.SHUT_DOWN)
        elif self.sessions_open >= self._limits.sessions_max:
            self._note_full()
            self._refuse(writer, SessionEnd.OVER_LIMIT)
        else:
            self.sessions_open += 1
            task = self._tasks.create_task(
                self._run_session(reader, writer), name=f"agi-session-{next(self._numbers)}"
            )
            # Not a `finally` in the task: one that is cancelled before its first step never runs.
            task.add_done_callback(partial(self._leave, writer))

    def _refuse(self, writer: asyncio.StreamWriter, end: SessionEnd) -> None:
        writer.transport.abort()
        self._report.session_ended(end=end)

    async def _run_session(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> SessionEnd:
        session = AgiSession(
            reader=reader,
            writer=writer,
            menus=self._menus,
            speaker=self._speaker,
            limits=SessionLimits(
                request_s=self._limits.request_s, session_s=self._limits.session_s
            ),
            report=self._report,
        )
        try:
            async with asyncio.timeout(self._limits.session_s + self._limits.grace_s):
                return await session.run()
        except TimeoutError:
            return SessionEnd.SESSION_TIMED_OUT

    def _leave(self, writer: asyncio.StreamWriter, task: asyncio.Task[SessionEnd]) -> None:
        # Abort, not close: close would wait for a peer that no longer reads.
        writer.transport.abort()
        self.sessions_open -= 1
        self._note_room()
        if task.cancelled():
            end = SessionEnd.SHUT_DOWN
        elif task.exception() is not None:
            end = SessionEnd.CRASHED
        else:
            end = task.result()
        self._report.session_ended(end=end)

    def _note_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            log.warning("agi_sessions_exhausted", sessions_max=self._limits.sessions_max)

    def _note_room(self) -> None:
        # Half, so that a server at its limit does not log at each call.
        if self._is_full and self.sessions_open <= self._limits.sessions_max // 2:
            self._is_full = False
            log.info("agi_sessions_available", sessions_open=self.sessions_open)
