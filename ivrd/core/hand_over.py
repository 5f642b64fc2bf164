"""Hand-overs: an agent of ours passes the caller on, and agents' channels that take turns.

Here: whose leg did it, and what became of it. Not here: what that makes of the call's outcome
(call.py), and agents who ask in another queue of ours (consultation.py).

The rules
    1. Only an agent's leg hands over (call.py, rule 4). Every channel that the agent was on is the
       agent's leg, and so is the phone behind a Local channel, which answers when it is dialled
       for a waiting caller: with "/n", or before it is optimised away, the queue sees no transfer.
    2. A blind transfer is *unknown* at first; so is an attended one whose target still rings.
       Whose target has answered is *reached*: two legs of the agent that end in a bridge, or a
       dial for this call that was answered before, by somebody who is still there.
    3. Then each phone that is dialled for the caller tells: ANSWER is *reached*, and final; any
       other end is *rang out*, until another phone answers.
    4. A caller who comes to a queue of ours came back after *rang out*; else it was *queue*.
    5. After a feature code's transfer that rang out Asterisk rings the agent again. An answer there
       undoes the hand-over: *came back*, and the agent has the caller as before.
    6. A talk of three is no hand-over. If the agent leaves while caller and third party are there,
       it is one: *conference*. Asterisk calls it COMPLETEAGENT then.
    7. *Unknown* it stays when nobody was dialled: an announcement, a voice mailbox, a parking lot,
       an outside target by REFER; Asterisk's events do not tell these apart.
    8. Asterisk tells of a blind transfer when it has already sent the caller on. So the caller's
       next queue, or a dial for them, may be told first; both are caught up with.

Source:
    Measured on 22.10.1 by tests/e2e/test_leaving_*.py: AttendedTransfer says DestType "Bridge" for
    a feature code's target that still rings (bridge_basic.c, attended transfer's blond state), and
    "App" for REFER with Replaces of a leg that rings. DialEnd carries the caller's Linkedid for
    whatever the caller, or the agent's feature code, dials; and no dialling channel for a recall.
    On 16.28.0 a consultation that was answered and handed on by code is now and then told as if the
    agent had hung up (2 of 5 runs; 0 of 4 on 22.10.1): AgentComplete with Reason "agent" first,
    then AttendedTransfer, and queue_log has COMPLETEAGENT alone. By AMI it is a hand-over all the
    same. By queue_log alone it is unknown, since the caller lived on (call_rows.py, rule 4), and
    reconciling takes it so; only a target's talk of less than 2 s looks like *resolved* there.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from ivrd.core import consultation
from ivrd.core.call import Call, EarlyDial, HandOver, last_answered
from ivrd.core.call_book import CallBook
from ivrd.core.effects import Reach
from ivrd.core.events import (
    AgentConnected,
    AgentLegReplaced,
    AttendedTransferred,
    BlindTransferred,
    DialEnded,
)
from ivrd.core.ids import CallId, ChannelId
from ivrd.core.stay import Closed, Talking, legs_of

ANSWERED = "ANSWER"

RANG_OUT = frozenset({"NOANSWER", "BUSY", "CANCEL", "CONGESTION", "CHANUNAVAIL"})
"""Of DIALSTATUS; app_dial.c. Others say that the dialplan took over, and tell of nobody."""

ANSWERED_DIALS_MAX = 4
"""A phone behind a Local channel, and the two channels of one consultation, with one to spare."""

OPEN = frozenset({Reach.UNKNOWN, Reach.RANG_OUT})
"""Nobody has answered yet."""

WITH_TARGET = frozenset({"Bridge", "Link"})


def note(book: CallBook, event: BlindTransferred | AttendedTransferred) -> CallId | None:
    """Note a successful hand-over by an agent of ours on its call.

    Returns:
        The consultation that became a stay of that call; None when there was none.
    """
    if not event.is_success:
        return None
    match event:
        case BlindTransferred():
            carrier = None if event.transferee_id is None else CallId(event.transferee_id)
            over = replace(_over(event.at, event.extension), carrier=carrier)
            call = _add(book, event.transferer_id, over)
            return None if call is None else consultation.carry_on(book, call, event)
        case AttendedTransferred():
            return _note_attended(book, event)
        case _:
            assert_never(event)


def replace_leg(book: CallBook, event: AgentLegReplaced) -> None:
    """Follow an agent, or a third party, whose channel was replaced by another."""
    with_third = book.thirds.pop(event.old_id, None)
    if with_third is not None:
        book.keep(replace(book.calls[with_third], third=event.new_id))
    call_id = book.legs.get(event.old_id)
    if call_id is None:
        return
    call = book.calls[call_id]
    for stay in call.entries:
        call = book.step(call, stay, event)


def dialled(book: CallBook, event: DialEnded) -> None:
    """Note what came of a dial on the call that it was for; one for no call of ours is nothing."""
    if event.channel_id is None and event.device in book.recalls:
        _recall(book, event)
        return
    own = None if event.channel_id is None else book.calls.get(CallId(event.channel_id))
    call = own or book.calls.get(CallId(event.linked_id))
    if call is None or not call.entries:
        return
    over = _open_over(call)
    if over is not None:
        _set_last(book, call, _after_dial(over, event.status))
        return
    call = _with_early_dial(book, call, event)
    if own is None and event.status == ANSWERED:
        answered = (*call.answered_dials, event.dialled_id)[-ANSWERED_DIALS_MAX:]
        call = _without_dials(book, call)
        book.keep(replace(call, answered_dials=answered))


def _with_early_dial(book: CallBook, call: Call, event: DialEnded) -> Call:
    """Keep what came of a dial for a hand-over that may be told only then (rule 8)."""
    if event.channel_id is None or not legs_of(call.entries[-1]):
        return call
    number, channel = len(call.entries), CallId(event.channel_id)
    if call.early_dial == EarlyDial(entry_number=number, channel=channel, status=ANSWERED):
        return call  # Who was rung beside the one who answered is told of later.
    early = EarlyDial(entry_number=number, channel=channel, status=event.status)
    call = replace(call, early_dial=early)
    book.calls[call.call_id] = call
    return call


def _after_dial(over: HandOver, status: str) -> HandOver:
    """Return an open hand-over after one phone was dialled for the caller (rule 3)."""
    if status == ANSWERED:
        return replace(over, reach=Reach.REACHED, recalls=None)
    if status in RANG_OUT and over.reach is Reach.UNKNOWN:
        return replace(over, reach=Reach.RANG_OUT)
    return over


def connected(book: CallBook, event: AgentConnected) -> None:
    """Take the phone that answered behind a Local channel for the agent's leg too (rule 1)."""
    call = book.calls.get(event.call_id)
    if call is None or not event.interface.startswith("Local/"):
        return
    for stay in call.entries:
        if isinstance(stay, Talking) and stay.agent_leg == event.agent_leg:
            legs = (*call.answered_dials, *stay.former_legs)
            call = _without_dials(book, call)
            book.with_entry(call, stay, replace(stay, former_legs=legs))


