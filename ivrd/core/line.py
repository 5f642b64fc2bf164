"""Everybody who waits in one queue, in order of arrival, and who of them may be moved.

Here: an index, kept as callers come, are rung for and leave, so that no question costs more because
the line is long. Not here: what changes a caller (call_book.py) and whom to move (overflow.py).
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import merge

from ivrd.core.ids import CallId, LineName, QueueName

_Place = tuple[datetime, CallId]
"""First arrival, and the id between equal arrivals: an order that survives a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One caller in a line, as the overflow policy sees them."""

    call_id: CallId
    first_joined_at: datetime
    is_offered: bool
    is_moving: bool
    """A move of this caller is outstanding; they count as gone from the queue they are leaving."""
    moves_asked: int
    met_free_agent: bool = False
    """An agent was free when they came: only ringing keeps them here."""
    line: LineName | None = None
    """What they dialled; None when that was not seen."""
    moving_by: str = ""
    """The rule of the outstanding move."""
    moving_to: QueueName | None = None
    """Where that move goes; None without one."""
    moved_from: tuple[QueueName, ...] = ()
    """Queues that moves took them from in this wait, the last one last."""
    moved_by: str = ""
    """The rule of the last of these moves."""


class Line:
    """The waiting list of one queue."""

    __slots__ = (
        "_callers",
        "_guests",
        "_movable",
        "_moving_by",
        "_moving_to",
        "_order",
        "_queued",
        "_staying",
    )

    def __init__(self, callers: Iterable[Candidate] = ()) -> None:
        """Let callers stand in line, given in any order."""
        self._callers: dict[CallId, Candidate] = {}
        self._order: list[_Place] = []
        self._staying: list[_Place] = []
        """Who is not being moved away, in order."""
        self._movable: dict[int, list[_Place]] = {}
        """Who is neither rung for nor moving, by moves asked so far; each list in order."""
        self._moving_by: Counter[str] = Counter()
        self._moving_to: Counter[QueueName] = Counter()
        self._guests: dict[str, list[_Place]] = {}
        """Who is neither rung for nor moving, by the rule that moved them here; in order."""
        self._queued = 0
        for caller in callers:
            self.put(caller)

    def __len__(self) -> int:
        return len(self._callers)

    def __iter__(self) -> Iterator[CallId]:
        return iter(self._callers)

    def in_order(self) -> list[CallId]:
        """Return everybody, longest wait first."""
        return [call_id for _, call_id in self._order]

    @property
    def oldest_arrival_at(self) -> datetime | None:
        """First arrival of whoever has waited longest; None when nobody waits."""
        return self._order[0][0] if self._order else None

    @property
    def staying(self) -> int:
        """How many wait and are not being moved away."""
        return len(self._staying)

    @property
    def queued(self) -> int:
        """How many of those who stay found no agent free."""
        return self._queued

    @property
    def unserved(self) -> int:
        """How many of those who stay are not rung for now."""
        return sum(map(len, self._movable.values()))

    def place_of(self, first_joined_at: datetime) -> int:
        """Return which place of those queued a newcomer of that arrival takes, from 1.

        Whoever is before the newcomer and is being moved, or found an agent free, is taken for one
        who is behind, if there are such: both are gone in a moment.
        """
        before = bisect_left(self._order, (first_joined_at, CallId("")))
        return 1 + min(before, self._queued)

    def place_among_all(self, first_joined_at: datetime | None) -> int:
        """Return which place of all who stay a newcomer of that arrival takes; None is now."""
        if first_joined_at is None:
            return 1 + self.staying
        before = bisect_left(self._order, (first_joined_at, CallId("")))
        return 1 + min(before, self.staying)

    def get(self, call_id: CallId) -> Candidate | None:
        """Return a caller; None for one who is not in this line."""
        return self._callers.get(call_id)

    def moving_by(self, rule: str) -> int:
        """Return how many moves of a rule are outstanding here."""
        return self._moving_by[rule]

    def moving_to(self, queue: QueueName) -> int:
        """Return how many are on their way from here to a queue."""
        return self._moving_to[queue]

    @property
    def targets(self) -> Mapping[QueueName, int]:
        """How many are on their way from here, by where they go; what is 0 may be left in."""
        return self._moving_to

    def first_moving_to(self, queue: QueueName) -> datetime | None:
        """Return the first arrival of those who are on their way to a queue; looks at everybody."""
        moving = (one for one in self._callers.values() if one.moving_to == queue and one.is_moving)
        return min((one.first_joined_at for one in moving), default=None)

    def staying_in_order(self) -> Iterator[Candidate]:
        """Yield who is not being moved away, longest wait first. Not to be used after a change."""
        return (self._callers[call_id] for _, call_id in self._staying)

    def movable(self, moves_per_call: int, *, is_reversed: bool = False) -> Iterator[Candidate]:
        """Yield who may be moved, longest wait first. Not to be used after a change.

        Args:
            moves_per_call: Who has been asked to move so often is left out.
            is_reversed: Shortest wait first.
        """
        lists = [line for asked, line in self._movable.items() if asked < moves_per_call]
        if is_reversed:
            places = merge(*map(reversed, lists), reverse=True)
        else:
            places = merge(*lists)
        return (self._callers[call_id] for _, call_id in places)

    def has_guests(self, rule: str) -> bool:
        """Return whether somebody whom a rule moved here may be moved."""
        return bool(self._guests.get(rule))

    def guests(self, rule: str) -> Iterator[Candidate]:
        """Yield whom a rule moved here and who may be moved, longest wait first."""
        return (self._callers[call_id] for _, call_id in self._guests.get(rule, ()))

    def put(self, caller: Candidate) -> None:
        """Let a caller stand in line, or note how one who stands there is now."""
        known = self._callers.get(caller.call_id)
        if known == caller:
            return
        if known is not None and known.first_joined_at == caller.first_joined_at:
            self._unlist(known)
        else:
            self.remove(caller.call_id)
            insort(self._order, _place(caller))
        self._callers[caller.call_id] = caller
        self._list(caller)

    def remove(self, call_id: CallId) -> None:
        """Take a caller out; nothing when they are not in this line."""
        caller = self._callers.pop(call_id, None)
        if caller is not None:
            _take_out(self._order, _place(caller))
            self._unlist(caller)

    def _list(self, caller: Candidate) -> None:
        self._queued += _is_queued(caller)
        if caller.is_moving:
            self._count_moving(caller, 1)
            return
        insort(self._staying, _place(caller))
        if not caller.is_offered:
            insort(self._movable.setdefault(caller.moves_asked, []), _place(caller))
            if caller.moved_by:
                insort(self._guests.setdefault(caller.moved_by, []), _place(caller))

    def _unlist(self, caller: Candidate) -> None:
        self._queued -= _is_queued(caller)
        if caller.is_moving:
            self._count_moving(caller, -1)
            return
        _take_out(self._staying, _place(caller))
        if not caller.is_offered:
            _take_out(self._movable[caller.moves_asked], _place(caller))
            if caller.moved_by:
                _take_out(self._guests[caller.moved_by], _place(caller))

    def _count_moving(self, caller: Candidate, change: int) -> None:
        self._moving_by[caller.moving_by] += change
        if caller.moving_to is not None:
            self._moving_to[caller.moving_to] += change


def _is_queued(caller: Candidate) -> bool:
    return not (caller.is_moving or caller.met_free_agent)


def _place(caller: Candidate) -> _Place:
    return caller.first_joined_at, caller.call_id


def _take_out(line: list[_Place], place: _Place) -> None:
    """Take a place out of an ordered list that holds it."""
    at = bisect_left(line, place)
    assert line[at] == place, "an index holds what was put into it"
    del line[at]
