"""What a date is in the calendar: a public holiday, an eve, a bridge day, or nothing of these.

Here: the words for it, and the rule for bridge days. Not here: which dates they are (red_days.py,
the home of the calendar library), nor what a line does on them (hours.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Self

DAY = timedelta(days=1)

SATURDAY = 5
"""The first day of the weekend, as `date.weekday` counts."""


class SpecialDay(StrEnum):
    """A day that is no public holiday, but on which Swedish municipalities close early or wholly.

    The value is the name in the configuration, ASCII and stable.
    """

    title_sv: str

    def __new__(cls, value: str, title_sv: str = "") -> Self:
        """Make a member of its name and its title; a look-up is by name alone."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.title_sv = title_sv
        return member

    TRETTONDAGSAFTON = "trettondagsafton", "Trettondagsafton"
    SKARTORSDAGEN = "skartorsdagen", "Skärtorsdagen"
    PASKAFTON = "paskafton", "Påskafton"
    VALBORGSMASSOAFTON = "valborgsmassoafton", "Valborgsmässoafton"
    DAGEN_FORE_KRISTI_HIMMELSFARD = (
        "dagen_fore_kristi_himmelsfard",
        "Dagen före Kristi himmelsfärdsdag",
    )
    PINGSTAFTON = "pingstafton", "Pingstafton"
    DAGEN_FORE_NATIONALDAGEN = "dagen_fore_nationaldagen", "Dagen före nationaldagen"
    DAGEN_FORE_MIDSOMMARAFTON = "dagen_fore_midsommarafton", "Dagen före midsommarafton"
    MIDSOMMARAFTON = "midsommarafton", "Midsommarafton"
    ALLHELGONAAFTON = "allhelgonaafton", "Allhelgonaafton"
    DAGEN_FORE_JULAFTON = "dagen_fore_julafton", "Dagen före julafton"
    JULAFTON = "julafton", "Julafton"
    DAGEN_FORE_NYARSAFTON = "dagen_fore_nyarsafton", "Dagen före nyårsafton"
    NYARSAFTON = "nyarsafton", "Nyårsafton"


EQUAL_TO_SUNDAY = frozenset({SpecialDay.MIDSOMMARAFTON, SpecialDay.JULAFTON, SpecialDay.NYARSAFTON})
"""Eves on which nobody is expected at work.

Source:
    Semesterlag (1977:480), 7 §: on a par with Sundays.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayMark:
    """What one date is; a date may be several things at once, such as an eve and a bridge day."""

    public_holiday: str | None = None
    """Its Swedish title; None on other days. A Sunday as such is no public holiday: it is closed,
    or open, as the week says."""
    special_days: tuple[SpecialDay, ...] = ()
    is_bridge_day: bool = False


Days = Mapping[date, DayMark]
"""Dates that are something; a date that is left out is an ordinary one."""

ORDINARY = DayMark()


def bridge_days(days: Days) -> Iterator[date]:
    """Yield the bridge days (klämdagar) next to the dates given, in order.

    A bridge day is a single weekday between two days off. Off are Saturdays, Sundays, public
    holidays, and the eves that the law puts on a par with Sundays.

    >>> list(bridge_days({date(2027, 5, 6): DayMark(public_holiday="Kristi himmelsfärdsdag")}))
    [datetime.date(2027, 5, 7)]
    """
    beside = {day + step for day in days for step in (-DAY, DAY)}
    for day in sorted(beside):
        if not is_off(days, day) and is_off(days, day - DAY) and is_off(days, day + DAY):
            yield day


def is_off(days: Days, day: date) -> bool:
    """Return whether nobody is expected at work on a date."""
    mark = days.get(day, ORDINARY)
    return (
        day.weekday() >= SATURDAY
        or mark.public_holiday is not None
        or not EQUAL_TO_SUNDAY.isdisjoint(mark.special_days)
    )
