"""Brings messages to the case systems: each at least once, the messages of a case in order.

Here: when a message is sent, again and again, and when it is given up. Not here: rows
(db/case_messages.py), and how a destination is spoken to (the adapters).

Each destination has a task of its own, so one that is away or slow holds up no other. Time is the
clock's that is given, for the next try as well as for claims: a test may let an hour pass at once.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol
from uuid import uuid4

import structlog

from ivrd.core.case_messages import Accepted, CaseMessage, Delivery, NotNow, Refused
from ivrd.db.case_messages import TRANSACTION_S_MAX, Backlog, MessageBook
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.errors import PeerError
from ivrd.handover.destination import Destination
from ivrd.retry import Backoff

AT_ONCE = 4
"""Messages of different cases under way to a destination at the same time."""

LOOK_EVERY = timedelta(seconds=15)
"""Messages may come from another process, such as `ivrd handover resend`."""

LEASE_MARGIN = timedelta(seconds=2 * TRANSACTION_S_MAX)
"""For saying what came of it; then another sender may take a message over."""

LOOK_AGAIN = timedelta(milliseconds=100)
"""Another sender may just have taken what is due."""

AFTER_PERSON = timedelta(minutes=5)
"""The next try where only a person can help, such as with a wrong secret."""

AFTER_MAX = timedelta(hours=1)
"""A destination may ask us to wait, but not for ever."""

DELAYS_MAX = 20
"""Doublings that are reckoned; the slowest delay is reached long before."""

OnAccepted = Callable[[CaseMessage, str], Awaitable[None]]
"""Takes a message, and what its destination calls the case; database trouble may be raised."""

log = structlog.get_logger(__name__)


class SenderClock(Protocol):
    """The time by which messages wait."""

    def now(self) -> datetime:
        """Return the present, aware."""

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        """Return at that time, or when the event is set."""


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        """Return at that time, or when the event is set."""
        try:
            async with asyncio.timeout(max(0.0, (until - self.now()).total_seconds())):
                await wake.wait()
        except TimeoutError:
            return


@dataclass(slots=True)
class Tally:
    """What a destination's sender has done and last seen; read by the metrics."""

    sent: int = 0
    failures: int = 0
    """Tries that came to nothing, and are repeated or given up."""
    died: int = 0
    backlog: Backlog | None = None
    """None until the database was first asked."""
    trouble: str | None = None
    """Why the destination is not reached now; None when it is, or was not yet tried."""


@dataclass(slots=True)
class _Line:
    """One destination under way."""

    destination: Destination
    backoff: Backoff
    tally: Tally = field(default_factory=Tally)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    paused_until: datetime | None = None


