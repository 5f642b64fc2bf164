"""What the dialplan does for overflow: moves, diverts at the door, and the way back.

Here: steps and extensions of a queue's context, and what moved callers hear. Not here: which rule
is in force (core/overflow.py); ivrd tells it by a withdraw's info (ivrd/ami/actions.py), and by a
global variable per queue (ivrd/ami/diverts.py) that counts only beside a fresh heartbeat.

A caller who was sent to another queue carries where to, IVRD_SENT, and where from, IVRD_BACK, until
they have joined it: a queue that refuses them puts them back in the place of their first arrival.
"""

from collections.abc import Sequence

from ivrd.config import OverflowConfig
from ivrd.core import journal
from ivrd.dialplan.menus import heartbeat_is_old
from ivrd.dialplan.text import context, extension, head, play

REFUSED = ("FULL", "JOINEMPTY", "JOINUNAVAIL", "UNKNOWN")
"""Every QUEUESTATUS of a caller who never joined; app_queue.c, queue_results."""

DIVERTED = "DIVERTED"
"""Our own status: sent on at the door, by a rule."""


def divert_step(queue: str) -> str:
    """Return the step that sends a caller on at the door: at most once, and only who is new."""
    return (
        f'GotoIf($["${{IVRD_ENTERED}}${{IVRD_DIVERTED}}" = "" & "{_divert(queue)}" != ""'
        f" & {heartbeat_is_old()} = 0]?diverted,1)"
    )


def joined_step() -> str:
    """Return the step after Queue() that forgets the way back of a caller who has joined."""
    is_refused = " | ".join(f'"${{QUEUESTATUS}}" = "{status}"' for status in REFUSED)
    return f"Set(IVRD_SENT=${{IF($[{is_refused}]?${{IVRD_SENT}}:)}})"


def put_back_step(queue: str) -> str:
    """Return the step that puts a caller back whom we sent here, and who was refused."""
    return f'GotoIf($["${{IVRD_SENT}}" = "{queue}"]?put-back,1)'


def diverted(queue: str) -> str:
    """Return the extension of a caller who is sent on at the door."""
    return "; Sent on by a rule before waiting at all; at most once per call.\n" + extension(
        "diverted",
        "Set(IVRD_DIVERTED=1)",
        f"Set(IVRD_DIVERT=${{FILTER(-_ a-z0-9,{_divert(queue)})}})",
        "Set(IVRD_TO=${CUT(IVRD_DIVERT, ,1)})",
        'GotoIf($["${DIALPLAN_EXISTS(ivrd-queue-${IVRD_TO},s,1)}" != "1"]?s,1)',
        f"UserEvent(IvrdQueueExit,Queue: {queue},Status: {DIVERTED},Info: ${{IVRD_DIVERT}})",
        f"QueueLog({queue},${{UNIQUEID}},NONE,{journal.EXIT},{DIVERTED}|${{IVRD_DIVERT}})",
        "Set(IVRD_SENT=${IVRD_TO})",
        f"Set(IVRD_BACK={queue})",
        "Goto(ivrd-queue-${IVRD_TO},s,1)",
    )


def withdrawn(queue: str) -> str:
    """Return the extension of a caller who was taken out of the queue."""
    return (
        "; Somebody else's withdraw, or an unknown target, leads back to the same place in line.\n"
        + extension(
            "withdrawn",
            "Set(IVRD_TO=${FILTER(-_a-z0-9,${CUT(QUEUE_WITHDRAW_INFO, ,2)})})",
            'GotoIf($["${CUT(QUEUE_WITHDRAW_INFO, ,1)}" != "ivrd-move"]?s,1)',
            'GotoIf($["${DIALPLAN_EXISTS(ivrd-queue-${IVRD_TO},s,1)}" != "1"]?s,1)',
            "Set(IVRD_SENT=${IVRD_TO})",
            f"Set(IVRD_BACK={queue})",
            "Set(IVRD_RULE=rule-${FILTER(-_a-z0-9,${CUT(QUEUE_WITHDRAW_INFO, ,3)})})",
            'GosubIf($["${DIALPLAN_EXISTS(ivrd-moved,${IVRD_RULE},1)}" = "1"]?'
            "ivrd-moved,${IVRD_RULE},1)",
            "Goto(ivrd-queue-${IVRD_TO},s,1)",
        )
    )


def put_back() -> str:
    """Return the extension of a caller whom the queue that we sent them to would not have."""
    return extension(
        "put-back",
        "Set(IVRD_SENT=)",
        "Goto(ivrd-queue-${IVRD_BACK},s,1)",
    )


def moved_context(rules: Sequence[OverflowConfig]) -> str:
    """Return the context with what moved callers hear, by rule."""
    top = head("Overflow: what a moved caller hears before the other queue, by rule.")
    notices = [
        extension(f"rule-{rule.name}", play(rule.notice_prompt), "Return()") for rule in rules
    ]
    taken_away = "; A rule that is gone after a reload.\n" + extension("i", "Return()")
    return top + context("ivrd-moved", *notices, taken_away)


def _divert(queue: str) -> str:
    return f"${{GLOBAL(IVRD_DIVERT_{queue})}}"
