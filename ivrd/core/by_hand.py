"""A caller whom a person moves: whether that can be, and the decision that it makes.

Here: pure functions of the book. Not here: the way of the move, which is that of all (mover.py).
"""

from collections.abc import Callable

from ivrd.core.call import Call
from ivrd.core.call_book import CallBook
from ivrd.core.ids import QueueName
from ivrd.core.overflow_figures import CallerFigures, QueueLook
from ivrd.core.overflow_state import BY_HAND, Decision, DecisionKind, HandMove
from ivrd.core.stay import Talking, Waiting


def why_not(book: CallBook, move: HandMove, *, can_move: bool) -> str | None:
    """Return why a caller cannot be moved now, in a sentence; None when it can be asked for.

    Args:
        book: What is.
        move: What a person wishes.
        can_move: The PBX can take callers out of a queue for us.
    """
    if not (can_move and book.is_synced):
        return "the PBX cannot be asked now; try again when ivrd is ready"
    call = book.calls.get(move.call_id)
    if call is None or call.hung_up_at is not None:
        return f"no live call has the id {move.call_id}"
    return _why_not_away(call) or _why_not_there(book, call, move.to_queue)


def decision(book: CallBook, move: HandMove, *, look: Callable[[QueueName], QueueLook]) -> Decision:
    """Return the decision that a person made, with the figures as they are."""
    call = book.calls[move.call_id]
    last = call.entries[-1]
    assert isinstance(last, Waiting), "only a waiting caller is moved"
    here, there = look(last.stay.queue), look(move.to_queue)
    arrived_at, incoming = last.stay.first_joined_at, there.figures.incoming
    return Decision(
        rule=BY_HAND,
        kind=DecisionKind.AWAY,
        from_queue=here.queue,
        to_queue=there.queue,
        is_dry_run=False,
        is_by_hand=True,
        held=(),
        source=here.figures,
        target=there.figures,
        caller=CallerFigures(
            call_id=call.call_id,
            line=call.line,
            wait=here.figures.at - arrived_at,
            moves_asked=call.moves_asked,
            place_here=here.line.place_of(arrived_at),
            place_there=there.line.place_of(arrived_at) + incoming,
            expected_here=here.expect(arrived_at, 0),
            expected_there=there.expect(arrived_at, incoming),
        ),
        who=move.who,
        why=move.why,
    )


def _why_not_away(call: Call) -> str | None:
    """Return why a caller cannot leave where they are."""
    last = call.entries[-1] if call.entries else None
    if isinstance(last, Talking):
        return f"{last.agent} in {last.stay.queue} has answered"
    if not isinstance(last, Waiting) or call.consults_for is not None:
        return "the caller does not wait in a queue"
    if last.offered_to:
        return (
            f"the call is being offered to an agent of {last.stay.queue} right now, and is not torn"
            " away; try again if nobody answers"
        )
    if last.move is not None:
        return f"the caller is on the way to {last.move.to_queue} already, by {last.move.rule}"
    return None


def _why_not_there(book: CallBook, call: Call, to_queue: QueueName) -> str | None:
    """Return why a queue cannot take a caller."""
    if to_queue not in book.rules.queues:
        known = ", ".join(sorted(book.rules.queues))
        return f"no queue is named {to_queue!r}; known: {known}"
    if call.entries[-1].stay.queue == to_queue:
        return f"the caller waits in {to_queue} already"
    if not book.floor(to_queue).members.serving:
        return f"nobody serves in {to_queue}: no agent is logged in and not paused"
    return None
