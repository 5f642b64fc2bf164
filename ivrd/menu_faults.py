"""What `ivrd menu check` can find: its words.

Here: kinds, and how grave they are. Not here: finding them (menu_check.py, menu_texts.py).
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave it is."""

    FAULT = "fault"
    """Callers meet something wrong; the check fails."""
    WARNING = "warning"
    """Some callers meet something that is hardly meant so."""
    NOTE = "note"
    """Worth knowing."""


class Kind(StrEnum):
    """What it is."""

    DEAD_KEY = "dead key"
    LOOP = "loop"
    KEY_NOT_THERE = "key not there"
    KEY_NOT_SPOKEN = "key not spoken of"
    KEY_NOT_IN_LANGUAGE = "key not in each language"
    UNREACHABLE = "unreachable"
    NO_SOUND = "no sound"
    OLD_SOUND = "old sound"
    PLACEHOLDER = "placeholder"
    TOO_LONG = "too long"
    TOO_HASTY = "too hasty"
    LANGUAGE_LACKING = "language lacking"
    NO_WAY_ON = "no way on"
    NOT_LOOKED_AT = "not looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found."""

    severity: Severity
    kind: Kind
    place: str
    """In the configuration, or in the prompt sheet when it begins with "prompts."."""
    text: str
    way_out: str


def key_place(menu: int, key: str) -> str:
    """Return the place of a menu's key.

    >>> key_place(0, "112")
    'menus[0].choices.112'
    """
    return f"menus[{menu}].choices.{key}"


def listed(words: list[str] | tuple[str, ...]) -> str:
    """Return words as a sentence has them.

    >>> listed(["sv", "en", "fi"])
    'sv, en and fi'
    """
    *some, last = words
    return f"{', '.join(some)} and {last}" if some else last
