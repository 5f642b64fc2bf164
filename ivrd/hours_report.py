"""A year of opening hours for people: `ivrd hours LINE --year 2027`, as text and as JSON.

Here: layout and words, Swedish first. Not here: what is found out (core/hours_preview.py).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from ivrd.core.hours import (
    DayHours,
    Interval,
    Intervals,
    Meeting,
    MonthDay,
    Reason,
    Rule,
    Schedule,
    Week,
)
from ivrd.core.hours_preview import Conflict, ConflictKind, Deviation, Preview

WEEKDAYS_SV = ("mån", "tis", "ons", "tor", "fre", "lör", "sön")

MONTHS_SV = (
    *("januari", "februari", "mars", "april", "maj", "juni"),
    *("juli", "augusti", "september", "oktober", "november", "december"),
)

RULES: Mapping[Rule, str] = {
    Rule.EXCEPTION: "undantag / exception",
    Rule.SPECIAL_DAY: "särskild dag / special day",
    Rule.PUBLIC_HOLIDAY: "röd dag / public holiday",
    Rule.BRIDGE_DAY: "klämdag / bridge day",
    Rule.SEASON: "säsong / season",
    Rule.WEEK: "vecka / week",
    Rule.MEETING: "möte / meeting",
}

CONFLICTS: Mapping[ConflictKind, tuple[str, str]] = {
    ConflictKind.EXCEPTION_CHANGES_NOTHING: (
        "Undantaget ändrar inget",
        "the exception changes nothing",
    ),
    ConflictKind.EXCEPTION_OPENS_RED_DAY: (
        "Undantaget öppnar på en röd dag",
        "the exception opens on a public holiday",
    ),
    ConflictKind.EXCEPTION_DROPS_MEETING: (
        "Undantaget ersätter också dagens möte",
        "the exception replaces the day's meeting too",
    ),
    ConflictKind.SPECIAL_DAY_CHANGES_NOTHING: (
        "Särskild dag utan verkan: redan stängt, eller inte kortare",
        "special day without effect: closed anyway, or not shorter",
    ),
    ConflictKind.SPECIAL_DAY_CANNOT_LENGTHEN: (
        "Särskild dag kan bara förkorta; tiden utanför dagens faller bort",
        "a special day may only shorten; its time outside the day's is cut",
    ),
    ConflictKind.SPECIAL_DAY_LEFT_OPEN: (
        "Öppet som vanligt på en afton då få arbetar",
        "open as usual on an eve when few people work",
    ),
    ConflictKind.BRIDGE_DAY_CHANGES_NOTHING: (
        "Klämdag utan verkan: redan stängt, eller inte kortare",
        "bridge day without effect: closed anyway, or not shorter",
    ),
    ConflictKind.BRIDGE_DAY_CANNOT_LENGTHEN: (
        "Klämdag kan bara förkorta; tiden utanför dagens faller bort",
        "a bridge day may only shorten; its time outside the day's is cut",
    ),
    ConflictKind.RED_DAY_OPENS_CLOSED_DAY: (
        "Röda dagars tider öppnar en veckodag som annars är stängd",
        "hours for public holidays open a weekday that is closed otherwise",
    ),
    ConflictKind.MEETING_ON_CLOSED_DAY: (
        "Mötet infaller när det är stängt och räknas inte",
        "the meeting falls on closed time and does not count",
    ),
    ConflictKind.MEETING_CUT: (
        "Bara en del av mötet ligger inom öppettiden",
        "only a part of the meeting is within the open hours",
    ),
    ConflictKind.SEASON_CHANGES_NOTHING: (
        "Säsongen har samma tider som vanligt",
        "the season's hours are the usual ones",
    ),
    ConflictKind.EDGE_IN_CHANGED_HOUR: (
        "Öppnar eller stänger i timmen då klockan ställs om",
        "opens or closes in the hour when clocks are changed",
    ),
}


def as_text(preview: Preview) -> str:
    """Return a preview for the terminal."""
    return "\n".join(_lines(preview)) + "\n"


def as_json(preview: Preview) -> str:
    """Return a preview for programs: one JSON object."""
    schedule = preview.schedule
    document = {
        "hours": schedule.name,
        "year": preview.year,
        "week": _week_json(schedule.week),
        "seasons": [
            {
                "name": season.name,
                "first": _month_day(season.first),
                "last": _month_day(season.last),
                "week": _week_json(season.week),
            }
            for season in schedule.seasons
        ],
        "meetings": [_meeting_json(meeting) for meeting in schedule.meetings],
        "months": [
            {
                "month": month.month,
                "open_days": month.open_days,
                "open_minutes": month.open_time // timedelta(minutes=1),
            }
            for month in preview.months
        ],
        "deviations": [_deviation_json(deviation) for deviation in preview.deviations],
        "clock_changes": [
            {
                "date": change.day.isoformat(),
                "hours": change.length / timedelta(hours=1),
                "open_minutes": change.open_time // timedelta(minutes=1),
            }
            for change in preview.clock_changes
        ],
        "conflicts": [
            {
                "kind": conflict.kind.value,
                "what": conflict.what,
                "dates": [day.isoformat() for day in conflict.dates],
            }
            for conflict in preview.conflicts
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


# Text.


def _lines(preview: Preview) -> Iterator[str]:
    schedule = preview.schedule
    yield f"Öppettider / Opening hours: {schedule.name}, {preview.year}"
    yield ""
    yield "Vecka / Week"
    yield from _week_lines(schedule.week)
    for season in schedule.seasons:
        yield f"Säsong / Season: {season.name}, {_day_sv(season.first)} till {_day_sv(season.last)}"
        yield from _week_lines(season.week)
    yield from _meeting_lines(schedule)
    yield ""
    yield "Dagar som avviker / Days that differ"
    for month in preview.months:
        hours, minutes = divmod(month.open_time // timedelta(minutes=1), 60)
        yield (
            f"{MONTHS_SV[month.month - 1]}: {month.open_days} dagar öppet / days open, "
            f"{hours} h {minutes:02} min"
        )
        for deviation in preview.deviations:
            if deviation.day.month == month.month:
                yield _deviation_line(deviation)
    yield ""
    yield "Klockan ställs om / Clocks are changed"
    for change in preview.clock_changes:
        hours, minutes = divmod(change.open_time // timedelta(minutes=1), 60)
        yield (
            f"  {_date_sv(change.day)}  dygnet är / the day has "
            f"{change.length / timedelta(hours=1):g} h, öppet / open {hours} h {minutes:02} min"
        )
    if not preview.clock_changes:
        yield "  aldrig / never"
    yield ""
    yield "Att se över / Conflicts"
    yield from (_conflict_line(conflict) for conflict in preview.conflicts)
    if not preview.conflicts:
        yield "  inget / none"


def _week_lines(week: Week) -> Iterator[str]:
    """Yield the days of a week, neighbours with the same hours on one line."""
    first = 0
    for number in range(1, 8):
        if number == 7 or week[number] != week[first]:
            last = number - 1
            ends = (WEEKDAYS_SV[first], WEEKDAYS_SV[last])
            name = ends[0] if first == last else "-".join(ends)
            yield f"  {name:<8} {hours_sv(week[first])}"
            first = number


def _meeting_lines(schedule: Schedule) -> Iterator[str]:
    for meeting in schedule.meetings:
        days = ", ".join(WEEKDAYS_SV[day] for day in meeting.weekdays)
        yield f"Möte / Meeting: {days} {_span_sv(meeting.interval)} {meeting.reason}".rstrip()


def _deviation_line(deviation: Deviation) -> str:
    reason = reason_sv(deviation.hours.reason)
    hours = hours_sv(deviation.hours.intervals)
    usual = hours_sv(deviation.usual.intervals)
    return f"  {_date_sv(deviation.day)}  {hours:<26} {reason} (annars / else {usual})"


def _conflict_line(conflict: Conflict) -> str:
    swedish, english = CONFLICTS[conflict.kind]
    what = f" ({conflict.what})" if conflict.what else ""
    return f"  {swedish} / {english}{what}: {_dates_sv(conflict.dates)}"


def reason_sv(reason: Reason) -> str:
    """Return why a date's hours are as they are."""
    return f"{reason.text}, {RULES[reason.rule]}" if reason.text else RULES[reason.rule]


