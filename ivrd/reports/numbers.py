"""Numbers as people read them: Swedish with a decimal comma, or English.

Here: rounding, half up, once, at the very end. Not here: what is rounded.
"""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from ivrd.core.period_figures import Unit, Value
from ivrd.reports.document import Language

NO_VALUE = "\N{EN DASH}"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
SPACE = "\N{NO-BREAK SPACE}"


def count(number: int, language: Language) -> str:
    """Return a whole number.

    >>> count(12345, "en")
    '12,345'
    """
    return f"{number:,}".replace(",", NARROW_SPACE) if language == "sv" else f"{number:,}"


def share(part: Fraction | None, language: Language) -> str:
    """Return a share in per cent; no traffic is no value.

    >>> share(None, "sv"), share(Fraction(1, 3), "en")
    ('–', '33.3 %')
    """  # noqa: RUF002 - the dash is what stands there
    if part is None:
        return NO_VALUE
    return f"{decimal(part * 100, 1, language)}{SPACE}%"


def duration(time: timedelta | None, language: Language) -> str:
    """Return a duration, to a tenth of a second below a minute, else to the second or minute."""
    if time is None:
        return NO_VALUE
    tenths = _rounded(Fraction(time // timedelta(microseconds=1), 100_000), 0)
    if tenths < 600:
        return f"{decimal(Fraction(int(tenths), 10), 1, language)}{SPACE}s"
    seconds = int(_rounded(Fraction(time // timedelta(microseconds=1), 1_000_000), 0))
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}{SPACE}min{SPACE}{seconds:02d}{SPACE}s"
    hours, minutes = divmod(minutes, 60)
    return f"{count(hours, language)}{SPACE}h{SPACE}{minutes:02d}{SPACE}min"


def decimal(number: Fraction, digits: int, language: Language) -> str:
    """Return a number with so many decimals, half up."""
    text = f"{_rounded(number, digits):.{digits}f}"
    return text.replace(".", ",") if language == "sv" else text


def kronor(ore: int, language: Language) -> str:
    """Return an amount with its öre."""
    sign = "\N{MINUS SIGN}" if ore < 0 else ""
    whole, rest = divmod(abs(ore), 100)
    mark = "," if language == "sv" else "."
    return f"{sign}{count(whole, language)}{mark}{rest:02d}"


def figure(unit: Unit, value: Value, language: Language) -> str:
    """Return a figure as its unit is written."""
    match unit:
        case Unit.COUNT:
            assert value is None or isinstance(value, int), "a count is a whole number"
            return NO_VALUE if value is None else count(value, language)
        case Unit.SHARE:
            assert value is None or isinstance(value, Fraction), "a share is a fraction"
            return share(value, language)
        case Unit.DURATION:
            assert value is None or isinstance(value, timedelta), "a time is a time"
            return duration(value, language)


def changed(unit: Unit, change: Value, language: Language) -> str:
    """Return how a figure changed, with its sign: of a count in per cent, of a share in points.

    >>> changed(Unit.SHARE, Fraction(1, 20), "en").replace(SPACE, " ")
    '+5.0 pp'
    """
    match change:
        case None:
            return NO_VALUE
        case timedelta():
            return _sign(change / timedelta(microseconds=1)) + duration(abs(change), language)
        case Fraction():
            points = "%-enh." if language == "sv" else "pp"
            size = decimal(abs(change) * 100, 1, language)
            return f"{_sign(change)}{size}{SPACE}{'%' if unit is Unit.COUNT else points}"
        case _:
            raise AssertionError(f"no change is a whole number: {change}")


def _sign(number: Fraction | float) -> str:
    if number == 0:
        return ""
    return "+" if number > 0 else "\N{MINUS SIGN}"


def _rounded(number: Fraction, digits: int) -> Decimal:
    exact = Decimal(number.numerator) / Decimal(number.denominator)
    return exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
