"""What an overflow rule says, as plain values.

Here: frozen records, built from the configuration by rules.py. Not here: whether a rule holds
(overflow_conditions.py), and whom it moves (overflow.py).
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from fractions import Fraction

from ivrd.core.hours import Schedule
from ivrd.core.ids import LineName, QueueName

Level = int | Fraction | timedelta
"""A threshold, of the kind that its figure has."""


class Figure(StrEnum):
    """What a condition looks at, in the queues that a rule moves from, taken together."""

    WAITING = "waiting"
    """Who waits, and is not on the way out by a move."""
    LONGEST_WAIT = "longest_wait"
    """Of those, since first arrival in any queue."""
    WAITING_PER_FREE_AGENT = "waiting_per_free_agent"
    """With no agent free, as with one."""
    FREE_AGENTS = "free_agents"
    SERVING_AGENTS = "serving_agents"
    """Logged in, reachable and not paused."""
    EXPECTED_WAIT = "expected_wait"
    """Of a caller who enters now, in the queue where it is longest."""
    SERVICE_LEVEL = "service_level"
    """So far today."""
    CLOSES_IN = "closes_in"
    """Until the first of the queues closes; nothing is left when it is closed."""

    @property
    def is_high_bad(self) -> bool:
        """Whether load is high when the figure is."""
        return self not in (
            Figure.FREE_AGENTS,
            Figure.SERVING_AGENTS,
            Figure.SERVICE_LEVEL,
            Figure.CLOSES_IN,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When one figure makes a rule begin, and when it lets the rule end (hysteresis).

    It begins at `start` and goes on until `stop`; the figure that is exactly so begins it, and
    ends it.
    """

    figure: Figure
    start: Level
    stop: Level


class RuleMode(StrEnum):
    """Whether a rule does anything."""

    ON = "on"
    OFF = "off"
    DRY_RUN = "dry_run"
    """Decides and tells, and moves nobody."""


class Needs(Enum):
    """How many of a rule's conditions must hold."""

    ANY = "any"
    ALL = "all"


class First(Enum):
    """Who moves first."""

    LONGEST_WAIT = "longest_wait"
    SHORTEST_WAIT = "shortest_wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGuard:
    """What must be true of a queue for a caller to be moved there. None: not looked at.

    Beyond this, always: it is open, and somebody serves.
    """

    serving_min: int = 1
    free_min: int = 0
    waiting_max: int | None = None
    """Nobody more is moved where so many wait, or are on their way."""
    expected_wait_max: timedelta | None = None
    longer_wait_max: timedelta | None = None
    """The wait expected there may be longer than here by so much; zero: never worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowRule:
    """When to move waiting callers from some queues to another.

    Without conditions it begins only by a supervisor's hand.
    """

    name: str
    from_queues: tuple[QueueName, ...]
    to_queues: tuple[QueueName, ...]
    """The first that takes a caller is the one."""
    conditions: tuple[Condition, ...] = ()
    needs: Needs = Needs.ANY
    mode: RuleMode = RuleMode.ON
    start_after: timedelta = timedelta(0)
    """The conditions have held so long before it begins."""
    dwell: timedelta = timedelta(0)
    """Once begun it does not end, once ended it does not begin, before so long."""
    leave_waiting: int = 0
    """So many are left where they are."""
    moves_at_once: int | None = None
    """So many moves are outstanding at most; None: no limit."""
    first: First = First.LONGEST_WAIT
    moves_per_call: int = 1
    """A caller is moved at most so often, by all rules together; home is one more."""
    urgent_lines: frozenset[LineName] = frozenset()
    """Their callers move only to a place that is no further back, and no longer a wait."""
    guard: TargetGuard = TargetGuard()
    moves_waiting: bool = True
    diverts_at_entry: bool = False
    returns_home: bool = False
    """Who was moved and still waits goes back when the rule has ended and it is better there."""
    closing_hours: Schedule | None = None
    """Whose closing counts; None: that of the queues that it moves from."""