def joined(book: CallBook, call: Call) -> Call:
    """Note that a caller has come to a queue of ours; return the call as it is then."""
    call = _without_dials(book, call)
    over = _open_over(call)
    if over is None:
        return call
    return _set_last(book, call, _in_queue(over))


def _in_queue(over: HandOver) -> HandOver:
    """Return an open hand-over whose caller is in a queue of ours (rule 4)."""
    reach = Reach.QUEUE if over.reach is Reach.UNKNOWN else Reach.CAME_BACK
    return replace(over, reach=reach, recalls=None)


def leg_gone(book: CallBook, leg: ChannelId, at: datetime) -> None:
    """Note that a channel is gone: a third party's, or an agent's who leaves two others behind."""
    with_third = book.thirds.pop(leg, None)
    if with_third is not None:
        book.keep(replace(book.calls[with_third], third=None))
    dialled_for = book.answered.pop(leg, None)
    if dialled_for is not None:
        asked = book.calls[dialled_for]
        rest = tuple(phone for phone in asked.answered_dials if phone != leg)
        book.keep(replace(asked, answered_dials=rest))
    call = book.calls.get(book.legs.get(leg, CallId("")))
    if call is None or call.third is None or call.hung_up_at is not None:
        return
    if any(isinstance(s, Talking | Closed) and s.agent_leg == leg for s in call.entries):
        _add(book, leg, replace(_over(at, None), reach=Reach.CONFERENCE))


