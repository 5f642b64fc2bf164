"""How long callers stay, told from those who left and from those who were answered first.

Of a caller who hung up we know the patience: the wait. Of one who was answered we know only that
it was longer. To look at the hang-ups alone would make everybody impatient: the patient ones are
answered. Kaplan and Meier's estimate uses both: at each wait after which somebody left, the share
who left of those who had waited so long.

The limits
    1. Beyond the longest wait after which anybody left, nothing was seen. There callers are taken
       to leave at the pace of the whole day, leaves per time waited: an exponential tail.
    2. Patience is taken not to depend on what is heard (a place in line, an offer to be called
       back), on the hour, or on the queue that a caller is moved to.
    3. Nobody left: then nobody ever does.
    4. Who left by a key or a time-out was patient until then: as answered.

Here: the estimate, and drawing from it by a chance that is given. Not here: chance itself.

Source:
    Kaplan, Meier: Nonparametric Estimation from Incomplete Observations (1958); Brown et al.:
    Statistical Analysis of a Telephone Call Center (2005), section 5, on using it for patience.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One caller's wait."""

    wait: timedelta
    has_left: bool
    """False: answered, or gone by other means, and would have stayed longer."""


class Patience:
    """The share of callers who stay so long, as a curve."""

    __slots__ = ("_rate_per_s", "_stays", "_waits", "leaves")

    def __init__(self, watched: Iterable[Watched]) -> None:
        """Make the estimate."""
        callers = list(watched)
        leaves = Counter(caller.wait for caller in callers if caller.has_left)
        every = sorted(caller.wait for caller in callers)
        self.leaves = sum(leaves.values())
        """How many left: what the estimate rests on."""
        self._waits = [_NOTHING]
        self._stays = [1.0]
        for wait in sorted(leaves):
            still_there = len(every) - bisect_left(every, wait)
            self._waits.append(wait)
            self._stays.append(self._stays[-1] * (1 - leaves[wait] / still_there))
        waited = sum(every, _NOTHING)
        self._rate_per_s = self.leaves / waited.total_seconds() if waited else 0.0

    def staying(self, wait: timedelta) -> float:
        """Return the share who stay longer than a wait.

        >>> told = [Watched(wait=timedelta(seconds=n), has_left=n != 20) for n in (10, 20, 30)]
        >>> [round(Patience(told).staying(timedelta(seconds=n)), 3) for n in (5, 15, 25)]
        [1.0, 0.667, 0.667]
        """
        last = self._waits[-1]
        if wait > last:
            return self._stays[-1] * math.exp(-self._rate_per_s * (wait - last).total_seconds())
        return self._stays[bisect_right(self._waits, wait) - 1]

    def draw(self, *, over: timedelta, chance: float) -> timedelta | None:
        """Return how long a caller stays who is known to stay longer than `over`.

        Between two waits after which somebody left, all lengths are taken for as likely.

        Args:
            over: Zero for a caller of whom nothing is known.
            chance: From 0 up to 1, all as likely.

        Returns:
            None for a caller who never leaves.
        """
        if not self.leaves:
            return None
        stays_now = self.staying(over)
        wanted = stays_now * (1 - chance)
        if over < self._waits[-1] and wanted >= self._stays[-1]:
            return self._between(over, stays_now, wanted)
        begin = max(over, self._waits[-1])
        stays_then = stays_now if over >= self._waits[-1] else self._stays[-1]
        if wanted <= 0.0 or stays_then <= 0.0:
            return begin
        further = math.log(stays_then / wanted) / self._rate_per_s
        return begin + timedelta(seconds=further)

    def _between(self, over: timedelta, stays_now: float, wanted: float) -> timedelta:
        """Return the wait, not beyond the last one seen, that just the wanted share outlasts."""
        before, above = over, stays_now
        for at in range(bisect_right(self._waits, over), len(self._waits)):
            if self._stays[at] <= wanted:
                part = (above - wanted) / (above - self._stays[at])
                return before + (self._waits[at] - before) * part
            before, above = self._waits[at], self._stays[at]
        return self._waits[-1]
