"""Every Prometheus metric of the daemon, on one registry object.

Here: what counts as what. Not here: names and help texts of what is counted (metric_families.py),
how it is kept (metric_series.py), the web page that shows it (web/), and any ratio: a service level
is a division that whoever reads it does, by a formula of METRICS.md.

Counts are plain integers in dictionaries, and families are built at scrape: half the cost of the
library's own counters, which lock and check at each step, and which show `_created` series unless a
global switch says no. All runs on the event loop's thread, scrapes included; so no lock is needed.

Labels: `system` (the PBX) first, wherever a figure belongs to one PBX. No label holds a caller, a
call or an agent. A label whose values come from the wire is bounded by LABEL_SETS_MAX.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ivrd import __version__
from ivrd.core.effects import (
    CountChoice,
    CountEntry,
    CountNotice,
    Disposition,
    MoveEnd,
    OpenCase,
    RecordCall,
    RecordMove,
    ReportUnexpected,
)
from ivrd.core.expected_wait import Expectation, WaitModel
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.errors import IvrdBug
from ivrd.metric_families import WAIT_ERRORS, WAITS, Labels
from ivrd.metric_series import Histogram, Tally, counter, gauge

FIXED_BUCKETS_S = (5.0, 10.0, 25.0, 60.0, 600.0)
"""Short abandon; and the limits of METRICS.md that every report shows: 25 s, 60 s and 10 min."""

ERROR_BUCKETS_S = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""A minute is what a caller hears as the same wait; five, what they would call a lie."""

CounterSource = Callable[[], Mapping[Labels, float]]
GaugeSource = Callable[[], Mapping[Labels, float]]


class Floor(Protocol):
    """Whoever knows what the queues look like now."""

    def queues(self) -> Sequence[QueueView]:
        """Return every queue of every PBX."""


class Outbox(Protocol):
    """A bounded way out of the daemon."""

    @property
    def sink(self) -> str:
        """Name of the far end."""

    @property
    def depth(self) -> int:
        """What waits now."""

    @property
    def bound(self) -> int:
        """What may wait at most."""

    @property
    def dropped(self) -> int:
        """What was lost because the outbox was full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiState:
    """One PBX's connection as it is now."""

    is_connected: bool
    last_event_at: datetime | None
    """Asterisk's stamp on the newest event; None before the first."""


