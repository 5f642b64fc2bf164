"""Changes as they happen, to everybody who watches: server-sent events, rendered once for all.

Here: the stream, its memory, and the bounds on viewers. Not here: what changed and how it looks
(changes.py), and the route (stream.py).

Rules
    1. An event is rendered once, as the bytes that go out; each viewer gets the same bytes.
    2. Events are numbered by a count that begins anew with each start: an id is START-NUMBER.
    3. Who comes back with an id that is still remembered gets what came since. All others first
       get the present (`reset`, then every thing's last state), for nobody can follow changes of
       what they do not know.
    4. A viewer who takes nothing for VIEWER_EVENTS_MAX events is told so (`lagged`) and let go: it
       comes back by itself, and gets the present.
    5. What somebody may not see is left out, by the lines that an event belongs to.
    6. A viewer holds no events, only the number of the last one: what has come since goes out in
       one piece, which is put together once for all who see the same and stand at the same place.
    7. Who comes is told the time (`clock`) before all else, because a state is told when it
       changes: without it a wait of minutes would look as if it began when the viewer came.
    8. Viewers are given something one after the other, VIEWERS_PER_TURN in each turn of the loop:
       who asks something else meanwhile never waits for all of them.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ivrd.access import Deed, Grant, Person

REMEMBERED_MAX = 2_000
"""Events kept for those who come back: some minutes of a busy day, 4 MB at most of the kind."""

VIEWER_EVENTS_MAX = 1_000
"""Events that a viewer may be behind; a browser that is awake takes them within milliseconds."""

PIECE_BYTES = 65_536
"""Sent at once; the server then waits until the viewer has taken most of it."""

PIECES_KEPT_MAX = 32
"""Pieces remembered for viewers who stand where another stood; most stand where all do."""

VIEWERS_MAX = 300
"""At once. A wall board, a supervisor and a guide's page each are one."""

VIEWERS_PER_TURN = 8
"""Served between two looks at the loop's other tasks: each costs some 0.1 ms, and a scrape goes
through half a dozen turns. All that 200 viewers were given in five turns, tried before, made a
scrape beside them twice as slow."""

KEEP_ALIVE_S = 10.0
"""So often each viewer hears that the stream lives, and is asked whether it may still listen."""

RETRY_MS = 2_000
"""So soon a browser comes back by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event, ready to be sent."""

    number: int
    payload: bytes
    deed: Deed
    """What somebody must be allowed to see."""
    lines: frozenset[str] | None
    """To which lines it belongs; None for everybody."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What goes out at once."""

    payload: bytes
    """Empty when all of it is not to be seen."""
    events: int
    last: int
    """The number of the last event that was looked at for it."""


