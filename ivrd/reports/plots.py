"""The plots of a report as SVG: weekday by hour, the day's curve, and how long callers waited.

Here: drawing. Not here: figures. Attributes and no style sheet, because each plot stands within a
page that has its own, and is drawn by browsers and by WeasyPrint alike. Colour never stands alone:
each cell and each bar has its number, and curves differ by dash and name.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from html import escape

from ivrd.core.period_figures import Happening, Slot
from ivrd.reports import numbers
from ivrd.reports.document import Language, Plot

WIDTH = 720

LIGHT, DARK, DARK_FROM = "#ffffff", "#000000", 0.69
"""Either is readable up to there: both have a contrast of 4.5 to the cell (WCAG 2.2, AA)."""

INK, QUIET, GRID = "#1b1f24", "#454c54", "#d0d7de"
BLUE, ORANGE, GREEN = "#0b57a4", "#9a4a00", "#1a6b2c"

WEEKDAYS = (
    ("mån", "tis", "ons", "tors", "fre", "lör", "sön"),
    ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
)

OFFICE_HOURS = (8, 17)
"""Shown also when nobody rang."""

NAME_PX = 8
"""A character of a name at most, on average; of 13 pixels' height."""

LIMITS_S = (5, 10, 25, 60, 120, 180, 300, 600)
"""Upper ends of the bars, inclusive; each goal is one."""

CURVES = (
    (Happening.OFFERED, "inkomna", "offered", BLUE, ""),
    (Happening.ANSWERED, "besvarade", "answered", GREEN, "7 3"),
    (Happening.ABANDONED, "tappade", "abandoned", ORANGE, "2 2.5"),
)


