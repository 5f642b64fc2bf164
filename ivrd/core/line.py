"""Everybody who waits in one queue, in order of arrival, and who of them may be moved.

Here: an index, kept as callers come, are rung for and leave, so that no question costs more because
the line is long. Not here: what changes a caller (call_book.py) and whom to move (overflow.py).
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge

from ivrd.core.ids import CallId

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


class Line:
    """The waiting list of one queue."""

    __slots__ = ("_callers", "_movable", "_moving", "_order", "_queued")

    def __init__(self, callers: Iterable[Candidate] = ()) -> None:
        """Let callers stand in line, given in any order."""
        self._callers: dict[CallId, Candidate] = {}
        self._order: list[_Place] = []
        self._movable: dict[int, list[_Place]] = {}
        """Who is neither rung for nor moving, by moves asked so far; each list in order."""
        self._moving = 0
        self._queued = 0
        for caller in callers:
            self.put(caller)

    def __len__(self) -> int:
        return len(self._callers)

    def __iter__(self) -> Iterator[CallId]:
        return iter(self._callers)

    @property
    def oldest_arrival_at(self) -> datetime | None:
        """First arrival of whoever has waited longest; None when nobody waits."""
        return self._order[0][0] if self._order else None

    @property
    def staying(self) -> int:
        """How many wait and are not being moved away."""
        return len(self._callers) - self._moving

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

    def movable(self, moves_per_call: int) -> Iterator[CallId]:
        """Yield who may be moved, longest wait first. Not to be used after a change.

        Args:
            moves_per_call: Who has been asked to move so often is left out.
        """
        lists = [line for asked, line in self._movable.items() if asked < moves_per_call]
        return (call_id for _, call_id in merge(*lists))

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
            self._moving += 1
        elif not caller.is_offered:
            insort(self._movable.setdefault(caller.moves_asked, []), _place(caller))

    def _unlist(self, caller: Candidate) -> None:
        self._queued -= _is_queued(caller)
        if caller.is_moving:
            self._moving -= 1
        elif not caller.is_offered:
            _take_out(self._movable[caller.moves_asked], _place(caller))


def _is_queued(caller: Candidate) -> bool:
    return not (caller.is_moving or caller.met_free_agent)


def _place(caller: Candidate) -> _Place:
    return caller.first_joined_at, caller.call_id


def _take_out(line: list[_Place], place: _Place) -> None:
    """Take a place out of an ordered list that holds it."""
    at = bisect_left(line, place)
    assert line[at] == place, "an index holds what was put into it"
    del line[at]
