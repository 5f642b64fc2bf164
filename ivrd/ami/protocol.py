"""One AMI connection: bytes in, wanted frames and answers out.

Here: an asyncio protocol for panoramisk's Manager (`protocol_factory`), which replaces all of its
own. Not here: what is asked and when (session.py), and what events mean (parse.py).

Asterisk cuts a client that reads slowly, in the middle of an event (ASTERISK.md §C1). So reading
never waits for anything: wanted frames go on one bounded queue, and when that is full they are
lost, which is marked by `lost_frames` and must be followed by a snapshot.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ivrd.ami.frames import BANNER_START, Framer, event_name
from ivrd.ami.parse import WANTED
from ivrd.ami.replies import ACTION_ID, Reply, action_id, reply, value
from ivrd.errors import PeerConfused, PeerError, PeerUnreachable

_Result = TypeVar("_Result")

FRAMES_MAX = 20_000
"""Wanted frames that may wait: about 10 MB, or ten minutes of events at 20 calls/s."""

LIST_ITEMS_MAX = 50_000
"""Items of one list: far more than any PBX has channels, queue members and callers."""

LIST_END = b"\r\nEventList: Complete"

CONTROL_EVENTS = frozenset({b"FullyBooted", b"Shutdown", b"Reload"})
"""Events for the session itself; the last two keep their place among the others."""


@dataclass(slots=True, kw_only=True)
class AmiCounters:
    """What came and went on a PBX's connections since the start; plain numbers that only grow."""

    connects: int = 0
    """Connections that came as far as a snapshot."""
    failures: int = 0
    """Connections, or attempts, that ended in trouble."""
    frames: int = 0
    """All frames received."""
    frames_dropped: int = 0
    """Of these, events that nobody wants."""
    frames_oversized: int = 0
    frames_garbage: int = 0
    """Neither event nor answer."""
    events: int = 0
    """Core events handed on, snapshots and losses included."""
    events_refused: int = 0
    """Wanted events that were broken or had no stamp."""
    events_failed: int = 0
    """Wanted events on which our own parser failed."""
    overflows: int = 0
    """Times that the raw queue was full and events were lost."""
    replies_late: int = 0
    """Answers that came after their deadline, or that nobody had asked for."""
    actions_timed_out: int = 0
    lists_incomplete: int = 0
    """Lists with another number of items than Asterisk says: an item was cut by a forged number."""
    snapshots: int = 0
    moves_asked: int = 0
    moves_refused: int = 0
    pauses_refused: int = 0


class ReceivedFrame(NamedTuple):
    """A wanted event, still raw."""

    name: bytes
    raw: bytes
    received_s: float
    """Our monotonic clock."""


@dataclass(slots=True)
class _Pending:
    future: asyncio.Future[Reply]
    is_list: bool
    start: bytes = b""
    items: list[bytes] = field(default_factory=list)


