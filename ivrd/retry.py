"""Back-off with jitter, as a pure sequence of delays.

Here: arithmetic. Not here: sleeping, clocks, and the choice of what to retry (each adapter's own).
Used by AMI, MQTT and the database.
"""

from collections.abc import Callable, Iterator

FIRST_DELAY_S = 0.5
"""The usual first delay: a restarted peer on the same machine is back within a second or two."""

SLOWEST_DELAY_S = 30.0
"""The usual ceiling: a peer that comes back is noticed within half a minute."""

GROWTH = 2.0
"""Each nominal delay is this many times the one before."""

JITTER = 0.5
"""A delay is drawn from the upper half of its nominal value, so that daemons do not keep step."""


class Backoff(Iterator[float]):
    """An endless sequence of delays in seconds: growing, jittered, bounded.

    A delay lies in (nominal * (1 - JITTER), nominal]; the nominal grows by GROWTH to `slowest_s`.

    Example:
        >>> backoff = Backoff(random=lambda: 0.0, first_s=1.0, slowest_s=5.0)
        >>> [next(backoff) for _ in range(4)]
        [1.0, 2.0, 4.0, 5.0]
        >>> backoff.reset()
        >>> backoff.slow_down()
        >>> next(backoff)
        5.0
    """

    def __init__(
        self,
        random: Callable[[], float],
        *,
        first_s: float = FIRST_DELAY_S,
        slowest_s: float = SLOWEST_DELAY_S,
    ) -> None:
        """Start at the first delay.

        Args:
            random: Draws from [0, 1), such as `random.Random().random`.
            first_s: Nominal first delay, seconds.
            slowest_s: Ceiling, seconds.
        """
        self._random = random
        self._first_s = min(first_s, slowest_s)
        self._slowest_s = slowest_s
        self._nominal_s = self._first_s

    def __next__(self) -> float:
        nominal_s = self._nominal_s
        self._nominal_s = min(nominal_s * GROWTH, self._slowest_s)
        return nominal_s * (1.0 - JITTER * self._random())

    def reset(self) -> None:
        """Begin again at the first delay: the peer is well."""
        self._nominal_s = self._first_s

    def slow_down(self) -> None:
        """Go to the slowest delay at once: trying again soon can cure nothing (bad credentials)."""
        self._nominal_s = self._slowest_s
