"""The members of one queue, counted by what they can do now.

Here: an index, kept as members change, so that no question costs more because the queue has many.
Not here: what a change is followed by (call_book.py).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from ivrd.core.events import MemberChanged
from ivrd.core.ids import Interface

NOT_IN_USE = 1
"""Asterisk's device states (devicestate.h): 0 unknown, 1 not in use, 2 in use, 3 busy, 4 invalid,
5 unavailable, 6 ringing, 7 ring in use, 8 on hold."""

RINGING = 6

UNREACHABLE = frozenset({4, 5})
"""Invalid and unavailable: no phone there. Unknown (0) is what a queue takes for reachable."""


HOLD_REASON = "ivrd: label"
"""Why a member is paused who is held in wrap-up (label_hold.py); nobody else is to use it."""


class Condition(Enum):
    """What a member can do now."""

    AVAILABLE = auto()
    BUSY = auto()
    PAUSED = auto()
    UNAVAILABLE = auto()


def condition_of(member: MemberChanged) -> Condition:
    """Return what a member can do; who is not reachable is so, paused or not."""
    if member.device_state in UNREACHABLE:
        return Condition.UNAVAILABLE
    if member.is_paused:
        return Condition.PAUSED
    if member.device_state <= NOT_IN_USE and not member.is_in_call:
        return Condition.AVAILABLE
    return Condition.BUSY


class Staff:
    """Members by interface, in the order in which they came."""

    __slots__ = ("_counts", "_members", "_ringing", "_wrapping_up", "changes")

    def __init__(self, members: Iterable[MemberChanged] = ()) -> None:
        """Let members stand there; the last word about each holds."""
        self._members: dict[Interface, MemberChanged] = {}
        self._counts: Counter[Condition] = Counter()
        self._ringing = 0
        self._wrapping_up = 0
        self.changes = 0
        """Grows with each change: whoever has seen that many, has seen all."""
        for member in members:
            self.put(member)

    def __iter__(self) -> Iterator[MemberChanged]:
        return iter(self._members.values())

    def get(self, interface: Interface) -> MemberChanged | None:
        """Return a member as last told; None for one who is not here."""
        return self._members.get(interface)

    def put(self, member: MemberChanged) -> None:
        """Note how a member is now."""
        known = self._members.get(member.interface)
        self.changes += 1
        if known is not None:
            self._count(known, -1)
        self._members[member.interface] = member
        self._count(member, 1)

    def remove(self, interface: Interface) -> None:
        """Take a member out; nothing when they are not here."""
        known = self._members.pop(interface, None)
        if known is not None:
            self.changes += 1
            self._count(known, -1)

    def _count(self, member: MemberChanged, by: int) -> None:
        condition = condition_of(member)
        self._counts[condition] += by
        if condition is Condition.BUSY and member.device_state == RINGING:
            self._ringing += by
        if condition is Condition.PAUSED and member.pause_reason == HOLD_REASON:
            self._wrapping_up += by

    def count(self, condition: Condition) -> int:
        """Return how many can do so."""
        return self._counts[condition]

    @property
    def ringing(self) -> int:
        """How many of the busy only have a ringing phone."""
        return self._ringing

    @property
    def wrapping_up(self) -> int:
        """How many of the paused are held until their case has a label."""
        return self._wrapping_up

    @property
    def serving(self) -> int:
        """How many take calls, now or as soon as theirs ends: reachable and not paused."""
        return self._counts[Condition.AVAILABLE] + self._counts[Condition.BUSY]
