"""The states of one caller's stay in one queue, as types.

Here: what is known in each state, and only that. Not here: how one becomes another (entry.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from ivrd.core.effects import Disposition
from ivrd.core.expected_wait import Expectation
from ivrd.core.ids import CallId, ChannelId, Interface, QueueName, SystemName


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What is known from the start, and never changes."""

    system: SystemName
    call_id: CallId
    queue: QueueName
    number: int
    """The how-manieth entry of its call, from 1."""
    joined_at: datetime
    first_joined_at: datetime
    """First arrival of the call in any queue: a move does not restart the wait."""
    joined_by: CallId | None = None
    """The consulting channel of an agent that joined in the caller's stead; see consultation.py."""
    expected: Expectation | None = None
    """How long the wait here would be, as it looked at entry; None when nobody could tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One outstanding request to move a caller."""

    rule: str
    to_queue: QueueName
    asked_at: datetime
    lapses_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """In the queue's waiting list."""

    stay: Stay
    offered_to: frozenset[Interface] = frozenset()
    """Members whose phones ring for this caller right now."""
    hangup_asked_at: datetime | None = None
    move: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Out of the list, and not yet known why."""

    stay: Stay
    left_at: datetime | None
    """None when the leaving itself was not seen."""
    hangup_asked_at: datetime | None
    move: Move | None
    is_sure: bool = True
    """False after a gap: an answer, or a way out, may have been missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talking:
    """Answered by an agent."""

    stay: Stay
    answered_at: datetime
    interface: Interface
    agent: str
    agent_leg: ChannelId
    former_legs: tuple[ChannelId, ...] = ()
    """Channels whose place the agent's leg took, and phones behind it (hand_over.py, rule 1)."""
    is_sure: bool = True
    """False after a gap in which the agent's channel went: how the talk ended was not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Ended. Terminal."""

    stay: Stay
    disposition: Disposition
    ended_at: datetime
    entry_wait: timedelta | None
    wait: timedelta | None
    answered_at: datetime | None = None
    interface: Interface | None = None
    agent: str | None = None
    agent_leg: ChannelId | None = None
    former_legs: tuple[ChannelId, ...] = ()
    is_end_known: bool = True
    """False when a talk ended while we were not looking: nobody knows how."""
    move: Move | None = None
    """Set on a caller whom our move took out, until the move has landed."""


EntryState = Waiting | Leaving | Talking | Closed


def legs_of(state: EntryState) -> tuple[ChannelId, ...]:
    """Return every channel the agent was on, the newest last; empty when nobody answered."""
    match state:
        case Talking():
            return (*state.former_legs, state.agent_leg)
        case Closed():
            return () if state.agent_leg is None else (*state.former_legs, state.agent_leg)
        case Waiting() | Leaving():
            return ()
        case _:
            assert_never(state)
