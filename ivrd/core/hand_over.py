"""Hand-overs: an agent of ours passes the caller on, and agents' channels that take turns.

Here: whose leg did it, and what is noted on the call. Not here: what that makes of the call's
outcome (call.py).

A transfer that the caller makes is none of ours: only an agent's leg counts (call.py, rule 4).
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from ivrd.core.call import HandOver
from ivrd.core.call_book import CallBook
from ivrd.core.events import AgentLegReplaced, AttendedTransferred, BlindTransferred
from ivrd.core.ids import CallId, ChannelId
from ivrd.core.stay import legs_of


def note(book: CallBook, event: BlindTransferred | AttendedTransferred) -> None:
    """Note a successful hand-over by an agent of ours on its call."""
    if not event.is_success:
        return
    match event:
        case BlindTransferred():
            _add(book, event.at, (event.transferer_id,), event.extension)
        case AttendedTransferred():
            legs = (event.orig_transferer_id, event.second_transferer_id)
            _add(book, event.at, legs, None)
        case _:
            assert_never(event)


def replace_leg(book: CallBook, event: AgentLegReplaced) -> None:
    """Follow an agent whose channel was replaced by another."""
    call_id = book.legs.get(event.old_id)
    if call_id is None:
        return
    call = book.calls[call_id]
    for stay in call.entries:
        call = book.step(call, stay, event)


def _add(book: CallBook, at: datetime, legs: tuple[ChannelId, ...], extension: str | None) -> None:
    for leg in legs:
        call = book.calls.get(book.legs.get(leg, CallId("")))
        if call is None:
            continue
        for stay in call.entries:
            if leg in legs_of(stay):
                over = HandOver(at=at, entry_number=stay.stay.number, extension=extension)
                if over not in call.hand_overs:
                    book.keep(replace(call, hand_overs=(*call.hand_overs, over)))
                return
