"""What follows each event: changed queues are told, and the overflow rules are planned again.

Here: the order, and what a fault of ours in it costs. Not here: planning (mover.py, overflow.py).

The rules
    1. What the event itself came to holds, whatever happens here: a fault of the planner must cost
       no call. So it is secured before, and whole decisions are while they are made.
    2. After a fault every rule is looked at anew at the next event, or after PLAN_AGAIN_AFTER.
"""

from datetime import datetime

from ivrd.core.call_book import CallBook
from ivrd.core.mover import Mover


class Settling:
    """The end of each step of one PBX's tracker."""

    def __init__(self, book: CallBook, mover: Mover) -> None:
        """Begin with nothing under way."""
        self._book = book
        self._mover = mover
        self._since: datetime | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a step has not come to its end: after a fault, this is what broke."""
        return self._since is not None

    def settle(self, at: datetime, *, can_move: bool) -> None:
        """Say which queues look different now, and plan again for them."""
        self._begin(at)
        self._book.tell_touched(at)
        self._book.secure()
        if self._book.is_synced and can_move:
            self._mover.ask_moves(at)
        self._book.settle()
        self._since = None

    def wake(self, at: datetime) -> None:
        """Note that a moment of the overflow rules has come."""
        self._begin(at)
        self._mover.wake(at)
        self._since = None

    def give_up(self) -> None:
        """Leave the step that broke, with what was secured of it."""
        assert self._since is not None, "only what is under way is given up"
        self._book.undo_unsettled()
        self._mover.start_over(self._since)
        self._since = None

    def _begin(self, at: datetime) -> None:
        self._book.secure()
        self._since = at
