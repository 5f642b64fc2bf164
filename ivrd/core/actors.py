"""Who acts, and which way it came.

Here: plain values. Not here: what somebody may do, and what they did (switches.py, case_record.py).
"""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Which way an act came."""

    CONTROL = "control"
    """The control socket, that is the command line."""
    API = "api"
    MQTT = "mqtt"
    HAND = "hand"
    """Somebody wrote into Asterisk's database past us."""
    PAGE = "page"
    PHONE = "phone"
    """A code keyed in on an agent's phone."""
    RULE = "rule"
    """No person: a rule of ours."""
    CASE_SYSTEM = "case_system"
    """A department's own system, to which cases are handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and which way it came."""

    who: str
    origin: Origin
