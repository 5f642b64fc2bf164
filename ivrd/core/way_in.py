"""A caller's way in: arrival, closed line, notices and choices, noted on the call.

Here: what each of those events changes. Not here: queues (tracker.py), what it comes to (call.py).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from ivrd.core.call import Call
from ivrd.core.call_book import CallBook
from ivrd.core.effects import CountChoice, CountNotice
from ivrd.core.events import CallArrived, ChoiceMade, LineClosed, NoticeTold
from ivrd.core.ids import CallId

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
