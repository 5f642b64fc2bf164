"""The contexts of queues: waiting, and every way out of it.

Here: Queue() and what follows, and our suggestion for queues.conf. Not here: agents.
"""

from collections.abc import Sequence

from ivrd.config import AgiConfig, QueueConfig
from ivrd.config.base import UNAVAILABLE_PROMPT, sound
from ivrd.core import journal
from ivrd.dialplan import labels, overflow
from ivrd.dialplan.menus import ANSWER_S_MAX, heartbeat_is_old
from ivrd.dialplan.targets import in_queue
from ivrd.dialplan.text import context, extension, head

PRIORITY_BASE = 19_180_000_000
"""Tenths of seconds since 1970 that give priority 0 (2030). app_queue.c reads QUEUE_PRIO as a
32-bit number, so the formula holds from 2023 to 2037."""

EXITS = (
    "TIMEOUT",
    "FULL",
    "JOINEMPTY",
    "LEAVEEMPTY",
    "JOINUNAVAIL",
    "LEAVEUNAVAIL",
    "UNKNOWN",
)
"""Every QUEUESTATUS that means that the queue would not have, or keep, the caller; app_queue.c,
queue_results. The others are WITHDRAW and CONTINUE."""

CLOSED = "CLOSED"
"""Our own status: the queue was closed, or in a meeting, when the caller came."""

CLOSING = "CLOSING"
"""Our own status: the caller's line closed while they waited."""


def queue_context(queue: QueueConfig, agi: AgiConfig) -> str:
    """Return the context of one queue, and of the keys that lead out of it."""
    top = head(
        f"Queue {queue.name}: waits for an agent, and tells why when none came.",
        "Tells: UserEvent IvrdQueueExit, read by ivrd/ami/parse.py. A caller whom ivrd withdraws",
        "carries where to in QUEUE_WITHDRAW_INFO (ivrd/ami/actions.py). Rows in queue_log, read by",
        "ivrd/core/catch_up.py: IVRDENTER tells callers from agents who ask, IVRDEXIT the exit.",
    )
    parts = [
        _waiting(queue),
        overflow.withdrawn(queue.name),
        overflow.diverted(queue.name),
        overflow.put_back(),
        _timed_out(queue),
        _onward(queue),
        _elsewhere(queue),
        *_key_ways(queue),
    ]
    if queue.speaks_wait:
        parts.append(_spoken(queue, agi))
        parts.append(
            "; ivrd is frozen while it speaks: the caller waits without a word.\n"
            + extension("T", "Goto(s,join)")
        )
    text = top + context(f"ivrd-queue-{queue.name}", *parts)
    if queue.exit_keys:
        text += "\n" + _keys(queue)
    return text


