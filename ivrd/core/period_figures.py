"""What some queues, lines or departments come to in a period, by the definitions of METRICS.md.

Here: figures that can be added up, and every ratio and percentile made of them. Not here: how calls
are counted into them (period_book.py), words and rounding (reports/).

All parts add up: the figures of a month are those of its days, and a group's those of its queues.
So no ratio and no percentile is ever added; each is made anew of counts and waits. Zero traffic is
no value (None): never 0 %, never 100 %.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from fractions import Fraction
from functools import reduce
from typing import TypeVar

from ivrd.core import service_level
from ivrd.core.case_record import CaseClass
from ivrd.core.day_figures import percentile
from ivrd.core.effects import Outcome
from ivrd.core.service_level import Counts, added

_NOTHING = timedelta(0)

HAND_OVER_GOAL = timedelta(seconds=30)
"""The switchboard's goal for handling time, at most (Stockholm 2014)."""

Key = TypeVar("Key")

OVER = {
    "wait_over_25s": timedelta(seconds=25),
    "wait_over_60s": timedelta(seconds=60),
    "wait_over_10min": timedelta(minutes=10),
}
"""Stockholm's goals, and Riksrevisionen's limit for good phone service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Talk of answered stays; hold is part of it, wrap-up is not."""

    total: timedelta = _NOTHING
    stays: int = 0
    unknown: int = 0
    """Answered stays whose end nobody saw; not in the other two."""


