"""One form for a number, whoever wrote it; and nothing at all of what is no number."""

import doctest

import pytest

from ivrd.privacy import numbers
from ivrd.privacy.numbers import e164

FORMS = [
    "+46701740605",
    "0046701740605",
    "46701740605",
    "0701740605",
    "701740605",
    "070-174 06 05",
    "+46 (0)70-174 06 05",
    "(070) 174.06.05",
    "070\u2011174 06 05",
]


@pytest.mark.parametrize("text", FORMS)
def test_every_way_to_write_a_number_is_one_number(text: str) -> None:
    assert e164(text, country_code="46") == "+46701740605"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anonymous",
        "Anonymous",
        "unknown",
        "restricted",
        "private",
        "withheld",
        "unavailable",
        "skyddat nummer",
        "anna",
        "070x1740605",
        "0",
        "0000000000",
        "+0",
        "266696687",
        "+461234567890123456",
        "00",
        "000701740605",
        "*21*0701740605",
        "\u0660\u0667\u0660",
    ],
)
def test_what_is_hidden_or_no_number_is_none(text: str) -> None:
    assert e164(text, country_code="46") is None


def test_an_extension_stays_an_extension() -> None:
    assert e164("4711", country_code="46") == "4711"
    assert e164("112", country_code="46") == "112"


def test_another_country_keeps_its_code() -> None:
    assert e164("+358401234567", country_code="46") == "+358401234567"
    assert e164("0401234567", country_code="358") == "+358401234567"


def test_docstring_examples_hold() -> None:
    assert doctest.testmod(numbers).failed == 0