def hours_sv(intervals: Intervals) -> str:
    """Return hours as on a door.

    >>> hours_sv((Interval(opens_minute=480, closes_minute=990),))
    '8.00-16.30'
    """
    return ", ".join(_span_sv(each) for each in intervals) or "stängt / closed"


def _span_sv(interval: Interval) -> str:
    return f"{_time(interval.opens_minute, '.')}-{_time(interval.closes_minute, '.')}"


def _time(minute: int, mark: str) -> str:
    return f"{minute // 60}{mark}{minute % 60:02}"


def _date_sv(day: date) -> str:
    month = MONTHS_SV[day.month - 1][:3]
    return f"{WEEKDAYS_SV[day.weekday()]} {day.day:>2} {month}"


def _day_sv(month_day: MonthDay) -> str:
    month, day = month_day
    return f"{day} {MONTHS_SV[month - 1]}"


DATES_SHOWN_MAX = 6
"""Of one conflict in the text; all are in the JSON."""


def _dates_sv(dates: Sequence[date]) -> str:
    shown = ", ".join(
        f"{day.day} {MONTHS_SV[day.month - 1][:3]}" for day in dates[:DATES_SHOWN_MAX]
    )
    more = len(dates) - DATES_SHOWN_MAX
    return f"{shown} och {more} till / and {more} more" if more > 0 else shown


# JSON.


def _week_json(week: Week) -> dict[str, list[str]]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return {name: _intervals_json(hours) for name, hours in zip(names, week, strict=True)}


def _intervals_json(intervals: Intervals) -> list[str]:
    return [_span_json(each) for each in intervals]


def _span_json(interval: Interval) -> str:
    return f"{_time(interval.opens_minute, ':'):0>5}-{_time(interval.closes_minute, ':'):0>5}"


def _month_day(month_day: MonthDay) -> str:
    return f"{month_day[0]:02}-{month_day[1]:02}"


def _meeting_json(meeting: Meeting) -> dict[str, object]:
    return {
        "weekdays": [day + 1 for day in meeting.weekdays],
        "time": _span_json(meeting.interval),
        "reason": meeting.reason,
    }


def _deviation_json(deviation: Deviation) -> dict[str, object]:
    hours: DayHours = deviation.hours
    return {
        "date": deviation.day.isoformat(),
        "open": _intervals_json(hours.intervals),
        "usually": _intervals_json(deviation.usual.intervals),
        "rule": hours.reason.rule.value,
        "reason": hours.reason.text,
    }
