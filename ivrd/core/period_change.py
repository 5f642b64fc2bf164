"""A figure beside the same figure of the period before: what is compared, and what the change is.

Here: arithmetic, and what is known of a period. Not here: reading it (reports/reading.py), words
and tables (reports/comparison.py).

The rules
    1. A day is compared with the same weekday of the week before, a week with the week before, a
       month with the month before, by the calendar: the clocks may change in one of the two, and
       months differ in length. Nothing is scaled for that; the report names both lengths.
    2. A period is known when a call is stored from before it began, and from each of its working
       days that is over. Otherwise calls are lacking (ivrd was not there, did not run, or they were
       purged), and all its figures are unknown.
    3. Whoever has no stored fact in a known period has no figures there: a queue that nobody called
       cannot be told from one that did not exist.
    4. A count's change is relative; that of a share and of a time is the difference. Where a figure
       is unknown or has no value, the change has none; nor has that of a count that was 0.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from ivrd.core.period_figures import Figures, Unit, Value
from ivrd.core.periods import Period, Span, period_of
from ivrd.core.service_level import Counts

CHANGES = {
    Unit.COUNT: "change_of_count",
    Unit.SHARE: "change_of_share",
    Unit.DURATION: "change_of_time",
}
"""The formula of a change, by what changes."""


def period_before(period: Period) -> Period:
    """Return the period that one is compared with (rule 1).

    >>> from datetime import UTC
    >>> period_before(period_of(Span.MONTH, date(2026, 3, 31), UTC)).name
    '2026-02'
    """
    step = timedelta(days=7) if period.span is Span.DAY else timedelta(days=1)
    return period_of(period.span, period.first - step, period.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is known of a period (rule 2)."""

    known_since: datetime | None
    """When the first stored call came; None: there is none."""
    is_begun: bool
    """A call is stored from before the period."""
    silent_days: Sequence[date]
    """Working days that are over, of which no call is stored."""

    @property
    def is_whole(self) -> bool:
        """Return whether no call is known to be lacking."""
        return self.is_begun and not self.silent_days


def coverage_of(
    period: Period,
    *,
    days_with_calls: Collection[date],
    known_since: datetime | None,
    is_working_day: Callable[[date], bool],
    now: datetime,
) -> Coverage:
    """Return what is known of a period.

    Args:
        period: Which.
        days_with_calls: Its days of which a call is stored.
        known_since: When the first call of all came that is stored; None: there is none.
        is_working_day: Whether a day without any call is not to be believed.
        now: Days that are not over at it are not judged.
    """
    return Coverage(
        known_since=known_since,
        is_begun=known_since is not None and known_since < period.since,
        silent_days=[
            day.first
            for day in period.days()
            if day.until <= now and day.first not in days_with_calls and is_working_day(day.first)
        ],
    )


def has_facts(figures: Figures) -> bool:
    """Return whether anything was counted for somebody (rule 3)."""
    return bool(figures.calls or figures.guided or figures.counts != Counts())


def change(unit: Unit, value: Value, before: Value) -> Value:
    """Return how a figure changed by its unit's formula in CHANGES (rule 4).

    >>> change(Unit.COUNT, 9, 12), change(Unit.SHARE, Fraction(9, 10), Fraction(4, 5))
    (Fraction(-1, 4), Fraction(1, 10))
    """
    if value is None or before is None:
        return None
    match unit:
        case Unit.COUNT:
            assert isinstance(value, int), "a count is a whole number"
            assert isinstance(before, int), "a count is a whole number"
            return Fraction(value - before, before) if before else None
        case Unit.SHARE:
            assert isinstance(value, int | Fraction), "a share is a fraction"
            assert isinstance(before, int | Fraction), "a share is a fraction"
            return Fraction(value) - before
        case Unit.DURATION:
            assert isinstance(value, timedelta), "a time is a time"
            assert isinstance(before, timedelta), "a time is a time"
            return value - before