def _waiting(queue: QueueConfig) -> str:
    # No argument may follow the timeout: Asterisk 21 took macro away, so that position is the ninth
    # there and the tenth before ("core show application Queue" of 22.10.1 and 16.28.0). And among
    # the options, w and W went with Monitor. The place in the queue is by QUEUE_PRIO, in both.
    steps = [
        "; Once per call: the place in every queue is by first arrival.",
        'Set(QUEUE_PRIO=${IF($["${QUEUE_PRIO}" = ""]?'
        f"$[{PRIORITY_BASE} - ${{STRFTIME(,,%s%1q)}}]:${{QUEUE_PRIO}})}})",
        "Set(IVRD_OPEN=open)",
        *_hours(queue),
        "; A supervisor who forces the line open means the queue too.",
        'Set(IVRD_OPEN=${IF($["${IVRD_OPEN}" = "closed" & "${IVRD_WHY}" = "forced"]?'
        "open:${IVRD_OPEN})})",
        'GotoIf($["${IVRD_OPEN}" != "open"]?elsewhere,1)',
        overflow.divert_step(queue.name),
        "; Once per call, not again after a move.",
        'GosubIf($["${IVRD_LINE}" != "" & "${IVRD_ENTERED}" = ""]?'
        "ivrd-line-${IVRD_LINE},before_queue,1)",
        "Set(IVRD_ENTERED=1)",
        "Gosub(spoken,1)" if queue.speaks_wait else "NoOp()",
        "Set(QUEUESTATUS=)",
        labels.queue_step(queue),
        "; As long as the queue allows, and not beyond the line's closing when that ends the wait.",
        "Set(IVRD_REST=${IF($[0${IVRD_LEAVES_AT} > 0]?$[${IVRD_LEAVES_AT} - ${EPOCH}]:)})",
        'Set(IVRD_REST=${IF($["${IVRD_REST}" != "" & 0${IVRD_REST} < 1]?1:${IVRD_REST})})',
        f"QueueLog({queue.name},${{UNIQUEID}},NONE,{journal.ENTER},"
        "${CHANNEL(linkedid)}|${CHANNEL})",
        f"Queue({queue.name},{labels.queue_options(queue)},,,{_timeout(queue)})",
        overflow.joined_step(),
        "Set(IVRD_STATUS=${QUEUESTATUS})",
        'GosubIf($["${QUEUESTATUS}" = "TIMEOUT" & "${IVRD_LEAVES_AT}" != ""]?timed-out,1)',
        f"UserEvent(IvrdQueueExit,Queue: {queue.name},Status: ${{IVRD_STATUS}},"
        "Info: ${FILTER(-_ a-zA-Z0-9,${QUEUE_WITHDRAW_INFO})})",
        f"QueueLog({queue.name},${{UNIQUEID}},NONE,{journal.EXIT},${{IVRD_STATUS}})",
        'GotoIf($["${IVRD_STATUS}" = "WITHDRAW"]?withdrawn,1)',
        f'GotoIf($["${{IVRD_STATUS}}" = "{CLOSING}"]?ivrd-line-${{IVRD_LINE}},closed,1)',
        'GotoIf($["${IVRD_STATUS}" = "REOPENED"]?s,1)',
        *(f'GotoIf($["${{IVRD_STATUS}}" = "{status}"]?onward,1)' for status in EXITS),
        "; CONTINUE, or no reason: an agent has answered and gone.",
        "Hangup()",
    ]
    return extension("s", *steps, labels={11: "join"})


def _hours(queue: QueueConfig) -> tuple[str, str, str]:
    """Return the steps that ask whether the queue's agents are there, now.

    Who rang before it closed is served there, however long the menu took. A meeting is by now: the
    agents are away.
    """
    if queue.hours is None:
        return ("NoOp()", "NoOp()", "NoOp()")
    hours = f"ivrd-hours-{queue.hours},s,1"
    return (
        f"Gosub({hours}(${{EPOCH}}))",
        'Set(IVRD_LATE=$["${IVRD_OPEN}" = "closed" & "${IVRD_ENTERED}" = "" & "${IVRD_AT}" != ""])',
        f"GosubIf(${{IVRD_LATE}}?{hours}(${{IVRD_AT}}))",
    )


def _spoken(queue: QueueConfig, agi: AgiConfig) -> str:
    """Return the subroutine in which ivrd speaks of place and wait, once per queue and call."""
    return extension(
        "spoken",
        f'GotoIf($["${{IVRD_SPOKEN}}" = "{queue.name}"]?done)',
        f"Set(IVRD_SPOKEN={queue.name})",
        f"GotoIf({heartbeat_is_old()}?done)",
        "Set(AGIEXITONHANGUP=yes)",
        f"Set(TIMEOUT(absolute)={ANSWER_S_MAX})",
        f"AGI(agi://{agi.host}:{agi.port}/wait/{queue.name})",
        "Set(TIMEOUT(absolute)=0)",
        "Return()",
        labels={7: "done"},
    )


def _timeout(queue: QueueConfig) -> str:
    if queue.timeout_s == 0:
        return "${IVRD_REST}"
    return (
        f'${{IF($["${{IVRD_REST}}" = "" | 0${{IVRD_REST}} > {queue.timeout_s}]'
        f"?{queue.timeout_s}:${{IVRD_REST}})}}"
    )


def _timed_out(queue: QueueConfig) -> str:
    """Return the subroutine that asks whether a time-out was the line's closing."""
    return "; Was it the queue's own time-out, or has the line closed?\n" + extension(
        "timed-out",
        "GotoIf($[${EPOCH} < ${IVRD_LEAVES_AT}]?done)",
        "Gosub(ivrd-line-${IVRD_LINE},opening,1(${EPOCH}))",
        "; Opened again meanwhile, by force: the caller waits on, in the same place.",
        f'Set(IVRD_STATUS=${{IF($["${{IVRD_OPEN}}" = "closed"]?{CLOSING}:REOPENED)}})',
        'Set(IVRD_LEAVES_AT=${IF($["${IVRD_OPEN}" = "closed"]?:${IVRD_CLOSES_AT})})',
        "Return()",
        labels={4: "done"},
    )


