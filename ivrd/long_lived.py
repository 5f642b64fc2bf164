"""Keeps Python's collector from stopping the loop for what lives long.

Here: what the collector need not look through again, and when it looks through everything. Not
here: how long turns take (loop_turns.py), by which this was found.

Python frees nearly everything at once, by counting references. Its collector finds rings of objects
that only refer to each other, and for that it now and then walks through all there is: with 5,000
calls a sixth of a second of CPU, in the middle of a call, in which nobody is answered.

So whatever has lived through one whole walk is set aside (`gc.freeze`): it is still freed when
nothing refers to it, but no longer walked through. Each walk then is through what came since the
one before: some ten thousands of objects, 3 to 5 ms. (To set aside by a clock, tried before, left
all that 200 boards brought to three walks of 50 ms, until the next minute.) Rings that die later
among these stay: a connection that was open then leaves half a kilobyte, a viewer of /api/events
14. So all is looked through once a night, and by day when so much has gathered that memory matters
more than one stall.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping

CHECK_EVERY_S = 1800.0
"""How much has gathered is counted so often: that walks through all, too, and takes 20 ms. 60 MB
would be 4,000 viewers who come and go between."""

GATHERED_MAX = 500_000
"""Objects beyond those of the last time that all was looked through: some 60 MB. Twice what 5,000
calls are, and what half a million connections leave."""

NIGHT_HOUR = 3
"""By the machine's clock, when hardly anybody rings."""

WHOLE_EVERY_S = 12 * 3600.0

OLDEST = 2
"""The generation that a whole walk is of."""

YOUNGER_WALKS = 4
"""After so many of what is younger comes a whole one: some 30,000 objects at most. With Python's
own 10, the one after 200 boards had come took 40 ms; each object is walked through as often."""


class LongLived:
    """Sets aside what lives long, from `begin` to `end`."""

    def __init__(self, *, now_s: Callable[[], float] = time.time) -> None:
        """Do nothing yet.

        Args:
            now_s: The machine's clock, Unix time.
        """
        self._now_s = now_s
        self._whole_at_s = now_s()
        self._known = gc.get_freeze_count()
        """Objects set aside when all had been looked through."""
        self._thresholds = gc.get_threshold()

    def begin(self) -> None:
        """Set aside what was needed to start: before the loop turns, when nobody waits for it."""
        self._look_through()
        gc.set_threshold(*self._thresholds[:2], YOUNGER_WALKS)
        gc.callbacks.append(self._walked)

    def end(self) -> None:
        """Set nothing more aside."""
        gc.callbacks.remove(self._walked)
        gc.set_threshold(*self._thresholds)

    def keep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Check, as long as the loop runs."""

        def check() -> None:
            self.check()
            self.keep(loop)

        loop.call_later(CHECK_EVERY_S, check)

    def check(self) -> bool:
        """Look through all when it is time, or when much has gathered; return whether it was so."""
        now_s = self._now_s()
        is_night = time.localtime(now_s).tm_hour == NIGHT_HOUR
        is_whole = is_night and now_s - self._whole_at_s >= WHOLE_EVERY_S
        if is_whole or gc.get_freeze_count() - self._known > GATHERED_MAX:
            self._whole_at_s = now_s
            self._look_through()
            return True
        return False

    def _walked(self, phase: str, info: Mapping[str, int]) -> None:
        """See that the collector walked; what is left then, lives."""
        if phase == "stop" and info["generation"] == OLDEST:
            gc.freeze()

    def _look_through(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._known = gc.get_freeze_count()
