"""Asking Asterisk for moves: many at once on one connection, each once.

Here: the asking, and why a move was not taken. Not here: which moves (core/overflow.py), and that a
move has come true, which only events tell.
"""

import asyncio
from collections.abc import Callable

from ivrd.ami import actions
from ivrd.ami.protocol import AmiCounters
from ivrd.ami.requests import Request
from ivrd.clock import AsteriskClock
from ivrd.core.effects import MoveCaller
from ivrd.errors import PeerError, PeerTimedOut, PeerUnreachable

NEVER_SENT = frozenset({"not_connected", "too_late"})
"""Why a move was refused that never left us. Others that were not sent, because the outbox is full,
the PBX cannot withdraw or the channel's name is unfit, would be refused again at once, for ever:
they count as asked for."""

MOVES_AT_ONCE = 64
"""Asked before the first of them is answered. An answer takes a millisecond, and ten when a whole
queue moves, for Asterisk writes events in between: with one at a time the last of 500 callers was
asked for seconds after the first (./run bench --only g)."""


class MoveAsker:
    """The moves asked on one connection.

    Attributes:
        in_flight: Those whose answers are waited for, in the order in which they were asked.
    """

    def __init__(
        self,
        outbox: asyncio.Queue[MoveCaller],
        request: Request,
        *,
        clock: AsteriskClock,
        counters: AmiCounters,
        refuse: Callable[[MoveCaller, str], None],
        within_s: float,
    ) -> None:
        """Ask nothing yet.

        Args:
            outbox: Moves that wait for their turn.
            request: Sends one action.
            clock: Says whether a move has waited too long.
            counters: Counts what is asked.
            refuse: Told of each move that was not taken, and why.
            within_s: So long an answer is waited for.
        """
        self._outbox = outbox
        self._request = request
        self._clock = clock
        self._counters = counters
        self._refuse = refuse
        self._within_s = within_s
        self.in_flight: list[MoveCaller] = []

    async def run(self, *, can_withdraw: bool) -> None:
        """Ask for what comes, for ever; to be run by MOVES_AT_ONCE tasks.

        In the order of the outbox: what a task takes it writes before another takes the next.

        Args:
            can_withdraw: Asterisk can; else all are refused.
        """
        while True:
            move = await self._outbox.get()
            self.in_flight.append(move)
            reason = await self._ask_one(move) if can_withdraw else "cannot_withdraw"
            self.in_flight.remove(move)
            if reason is not None:
                self._refuse(move, reason)

    async def _ask_one(self, move: MoveCaller) -> str | None:
        """Return why a move was not taken; None when it was, which only events can prove."""
        if self._clock.now() > move.not_after:
            return "too_late"
        try:
            action = actions.withdraw(move)
            self._counters.moves_asked += 1
            answer = await self._request(action, within_s=self._within_s)
        except PeerTimedOut:
            return "no_answer"
        except PeerUnreachable:
            return "connection_lost"
        except PeerError:
            return "unfit_name"
        return None if answer.is_success else actions.refusal(answer.message)
