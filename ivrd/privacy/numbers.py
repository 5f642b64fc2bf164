"""A caller's number in one form, E.164, however trunk or person has written it.

Here: text in, text out. Not here: keys. What is no number is None: a hidden caller, a name, a SIP
account. So nothing of such a caller can be stored by mistake.

The forms, for country code 46: "+46701740605", "0046701740605", "46701740605" (a trunk without
plus), "0701740605", "070-174 06 05" and "701740605" (a trunk that drops the zero) are one number.
Up to six digits without a zero in front are an extension of the municipality's own, and stay as
they are.
"""

import re

_BLANKS = re.compile(r"[\s()./-]|\u2010|\u2011|\u2013")
_DIGITS = re.compile(r"\+?[0-9]{1,18}")

EXTENSION_DIGITS_MAX = 6
"""Longer ones without a leading zero are taken for a number whose zero a trunk has dropped."""

E164_DIGITS_MAX = 15
"""ITU-T E.164, 6.1: country code and all."""

WITH_COUNTRY_DIGITS_MIN = 10
"""The shortest Swedish number with its country code, less one; so "468465004" is not taken for
one: eight digits behind 46 are the least that a subscriber has."""

WITHHELD_DIGITS = frozenset({"266696687", "7378742833", "8656696", "2562533"})
"""How some exchanges spell anonymous, restricted, unknown and blocked, by the letters of keys."""


def e164(text: str, *, country_code: str) -> str | None:
    """Return a number in one form; None when it is hidden, or no number at all.

    Args:
        text: As the trunk or a person has written it.
        country_code: Of numbers without one, such as "46".

    >>> e164("070-174 06 05", country_code="46"), e164("004686500400", country_code="46")
    ('+46701740605', '+4686500400')
    >>> e164("anonymous", country_code="46"), e164("4711", country_code="46")
    (None, '4711')
    """
    plain = _BLANKS.sub("", text.replace("(0)", "") if "+" in text else text)
    if _DIGITS.fullmatch(plain) is None or plain in WITHHELD_DIGITS:
        return None
    digits = plain.lstrip("+")
    if not digits.strip("0"):
        return None
    if plain.startswith("+"):
        whole = digits
    elif digits.startswith("00"):
        whole = digits[2:]
    elif digits.startswith("0"):
        whole = country_code + digits[1:]
    elif len(digits) <= EXTENSION_DIGITS_MAX:
        return digits
    elif digits.startswith(country_code) and len(digits) >= WITH_COUNTRY_DIGITS_MIN:
        whole = digits
    else:
        whole = country_code + digits
    return f"+{whole}" if len(whole) <= E164_DIGITS_MAX and not whole.startswith("0") else None


def masked(number: str | None) -> str:
    """Return a number as everybody may see it: its last two digits; "" for none.

    >>> masked("+46701740605")
    '***05'
    """
    return "" if number is None else f"***{number[-2:]}"
