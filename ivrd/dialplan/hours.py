"""Renders opening hours: one context for each table of hours, asked by Gosub() for any moment.

Here: `Gosub(ivrd-hours-NAME,s,1(EPOCH))`, which sets IVRD_OPEN to open, closed or meeting, and
IVRD_CLOSES_AT to the second since 1970 at which it closes: empty when it is closed, and when it
closes neither today nor tomorrow. Not here: what the rules mean (core/hours.py, with which the
rendered context is compared for a whole year), and who may force a line open (lines.py).

How a context answers
    A date that differs from its season's or its week's weekday has an extension of its own, named
    by the date. All others go by season and weekday. Within a date the time is compared with each
    edge in turn, in seconds since midnight.

    A day when clocks are changed has an extension of its own only when it is open before the
    change. There, seconds are counted back from the next midnight, as if the whole day had passed
    by the clock that holds in the end; so the sums for closing and for the next midnight hold.

    Hours that end at 24.00 are asked for once more at that midnight, with a second argument, so
    that it is not asked again. Gosub() hides the arguments of the frame around it, so a caller's
    own second argument does not count (app_stack.c, gosub_exec; seen on 22.10.1 and 16.28.0).

Source:
    STRFTIME takes a zone and any format (func_strings.c); $[ ] reckons in decimals, whatever zeros
    a number begins with (ast_expr2.y; seen on 22.10.1 and 16.28.0). A zone that Asterisk's machine
    lacks is UTC without a word (seen on 22.10.1): whoever applies the dialplan must look, as by
    `dialplan eval function STRFTIME(1806192000,ZONE,%H%M)`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from ivrd.core.days import DAY, Days
from ivrd.core.hours import (
    DayHours,
    OpeningState,
    Rule,
    Schedule,
    begin_of,
    day_hours,
    pieces_of,
    stretches_of,
    usual_hours,
    weekday_hours,
)
from ivrd.dialplan.text import context, extension, head

DAY_S = 86_400

SECOND = timedelta(seconds=1)

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

RULES = {
    Rule.EXCEPTION: "exception",
    Rule.SPECIAL_DAY: "special day",
    Rule.PUBLIC_HOLIDAY: "public holiday",
    Rule.BRIDGE_DAY: "bridge day",
    Rule.SEASON: "season",
    Rule.WEEK: "week",
    Rule.MEETING: "meeting",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """A part of a date in one state, in seconds since midnight."""

    end_s: int
    state: OpeningState


_Spans = tuple[_Span, ...]


def context_name(name: str) -> str:
    """Return the context of a table of hours.

    >>> context_name("kc")
    'ivrd-hours-kc'
    """
    return f"ivrd-hours-{name}"


def render_hours(schedule: Schedule, days: Days, *, first: date, last: date, zone: ZoneInfo) -> str:
    """Return the context of one table of hours.

    Args:
        days: What the dates from first to last are.
        first: The first date that gets its red days, eves, bridge days and exceptions.
        last: The last one; from the next on only season and weekday count.
        zone: Whose wall clock the hours are told by, by a name that Asterisk's machine knows too.
    """
    text = head(
        f"Hours {schedule.name}, by the wall clock of {zone.key}.",
        f"Gosub({context_name(schedule.name)},s,1(EPOCH)) sets IVRD_OPEN to open, closed or",
        "meeting, and IVRD_CLOSES_AT to the second at which it closes; that is empty when it is",
        "closed, or closes neither today nor tomorrow.",
        f"Special days are rendered from {first} to {last}. After that only seasons and weekdays",
        "count, so render again before then.",
    )
    usual = dict(_usual_spans(schedule))
    special = list(_special_days(schedule, days, first, last, zone))
    closings = sorted(
        {
            target
            for spans in (*usual.values(), *(day.spans for day in special))
            for target in _targets(spans)
            if target[0] is not OpeningState.CLOSED
        },
        key=lambda target: (target[0].value, target[1]),
    )
    parts = [
        extension("s", *_entry(schedule, zone)),
        *(_weekday(schedule, number, spans) for number, spans in usual.items()),
        *(_special(day) for day in special),
        extension("closed", "Set(IVRD_OPEN=closed)", "Set(IVRD_CLOSES_AT=)", "Return()"),
        *(_result(schedule, state, end_s) for state, end_s in closings),
    ]
    return text + context(context_name(schedule.name), *parts)


def _entry(schedule: Schedule, zone: ZoneInfo) -> Iterator[str]:
    moment = f"STRFTIME(${{ARG1}},{zone.key}"
    yield f"Set(LOCAL(date)=${{{moment},%Y%m%d)}})"
    yield f"Set(LOCAL(second)=$[${{{moment},%H * 3600 + %M * 60 + %S)}}])"
    yield f"GotoIf(${{DIALPLAN_EXISTS({context_name(schedule.name)},${{date}},1)}}?${{date}},1)"
    weekday = f"${{{moment},%u)}}"
    if schedule.seasons:
        yield "Set(LOCAL(monthday)=$[${date} % 10000])"
    for number, season in enumerate(schedule.seasons, start=1):
        begin, end = (month * 100 + day for month, day in (season.first, season.last))
        is_in = "&" if season.first <= season.last else "|"
        yield f"; Season {_plain(season.name)}."
        yield (
            f"GotoIf($[${{monthday}} >= {begin} {is_in} ${{monthday}} <= {end}]"
            f"?season{number}day{weekday},1)"
        )
    yield f"Goto(day{weekday},1)"


# The week, and the seasons' weeks.


def _usual_spans(schedule: Schedule) -> Iterator[tuple[tuple[int, int], _Spans]]:
    """Yield season, from 1 on and 0 for none, and weekday, from 1 on; and how that day passes."""
    for number, season in enumerate((None, *schedule.seasons)):
        for weekday in range(7):
            yield (number, weekday + 1), _by_wall(weekday_hours(schedule, season, weekday))


def _weekday(schedule: Schedule, key: tuple[int, int], spans: _Spans) -> str:
    season, weekday = key
    if season:
        name = f"season{season}day{weekday}"
        title = f"{WEEKDAYS[weekday - 1]}, season {_plain(schedule.seasons[season - 1].name)}"
    else:
        name, title = f"day{weekday}", WEEKDAYS[weekday - 1]
    return f"; {title}: {_words(spans)}.\n" + extension(name, *_steps(spans))


# Dates of their own.


@dataclass(frozen=True, slots=True, kw_only=True)
class _SpecialDay:
    """A date that has an extension of its own, and why."""

    day: date
    spans: _Spans
    why: str
    counts_from_s: int | None
    """The second since 1970 that its seconds are counted from; None for its midnight."""


def _special_days(
    schedule: Schedule, days: Days, first: date, last: date, zone: ZoneInfo
) -> Iterator[_SpecialDay]:
    for number in range((last - first).days + 1):
        day = first + number * DAY
        hours = day_hours(schedule, days, day)
        spans = _by_wall(hours)
        why = f"{RULES[hours.reason.rule]} {_plain(hours.reason.text)}".rstrip()
        end_s = (begin_of(day + DAY, zone) - _EPOCH) // SECOND
        begin_s = (begin_of(day, zone) - _EPOCH) // SECOND
        if end_s - begin_s != DAY_S:
            real = _by_clock_of_the_end(schedule, days, day, zone, end_s - DAY_S)
            if real != spans or spans[0].state is not OpeningState.CLOSED:
                why = f"{why}; clocks are changed, the day has {(end_s - begin_s) / 3600:g} hours"
                yield _SpecialDay(day=day, spans=real, why=why, counts_from_s=end_s - DAY_S)
                continue
        if spans != _by_wall(usual_hours(schedule, day)):
            yield _SpecialDay(day=day, spans=spans, why=why, counts_from_s=None)


def _special(special: _SpecialDay) -> str:
    day = special.day
    title = f"; {day} {WEEKDAYS[day.weekday()]}, {special.why}: {_words(special.spans)}.\n"
    steps = list(_steps(special.spans))
    if special.counts_from_s is not None:
        steps.insert(0, f"Set(LOCAL(second)=$[${{ARG1}} - {special.counts_from_s}])")
    return title + extension(f"{day:%Y%m%d}", *steps)


# How a date passes.

_EPOCH = begin_of(date(1970, 1, 1), ZoneInfo("UTC"))


def _by_wall(hours: DayHours) -> _Spans:
    return _merged(
        [_Span(end_s=piece.end_minute * 60, state=piece.state) for piece in pieces_of(hours)]
    )


def _by_clock_of_the_end(
    schedule: Schedule, days: Days, day: date, zone: ZoneInfo, counts_from_s: int
) -> _Spans:
    return _merged(
        [
            _Span(end_s=(stretch.ends_at - _EPOCH) // SECOND - counts_from_s, state=stretch.state)
            for stretch in stretches_of(schedule, days, day, zone=zone)
        ]
    )


def _merged(spans: Sequence[_Span]) -> _Spans:
    """Return spans without neighbours in one state: why it is so is not asked here."""
    return tuple(
        span
        for span, following in zip(spans, [*spans[1:], None], strict=True)
        if following is None or following.state is not span.state
    )


def _steps(spans: _Spans) -> Iterator[str]:
    """Yield the steps that find out in which span a time is."""
    targets = _targets(spans)
    for span, target in zip(spans[:-1], targets, strict=False):
        yield f"GotoIf($[${{second}} < {span.end_s}]?{_extension_of(*target)},1)"
    yield f"Goto({_extension_of(*targets[-1])},1)"


def _targets(spans: _Spans) -> list[tuple[OpeningState, int]]:
    """Return for each span its state, and when it closes: where the next closed span begins."""
    targets: list[tuple[OpeningState, int]] = []
    closes_s = 0
    for span, following in reversed(list(zip(spans, [*spans[1:], None], strict=True))):
        if following is None or following.state is OpeningState.CLOSED:
            closes_s = span.end_s
        is_closed = span.state is OpeningState.CLOSED
        targets.append((span.state, 0 if is_closed else closes_s))
    return targets[::-1]


def _extension_of(state: OpeningState, closes_s: int) -> str:
    if state is OpeningState.CLOSED:
        return "closed"
    sign = "minus" if closes_s < 0 else ""
    return f"{state.value}{sign}{abs(closes_s)}"


def _result(schedule: Schedule, state: OpeningState, closes_s: int) -> str:
    """Return the extension that says what was found out."""
    name = _extension_of(state, closes_s)
    if closes_s < DAY_S:
        return f"; Until {_wall(closes_s)}.\n" + extension(
            name,
            f"Set(IVRD_OPEN={state.value})",
            f"Set(IVRD_CLOSES_AT=$[${{ARG1}} - ${{second}} + {closes_s}])",
            "Return()",
        )
    return "; Until midnight: goes on, perhaps.\n" + extension(
        name,
        f"Set(IVRD_OPEN={state.value})",
        "Set(IVRD_CLOSES_AT=)",
        'GotoIf($["${ARG2}" != ""]?looked)',
        f"Set(LOCAL(midnight)=$[${{ARG1}} - ${{second}} + {DAY_S}])",
        f"Gosub({context_name(schedule.name)},s,1(${{midnight}},last))",
        'Set(IVRD_CLOSES_AT=${IF($["${IVRD_OPEN}" = "closed"]?${midnight}:${IVRD_CLOSES_AT})})',
        f"Set(IVRD_OPEN={state.value})",
        "Return()",
        labels={7: "looked"},
    )


def _words(spans: _Spans) -> str:
    begins_s = 0
    words = []
    for span in spans:
        if span.state is not OpeningState.CLOSED:
            words.append(f"{span.state.value} {_wall(begins_s)}-{_wall(span.end_s)}")
        begins_s = span.end_s
    return ", ".join(words) or "closed"


def _wall(second: int) -> str:
    sign = "-" if second < 0 else ""
    return f"{sign}{abs(second) // 3600}.{abs(second) // 60 % 60:02}"


def _plain(text: str) -> str:
    """Return what a person wrote, fit for a comment: one line, and no second semicolon."""
    return "".join(letter if letter.isprintable() and letter != ";" else " " for letter in text)
