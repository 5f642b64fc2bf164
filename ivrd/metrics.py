"""Every Prometheus metric of the daemon, on one registry object.

Here: what counts as what. Not here: names and help texts of what is counted (metric_families.py),
how it is kept (metric_series.py), the web page that shows it (web/), and any ratio: a service level
is a division that whoever reads it does, by a formula of METRICS.md.

Counts are plain integers in dictionaries: half the cost of the library's own counters, which lock
and check at each step, and which show `_created` series unless a global switch says no. Their lines
are kept from scrape to scrape (metric_text.py). All runs on the event loop's thread, scrapes
included; so no lock is needed.

Labels: `system` (the PBX) first, wherever a figure belongs to one PBX. No label holds a caller, a
call or an agent. A label whose values come from the wire is bounded by LABEL_SETS_MAX.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ivrd import __version__
from ivrd.core.effects import (
    CountChoice,
    CountEntry,
    CountJoin,
    CountNotice,
    Disposition,
    MoveEnd,
    OpenCase,
    Outcome,
    RecordCall,
    RecordEntry,
    RecordMove,
    ReportUnexpected,
)
from ivrd.core.expected_wait import WaitModel
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.menu import MenuOutcome
from ivrd.core.overflow_rules import OverflowRule
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.counts_file import CALL_KEY, Step
from ivrd.errors import IvrdBug
from ivrd.metric_families import (
    CALLS,
    CASES,
    CHOICES,
    ENTRIES,
    JOINED,
    LASTING,
    LINE_SERVICE,
    LINE_WAITS,
    MENU_SECONDS,
    MOVE_FAILURES,
    MOVES,
    NOTICES,
    SERVICE,
    SINCE_START,
    TALKS,
    WAIT_ERRORS,
    WAITS,
    Labels,
)
from ivrd.metric_goals import RESULTS, error_of, judged
from ivrd.metric_live import AmiState, Outbox, ami_families, floor_families, outbox_families
from ivrd.metric_series import Histogram, SecondsTally, Tally, counter, gauge
from ivrd.metric_text import OPEN_METRICS_END, Figures, Form, Lines, written

FIXED_BUCKETS_S = (5.0, 10.0, 25.0, 60.0, 600.0)
"""Short abandon; and the limits of METRICS.md that every report shows: 25 s, 60 s and 10 min."""

TALK_BUCKETS_S = (30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""30 s is the switchboard's goal for handling a call (Stockholm); the rest, for a median."""

