"""A caller's way out of a queue without an agent, as our dialplan tells it.

Here: which stay an exit ends, and who was never let in. Not here: what each status means (exits.py,
entry.py), and hang-ups (tracker.py).
"""

from dataclasses import replace

from ivrd.core import consultation
from ivrd.core import entry as entries
from ivrd.core.call import last_in
from ivrd.core.call_book import CallBook
from ivrd.core.effects import Disposition, MoveEnd
from ivrd.core.events import QueueExited
from ivrd.core.exits import REFUSALS, is_refused
from ivrd.core.stay import Closed
from ivrd.core.way_in import IsTold


def leave(book: CallBook, event: QueueExited, *, is_told: IsTold) -> None:
    """Note that a queue let a caller go, or would not have them."""
    call = book.calls.get(event.call_id)
    last = None if call is None else last_in(call, event.queue)
    if event.status in REFUSALS:
        _refuse(book, event, is_told=is_told)
    elif last is not None and not isinstance(last, Closed):
        assert call is not None, "an entry has a call"
        book.step(call, last, event)
        book.start_landing(book.calls[event.call_id])
    elif last is None:
        book.report("no entry", event, event.call_id)


def _refuse(book: CallBook, event: QueueExited, *, is_told: IsTold) -> None:
    call = consultation.call_of(book, event)
    last = call.entries[-1] if call.entries else None
    if isinstance(last, Closed) and is_refused(last):
        known_at = last.stay.joined_at
        if known_at == event.at or is_told(call.call_id, known_at, event.at):
            return
    if last is not None and not isinstance(last, Closed):
        call = book.step(call, last, event)
    if call.landing is not None:
        call = book.end_landing(call, event.at, MoveEnd.REFUSED)
    elif isinstance(last, Closed) and last.disposition is Disposition.DIVERTED:
        book.refused_moves.append((event.queue, event.at))
    step = entries.refuse(book.stay(call, event.queue, event.at), event.status)
    book.keep(replace(call, entries=(*call.entries, step.state)))
    book.emit_of(call, step.effects)