class Happening(Enum):
    """What is counted over the day and the week."""

    OFFERED = auto()
    ANSWERED = auto()
    ABANDONED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A half hour of a weekday, by the clock on the wall."""

    weekday: int
    """0 is Monday."""
    half_hour: int
    """0 is midnight to half past."""
    what: Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was counted."""

    counts: Counts = field(default_factory=Counts)
    waits: Sequence[timedelta] = ()
    """Of answered stays, since the caller's first arrival in any queue, in ascending order."""
    left: Sequence[timedelta] = ()
    """The same of those who hung up."""
    talk: Talk = field(default_factory=Talk)
    hand_overs: Sequence[timedelta] = ()
    """Of the switchboard: answer to hand-over, in ascending order."""
    guided: int = 0
    """Calls that a guide answered, by whose guide answered last."""
    ended_known: int = 0
    """Of those, whose end is known."""
    solved: int = 0
    """Of those, solved at first contact."""
    classes: Mapping[CaseClass, int] = field(default_factory=dict)
    """Cases by class."""
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    """Whole calls; of lines only."""
    known_callers: int = 0
    """Calls by callers whom one would know again."""
    repeated: int = 0
    """Of those, followed by another within a week."""
    slots: Mapping[Slot, int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """Whole calls."""
        return sum(self.outcomes.values())

    @property
    def met_open(self) -> int:
        """Whole calls that did not meet a closed line."""
        return self.calls - self.outcomes.get(Outcome.CLOSED, 0)


def merged(parts: Iterable[Figures]) -> Figures:
    """Return the figures of several parts as one."""
    every = list(parts)
    if len(every) == 1:
        return every[0]
    return Figures(
        counts=reduce(added, (each.counts for each in every), Counts()),
        waits=sorted(wait for each in every for wait in each.waits),
        left=sorted(wait for each in every for wait in each.left),
        talk=Talk(
            total=sum((each.talk.total for each in every), _NOTHING),
            stays=sum(each.talk.stays for each in every),
            unknown=sum(each.talk.unknown for each in every),
        ),
        hand_overs=sorted(time for each in every for time in each.hand_overs),
        guided=sum(each.guided for each in every),
        ended_known=sum(each.ended_known for each in every),
        solved=sum(each.solved for each in every),
        classes=_summed(each.classes for each in every),
        outcomes=_summed(each.outcomes for each in every),
        known_callers=sum(each.known_callers for each in every),
        repeated=sum(each.repeated for each in every),
        slots=_summed(each.slots for each in every),
    )


def sl_within(figures: Figures, threshold: timedelta) -> Fraction | None:
    """Return *the* service level by another threshold than the queues' own, such as a goal's.

    Source:
        service_level.sl, the house default.
    """
    counts = figures.counts
    within = bisect_right(figures.waits, threshold)
    return _ratio(within, counts.answered + counts.abandoned - counts.short_abandons)


class Unit(Enum):
    """How a figure is written."""

    COUNT = auto()
    SHARE = auto()
    DURATION = auto()


class Kind(Enum):
    """Of whom a figure can be told."""

    GUIDANCE = auto()
    SWITCHBOARD = auto()
    CALLS = auto()
    """Whole calls of a line, whoever answered."""
    DEPARTMENT = auto()


Value = int | Fraction | timedelta | None

QUEUES = frozenset({Kind.GUIDANCE, Kind.SWITCHBOARD})
ANSWERED = QUEUES | {Kind.DEPARTMENT}
GUIDED = frozenset({Kind.GUIDANCE, Kind.DEPARTMENT})
SWITCHBOARD = frozenset({Kind.SWITCHBOARD})
CALLS = frozenset({Kind.CALLS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure by its name, which stands beside the number everywhere."""

    name: str
    unit: Unit
    kinds: frozenset[Kind]
    of: Callable[[Figures], Value]
    is_rare: bool = False
    """May be left out where it is nothing for everybody."""


def _count(name: str, kinds: frozenset[Kind], *, is_rare: bool = False) -> Figure:
    return Figure(
        name=name,
        unit=Unit.COUNT,
        kinds=kinds,
        of=lambda figures: int(getattr(figures.counts, name)),
        is_rare=is_rare,
    )


def _level(name: str, of: Callable[[Counts], Fraction | None], kinds: frozenset[Kind]) -> Figure:
    return Figure(name=name, unit=Unit.SHARE, kinds=kinds, of=lambda figures: of(figures.counts))


def _wait(name: str, part: int) -> Figure:
    return Figure(
        name=name,
        unit=Unit.DURATION,
        kinds=ANSWERED,
        of=lambda figures: percentile(figures.waits, part),
    )


def _over(name: str) -> Figure:
    return Figure(
        name=name,
        unit=Unit.SHARE,
        kinds=ANSWERED,
        of=lambda figures: _share_over(figures.waits, OVER[name]),
    )


def _outcome(outcome: Outcome, *, is_rare: bool = False) -> Figure:
    return Figure(
        name=f"calls_{outcome.value}",
        unit=Unit.COUNT,
        kinds=CALLS,
        of=lambda figures: figures.outcomes.get(outcome, 0),
        is_rare=is_rare,
    )


FIGURES = (
    Figure(name="calls", unit=Unit.COUNT, kinds=CALLS, of=lambda figures: figures.calls),
    Figure(name="calls_offered", unit=Unit.COUNT, kinds=CALLS, of=lambda figures: figures.met_open),
    *(
        _outcome(outcome, is_rare=outcome in (Outcome.DIRECTED, Outcome.UNKNOWN))
        for outcome in Outcome
    ),
    _count("offered", QUEUES),
    _count("joined", QUEUES, is_rare=True),
    _count("refused", QUEUES, is_rare=True),
    _count("answered", ANSWERED),
    _count("abandoned", QUEUES),
    _count("short_abandons", QUEUES),
    Figure(
        name="abandon_rate",
        unit=Unit.SHARE,
        kinds=QUEUES,
        of=lambda figures: _ratio(figures.counts.abandoned, figures.counts.offered),
    ),
    _level("sl", service_level.sl, QUEUES),
    _level("sl_answered", service_level.sl_answered, ANSWERED),
    _level("sl_all_ended", service_level.sl_all_ended, QUEUES),
    _level("sl_offered", service_level.sl_offered, QUEUES),
    _level("sl_queued", service_level.sl_queued, QUEUES),
    _wait("wait_p50", 50),
    _wait("wait_p90", 90),
    _wait("wait_p95", 95),
    _wait("wait_longest", 100),
    *(_over(name) for name in OVER),
    Figure(name="asa", unit=Unit.DURATION, kinds=ANSWERED, of=lambda figures: _mean(figures.waits)),
    Figure(
        name="abandoned_wait_p50",
        unit=Unit.DURATION,
        kinds=QUEUES,
        of=lambda figures: percentile(figures.left, 50),
    ),
    Figure(
        name="abandoned_wait_longest",
        unit=Unit.DURATION,
        kinds=QUEUES,
        of=lambda figures: percentile(figures.left, 100),
    ),
    Figure(
        name="talk_total",
        unit=Unit.DURATION,
        kinds=ANSWERED,
        of=lambda figures: figures.talk.total if figures.talk.stays else None,
    ),
    Figure(
        name="aht_without_wrap_up",
        unit=Unit.DURATION,
        kinds=ANSWERED,
        of=lambda figures: figures.talk.total / figures.talk.stays if figures.talk.stays else None,
    ),
    Figure(
        name="talk_unknown",
        unit=Unit.COUNT,
        kinds=ANSWERED,
        is_rare=True,
        of=lambda figures: figures.talk.unknown,
    ),
    Figure(
        name="hand_overs",
        unit=Unit.COUNT,
        kinds=SWITCHBOARD,
        of=lambda figures: len(figures.hand_overs),
    ),
    Figure(
        name="handling_mean",
        unit=Unit.DURATION,
        kinds=SWITCHBOARD,
        of=lambda figures: _mean(figures.hand_overs),
    ),
    Figure(
        name="handling_p90",
        unit=Unit.DURATION,
        kinds=SWITCHBOARD,
        of=lambda figures: percentile(figures.hand_overs, 90),
    ),
    Figure(
        name="handling_over_30s",
        unit=Unit.SHARE,
        kinds=SWITCHBOARD,
        of=lambda figures: _share_over(figures.hand_overs, HAND_OVER_GOAL),
    ),
    _count("moved_in", QUEUES),
    _count("moved_out", QUEUES),
    _count("diverted", QUEUES, is_rare=True),
    _count("timed_out", QUEUES, is_rare=True),
    _count("empty", QUEUES, is_rare=True),
    _count("key_exits", QUEUES, is_rare=True),
    _count("withdrawn", QUEUES, is_rare=True),
    _count("redirected", QUEUES, is_rare=True),
    _count("closed", QUEUES, is_rare=True),
    _count("unknown", QUEUES, is_rare=True),
    Figure(name="guided", unit=Unit.COUNT, kinds=GUIDED, of=lambda figures: figures.guided),
    Figure(
        name="cases",
        unit=Unit.COUNT,
        kinds=GUIDED,
        of=lambda figures: sum(figures.classes.values()),
    ),
    Figure(
        name="fcr",
        unit=Unit.SHARE,
        kinds=GUIDED,
        of=lambda figures: _ratio(figures.solved, figures.ended_known),
    ),
    Figure(
        name="repeat_rate",
        unit=Unit.SHARE,
        kinds=GUIDED | CALLS,
        of=lambda figures: _ratio(figures.repeated, figures.known_callers),
    ),
    Figure(
        name="callers_unknown",
        unit=Unit.COUNT,
        kinds=GUIDED | CALLS,
        is_rare=True,
        of=lambda figures: max(figures.guided, figures.calls) - figures.known_callers,
    ),
)
"""Every figure, in the order in which it is shown. Cases by class stand beside them."""


def _mean(times: Sequence[timedelta]) -> timedelta | None:
    return sum(times, _NOTHING) / len(times) if times else None


def _share_over(times: Sequence[timedelta], limit: timedelta) -> Fraction | None:
    return _ratio(len(times) - bisect_right(times, limit), len(times))


def _ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def _summed(parts: Iterable[Mapping[Key, int]]) -> Mapping[Key, int]:
    found: Counter[Key] = Counter()
    for part in parts:
        found.update(part)
    return dict(found)
