"""How often somebody may ask: a bucket of tokens for each.

Here: the arithmetic, and the bound on how many are remembered. Not here: whom it is asked for.
"""

from collections import OrderedDict
from dataclasses import dataclass

BUCKETS_MAX = 10_000
"""Callers remembered at once, some 2 MB; the longest silent is forgotten, and begins anew."""

MINUTE_S = 60.0


@dataclass(slots=True)
class _Bucket:
    level: float
    at_s: float


class RateLimit:
    """So many requests a minute for each key, and as many at once after a rest."""

    def __init__(self, per_minute: int) -> None:
        """Begin with everybody rested."""
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        """Return 0 when one more request is granted, else in how many seconds it will be.

        Args:
            key: Who asks.
            now_s: A clock that never goes back.
        """
        bucket = self._filled(key, now_s)
        if bucket.level >= 1.0:
            bucket.level -= 1.0
            return 0.0
        return (1.0 - bucket.level) / self._rate

    def charge(self, key: str, now_s: float, cost: float) -> None:
        """Count a request for more than one, afterwards; at most a minute's wait comes of it."""
        bucket = self._filled(key, now_s)
        bucket.level = max(-float(self.per_minute), bucket.level - cost)

    @property
    def _rate(self) -> float:
        return self.per_minute / MINUTE_S

    def _filled(self, key: str, now_s: float) -> _Bucket:
        """Return somebody's bucket as it is by now."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(self.per_minute), now_s)
            if len(self._buckets) > BUCKETS_MAX:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        grown = bucket.level + max(0.0, now_s - bucket.at_s) * self._rate
        bucket.level, bucket.at_s = min(float(self.per_minute), grown), now_s
        return bucket
