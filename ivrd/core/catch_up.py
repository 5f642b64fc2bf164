"""What happened in a gap, learnt from Asterisk's own journal.

Here: which rows tell something, and in which order. Not here: what the rows of one call tell
(call_rows.py), reading the file (queue_log.py) and applying the events (tracker.py).

The rules
    1. A call that we have finished is not opened again; a label may still come of it.
    2. A call whose beginning is in no row is left to the snapshot: half a story is none. An agent
       who asks in a queue is known by IVRDENTER (consultation.py), as by the event's Linkedid.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime

from ivrd.core import journal
from ivrd.core.call import Call
from ivrd.core.call_rows import CallReader, InterfaceOf, known_of
from ivrd.core.events import Event
from ivrd.core.ids import CallId
from ivrd.core.journal import JournalRow
from ivrd.core.labelling import label_after

BEGINNINGS = frozenset({journal.ARRIVED, journal.ENTER, "ENTERQUEUE"})
"""Rows of which one is the first of a call, or of an agent's channel that asks in a queue."""


def catch_up(
    rows: Sequence[JournalRow],
    *,
    calls: Mapping[CallId, Call],
    finished: Container[CallId],
    until: datetime,
    interface_of: InterfaceOf,
) -> tuple[Event, ...]:
    """Return the events that the rows tell and that we missed, in the order of the rows.

    Args:
        rows: All rows since a moment before the oldest live call arrived.
        calls: What we know of live calls.
        finished: Calls that we have decided already.
        until: When the rows were read.
    """
    ends = {row.call_id: row.at for row in rows if row.event == journal.END}
    exits: dict[CallId, list[datetime]] = {}
    for row in rows:
        if row.event in (journal.END, journal.EXIT):
            exits.setdefault(row.call_id, []).append(row.at)
    numbers = {
        row.call_id: row.data[1] for row in rows if row.event == "ENTERQUEUE" and len(row.data) > 1
    }
    told_twice = _links_of_callers(rows, calls)
    readers: dict[CallId, CallReader] = {}
    events: list[Event] = []
    owners = journal.TalkOwners()
    for row in map(owners.owned, rows):
        if row.call_id in finished:
            events.extend(label_after(row))
        if row.call_id in finished or told_twice(row):
            continue
        reader = readers.get(row.call_id)
        if reader is None:
            call = calls.get(row.call_id)
            if call is None and row.event not in BEGINNINGS:
                continue
            reader = CallReader(
                known=known_of(call),
                number=numbers.get(row.call_id),
                ended_at=ends.get(row.call_id),
                exits=exits.get(row.call_id, (until,)),
                interface_of=interface_of,
            )
            readers[row.call_id] = reader
        events.extend(reader.read(row))
    return tuple(events)


def _links_of_callers(
    rows: Sequence[JournalRow], calls: Mapping[CallId, Call]
) -> Callable[[JournalRow], bool]:
    """Return what tells whether a row is a caller's transfer once more, by the agent's channel.

    Source:
        Two of our queues joined by an attended transfer: now and then both talks have a row with
        ATTENDEDTRANSFER, LINK and the same two Local channels (1 of 8 runs on 22.10.1).
    """
    callers = {row.call_id for row in rows if row.event == journal.ARRIVED}
    callers |= {call.call_id for call in calls.values() if call.line is not None}
    links = {row.data[:3] for row in rows if _is_link(row) and row.call_id in callers}
    return lambda row: _is_link(row) and row.call_id not in callers and row.data[:3] in links


def _is_link(row: JournalRow) -> bool:
    return row.event == "ATTENDEDTRANSFER" and row.data[:1] == ("LINK",)


def without_arrival(rows: Iterable[JournalRow]) -> frozenset[CallId]:
    """Return the calls whose arrival is in no row: it was earlier, or they came by no line."""
    arrived, named = set(), set()
    for row in rows:
        named.add(row.call_id)
        if row.event == journal.ARRIVED:
            arrived.add(row.call_id)
    return frozenset(named - arrived)


def ended_in(rows: Iterable[JournalRow]) -> frozenset[CallId]:
    """Return the calls that arrived, and were over, within the rows; Asterisk's start ends all."""
    live: set[CallId] = set()
    ended: set[CallId] = set()
    for row in rows:
        if row.event == journal.ARRIVED:
            live.add(row.call_id)
        elif row.event == journal.END and row.call_id in live:
            live.remove(row.call_id)
            ended.add(row.call_id)
        elif row.event == journal.QUEUE_START:
            ended |= live
            live.clear()
    return frozenset(ended)
