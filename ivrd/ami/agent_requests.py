"""Requests about agents and about a caller's rank, and what Asterisk's answers mean.

Here: plain values. Not here: when they are sent (agent_board.py).

Source:
    app_queue.c, `manager_add_queue_member`, `manager_remove_queue_member`,
    `manager_pause_queue_member`, `manager_change_priority_caller_on_queue`.
"""

from ivrd.ami.actions import AmiAction, Header
from ivrd.ami.replies import Reply, value
from ivrd.core.agent_acts import AgentDeed, Step

PRIORITY_VARIABLE = "QUEUE_PRIO"

AT_ONCE_SINCE = {18: 20, 20: 5}
"""First minor version of each major one whose QueueChangePriorityCaller can sort anew at once
(ASTERISK.md §A2); all from 21 on can."""

NO_RIGHT = "Permission denied"


def request_of(step: Step) -> AmiAction:
    """Return the request of one step.

    Raises:
        PeerRefused: A name in it is not fit to be sent.
    """
    match step.deed:
        case AgentDeed.PAUSE | AgentDeed.UNPAUSE:
            return _action(
                "QueuePause",
                Interface=step.interface,
                Queue=step.queue,
                Paused="true" if step.deed is AgentDeed.PAUSE else "false",
                Reason=step.reason,
            )
        case AgentDeed.LOG_OUT:
            return _action("QueueRemove", Interface=step.interface, Queue=step.queue)
        case AgentDeed.LOG_IN:
            return _action(
                "QueueAdd",
                Interface=step.interface,
                Queue=step.queue,
                MemberName=step.agent,
                Penalty=str(step.penalty),
                Paused="true" if step.is_paused else "false",
                Reason=step.reason if step.is_paused else "",
                StateInterface=step.state_interface,
            )


def ask_priority(channel: str) -> AmiAction:
    """Return the question which priority a caller has.

    Raises:
        PeerRefused: The name is not fit to be sent.
    """
    return _action("Getvar", Channel=channel, Variable=PRIORITY_VARIABLE)


def keep_priority(channel: str, priority: int) -> AmiAction:
    """Return the request that lets a caller have a priority in every queue from now on.

    Raises:
        PeerRefused: The name is not fit to be sent.
    """
    return _action("Setvar", Channel=channel, Variable=PRIORITY_VARIABLE, Value=str(priority))


def change_priority(channel: str, queue: str, priority: int) -> AmiAction:
    """Return the request that sorts a caller anew where they wait.

    Raises:
        PeerRefused: A name is not fit to be sent.
    """
    return _action(
        "QueueChangePriorityCaller",
        Queue=queue,
        Caller=channel,
        Priority=str(priority),
        Immediate="yes",
    )


def priority_in(answer: Reply) -> int | None:
    """Return the priority that an answer holds; None when there is none."""
    text = value(answer.raw, b"\r\nValue")
    is_number = text.removeprefix("-").isdigit() and text.isascii() and len(text) <= 12
    return int(text) if is_number else None


def can_sort_at_once(version: tuple[int, ...] | None) -> bool:
    """Return whether an Asterisk of this version can; not when nobody knows.

    Example:
        >>> can_sort_at_once((22, 10, 1)), can_sort_at_once((16, 28, 0)), can_sort_at_once(None)
        (True, False, False)
    """
    if version is None:
        return False
    major, minor = (*version, 0)[:2]
    return major >= 21 or minor >= AT_ONCE_SINCE.get(major, minor + 1)


def refusal_of(answer: Reply) -> str:
    """Return why Asterisk did not do something, as a person can use it."""
    if NO_RIGHT.lower() in answer.message.lower():
        return "ivrd's AMI user needs write=agent in manager.conf (`ivrd dialplan --manager`)"
    return answer.message or "Asterisk did not say why"


def _action(name: str, **headers: str) -> AmiAction:
    given = tuple(Header(name=key, value=text) for key, text in headers.items() if text)
    return AmiAction(name=name, headers=given)
