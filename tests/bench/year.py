"""(e) A year of a municipality's calls through the production path of the core.

Events are made as they are needed, and kept by nobody but ivrd: engine, tracker, the real metrics
and the log line of each call; overflow moves callers at peaks. What is left out are the adapters.

The tracker remembers which calls it decided lately, so memory is first looked at when that book is
full. Then it must stay as it is, and at each week's end nothing of any call may be left.
"""

import gc
import resource
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOBase

import structlog

from ivrd.config import LogConfig
from ivrd.core.decided import FINISHED_CALLS_MAX
from ivrd.core.effects import MoveCaller
from ivrd.core.events import Event
from ivrd.core.ids import CallId
from ivrd.core.tracker import Tracker
from ivrd.engine import Engine
from ivrd.log import configure
from ivrd.metrics import Metrics
from tests.bench.made_up_floor import SYSTEM, MadeUpFloor, queue_names, rules
from tests.bench.result import BenchError, Result, Row

CALLS_PER_WEEK = 8_000
WEEKS = 52
QUICK_WEEKS = 4
WARM_UP_WEEKS = FINISHED_CALLS_MAX // CALLS_PER_WEEK + 1
WEEK_S = 7 * 86_400.0
DAY_S = 86_400.0
OPEN_AT_S, OPEN_S = 8 * 3_600.0, 8 * 3_600.0
OPEN_DAYS = 5
QUEUES = 4
WAIT_S = 45.0
START_WAITING = 5
BURST_CALLS = 20
"""As many arrive within a minute or so, so that lines form and overflow works."""

GOAL_MB = 2.0
"""RSS moves in whole pages and arenas; 400,000 calls that each left 100 bytes would be 40 MB."""


