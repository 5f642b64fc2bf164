"""Counting for Prometheus: what one metric holds, and how it is shown.

Here: counters and histograms as plain integers in dictionaries. Not here: which there are
(metric_families.py) and what counts as what (metrics.py).
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import inf

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from ivrd.metric_families import FAMILIES, Labels

LABEL_SETS_MAX = 2_000
"""Per metric. All queues of a county with every disposition are some hundreds; names from the wire
(a queue nobody configured, a menu's outcome) must not fill the memory of whoever stores them."""


class Tally:
    """One counter: a whole number per set of label values."""

    __slots__ = ("_counts", "name", "refused")

    def __init__(self, name: str) -> None:
        self.name = name
        self.refused = 0
        """Steps not counted because there were too many label sets."""
        self._counts: dict[Labels, int] = {}

    def add(self, values: Labels) -> None:
        """Count one."""
        counts = self._counts
        count = counts.get(values)
        if count is not None:
            counts[values] = count + 1
        elif len(counts) < LABEL_SETS_MAX:
            counts[values] = 1
        else:
            self.refused += 1

    def expect(self, values: Labels) -> None:
        """Show a zero before the first step: so that a rate sees that step too."""
        self._counts.setdefault(values, 0)

    def totals(self) -> Sequence[object]:
        """Return every count above 0, as JSON can hold it."""
        return [[values, count] for values, count in self._counts.items() if count]

    def restore(self, totals: Sequence[object]) -> None:
        """Take over totals in the place of what was counted; raises ValueError on another form."""
        self._counts.update(dict.fromkeys(self._counts, 0))
        for row in totals:
            match row:
                case [list() as values, int() as count] if self._is_ours(values):
                    self._counts[tuple(values)] = count
                case [list(), int()]:
                    continue  # Of a version with other labels.
                case _:
                    raise ValueError(f"no total of {self.name}")

    def _is_ours(self, values: list[str]) -> bool:
        if len(values) != len(FAMILIES[self.name][0]):
            return False
        # Those that are expected are there already, however many.
        return tuple(values) in self._counts or len(self._counts) < LABEL_SETS_MAX

    def family(self) -> Metric:
        """Return the exposition."""
        labels, help_text = FAMILIES[self.name]
        return counter(self.name, help_text, labels, self._counts)


class Histogram:
    """One histogram of seconds: whole numbers per bucket, per set of label values."""

    __slots__ = ("_bounds", "_series", "name", "refused")

    def __init__(self, name: str, *, bounds_s: Sequence[float]) -> None:
        self.name = name
        self.refused = 0
        self._bounds = bounds_s
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}

    def observe(self, values: Labels, seconds: float) -> None:
        """Add one; what is equal to a bound is inside it."""
        series = self._series.get(values)
        if series is None:
            if len(self._series) >= LABEL_SETS_MAX:
                self.refused += 1
                return
            series = self.expect(values)
        counts, total = series
        counts[bisect_left(self._bounds, seconds)] += 1
        total[0] += seconds

    def expect(self, values: Labels) -> tuple[list[int], list[float]]:
        """Show zeros before the first."""
        return self._series.setdefault(values, self._zeros())

    def totals(self) -> Sequence[object]:
        """Return every series with its bounds, as JSON can hold it."""
        return [
            [values, list(self._bounds), counts, total[0]]
            for values, (counts, total) in self._series.items()
            if any(counts)
        ]

    def restore(self, totals: Sequence[object]) -> None:
        """Take over totals in the place of what was counted; raises ValueError on another form.

        Bounds may differ after a change of the configuration. What lay between two old bounds is
        then put just below the upper one: nobody knows better, and buckets stay in order.
        """
        for shown in self._series:
            self._series[shown] = self._zeros()
        for row in totals:
            match row:
                case [
                    list() as values,
                    list() as bounds,
                    list() as counts,
                    int() | float() as sum_s,
                ]:
                    if len(values) == len(FAMILIES[self.name][0]):
                        self._restore_one(tuple(values), bounds, counts, float(sum_s))
                case _:
                    raise ValueError(f"no totals of {self.name}")

    def _restore_one(
        self, values: Labels, bounds: Sequence[float], counts: Sequence[int], all_s: float
    ) -> None:
        if values not in self._series and len(self._series) >= LABEL_SETS_MAX:
            return
        mine, total = self.expect(values)
        for bound, count in zip((*bounds, inf), counts, strict=True):
            mine[bisect_left(self._bounds, bound)] += count
        total[0] += all_s

    def _zeros(self) -> tuple[list[int], list[float]]:
        return [0] * (len(self._bounds) + 1), [0.0]

    def family(self) -> Metric:
        """Return the exposition; buckets are cumulative there."""
        labels, help_text = FAMILIES[self.name]
        family = HistogramMetricFamily(self.name, help_text, labels=labels)
        names = [*map(repr, self._bounds), "+Inf"]
        for values, (counts, total) in self._series.items():
            running = 0
            buckets: list[tuple[str, float]] = []
            for name, count in zip(names, counts, strict=True):
                running += count
                buckets.append((name, running))
            family.add_metric(values, buckets, total[0])
        return family


def counter(
    name: str, help_text: str, labels: Labels, values: Mapping[Labels, float]
) -> CounterMetricFamily:
    """Return the exposition of whole numbers that only grow."""
    family = CounterMetricFamily(name, help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def gauge(
    name: str, help_text: str, labels: Labels, values: Mapping[Labels, float]
) -> GaugeMetricFamily:
    """Return the exposition of figures that go up and down."""
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
