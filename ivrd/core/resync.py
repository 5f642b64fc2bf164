"""Comparing what we believe with what the PBX says is there, after a gap.

Here: the comparison, as values, and who is new. Not here: acting on the rest (tracker.py).

The rules
    1. The call is gone: close all of it as unknown, with no invented wait or talk time.
    2. Waits where we believe: keep, with those offers whose phone still rings.
    3. Waits elsewhere, or again: close the old stay as unknown, open the new one, with
       joined_at = at - Wait (whole seconds, so up to a second too late).
    4. Lives, and waits nowhere: not sure (entry.py, rule 8).
    5. In talk, and the agent's channel lives: keep. It is gone: not sure.
    6. Callers of whom nothing is known may be let in before the rest, some at a time (`parts`):
       they have nothing to do with anybody else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ivrd.core import consultation
from ivrd.core.call import Call
from ivrd.core.call_book import CallBook
from ivrd.core.entry import doubt
from ivrd.core.events import MemberChanged, QueueSnapshot, SnapshotTaken, WaitingCaller
from ivrd.core.ids import CallId, ChannelId, Interface, QueueName
from ivrd.core.stay import EntryState, Leaving, Talking, Waiting

RINGING = frozenset({6, 7})
"""Device states (devicestate.h) of a phone that rings, with or without another call in it."""

BUSY = 3
"""A PJSIP phone with device_state_busy_at = 1 is busy from its first ring (seen on 22.10.1)."""


CALLERS_PER_PART = 100
"""Let in between two looks at the loop's other tasks: some 3 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCaller:
    """A caller who waits, and whom we did not know there."""

    queue: QueueName
    caller: WaitingCaller


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEntry:
    """A call's last entry goes on, and is known less well than before."""

    call_id: CallId
    state: EntryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What must change so that we believe what the PBX says."""

    ended_calls: tuple[CallId, ...]
    """The caller's channel is gone."""
    ended_entries: tuple[CallId, ...]
    """The caller lives, and the stay or talk that we know of is over."""
    kept_entries: tuple[KeptEntry, ...]
    new_callers: tuple[NewCaller, ...]
    """In queue order."""


def compare(calls: Mapping[CallId, Call], snapshot: SnapshotTaken) -> Differences:
    """Return the differences between the known calls and a snapshot."""
    place = _places(snapshot)
    ringing = _ringing(snapshot)
    ended_calls = []
    ended_entries = []
    kept_entries = []
    for call in calls.values():
        if call.hung_up_at is not None:
            continue
        queue = place.get(call.call_id)
        if queue is None and ChannelId(call.call_id) not in snapshot.channels:
            ended_calls.append(call.call_id)
        elif call.entries:
            old = call.entries[-1]
            state = _kept(old, queue, snapshot.channels, ringing)
            if state is None:
                ended_entries.append(call.call_id)
            elif state is not old:
                kept_entries.append(KeptEntry(call_id=call.call_id, state=state))
    return Differences(
        ended_calls=tuple(ended_calls),
        ended_entries=tuple(ended_entries),
        kept_entries=tuple(kept_entries),
        new_callers=tuple(_new_callers(calls, place, snapshot)),
    )


def parts(book: CallBook, snapshot: SnapshotTaken) -> tuple[SnapshotTaken, ...]:
    """Return what may be applied before a snapshot, so that no step takes long; mostly nothing.

    To let 5,000 callers in takes a sixth of a second. We are not sure of anything until the whole
    is applied, which then finds them there.
    """
    if book.is_synced:
        return ()
    snapshot = consultation.renamed(book, snapshot)
    new = [
        each
        for each in _new_callers(book.calls, _places(snapshot), snapshot)
        if each.caller.call_id not in book.calls
    ]
    if len(new) <= CALLERS_PER_PART:
        return ()
    return tuple(
        replace(
            snapshot,
            queues=tuple(
                QueueSnapshot(queue=each.queue, members=(), callers=(each.caller,))
                for each in new[first : first + CALLERS_PER_PART]
            ),
            channels=frozenset(),
            is_part=True,
        )
        for first in range(0, len(new), CALLERS_PER_PART)
    )


def open_part(book: CallBook, part: SnapshotTaken) -> None:
    """Let the callers of a part wait."""
    for queue in part.queues:
        for caller in queue.callers:
            open_seen(book, NewCaller(queue=queue.queue, caller=caller), part.at)


def open_seen(book: CallBook, new: NewCaller, at: datetime) -> None:
    """Let a caller wait whom a snapshot shows, and whom we did not know there."""
    joined_at = at - new.caller.wait
    call = book.get_or_open(new.caller.call_id, at=joined_at, channel=new.caller.channel)
    is_move = book.land(call, new.queue, at)
    call = book.calls[call.call_id]
    if call.channel != new.caller.channel:
        call = replace(call, channel=new.caller.channel)
    book.open_entry(call, new.queue, joined_at, is_move=is_move)


def _places(snapshot: SnapshotTaken) -> Mapping[CallId, QueueName]:
    """Return where each caller waits."""
    # A caller on the way between two queues may be listed in both; the later list is the newer.
    return {caller.call_id: queue.queue for queue in snapshot.queues for caller in queue.callers}


def _kept(
    state: EntryState,
    queue: QueueName | None,
    channels: frozenset[ChannelId],
    ringing: Mapping[QueueName, frozenset[Interface]],
) -> EntryState | None:
    """Return how an entry goes on; None when it is over.

    Args:
        queue: Where the caller waits now; None when nowhere.
    """
    if isinstance(state, Waiting) and state.stay.queue == queue:
        offered_to = state.offered_to & ringing[queue]
        return state if offered_to == state.offered_to else replace(state, offered_to=offered_to)
    if isinstance(state, Waiting | Leaving):
        return doubt(state) if queue is None else None
    if isinstance(state, Talking):
        if queue is not None:
            return None
        return state if state.agent_leg in channels else doubt(state)
    return state


def _ringing(snapshot: SnapshotTaken) -> Mapping[QueueName, frozenset[Interface]]:
    return {
        queue.queue: frozenset(member.interface for member in queue.members if _may_ring(member))
        for queue in snapshot.queues
    }


def _may_ring(member: MemberChanged) -> bool:
    """Return whether a phone rings, as far as can be told; in a call of a queue it does not."""
    return member.device_state in RINGING or (member.device_state == BUSY and not member.is_in_call)


def _new_callers(
    calls: Mapping[CallId, Call], place: Mapping[CallId, QueueName], snapshot: SnapshotTaken
) -> Iterable[NewCaller]:
    for queue in snapshot.queues:
        for caller in queue.callers:
            if place[caller.call_id] == queue.queue and not _is_known_there(
                calls.get(caller.call_id), queue.queue
            ):
                yield NewCaller(queue=queue.queue, caller=caller)


def _is_known_there(call: Call | None, queue: QueueName) -> bool:
    """Return whether a call waits in a queue as we know, or has hung up since the list was made."""
    if call is None:
        return False
    last = call.entries[-1] if call.entries else None
    is_waiting = isinstance(last, Waiting) and last.stay.queue == queue
    return is_waiting or call.hung_up_at is not None
