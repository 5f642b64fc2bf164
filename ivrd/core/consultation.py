"""Agents who ask in another queue of ours while their caller waits.

Here: telling an agent's own channel from a caller, and what becomes of its stay when the agent
hands the caller on there. Not here: hand-overs as such (hand_over.py).

To Asterisk such a channel is one more caller in the queue. It is no call: who gives up asking has
not abandoned anything, and whom an operator answers so is no citizen.

The rules
    1. A channel that no line of ours has announced is a consultation when its Linkedid is that of a
       caller in talk (a feature code's), or its phone is that of an agent in talk (a second SIP
       call). Nothing of it is counted or stored.
    2. If the agent then hands the caller on there, its last stay becomes the caller's next entry:
       counted from then on, with the wait that the queue saw.
    3. With DestType App the caller takes the channel's place, and the queue goes on under the
       caller's id (asterisk#759). Else the channel stays in the queue, and stands for the caller.
       In the first case too a late AgentComplete of the agent's own stay may name the channel.
    4. A consultation that ends by itself is forgotten. The caller takes the channel's place before
       Asterisk tells of it: so for ENDING_GRACE a channel that was hung up may still be taken over.
    5. A channel of rule 1 whose agent uses another phone is told only by the transfer. What was
       stored of it by then stays under its own name.
    6. A channel that carries the caller on after a blind transfer told late looks like rule 1, and
       stands for the caller as soon as the transfer is told.

Source:
    tests/e2e/test_leaving_queues.py, on 22.10.1. AgentComplete of an answered consultation comes
    just before AttendedTransfer, which ends no talk: the target is still there.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from ivrd.core import entry_facts
from ivrd.core.call import Call
from ivrd.core.call_book import CallBook, device_of
from ivrd.core.effects import Disposition, Effect, Reach
from ivrd.core.events import (
    AttendedTransferred,
    BlindTransferred,
    CallerJoined,
    ChannelHungUp,
    QueueExited,
    SnapshotTaken,
)
from ivrd.core.exits import is_refused
from ivrd.core.ids import CallId, ChannelId
from ivrd.core.stay import Closed, EntryState, Leaving, Talking, Waiting, legs_of

INTO_APP = "App"


def call_of(book: CallBook, event: CallerJoined | QueueExited) -> Call:
    """Return the call that a channel in a queue belongs to; one never seen is opened."""
    known = book.calls.get(event.call_id)
    if known is not None:
        return known
    asking = _asks_for(book, event)
    if asking is not None and asking.hand_overs and asking.hand_overs[-1].carrier == event.call_id:
        asking = replace(
            asking,
            aliases=(*asking.aliases, event.call_id),
            stand_ins=(*asking.stand_ins, event.call_id),
        )
        book.keep(asking)
        return asking
    call = book.get_or_open(event.call_id, at=event.at, channel=event.channel)
    if asking is not None:
        call = replace(call, consults_for=asking.call_id)
        book.keep(call)
    return call


def _asks_for(book: CallBook, event: CallerJoined | QueueExited) -> Call | None:
    """Return the call whose agent is behind a channel; None when it is a caller's own."""
    linked = book.calls.get(CallId(event.linked_id))
    if linked is None:
        phone = event.channel.rpartition("-")[0]
        linked = book.calls.get(book.talkers.get(phone, CallId("")))
        if linked is None or not any(
            isinstance(stay, Talking) and device_of(stay.interface) == phone
            for stay in linked.entries
        ):
            return None
    last = linked.entries[-1] if linked.entries else None
    is_answered = isinstance(last, Talking | Closed) and last.answered_at is not None
    return linked if is_answered and linked.hung_up_at is None else None


def alias(book: CallBook, call: Call, event: AttendedTransferred) -> None:
    """Let the channel whose place the caller takes name the caller too, for what comes late."""
    other = event.second_transferer_id
    if event.destination == INTO_APP and other not in book.legs:
        book.keep(replace(call, aliases=(*call.aliases, CallId(other))))


def merge(book: CallBook, call: Call, event: AttendedTransferred) -> CallId | None:
    """Give a call the stay of the consultation that its agent ends by handing on.

    Returns:
        The consultation, which is no more; None when there was none in a queue.
    """
    asking = _consultation_of(book, call, event)
    last = None if asking is None else _going_on(asking, event)
    if asking is None or last is None:
        return None
    is_in_their_stead = event.destination != INTO_APP
    _take_over(book, call, asking, last, event.at, is_in_their_stead=is_in_their_stead)
    return asking.call_id


def carry_on(book: CallBook, call: Call, event: BlindTransferred) -> CallId | None:
    """Give a call the stay of the channel that carries the caller on, told before the transfer.

    Returns:
        The channel, which was taken for a consultation; None when there was none in a queue.
    """
    carrier = CallId(event.transferee_id or ChannelId(""))
    asking = book.calls.get(carrier)
    if asking is None or asking.consults_for != call.call_id:
        return None
    last = asking.entries[-1] if asking.entries else None
    if last is None:
        return None
    _take_over(book, call, asking, last, event.at, is_in_their_stead=True)
    return asking.call_id


