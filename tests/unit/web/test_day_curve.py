"""A day's curve says what is not known, or has not been, and adds the hour that comes twice."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from ivrd.core.half_hours import PLACES, half_hours
from ivrd.core.periods import Span, period_of
from ivrd.core.service_level import Counts
from ivrd.web.day_curve import CurveDay, curve_day

ZONE = ZoneInfo("Europe/Stockholm")
MONDAY = date(2026, 11, 23)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def curve(
    day: date, counts: dict[int, Counts], *, now: datetime, since: datetime | None = LONG_AGO
) -> CurveDay:
    stretches = half_hours(period_of(Span.DAY, day, ZONE))
    return curve_day(day, stretches, counts, now=now, known_since=since)


def offered(day: CurveDay) -> dict[str, int | None]:
    return {one.begins: one.offered for one in day.half_hours}


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)


def test_a_half_hour_without_calls_is_zero_and_one_to_come_is_unknown() -> None:
    counts = {16: Counts(joined=3, refused=1, answered=2, answered_within=1, abandoned=2)}
    told = curve(MONDAY, counts, now=at(MONDAY, 9, 10))
    found = offered(told)
    assert (found["07:30"], found["08:00"], found["08:30"], found["09:00"]) == (0, 4, 0, 0)
    assert found["09:30"] is None
    eight, nine = told.half_hours[16], told.half_hours[18]
    assert (eight.answered, eight.abandoned, eight.sl, eight.is_over) == (2, 2, 0.25, True)
    # No traffic is neither 0 % nor 100 %.
    assert (nine.sl, nine.is_over) == (None, False)


def test_what_was_before_the_first_stored_call_is_unknown() -> None:
    now = at(MONDAY, 23, 59)
    found = offered(curve(MONDAY, {20: Counts(joined=1)}, now=now, since=at(MONDAY, 10, 3)))
    assert (found["09:30"], found["10:00"], found["10:30"]) == (None, 1, 0)
    assert set(offered(curve(MONDAY, {}, now=now, since=None)).values()) == {None}


def test_days_when_the_clocks_change_have_all_their_places() -> None:
    later = at(date(2026, 12, 1), 0)
    spring = offered(curve(SPRING, {}, now=later))
    assert (len(spring), spring["01:30"], spring["02:00"], spring["03:00"]) == (PLACES, 0, None, 0)
    autumn = half_hours(period_of(Span.DAY, AUTUMN, ZONE))
    assert (len(autumn), len({each.place for each in autumn})) == (50, PLACES)
    # At half past two for the first time, the second is to come: it is not over.
    first = datetime(2026, 10, 25, 0, 31, tzinfo=UTC)
    told = {one.begins: one.is_over for one in curve(AUTUMN, {}, now=first).half_hours}
    assert (told["01:30"], told["02:00"], told["02:30"]) == (True, False, False)
