"""The contexts of queues: waiting, and every way out of it.

Here: Queue() and what follows. Not here: queues.conf, which is the site's own.
"""

from ivrd.config import QueueConfig
from ivrd.core import journal
from ivrd.dialplan.text import context, extension, head

PRIORITY_BASE = 19_180_000_000
"""Tenths of seconds since 1970 that give priority 0 (2030). app_queue.c reads QUEUE_PRIO as a
32-bit number, so the formula holds from 2023 to 2037."""

UNAVAILABLE_PROMPT = "ivrd/otillganglig"
"""Played to a caller whom a queue without a fallback refuses or sends on."""

UNAVAILABLE_TEXT_SV = "Just nu kan ingen svara. Välkommen att ringa igen senare."

EXITS = ("TIMEOUT", "FULL", "JOINEMPTY", "LEAVEEMPTY", "JOINUNAVAIL", "LEAVEUNAVAIL", "UNKNOWN")
"""Every QUEUESTATUS that means that the queue would not have, or keep, the caller; app_queue.c,
queue_results. The others are WITHDRAW and CONTINUE."""


def queue_context(queue: QueueConfig) -> str:
    top = head(
        f"Queue {queue.name}: waits for an agent, and tells why when none came.",
        "Tells: UserEvent IvrdQueueExit, read by ivrd/ami/parse.py. A caller whom ivrd withdraws",
        "carries where to in QUEUE_WITHDRAW_INFO (ivrd/ami/actions.py). Row IVRDEXIT in queue_log",
        "says the same to ivrd/core/catch_up.py.",
    )
    if queue.fallback is not None:
        after = extension("onward", f"Goto(ivrd-queue-{queue.fallback},s,1)")
    else:
        after = extension("onward", f"Playback({UNAVAILABLE_PROMPT})", "Hangup()")
    # No argument may follow the timeout: Asterisk 21 took macro away, so that position is the ninth
    # there and the tenth before ("core show application Queue" of 22.10.1 and 16.28.0). And among
    # the options, w and W went with Monitor. The place in the queue is by QUEUE_PRIO, in both.
    timeout = str(queue.timeout_s) if queue.timeout_s else ""
    steps = [
        "; Once per call: the place in every queue is by first arrival.",
        'Set(QUEUE_PRIO=${IF($["${QUEUE_PRIO}" = ""]?'
        f"$[{PRIORITY_BASE} - ${{STRFTIME(,,%s%1q)}}]:${{QUEUE_PRIO}})}})",
        "Set(QUEUESTATUS=)",
        "Set(QUEUE_WITHDRAW_INFO=)",
        f"Queue({queue.name},{queue.options},,,{timeout})",
        f"UserEvent(IvrdQueueExit,Queue: {queue.name},Status: ${{QUEUESTATUS}},"
        "Info: ${FILTER(-_ a-zA-Z0-9,${QUEUE_WITHDRAW_INFO})})",
        f"QueueLog({queue.name},${{UNIQUEID}},NONE,{journal.EXIT},${{QUEUESTATUS}})",
        'GotoIf($["${QUEUESTATUS}" = "WITHDRAW"]?withdrawn,1)',
        *(f'GotoIf($["${{QUEUESTATUS}}" = "{status}"]?onward,1)' for status in EXITS),
        "; CONTINUE, or no reason: an agent has answered and gone.",
        "Hangup()",
    ]
    withdrawn = [
        "Set(IVRD_TO=${FILTER(-_a-z0-9,${CUT(QUEUE_WITHDRAW_INFO, ,2)})})",
        'GotoIf($["${CUT(QUEUE_WITHDRAW_INFO, ,1)}" != "ivrd-move"]?s,1)',
        'GotoIf($["${DIALPLAN_EXISTS(ivrd-queue-${IVRD_TO},s,1)}" != "1"]?s,1)',
        "Goto(ivrd-queue-${IVRD_TO},s,1)",
    ]
    return top + context(
        f"ivrd-queue-{queue.name}",
        extension("s", *steps),
        "; Somebody else's withdraw, or an unknown target, leads back to the same place in line.\n"
        + extension("withdrawn", *withdrawn),
        after,
    )
