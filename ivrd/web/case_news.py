"""News of cases for whoever listens: which have changed, as numbers, many changes as one.

Here: who listens, and what each has still to hear. Not here: what a case looks like now; the page
asks for that again, so a slow listener misses nothing and costs no memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from ivrd.core.case_record import Case, CaseChanged

PENDING_MAX = 500
"""Changed cases that one listener has still to hear of; beyond it, "look at all of them"."""

LISTENERS_MAX = 200
"""Beyond it a stream ends at once, and the page asks now and then instead."""


class _Listener:
    def __init__(self, wants: Callable[[Case], bool]) -> None:
        self.wants = wants
        self.pending: dict[int, int] = {}
        self.is_all = False
        self.has_news = asyncio.Event()


class CaseNews:
    """Passes changes on. A listener of `CaseDesk`."""

    def __init__(self) -> None:
        """Know nobody yet."""
        self._listeners: set[_Listener] = set()
        self._is_closed = False

    def close(self) -> None:
        """End every stream, now and from now on."""
        self._is_closed = True
        for listener in self._listeners:
            listener.has_news.set()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def tell(self, changed: CaseChanged) -> None:
        """Note a change. Never waits."""
        case = changed.case
        for listener in self._listeners:
            if not listener.wants(case):
                continue
            if len(listener.pending) >= PENDING_MAX:
                listener.is_all = True
            else:
                listener.pending[case.case_id] = case.version
            listener.has_news.set()

    async def listen(self, wants: Callable[[Case], bool]) -> AsyncIterator[dict[str, object]]:
        """Yield what has changed, for ever; first that all must be looked at.

        Args:
            wants: Whether the listener may hear of a case.
        """
        if len(self._listeners) >= LISTENERS_MAX:
            return
        listener = _Listener(wants)
        listener.is_all = True
        self._listeners.add(listener)
        try:
            while not self._is_closed:
                cases, is_all = listener.pending, listener.is_all
                listener.pending, listener.is_all = {}, False
                listener.has_news.clear()
                yield {"all": is_all, "versions": {str(key): cases[key] for key in cases}}
                await listener.has_news.wait()
        finally:
            self._listeners.discard(listener)