def _take_over(
    book: CallBook,
    call: Call,
    asking: Call,
    last: EntryState,
    at: datetime,
    *,
    is_in_their_stead: bool,
) -> None:
    """Make a consultation's last stay the caller's next."""
    is_counted = asking.consults_for is None
    book.forget(asking)
    joined = CallerJoined(
        at=at,
        system=book.system,
        call_id=call.call_id,
        linked_id=ChannelId(asking.call_id),
        channel=call.channel,
        queue=last.stay.queue,
        position=0,
    )
    if call.entries:
        call = book.step(call, call.entries[-1], joined)
    state = _of_caller(call, last)
    if (phone := call.hand_overs[-1].recalls) is not None:
        book.forget_recall(call, phone)
    overs = (*call.hand_overs[:-1], replace(call.hand_overs[-1], reach=Reach.QUEUE, recalls=None))
    call = replace(call, entries=(*call.entries, state), hand_overs=overs)
    if is_in_their_stead:
        call = replace(
            call,
            aliases=(*call.aliases, asking.call_id),
            stand_ins=(*call.stand_ins, asking.call_id),
            channel=asking.channel,
        )
    book.keep(call)
    if not is_counted:
        if not (isinstance(state, Closed) and is_refused(state)):
            book.count_join(state.stay, is_move=False)
        book.emit_of(call, _kept_back(state))
    book.touch(last.stay.queue)


def _consultation_of(book: CallBook, call: Call, event: AttendedTransferred) -> Call | None:
    """Return the consultation that a transfer ends: named by it, or the one of this call."""
    for leg in (event.second_transferer_id, event.orig_transferer_id):
        named = book.calls.get(CallId(leg))
        if named is not None and named.call_id != call.call_id and named.line is None:
            return named
    if event.orig_transferer_id != event.second_transferer_id:
        return None
    mine = [other for other in book.calls.values() if other.consults_for == call.call_id]
    return mine[-1] if mine else None


def _going_on(asking: Call, event: AttendedTransferred) -> EntryState | None:
    """Return the stay that the caller takes over; None when it is over."""
    last = asking.entries[-1] if asking.entries else None
    if isinstance(last, Waiting | Leaving | Talking):
        return last
    if not isinstance(last, Closed) or asking.consults_for is None:
        return None
    if event.destination == INTO_APP and last.disposition is Disposition.ABANDONED:
        # Nobody gave up: the channel was hung up when the caller took its place.
        is_named = ChannelId(asking.call_id) == event.second_transferer_id
        return Waiting(stay=last.stay) if is_named else None
    return _reopened(last) if event.target_id in legs_of(last) else None


def _reopened(closed: Closed) -> Talking:
    """Return the talk of an answered stay as it goes on."""
    assert closed.answered_at is not None, "only an answered stay goes on"
    assert closed.interface is not None, "an answered stay knows its member"
    assert closed.agent_leg is not None, "an answered stay knows its leg"
    return Talking(
        stay=closed.stay,
        answered_at=closed.answered_at,
        interface=closed.interface,
        agent=closed.agent or closed.interface,
        agent_leg=closed.agent_leg,
        former_legs=closed.former_legs,
    )


def _of_caller(call: Call, state: EntryState) -> EntryState:
    """Return a consultation's stay as the caller's next."""
    stay = replace(
        state.stay,
        call_id=call.call_id,
        number=len(call.entries) + 1,
        first_joined_at=state.stay.joined_at,
        joined_by=state.stay.call_id,
    )
    return replace(state, stay=stay)


def _kept_back(state: EntryState) -> tuple[Effect, ...]:
    """Return what was not told of a stay as long as it was a consultation's."""
    match state:
        case Waiting() | Leaving():
            return ()
        case Talking():
            return (entry_facts.count_answer(state),)
        case Closed():
            talk = None
            if state.answered_at is not None and state.is_end_known:
                talk = state.ended_at - state.answered_at
            return (entry_facts.count(state), entry_facts.record(state, talk=talk))
        case _:
            assert_never(state)


def hang_up(book: CallBook, event: ChannelHungUp) -> None:
    """End the wait of a channel that stood for a caller; a talk ends with its agent."""
    channel = CallId(event.channel_id)
    call = book.calls.get(book.aliases.get(channel, CallId("")))
    if call is None or channel not in call.stand_ins:
        return
    if isinstance(call.entries[-1], Waiting | Leaving):
        book.step(call, call.entries[-1], event)


def renamed(book: CallBook, event: SnapshotTaken) -> SnapshotTaken:
    """Return a snapshot in which a channel that stands for a caller has the caller's name."""
    if not book.aliases:
        return event
    queues = tuple(
        replace(
            queue,
            callers=tuple(
                replace(caller, call_id=book.aliases.get(caller.call_id, caller.call_id))
                for caller in queue.callers
            ),
        )
        for queue in event.queues
    )
    return replace(event, queues=queues)
