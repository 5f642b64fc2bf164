"""What is on each dashboard: rows of panels, each with its queries and the formula in words.

Here: plain values. Not here: Grafana's JSON (make.py). Titles are Swedish first, English second. A
figure of the day looks at the dashboard's own range, which begins at midnight. A ratio without
traffic is NaN in Prometheus, and "ingen trafik / none" on the board, never 100 %.

Queries may name the dashboard's variables ($system, $queue, $line) and Grafana's own
($__range, $__rate_interval); tests/e2e/test_dashboards.py puts each query to a real Prometheus.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypedDict, Unpack


class Kind(Enum):
    """How a panel shows its figures."""

    STAT = "stat"
    SERIES = "series"
    STACKED = "stacked"
    BARS = "bars"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One PromQL query."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel."""

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    formula: str
    """What is reckoned, shown at the panel's (i)."""
    unit: str = "short"
    warn: float | None = None
    """From here on orange; below it, when `is_low_bad`."""
    alarm: float | None = None
    is_low_bad: bool = False
    width: int = 8
    height: int = 8
    decimals: int | None = None
    no_value: str = "okänt / unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading, and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    refresh: str = "10s"
    since: str = "now/d"
    variables: tuple[str, ...] = field(default=("system",))


NO_TRAFFIC = "ingen trafik / none"

Q = 'system=~"$system",queue=~"$queue"'
S = 'system=~"$system"'
L = 'system=~"$system",line=~"$line"'


class More(TypedDict, total=False):
    """What not every panel says; see Panel."""

    unit: str
    warn: float
    alarm: float
    is_low_bad: bool
    width: int
    height: int
    decimals: int
    no_value: str


def panel(
    kind: Kind, title: str, formula: str, *queries: tuple[str, str], **more: Unpack[More]
) -> Panel:
    """Return a panel; each query is its expression and its legend."""
    told = tuple(Query(expr=expr, legend=legend) for expr, legend in queries)
    return Panel(title=title, kind=kind, queries=told, formula=formula, **more)


def level(metric: str, labels: str, by: str, over: str) -> str:
    """Return the house's service level, sl, over a range."""
    good = f'sum by ({by}) (increase({metric}{{{labels},result="in_time"}}[{over}]))'
    return (
        f'{good} / sum by ({by}) (increase({metric}{{{labels},result!="short_abandon"}}[{over}]))'
    )


def abandon_rate(labels: str, over: str) -> str:
    """Return abandoned / offered by queue, over a range."""
    entries = "ivrd_queue_entries_total"
    lost = f'sum by (queue) (increase({entries}{{{labels},disposition="abandoned"}}[{over}]))'
    refused = f'increase({entries}{{{labels},disposition=~"full|join_empty"}}[{over}])'
    joined = f"increase(ivrd_queue_joined_total{{{labels}}}[{over}])"
    return f"{lost} / (sum by (queue) ({joined}) + sum by (queue) ({refused}))"


def waited(share_s: str, labels: str, over: str) -> str:
    """Return the share of answered callers whose wait was longer than a limit of METRICS.md."""
    name = "ivrd_queue_wait_seconds"
    answered = f'{labels},disposition="answered"'
    within = f'sum by (queue) (increase({name}_bucket{{{answered},le="{share_s}"}}[{over}]))'
    return f"1 - {within} / sum by (queue) (increase({name}_count{{{answered}}}[{over}]))"


def quantile(part: float, labels: str, over: str) -> str:
    """Return a percentile of the waits of answered callers."""
    buckets = f'ivrd_queue_wait_seconds_bucket{{{labels},disposition="answered"}}'
    return f"histogram_quantile({part}, sum by (queue, le) (increase({buckets}[{over}])))"
