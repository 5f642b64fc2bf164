"""The text of a scrape: what has not changed since the one before is not written again.

Here: lines in the exposition formats, kept per set of label values, and written in parts. Not here:
which metrics there are (metric_families.py, metric_live.py) and what counts as what (metrics.py).

200 queues are some 17,000 lines. The library writes all of them at each scrape, with a dictionary
of labels for each: a third of a second of CPU. Between two scrapes only some hundred figures
change, so a figure's lines are written when it is first shown after a change, and all others are
joined as they are. What is written is what the library would write, byte for byte (a test compares
them): heads are written by the library, values by its own function, and both formats share all
other lines. Who asks for names of another kind gets the library's own text (`form_of`).

A thread of its own, tried before, holds the interpreter's lock for as long as it writes, so the
loop waits all the same, only in more pieces.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from prometheus_client import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ivrd.metric_families import Labels

OPEN_METRICS_END = "# EOF\n"

EXACT_BELOW = 1_000_000
"""From here on the formats write whole numbers with an exponent."""


class Form(Enum):
    """How a scraper wants it."""

    PLAIN = "text/plain"
    OPEN_METRICS = "application/openmetrics-text"


def form_of(content_type: str) -> Form | None:
    """Return which form a content type is, as the library chose it; None: only the library can.

    >>> form_of("text/plain; version=0.0.4; charset=utf-8")
    <Form.PLAIN: 'text/plain'>
    >>> form_of("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots") is None
    True
    """
    kind, *options = (part.strip() for part in content_type.split(";"))
    for option in options:
        name, _, value = option.partition("=")
        # Our names need no escaping by these two; the others change every underscore.
        if name == "escaping" and value not in (openmetrics.UNDERSCORES, openmetrics.ALLOWUTF8):
            return None
    return next((form for form in Form if form.value == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One metric of single figures, as it is now."""

    is_counter: bool
    name: str
    help_text: str
    labels: Labels
    values: Mapping[Labels, float]

    def family(self) -> Metric:
        """Return the library's exposition."""
        kind = CounterMetricFamily if self.is_counter else GaugeMetricFamily
        family = kind(self.name, self.help_text, labels=self.labels)
        for key, value in self.values.items():
            family.add_metric(key, value)
        return family


class Taken(Collector):
    """Families of one moment, which nobody changes any more."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: a registry then does not look at us twice."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def written(collector: Collector, form: Form) -> str:
    """Return what the library writes of a collector, without the end of a whole text."""
    encode: Callable[[Collector], bytes] = (
        generate_latest if form is Form.PLAIN else openmetrics.generate_latest
    )
    return encode(collector).decode().removesuffix(OPEN_METRICS_END)


def heads_of(empty: Metric) -> Mapping[Form, str]:
    """Return the lines before a metric's figures, by form.

    Args:
        empty: The metric without figures.
    """
    return {form: written(Taken([empty]), form) for form in Form}


def value_text(value: float) -> str:
    """Return a figure as the formats write it.

    >>> value_text(12), value_text(0.25), value_text(2_000_000)
    ('12.0', '0.25', '2e+06')
    """
    if isinstance(value, int) and 0 <= value < EXACT_BELOW:
        return f"{int(value)}.0"
    write: Callable[[float], str] = floatToGoString
    return write(value)


def label_text(names: Labels, values: Labels) -> list[str]:
    """Return each label as the formats write it, in their order.

    >>> label_text(("system", "queue"), ("pbx", "kc"))
    ['queue="kc"', 'system="pbx"']
    """
    pairs = sorted(zip(names, values, strict=True))
    return [f'{name}="{_escaped(value)}"' for name, value in pairs]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def beginning(name: str, names: Labels, values: Labels) -> str:
    """Return a figure's line up to the figure itself."""
    labels = ",".join(label_text(names, values))
    return f"{name}{{{labels}}} " if labels else f"{name} "


class Lines:
    """The lines of single figures, kept as long as the figures are the same."""

    __slots__ = ("_labels", "_lines", "_name", "heads")

    def __init__(self, figures: Figures) -> None:
        """Write nothing but the heads yet."""
        empty = Figures(
            is_counter=figures.is_counter,
            name=figures.name,
            help_text=figures.help_text,
            labels=figures.labels,
            values={},
        )
        self.heads = heads_of(empty.family())
        self._name, self._labels = figures.name, figures.labels
        self._lines: dict[Labels, tuple[float, str, str]] = {}
        """The figure, what stands before it, and the line."""

    def text(self, values: Mapping[Labels, float]) -> str:
        """Return the lines of all figures."""
        known, told = self._lines, []
        for key, value in values.items():
            line = known.get(key)
            if line is None or line[0] != value:
                before = line[1] if line else beginning(self._name, self._labels, key)
                line = known[key] = (value, before, f"{before}{value_text(value)}\n")
            told.append(line[2])
        if len(known) > 2 * len(values):
            self._lines = {key: known[key] for key in values}
        return "".join(told)


class Blocks:
    """Blocks of lines by label values, each written when it is read after a change."""

    __slots__ = ("_blocks", "_stale", "_write")

    def __init__(self, write: Callable[[Labels], str]) -> None:
        """Hold nothing yet.

        Args:
            write: Returns the block of label values, as it is now.
        """
        self._write = write
        self._blocks: dict[Labels, bytes] = {}
        self._stale: dict[Labels, None] = {}
        """In the order in which they came, so that new ones keep it."""

    def touch(self, labels: Labels) -> None:
        """Note that a block has changed, or is new."""
        self._stale[labels] = None

    def freshen(self, most: int) -> int:
        """Write at most so many of those that have changed; return how many were."""
        some = list(islice(self._stale, most))
        for labels in some:
            del self._stale[labels]
            self._blocks[labels] = self._write(labels).encode()
        return len(some)

    def parts(self) -> Iterable[bytes]:
        """Return all of it, as it is now. To be joined at once: each copy of 2 MB costs some ms."""
        if self._stale:
            self.freshen(len(self._stale))
        return self._blocks.values()