class Metrics(Collector):
    """What the daemon counts, and what it reads at each scrape.

    First the methods that count, one per kind of effect, synchronous and without a way to fail;
    then those by which app.py wires the sources, once; then the exposition.
    """

    def __init__(self, *, limits: Iterable[timedelta] = ()) -> None:
        """Make the metrics and their registry.

        Args:
            limits: Service level thresholds and short-abandon limits; each becomes a bucket.
        """
        bounds_s = {*FIXED_BUCKETS_S, *(limit.total_seconds() for limit in limits)}
        self._entries = Tally("ivrd_queue_entries_total")
        self._moves = Tally("ivrd_queue_moves_total")
        self._move_failures = Tally("ivrd_queue_move_failures_total")
        self._choices = Tally("ivrd_menu_outcomes_total")
        self._notices = Tally("ivrd_notices_total")
        self._calls = Tally("ivrd_calls_total")
        self._cases = Tally("ivrd_cases_opened_total")
        self._events = Tally("ivrd_events_total")
        self._unexpected = Tally("ivrd_events_unexpected_total")
        self._failed = Tally("ivrd_events_failed_total")
        self._tallies = tuple(kept for kept in vars(self).values() if isinstance(kept, Tally))
        self._waits = Histogram(WAITS, bounds_s=sorted(bound for bound in bounds_s if bound > 0))
        self._wait_errors = Histogram(WAIT_ERRORS, bounds_s=ERROR_BUCKETS_S)
        self._floor: Floor | None = None
        self._now: Callable[[], datetime] | None = None
        self._ami: dict[SystemName, Callable[[], AmiState]] = {}
        self._outboxes: list[Outbox] = []
        self._counter_sources: dict[str, tuple[str, Labels, list[CounterSource]]] = {}
        self._gauge_sources: dict[str, tuple[str, Labels, list[GaugeSource]]] = {}
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def count_entry(self, effect: CountEntry) -> None:
        """Count an entry, and its wait when that is known."""
        labels = (effect.system, effect.queue, effect.disposition.value)
        self._entries.add(labels)
        if effect.wait is not None:
            self._waits.observe(labels, effect.wait.total_seconds())
        if effect.expected is not None and effect.disposition is Disposition.ANSWERED:
            self._count_error(effect, effect.expected)

    def _count_error(self, effect: CountEntry, expected: Expectation) -> None:
        assert effect.entry_wait is not None, "an answered entry has a wait"
        error_s = (expected.wait - effect.entry_wait).total_seconds()
        told = "too_long" if error_s >= 0 else "too_short"
        labels = (effect.system, effect.queue, expected.model.value, told)
        self._wait_errors.observe(labels, abs(error_s))

    def count_choice(self, effect: CountChoice) -> None:
        """Count what came of one visit to a menu."""
        runner = "dialplan" if effect.is_static else "daemon"
        self._choices.add((effect.system, effect.menu, effect.outcome, effect.digit or "", runner))

    def count_notice(self, effect: CountNotice) -> None:
        """Count one hearing of a notice."""
        end = "heard" if effect.is_whole else "hung_up"
        self._notices.add((effect.system, effect.notice, end))

    def record_move(self, effect: RecordMove) -> None:
        """Count an ended move, landed or not."""
        labels = (effect.system, effect.from_queue, effect.to_queue, effect.reason)
        if effect.end is MoveEnd.LANDED:
            self._moves.add(labels)
        else:
            self._move_failures.add((*labels, effect.end.value))

    def record_call(self, effect: RecordCall) -> None:
        """Count an ended call."""
        self._calls.add((effect.system, effect.line or "", effect.outcome.value))

    def open_case(self, effect: OpenCase) -> None:
        """Count a case."""
        self._cases.add((effect.system, effect.queue, effect.rule))

    def report_unexpected(self, effect: ReportUnexpected) -> None:
        """Count an event that did not fit."""
        self._unexpected.add((effect.system, effect.state, effect.event))

    def count_event(self, system: SystemName, event: str) -> None:
        """Count an event given to the core.

        Args:
            system: Its PBX.
            event: The name of its type.
        """
        self._events.add((system, event))

    def count_failed_event(self, system: SystemName, event: str) -> None:
        """Count an event that met a fault of ours."""
        self._failed.add((system, event))

    def expect_queue(self, system: SystemName, queue: QueueName) -> None:
        """Show zeros for a configured queue from the start."""
        for disposition in Disposition:
            self._entries.expect((system, queue, disposition.value))
        for disposition in (Disposition.ANSWERED, Disposition.ABANDONED):
            self._waits.expect((system, queue, disposition.value))
        for model in WaitModel:
            for told in ("too_long", "too_short"):
                self._wait_errors.expect((system, queue, model.value, told))

    def watch_floor(self, floor: Floor, *, now: Callable[[], datetime]) -> None:
        """Read the queues at each scrape.

        Args:
            floor: Whoever knows them.
            now: Asterisk's clock, by which arrivals are stamped.
        """
        self._floor = floor
        self._now = now

    def watch_ami(self, system: SystemName, state: Callable[[], AmiState]) -> None:
        """Read one PBX's connection at each scrape."""
        self._ami[system] = state

    def watch_outbox(self, outbox: Outbox) -> None:
        """Read one outbox at each scrape."""
        self._outboxes.append(outbox)

    def register_counter_source(
        self, name: str, help_text: str, labels: Labels, read: CounterSource
    ) -> None:
        """Show counts that somebody else keeps.

        Several sources may share a name (one per PBX); they then have the same help and labels.

        Args:
            name: With prefix `ivrd_` and ending `_total`.
            help_text: What is counted.
            labels: Names; none for a single number, whose key in the mapping is then ().
            read: Returns the counts by label values; called at each scrape.
        """
        if not (name.startswith("ivrd_") and name.endswith("_total")):
            raise IvrdBug(f"a counter is named ivrd_..._total, not {name}")
        _add_source(self._counter_sources, name, help_text, labels, read)

    def register_gauge_source(
        self, name: str, help_text: str, labels: Labels, read: GaugeSource
    ) -> None:
        """Show figures that go up and down, as `register_counter_source`; leave out the unknown."""
        if not name.startswith("ivrd_") or name.endswith("_total"):
            raise IvrdBug(f"a gauge is named ivrd_... without _total, not {name}")
        _add_source(self._gauge_sources, name, help_text, labels, read)

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: the registry then does not scrape us while we are made."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        for tally in self._tallies:
            yield tally.family()
        yield self._waits.family()
        yield self._wait_errors.family()
        yield counter(
            "ivrd_label_sets_refused_total",
            "Steps that were not counted because a metric had too many label sets.",
            ("metric",),
            self._refused(),
        )
        if self._floor is not None and self._now is not None:
            yield from _floor_families(self._floor.queues(), self._now())
        yield from _ami_families({system: read() for system, read in self._ami.items()})
        yield from _outbox_families(self._outboxes)
        for name, (help_text, labels, counters) in self._counter_sources.items():
            yield counter(name, help_text, labels, _merged(counters))
        for name, (help_text, labels, gauges) in self._gauge_sources.items():
            yield gauge(name, help_text, labels, _merged(gauges))
        yield gauge(
            "ivrd_build_info", "The version that runs; always 1.", ("version",), {(__version__,): 1}
        )

    def _refused(self) -> Mapping[Labels, int]:
        refused: dict[Labels, int] = {(kept.name,): kept.refused for kept in self._tallies}
        for histogram in (self._waits, self._wait_errors):
            refused[(histogram.name,)] = histogram.refused
        return refused


