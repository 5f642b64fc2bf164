"""Asterisk time: what Asterisk's clock says now, read from our own monotonic clock.

Here: the offset between the two. Not here: timers and sleeping (engine.py), and keeping an event's
time from running backwards (core/tracker.py).

Theory. Asterisk stamps an event, and we receive it some delay later, so `stamp - received` is the
true offset less that delay: never too large. The largest such sample has the smallest delay, and
is the best. A ping bounds the offset on both sides, because its stamp was taken between
sending and receiving: `stamp - received <= offset <= stamp - sent`. An estimate outside these
bounds is moved to the nearer one. That also follows slow drift, and finds a stepped clock in
either direction at the next ping.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

STEP_S_MIN = 0.5
"""A correction from here up is counted as a step; drift between two pings is far less."""

AHEAD_S_MAX = 30.0
"""No event comes from the future; the estimate of the offset is never that wrong."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AsteriskClock:
    """One PBX's clock, as seen from here.

    Until the first stamp it answers with this machine's own wall clock, which a PBX on the same
    machine shares.

    Attributes:
        steps_count: Corrections of STEP_S_MIN seconds or more since the first stamp.
        is_synchronised: A stamp from Asterisk was seen.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take the sources of time.

        Args:
            monotonic: Seconds that never step.
            wall: Seconds since the epoch; read once, here.
        """
        self._monotonic = monotonic
        self._offset_s = wall() - monotonic()
        self.is_synchronised = False
        self.steps_count = 0

    def now(self) -> datetime:
        """Return what Asterisk's clock says now; it may step as that clock does."""
        return _EPOCH + timedelta(seconds=self._monotonic() + self._offset_s)

    def monotonic_at(self, at: datetime) -> float:
        """Return when, on our monotonic clock in seconds, Asterisk's clock says `at`."""
        return (at - _EPOCH).total_seconds() - self._offset_s

    def observe_event(self, at: datetime, received_s: float) -> bool:
        """Learn from an event's stamp; it can only raise the estimate, and only a little.

        A stamp far ahead is left to the next ping, which alone can prove that the clock stepped.

        Args:
            at: The event's stamp.
            received_s: Our monotonic clock when it came.

        Returns:
            False when the stamp lies AHEAD_S_MAX or more ahead: forged, or the clock stepped.
        """
        lowest_s = (at - _EPOCH).total_seconds() - received_s
        if self._offset_s < lowest_s < self._offset_s + STEP_S_MIN or not self.is_synchronised:
            self._correct(lowest_s)
        return lowest_s < self._offset_s + AHEAD_S_MAX

    def observe_ping(self, at: datetime, *, sent_s: float, received_s: float) -> None:
        """Learn from a ping's stamp, which bounds the estimate on both sides.

        Args:
            at: The stamp in the answer.
            sent_s: Our monotonic clock before sending.
            received_s: Our monotonic clock when the answer came.
        """
        stamp_s = (at - _EPOCH).total_seconds()
        if not self.is_synchronised:
            self._correct(stamp_s - received_s)
        elif self._offset_s < stamp_s - received_s:
            self._correct(stamp_s - received_s)
        elif self._offset_s > stamp_s - sent_s:
            self._correct(stamp_s - sent_s)

    def _correct(self, offset_s: float) -> None:
        if self.is_synchronised and abs(offset_s - self._offset_s) >= STEP_S_MIN:
            self.steps_count += 1
        self._offset_s = offset_s
        self.is_synchronised = True
