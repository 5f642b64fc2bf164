"""What a caller's way in is made of: the configuration that it follows, and its steps.

Here: records. Not here: the walk (route.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ivrd.core.hours import OpeningState
from ivrd.core.menu import Menu, MenuOutcome
from ivrd.core.switches import Stand
from ivrd.core.targets import Target, ToMenu, ToQueue

HANG_UP = "x"
"""As an answer, and in a row of keys: the caller is gone."""


# The configuration, as far as a way in needs it. Prompts by their ids.


@dataclass(frozen=True, slots=True, kw_only=True)
class LineWay:
    """One dialled number."""

    name: str
    first: ToMenu | ToQueue
    language: str
    is_slow: bool = False
    closed_prompt: str | None = None
    closed_choice: Target | None = None
    """None: hang up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueWay:
    """One queue."""

    name: str
    catch_all: str | None = None
    """Takes the callers while the queue is closed or in a meeting."""
    fallback: str | None = None
    """The same, when there is no catch-all."""
    keys: Mapping[str, Target]
    """Where keys lead a caller who waits."""


class NoticePlace(StrEnum):
    """When a notice is heard."""

    BEFORE_MENU = "before_menu"
    BEFORE_QUEUE = "before_queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeWay:
    """One notice."""

    name: str
    prompt: str
    lines: tuple[str, ...]
    """Empty: every line."""
    place: NoticePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """Every line, menu, queue and notice."""

    lines: Mapping[str, LineWay]
    menus: Mapping[str, Menu]
    queues: Mapping[str, QueueWay]
    """Not empty."""
    notices: tuple[NoticeWay, ...] = ()
    unavailable_prompt: str
    menus_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What holds while the caller is on the way."""

    line_state: OpeningState = OpeningState.OPEN
    queue_states: Mapping[str, OpeningState]
    """Those left out are open."""
    notices: frozenset[str] = frozenset()
    """Those switched on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """A line opened or closed by a supervisor."""

    stand: Stand
    until: datetime
    """Exclusive."""


def line_state(by_hours: OpeningState, forced: Forced | None, *, at: datetime) -> OpeningState:
    """Return what a caller of a line meets who comes at a moment.

    Source:
        dialplan/lines.py, `opening`: whole seconds; forced open also ends a meeting.
    """
    if forced is None or forced.until <= at.replace(microsecond=0):
        return by_hours
    return OpeningState.CLOSED if forced.stand is Stand.CLOSED else OpeningState.OPEN


# Steps.


class HeardAs(StrEnum):
    """Why a prompt is heard."""

    CLOSED = "closed"
    NOTICE = "notice"
    MENU = "menu"
    INVALID = "invalid"
    ANNOUNCEMENT = "announcement"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """The line answers."""

    line: str
    state: OpeningState


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A prompt is played; a digit interrupts it when it may."""

    prompt: str
    heard_as: HeardAs
    language: str
    place: str
    """The menu, line, queue or notice."""
    takes_keys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listens:
    """A menu waits for a digit."""

    menu: str
    timeout: timedelta
    typed: str
    """Digits that a longer key may begin with; empty when none has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chose:
    """A menu has ended with a choice: what the dialplan tells ivrd, and queue_log."""

    menu: str
    outcome: MenuOutcome
    choice: str
    """A label of core/targets.py."""
    digit: str | None
    """The key; None unless chosen by one."""
    wrong_keys: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """A queue is closed or in a meeting."""

    queue: str
    state: OpeningState
    to: str | None
    """The next queue; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The caller waits in a queue, where keys may lead out of it."""

    queue: str
    language: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A key led out of a queue."""

    queue: str
    digit: str
    choice: str
    """A label of core/targets.py."""


class EndKind(StrEnum):
    """How a way in ends."""

    QUEUE = "queue"
    """The caller waits there for an agent."""
    NUMBER = "number"
    """The site's dialplan rings it."""
    CLOSED = "closed"
    """The line is closed, and hangs up."""
    SAID = "said"
    """Hung up after an announcement."""
    UNAVAILABLE = "unavailable"
    """Hung up, because no queue would have the caller."""
    HUNG_UP = "hung_up"
    """By the caller."""
    CIRCLE = "circle"
    """Closed queues send the caller round and round: a fault of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last step."""

    kind: EndKind
    name: str
    """The queue, number, line, announcement, or where the caller was."""
    language: str
    is_slow: bool
    menus: int
    """Entered in this call."""


Step = Met | Heard | Listens | Chose | TurnedAway | Waits | Left | Ended

Answer = str | None
"""What a caller does at a step: a digit, HANG_UP, or nothing. A prompt that takes no keys takes
nothing but HANG_UP. Nothing, in a queue: waits on, for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A whole way."""

    steps: tuple[Step, ...]
    end: Ended
    """The last one of them."""