class _Sight:
    """What somebody sees, looked up once for many events."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._scopes: dict[Deed, frozenset[str] | None] = {}

    def __call__(self, change: Change) -> bool:
        """Return whether somebody may see a change."""
        if change.lines is None:
            return self._person.may(change.deed)
        if change.deed not in self._scopes:
            self._scopes[change.deed] = self._person.scope(change.deed)
        scope = self._scopes[change.deed]
        return scope is None or not scope.isdisjoint(change.lines)


class _Viewer:
    """Somebody who watches, and waits for a turn."""

    def __init__(self) -> None:
        self.turn = asyncio.Event()
        self.is_to_hear = False
        """Has heard nothing for KEEP_ALIVE_S."""


class _Turns:
    """Lets viewers go on, so many in each turn of the loop."""

    def __init__(self) -> None:
        self.viewers: dict[_Viewer, None] = {}
        """All who watch, in the order in which they came."""
        self._due: dict[_Viewer, None] = {}
        self._has_news = False
        self._is_going_on = False

    def wake(self) -> None:
        """Let everybody go on, in turns."""
        self._has_news = True
        self._go_on()

    def wake_one(self, viewer: _Viewer) -> None:
        """Let one go on, after those who are due already."""
        self._due[viewer] = None
        self._go_on()

    def leave(self, viewer: _Viewer) -> None:
        """Forget one who has gone."""
        self.viewers.pop(viewer, None)
        self._due.pop(viewer, None)

    def _go_on(self) -> None:
        if not self._is_going_on and (self.viewers or self._due):
            self._is_going_on = True
            asyncio.get_running_loop().call_soon(self._let_some)

    def _let_some(self) -> None:
        if self._has_news:
            self._has_news = False
            self._due |= self.viewers
        for viewer in list(islice(self._due, VIEWERS_PER_TURN)):
            del self._due[viewer]
            viewer.turn.set()
        self._is_going_on = False
        if self._due:
            self._go_on()


class EventStream:
    """Sends changes to viewers.

    Attributes:
        sent: Events handed to viewers.
        lagged: Viewers let go because they took nothing.
        refused: Viewers who came when there was no room.
    """

    def __init__(self, *, start: str, now: Callable[[], datetime]) -> None:
        """Begin with nobody.

        Args:
            start: Names this start in ids, so that an id of an earlier one is not taken for ours.
            now: The time that states are stamped with.
        """
        self._start = start
        self._now = now
        self._number = 0
        self._remembered: deque[Change] = deque(maxlen=REMEMBERED_MAX)
        self._present: dict[tuple[str, str], Change] = {}
        self._turns = _Turns()
        self._pieces: dict[tuple[tuple[Grant, ...], int], _Piece] = {}
        """By what somebody sees, and the last event seen; forgotten at each event."""
        self._presents: dict[tuple[Grant, ...], Sequence[bytes]] = {}
        """By what somebody sees; forgotten at each event."""
        self._is_closed = False
        self.sent = 0
        self.lagged = 0
        self.refused = 0

    @property
    def viewers(self) -> int:
        """How many watch now."""
        return len(self._turns.viewers)

    @property
    def has_room(self) -> bool:
        """Whether one more may watch."""
        return self.viewers < VIEWERS_MAX

    def publish(
        self,
        kind: str,
        key: str,
        text: str,
        *,
        deed: Deed,
        lines: frozenset[str] | None,
        is_state: bool = True,
    ) -> bool:
        """Tell everybody of a change; return whether it was one.

        Args:
            kind: The event's name, such as "queue".
            key: Of which thing; the last event of each is the present.
            text: One line of JSON.
            deed: What a viewer must be allowed to see.
            lines: To which lines it belongs; None for everybody.
            is_state: False for what happened once, and is no thing's state.
        """
        body = f"event: {kind}\ndata: {text}\n\n".encode()
        if is_state:
            known = self._present.get((kind, key))
            if known is not None and known.payload.partition(b"\n")[2] == body:
                return False
        self._number += 1
        payload = b"id: %s-%d\n" % (self._start.encode(), self._number) + body
        change = Change(number=self._number, payload=payload, deed=deed, lines=lines)
        if is_state:
            self._present[(kind, key)] = change
        self._remembered.append(change)
        self._forget_pieces()
        self._turns.wake()
        return True

    def forget(self, kind: str, key: str, *, deed: Deed, lines: frozenset[str] | None) -> None:
        """Tell everybody that a thing is gone."""
        if self._present.pop((kind, key), None) is not None:
            text = json.dumps({"kind": kind, "key": key})
            self.publish("gone", key, text, deed=deed, lines=lines, is_state=False)

    def keys(self, kind: str) -> list[str]:
        """Return the things of a kind whose state is known."""
        return [key for known, key in self._present if known == kind]

    def close(self) -> None:
        """Let everybody go, as at the end; they come back to whoever listens then."""
        self._is_closed = True
        for viewer in self._turns.viewers:
            viewer.turn.set()

    async def watch(
        self, person: Callable[[], Person | None], *, last_id: str | None
    ) -> AsyncIterator[bytes]:
        """Yield what one viewer gets, until the viewer goes, lags, or may not listen any more.

        Args:
            person: Who watches, with the rights of this moment; None: nobody any more.
            last_id: The last event that the viewer got; None for a new one.
        """
        watcher = person()
        if watcher is None or not self.has_room:
            return
        # In one step: what changes from now on comes after it.
        beginning, seen = self._beginning(watcher, last_id)
        viewer = _Viewer()
        self._turns.viewers[viewer] = None
        try:
            # A state may be minutes old: by this its reader can tell how old.
            told = json.dumps({"at": self._now().isoformat()}).encode()
            yield b"retry: %d\n\nevent: clock\ndata: %s\n\n" % (RETRY_MS, told)
            for payload in beginning:
                await self._turn(viewer)
                yield payload
            async for payload in self._live(seen, person, watcher, viewer):
                yield payload
        finally:
            self._turns.leave(viewer)

    async def _turn(self, viewer: _Viewer) -> None:
        """Wait until others have had theirs."""
        viewer.turn.clear()
        self._turns.wake_one(viewer)
        await viewer.turn.wait()

    def _beginning(self, watcher: Person, last_id: str | None) -> tuple[Sequence[bytes], int]:
        """Return what comes before the changes, and the last event that is in it; see rule 3."""
        missed = self._missed(last_id)
        if missed is not None:
            return (), missed
        present = self._presents.get(watcher.grants)
        if present is None:
            present = self._presents[watcher.grants] = tuple(self._present_of(watcher))
        return present, self._number

    def _present_of(self, watcher: Person) -> Iterator[bytes]:
        """Yield the last state of each thing, in pieces."""
        sees = _Sight(watcher)
        event_id = b"id: %s-%d\n" % (self._start.encode(), self._number)
        yield event_id + b"event: reset\ndata: {}\n\n"
        some: list[bytes] = []
        size = 0
        for change in filter(sees, self._present.values()):
            some.append(change.payload)
            size += len(change.payload)
            if size >= PIECE_BYTES:
                yield b"".join(some)
                some, size = [], 0
        some.append(
            b"id: %s-%d\nevent: present\ndata: {}\n\n" % (self._start.encode(), self._number)
        )
        yield b"".join(some)

    async def _live(
        self, seen: int, person: Callable[[], Person | None], watcher: Person, viewer: _Viewer
    ) -> AsyncIterator[bytes]:
        """Yield what comes.

        Args:
            seen: The last event that the viewer has.
            person: As in `watch`.
            watcher: Who it is.
            viewer: Who is told when there is something.
        """
        waking = self._wake_later(viewer)
        try:
            while not self._is_closed:
                viewer.turn.clear()
                while seen < self._number:
                    if self._number - seen > VIEWER_EVENTS_MAX:
                        self.lagged += 1
                        yield b"event: lagged\ndata: {}\n\n"
                        return
                    piece = self._piece(watcher, seen)
                    seen = piece.last
                    if piece.payload:
                        self.sent += piece.events
                        yield piece.payload
                if viewer.is_to_hear:
                    # A comment would do for the connection; an event tells the page that we live.
                    yield b"event: heartbeat\ndata: {}\n\n"
                    waking, present = self._wake_later(viewer), person()
                    if present is None:
                        yield b"event: signed-out\ndata: {}\n\n"
                        return
                    if present.grants != watcher.grants:
                        # More or less is seen from now on: the viewer comes back without an id, as
                        # this empty one lets it, and gets all of it.
                        yield b"id\nevent: heartbeat\ndata: {}\n\n"
                        return
                if seen < self._number or self._is_closed:
                    continue  # Something came while the viewer took what was yielded.
                await viewer.turn.wait()
        finally:
            waking.cancel()

    def _wake_later(self, viewer: _Viewer) -> asyncio.TimerHandle:
        """Let a viewer hear that the stream lives, in KEEP_ALIVE_S."""

        def wake() -> None:
            viewer.is_to_hear = True
            self._turns.wake_one(viewer)

        viewer.is_to_hear = False
        return asyncio.get_running_loop().call_later(KEEP_ALIVE_S, wake)

    def _piece(self, watcher: Person, seen: int) -> _Piece:
        """Return what a viewer gets next who has seen so far."""
        key = (watcher.grants, seen)
        piece = self._pieces.get(key)
        if piece is None:
            if len(self._pieces) >= PIECES_KEPT_MAX:
                self._pieces.clear()
            piece = self._pieces[key] = self._put_together(watcher, seen)
        return piece

    def _put_together(self, watcher: Person, seen: int) -> _Piece:
        sees = _Sight(watcher)
        payloads: list[bytes] = []
        size, last = 0, seen
        # The numbers of those remembered have no gap.
        first = len(self._remembered) - (self._number - seen)
        for change in islice(self._remembered, first, None):
            last = change.number
            if sees(change):
                payloads.append(change.payload)
                size += len(change.payload)
                if size >= PIECE_BYTES:
                    break
        return _Piece(b"".join(payloads), len(payloads), last)

    def _forget_pieces(self) -> None:
        if self._pieces:
            self._pieces.clear()
        if self._presents:
            self._presents.clear()

    def _missed(self, last_id: str | None) -> int | None:
        """Return the number of an id after which all is remembered; None for any other."""
        start, _, number = (last_id or "").rpartition("-")
        if start != self._start or not (number.isascii() and number.isdigit()):
            return None
        last = int(number[:18])
        oldest = self._remembered[0].number if self._remembered else self._number + 1
        if not oldest - 1 <= last <= self._number or self._number - last > VIEWER_EVENTS_MAX:
            return None
        return last
