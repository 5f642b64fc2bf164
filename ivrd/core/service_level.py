"""Arithmetic of service levels: counts in, named ratios out.

Here: integers and `Fraction`. Not here: collecting (tracker.py) and rounding (whoever prints).

The boundary is inclusive (a wait equal to the threshold is in time) and the moment is the answer,
not the end of the call. `wait` is first arrival in any queue to first answer, so a move by overflow
does not restart it. Asterisk's own figures are inclusive too, but on whole seconds and counted when
the call ends (F6), and they call every unanswered exit an abandon (F1, F2): never published here.

Zero traffic is no value (None): never 100 %, never 0 %.

Source:
    METRICS.md; ICMI and Call Centre Helper for the five formulas in common use.
"""

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from fractions import Fraction

from ivrd.core.effects import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Whole numbers for one queue since a stated moment; each entry is counted once."""

    joined: int = 0
    refused: int = 0
    """Never joined: full, or no agent."""
    answered: int = 0
    answered_within: int = 0
    """Answered with wait <= threshold."""
    abandoned: int = 0
    """Short abandons included."""
    abandoned_within: int = 0
    """Abandoned with wait <= threshold."""
    short_abandons: int = 0
    """Abandoned with wait < the short limit."""
    timed_out: int = 0
    empty: int = 0
    key_exits: int = 0
    moved_in: int = 0
    moved_out: int = 0
    withdrawn: int = 0
    redirected: int = 0
    closed: int = 0
    """Met a closed queue, or the line closed while they waited; not offered."""
    diverted: int = 0
    """Sent to another queue at the door, by our own policy; not offered."""
    unknown: int = 0
    cases: int = 0

    @property
    def offered(self) -> int:
        """Joined plus refused."""
        return self.joined + self.refused


def counted(
    counts: Counts,
    disposition: Disposition,
    wait: timedelta | None,
    *,
    threshold: timedelta,
    short_abandon: timedelta,
) -> Counts:
    """Return the counts with one more entry whose disposition is fixed.

    Args:
        wait: Since the call's first arrival in any queue. None is in no "within" count.
    """
    return counted_many(
        counts,
        disposition,
        number=1,
        within=int(wait is not None and wait <= threshold),
        short=int(wait is not None and wait < short_abandon),
    )


def counted_many(
    counts: Counts, disposition: Disposition, *, number: int, within: int, short: int
) -> Counts:
    """Return the counts with so many more entries that ended alike.

    Args:
        within: Of those, with wait <= threshold.
        short: Of those, with wait < the short limit.
    """
    match disposition:
        case Disposition.ANSWERED:
            return replace(
                counts,
                answered=counts.answered + number,
                answered_within=counts.answered_within + within,
            )
        case Disposition.ABANDONED:
            return replace(
                counts,
                abandoned=counts.abandoned + number,
                abandoned_within=counts.abandoned_within + within,
                short_abandons=counts.short_abandons + short,
            )
        case Disposition.TIMED_OUT:
            return replace(counts, timed_out=counts.timed_out + number)
        case Disposition.EMPTY:
            return replace(counts, empty=counts.empty + number)
        case Disposition.FULL | Disposition.JOIN_EMPTY:
            return replace(counts, refused=counts.refused + number)
        case Disposition.KEY_EXIT:
            return replace(counts, key_exits=counts.key_exits + number)
        case Disposition.MOVED:
            return replace(counts, moved_out=counts.moved_out + number)
        case Disposition.WITHDRAWN:
            return replace(counts, withdrawn=counts.withdrawn + number)
        case Disposition.REDIRECTED:
            return replace(counts, redirected=counts.redirected + number)
        case Disposition.CLOSED:
            return replace(counts, closed=counts.closed + number)
        case Disposition.DIVERTED:
            return replace(counts, diverted=counts.diverted + number)
        case Disposition.UNKNOWN:
            return replace(counts, unknown=counts.unknown + number)


def added(counts: Counts, more: Counts) -> Counts:
    """Return the sum of two counts of one queue, each of entries that the other has not.

    >>> added(Counts(joined=2, cases=1), Counts(joined=3)).joined
    5
    """
    return Counts(
        **{
            each.name: getattr(counts, each.name) + getattr(more, each.name)
            for each in fields(Counts)
        }
    )


def without(counts: Counts, fewer: Counts) -> Counts:
    """Return counts less those that were counted by an earlier moment.

    >>> without(Counts(joined=5, cases=1), Counts(joined=3)).joined
    2
    """
    return Counts(
        **{
            each.name: getattr(counts, each.name) - getattr(fewer, each.name)
            for each in fields(Counts)
        }
    )


def sl(counts: Counts) -> Fraction | None:
    """Return *the* service level: answered in time / (answered + abandoned - short abandons).

    >>> sl(Counts(answered=90, answered_within=81, abandoned=10, short_abandons=5))
    Fraction(81, 95)
    >>> sl(Counts()) is None
    True

    Source:
        Call Centre Helper's formula 4; a Genesys option. The house default.
    """
    return _ratio(
        counts.answered_within, counts.answered + counts.abandoned - counts.short_abandons
    )


def sl_answered(counts: Counts) -> Fraction | None:
    """Return answered in time / answered.

    >>> sl_answered(Counts(answered=90, answered_within=81, abandoned=10))
    Fraction(9, 10)

    Source:
        The formula of Asterisk's ServicelevelPerf, and of Wazo.
    """
    return _ratio(counts.answered_within, counts.answered)


def sl_all_ended(counts: Counts) -> Fraction | None:
    """Return (answered in time + abandoned in time) / (answered + abandoned).

    >>> sl_all_ended(Counts(answered=90, answered_within=81, abandoned=10, abandoned_within=4))
    Fraction(17, 20)

    Source:
        The formula of Asterisk's ServicelevelPerf2, on our counts instead of its own.
    """
    return _ratio(
        counts.answered_within + counts.abandoned_within, counts.answered + counts.abandoned
    )


def sl_offered(counts: Counts) -> Fraction | None:
    """Return answered in time / (answered + abandoned).

    >>> sl_offered(Counts(answered=90, answered_within=81, abandoned=10))
    Fraction(81, 100)

    Source:
        Genesys's default.
    """
    return _ratio(counts.answered_within, counts.answered + counts.abandoned)


def sl_queued(counts: Counts) -> Fraction | None:
    """Return (answered in time + abandoned in time) / joined.

    Who still waits, was moved, timed out or left with a key has joined too, and so lowers it. A
    request to be called back is to count as left in time; there is none yet.

    >>> sl_queued(Counts(joined=120, answered=90, answered_within=81, abandoned_within=4))
    Fraction(17, 24)

    Source:
        Amazon Connect's "Service level X": removed from the queue between 0 and X seconds after
        being added (answered, abandoned or callback requested) / contacts queued.
    """
    return _ratio(counts.answered_within + counts.abandoned_within, counts.joined)


def _ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