def heat_map(slots: Mapping[Slot, int], dates: Sequence[date], *, language: Language) -> Plot:
    """Return calls by weekday and hour: the mean of the period's such weekdays."""
    calls: Counter[tuple[int, int]] = Counter()
    for slot, count in slots.items():
        if slot.what is Happening.OFFERED:
            calls[slot.weekday, slot.half_hour // 2] += count
    days = Counter(day.weekday() for day in dates)
    means = {place: Fraction(count, days[place[0]]) for place, count in calls.items()}
    first, last = _hours({hour for _, hour in calls})
    most = max(means.values(), default=Fraction(0))
    title = (
        "Inkomna samtal per veckodag och timme, medel per dag"
        if language == "sv"
        else "Calls by weekday and hour, mean of a day"
    )
    busiest = max(means, key=lambda place: (means[place], place), default=None)
    left, top, high = 52, 24, 30
    wide = (WIDTH - left) / (last - first)
    body = []
    for hour in range(first, last):
        x = left + (hour - first + 0.5) * wide
        body.append(_text(x, 16, f"{hour:02d}", anchor="middle", fill=QUIET))
    for weekday in range(7):
        y = top + weekday * high
        body.append(_text(0, y + 20, WEEKDAYS[language != "sv"][weekday]))
        for hour in range(first, last):
            body += _cell(
                means.get((weekday, hour)),
                most,
                place=(left + (hour - first) * wide, y),
                size=(wide - 2, high - 2),
                language=language,
            )
    return Plot(
        title=title,
        svg=_svg(title, _busiest(busiest, means, language), top + 7 * high, body, name="heat"),
    )


def day_curve(
    slots: Mapping[Slot, int], dates: Sequence[date], title: str, *, language: Language
) -> Plot:
    """Return the day's curve by half hours: the mean of the days on which anybody rang."""
    weekdays = {slot.weekday for slot in slots}
    days = max(1, sum(day.weekday() in weekdays for day in dates))
    found: Counter[tuple[Happening, int]] = Counter()
    for slot, count in slots.items():
        found[slot.what, slot.half_hour] += count
    means = {key: Fraction(count, days) for key, count in found.items()}
    first, last = _hours({half // 2 for _, half in found})
    step = _step(max(means.values(), default=Fraction(1)))
    levels = -(-max(means.values(), default=Fraction(1)) // step)
    left, top, high = 52, 34, 170
    wide = (WIDTH - left) / (2 * (last - first))
    body = list(_legend(left, language))
    for level in range(int(levels) + 1):
        y = top + high * (1 - level / levels)
        body.append(f'<path d="M{left} {y:.1f} H{WIDTH}" stroke="{GRID}" fill="none"/>')
        number = numbers.decimal(Fraction(level * step), 0 if step >= 1 else 1, language)
        body.append(_text(left - 8, y + 4, number, anchor="end", fill=QUIET))
    for hour in range(first, last + 1):
        x = left + 2 * (hour - first) * wide
        anchor = "end" if hour == last else "middle"
        body.append(_text(x, top + high + 18, f"{hour:02d}", anchor=anchor, fill=QUIET))
    for what, _, _, colour, dash in CURVES:
        points = (
            (
                left + (half - 2 * first) * wide,
                top + high * (1 - float(means.get((what, half), 0) / (levels * step))),
            )
            for half in range(2 * first, 2 * last)
        )
        body.append(_steps(points, wide, colour, dash))
    is_mean = len(dates) > 1
    if language == "sv":
        whole = f"Dagens kurva, {title}: per halvtimme{', medel per dag' if is_mean else ''}"
    else:
        whole = f"The day's curve, {title}: by half hours{', mean of a day' if is_mean else ''}"
    return Plot(title=whole, svg=_svg(whole, whole, top + high + 24, body, name="curve"))


def waits(
    answered: Sequence[timedelta], left: Sequence[timedelta], title: str, *, language: Language
) -> Plot:
    """Return how long callers waited, answered and abandoned side by side.

    Args:
        answered: In ascending order; and so `left`.
    """
    total = max(1, len(answered) + len(left))
    rows = list(zip(_bins(), _counts(answered), _counts(left), strict=True))
    most = max((one + other for _, one, other in rows), default=1) or 1
    high, text_wide, top = 24, 110, 30
    body = list(_wait_legend(language))
    for number, (label, one, other) in enumerate(rows):
        y = top + number * high
        body.append(_text(text_wide - 8, y + 16, label, anchor="end"))
        scale = (WIDTH - text_wide - 190) / most
        x = text_wide + one * scale
        body.append(_bar(text_wide, y, one * scale, BLUE))
        body.append(_bar(x, y, other * scale, ORANGE))
        share = numbers.share(Fraction(one + other, total), language)
        words = f"{numbers.count(one, language)} + {numbers.count(other, language)} ({share})"
        body.append(_text(x + other * scale + 8, y + 16, words, fill=QUIET))
    whole = (
        f"Så länge väntade de, {title}" if language == "sv" else f"How long they waited, {title}"
    )
    described = "; ".join(f"{label}: {one} + {other}" for label, one, other in rows)
    height = top + len(rows) * high
    return Plot(title=whole, svg=_svg(whole, described, height, body, name="waits"))


def bars(rows: Sequence[tuple[str, int, str]], title: str) -> Plot:
    """Return one bar for each row: its name, how long, and what is written behind it."""
    most = max((size for _, size, _ in rows), default=1) or 1
    high = 28
    text_wide = 16 + max((len(name) for name, _, _ in rows), default=0) * NAME_PX
    body = []
    for number, (name, size, words) in enumerate(rows):
        y = number * high
        wide = size * (WIDTH - text_wide - 150) / most
        body.append(_text(text_wide - 8, y + 18, name, anchor="end"))
        body.append(_bar(text_wide, y + 2, wide, BLUE))
        body.append(_text(text_wide + wide + 8, y + 18, words, fill=QUIET))
    described = "; ".join(f"{name}: {words}" for name, _, words in rows)
    return Plot(title=title, svg=_svg(title, described, len(rows) * high + 6, body, name="bars"))


def _cell(
    mean: Fraction | None,
    most: Fraction,
    *,
    place: tuple[float, float],
    size: tuple[float, float],
    language: Language,
) -> Iterator[str]:
    """Yield a cell, and the number on it: dark on light, or light on dark."""
    part = 0.0 if mean is None else float(mean / most)
    (x, y), (wide, high) = place, size
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" '
        f'fill="{_shade(part)}"/>'
    )
    if mean is not None:
        number = numbers.decimal(mean, 0 if mean >= 10 else 1, language)
        fill = LIGHT if part > DARK_FROM else DARK
        yield _text(x + wide / 2, y + high / 2 + 5, number, anchor="middle", fill=fill)


def _shade(part: float) -> str:
    """Return a colour between nearly white and dark blue."""
    light, dark = (0xEE, 0xF3, 0xF8), (0x08, 0x3F, 0x7A)
    mixed = (round(one + (other - one) * part) for one, other in zip(light, dark, strict=True))
    return "#" + "".join(f"{each:02x}" for each in mixed)


def _busiest(
    busiest: tuple[int, int] | None,
    means: Mapping[tuple[int, int], Fraction],
    language: Language,
) -> str:
    if busiest is None:
        return numbers.NO_VALUE
    weekday, hour = busiest
    number = numbers.decimal(means[busiest], 1, language)
    day = WEEKDAYS[language != "sv"][weekday]
    if language == "sv":
        return f"Flest kommer {day} kl. {hour:02d} till {hour + 1:02d}: {number} samtal."
    return f"Most come on {day} from {hour:02d} to {hour + 1:02d}: {number} calls."


def _hours(found: set[int]) -> tuple[int, int]:
    """Return the first hour shown, and the one after the last."""
    return min(OFFICE_HOURS[0], *found, 23), max(OFFICE_HOURS[1], *(hour + 1 for hour in found), 1)


def _step(most: Fraction) -> Fraction:
    """Return a round distance between two lines of the grid."""
    rounds = (Fraction(1, 10), Fraction(1, 5), Fraction(1, 2), *map(Fraction, (1, 2, 5, 10, 20)))
    large = (Fraction(50 * 10**power) for power in range(6))
    return next((step for step in (*rounds, *large) if most <= 5 * step), most)


def _bins() -> Sequence[str]:
    ends = [f"{low}-{high} s" for low, high in zip((0, *LIMITS_S), LIMITS_S, strict=False)]
    dashed = [end.replace("-", numbers.NO_VALUE) for end in ends]
    return [*dashed, f"> {LIMITS_S[-1]} s"]


def _counts(times: Sequence[timedelta]) -> Sequence[int]:
    places = [bisect_right(times, timedelta(seconds=limit)) for limit in LIMITS_S]
    ends = [*places, len(times)]
    return [end - begin for begin, end in zip((0, *ends), ends, strict=False)]


def _steps(points: Iterator[tuple[float, float]], wide: float, colour: str, dash: str) -> str:
    moves = "".join(
        f"{'M' if number == 0 else 'L'}{x:.1f} {y:.1f}H{x + wide:.1f}"
        for number, (x, y) in enumerate(points)
    )
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{moves}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'


def _legend(x: float, language: Language) -> Iterator[str]:
    for _, swedish, english, colour, dash in CURVES:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<path d="M{x} 14 h34" stroke="{colour}" stroke-width="2" fill="none"{dashed}/>'
        yield _text(x + 42, 19, swedish if language == "sv" else english)
        x += 160


def _wait_legend(language: Language) -> Iterator[str]:
    words = ("besvarade", "tappade") if language == "sv" else ("answered", "abandoned")
    for x, word, colour in ((110, words[0], BLUE), (270, words[1], ORANGE)):
        yield f'<rect x="{x}" y="5" width="34" height="14" fill="{colour}"/>'
        yield _text(x + 42, 17, word)


def _bar(x: float, y: float, wide: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y + 3:.1f}" width="{wide:.1f}" height="18" fill="{colour}"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="13" '
        f'font-family="DejaVu Sans, Verdana, sans-serif">{escape(words)}</text>'
    )


def _svg(title: str, described: str, height: float, body: Sequence[str], *, name: str) -> str:
    """Return a whole picture; its ids are its own as long as its title is."""
    own = f"{name}-{sum(title.encode()) % 100_000}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-labelledby="{own}-t {own}-d" width="{WIDTH}" height="{height:.0f}">'
        f'<title id="{own}-t">{escape(title)}</title><desc id="{own}-d">{escape(described)}</desc>'
        f"{''.join(body)}</svg>"
    )
