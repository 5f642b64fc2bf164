"""Keeps one PBX connected, for ever; the only import of panoramisk.

Here: connecting, reconnecting, and the face that the rest of ivrd sees. Not here: what is said on a
connection (session.py).

panoramisk's Manager makes the connection and the action ids. Its protocol, login, ping, queue of
actions and reconnect loop are not used, for the reasons in ASTERISK.md §D: it sends an unanswered
action again, tries a wrong secret for ever at full speed, and never notices a frozen peer.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from panoramisk import Manager
from panoramisk.actions import Action as PanoramiskAction

from ivrd.ami import actions
from ivrd.ami.database import KeepDatabase
from ivrd.ami.diverts import Diverts
from ivrd.ami.moves import NEVER_SENT
from ivrd.ami.pauses import Pauses
from ivrd.ami.protocol import FRAMES_MAX, AmiCounters, AmiProtocol
from ivrd.ami.replies import Reply
from ivrd.ami.requests import Request
from ivrd.ami.session import AmiSession
from ivrd.ami.surroundings import Deadlines, PbxSettings, ReadJournal, Surroundings
from ivrd.clock import AsteriskClock
from ivrd.core.effects import DivertCallers, MoveCaller, PauseMember
from ivrd.core.events import Event, MoveRefused
from ivrd.core.ids import QueueName, SystemName
from ivrd.errors import (
    PeerConfused,
    PeerError,
    PeerRefused,
    PeerTimedOut,
    PeerUnreachable,
)
from ivrd.retry import Backoff

log = structlog.get_logger(__name__)

MOVES_MAX = 10_000
"""Moves that may wait for their turn: as many as a rule may begin at (config/overflow.py), for one
that finds no room is a caller who stays behind. One that waits too long is not sent."""

STABLE_S = 10.0
"""A connection that lived so long was well: the back-off begins again."""

NEVER_S = 10 * 365 * 24 * 3600
"""Keeps panoramisk's own ping from ever being due."""

SLOW_KINDS = (PeerRefused, PeerConfused)
"""Troubles that only a person can end: no use in trying again soon."""


class _OneConnection(Manager):  # type: ignore[misc]  # panoramisk has no types.
    """A Manager that neither logs in nor reconnects by itself; for one connection."""

    def connection_made(self, f: "asyncio.Task[object]") -> None:
        """Take the connection; a failure is the awaiting caller's, not ours."""
        if not f.cancelled() and f.exception() is None:
            super().connection_made(f)

    def connection_lost(self, exc: Exception | None) -> None:
        """Do nothing: the library would connect again by itself."""