def _over(at: datetime, extension: str | None) -> HandOver:
    return HandOver(at=at, entry_number=0, extension=extension)


def _note_attended(book: CallBook, event: AttendedTransferred) -> CallId | None:
    legs = (event.orig_transferer_id, event.second_transferer_id)
    if event.destination == "Threeway":
        call = book.calls.get(book.legs.get(legs[0], CallId("")))
        if call is not None and event.target_id is not None:
            book.keep(replace(call, third=event.target_id))
        return None
    merged = None
    for leg in dict.fromkeys(legs):
        known = book.calls.get(book.legs.get(leg, CallId("")))
        call = None if known is None else _add(book, leg, _attended(known, event))
        if call is None:
            continue
        consultation.alias(book, call, event)
        merged = consultation.merge(book, book.calls[call.call_id], event) or merged
    return merged


def _attended(call: Call, event: AttendedTransferred) -> HandOver:
    over = _over(event.at, event.extension or None)
    is_by_code = event.orig_transferer_id == event.second_transferer_id
    is_with_target = event.destination in WITH_TARGET
    if is_by_code:
        # Asterisk leaves the target out now and then, in the same scenario (measured).
        target = call.answered_dials[-1:] if event.target_id is None else (event.target_id,)
        is_up = not set(target).isdisjoint(call.answered_dials)
    else:
        is_up = is_with_target
    if is_up:
        return replace(over, reach=Reach.REACHED)
    # Now and then the queue has told the end of the agent's part before (Source, above).
    answered = last_answered(call)
    interface = None if answered is None else answered.interface
    return replace(over, recalls=interface if is_by_code else None)


def _add(book: CallBook, leg: ChannelId, over: HandOver) -> Call | None:
    """Note a hand-over by an agent's leg; return the call as it is then; None when told before."""
    call = book.calls.get(book.legs.get(leg, CallId("")))
    if call is None:
        return None
    for stay in call.entries:
        if leg not in legs_of(stay):
            continue
        number = stay.stay.number
        if any(
            (o.at, o.extension, o.entry_number) == (over.at, over.extension, number)
            for o in call.hand_overs
        ):
            return None
        over = _caught_up(call, replace(over, entry_number=number))
        call = replace(call, hand_overs=(*call.hand_overs, over))
        book.keep(call)
        return call
    return None


def _caught_up(call: Call, over: HandOver) -> HandOver:
    """Return a hand-over with what was told of it before it was told itself (rule 8)."""
    if over.reach is not Reach.UNKNOWN:
        return over
    early = call.early_dial
    if early is not None and early.entry_number == over.entry_number:
        if early.channel in (call.call_id, over.carrier):
            over = _after_dial(over, early.status)
    return _in_queue(over) if over.entry_number < len(call.entries) else over


def _without_dials(book: CallBook, call: Call) -> Call:
    """Forget which phones answered for a call; return the call as it is then."""
    for phone in call.answered_dials:
        book.answered.pop(phone, None)
    call = replace(call, answered_dials=())
    book.calls[call.call_id] = call
    return call


def _open_over(call: Call) -> HandOver | None:
    """Return the hand-over whose end is still open; None when there is no such."""
    over = call.hand_overs[-1] if call.hand_overs else None
    if over is None or over.reach not in OPEN or over.entry_number != len(call.entries):
        return None
    return over


def _set_last(book: CallBook, call: Call, over: HandOver) -> Call:
    old = call.hand_overs[-1]
    if old.recalls is not None and over.recalls is None:
        book.forget_recall(call, old.recalls)
    call = replace(call, hand_overs=(*call.hand_overs[:-1], over))
    book.keep(call)
    return call


def _recall(book: CallBook, event: DialEnded) -> None:
    call = book.calls.get(book.recalls.get(event.device, CallId("")))
    over = None if call is None else _open_over(call)
    if call is None or over is None or event.status != ANSWERED:
        return
    undone = replace(over, reach=Reach.CAME_BACK, is_undone=True, recalls=None)
    call = _set_last(book, call, undone)
    stay = call.entries[over.entry_number - 1]
    if isinstance(stay, Closed | Talking) and stay.agent_leg is not None:
        book.step(
            call,
            stay,
            AgentLegReplaced(
                at=event.at,
                system=event.system,
                old_id=stay.agent_leg,
                new_id=event.dialled_id,
            ),
        )
