"""What the overflow policy remembers between two looks, and what it decides at one.

Here: frozen records. Not here: deciding (overflow.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ivrd.core.ids import CallId, QueueName
from ivrd.core.overflow_conditions import Held
from ivrd.core.overflow_figures import CallerFigures, QueueFigures
from ivrd.core.overflow_rules import RuleMode

BY_HAND = "by-hand"
"""Stands where a rule's name would; no rule may be named so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Where a caller would be now, whom a dry run has decided to move."""

    to_queue: QueueName
    lands_at: datetime
    """Until then the move would be outstanding."""
    answered_at: datetime | None
    """Until then they would wait there; None: for as long as they wait where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """How one rule stands."""

    is_active: bool = False
    """It has begun, and not ended."""
    changed_at: datetime | None = None
    """When it began or ended last; None before the first time."""
    met_since: datetime | None = None
    """Since when its conditions would make it begin; None when they do not, or it has begun."""
    diverts_to: QueueName | None = None
    """Where callers at the door go; None when they are let in."""
    decided: Mapping[CallId, Shadow] = field(default_factory=dict)
    """In a dry run: who would have been moved, and is taken for gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a supervisor says of one rule."""

    mode: RuleMode | None = None
    """In place of the configured one."""
    is_forced: bool = False
    """It is to be in force whatever the figures say."""
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOrders:
    """What people say of rules, all of it; a rule that is not named is as configured."""

    orders: Mapping[str, Order]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMove:
    """A person moves one caller."""

    call_id: CallId
    to_queue: QueueName
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowState:
    """All that is remembered."""

    rules: Mapping[str, RuleState] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)
    resting: Mapping[QueueName, datetime] = field(default_factory=dict)
    """Queues that refused a caller, and until when nobody is moved there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A rule began or ended, and the figures that did it."""

    rule: str
    is_active: bool
    """As it is from now on."""
    is_dry_run: bool
    is_by_hand: bool
    held: tuple[Held, ...]
    """What made it begin; empty at an end."""
    source: QueueFigures
    """The queues that it moves from, together."""
    who: str = ""
    """By whose hand; "" for none."""
    why: str = ""


class DecisionKind(StrEnum):
    """Which way a caller is to go."""

    AWAY = "away"
    HOME = "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One caller is to be moved, and the figures that this rests on."""

    rule: str
    kind: DecisionKind
    from_queue: QueueName
    to_queue: QueueName
    is_dry_run: bool
    is_by_hand: bool
    """The rule was in force by a supervisor's order."""
    held: tuple[Held, ...]
    """The conditions that held; empty when by hand, and for a way home."""
    source: QueueFigures
    """The queues that the rule moves from, together, before this move."""
    target: QueueFigures
    """The queue that the caller goes to, before this move."""
    caller: CallerFigures
    who: str = ""
    """By whose hand; "" for none."""
    why: str = ""

    @property
    def call_id(self) -> CallId:
        """Whom it is about."""
        return self.caller.call_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is wanted now."""

    state: OverflowState
    changes: tuple[RuleChange, ...] = ()
    decisions: tuple[Decision, ...] = ()
    """In the order in which they are to be carried out."""
    look_again: Mapping[str, datetime] = field(default_factory=dict)
    """By rule: when time alone may change what is wanted. A rule left out is not waiting for it."""
    is_cut: bool = False
    """More moves are wanted than one plan was allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divert:
    """Where callers at one queue's door go."""

    to_queue: QueueName
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverState:
    """What carrying out the policy remembers, kept across a restart and cut in tests."""

    policy: OverflowState = field(default_factory=OverflowState)
    diverts: Mapping[QueueName, Divert] = field(default_factory=dict)
    """As last told to the PBX."""
    today_ends_at: datetime | None = None
    """When service levels so far today begin anew; None before the first event."""
