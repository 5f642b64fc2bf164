"""Comparing what we believe with what the PBX says is there, after a gap.

Here: the comparison, as values. Not here: acting on it (tracker.py).

The rules
    1. Known and still there: keep.
    2. Known and gone: close as unknown, with no invented wait.
    3. New: open, with joined_at = at - Wait (whole seconds, so up to a second too late).
    4. Answered and still alive: keep; a queue's snapshot does not tell who is in talk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ivrd.core.call import Call
from ivrd.core.entry import Closed, Talking
from ivrd.core.events import SnapshotTaken, WaitingCaller
from ivrd.core.ids import CallId, ChannelId, QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCaller:
    """A caller who waits, and whom we did not know there."""

    queue: QueueName
    caller: WaitingCaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What must change so that we believe what the PBX says."""

    ended_calls: tuple[CallId, ...]
    """The caller's channel is gone."""
    ended_entries: tuple[CallId, ...]
    """The caller lives, but no longer waits where we last saw them."""
    new_callers: tuple[NewCaller, ...]
    """In queue order."""


def compare(calls: Mapping[CallId, Call], snapshot: SnapshotTaken) -> Differences:
    """Return the differences between the known calls and a snapshot."""
    place = {caller.call_id: queue.queue for queue in snapshot.queues for caller in queue.callers}
    ended_calls = []
    ended_entries = []
    for call in calls.values():
        if call.hung_up_at is not None:
            continue
        if ChannelId(call.call_id) not in snapshot.channels and call.call_id not in place:
            ended_calls.append(call.call_id)
        elif _open_queue(call) is not None and _open_queue(call) != place.get(call.call_id):
            ended_entries.append(call.call_id)
    return Differences(
        ended_calls=tuple(ended_calls),
        ended_entries=tuple(ended_entries),
        new_callers=tuple(_new_callers(calls, snapshot)),
    )


def _new_callers(calls: Mapping[CallId, Call], snapshot: SnapshotTaken) -> Iterable[NewCaller]:
    for queue in snapshot.queues:
        for caller in queue.callers:
            call = calls.get(caller.call_id)
            if call is None or _open_queue(call) != queue.queue:
                yield NewCaller(queue=queue.queue, caller=caller)


def _open_queue(call: Call) -> QueueName | None:
    """Return where the call waits, as far as we know; None when it waits nowhere."""
    if not call.entries:
        return None
    last = call.entries[-1]
    return None if isinstance(last, Closed | Talking) else last.stay.queue
