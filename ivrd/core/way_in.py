"""A caller's way in: arrival, closed line, notices, choices, noted on the call; and into a queue.

Here: what each of those events changes. Not here: the way out of a queue (way_out.py, entry.py),
and what it comes to (call.py).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from ivrd.core import consultation, hand_over
from ivrd.core.call import Call
from ivrd.core.call_book import CallBook
from ivrd.core.effects import CountChoice, CountNotice
from ivrd.core.events import CallArrived, CallerJoined, ChoiceMade, LineClosed, NoticeTold
from ivrd.core.ids import CallId
from ivrd.core.stay import Waiting

IsTold = Callable[[CallId, datetime, datetime], bool]
"""Whether the journal has told an event of a call, known since the first time, at the second."""


def arrive(book: CallBook, event: CallArrived) -> None:
    """Note that a call has come by a line of ours."""
    known = book.calls.get(event.call_id)
    if known is None:
        known = Call(
            system=book.system,
            call_id=event.call_id,
            channel=event.channel,
            arrived_at=event.at,
        )
    elif known.line is not None:
        return  # Told twice, or the caller was transferred to a line of ours: the first counts.
    book.calls[event.call_id] = replace(
        known, line=event.line, caller_number=event.caller_number, channel=event.channel
    )


def join(book: CallBook, event: CallerJoined, *, is_told: IsTold) -> None:
    """Note that a caller has entered a queue."""
    call = consultation.call_of(book, event)
    if call.hung_up_at is not None:
        book.report("hung up", event, event.call_id)
        return
    last = call.entries[-1] if call.entries else None
    if isinstance(last, Waiting) and last.stay.queue == event.queue:
        return  # A snapshot has told it already: a real second join has a Leave before it.
    if last is not None and last.stay.queue == event.queue:
        if is_told(call.call_id, last.stay.joined_at, event.at):
            return
    if last is not None:
        call = book.step(call, last, event)
    is_move = book.land(call, event.queue, event.at)
    call = hand_over.joined(book, book.calls[call.call_id])
    book.open_entry(replace(call, channel=event.channel), event.queue, event.at, is_move=is_move)


def choose(book: CallBook, event: ChoiceMade, *, is_told: IsTold) -> None:
    """Note one choice in a menu, or by a key in a queue."""
    call = book.get_or_open(event.call_id, at=event.at, channel="")
    step = event.menu if event.digit is None else f"{event.menu}:{event.digit}"
    known = call.choice
    if known == event:
        return
    # The journal's own choices of one second bear the same stamp, and are all news.
    is_later = known is not None and event.at > known.at
    if known and is_later and step in call.path and is_told(call.call_id, known.at, event.at):
        return
    path = (*call.path[: PATH_STEPS_MAX - 1], step)
    book.calls[call.call_id] = replace(call, choice=event, path=path)
    book.effects.append(
        CountChoice(
            system=book.system,
            call_id=call.call_id,
            number=len(path),
            menu=event.menu,
            outcome=event.outcome,
            is_static=event.is_static,
            digit=event.digit,
        )
    )


PATH_STEPS_MAX = 50
"""Above what the dialplan lets a caller choose (dialplan/menus.py, MENUS_MAX)."""


def close_line(book: CallBook, event: LineClosed) -> None:
    """Note that the caller met a closed line."""
    call = book.get_or_open(event.call_id, at=event.at, channel="")
    book.calls[call.call_id] = replace(call, is_closed=True)


def hear(book: CallBook, event: NoticeTold) -> None:
    """Note that a notice begins, or was heard to its end; each hearing is counted once."""
    call = book.get_or_open(event.call_id, at=event.at, channel="")
    if (call.notice == event.notice) is not event.is_over:
        return  # Told twice.
    told = call.notices_told + 1
    notice = None if event.is_over else event.notice
    book.calls[call.call_id] = replace(call, notice=notice, notices_told=told)
    if event.is_over:
        book.effects.append(_heard(book, call.call_id, told, event.notice, is_whole=True))


def end_notice(book: CallBook, call: Call) -> None:
    """Count the notice during which a caller hung up."""
    if call.notice is not None:
        number = call.notices_told
        book.effects.append(_heard(book, call.call_id, number, call.notice, is_whole=False))


def _heard(
    book: CallBook, call_id: CallId, number: int, notice: str, *, is_whole: bool
) -> CountNotice:
    return CountNotice(
        system=book.system, call_id=call_id, number=number, notice=notice, is_whole=is_whole
    )
