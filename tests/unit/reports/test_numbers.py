"""Numbers in words: rounded half up once, and no value is a dash."""

from datetime import timedelta
from fractions import Fraction

import pytest

from ivrd.core.period_figures import Unit
from ivrd.reports import numbers
from ivrd.reports.document import Language

THIN = "\N{NARROW NO-BREAK SPACE}"


def plain(text: str) -> str:
    return text.replace(THIN, " ").replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("part", "swedish"),
    [
        (None, "–"),  # noqa: RUF001
        (Fraction(0), "0,0 %"),
        (Fraction(1), "100,0 %"),
        (Fraction(1, 3), "33,3 %"),
        (Fraction(2, 3), "66,7 %"),
        (Fraction(1, 2000), "0,1 %"),
    ],
)
def test_shares(part: Fraction | None, swedish: str) -> None:
    assert plain(numbers.share(part, "sv")) == swedish


@pytest.mark.parametrize(
    ("seconds", "swedish"),
    [
        (0, "0,0 s"),
        (12.34, "12,3 s"),
        (12.35, "12,4 s"),
        (59.94, "59,9 s"),
        (59.95, "1 min 00 s"),
        (90.5, "1 min 31 s"),
        (3599.5, "1 h 00 min"),
        (3600 * 1234 + 300, "1 234 h 05 min"),
    ],
)
def test_durations(seconds: float, swedish: str) -> None:
    assert plain(numbers.duration(timedelta(seconds=seconds), "sv")) == swedish
    assert numbers.duration(None, "sv") == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("language", "written"),
    [("sv", "−1 234,05"), ("en", "−1,234.05")],  # noqa: RUF001
)
def test_kronor(language: Language, written: str) -> None:
    assert plain(numbers.kronor(-123405, language)) == written
    assert plain(numbers.kronor(7, "sv")) == "0,07"


@pytest.mark.parametrize(
    ("unit", "change", "swedish", "english"),
    [
        (Unit.COUNT, Fraction(1, 4), "+25,0 %", "+25.0 %"),
        (Unit.COUNT, Fraction(-1), "−100,0 %", "−100.0 %"),  # noqa: RUF001
        (Unit.COUNT, Fraction(0), "0,0 %", "0.0 %"),
        (Unit.SHARE, Fraction(-1, 20), "−5,0 %-enh.", "−5.0 pp"),  # noqa: RUF001
        (Unit.DURATION, timedelta(seconds=-65), "−1 min 05 s", "−1 min 05 s"),  # noqa: RUF001
        (Unit.DURATION, timedelta(seconds=0.4), "+0,4 s", "+0.4 s"),
        (Unit.SHARE, None, "–", "–"),  # noqa: RUF001
    ],
)
def test_changes_have_a_sign(
    unit: Unit, change: Fraction | timedelta | None, swedish: str, english: str
) -> None:
    assert plain(numbers.changed(unit, change, "sv")) == swedish
    assert plain(numbers.changed(unit, change, "en")) == english
