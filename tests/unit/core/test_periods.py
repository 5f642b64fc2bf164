"""Days of 23 and 25 hours, ISO weeks, months."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ivrd.core.periods import Span, length_of, period_of

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 10, 26), 24)],
)
def test_a_day_is_as_long_as_the_clock_says(day: date, hours: int) -> None:
    assert length_of(period_of(Span.DAY, day, STOCKHOLM)) == timedelta(hours=hours)


def test_a_day_begins_at_its_own_midnight() -> None:
    autumn = period_of(Span.DAY, date(2026, 10, 25), STOCKHOLM)
    assert autumn.since == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert autumn.until == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert autumn.day_of(autumn.until - timedelta(microseconds=1)) == date(2026, 10, 25)
    assert autumn.day_of(autumn.until) == date(2026, 10, 26)


@pytest.mark.parametrize(
    ("span", "name"), [(Span.WEEK, "2026-W53"), (Span.MONTH, "2027-01"), (Span.DAY, "2027-01-01")]
)
def test_a_period_is_named_as_it_sorts(span: Span, name: str) -> None:
    assert period_of(span, date(2027, 1, 1), STOCKHOLM).name == name


@pytest.mark.parametrize("span", Span)
def test_the_days_of_a_period_lie_end_to_end(span: Span) -> None:
    whole = period_of(span, date(2026, 10, 25), STOCKHOLM)
    days = list(whole.days())
    assert days[0].since == whole.since
    assert days[-1].until == whole.until
    assert all(one.until == other.since for one, other in itertools.pairwise(days))
