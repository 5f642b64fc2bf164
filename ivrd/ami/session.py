"""One AMI connection's life: login, rights, snapshot, events, heartbeat, moves.

Here: what is asked of Asterisk, in which order, and by when. Not here: making the connection and
making it again (client.py), bytes and answers (protocol.py).

Every wait has a deadline from `Deadlines`, for panoramisk has none: a frozen peer, a list that
never ends, a login that is never answered would each be waited for without end.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from ivrd.ami import actions
from ivrd.ami.database import AsteriskDatabase, KeepDatabase
from ivrd.ami.diverts import DivertWriter
from ivrd.ami.filters import asterisk_version
from ivrd.ami.headers import NO_STAMP, MessageRefused, stamp
from ivrd.ami.moves import MOVES_AT_ONCE, NEVER_SENT, MoveAsker
from ivrd.ami.parse import parse
from ivrd.ami.protocol import AmiProtocol, ReceivedFrame
from ivrd.ami.record import Masker
from ivrd.ami.replies import Reply, command_names, ping_stamp, value
from ivrd.ami.requests import Request
from ivrd.ami.snapshot import SnapshotLists
from ivrd.ami.surroundings import Surroundings
from ivrd.core.effects import MoveCaller
from ivrd.core.events import Event, JournalRead, MoveRefused, PeerLost
from ivrd.core.ids import SystemName
from ivrd.errors import (
    CredentialsRefused,
    PeerError,
    PeerTimedOut,
    PeerUnreachable,
    RightMissing,
)

log = structlog.get_logger(__name__)

BATCH_FRAMES = 256
"""Frames handled before others get a turn: about 2 ms of the event loop."""

ROOM_RETRY_S = 0.02
"""Wait before trying again to hand an event to a full inbox; the raw queue holds the rest."""

ITEMS_PER_TURN = 500
"""Of a snapshot's lists, read between two looks at the loop's other tasks: some 3 ms."""

RESYNCS_MAX = 3
"""Snapshots in a row that were spoilt by lost events; then the connection is made anew."""

COMPLAINTS_MAX = 20
"""Kinds of broken events that one connection logs; all are counted."""

COMPLAINT_BYTES_MAX = 600
"""Of a broken event, so much is logged."""

SHUTTING_DOWN = "shutting down"
"""In what Asterisk answers to a right login too while it ends (seen on 22.10.1; manager.c)."""


class AmiSession:
    """One connection that is made; used once.

    Attributes:
        is_synchronised: The snapshot is delivered, and no event was lost since.
        can_withdraw: Asterisk has QueueWithdrawCaller, and we may use it.
        asterisk_version: As Asterisk says; None when our user may not ask.
        last_event_at: Asterisk's stamp of the last event handed on.
        moves: Those that are asked for.
        has_untimed_events: Events come without a stamp, and are refused.
    """

    def __init__(
        self, *, surroundings: Surroundings, protocol: AmiProtocol, request: Request
    ) -> None:
        """Take over a connection on which nothing was said yet."""
        self._around = surroundings
        self._protocol = protocol
        self._request = request
        self._system = SystemName(surroundings.settings.name)
        self._complaints: set[tuple[bytes, str]] = set()
        self._wants_snapshot = True
        self.is_synchronised = False
        self.can_withdraw = False
        self.asterisk_version: tuple[int, ...] | None = None
        self.last_event_at: datetime | None = None
        self.has_untimed_events = False
        within_s = surroundings.deadlines.action_s
        self._diverts = DivertWriter(surroundings.diverts, request, within_s=within_s)
        self.moves = MoveAsker(
            surroundings.outbox,
            request,
            clock=surroundings.clock,
            counters=surroundings.counters,
            refuse=self.refuse,
            within_s=within_s,
        )

    # Opening.

    async def open(self) -> None:
        """Log in, wait until Asterisk is up, and see that we may do what we must.

        Raises:
            PeerError: It cannot be done; its kind says how soon to try again.
        """
        deadlines = self._around.deadlines
        await self._within(self._protocol.banner, deadlines.banner_s, "AMI's greeting")
        await self._log_in()
        await self._wait_until_booted()
        names = command_names(
            await self._request(actions.LIST_COMMANDS, within_s=deadlines.action_s)
        )
        self._check_rights(names)
        self.can_withdraw = "QueueWithdrawCaller" in names
        if "CoreSettings" in names:
            answer = await self._request(actions.CORE_SETTINGS, within_s=deadlines.action_s)
            self.asterisk_version = asterisk_version(value(answer.raw, b"\r\nAsteriskVersion"))

    async def _log_in(self) -> None:
        settings = self._around.settings
        answer = await self._request(
            actions.login(settings.username, settings.secret.get_secret_value()),
            within_s=self._around.deadlines.login_s,
        )
        if SHUTTING_DOWN in answer.message.lower():
            raise PeerUnreachable(f"{settings.name} refuses everybody: {answer.message}")
        if not answer.is_success:
            raise CredentialsRefused(
                f"AMI user {settings.username!r} of {settings.name} was refused: {answer.message}; "
                "check secret, permit and deny in manager.conf against the secret file"
            )

    async def _wait_until_booted(self) -> None:
        """Wait for FullyBooted.

        Source:
            manager.c, `action_login`: written right after the answer, and only to a user with
            read class system.
        """
        settings = self._around.settings
        try:
            await self._within(
                self._protocol.booted, self._around.deadlines.booted_s, "FullyBooted"
            )
        except PeerTimedOut as error:
            raise RightMissing(
                [
                    f"AMI user {settings.username!r} of {settings.name} needs read=system in "
                    "manager.conf: FullyBooted did not come (or Asterisk is still starting)"
                ]
            ) from error

    def _check_rights(self, names: frozenset[str]) -> None:
        """See that the actions we need are among those that our user may use.

        The read classes agent, call and user cannot be checked: Asterisk tells nobody of them but
        an administrator, and without them there are just no events.
        """
        user = f"AMI user {self._around.settings.username!r} of {self._around.settings.name}"
        missing = []
        if "CoreShowChannels" not in names:
            missing.append(f"{user} needs write=reporting in manager.conf, for CoreShowChannels")
        if "Setvar" not in names and not self._around.is_observer:
            missing.append(f"{user} needs write=call in manager.conf, for Setvar (heartbeat)")
        if "QueueStatus" not in names:
            missing.append(f"{self._system} has no QueueStatus: module app_queue is not loaded")
        if missing:
            raise RightMissing(missing)

    async def _within(
        self, future: asyncio.Future[str] | asyncio.Future[None], within_s: float, what: str
    ) -> None:
        try:
            async with asyncio.timeout(within_s):
                await asyncio.shield(future)
        except TimeoutError as error:
            raise PeerTimedOut(f"{what} did not come within {within_s:g} s") from error

    # Running.

    async def run(self) -> None:
        """Deliver events, keep the heartbeat, ask for moves, until the connection ends.

        Raises:
            ExceptionGroup: Of `PeerError`: why it ended.
        """
        async with asyncio.TaskGroup() as group:
            name = self._system
            group.create_task(self._watch(), name=f"ami-watch-{name}")
            group.create_task(self._pump(), name=f"ami-pump-{name}")
            group.create_task(self._pulse(), name=f"ami-pulse-{name}")
            if not self._around.is_observer:
                for number in range(MOVES_AT_ONCE):
                    asking = self.moves.run(can_withdraw=self.can_withdraw)
                    group.create_task(asking, name=f"ami-moves-{name}-{number}")
                group.create_task(self._diverts.run(), name=f"ami-diverts-{name}")
                if (pauses := self._around.pauses) is not None:
                    within_s = self._around.deadlines.action_s
                    asking = pauses.run(self._request, within_s=within_s)
                    group.create_task(asking, name=f"ami-pauses-{name}")
                if self._around.keep_database is not None:
                    keeping = self._keep_database(self._around.keep_database)
                    group.create_task(keeping, name=f"ami-database-{name}")

    async def _watch(self) -> None:
        raise PeerUnreachable(await self._protocol.lost)

    async def _pump(self) -> None:
        frames = self._protocol.frames
        while True:
            if self._protocol.lost_frames:
                await self._note_loss()
            if self._wants_snapshot:
                await self._resync()
            for _ in range(BATCH_FRAMES):
                # Frames may be lost, or all be gone, whenever an event had to wait for room.
                if not frames or self._wants_snapshot or self._protocol.lost_frames:
                    break
                event = self._read(frames.popleft())
                if event is not None:
                    await self._deliver(event)
            if frames:
                await asyncio.sleep(0)
            elif not self._protocol.lost_frames and not self._wants_snapshot:
                await self._protocol.wait_for_frames()

    async def _note_loss(self) -> None:
        """Say that what we know is no longer sure: a gap is worse than a rebuild."""
        self._wants_snapshot = True
        if self.is_synchronised:
            self.is_synchronised = False
            log.error("ami_events_lost", asterisk=self._system)
            await self._deliver(self.loss("events were lost"))

    async def _resync(self) -> None:
        """Deliver one snapshot; live events wait in the protocol's queue until it is complete."""
        for _ in range(RESYNCS_MAX):
            if self._protocol.lost_frames:
                self._protocol.frames.clear()
                self._protocol.lost_frames = False
            deadlines = self._around.deadlines
            at = await self._ping(actions.PING_FOR_SNAPSHOT)
            journal = await self._read_journal(at)
            queues = await self._list(actions.QUEUE_STATUS, within_s=deadlines.list_s)
            channels = await self._list(actions.CORE_SHOW_CHANNELS, within_s=deadlines.list_s)
            if not self._protocol.lost_frames:
                break
        else:
            raise PeerUnreachable("events come faster than they can be handled")
        lists = SnapshotLists(at=min(at, self._oldest_held_at(at)), system=self._system)
        await self._take(lists.take_queues, queues.items)
        await self._take(lists.take_channels, channels.items)
        taken = lists.taken(can_withdraw=self.can_withdraw)
        self._wants_snapshot = False
        self.is_synchronised = True
        self._around.counters.snapshots += 1
        if journal is not None:
            # Before the snapshot: what the journal tells, the snapshot then confirms.
            members = tuple(member for queue in taken.queues for member in queue.members)
            await self._deliver(replace(journal, at=taken.at, members=members))
        await self._deliver(taken)

    async def _take(self, take: Callable[[Sequence[bytes]], None], items: Sequence[bytes]) -> None:
        """Let a list be read in parts, with others' turns between."""
        for first in range(0, len(items), ITEMS_PER_TURN):
            take(items[first : first + ITEMS_PER_TURN])
            await asyncio.sleep(0)

    async def _read_journal(self, at: datetime) -> JournalRead | None:
        if self._around.read_journal is None:
            return None
        return await self._around.read_journal(at)

    def _oldest_held_at(self, at: datetime) -> datetime:
        """Return the stamp of the first event that is held back, so that time never runs back."""
        for frame in self._protocol.frames:
            try:
                return stamp(frame.raw)
            except MessageRefused:
                continue
        return at

    async def _list(self, action: actions.AmiAction, *, within_s: float) -> Reply:
        answer = await self._request(action, within_s=within_s)
        if not answer.is_success:
            raise PeerUnreachable(f"{action.name} was refused: {answer.message}")
        return answer

    async def _ping(self, action: actions.AmiAction) -> datetime:
        """Return Asterisk's time, and learn from it."""
        monotonic = self._around.monotonic
        sent_s = monotonic()
        answer = await self._request(action, within_s=self._around.deadlines.ping_s)
        at = ping_stamp(answer)
        self._around.clock.observe_ping(at, sent_s=sent_s, received_s=monotonic())
        return at

    async def _pulse(self) -> None:
        """Ping, and say to the dialplan that we are alive, for ever."""
        while True:
            await self._ping(actions.PING)
            if not self._around.is_observer:
                await self._diverts.are_told.wait()
                epoch_s = int(self._around.clock.now().timestamp())
                await self._request(
                    actions.heartbeat(epoch_s), within_s=self._around.deadlines.action_s
                )
            await asyncio.sleep(self._around.deadlines.pulse_s)

    async def _keep_database(self, keep: KeepDatabase) -> None:
        settings = self._around.settings
        database = AsteriskDatabase(
            self._request,
            user=f"AMI user {settings.username!r} of {settings.name}",
            within_s=self._around.deadlines.action_s,
        )
        await keep(database)

    # Events.

    def _read(self, frame: ReceivedFrame) -> Event | None:
        """Return the event in a frame; None when it is of no interest or broken."""
        if frame.name == b"Shutdown":
            raise PeerUnreachable("Asterisk shuts down")
        if frame.name == b"Reload":
            # Members and queues may have changed without an event of their own.
            self._wants_snapshot = True
            return None
        counters = self._around.counters
        try:
            event = parse(self._system, frame.name, frame.raw)
        except MessageRefused as refusal:
            counters.events_refused += 1
            self._complain(frame, refusal.reason)
            return None
        except Exception as error:  # noqa: BLE001 - the AMI task's per-message guard.
            counters.events_failed += 1
            self._complain(frame, type(error).__name__)
            return None
        if event is None or self._around.clock.observe_event(event.at, frame.received_s):
            return event
        # Forged, or the clock stepped: the snapshot's ping tells, and the snapshot replaces it.
        counters.events_refused += 1
        self._complain(frame, "Timestamp ahead")
        self._wants_snapshot = True
        return None

    def _complain(self, frame: ReceivedFrame, reason: str) -> None:
        """Log the first broken event of each kind, with numbers and names masked."""
        self.has_untimed_events = self.has_untimed_events or reason == NO_STAMP
        kind = (frame.name, reason)
        if kind in self._complaints or len(self._complaints) >= COMPLAINTS_MAX:
            return
        self._complaints.add(kind)
        raw = Masker().mask(frame.raw)[:COMPLAINT_BYTES_MAX]
        log.error(
            "ami_event_refused",
            asterisk=self._system,
            reason=reason,
            hint="timestampevents = yes is missing" if reason == NO_STAMP else None,
            raw=raw.decode("utf-8", "backslashreplace"),
        )

    async def _deliver(self, event: Event) -> None:
        """Hand on one event; wait while there is no room, and let the raw queue fill meanwhile."""
        while True:
            try:
                self._hand_on(event)
            except asyncio.QueueFull:
                await asyncio.sleep(ROOM_RETRY_S)
            else:
                return

    def _hand_on(self, event: Event) -> None:
        self._around.sink(event)
        self._around.counters.events += 1
        self.last_event_at = event.at

    def loss(self, reason: str) -> PeerLost:
        """Return the event that says so, stamped now."""
        return PeerLost(at=self._around.clock.now(), system=self._system, reason=reason)

    def finish(self) -> None:
        """Hand on what was received before the connection ended; only when nothing was lost."""
        if not self.is_synchronised or self._protocol.lost_frames or self._wants_snapshot:
            return
        try:
            while self._protocol.frames:
                event = self._read(self._protocol.frames.popleft())
                if event is not None:
                    self._hand_on(event)
        except (asyncio.QueueFull, PeerError):
            return

    # Moves.

    def refuse(self, move: MoveCaller, reason: str) -> None:
        """Say that a move was not taken; with a full inbox the core's own deadline says it."""
        self._around.counters.moves_refused += 1
        try:
            self._hand_on(
                MoveRefused(
                    at=self._around.clock.now(),
                    system=self._system,
                    call_id=move.call_id,
                    asked_at=move.at,
                    reason=reason,
                    was_sent=reason not in NEVER_SENT,
                )
            )
        except asyncio.QueueFull:
            log.warning("move_refusal_dropped", asterisk=self._system, call_id=move.call_id)