def _onward(queue: QueueConfig) -> str:
    if queue.fallback is not None:
        onward: tuple[str, ...] = (f"Goto(ivrd-queue-{queue.fallback},s,1)",)
    else:
        onward = (f"Playback({sound(UNAVAILABLE_PROMPT)})", "Hangup()")
    return extension("onward", overflow.put_back_step(queue.name), *onward)


def _elsewhere(queue: QueueConfig) -> str:
    """Return what a caller meets while the queue is closed or in a meeting."""
    return extension(
        "elsewhere",
        f"UserEvent(IvrdQueueExit,Queue: {queue.name},Status: {CLOSED},Info: ${{IVRD_OPEN}})",
        f"QueueLog({queue.name},${{UNIQUEID}},NONE,{journal.EXIT},{CLOSED})",
        overflow.put_back_step(queue.name),
        f"Goto(ivrd-queue-{queue.catch_all},s,1)"
        if queue.catch_all is not None
        else "Goto(onward,1)",
    )


def _keys(queue: QueueConfig) -> str:
    """Return the context that app_queue looks up keys in: `context` in queues.conf.

    Source:
        app_queue.c, valid_exit: one digit, in the queue's context; the caller has left by then.
    """
    return context(
        keys_context(queue),
        *(
            extension(
                key,
                f"UserEvent(IvrdQueueExit,Queue: {queue.name},Status: KEY,Info: {key})",
                f"QueueLog({queue.name},${{UNIQUEID}},NONE,{journal.EXIT},KEY)",
                *_key_told(queue, key, target.label),
                f"Goto(ivrd-queue-{queue.name},{_key_name(target.label)},1)",
            )
            for key, target in queue.exit_keys.items()
        ),
    )


def _key_ways(queue: QueueConfig) -> list[str]:
    """Return the ways on after keys, by where they lead.

    A key may lead elsewhere after a reload; whoever is on one of them then, goes on there.
    """
    ways = {target.label: target.target for target in queue.exit_keys.values()}
    return [
        extension(_key_name(label), *in_queue(target, queue.name))
        for label, target in sorted(ways.items())
    ]


def _key_name(label: str) -> str:
    return "key-" + label.replace(":", ".")


def _key_told(queue: QueueConfig, key: str, label: str) -> tuple[str, str]:
    """Return the steps that tell where a key led, as menus tell it; no menu has such a name."""
    name = f"queue:{queue.name}"
    source = f"${{IF({heartbeat_is_old()}?static:ivrd)}}"
    return (
        f"UserEvent(IvrdChoice,Menu: {name},Outcome: chosen,Choice: {label},Digit: {key},Tries: 0,"
        f"Source: {source})",
        f"QueueLog(NONE,${{UNIQUEID}},NONE,{journal.CHOICE},"
        f"{name}|chosen|{label}|{key}|0|{source}|${{CHANNEL(language)}})",
    )


def keys_context(queue: QueueConfig) -> str:
    """Return the name of the context for keys in a queue."""
    return f"ivrd-keys-{queue.name}"


def render_queues(queues: Sequence[QueueConfig]) -> str:
    """Return templates for queues.conf, one per queue: what ivrd needs there.

    Use: `#include ivrd-queues.conf` at the top of queues.conf, and `[kc](ivrd-kc)` for the queue.
    """
    top = head(
        "Templates for queues.conf: `#include` this file there, and begin a queue with its",
        "template, such as [kc](ivrd-kc). Members, strategy and music are the site's own.",
    )
    return top + "\n".join(_template(queue) for queue in queues)


def _template(queue: QueueConfig) -> str:
    lines = [
        f"[ivrd-{queue.name}](!)",
        "autofill = yes",
        "ringinuse = no",
        "timeout = 15",
        "retry = 1",
        "announce-frequency = 0",
        "reportholdtime = no",
    ]
    if queue.hold_until_labelled_s:
        lines += ["; Time for ivrd to pause who has no label yet.", "wrapuptime = 2"]
    if queue.exit_keys:
        lines.append(f"context = {keys_context(queue)}")
    if queue.offer_prompt is not None:
        lines.append(f"periodic-announce = {sound(queue.offer_prompt)}")
        lines.append(f"periodic-announce-frequency = {queue.offer_every_s}")
    return "\n".join(lines) + "\n"