class AmiClient:
    """The AMI side of one PBX.

    Attributes:
        counters: Plain numbers that only grow.
    """

    def __init__(
        self,
        settings: PbxSettings,
        sink: Callable[[Event], None],
        clock: AsteriskClock,
        *,
        backoff: Backoff | None = None,
        deadlines: Deadlines | None = None,
        tap: Callable[[bytes], None] | None = None,
        is_observer: bool = False,
        frames_max: int = FRAMES_MAX,
        read_journal: ReadJournal | None = None,
        keep_database: KeepDatabase | None = None,
        queues: Iterable[QueueName] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect nothing yet.

        Args:
            settings: The PBX's section of the configuration.
            sink: Takes one event at once; raises `asyncio.QueueFull` when it has no room, which
                holds events back until the raw queue overflows and a snapshot replaces them.
            clock: This PBX's clock, which the client keeps right.
            backoff: Delays between connections.
            deadlines: Shorter ones for tests.
            tap: Gets each chunk of raw bytes (record.Recorder.tap); must not raise.
            is_observer: Only listen: no heartbeat, no moves.
            frames_max: Bound of the raw queue.
            read_journal: Asked before each snapshot for what the journal tells of a gap.
            keep_database: Called with Asterisk's own database on each connection.
            queues: Those at whose doors the dialplan may send callers on.
            monotonic: Seconds that never step.
        """
        self._settings = settings
        self._tap = tap
        self._frames_max = frames_max
        self._backoff = backoff or Backoff(random.Random().random)
        self._outbox: asyncio.Queue[MoveCaller] = asyncio.Queue(maxsize=MOVES_MAX)
        self._diverts = Diverts(queues)
        self.counters = AmiCounters()
        self._pauses = Pauses(self.counters)
        self._around = Surroundings(
            settings=settings,
            clock=clock,
            sink=sink,
            counters=self.counters,
            deadlines=deadlines or Deadlines(),
            outbox=self._outbox,
            is_observer=is_observer,
            read_journal=read_journal,
            keep_database=keep_database,
            diverts=self._diverts,
            pauses=self._pauses,
            monotonic=monotonic,
        )
        self._session: AmiSession | None = None
        self._ask: Request | None = None
        self._failure: PeerError | None = None
        self._last_event_at: datetime | None = None

    # What the rest of ivrd may ask.

    @property
    def system(self) -> SystemName:
        """The PBX's name."""
        return SystemName(self._settings.name)

    @property
    def is_connected(self) -> bool:
        """Connected, logged in and in step: what the core knows is what the PBX does."""
        return self._session is not None and self._session.is_synchronised

    @property
    def can_withdraw(self) -> bool:
        """Connected to an Asterisk that can take a caller out of a queue for us."""
        return self._session is not None and self._session.can_withdraw

    @property
    def asterisk_version(self) -> tuple[int, ...] | None:
        """Such as (22, 10, 1); None when not connected, or not told."""
        return self._session.asterisk_version if self._session is not None else None

    @property
    def last_event_at(self) -> datetime | None:
        """Asterisk's stamp of the last event handed on; None before the first."""
        if self._session is not None and self._session.last_event_at is not None:
            return self._session.last_event_at
        return self._last_event_at

    @property
    def fault(self) -> str | None:
        """What keeps this PBX's events from us, in a sentence; None when nothing does."""
        if self._failure is not None:
            return str(self._failure)
        if self._session is not None and self._session.has_untimed_events:
            return "events come without a stamp: set timestampevents = yes in manager.conf"
        return None

    @property
    def failure(self) -> PeerError | None:
        """Why there is no connection; None while there is one, or before the first attempt."""
        return self._failure

    def withdraw(self, move: MoveCaller) -> None:
        """Ask for a move, at once and without waiting; a refusal comes back as an event.

        Nothing is ever asked twice. No refusal proves nothing: only events tell where a caller is.
        """
        if self._session is None:
            self._refuse(move, "not_connected")
            return
        try:
            self._outbox.put_nowait(move)
        except asyncio.QueueFull:
            self._refuse(move, "too_many_moves")

    async def ask(self, action: actions.AmiAction) -> Reply:
        """Send one action, once, and return its answer.

        Raises:
            PeerUnreachable: There is no connection, or it broke before the answer.
            PeerTimedOut: No answer came in time; it may have been done all the same.
        """
        if self._session is None or self._ask is None:
            raise PeerUnreachable(f"PBX {self.system} is not connected")
        return await self._ask(action, within_s=self._around.deadlines.action_s)

    def divert(self, divert: DivertCallers) -> None:
        """Let the dialplan send callers on at a queue's door, now or when connected again."""
        self._diverts.put(divert)

    def pause(self, pause: PauseMember) -> None:
        """Ask for a pause of a member, or its end, at once and without waiting."""
        if self._session is not None:
            self._pauses.put(pause)

    def expect_queues(self, queues: Iterable[QueueName]) -> None:
        """Let callers in at the doors of these queues, unless something else was said."""
        self._diverts.expect(queues)

    # The task.

    async def run(self) -> None:
        """Connect, deliver, and connect again, until cancelled."""
        while True:
            self._failure = error = await self._live_once()
            self.counters.failures += 1
            if isinstance(error, SLOW_KINDS):
                self._backoff.slow_down()
            await asyncio.sleep(next(self._backoff))

    async def _live_once(self) -> PeerError:
        """Live through one connection; return why it ended."""
        protocol = AmiProtocol(
            counters=self.counters,
            tap=self._tap,
            frames_max=self._frames_max,
            monotonic=self._around.monotonic,
        )
        manager = _OneConnection(
            loop=asyncio.get_running_loop(),
            host=self._settings.host,
            port=self._settings.port,
            protocol_factory=lambda: protocol,
            ping_delay=NEVER_S,
            ping_interval=NEVER_S,
        )
        errors: list[PeerError] = []
        try:
            await self._live(manager, protocol)
        except* PeerError as group:
            errors.extend(_leaves(group))
        finally:
            self._end(protocol, errors)
            manager.close()
        return errors[0]

    async def _live(self, manager: Manager, protocol: AmiProtocol) -> None:
        """Connect, open and run a session; it ends with an exception."""
        await self._connect(manager)

        async def request(action: actions.AmiAction, *, within_s: float) -> Reply:
            return await self._request(manager, protocol, action, within_s)

        session = AmiSession(surroundings=self._around, protocol=protocol, request=request)
        await session.open()
        self._session, self._ask = session, request
        self.counters.connects += 1
        self._note_recovery(session)
        started_s = self._around.monotonic()
        try:
            await session.run()
        finally:
            if self._around.monotonic() - started_s >= STABLE_S:
                self._backoff.reset()

    async def _connect(self, manager: Manager) -> None:
        within_s = self._around.deadlines.connect_s
        place = f"{self._settings.host}:{self._settings.port}"
        try:
            async with asyncio.timeout(within_s):
                await manager.connect()
        except TimeoutError as error:
            raise PeerTimedOut(f"no connection to {place} within {within_s:g} s") from error
        except OSError as error:
            raise PeerUnreachable(f"no connection to {place}: {error.strerror}") from error

    async def _request(
        self, manager: Manager, protocol: AmiProtocol, action: actions.AmiAction, within_s: float
    ) -> Reply:
        """Send one action once, and return its answer."""
        message = PanoramiskAction(
            {"Action": action.name, **{header.name: header.value for header in action.headers}}
        )
        if action.mark:
            message["ActionID"] = f"{message.id}/{action.mark}"
        future: asyncio.Future[Reply] = manager.send_action(message, as_list=action.is_list)
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError as error:
            self.counters.actions_timed_out += 1
            raise PeerTimedOut(f"{action.name}: no answer within {within_s:g} s") from error
        finally:
            protocol.forget(str(message.id))

    def _end(self, protocol: AmiProtocol, errors: list[PeerError]) -> None:
        """Close up, however it ended: hand on the rest, tell of the loss, refuse open moves."""
        session, self._session = self._session, None
        if not errors:
            # We are being stopped: tell the dialplan now, not when the heartbeat has aged.
            if session is not None and not self._around.is_observer:
                self._say_goodbye(protocol)
            protocol.close()
            self._pauses.forget()
            if session is not None and session.is_synchronised:
                # A core that believed in this connection would plan each refused move again.
                self._try_sink(session.loss("ivrd ends"))
            return
        self._pauses.forget()
        protocol.abort()
        self._note_failure(errors[0])
        if session is None:
            return
        session.finish()
        self._last_event_at = session.last_event_at or self._last_event_at
        if session.is_synchronised:
            self._try_sink(session.loss(str(errors[0])))
        for move in session.moves.in_flight:
            self._refuse(move, "connection_lost")
        while not self._outbox.empty():
            self._refuse(self._outbox.get_nowait(), "not_connected")

    def _say_goodbye(self, protocol: AmiProtocol) -> None:
        last = (actions.heartbeat(0), *self._pauses.take_releases(), actions.LOGOFF)
        for number, action in enumerate(last):
            headers = {header.name: header.value for header in action.headers}
            action_id = f"bye-{number}-{action.name}"
            protocol.send({"Action": action.name, "ActionID": action_id, **headers})

    def _refuse(self, move: MoveCaller, reason: str) -> None:
        self.counters.moves_refused += 1
        self._try_sink(
            MoveRefused(
                at=self._around.clock.now(),
                system=self.system,
                call_id=move.call_id,
                asked_at=move.at,
                reason=reason,
                was_sent=reason not in NEVER_SENT,
            )
        )

    def _try_sink(self, event: Event) -> None:
        try:
            self._around.sink(event)
        except asyncio.QueueFull:
            log.error("event_dropped", asterisk=self.system, event_type=type(event).__name__)
        else:
            self.counters.events += 1

    # Logging on edges: the first failure of a kind, and the recovery.

    def _note_failure(self, error: PeerError) -> None:
        if type(error) is not type(self._failure):
            log.error(
                "ami_connection_failed",
                asterisk=self.system,
                kind=type(error).__name__,
                reason=str(error),
            )

    def _note_recovery(self, session: AmiSession) -> None:
        self._failure = None
        log.info(
            "ami_connected",
            asterisk=self.system,
            asterisk_version=".".join(str(part) for part in session.asterisk_version or ()) or None,
            connects=self.counters.connects,
        )
        if not session.can_withdraw and not self._around.is_observer:
            log.error(
                "overflow_disabled",
                asterisk=self.system,
                reason="Asterisk has no QueueWithdrawCaller; it needs 16.25, 18.11, 19.3 or later",
            )


def _leaves(group: BaseExceptionGroup[PeerError]) -> list[PeerError]:
    leaves: list[PeerError] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            leaves.extend(_leaves(error))
        else:
            leaves.append(error)
    return leaves
