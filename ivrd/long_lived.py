"""Keeps Python's collector from stopping the loop for what lives long.

Here: what the collector need not look through again, and when it looks through everything. Not
here: how long turns take (loop_turns.py), by which this was found.

Python frees nearly everything at once, by counting references. Its collector finds rings of objects
that only refer to each other, and for that it now and then walks through all there is: with 5,000
calls a sixth of a second of CPU, in the middle of a call, in which nobody is answered.

So every SETTLE_EVERY_S the young are collected, which takes a millisecond or two, and whatever
lives then is set aside (`gc.freeze`): it is still freed when nothing refers to it, but no longer
walked through. Rings that die later among these stay: a connection that was open then leaves half a
kilobyte, a viewer of /api/events 14. So all is looked through once a night, and by day when so
much has gathered that memory matters more than one stall.
"""

import asyncio
import gc
import time
from collections.abc import Callable

SETTLE_EVERY_S = 60.0
"""At 10 calls a second some 30,000 objects: some milliseconds, should the collector walk them."""

GATHERED_MAX = 500_000
"""Objects beyond those of the last time that all was looked through: some 60 MB. Twice what 5,000
calls are, and what half a million connections leave."""

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
        self._known = gc.get_freeze_count()
        """Objects set aside when all had been looked through."""

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set aside what was needed to start, and go on as long as the loop runs."""
        self._look_through()
        self._plan(loop)

    def settle(self) -> bool:
        """Set aside what lives now; return whether all was looked through before."""
        now_s = self._now_s()
        is_night = time.localtime(now_s).tm_hour == NIGHT_HOUR
        is_whole = is_night and now_s - self._whole_at_s >= WHOLE_EVERY_S
        gc.collect(YOUNG)
        gc.freeze()
        if is_whole or gc.get_freeze_count() - self._known > GATHERED_MAX:
            self._whole_at_s = now_s
            self._look_through()
            return True
        return False

    def _look_through(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._known = gc.get_freeze_count()

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        def settle() -> None:
            self.settle()
            self._plan(loop)

        loop.call_later(SETTLE_EVERY_S, settle)
