"""Who was there when, and how long they wrote after a call, told from who answered when.

Here: estimates from a day's visits. Not here: rows that say it outright (they come in as marks).

Which evidence counts
    1. Where a queue journal has rows for an agent (added, removed, paused), these say it. A pause
       that begins with the end of a talk, and is short, is writing, not absence.
    2. Else an agent is there from the first answer to the last, ringing and writing included, and
       before and after for as long as nobody waited unserved: idle, for some minutes. A gap
       between two calls is an absence when somebody waited unserved through it for longer than
       anybody writes, or when the others took so many calls meanwhile that it would have been the
       agent's turn several times.
    3. Writing is seen where somebody waited all the time from the end of a talk until the agent was
       rung for the next call. In other gaps it was at most the gap: one of those seen that fits is
       drawn. It is never seen of a queue where nobody waits, and then taken for none.

The limits: an agent who is idle for longer than IDLE_MAX before the first call, or after the last,
is not seen, and lunch in a calm hour may not be seen either.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.day_cast import Agent, Shift
from ivrd.core.ids import CallId, Interface, QueueName
from ivrd.core.rehearsal import LOOK_EVERY
from ivrd.core.visits import Visit

WRITING_MAX = timedelta(minutes=3)
"""Longer than that nobody writes: it is an absence."""

IDLE_MAX = timedelta(minutes=5)
"""So long somebody is taken to be there without a call, before the first and after the last."""

PASSED_OVER = 4
"""An agent whose turn it would have been so often, with strategies that go round, was not there."""

CAME_BACK = timedelta(seconds=5)
"""A pause that begins so soon after a talk is because of it."""

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyMark:
    """A row that says that an agent came or went."""

    at: datetime
    interface: Interface
    queue: QueueName | None
    """None for all of the agent's queues."""
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Staffing:
    """What is known of a day's agents."""

    agents: tuple[Agent, ...]
    wrap_ups: Mapping[CallId, timedelta]
    """After each answered visit; the rest had none."""
    seen: Mapping[QueueName, Sequence[timedelta]]
    """Those that were seen, in ascending order, by queue: others are drawn from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """One call of an agent."""

    call_id: CallId
    queue: QueueName
    rung_at: datetime
    ends_at: datetime


def staffing_of(
    visits: Sequence[Visit],
    marks: Iterable[DutyMark],
    *,
    ring: timedelta,
    draw: Callable[[], float],
) -> Staffing:
    """Return who was there, by the evidence.

    Args:
        visits: The day's.
        marks: Rows about agents, oldest first; none where nothing tells them.
        ring: How long it rings where that is not told.
        draw: Gives a chance from 0 up to 1, another each time.
    """
    served = _served(visits, ring)
    unserved = _Unserved(visits, ring)
    marked: defaultdict[Interface, list[DutyMark]] = defaultdict(list)
    for mark in marks:
        marked[mark.interface].append(mark)
    answers = sorted(call.rung_at for calls in served.values() for call in calls)
    gaps = [
        _gap(calls, number, unserved, marked[interface])
        for interface, calls in served.items()
        for number in range(len(calls))
    ]
    seen: defaultdict[QueueName, list[timedelta]] = defaultdict(list)
    for gap in gaps:
        if gap.writing is not None:
            insort(seen[gap.queue], gap.writing)
    wrap_ups = {gap.call_id: _wrap_up(gap, seen[gap.queue], draw) for gap in gaps}
    agents = []
    for interface in {**served, **marked}:
        calls = served.get(interface, [])
        told = marked[interface]
        queues = frozenset(call.queue for call in calls) | {
            mark.queue for mark in told if mark.queue is not None and mark.is_there
        }
        if told:
            shifts = _told_shifts(calls, told, unserved)
        else:
            shifts = _seen_shifts(calls, wrap_ups, unserved, answers, len(served))
        if queues and shifts:
            agents.append(Agent(interface=interface, queues=queues, shifts=tuple(shifts)))
    return Staffing(agents=tuple(agents), wrap_ups=wrap_ups, seen=seen)


def rest_of(seen: Sequence[timedelta], at_most: timedelta, chance: float) -> timedelta:
    """Return one of the times seen that is not longer than another; zero when there is none."""
    fitting = bisect_right(seen, at_most)
    return seen[int(chance * fitting)] if fitting else _NOTHING


def _served(visits: Iterable[Visit], ring: timedelta) -> dict[Interface, list[_Served]]:
    """Return the calls of each agent, in order."""
    served: defaultdict[Interface, list[_Served]] = defaultdict(list)
    for visit in visits:
        stay = visit.last
        if stay.interface is None:
            continue
        rang = ring if stay.ring is None else stay.ring
        served[stay.interface].append(
            _Served(
                call_id=visit.call_id,
                queue=stay.queue,
                rung_at=max(stay.joined_at, stay.left_at - rang),
                ends_at=stay.left_at + (stay.talk or _NOTHING),
            )
        )
    for calls in served.values():
        calls.sort(key=lambda call: call.rung_at)
    return dict(sorted(served.items()))


class _Unserved:
    """When somebody waited in a queue for whom nobody rang."""

    def __init__(self, visits: Sequence[Visit], ring: timedelta) -> None:
        stays = [stay for visit in visits for stay in visit.stays]
        self._begins_at = min((stay.joined_at for stay in stays), default=None)
        self._ends_at = max(
            (stay.left_at + (stay.talk or _NOTHING) for stay in stays), default=None
        )
        spans: defaultdict[QueueName, list[tuple[datetime, datetime]]] = defaultdict(list)
        for visit in visits:
            for stay in visit.stays:
                rang = _NOTHING
                if stay.interface is not None:
                    rang = ring if stay.ring is None else stay.ring
                if stay.left_at - rang > stay.joined_at:
                    spans[stay.queue].append((stay.joined_at, stay.left_at - rang))
        self._spans = {queue: _merged(found) for queue, found in spans.items()}

    def longest(self, queues: Iterable[QueueName], begin: datetime, end: datetime) -> timedelta:
        """Return the longest time within two moments through which somebody waited."""
        longest = _NOTHING
        for queue in queues:
            spans = self._spans.get(queue, [])
            at = max(0, bisect_left(spans, (begin, begin)) - 1)
            while at < len(spans) and spans[at][0] < end:
                longest = max(longest, min(spans[at][1], end) - max(spans[at][0], begin))
                at += 1
        return longest

    def calm_since(self, queues: Iterable[QueueName], moment: datetime) -> datetime:
        """Return since when, up to a moment, nobody waited unserved; IDLE_MAX back at most."""
        since = moment - IDLE_MAX
        if self._begins_at is not None:
            since = max(since, min(moment, self._begins_at))
        for queue in queues:
            spans = self._spans.get(queue, [])
            before = bisect_left(spans, (moment, moment))
            if before:
                since = max(since, min(moment, spans[before - 1][1]))
        return since

    def calm_until(self, queues: Iterable[QueueName], moment: datetime) -> datetime:
        """Return until when, from a moment on, nobody waits unserved; IDLE_MAX on at most."""
        until = moment + IDLE_MAX
        if self._ends_at is not None:
            until = min(until, max(moment, self._ends_at))
        for queue in queues:
            spans = self._spans.get(queue, [])
            after = bisect_left(spans, (moment, moment))
            if after < len(spans):
                until = min(until, spans[after][0])
            if after and spans[after - 1][1] > moment:
                until = moment
        return until


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    spans.sort()
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in spans:
        if merged and begin <= merged[-1][1] + LOOK_EVERY:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """Between a call of an agent and the next."""

    call_id: CallId
    queue: QueueName
    length: timedelta | None
    """None after the last call."""
    writing: timedelta | None
    """None where it cannot be seen."""


def _gap(
    calls: Sequence[_Served], number: int, unserved: _Unserved, marks: Sequence[DutyMark]
) -> _Gap:
    """Return what is seen of the time after a call."""
    call = calls[number]
    told = _writing_told(call, marks)
    if number + 1 == len(calls):
        return _Gap(call_id=call.call_id, queue=call.queue, length=None, writing=told)
    begin, end = call.ends_at, calls[number + 1].rung_at
    length = max(_NOTHING, end - begin)
    if told is not None:
        return _Gap(call_id=call.call_id, queue=call.queue, length=length, writing=told)
    queues = {each.queue for each in calls}
    is_seen = (
        length <= WRITING_MAX
        and unserved.longest(queues, begin, end) >= length - LOOK_EVERY
        and not any(begin <= mark.at <= end for mark in marks)
    )
    # Whoever waits looks once a second, on average half a second after the agent is free.
    writing = max(_NOTHING, length - LOOK_EVERY / 2) if is_seen else None
    return _Gap(call_id=call.call_id, queue=call.queue, length=length, writing=writing)


def _writing_told(call: _Served, marks: Sequence[DutyMark]) -> timedelta | None:
    """Return how long a pause after a call lasted, if it is writing."""
    for number, mark in enumerate(marks[:-1]):
        follows = -CAME_BACK <= mark.at - call.ends_at <= CAME_BACK
        back = marks[number + 1]
        if follows and not mark.is_there and back.is_there:
            if back.at - mark.at <= WRITING_MAX:
                return max(_NOTHING, back.at - call.ends_at)
    return None


def _wrap_up(gap: _Gap, seen: Sequence[timedelta], draw: Callable[[], float]) -> timedelta:
    if gap.writing is not None:
        return gap.writing
    return rest_of(seen, timedelta.max if gap.length is None else gap.length, draw())


def _told_shifts(
    calls: Sequence[_Served], marks: Sequence[DutyMark], unserved: _Unserved
) -> list[Shift]:
    """Return an agent's times as rows tell them.

    Whoever goes first was there before, from the first answer on; whoever comes last, and never
    goes, was there until the end of the last call.
    """
    shifts: list[Shift] = []
    queues = {call.queue for call in calls}
    begins_at: datetime | None = None
    if not marks[0].is_there:
        first_at = min([call.rung_at for call in calls[:1]] + [marks[0].at])
        begins_at = unserved.calm_since(queues, first_at)
    for mark in marks:
        if mark.is_there and begins_at is None:
            begins_at = mark.at
            if shifts and _is_writing(calls, shifts[-1].ends_at, mark.at):
                begins_at = shifts.pop().begins_at
        elif not mark.is_there and begins_at is not None:
            if mark.at > begins_at:
                shifts.append(Shift(begins_at=begins_at, ends_at=mark.at))
            begins_at = None
    last_at = max((call.ends_at for call in calls), default=None)
    if begins_at is not None and last_at is not None and last_at > begins_at:
        ends_at = unserved.calm_until(queues, last_at)
        shifts.append(Shift(begins_at=begins_at, ends_at=ends_at))
    return shifts


def _is_writing(calls: Sequence[_Served], begin: datetime, end: datetime) -> bool:
    """Return whether a pause is because of a call that ended just then."""
    return end - begin <= WRITING_MAX and any(
        -CAME_BACK <= begin - call.ends_at <= CAME_BACK for call in calls
    )


def _seen_shifts(
    calls: Sequence[_Served],
    wrap_ups: Mapping[CallId, timedelta],
    unserved: _Unserved,
    answers: Sequence[datetime],
    agents: int,
) -> list[Shift]:
    """Return an agent's times by the calls alone."""
    queues = {call.queue for call in calls}
    shifts: list[Shift] = []
    begins_at = unserved.calm_since(queues, calls[0].rung_at)
    for call, following in zip(calls, [*calls[1:], None], strict=True):
        free_at = call.ends_at + wrap_ups.get(call.call_id, _NOTHING)
        if following is not None:
            taken = bisect_left(answers, following.rung_at) - bisect_right(answers, free_at)
            is_away = (
                unserved.longest(queues, free_at, following.rung_at) > WRITING_MAX
                or taken >= PASSED_OVER * agents
            )
            if not is_away:
                continue
        ends_at = max(begins_at, unserved.calm_until(queues, free_at))
        if following is not None:
            ends_at = min(ends_at, following.rung_at)
        shifts.append(Shift(begins_at=begins_at, ends_at=ends_at))
        if following is not None:
            begins_at = max(ends_at, unserved.calm_since(queues, following.rung_at))
    return [shift for shift in shifts if shift.ends_at > shift.begins_at]
