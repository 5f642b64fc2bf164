"""What a period is compared with, what is known of it, and what a change is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from ivrd.core.effects import Outcome
from ivrd.core.period_change import (
    CHANGES,
    Coverage,
    change,
    coverage_of,
    has_facts,
    period_before,
)
from ivrd.core.period_figures import Figures, Unit, Value
from ivrd.core.periods import Period, Span, length_of, period_of
from ivrd.core.service_level import Counts

STOCKHOLM = ZoneInfo("Europe/Stockholm")
WEEK = period_of(Span.WEEK, date(2026, 10, 19), STOCKHOLM)
LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
WORKED = [date(2026, 10, day) for day in range(19, 24)]


@pytest.mark.parametrize(
    ("span", "day", "before", "hours"),
    [
        (Span.DAY, date(2026, 10, 26), "2026-10-19", 24),
        (Span.DAY, date(2026, 11, 1), "2026-10-25", 25),
        (Span.DAY, date(2026, 4, 5), "2026-03-29", 23),
        (Span.WEEK, date(2026, 11, 1), "2026-W43", 169),
        (Span.WEEK, date(2026, 4, 1), "2026-W13", 167),
        (Span.WEEK, date(2027, 1, 4), "2026-W53", 168),
        (Span.MONTH, date(2026, 3, 31), "2026-02", 28 * 24),
        (Span.MONTH, date(2026, 11, 30), "2026-10", 31 * 24 + 1),
        (Span.MONTH, date(2027, 1, 1), "2026-12", 31 * 24),
    ],
)
def test_the_period_before_is_by_the_calendar_whatever_the_clocks_do(
    span: Span, day: date, before: str, hours: int
) -> None:
    found = period_before(period_of(span, day, STOCKHOLM))
    assert (found.name, length_of(found)) == (before, timedelta(hours=hours))


@pytest.mark.parametrize(
    ("unit", "value", "before", "changed"),
    [
        (Unit.COUNT, 15, 12, Fraction(1, 4)),
        (Unit.COUNT, 0, 12, Fraction(-1)),
        (Unit.COUNT, 12, 0, None),
        (Unit.COUNT, 0, 0, None),
        (Unit.COUNT, 12, None, None),
        (Unit.SHARE, Fraction(3, 4), Fraction(4, 5), Fraction(-1, 20)),
        (Unit.SHARE, Fraction(0), Fraction(0), Fraction(0)),
        (Unit.SHARE, None, Fraction(4, 5), None),
        (Unit.SHARE, Fraction(3, 4), None, None),
        (Unit.DURATION, timedelta(seconds=5), timedelta(seconds=65), timedelta(seconds=-60)),
        (Unit.DURATION, timedelta(0), None, None),
    ],
)
def test_a_change_of_nothing_known_is_no_value(
    unit: Unit, value: Value, before: Value, changed: Value
) -> None:
    assert change(unit, value, before) == changed
    assert unit in CHANGES


def covered(
    days: Sequence[date],
    *,
    since: datetime | None = LONG_AGO,
    now: datetime = LATER,
    period: Period = WEEK,
) -> Coverage:
    return coverage_of(
        period,
        days_with_calls=days,
        known_since=since,
        is_working_day=lambda day: day.weekday() < 5,
        now=now,
    )


def test_a_period_is_known_with_a_call_from_each_working_day_and_one_from_before() -> None:
    assert covered(WORKED).is_whole
    gone = covered([*WORKED[:2], *WORKED[3:]])
    assert not gone.is_whole
    assert gone.silent_days == [date(2026, 10, 21)]


@pytest.mark.parametrize("since", [None, WEEK.since, WEEK.until])
def test_a_period_in_which_facts_begin_is_not_known(since: datetime | None) -> None:
    assert not covered(WORKED, since=since).is_whole


def test_a_day_that_is_not_over_may_still_be_silent() -> None:
    noon = datetime(2026, 10, 22, 10, tzinfo=UTC)
    assert covered(WORKED[:3], now=noon).is_whole
    assert covered(WORKED[:2], now=noon).silent_days == [WORKED[2]]


def test_nobody_called_cannot_be_told_from_a_queue_that_did_not_exist() -> None:
    assert not has_facts(Figures())
    assert not has_facts(Figures(waits=[], counts=Counts()))
    assert has_facts(Figures(counts=Counts(closed=1)))
    assert has_facts(Figures(outcomes={Outcome.CLOSED: 1}))
    assert has_facts(Figures(guided=1))
