"""How long the event loop is away from its peers: its longest turns, and those that are too long.

Here: a selector that takes the time between two looks at the sockets, which is one turn of the
loop: every callback that was ready. Two clocks tell whose fault a long turn is: on a crowded
machine the wall clock alone goes on. Costs about a microsecond a turn. Not here: what to do about a
loop that stands still, which is the watchdog's (notify.py).

A task that sleeps and looks how late it wakes would cost wake-ups when nothing is to do, and sees
only the part of a stall that lies after its time; asyncio's debug mode takes the time of each
callback, and makes all of them slow.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping

STALL_S = 0.05
"""A turn beyond it is a stall: nobody was answered for so long."""

WINDOW_S = 60.0
"""The longest turn is forgotten after one to two of these, whoever has read it."""

WALL, CPU = "wall", "cpu"


class LoopTurns:
    """The turns of one event loop."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """Know of no turn yet.

        Args:
            wall: Seconds that never step.
            cpu: Seconds that the loop's thread has worked; it does not while it waits for sockets,
                so one reading a turn is enough.
        """
        self._wall = wall
        self._cpu = cpu
        self._began_s = self._window_began_s = wall()
        self._cpu_s = cpu()
        self._longest = {WALL: 0.0, CPU: 0.0}
        self._longest_before = dict(self._longest)
        self._stalls = {WALL: 0, CPU: 0}

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop whose turns are noted; for `asyncio.Runner`."""
        self._began_s, self._cpu_s = self._wall(), self._cpu()
        return asyncio.SelectorEventLoop(_Selector(self))

    def stalls(self) -> Mapping[tuple[str, ...], float]:
        """Return how many turns were stalls, by clock."""
        return {(clock,): count for clock, count in self._stalls.items()}

    def longest(self) -> Mapping[tuple[str, ...], float]:
        """Return the seconds of the longest turn in the last minute or two, by clock."""
        before = self._longest_before
        return {(clock,): max(took_s, before[clock]) for clock, took_s in self._longest.items()}

    def begin(self) -> None:
        """Note that a turn begins."""
        self._began_s = self._wall()

    def end(self) -> None:
        """Note that the turn is over."""
        now_s, cpu_s = self._wall(), self._cpu()
        took_s, worked_s = now_s - self._began_s, cpu_s - self._cpu_s
        self._cpu_s = cpu_s
        if took_s > self._longest[WALL]:
            self._longest[WALL] = took_s
        if worked_s > self._longest[CPU]:
            self._longest[CPU] = worked_s
        if took_s > STALL_S:
            self._stalls[WALL] += 1
            self._stalls[CPU] += worked_s > STALL_S
        if now_s - self._window_began_s >= WINDOW_S:
            self._window_began_s = now_s
            self._longest_before, self._longest = self._longest, {WALL: 0.0, CPU: 0.0}


class _Selector(selectors.DefaultSelector):
    """Waits for sockets like its parent, and tells when it was asked and when it answered."""

    def __init__(self, turns: LoopTurns) -> None:
        super().__init__()
        self._turns = turns

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._turns.end()
        ready = super().select(timeout)
        self._turns.begin()
        return ready
