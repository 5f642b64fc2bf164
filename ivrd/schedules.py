"""From the configuration's hours to the core's schedules.

Here: the translation, name by name. Not here: checks (config/hours.py) and meaning (core/hours.py).
"""

from collections.abc import Iterable, Mapping

from ivrd.config.hours import (
    AS_USUAL,
    ExceptionConfig,
    HoursConfig,
    MeetingConfig,
    SeasonConfig,
    intervals_in,
    month_day_in,
    week_in,
    weekdays_in,
)
from ivrd.core.days import SpecialDay
from ivrd.core.hours import DatedHours, Intervals, Meeting, Schedule, Season, Week


def schedules(sections: Iterable[HoursConfig]) -> dict[str, Schedule]:
    """Return the schedules by name."""
    return {section.name: schedule(section) for section in sections}


def schedule(section: HoursConfig) -> Schedule:
    """Return one table of hours as the core knows it."""
    return Schedule(
        name=section.name,
        week=_week(section.week),
        public_holidays=_hours_or_usual(section.public_holidays),
        special_days={
            SpecialDay(name): intervals_in(text) for name, text in section.special_days.items()
        },
        bridge_days=_hours_or_usual(section.bridge_days),
        seasons=tuple(_season(season) for season in section.seasons),
        exceptions=tuple(_dated(exception) for exception in section.exceptions),
        meetings=tuple(_meeting(meeting) for meeting in section.meetings),
    )


def _week(table: Mapping[str, str]) -> Week:
    days = week_in(table)
    mon, tue, wed, thu, fri, sat, sun = (days.get(day, ()) for day in range(7))
    return (mon, tue, wed, thu, fri, sat, sun)


def _hours_or_usual(text: str) -> Intervals | None:
    return None if text == AS_USUAL else intervals_in(text)


def _season(season: SeasonConfig) -> Season:
    return Season(
        name=season.name,
        first=month_day_in(season.first),
        last=month_day_in(season.last),
        week=_week(season.week),
    )


def _dated(exception: ExceptionConfig) -> DatedHours:
    return DatedHours(
        first=exception.begin,
        last=exception.end,
        intervals=intervals_in(exception.open),
        reason=exception.reason,
    )


def _meeting(meeting: MeetingConfig) -> Meeting:
    (interval,) = intervals_in(meeting.time)
    return Meeting(weekdays=weekdays_in(meeting.day), interval=interval, reason=meeting.reason)
