"""What a call's entries say of it, for whoever plans, counts and lines callers up.

Here: reading one call. Not here: changing it (call_book.py).
"""

from dataclasses import replace
from datetime import datetime

from ivrd.core.call import Call
from ivrd.core.effects import CountEntry, Effect
from ivrd.core.expected_wait import WaitModel
from ivrd.core.line import Candidate
from ivrd.core.stay import Closed, Leaving, Move, Talking, Waiting


def arrival(call: Call) -> datetime | None:
    """Return since when a caller waits for the next answer; None when that begins now.

    A caller who was answered and handed to a queue of ours begins a new wait.
    """
    last = call.entries[-1] if call.entries else None
    is_answered = isinstance(last, Talking | Closed) and last.answered_at is not None
    return None if last is None or is_answered else last.stay.first_joined_at


def candidate(call: Call, waiting: Waiting) -> Candidate:
    """Return a waiting caller as the overflow policy sees them."""
    expected = waiting.stay.expected
    move = waiting.move
    moves = moves_out(call)
    return Candidate(
        call_id=call.call_id,
        first_joined_at=waiting.stay.first_joined_at,
        is_offered=bool(waiting.offered_to),
        is_moving=move is not None,
        moves_asked=call.moves_asked,
        met_free_agent=expected is not None and expected.model is WaitModel.FREE_AGENT,
        line=call.line,
        moving_by="" if move is None else move.rule,
        moving_to=None if move is None else move.to_queue,
        moved_from=tuple(stay.stay.queue for stay in moves),
        moved_by=moves[-1].move.rule if moves and moves[-1].move is not None else "",
    )


def way_of(call: Call) -> Move | None:
    """Return the move that a caller is under way by, out of one queue and in no other."""
    if call.landing is not None or not call.entries:
        return call.landing
    last = call.entries[-1]
    return last.move if isinstance(last, Leaving) else None


def moves_out(call: Call) -> tuple[Closed, ...]:
    """Return the stays of this wait that a move of ours ended, in order."""
    if len(call.entries) == 1 and not isinstance(call.entries[0], Closed):
        return ()
    moves: list[Closed] = []
    for stay in reversed(call.entries):
        if not isinstance(stay, Closed):
            continue
        if stay.answered_at is not None:
            break
        if stay.move is not None:
            moves.append(stay)
    return tuple(reversed(moves))


def of_call(call: Call, effect: Effect) -> Effect:
    """Return an effect of one entry with what its call adds to it."""
    if not isinstance(effect, CountEntry):
        return effect
    before = call.entries[: effect.number - 1]
    is_first = not any(isinstance(e, Talking | Closed) and e.answered_at for e in before)
    return replace(effect, line=call.line, is_first=is_first)