def _floor_families(views: Sequence[QueueView], now: datetime) -> Iterator[Metric]:
    """Yield the live figures; those of a queue that we cannot vouch for are absent, not zero."""
    synced = [view for view in views if view.is_synced]
    queue = ("system", "queue")
    yield gauge(
        "ivrd_queue_synced",
        "1 when we hold a snapshot and all events since; at 0 the queue's other gauges are absent.",
        queue,
        {(view.system, view.queue): int(view.is_synced) for view in views},
    )
    yield gauge(
        "ivrd_queue_callers",
        "Callers waiting now.",
        queue,
        {(view.system, view.queue): view.waiting for view in synced},
    )
    yield gauge(
        "ivrd_queue_longest_wait_seconds",
        "Now - first arrival in any queue of the longest waiting caller; 0 when nobody waits.",
        queue,
        {(view.system, view.queue): _age_s(view.oldest_arrival_at, now) for view in synced},
    )
    yield gauge(
        "ivrd_queue_expected_wait_seconds",
        "Expected wait of a caller who enters the queue now, by the model that says so.",
        (*queue, "model"),
        {
            (view.system, view.queue, view.expected.model.value): view.expected.wait.total_seconds()
            for view in synced
            if view.expected is not None
        },
    )
    members: dict[Labels, float] = {}
    for view in synced:
        members[(view.system, view.queue, "available")] = view.members_available
        members[(view.system, view.queue, "busy")] = view.members_busy
        members[(view.system, view.queue, "paused")] = view.members_paused
        members[(view.system, view.queue, "unavailable")] = view.members_unavailable
    yield gauge("ivrd_queue_members", "Members of the queue by state.", (*queue, "state"), members)
    yield counter(
        "ivrd_queue_joined_total",
        "Entries into the queue. Offered = joined + entries refused (full, join_empty).",
        queue,
        {(view.system, view.queue): view.counts.joined for view in views},
    )


def _ami_families(states: Mapping[SystemName, AmiState]) -> Iterator[Metric]:
    yield gauge(
        "ivrd_ami_connected",
        "1 while logged in to the PBX's AMI.",
        ("system",),
        {(system,): int(state.is_connected) for system, state in states.items()},
    )
    yield gauge(
        "ivrd_ami_last_event_timestamp_seconds",
        "Asterisk's stamp on the newest event, Unix time; absent before the first.",
        ("system",),
        {
            (system,): state.last_event_at.timestamp()
            for system, state in states.items()
            if state.last_event_at is not None
        },
    )


def _outbox_families(outboxes: Sequence[Outbox]) -> Iterator[Metric]:
    sink = ("sink",)
    yield gauge(
        "ivrd_outbox_depth",
        "What waits for the sink now.",
        sink,
        {(outbox.sink,): outbox.depth for outbox in outboxes},
    )
    yield gauge(
        "ivrd_outbox_bound",
        "What may wait for the sink at most; more is dropped.",
        sink,
        {(outbox.sink,): outbox.bound for outbox in outboxes},
    )
    yield counter(
        "ivrd_outbox_dropped_total",
        "What was lost because the sink's outbox was full.",
        sink,
        {(outbox.sink,): outbox.dropped for outbox in outboxes},
    )


def _age_s(since: datetime | None, now: datetime) -> float:
    """Return seconds; never negative, although two clocks may differ by a little."""
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


Read = TypeVar("Read", bound=Callable[[], Mapping[Labels, float]])


def _add_source(
    sources: dict[str, tuple[str, Labels, list[Read]]],
    name: str,
    help_text: str,
    labels: Labels,
    read: Read,
) -> None:
    known = sources.setdefault(name, (help_text, labels, []))
    if known[:2] != (help_text, labels):
        raise IvrdBug(f"{name} is registered twice with different help or labels")
    known[2].append(read)


def _merged(sources: Iterable[Callable[[], Mapping[Labels, float]]]) -> Mapping[Labels, float]:
    merged: dict[Labels, float] = {}
    for read in sources:
        merged.update(read())
    return merged
