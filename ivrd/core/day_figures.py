"""A day's visits as figures: what `ivrd overflow rehearse` sets side by side.

Here: one reckoning for what happened and for what a model came to, by the definitions that the
live figures have (service_level.py). Not here: rounding and words.

A wait is from first arrival in any queue, and counts where the call was answered, as in the live
figures: a queue that takes over long waits is not praised for them. So each queue has its own
callers' waits beside that, wherever they were answered: what became of those who came *here*.

A percentile is the smallest wait that so many of a hundred did not exceed (nearest rank): a wait
that somebody had. Nobody answered is no value.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from functools import reduce

from ivrd.core.effects import Disposition
from ivrd.core.ids import QueueName
from ivrd.core.rules import QueueRules
from ivrd.core.service_level import Counts, added, counted
from ivrd.core.visits import Visit

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Waits of answered calls; None when nobody was answered."""

    p50: timedelta | None
    p90: timedelta | None
    longest: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the agents of a queue did that day, in all their queues."""

    handling: timedelta
    """Talk and wrap-up."""
    on_duty: timedelta

    @property
    def occupancy(self) -> Fraction | None:
        """Return handling / time on duty; None when nobody was there."""
        return Fraction(self.handling / self.on_duty) if self.on_duty else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """One queue's day, or all queues' together."""

    came: int
    """Visits of callers who were after this queue."""
    diverted: int
    """Of those, sent on at the door."""
    counts: Counts
    """Of stays here."""
    answered_here: Waits
    came_here: Waits
    """Of those who came here first, wherever they were answered."""
    came_abandoned: int
    """Of those who came here first, wherever they hung up."""
    longest_left: timedelta | None
    """The longest wait that ended in a hang-up here; None when nobody hung up."""
    work: Work


def percentile(waits: Sequence[timedelta], part: int) -> timedelta | None:
    """Return the wait that `part` of a hundred did not exceed; None of no waits.

    >>> percentile([timedelta(seconds=n) for n in (10, 20, 30, 40)], 50)
    datetime.timedelta(seconds=20)

    Args:
        waits: In ascending order.
        part: From 1 to 100.
    """
    if not waits:
        return None
    return waits[-(-len(waits) * part // 100) - 1]


def figures_of(
    visits: Iterable[Visit],
    rules: Mapping[QueueName, QueueRules],
    work: Mapping[QueueName, Work],
) -> Mapping[QueueName, DayFigures]:
    """Return each queue's figures, in the order of the rules.

    Args:
        visits: The day's.
        rules: Of each queue; stays in others are not counted.
        work: Of each queue's agents; none for a queue without.
    """
    counts = dict.fromkeys(rules, Counts())
    answered: defaultdict[QueueName, list[timedelta]] = defaultdict(list)
    came_answered: defaultdict[QueueName, list[timedelta]] = defaultdict(list)
    left: defaultdict[QueueName, list[timedelta]] = defaultdict(list)
    came_left: defaultdict[QueueName, int] = defaultdict(int)
    diverted: defaultdict[QueueName, int] = defaultdict(int)
    came: defaultdict[QueueName, int] = defaultdict(int)
    for visit in visits:
        came[visit.came_to] += 1
        diverted[visit.came_to] += visit.diverted_from is not None
        _count(visit, counts, rules)
        if visit.is_answered:
            answered[visit.last.queue].append(visit.wait)
            came_answered[visit.came_to].append(visit.wait)
        elif visit.last.disposition is Disposition.ABANDONED:
            left[visit.last.queue].append(visit.wait)
            came_left[visit.came_to] += 1
    return {
        queue: DayFigures(
            came=came[queue],
            diverted=diverted[queue],
            counts=counts[queue],
            answered_here=_waits(answered[queue]),
            came_here=_waits(came_answered[queue]),
            came_abandoned=came_left[queue],
            longest_left=max(left[queue], default=None),
            work=work.get(queue, Work(handling=_NOTHING, on_duty=_NOTHING)),
        )
        for queue in rules
    }


def total_of(
    visits: Sequence[Visit], figures: Mapping[QueueName, DayFigures], work: Work
) -> DayFigures:
    """Return all queues as one. A move is within, so who was moved has joined twice.

    Each queue's service level goes by its own threshold, and so does the sum of their counts.

    Args:
        visits: Those that the figures are of.
        figures: Of each queue.
        work: Of all agents.
    """
    waits = _waits([v.wait for v in visits if v.is_answered and v.last.queue in figures])
    every = list(figures.values())
    counts = reduce(added, (each.counts for each in every), Counts())
    lefts = [each.longest_left for each in every if each.longest_left is not None]
    return DayFigures(
        came=sum(each.came for each in every),
        diverted=sum(each.diverted for each in every),
        counts=counts,
        answered_here=waits,
        came_here=waits,
        came_abandoned=sum(each.came_abandoned for each in every),
        longest_left=max(lefts, default=None),
        work=work,
    )


def _count(
    visit: Visit, counts: dict[QueueName, Counts], rules: Mapping[QueueName, QueueRules]
) -> None:
    for number, stay in enumerate(visit.stays):
        queue = rules.get(stay.queue)
        if queue is None:
            continue
        had = counts[stay.queue]
        had = replace(had, joined=had.joined + 1, moved_in=had.moved_in + (number > 0))
        counts[stay.queue] = counted(
            had,
            stay.disposition,
            stay.left_at - visit.first.joined_at,
            threshold=queue.service_level_threshold,
            short_abandon=queue.short_abandon,
        )


def _waits(waits: list[timedelta]) -> Waits:
    waits.sort()
    return Waits(
        p50=percentile(waits, 50), p90=percentile(waits, 90), longest=percentile(waits, 100)
    )