class AmiProtocol(asyncio.Protocol):
    """Owns framing, filtering, answers and the end of one connection.

    Attributes:
        frames: Wanted events in order, for one reader.
        lost_frames: Events were lost since this was last set to False.
        banner: Resolves to the banner's text, or fails with `PeerConfused`.
        booted: Resolves when FullyBooted came.
        lost: Resolves to the reason, when the connection is gone.
    """

    def __init__(
        self,
        *,
        counters: AmiCounters,
        tap: Callable[[bytes], None] | None = None,
        frames_max: int = FRAMES_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare for one connection, inside a running loop.

        Args:
            counters: Counts for all connections to this PBX.
            tap: Gets every chunk of bytes received, before anything else; must not raise.
            frames_max: Bound of `frames`.
            monotonic: Our clock, in seconds.
        """
        loop = asyncio.get_running_loop()
        self.frames: deque[ReceivedFrame] = deque()
        self.lost_frames = False
        self.banner: asyncio.Future[str] = loop.create_future()
        self.booted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self._counters = counters
        self._tap = tap
        self._frames_max = frames_max
        self._monotonic = monotonic
        self._framer = Framer()
        self._pending: dict[str, _Pending] = {}
        self._arrival = asyncio.Event()
        self._transport: asyncio.WriteTransport | None = None

    # The asyncio side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Sort the frames that are complete; never waits and never raises."""
        if self._tap is not None:
            self._tap(data)
        framer = self._framer
        frames = framer.feed(data)
        if not self.banner.done():
            self._check_banner()
        self._counters.frames += len(frames)
        if framer.oversized_count:
            self._count_oversized()
        received_s = self._monotonic()
        dropped_count = 0
        for raw in frames:
            name = event_name(raw)
            if name is None:
                self._answer(raw)
            elif name in WANTED:
                self._keep(ReceivedFrame(name, raw, received_s))
            elif self._pending or name in CONTROL_EVENTS:
                self._other_event(name, raw, received_s)
            else:
                dropped_count += 1
        self._counters.frames_dropped += dropped_count
        if self.frames:
            self._arrival.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all that waits for this connection."""
        reason = f"connection lost: {exc}" if exc else "connection closed by Asterisk"
        if not self.lost.done():
            self.lost.set_result(reason)
        _fail(self.banner, PeerUnreachable(reason))
        _fail(self.booted, PeerUnreachable(reason))
        for pending in self._pending.values():
            _fail(pending.future, PeerUnreachable(reason))
        self._pending.clear()
        self._arrival.set()

    # The side of panoramisk's Manager.

    def send(self, data: Mapping[str, str], as_list: bool | None = None) -> asyncio.Future[Reply]:
        """Write one action; its values have been checked (actions.py).

        Args:
            data: Headers, ActionID among them.
            as_list: Whether a list follows the answer. None is taken as False, for guessing it from
                the answer's text, as panoramisk does, makes an action that never ends.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            future.set_exception(PeerUnreachable("not connected"))
            return future
        self._pending[data["ActionID"]] = _Pending(future, bool(as_list))
        text = "".join(f"{name}: {text}\r\n" for name, text in data.items())
        self._transport.write(f"{text}\r\n".encode())
        return future

    def close(self) -> None:
        """Close after what was written has gone out."""
        if self._transport is not None:
            self._transport.close()

    # Our own side.

    def abort(self) -> None:
        """Cut the connection without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()

    def forget(self, wanted_id: str) -> None:
        """Stop waiting for an answer; if it still comes, it is counted as late."""
        self._pending.pop(wanted_id, None)

    async def wait_for_frames(self) -> None:
        """Wait until there are frames, or the connection is gone."""
        if not self.frames:
            self._arrival.clear()
            await self._arrival.wait()

    def _check_banner(self) -> None:
        banner = self._framer.banner
        if banner is None:
            return
        if banner.startswith(BANNER_START):
            self.banner.set_result(banner.decode("ascii", "replace"))
        else:
            text = banner[:40].decode("ascii", "backslashreplace")
            _fail(self.banner, PeerConfused(f"this is not AMI; it says {text!r}"))

    def _count_oversized(self) -> None:
        """Count, and take it as lost events: what was thrown away may have been one."""
        self._counters.frames_oversized += self._framer.oversized_count
        self._framer.oversized_count = 0
        self.lost_frames = True
        self._arrival.set()

    def _keep(self, frame: ReceivedFrame) -> None:
        if len(self.frames) >= self._frames_max:
            self._counters.overflows += 1
            self.frames.clear()
            self.lost_frames = True
        self.frames.append(frame)

    def _answer(self, raw: bytes) -> None:
        if not raw.startswith(b"Response: "):
            # Asterisk sometimes writes an empty line too many.
            if raw.strip():
                self._counters.frames_garbage += 1
            return
        answered_id = action_id(raw)
        pending = self._pending.get(answered_id)
        if pending is None or pending.start:
            self._counters.replies_late += 1
        elif pending.is_list and value(raw, b"Response") == "Success":
            pending.start = raw
        else:
            self._resolve(answered_id, reply(raw))

    def _other_event(self, name: bytes, raw: bytes, received_s: float) -> None:
        if name == b"FullyBooted":
            if not self.booted.done():
                self.booted.set_result(None)
        elif name in CONTROL_EVENTS:
            self._keep(ReceivedFrame(name, raw, received_s))
        elif self._pending and ACTION_ID in raw and self._list_item(name, raw):
            return
        else:
            self._counters.frames_dropped += 1

    def _list_item(self, name: bytes, raw: bytes) -> bool:
        """Take an item of a list that is asked for; tell whether it was one.

        ActionID is the first header in some lists and the last in others, and what lies between may
        come from a caller. But no caller can guess an id of ours.
        """
        answered_id = raw.rpartition(ACTION_ID)[2].partition(b"\r\n")[0].decode("ascii", "replace")
        if answered_id not in self._pending:
            answered_id = action_id(raw)
        pending = self._pending.get(answered_id)
        if pending is None or not pending.start:
            return False
        if name.endswith(b"Complete") and LIST_END in raw:
            if value(raw, b"\r\nListItems") != str(len(pending.items)):
                self._counters.lists_incomplete += 1
            self._resolve(answered_id, reply(pending.start, tuple(pending.items)))
        elif len(pending.items) >= LIST_ITEMS_MAX:
            self._pending.pop(answered_id, None)
            _fail(pending.future, PeerConfused("a list of Asterisk's does not end"))
        else:
            pending.items.append(raw)
        return True

    def _resolve(self, answered_id: str, answer: Reply) -> None:
        pending = self._pending.pop(answered_id)
        if not pending.future.done():
            pending.future.set_result(answer)


def _fail(future: asyncio.Future[_Result], error: PeerError) -> None:
    if not future.done():
        future.set_exception(error)
        # Nobody may be waiting for it, which is no fault: asking for it keeps asyncio quiet.
        future.exception()
