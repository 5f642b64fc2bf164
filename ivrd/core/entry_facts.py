"""What of one stay in one queue is counted, and kept: the effects, filled in.

Here: from a state to its effect. Not here: when (entry.py).
"""

from datetime import datetime, timedelta

from ivrd.core.effects import CountEntry, Disposition, MoveEnd, RecordEntry, RecordMove
from ivrd.core.stay import Closed, Move, Stay, Talking


def count_answer(state: Talking) -> CountEntry:
    """Return the count of an answered entry."""
    stay = state.stay
    return CountEntry(
        system=stay.system,
        call_id=stay.call_id,
        number=stay.number,
        queue=stay.queue,
        disposition=Disposition.ANSWERED,
        entry_wait=state.answered_at - stay.joined_at,
        wait=state.answered_at - stay.first_joined_at,
        expected=stay.expected,
    )


def count(closed: Closed) -> CountEntry:
    """Return the count of an entry whose disposition is fixed by its end."""
    return CountEntry(
        system=closed.stay.system,
        call_id=closed.stay.call_id,
        number=closed.stay.number,
        queue=closed.stay.queue,
        disposition=closed.disposition,
        entry_wait=closed.entry_wait,
        wait=closed.wait,
        expected=closed.stay.expected,
    )


def record(closed: Closed, *, talk: timedelta | None) -> RecordEntry:
    """Return the record of an entry that is closed.

    Args:
        closed: The entry.
        talk: None when nobody answered, or the end is unknown.
    """
    stay = closed.stay
    return RecordEntry(
        at=closed.ended_at,
        system=stay.system,
        call_id=stay.call_id,
        number=stay.number,
        queue=stay.queue,
        joined_at=stay.joined_at,
        disposition=closed.disposition,
        entry_wait=closed.entry_wait,
        wait=closed.wait,
        interface=closed.interface,
        agent=closed.agent,
        answered_at=closed.answered_at,
        talk=talk,
        joined_by=stay.joined_by,
    )


def move_ended(
    stay: Stay, move: Move, at: datetime, end: MoveEnd, *, took_out: bool = False
) -> RecordMove:
    """Return the record of a move that ended, after it took the caller out of the queue or not."""
    return RecordMove(
        at=at,
        system=stay.system,
        call_id=stay.call_id,
        from_queue=stay.queue,
        to_queue=move.to_queue,
        reason=move.rule,
        end=end,
        out_of=stay.number if took_out else None,
    )