ERROR_BUCKETS_S = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""A minute is what a caller hears as the same wait; five, what they would call a lie."""

CounterSource = Callable[[], Mapping[Labels, float]]
GaugeSource = Callable[[], Mapping[Labels, float]]


class Floor(Protocol):
    """Whoever knows what the queues look like now."""

    def queues(self) -> Sequence[QueueView]:
        """Return every queue of every PBX."""


class Kept(Protocol):
    """Where counts outlive the process (counts_file.py)."""

    def has(self, key: str) -> bool: ...
    def note(self, key: str, steps: Sequence[Step], /) -> None: ...
    def flush(self) -> None: ...


class Metrics(Collector):
    """What the daemon counts, and what it reads at each scrape.

    First the methods that count, one per kind of effect, synchronous and without a way to fail;
    then those by which app.py wires the sources, once; then the exposition.
    """

    def __init__(self, *, limits: Iterable[timedelta] = (), kept: Kept | None = None) -> None:
        """Make the metrics and their registry.

        Args:
            limits: Service level thresholds and short-abandon limits; each becomes a bucket.
            kept: Where the counts of calls outlive the process; None for nowhere.
        """
        bounds_s = sorted({*FIXED_BUCKETS_S, *(limit.total_seconds() for limit in limits)} - {0.0})
        self._kept = kept
        self._lasting: Mapping[str, Tally | Histogram] = {
            **{name: Tally(name) for name in LASTING},
            MENU_SECONDS: SecondsTally(MENU_SECONDS),
            WAITS: Histogram(WAITS, bounds_s=bounds_s),
            LINE_WAITS: Histogram(LINE_WAITS, bounds_s=bounds_s),
            WAIT_ERRORS: Histogram(WAIT_ERRORS, bounds_s=ERROR_BUCKETS_S),
            TALKS: Histogram(TALKS, bounds_s=TALK_BUCKETS_S),
        }
        self._events = Tally("ivrd_events_total")
        self._unexpected = Tally("ivrd_events_unexpected_total")
        self._failed = Tally("ivrd_events_failed_total")
        self._series = (*self._lasting.values(), self._events, self._unexpected, self._failed)
        self._queues: Mapping[QueueName, QueueRules] = {}
        self._line_limits: Mapping[str, timedelta] = {}
        self._floor: Floor | None = None
        self._now: Callable[[], datetime] | None = None
        self._ami: dict[SystemName, Callable[[], AmiState]] = {}
        self._outboxes: list[Outbox] = []
        self._counter_sources: dict[str, tuple[str, Labels, list[CounterSource]]] = {}
        self._gauge_sources: dict[str, tuple[str, Labels, list[GaugeSource]]] = {}
        self._lines: dict[str, Lines] = {}
        self._process = ProcessCollector(registry=None)
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.registry.register(self._process)

    # Counting.

    def count_join(self, effect: CountJoin) -> None:
        """Count a caller who entered a queue."""
        key = f"join {effect.call_id}#{effect.number}"
        self._count(key, (JOINED, (effect.system, effect.queue), None))

    def count_entry(self, effect: CountEntry) -> None:
        """Count an entry, and its wait when that is known."""
        labels = (effect.system, effect.queue, effect.disposition.value)
        steps: list[Step] = [(ENTRIES, labels, None)]
        if effect.wait is not None:
            wait_s = effect.wait.total_seconds()
            steps.append((WAITS, labels, wait_s))
            if (rules := self._queues.get(effect.queue)) is not None:
                steps += judged(effect, effect.wait, rules, self._line_limits, wait_s)
        if effect.expected is not None and effect.disposition is Disposition.ANSWERED:
            steps.append(error_of(effect, effect.expected))
        self._count(f"entry {effect.call_id}#{effect.number}", *steps)

    def count_choice(self, effect: CountChoice) -> None:
        """Count what came of one visit to a menu."""
        runner = "dialplan" if effect.is_static else "daemon"
        labels = (effect.system, effect.menu, effect.outcome, effect.digit or "", runner)
        self._count(f"choice {effect.call_id}#{effect.number}", (CHOICES, labels, None))

    def count_notice(self, effect: CountNotice) -> None:
        """Count one hearing of a notice."""
        end = "heard" if effect.is_whole else "hung_up"
        labels = (effect.system, effect.notice, end)
        self._count(f"notice {effect.call_id}#{effect.number}", (NOTICES, labels, None))

    def count_steps(self, key: str, steps: Sequence[Step]) -> None:
        """Count what no effect of the core tells of, and bring it to the disk."""
        self._count(key, *steps)
        self.settle()

    def record_entry(self, effect: RecordEntry) -> None:
        """Count a talk."""
        if effect.talk is None:
            return
        step = (TALKS, (effect.system, effect.queue), effect.talk.total_seconds())
        self._count(f"talk {effect.call_id}#{effect.number}", step)

    def record_move(self, effect: RecordMove) -> None:
        """Count an ended move, landed or not."""
        labels = (effect.system, effect.from_queue, effect.to_queue, effect.reason)
        # One that took the caller out, not by its moment: queue_log tells it again, to the second.
        # Of others queue_log tells nothing, and a caller may be asked in vain twice in one stay.
        which = effect.at.isoformat() if effect.out_of is None else f"#{effect.out_of}"
        key = f"move {effect.call_id}{which} {effect.end.value}"
        if effect.end is MoveEnd.LANDED:
            self._count(key, (MOVES, labels, None))
        else:
            self._count(key, (MOVE_FAILURES, (*labels, effect.end.value), None))

    def record_call(self, effect: RecordCall) -> None:
        """Count an ended call."""
        labels = (effect.system, effect.line or "", effect.outcome.value)
        self._count(f"{CALL_KEY}{effect.call_id}", (CALLS, labels, None))

    def open_case(self, effect: OpenCase) -> None:
        """Count a case."""
        labels = (effect.system, effect.queue, effect.rule, effect.department or "")
        self._count(f"case {effect.call_id} {effect.rule}", (CASES, labels, None))

    def _count(self, key: str, *steps: Step) -> None:
        """Count what a key names, unless an earlier life of the daemon has."""
        if self._kept is not None:
            if self._kept.has(key):
                return
            self._kept.note(key, steps)
        for step in steps:
            self.take(step)

    def settle(self) -> None:
        """Bring what an event has counted to the disk, before anybody reads of it."""
        if self._kept is not None:
            self._kept.flush()

    def take(self, step: Step) -> None:
        """Count one step."""
        name, labels, seconds = step
        match self._lasting.get(name):
            case SecondsTally() as spent if seconds is not None:
                spent.add_seconds(labels, seconds)
            case Tally() as tally if seconds is None:
                tally.add(labels)
            case Histogram() as histogram if seconds is not None:
                histogram.observe(labels, seconds)
            case _:
                pass  # Of a version that had other metrics.

    def totals(self) -> Mapping[str, Sequence[object]]:
        """Return all that outlives the process."""
        return {name: series.totals() for name, series in self._lasting.items()}

    def restore(self, totals: Mapping[str, Sequence[object]]) -> None:
        """Take over totals; of what they do not name, none.

        Raises:
            ValueError: They are of another form.
        """
        for name, series in self._lasting.items():
            series.restore(totals.get(name, ()))

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

    def use_rules(
        self,
        systems: Iterable[SystemName],
        *,
        floor: FloorRules,
        lines: Iterable[str],
        line_limits: Mapping[str, timedelta],
        menu_keys: Mapping[str, Iterable[str]],
    ) -> None:
        """Judge waits by these rules from now on, and show zeros for all they name from the start.

        Args:
            systems: Every PBX.
            floor: Every configured queue, and the overflow rules between them.
            lines: Every configured line.
            line_limits: Within which each line is to answer, of those with a goal.
            menu_keys: What each menu takes.
        """
        self._queues = floor.queues
        self._line_limits = line_limits
        for system in systems:
            for queue, each in floor.queues.items():
                self._expect(system, queue)
                if each.role is Role.GUIDE:
                    case = (system, queue, floor.case_rule, each.department or "")
                    self._lasting[CASES].expect(case)
            for rule in floor.overflow:
                self._expect_moves(system, rule)
            for menu, keys in menu_keys.items():
                self._expect_choices(system, menu, keys)
            for line in lines:
                for outcome in Outcome:
                    self._lasting[CALLS].expect((system, line, outcome.value))
            for line in line_limits:
                for result in RESULTS:
                    self._lasting[LINE_SERVICE].expect((system, line, result))

    def _expect(self, system: SystemName, queue: QueueName) -> None:
        queue_only = (system, queue)
        self._lasting[JOINED].expect(queue_only)
        self._lasting[TALKS].expect(queue_only)
        for disposition in Disposition:
            self._lasting[ENTRIES].expect((*queue_only, disposition.value))
        for disposition in (Disposition.ANSWERED, Disposition.ABANDONED):
            self._lasting[WAITS].expect((*queue_only, disposition.value))
        for result in RESULTS:
            self._lasting[SERVICE].expect((*queue_only, result))
        for model in WaitModel:
            for told in ("too_long", "too_short"):
                self._lasting[WAIT_ERRORS].expect((*queue_only, model.value, told))

    def _expect_choices(self, system: SystemName, menu: str, keys: Iterable[str]) -> None:
        ends = [
            *((MenuOutcome.CHOSEN, key) for key in keys),
            (MenuOutcome.STAYED, ""),
            (MenuOutcome.GAVE_UP, ""),
        ]
        for (outcome, key), runner in product(ends, ("daemon", "dialplan")):
            self._lasting[CHOICES].expect((system, menu, outcome.value, key, runner))

    def _expect_moves(self, system: SystemName, rule: OverflowRule) -> None:
        for way in product((system,), rule.from_queues, rule.to_queues, (rule.name,)):
            self._lasting[MOVES].expect(way)
            for end in MoveEnd:
                if end is not MoveEnd.LANDED:
                    self._lasting[MOVE_FAILURES].expect((*way, end.value))

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
            help_text: What is counted; that it begins with the process is added.
            labels: Names; none for a single number, whose key in the mapping is then ().
            read: Returns the counts by label values; called at each scrape.
        """
        if not (name.startswith("ivrd_") and name.endswith("_total")):
            raise IvrdBug(f"a counter is named ivrd_..._total, not {name}")
        help_text = f"{help_text} {SINCE_START}"
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
        """Yield every family, for the library to write: slowly, in whatever form."""
        for series in self._series:
            yield series.family()
        for figures in self._read():
            yield figures.family()

    def freshen(self, most: int) -> bool:
        """Write a part of what `text` needs, and return whether there was so much.

        Args:
            most: Label sets, each of one line, or of a dozen.
        """
        for series in self._series:
            if most > 0:
                most -= series.freshen(most)
        return most <= 0

    def text(self, form: Form) -> bytes:
        """Return all of it as at this moment, byte for byte as the library would write it."""
        parts: list[bytes] = []
        for series in self._series:
            parts += series.parts(form)
        for figures in self._read():
            lines = self._lines.get(figures.name)
            if lines is None:
                lines = self._lines[figures.name] = Lines(figures)
            parts.append(f"{lines.heads[form]}{lines.text(figures.values)}".encode())
        parts.append(written(self._process, form).encode())
        if form is Form.OPEN_METRICS:
            parts.append(OPEN_METRICS_END.encode())
        return b"".join(parts)

    def _read(self) -> Iterator[Figures]:
        """Yield all that somebody else keeps."""
        yield counter(
            "ivrd_label_sets_refused_total",
            f"Steps that were not counted because a metric had too many label sets. {SINCE_START}",
            ("metric",),
            self._refused(),
        )
        if self._floor is not None and self._now is not None:
            yield from floor_families(self._floor.queues(), self._now())
        yield from ami_families({system: read() for system, read in self._ami.items()})
        yield from outbox_families(self._outboxes)
        for name, (help_text, labels, counters) in self._counter_sources.items():
            yield counter(name, help_text, labels, _merged(counters))
        for name, (help_text, labels, gauges) in self._gauge_sources.items():
            yield gauge(name, help_text, labels, _merged(gauges))
        yield gauge(
            "ivrd_build_info", "The version that runs; always 1.", ("version",), {(__version__,): 1}
        )

    def _refused(self) -> Mapping[Labels, int]:
        return {(series.name,): series.refused for series in self._series}


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
