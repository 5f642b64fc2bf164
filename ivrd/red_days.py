"""The Swedish calendar: public holidays, eves and half days, bridge days.

Here: the only import of the `holidays` library, and the eves that it does not know, or names by an
hour of closing. Not here: what a line does on such a day (core/hours.py).

Sundays as such are no public holidays here: a line's week says whether it is open on Sundays.

Source:
    Lag (1989:253) om allmänna helgdagar; semesterlag (1977:480), 7 §. The library holds the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from holidays.countries.sweden import Sweden

from ivrd.core.days import DayMark, SpecialDay, bridge_days

FIXED: tuple[tuple[SpecialDay, int, int], ...] = (
    (SpecialDay.TRETTONDAGSAFTON, 1, 5),
    (SpecialDay.VALBORGSMASSOAFTON, 4, 30),
    (SpecialDay.DAGEN_FORE_NATIONALDAGEN, 6, 5),
    (SpecialDay.DAGEN_FORE_JULAFTON, 12, 23),
    (SpecialDay.JULAFTON, 12, 24),
    (SpecialDay.DAGEN_FORE_NYARSAFTON, 12, 30),
    (SpecialDay.NYARSAFTON, 12, 31),
)
"""Month and day."""

MOVABLE: tuple[tuple[SpecialDay, str, int], ...] = (
    (SpecialDay.SKARTORSDAGEN, "Långfredagen", 1),
    (SpecialDay.PASKAFTON, "Påskdagen", 1),
    (SpecialDay.DAGEN_FORE_KRISTI_HIMMELSFARD, "Kristi himmelsfärdsdag", 1),
    (SpecialDay.PINGSTAFTON, "Pingstdagen", 1),
    (SpecialDay.DAGEN_FORE_MIDSOMMARAFTON, "Midsommardagen", 2),
    (SpecialDay.MIDSOMMARAFTON, "Midsommardagen", 1),
    (SpecialDay.ALLHELGONAAFTON, "Alla helgons dag", 1),
)
"""So many days before a public holiday, by the library's name."""


def marks(first_year: int, last_year: int) -> Mapping[date, DayMark]:
    """Return what each date of these years is, in order; ordinary dates are left out.

    >>> marks(2027, 2027)[date(2027, 6, 25)].special_days[0].value
    'midsommarafton'
    """
    years = range(first_year, last_year + 1)
    public = public_holidays(years)
    special: defaultdict[date, list[SpecialDay]] = defaultdict(list)
    for day, name in _special_days(years, public):
        special[day].append(name)
    days = {
        day: DayMark(
            public_holiday=" och ".join(public[day]) if day in public else None,
            special_days=tuple(special.get(day, ())),
        )
        for day in sorted({*public, *special})
    }
    for day in bridge_days(days):
        mark = days.get(day, DayMark())
        days[day] = DayMark(special_days=mark.special_days, is_bridge_day=True)
    # The dates next to these years are judged without their own year, so they are left out. Within,
    # none depends on a neighbouring year: nyårsafton and nyårsdagen are both days off.
    return {day: days[day] for day in sorted(days) if day.year in years}


def public_holidays(years: range) -> dict[date, tuple[str, ...]]:
    """Return the public holidays (röda dagar) of some years, by their Swedish names.

    Two may fall on one date, as Ascension Day and May Day did in 2008.
    """
    found = Sweden(years=years, include_sundays=False, observed=False, language="sv")
    return {day: tuple(found.get_list(day)) for day in found}


def _special_days(
    years: range, public: Mapping[date, tuple[str, ...]]
) -> Iterator[tuple[date, SpecialDay]]:
    for year in years:
        for name, month, day in FIXED:
            yield date(year, month, day), name
    for holiday, titles in public.items():
        for name, after, days in MOVABLE:
            if after in titles:
                yield holiday - timedelta(days=days), name
