"""Counting for Prometheus: what one metric holds, and how it is shown.

Here: counters and histograms as plain integers in dictionaries, and their lines. Not here: which
there are (metric_families.py), what counts as what (metrics.py), and how lines are kept
(metric_text.py).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from math import inf

from prometheus_client.metrics_core import HistogramMetricFamily, Metric

from ivrd.metric_families import FAMILIES, Labels
from ivrd.metric_text import Blocks, Figures, Form, beginning, heads_of, value_text

LABEL_SETS_MAX = 2_000
"""Per metric. All queues of a county with every disposition are some hundreds; names from the wire
(a queue nobody configured, a menu's outcome) must not fill the memory of whoever stores them."""


class Tally:
    """One counter: a whole number per set of label values."""

    __slots__ = ("_beginnings", "_blocks", "_counts", "_heads", "name", "refused")

    def __init__(self, name: str) -> None:
        self.name = name
        self.refused = 0
        """Steps not counted because there were too many label sets."""
        self._counts: dict[Labels, int] = {}
        self._beginnings: dict[Labels, str] = {}
        self._blocks = Blocks(self._written)
        self._heads = heads_of(self.family())

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
            return
        self._blocks.touch(values)

    def expect(self, values: Labels) -> None:
        """Show a zero before the first step: so that a rate sees that step too."""
        self._counts.setdefault(values, 0)
        self._blocks.touch(values)

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
        for labels in self._counts:
            self._blocks.touch(labels)

    def _is_ours(self, values: list[str]) -> bool:
        if len(values) != len(FAMILIES[self.name][0]):
            return False
        # Those that are expected are there already, however many.
        return tuple(values) in self._counts or len(self._counts) < LABEL_SETS_MAX

    def family(self) -> Metric:
        """Return the library's exposition."""
        labels, help_text = FAMILIES[self.name]
        return counter(self.name, help_text, labels, self._counts).family()

    def freshen(self, most: int) -> int:
        """Write at most so many label sets' lines that have changed; return how many were."""
        return self._blocks.freshen(most)

    def parts(self, form: Form) -> Iterable[bytes]:
        """Return the lines in parts, as the library would write them."""
        return self._heads[form].encode(), *self._blocks.parts()

    def _written(self, values: Labels) -> str:
        before = self._beginnings.get(values)
        if before is None:
            before = beginning(self.name, FAMILIES[self.name][0], values)
            self._beginnings[values] = before
        return f"{before}{value_text(self._value(values))}\n"

    def _value(self, values: Labels) -> float:
        return self._counts[values]


class SecondsTally(Tally):
    """One counter of seconds, kept in whole milliseconds: sums of floats drift."""

    __slots__ = ()

    def add_seconds(self, values: Labels, seconds: float) -> None:
        """Add a time."""
        counts = self._counts
        if values not in counts and len(counts) >= LABEL_SETS_MAX:
            self.refused += 1
            return
        counts[values] = counts.get(values, 0) + round(seconds * 1000)
        self._blocks.touch(values)

    def family(self) -> Metric:
        """Return the library's exposition."""
        labels, help_text = FAMILIES[self.name]
        told = {values: spent / 1000 for values, spent in self._counts.items()}
        return counter(self.name, help_text, labels, told).family()

    def _value(self, values: Labels) -> float:
        return self._counts[values] / 1000


class Histogram:
    """One histogram of seconds: whole numbers per bucket, per set of label values."""

    __slots__ = (
        "_beginnings",
        "_blocks",
        "_bounds",
        "_heads",
        "_names",
        "_series",
        "name",
        "refused",
    )

    def __init__(self, name: str, *, bounds_s: Sequence[float]) -> None:
        self.name = name
        self.refused = 0
        self._bounds = bounds_s
        self._names = [*map(repr, bounds_s), "+Inf"]
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}
        self._beginnings: dict[Labels, Sequence[str]] = {}
        self._blocks = Blocks(self._written)
        self._heads = heads_of(self.family())

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
        self._blocks.touch(values)

    def expect(self, values: Labels) -> tuple[list[int], list[float]]:
        """Show zeros before the first."""
        self._blocks.touch(values)
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
            self._blocks.touch(shown)
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
        """Return the library's exposition; buckets are cumulative there."""
        labels, help_text = FAMILIES[self.name]
        family = HistogramMetricFamily(self.name, help_text, labels=labels)
        for values, (counts, total) in self._series.items():
            running = 0
            buckets: list[tuple[str, float]] = []
            for name, count in zip(self._names, counts, strict=True):
                running += count
                buckets.append((name, running))
            family.add_metric(values, buckets, total[0])
        return family

    def freshen(self, most: int) -> int:
        """Write at most so many label sets' lines that have changed; return how many were."""
        return self._blocks.freshen(most)

    def parts(self, form: Form) -> Iterable[bytes]:
        """Return the lines in parts, as the library would write them."""
        return self._heads[form].encode(), *self._blocks.parts()

    def _written(self, values: Labels) -> str:
        befores = self._beginnings.get(values)
        if befores is None:
            befores = self._beginnings[values] = self._begin(values)
        counts, total = self._series[values]
        running = 0
        lines = []
        for before, count in zip(befores, counts, strict=False):
            running += count
            lines.append(f"{before}{value_text(running)}\n")
        lines.append(f"{befores[-2]}{value_text(running)}\n")
        lines.append(f"{befores[-1]}{value_text(total[0])}\n")
        return "".join(lines)

    def _begin(self, values: Labels) -> Sequence[str]:
        """Return each line up to its figure: of every bucket, of the count, and of the sum."""
        labels = FAMILIES[self.name][0]
        bucket = f"{self.name}_bucket"
        return [
            *(beginning(bucket, (*labels, "le"), (*values, name)) for name in self._names),
            beginning(f"{self.name}_count", labels, values),
            beginning(f"{self.name}_sum", labels, values),
        ]


def counter(name: str, help_text: str, labels: Labels, values: Mapping[Labels, float]) -> Figures:
    """Return whole numbers that only grow, as they are now."""
    return Figures(is_counter=True, name=name, help_text=help_text, labels=labels, values=values)


def gauge(name: str, help_text: str, labels: Labels, values: Mapping[Labels, float]) -> Figures:
    """Return figures that go up and down, as they are now."""
    return Figures(is_counter=False, name=name, help_text=help_text, labels=labels, values=values)
