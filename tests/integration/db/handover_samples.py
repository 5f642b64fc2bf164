"""Messages, destinations and a clock for the tests of handing over."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.core.case_messages import MessageState
from ivrd.db.case_message_desk import MessageDesk, MessageLine
from ivrd.db.case_messages import MessageBook, write_message
from ivrd.handover.destination import Adapter, Destination
from ivrd.handover.file_drop import FileDrop
from ivrd.handover.http_client import HttpClient
from ivrd.handover.sender import Sender
from ivrd.handover.signing import new_secret
from ivrd.handover.webhook import Webhook
from tests.integration.db.samples import AT, PBX, WITHIN_S, a_call_id
from tests.lab.http_server import HttpServer

SECRET = new_secret()

ENOUGH = timedelta(seconds=20)
"""For an answer over loopback, on a machine that does much else."""

SHORT = timedelta(milliseconds=400)
"""For waiting in vain, where a try that ends too early does no harm."""

KINDS = ("handed_over", "noted", "closed")


class SwiftClock:
    """A clock that stands while anybody works, and jumps when all wait for a time."""

    def __init__(self, *, waiters: int = 1) -> None:
        """Let time go on when so many wait: one for each destination."""
        self.at = AT + timedelta(days=1)
        self.alarms: list[tuple[datetime, Callable[[], Awaitable[None]]]] = []
        """What happens at which time."""
        self._waiters = waiters
        self._waiting: dict[object, datetime] = {}

    def now(self) -> datetime:
        return self.at

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        me = object()
        self._waiting[me] = until
        try:
            while not wake.is_set() and self.at < until:
                await asyncio.sleep(0.001)
                if len(self._waiting) == self._waiters and until == min(self._waiting.values()):
                    self.at = max(self.at, until)
                    await self._ring()
        finally:
            del self._waiting[me]

    async def _ring(self) -> None:
        for alarm in [alarm for alarm in self.alarms if alarm[0] <= self.at]:
            self.alarms.remove(alarm)
            await alarm[1]()


def a_case_key(case_id: int) -> str:
    return f"{a_call_id(case_id)}/resolved-by-guide"


async def write(
    engine: AsyncEngine, case_id: int, version: int = 1, *, destination: str = "tekniska"
) -> None:
    """Write one message of a case, as its change does."""
    kind = KINDS[min(version, len(KINDS)) - 1]
    fields = {1: ["state"], 2: ["note"]}.get(version, ["state"])
    payload = {
        "case": {
            "key": a_case_key(case_id),
            "case_id": case_id,
            "system": PBX,
            "department": "teknisk",
            "label": "va-lacka",
            "note": f"Vattenläcka, version {version}",
            "answered_at": AT.isoformat(),
        },
        "change": {"kind": kind, "version": version, "fields": fields},
    }
    async with engine.begin() as connection:
        await write_message(
            connection,
            destination=destination,
            case_id=case_id,
            version=version,
            kind=kind,
            case_key=a_case_key(case_id),
            payload=payload,
            at=AT + timedelta(seconds=version),
        )


def a_destination(
    adapter: Adapter,
    *,
    name: str = "tekniska",
    attempts_max: int = 1000,
    timeout: timedelta = ENOUGH,
    settle: timedelta = timedelta(),
) -> Destination:
    return Destination(
        name=name,
        adapter=adapter,
        timeout=timeout,
        attempts_max=attempts_max,
        first_delay=timedelta(seconds=2),
        slowest_delay=timedelta(minutes=5),
        settle=settle,
    )


def a_webhook(server: HttpServer, *secrets: str) -> Webhook:
    client = HttpClient(ca_file=None, timeout_s=ENOUGH.total_seconds())
    return Webhook(client, url=f"{server.url}/arenden", secrets=secrets or (SECRET,))


def a_file_drop(directory: Path) -> FileDrop:
    directory.mkdir(exist_ok=True)
    return FileDrop(directory)


@contextlib.asynccontextmanager
async def sending(
    engine: AsyncEngine, *destinations: Destination, clock: SwiftClock | None = None
) -> AsyncIterator[Sender]:
    """Let a sender run while the body does; real time only without a clock."""
    sender = Sender(
        MessageBook(engine),
        destinations,
        clock=clock,
        draw=lambda: 0.5,
        look_every=timedelta(seconds=5 if clock is None else 120),
    )
    task = asyncio.create_task(sender.run(), name="sender")
    try:
        yield sender
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def all_are(engine: AsyncEngine, *states: MessageState) -> list[MessageLine]:
    """Wait until every message is in one of these states, and return them."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = list(await MessageDesk(engine).messages(states=tuple(MessageState)))
        if found and all(one.state in states for one in found):
            return found
        if time.monotonic() > deadline:
            told = [(one.case_id, one.version, one.state, one.last_error) for one in found]
            pytest.fail(f"not within {WITHIN_S} s: {told}")
        await asyncio.sleep(0.02)
