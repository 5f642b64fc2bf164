"""Brings what people say of overflow to the trackers: rules switched, and one caller moved.

Here: orders as events, and waiting for what comes of a move. Not here: what can be switched
(switches.py), whether a caller can be moved (core/by_hand.py), and the move itself, which goes the
way of all moves.

How it is used
    orders = OverflowOrders(...); engine.observe(orders.observe); task: orders.keep_rules()
    orders.give(system, at)              before a PBX's first snapshot
    result = await orders.move(wish, by) from wherever somebody acts
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from ivrd.audit import Audit
from ivrd.core.effects import Effect, MoveEnd, RecordMove, TellNotMoved
from ivrd.core.events import Event, OrderGiven
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.overflow_state import BY_HAND, HandMove
from ivrd.core.rule_orders import orders_of
from ivrd.core.switches import REASON_CHARACTERS_MAX, Actor, ActOutcome, Names, SwitchState

LANDING_S_MAX = 6.0
"""A person waits so long for the caller to arrive: Asterisk looks at a withdraw once a second."""

WAITING_MAX = 100
"""People who wait for a move at once."""

AGAIN_S = 1.0
"""How soon orders are given again to an engine whose inbox is full."""

ENDS_TOLD: Mapping[MoveEnd, str] = {
    MoveEnd.LANDED: "is there",
    MoveEnd.ANSWERED_FIRST: "was not moved: an agent answered first",
    MoveEnd.HUNG_UP_FIRST: "was not moved: they hung up first",
    MoveEnd.REFUSED: "was not moved: the PBX, or the other queue, would not; the place is kept",
    MoveEnd.LAPSED: "was not moved in time; the place is kept",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Calls(Protocol):
    """Who knows which calls live on a PBX (Tracker)."""

    def knows(self, call_id: CallId) -> bool: ...


class Board(Protocol):
    """What is switched (SwitchBoard)."""

    names: Names
    audit: Audit
    rules_changed: asyncio.Event

    @property
    def state(self) -> SwitchState: ...
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One caller is to be moved."""

    call: str
    """The call's id, or what stands after its slash."""
    to_queue: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveResult:
    """What came of it."""

    outcome: ActOutcome
    text: str

    @property
    def is_taken(self) -> bool:
        """Whether the caller is there, or on the way."""
        return self.outcome in (ActOutcome.DONE, ActOutcome.PENDING)


class OverflowOrders:
    """The way of people's orders to the trackers."""

    def __init__(
        self,
        *,
        board: Board,
        calls: Mapping[SystemName, Calls],
        clocks: Mapping[SystemName, Callable[[], datetime]],
        submit: Callable[[Event], None],
    ) -> None:
        """Take the parts.

        Args:
            board: What is switched, and where acts are told of.
            calls: By PBX, in the order in which they are asked.
            clocks: Each PBX's time.
            submit: The engine's way in.
        """
        self._board = board
        self._calls = calls
        self._clocks = clocks
        self._submit = submit
        self._waiting: dict[CallId, asyncio.Future[MoveResult]] = {}

    # Rules.

    async def keep_rules(self) -> None:
        """Give the orders anew whenever one changes or ends, until cancelled.

        Not at the start: each PBX gets them with its connection, by its own clock.
        """
        wait_s = self._seconds_to_end()
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self._board.rules_changed.wait()
            except TimeoutError:
                pass
            self._board.rules_changed.clear()
            wait_s = self._seconds_to_end()
            try:
                for system, clock in self._clocks.items():
                    self.give(system, clock())
            except asyncio.QueueFull:
                log.warning("overflow_orders_delayed", reason="inbox_full")
                wait_s = AGAIN_S

    def give(self, system: SystemName, at: datetime) -> None:
        """Tell one PBX's tracker what people say of rules.

        Raises:
            asyncio.QueueFull: The engine has no room.
        """
        order = orders_of(self._board.state, self._board.now())
        self._submit(OrderGiven(at=at, system=system, order=order))

    def _seconds_to_end(self) -> float | None:
        now = self._board.now()
        end = self._board.state.next_end(now)
        # Not a moment too soon: at its end a setting is in force no more.
        return None if end is None else max(0.0, (end - now).total_seconds()) + 0.001

    # One caller.

    async def move(self, wish: Wish, by: Actor) -> MoveResult:
        """Move one caller, and say what came of it."""
        found = self._find(wish.call)
        fault = _fault_of(wish)
        if found is None or fault is not None or len(self._waiting) >= WAITING_MAX:
            fault = fault or (
                f"no live call has the id {wish.call!r}"
                if found is None
                else "too many moves by hand at once; try again in some seconds"
            )
            self._board.audit.refuse("move_caller", f"call {wish.call}", by, (fault,))
            return MoveResult(outcome=ActOutcome.REFUSED, text=fault)
        system, call_id = found
        if call_id in self._waiting:
            result = MoveResult(
                outcome=ActOutcome.CONFLICT, text="somebody else is moving this caller right now"
            )
        else:
            result = await self._ask(system, call_id, wish, by)
        self._board.audit.note(
            "move_caller",
            f"call {call_id} to {wish.to_queue}",
            by,
            result.outcome,
            reason=wish.reason,
        )
        return result

    async def _ask(self, system: SystemName, call_id: CallId, wish: Wish, by: Actor) -> MoveResult:
        """Give the order, and wait for what comes of it, but not for long."""
        answer: asyncio.Future[MoveResult] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = answer
        order = HandMove(
            call_id=call_id,
            to_queue=QueueName(wish.to_queue),
            who=by.who,
            why=wish.reason.strip(),
        )
        try:
            self._submit(OrderGiven(at=self._clocks[system](), system=system, order=order))
            async with asyncio.timeout(LANDING_S_MAX):
                result = await answer
            return result
        except asyncio.QueueFull:
            text = "ivrd is too busy; try again in some seconds"
            return MoveResult(outcome=ActOutcome.REFUSED, text=text)
        except TimeoutError:
            told = f"{call_id} is asked to move to {wish.to_queue}; `ivrd overflow explain` tells"
            return MoveResult(outcome=ActOutcome.PENDING, text=told)
        finally:
            del self._waiting[call_id]

    def observe(self, effect: Effect) -> None:
        """See what came of a move by hand; never raises."""
        match effect:
            case TellNotMoved():
                self._answer(effect.move.call_id, ActOutcome.REFUSED, effect.because)
            case RecordMove() if effect.reason == BY_HAND:
                is_there = effect.end is MoveEnd.LANDED
                outcome = ActOutcome.DONE if is_there else ActOutcome.REFUSED
                text = f"the caller {ENDS_TOLD[effect.end]}"
                self._answer(effect.call_id, outcome, text)
            case _:
                pass  # Of what was asked for, the end follows.

    def _answer(self, call_id: CallId, outcome: ActOutcome, text: str) -> None:
        answer = self._waiting.get(call_id)
        if answer is not None and not answer.done():
            answer.set_result(MoveResult(outcome=outcome, text=text))

    def _find(self, call: str) -> tuple[SystemName, CallId] | None:
        """Return the live call that a text names; None when there is none."""
        for system, calls in self._calls.items():
            for call_id in (CallId(call), CallId(f"{system}/{call}")):
                if calls.knows(call_id):
                    return system, call_id
        return None


def _fault_of(wish: Wish) -> str | None:
    """Return what is wrong with a wish by itself."""
    if not wish.reason.strip():
        return "reason: say why; whoever asks later must know"
    if len(wish.reason) > REASON_CHARACTERS_MAX or not wish.reason.isprintable():
        return f"reason: one line of at most {REASON_CHARACTERS_MAX} characters"
    return None