class Sender:
    """Sends what waits, for ever."""

    def __init__(
        self,
        book: MessageBook,
        destinations: Sequence[Destination],
        *,
        clock: SenderClock | None = None,
        draw: Callable[[], float] | None = None,
        look_every: timedelta = LOOK_EVERY,
        on_accepted: OnAccepted | None = None,
    ) -> None:
        """Make a sender for these destinations; messages to others stay where they are.

        Args:
            book: The messages.
            destinations: Each with its own name.
            clock: The machine's when None.
            draw: From [0, 1), for jitter; a generator of our own when None.
            look_every: See LOOK_EVERY.
            on_accepted: Told when a destination first says what it calls a case; may be told again.
        """
        self._book = book
        self._clock = clock or WallClock()
        self._draw = draw or random.Random().random
        self._look_every = look_every
        self._on_accepted = on_accepted
        self._owner = uuid4().hex
        self._has_database: bool | None = None
        """None until it was first reached: it may be migrated just now."""
        self._lines = {
            one.name: _Line(
                one,
                Backoff(
                    self._draw,
                    first_s=one.first_delay.total_seconds(),
                    slowest_s=one.slowest_delay.total_seconds(),
                ),
            )
            for one in destinations
        }

    @property
    def tallies(self) -> dict[str, Tally]:
        """What was done, by destination."""
        return {name: line.tally for name, line in self._lines.items()}

    def wake(self) -> None:
        """Look for new messages at once: some were just committed. Never blocks."""
        for line in self._lines.values():
            line.wake.set()

    async def run(self) -> None:
        """Send until cancelled; a message under way is then sent again after its claim has ended.

        What is away, the database or a destination, is waited for.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for name, line in self._lines.items():
                    group.create_task(self._keep_sending(line), name=f"handover-{name}")
        finally:
            for line in self._lines.values():
                await line.destination.adapter.close()

    async def _keep_sending(self, line: _Line) -> None:
        trouble = Backoff(self._draw)
        while True:
            try:
                until = await self._turn(line)
                self._note_database(None)
                trouble.reset()
            except (*DATABASE_ERRORS, PeerError) as error:
                self._note_database(reason_of(error))
                until = self._clock.now() + timedelta(seconds=next(trouble))
            await self._clock.wait(until, line.wake)

    async def _turn(self, line: _Line) -> datetime:
        """Send what is due, and return when to look again."""
        line.wake.clear()
        name, now = line.destination.name, self._clock.now()
        if line.paused_until is None or line.paused_until <= now:
            batch = await self._book.claim(
                name,
                owner=self._owner,
                now=now,
                lease=line.destination.timeout + line.destination.settle + LEASE_MARGIN,
                limit=AT_ONCE if line.paused_until is None else 1,
            )
            if batch:
                await self._send_all(line, batch)
                return self._clock.now()
        line.tally.backlog = await self._book.backlog(name)
        due = await self._book.next_due(name)
        now = self._clock.now()
        if due is None:
            return now + self._look_every
        not_before = max(now + LOOK_AGAIN, line.paused_until or now)
        return min(now + self._look_every, max(due, not_before))

    async def _send_all(self, line: _Line, batch: Sequence[CaseMessage]) -> None:
        async with asyncio.TaskGroup() as group:
            for message in batch:
                group.create_task(self._send(line, message), name=f"handover-{message.key}")

    async def _send(self, line: _Line, message: CaseMessage) -> None:
        delivery = await self._deliver(line.destination, message)
        self._note_peer(line, delivery)
        try:
            await self._settle(line, message, delivery)
        except (*DATABASE_ERRORS, PeerError) as error:
            # Its claim ends by itself, and the key makes a repeat harmless.
            self._note_database(reason_of(error))

    async def _deliver(self, destination: Destination, message: CaseMessage) -> Delivery:
        number = None
        try:
            async with asyncio.timeout(destination.timeout.total_seconds()):
                if destination.number_of is not None:
                    number = await destination.number_of(message)
                return await destination.adapter.send(message, caller_number=number)
        except TimeoutError:
            return NotNow(reason="no answer in time", after=destination.settle, is_peer_away=True)
        except (*DATABASE_ERRORS, PeerError) as error:
            return NotNow(reason=reason_of(error))

    async def _settle(self, line: _Line, message: CaseMessage, delivery: Delivery) -> None:
        tally, now = line.tally, self._clock.now()
        match delivery:
            case Accepted():
                if self._on_accepted and delivery.external_id and not message.external_id:
                    await self._on_accepted(message, delivery.external_id)
                await self._book.note_sent(message, at=now, external_id=delivery.external_id)
                tally.sent += 1
                log.info("case_message_sent", **_facts(message), external_id=delivery.external_id)
            case NotNow() if message.attempts < line.destination.attempts_max:
                tally.failures += 1
                at = now + self._delay(line.destination, message, delivery)
                await self._book.note_failed(
                    message, owner=self._owner, reason=delivery.reason, next_try_at=at
                )
                log.debug("case_message_failed", **_facts(message), reason=delivery.reason)
            case NotNow() | Refused():
                tally.failures += 1
                await self._book.note_dead(message, owner=self._owner, reason=delivery.reason)
                tally.died += 1
                log.error("case_message_died", **_facts(message), reason=delivery.reason)

    def _delay(self, destination: Destination, message: CaseMessage, delivery: NotNow) -> timedelta:
        backoff = Backoff(
            self._draw,
            first_s=destination.first_delay.total_seconds(),
            slowest_s=destination.slowest_delay.total_seconds(),
        )
        *_, delay_s = islice(backoff, min(message.attempts, DELAYS_MAX))
        return max(timedelta(seconds=delay_s), _wished(delivery))

    def _note_peer(self, line: _Line, delivery: Delivery) -> None:
        """Let the others wait while the destination itself is in trouble."""
        if isinstance(delivery, NotNow) and delivery.is_peer_away:
            pause = max(timedelta(seconds=next(line.backoff)), _wished(delivery))
            line.paused_until = self._clock.now() + pause
            if line.tally.trouble is None:
                name = line.destination.name
                log.warning("destination_lost", destination=name, reason=delivery.reason)
            line.tally.trouble = delivery.reason
            return
        line.backoff.reset()
        line.paused_until = None
        if line.tally.trouble is not None:
            log.info("destination_reached", destination=line.destination.name)
        line.tally.trouble = None

    def _note_database(self, reason: str | None) -> None:
        if reason is not None and self._has_database:
            log.warning("handover_stopped", reason=reason)
        if reason is None and self._has_database is False:
            log.info("handover_resumed")
        if reason is None or self._has_database:
            self._has_database = reason is None


def _wished(delivery: NotNow) -> timedelta:
    """Return how long the destination, or the kind of trouble, wants us to wait at least."""
    least = AFTER_PERSON if delivery.needs_person else timedelta()
    return max(least, min(delivery.after or timedelta(), AFTER_MAX))


def _facts(message: CaseMessage) -> dict[str, object]:
    return {
        "destination": message.destination,
        "case_id": message.case_id,
        "version": message.version,
        "kind": message.kind,
        "message_key": message.key,
        "attempts": message.attempts,
    }
