"""What rows of queue_log tell of a day's waits and of who was there, for a rehearsal.

Here: rows in, visits and duty marks out. Not here: reading the file (queue_log.py), and the story
that is compared with what we stored (journal_story.py).

Stamps are cut to the second, all of them, so lengths are right on average, to a second each. Of
ringing the journal tells whole seconds, cut: half a second is put on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ivrd.core import journal as rows_of_ours
from ivrd.core.effects import Disposition
from ivrd.core.exits import MOVE_MARK
from ivrd.core.ids import CallId, Interface, LineName, QueueName
from ivrd.core.journal import QUEUE_START, TALK_ENDS, JournalRow, TalkOwners
from ivrd.core.staffing import DutyMark
from ivrd.core.visits import Visit, VisitStay, visits_of

_ENDS = {
    "ABANDON": Disposition.ABANDONED,
    "EXITWITHTIMEOUT": Disposition.TIMED_OUT,
    "EXITEMPTY": Disposition.EMPTY,
    "EXITWITHKEY": Disposition.KEY_EXIT,
    "WITHDRAW": Disposition.WITHDRAWN,
    "CONNECT": Disposition.ANSWERED,
}

_COMES = frozenset({"ADDMEMBER", "UNPAUSE"})
_GOES = frozenset({"REMOVEMEMBER", "PAUSE"})

HALF_A_SECOND = timedelta(seconds=0.5)

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalDay:
    """What the rows tell."""

    visits: tuple[Visit, ...]
    """In order of arrival."""
    marks: tuple[DutyMark, ...]
    unfinished: int
    """Calls left out, because their rows do not tell the end of a wait."""


@dataclass(slots=True, kw_only=True)
class _Call:
    line: LineName | None = None
    stays: list[VisitStay] = field(default_factory=list)
    joined_at: datetime | None = None
    """Of a stay that goes on; None when there is none."""
    queue: QueueName | None = None
    rung: timedelta = _NOTHING
    """In vain, in this stay."""


def day_of(rows: Iterable[JournalRow]) -> JournalDay:
    """Return what rows tell, oldest first, those about members included."""
    calls: dict[CallId, _Call] = {}
    member_rows: list[JournalRow] = []
    owners = TalkOwners()
    unfinished = 0
    for raw in rows:
        if raw.event in _COMES or raw.event in _GOES:
            member_rows.append(raw)
            continue
        if raw.event == QUEUE_START:
            unfinished += _cut(calls)
            continue
        row = owners.owned(raw)
        _add(calls.setdefault(row.call_id, _Call()), row)
    unfinished += _cut(calls)
    visits = [
        visit
        for call_id, call in calls.items()
        for visit in visits_of(call_id, call.stays, line=call.line)
    ]
    visits.sort(key=lambda visit: (visit.first.joined_at, visit.call_id))
    marks = tuple(_marks(member_rows, _queues_of(visits)))
    return JournalDay(visits=tuple(visits), marks=marks, unfinished=unfinished)


def _cut(calls: Mapping[CallId, _Call]) -> int:
    """End what is open, nobody knows how; return how many waits that were."""
    found = [call for call in calls.values() if call.joined_at is not None]
    for call in found:
        call.joined_at = None
    return len(found)


def _add(call: _Call, row: JournalRow) -> None:
    if row.event == rows_of_ours.ARRIVED and row.data:
        call.line = LineName(row.data[0])
    elif row.event == "ENTERQUEUE":
        call.joined_at, call.queue, call.rung = row.at, row.queue, _NOTHING
    elif row.event in ("RINGNOANSWER", "RINGCANCELED") and row.queue == call.queue:
        call.rung += _milliseconds(row.data[:1])
    elif row.event in _ENDS and call.joined_at is not None and row.queue == call.queue:
        call.stays.append(_stay(call, row))
        call.joined_at = None
    elif row.event in TALK_ENDS:
        _end_talk(call, row)
    elif row.event == rows_of_ours.EXIT:
        _exit(call, row)


def _exit(call: _Call, row: JournalRow) -> None:
    """Take the dialplan's word on a queue that ended without an agent; only some of it is news."""
    if row.data[:1] == ("CLOSING",) and call.stays:
        call.stays[-1] = replace(call.stays[-1], disposition=Disposition.CLOSED)
    elif row.data[:1] == ("DIVERTED",):
        call.stays.append(
            VisitStay(
                queue=row.queue,
                joined_at=row.at,
                left_at=row.at,
                disposition=Disposition.DIVERTED,
            )
        )


def _stay(call: _Call, row: JournalRow) -> VisitStay:
    disposition = _ENDS[row.event]
    if disposition is Disposition.WITHDRAWN and _is_move(row):
        disposition = Disposition.MOVED
    is_answer = disposition is Disposition.ANSWERED
    assert call.joined_at is not None, "a stay has a beginning"
    assert call.queue is not None, "and a queue"
    ring = None
    if is_answer and len(row.data) > 2 and row.data[2].isdecimal():
        ring = call.rung + timedelta(seconds=int(row.data[2])) + HALF_A_SECOND
        ring = min(ring, row.at - call.joined_at)
    elif call.rung:
        ring = call.rung
    return VisitStay(
        queue=call.queue,
        joined_at=call.joined_at,
        left_at=row.at,
        disposition=disposition,
        interface=Interface(row.agent) if is_answer else None,
        ring=ring,
    )


def _is_move(row: JournalRow) -> bool:
    """Return whether a withdraw was ours; its reason may hold a "|", so it is looked for."""
    return any(text.startswith(MOVE_MARK) for text in row.data)


def _end_talk(call: _Call, row: JournalRow) -> None:
    for number in range(len(call.stays) - 1, -1, -1):
        stay = call.stays[number]
        if stay.interface == row.agent and stay.queue == row.queue and stay.talk is None:
            call.stays[number] = replace(stay, talk=row.at - stay.left_at)
            return


def _milliseconds(data: tuple[str, ...]) -> timedelta:
    text = data[0] if data else ""
    return timedelta(milliseconds=int(text)) if text.isdecimal() else _NOTHING


def _queues_of(visits: Iterable[Visit]) -> Mapping[str, set[QueueName]]:
    """Return in which queues each agent answered."""
    found: defaultdict[str, set[QueueName]] = defaultdict(set)
    for visit in visits:
        if visit.last.interface is not None:
            found[visit.last.interface].add(visit.last.queue)
    return found


def _marks(
    rows: Iterable[JournalRow], queues_of: Mapping[str, set[QueueName]]
) -> Iterable[DutyMark]:
    """Yield when agents came, and when they went from the last of their queues."""
    there: dict[str, set[QueueName]] = {}
    for row in rows:
        is_coming = row.event in _COMES
        known = there.get(row.agent)
        if known is None:
            # Whoever first goes was there, in all queues; whoever first comes was in none.
            known = there[row.agent] = (
                set() if is_coming else {*queues_of.get(row.agent, ()), row.queue}
            )
        was_there = bool(known)
        if is_coming:
            known.add(row.queue)
        else:
            known.discard(row.queue)
        if bool(known) != was_there or is_coming:
            yield DutyMark(
                at=row.at,
                interface=Interface(row.agent),
                queue=row.queue,
                is_there=bool(known),
            )
