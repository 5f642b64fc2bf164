"""What a call comes to that no agent answered, by what the caller chose and met.

Here: the rule, once, for live calls (call.py) and for queue_log's rows (reconcile.py). Not here:
calls that waited in a queue to the end.
"""

from ivrd.core.effects import Outcome
from ivrd.core.targets import ToAnnouncement, ToNumber, ToQueue, target_of


def outcome_without_queue(choice: str | None, *, is_closed: bool, is_in_notice: bool) -> Outcome:
    """Return the outcome of a call that came into no queue.

    Args:
        choice: The label of the last choice; None when there was none.
        is_closed: The caller met a closed line.
        is_in_notice: The caller hung up while a notice was played.

    >>> outcome_without_queue("say:oppettider", is_closed=False, is_in_notice=False).value
    'informed'
    """
    if is_in_notice:
        return Outcome.INFORMED
    if is_closed:
        return Outcome.CLOSED
    return Outcome.MENU_HANGUP if choice is None else _outcome_of(choice, Outcome.MENU_HANGUP)


def outcome_after_key(choice: str | None) -> Outcome:
    """Return the outcome of a call whose last stay in a queue ended by a key.

    Args:
        choice: The label of where the key led; None when that is not known.
    """
    return Outcome.UNSERVED if choice is None else _outcome_of(choice, Outcome.UNSERVED)


def _outcome_of(label: str, otherwise: Outcome) -> Outcome:
    try:
        target = target_of(label)
    except ValueError:
        return Outcome.UNSERVED
    match target:
        case ToNumber():
            return Outcome.DIRECTED
        case ToAnnouncement():
            return Outcome.INFORMED
        case ToQueue():
            return Outcome.UNSERVED
        case _:
            return otherwise
