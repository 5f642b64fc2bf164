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
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from ivrd.access import Deed, Person

REMEMBERED_MAX = 2_000
"""Events kept for those who come back: some minutes of a busy day, 2 MB at most of the kind."""

VIEWER_EVENTS_MAX = 500
"""Events that may wait for one viewer; a browser that is awake takes them within milliseconds."""

VIEWERS_MAX = 300
"""At once. A wall board, a supervisor and a guide's page each are one."""

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

    def is_for(self, person: Person) -> bool:
        """Return whether somebody may see it."""
        if self.lines is None:
            return person.may(self.deed)
        return person.sees(self.deed, self.lines)


@dataclass(slots=True)
class _Viewer:
    waiting: deque[Change]
    wake: asyncio.Event
    is_lost: bool = False


class EventStream:
    """Sends changes to viewers.

    Attributes:
        sent: Events handed to viewers.
        lagged: Viewers let go because they took nothing.
        refused: Viewers who came when there was no room.
    """

    def __init__(self, *, start: str) -> None:
        """Begin with nobody.

        Args:
            start: Names this start in ids, so that an id of an earlier one is not taken for ours.
        """
        self._start = start
        self._number = 0
        self._remembered: deque[Change] = deque(maxlen=REMEMBERED_MAX)
        self._present: dict[tuple[str, str], Change] = {}
        self._viewers: list[_Viewer] = []
        self._is_closed = False
        self.sent = 0
        self.lagged = 0
        self.refused = 0

    @property
    def viewers(self) -> int:
        """How many watch now."""
        return len(self._viewers)

    @property
    def has_room(self) -> bool:
        """Whether one more may watch."""
        return len(self._viewers) < VIEWERS_MAX

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
        for viewer in self._viewers:
            self._hand(viewer, change)
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
        for viewer in self._viewers:
            viewer.wake.set()

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
        viewer = _Viewer(waiting=deque(), wake=asyncio.Event())
        # In one step: what changes from now on waits for this viewer.
        beginning = self._beginning(watcher, last_id)
        self._viewers.append(viewer)
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            for payload in beginning:
                yield payload
            async for payload in self._live(viewer, person, watcher):
                yield payload
        finally:
            self._viewers.remove(viewer)

    def _beginning(self, watcher: Person, last_id: str | None) -> list[bytes]:
        """Return what comes before the changes; see rule 3. All at once: nothing comes between."""
        missed = self._missed(last_id)
        if missed is not None:
            return [change.payload for change in missed if change.is_for(watcher)]
        head = b"id: %s-%d\nevent: reset\ndata: {}\n\n" % (self._start.encode(), self._number)
        return [
            head,
            *(change.payload for change in self._present.values() if change.is_for(watcher)),
            b"id: %s-%d\nevent: present\ndata: {}\n\n" % (self._start.encode(), self._number),
        ]

    async def _live(
        self, viewer: _Viewer, person: Callable[[], Person | None], watcher: Person
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        while not self._is_closed:
            while viewer.waiting:
                change = viewer.waiting.popleft()
                if change.is_for(watcher):
                    self.sent += 1
                    yield change.payload
            if viewer.is_lost:
                yield b"event: lagged\ndata: {}\n\n"
                return
            if loop.time() - asked_at >= KEEP_ALIVE_S:
                # A comment would do for the connection; an event tells the page that we live.
                yield b"event: heartbeat\ndata: {}\n\n"
                asked_at, present = loop.time(), person()
                if present is None:
                    yield b"event: signed-out\ndata: {}\n\n"
                    return
                if present.grants != watcher.grants:
                    # More or less is seen from now on: the viewer comes back without an id, as
                    # this empty one lets it, and gets all of it.
                    yield b"id\nevent: heartbeat\ndata: {}\n\n"
                    return
            viewer.wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(asked_at + KEEP_ALIVE_S - loop.time()):
                    await viewer.wake.wait()

    def _missed(self, last_id: str | None) -> list[Change] | None:
        """Return what came after an id; None when nobody knows any more."""
        start, _, number = (last_id or "").rpartition("-")
        if start != self._start or not (number.isascii() and number.isdigit()):
            return None
        last = int(number[:18])
        oldest = self._remembered[0].number if self._remembered else self._number + 1
        if not oldest - 1 <= last <= self._number:
            return None
        return [change for change in self._remembered if change.number > last]

    def _hand(self, viewer: _Viewer, change: Change) -> None:
        if viewer.is_lost:
            return
        if len(viewer.waiting) >= VIEWER_EVENTS_MAX:
            viewer.is_lost = True
            viewer.waiting.clear()
            self.lagged += 1
        else:
            viewer.waiting.append(change)
        viewer.wake.set()
