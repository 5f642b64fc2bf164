"""What the dialplan's word about the end of Queue() comes to.

Here: QUEUESTATUS, and our own words beside it, as dispositions. Not here: what an entry does upon
it (entry.py).
"""

from ivrd.core.effects import Disposition
from ivrd.core.stay import Closed

REFUSALS = frozenset({"FULL", "JOINEMPTY", "JOINUNAVAIL", "UNKNOWN", "CLOSED", "DIVERTED"})
"""Values of QUEUESTATUS for a caller who never joined; no event tells of it but ours (F4). CLOSED
is the dialplan's own: the queue was closed, or in a meeting. So is DIVERTED: sent on at the door by
a rule of ours."""

DISPOSITION_BY_STATUS = {
    "FULL": Disposition.FULL,
    "JOINEMPTY": Disposition.JOIN_EMPTY,
    "JOINUNAVAIL": Disposition.JOIN_EMPTY,
    "UNKNOWN": Disposition.JOIN_EMPTY,
    "TIMEOUT": Disposition.TIMED_OUT,
    "REOPENED": Disposition.TIMED_OUT,
    "LEAVEEMPTY": Disposition.EMPTY,
    "LEAVEUNAVAIL": Disposition.EMPTY,
    "KEY": Disposition.KEY_EXIT,
    "CLOSED": Disposition.CLOSED,
    "DIVERTED": Disposition.DIVERTED,
    "CLOSING": Disposition.CLOSED,
}
"""What QUEUESTATUS comes to; app_queue.c, queue_results. WITHDRAW depends on who asked. CLOSED, and
CLOSING for a caller whose line closed while they waited, are the dialplan's own; so is REOPENED,
for one whose line was forced open just then: the time-out put them into the same queue again."""

REFUSED = frozenset(DISPOSITION_BY_STATUS[status] for status in REFUSALS)
"""Dispositions of a caller who never joined."""


def is_refused(state: Closed) -> bool:
    """Return whether a caller never joined; a closed queue may also end a wait."""
    return state.disposition in REFUSED and state.entry_wait is None


MOVE_MARK = "ivrd-move"
"""First word of the reason given with a withdraw: tells our moves from others'."""