class Week:
    """One floor, filled a week at a time."""

    def __init__(self) -> None:
        """Build what app.py builds, without adapters."""
        names = queue_names(QUEUES)
        floor_rules = rules(names, start_waiting=START_WAITING)
        self.floor = MadeUpFloor(names, wait_s=WAIT_S, when_ended=None)
        self.tracker = Tracker(system=SYSTEM, rules=floor_rules)
        limits = [queue.service_level_threshold for queue in floor_rules.queues.values()]
        self.metrics = Metrics(limits=limits)
        self.engine = Engine(
            trackers={SYSTEM: self.tracker}, counters=self.metrics, store=None, publisher=None
        )
        self.weeks = 0
        self.events = 0
        self.moves = 0
        self.core_s = 0.0
        """CPU time in the engine; the rest makes events."""
        self._apply(self.floor.snapshot())

    def play(self) -> None:
        """Let a week's callers call, until the last has gone."""
        start_s = self.weeks * WEEK_S
        self.weeks += 1
        per_day = CALLS_PER_WEEK // OPEN_DAYS
        for day in range(OPEN_DAYS):
            opens_s = start_s + day * DAY_S + OPEN_AT_S - self.floor.now_s
            for number in range(per_day):
                burst, place = divmod(number, BURST_CALLS)
                self.floor.call_in(opens_s + burst * BURST_CALLS * OPEN_S / per_day + 3 * place)
            while self.floor.next_s is not None:
                for event in self.floor.step():
                    self._apply(event)
        started_s = time.thread_time()
        self.engine.pass_all_deadlines()
        self.core_s += time.thread_time() - started_s
        self._prove_empty()

    def _apply(self, event: Event) -> None:
        self.events += 1
        started_s = time.thread_time()
        effects = self.engine.apply(event)
        self.core_s += time.thread_time() - started_s
        for effect in effects:
            if isinstance(effect, MoveCaller):
                self.floor.move(effect)
                self.moves += 1

    def _prove_empty(self) -> None:
        book = self.tracker._book
        indices = (book.legs, book.aliases, book.thirds, book.recalls, book.talkers)
        left = sum(map(len, indices)) + sum(len(floor.waiting) for floor in book.queues.values())
        if self.tracker.live_calls or left or self.tracker.next_deadline() is not None:
            raise BenchError(f"week {self.weeks} left {self.tracker.live_calls} calls, {left} more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What the weeks came to."""

    floor: Week
    wall_s: float
    warm_mb: float
    end_mb: float
    weekly_core_s: Sequence[float]

    @property
    def growth_mb(self) -> float:
        """Return how much more memory is resident at the end than when warm."""
        return self.end_mb - self.warm_mb


class _Written(TextIOBase):
    """Where log lines go: counted, and not kept."""

    def __init__(self) -> None:
        self.lines = 0

    def write(self, text: str, /) -> int:
        self.lines += text.count("\n")
        return len(text)


async def measure(*, is_quick: bool) -> Result:
    """Return the time, and the memory at the end against the start."""
    weeks = QUICK_WEEKS if is_quick else WEEKS
    written = _Written()
    configure(LogConfig(), stream=written)
    try:
        year = _play(weeks)
        if written.lines < year.floor.floor.calls:
            raise BenchError(f"{written.lines} log lines of {year.floor.floor.calls} calls")
        traced = _traced_bytes()
    finally:
        structlog.reset_defaults()
    _prove_counted(year.floor)
    calls = year.floor.floor.calls
    return Result(
        key="e",
        title=f"{weeks} weeks of {CALLS_PER_WEEK:,} calls through engine, tracker and metrics: "
        "growth of memory",
        rows=_rows(year, traced),
        figure=year.growth_mb,
        goal=f"<= {GOAL_MB:g} MB (flat)",
        is_met=year.growth_mb <= GOAL_MB,
        notes=(
            f"{calls:,} calls in bursts of {BURST_CALLS}, five days a week; each counted once",
            "at the end of each week no call, index, line or deadline is left",
            f"warm: after {WARM_UP_WEEKS} weeks, when the tracker remembers its "
            f"{FINISHED_CALLS_MAX:,} finished calls; tracemalloc in a run of its own, "
            "that begins with so many, from the first week's end to the second's",
        ),
    )


def _rows(year: Year, traced: tuple[int, int]) -> tuple[Row, ...]:
    first, last = year.weekly_core_s[WARM_UP_WEEKS - 1], year.weekly_core_s[-1]
    return (
        Row(
            name="all of it",
            unit="",
            figures={
                "calls": year.floor.floor.calls,
                "events": year.floor.events,
                "moves": year.floor.moves,
                "wall s": year.wall_s,
                "core CPU s": year.floor.core_s,
            },
        ),
        Row(
            name="core CPU of a week",
            unit="s",
            figures={"warm": first, "last": last, "last/warm": last / first},
        ),
        Row(
            name="resident memory",
            unit="MB",
            figures={"warm": year.warm_mb, "end": year.end_mb, "growth": year.growth_mb},
        ),
        Row(
            name="what Python allocated and kept (tracemalloc)",
            unit="kB",
            figures={
                "warm": traced[0] / 1e3,
                "end": traced[1] / 1e3,
                "growth": (traced[1] - traced[0]) / 1e3,
            },
        ),
    )


def _play(weeks: int) -> Year:
    week = Week()
    warm_mb = 0.0
    weekly_core_s: list[float] = []
    started_s = time.perf_counter()
    for _ in range(weeks):
        before_s = week.core_s
        week.play()
        weekly_core_s.append(week.core_s - before_s)
        if week.weeks == WARM_UP_WEEKS:
            warm_mb = _resident_mb()
    return Year(
        floor=week,
        wall_s=time.perf_counter() - started_s,
        warm_mb=warm_mb,
        end_mb=_resident_mb(),
        weekly_core_s=weekly_core_s,
    )


def _traced_bytes() -> tuple[int, int]:
    """Return what is allocated after one week and after two, with the tracker's memory full."""
    tracemalloc.start()
    try:
        week = Week()
        week.tracker.remember_finished(
            CallId(f"{SYSTEM}/1767571100.{number:05d}") for number in range(FINISHED_CALLS_MAX)
        )
        return _bytes_after(week), _bytes_after(week)
    finally:
        tracemalloc.stop()


def _bytes_after(week: Week) -> int:
    week.play()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _resident_mb() -> float:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


def _prove_counted(week: Week) -> None:
    """Prove that the metrics hold each call once.

    Raises:
        BenchError: They do not.
    """
    counts = {
        name: sum(
            sample.value
            for family in week.metrics.registry.collect()
            for sample in family.samples
            if sample.name == name
        )
        for name in ("ivrd_calls_total", "ivrd_events_failed_total")
    }
    if counts["ivrd_calls_total"] != week.floor.calls or counts["ivrd_events_failed_total"]:
        raise BenchError(f"{week.floor.calls} calls came, and metrics hold {counts}")
