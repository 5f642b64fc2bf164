"""Messages to the municipality's case systems: what one is, where it goes, and what came of it.

Here: the words, the states, and which destination takes which case. Not here: rows
(db/case_messages.py), sending (ivrd/handover), and the case itself (cases.py).

Words: a *destination* is one case system as configured; a *message* tells one destination of one
version of one case; its *key* is the same however often it is sent, so that the receiver can know a
repeat for one; a *delivery* is what came of sending it once.

States
    waiting ──accepted──▶ sent
       │ ▲ └─ not now: waits again, longer each time
       │ └──── a person sends it again ─────┐
       ├─ refused, or tried too often ────▶ dead ──a person drops it──▶ dropped
       └─ a person drops it ─────────────────────────────────────────▶ dropped

Rules
    1. A message waits for every earlier one of its case to the same destination, a dead one too:
       whoever reads them in the order of arrival reads them in the order of events.
    2. Other cases, and other destinations, do not wait for it.
    3. A message holds the whole case as it then was, so that any of them can stand for the first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class MessageState(StrEnum):
    """How far a message has come."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"
    """It is not tried again by itself."""
    DROPPED = "dropped"
    """A person has decided that it is not to be sent."""


OPEN_STATES = (MessageState.WAITING, MessageState.DEAD)
"""A later message of the case waits for these; see rule 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMessage:
    """One message that is to be sent now."""

    message_id: int
    case_id: int
    version: int
    """Of the case; it grows with each change."""
    destination: str
    key: str
    """Stable over repeats and restarts; unique."""
    kind: str
    """What has happened, such as "handed_over" or "closed"."""
    payload: str
    """JSON: {"case": {...}, "change": {...}}; no caller's number."""
    created_at: datetime
    attempts: int
    """This one counted."""
    external_id: str | None
    """What the destination calls the case; None until it has said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The destination has it."""

    external_id: str | None = None
    """What it calls the case; None when it did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNow:
    """It was not taken, or we cannot know; it is to be sent again."""

    reason: str
    after: timedelta | None = None
    """Not before so long; None when nobody says."""
    is_peer_away: bool = False
    """It is the destination's trouble and not this message's: the others may wait likewise."""
    needs_person: bool = False
    """Such as a wrong secret: trying soon cannot cure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The destination will never take this message as it is."""

    reason: str


Delivery = Accepted | NotNow | Refused


class StatusFaultKind(StrEnum):
    """Why a status that a case system sends back is not taken."""

    UNKNOWN = "unknown"
    """No such destination, or it was not told of that case."""
    UNSIGNED = "unsigned"
    MISUNDERSTOOD = "misunderstood"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFault:
    """A status that is not taken."""

    kind: StatusFaultKind
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which cases a destination takes."""

    destination: str
    departments: frozenset[str] = frozenset()
    """Empty: of every department, and of none."""
    classes: frozenset[str] = frozenset()
    """Empty: of every class."""
    includes_note: bool = True

    def takes(self, *, department: str | None, case_class: str) -> bool:
        """Return whether such a case goes there."""
        is_of_department = not self.departments or department in self.departments
        return is_of_department and (not self.classes or case_class in self.classes)


def destinations(
    routes: Iterable[Route], *, department: str | None, case_class: str
) -> tuple[str, ...]:
    """Return where such a case goes, in the order of the configuration.

    Example:
        >>> routes = [Route(destination="tekniska", departments=frozenset({"teknisk"})),
        ...           Route(destination="arkiv")]
        >>> destinations(routes, department="teknisk", case_class="resolved")
        ('tekniska', 'arkiv')
        >>> destinations(routes, department=None, case_class="resolved")
        ('arkiv',)
    """
    return tuple(
        route.destination
        for route in routes
        if route.takes(department=department, case_class=case_class)
    )
