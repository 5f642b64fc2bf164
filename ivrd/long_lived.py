"""Keeps Python's collector from stopping the loop for what lives long.

Here: what the collector need not look through again, and when it looks through everything. Not
here: how long turns take (loop_turns.py), by which this was found.

Python frees nearly everything at once, by counting references. Its collector finds rings of objects
that only refer to each other, and for that it now and then walks through all there is: with 5,000
calls a sixth of a second of CPU, in the middle of a call, in which nobody is answered.

So every SETTLE_EVERY_S the young are collected, which takes a millisecond or two, and whatever
lives then is set aside (`gc.freeze`): it is still freed when nothing refers to it, but no longer
walked through. Rings that die later among these stay until the night, when all is looked through
once. Ours are few: tasks and exceptions, which die young.
"""

import asyncio
import gc
import time
from collections.abc import Callable

SETTLE_EVERY_S = 20.0
"""At 10 calls a second some 20,000 objects: few milliseconds, should the collector walk them."""

NIGHT_HOUR = 3
"""By the machine's clock, when hardly anybody rings."""

WHOLE_EVERY_S = 12 * 3600.0

YOUNG = 1
"""The generations up to this one are collected each time."""


class LongLived:
    """Sets aside what lives long."""

    def __init__(self, *, now_s: Callable[[], float] = time.time) -> None:
        """Do nothing yet.

        Args:
            now_s: The machine's clock, Unix time.
        """
        self._now_s = now_s
        self._whole_at_s = now_s()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set aside what was needed to start, and go on as long as the loop runs."""
        gc.collect()
        gc.freeze()
        self._plan(loop)

    def settle(self) -> bool:
        """Set aside what lives now; return whether all was looked through before."""
        now_s = self._now_s()
        is_night = time.localtime(now_s).tm_hour == NIGHT_HOUR
        is_whole = is_night and now_s - self._whole_at_s >= WHOLE_EVERY_S
        if is_whole:
            self._whole_at_s = now_s
            gc.unfreeze()
            gc.collect()
        else:
            gc.collect(YOUNG)
        gc.freeze()
        return is_whole

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        def settle() -> None:
            self.settle()
            self._plan(loop)

        loop.call_later(SETTLE_EVERY_S, settle)
