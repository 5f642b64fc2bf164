"""What people do with agents while calls go on: pause and end the pause, log in and out.

Here: the acts, which requests to Asterisk they come to, what undoes them, and who was first. Pure.
Not here: sending (agent_board.py), and who may (access/).

Rules
    1. An act is about every queue that the agent serves, or about those it names.
    2. A member by queues.conf cannot be logged out: Asterisk does not let go of it. Pause instead.
    3. Logging in again brings back what was: interface, penalty, and the device that is watched. Of
       an agent never seen in a queue only a plain phone is taken (PLAIN_PHONE): an interface is
       something that Asterisk dials, and nobody is to have it dial what they please.
    4. An agent's version is a mark of log-ins and pauses, not of calls. An act that names the
       version it saw is taken only while that stands; one that does not cannot have seen what
       another did within the last FRESH (as for switches, rule 4 there).
    5. To ask for what is so already changes nothing, and is no conflict.
    6. Undo is an act like all others, with the requests that bring back what was; it is a conflict
       when somebody has changed the agent since.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from ivrd.core.ids import Interface, QueueName
from ivrd.core.live_view import MemberView

VERSION_CHARACTERS = 12

PLAIN_PHONE = re.compile(r"(PJSIP|SIP)/[A-Za-z0-9_.-]{1,60}")

PAUSE_REASON_BYTES_MAX = 79
"""So much of a reason Asterisk keeps (app_queue.c, `reason_paused`); the audit keeps all."""

QUEUES_MAX = 100
"""Queues of one act."""


class AgentDeed(StrEnum):
    """What is done; the value is the act's name in log and audit."""

    PAUSE = "agent_pause"
    UNPAUSE = "agent_unpause"
    LOG_IN = "agent_log_in"
    LOG_OUT = "agent_log_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAct:
    """The wish."""

    deed: AgentDeed
    agent: str
    """The member's name."""
    queues: frozenset[QueueName] = frozenset()
    """Empty: every queue that the agent serves, or has served."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request to Asterisk, about one queue."""

    deed: AgentDeed
    queue: QueueName
    interface: Interface
    agent: str
    reason: str = ""
    """Of a pause."""
    penalty: int = 0
    state_interface: str = ""
    is_paused: bool = False
    """Log in, and be paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """Why an act cannot be."""

    text: str


def plan(
    act: AgentAct,
    present: Sequence[MemberView],
    known: Sequence[MemberView],
    *,
    queues: Collection[str],
) -> tuple[Step, ...] | Impossible:
    """Return what to ask of Asterisk; nothing when it is so already.

    Args:
        act: The wish.
        present: The agent in each queue, now.
        known: The agent in each queue as last seen, also those left since.
        queues: Every queue of ours.
    """
    unknown = sorted(act.queues - set(queues))
    if unknown:
        return Impossible(text=f"no queue is named {unknown[0]!r}; known: {', '.join(queues)}")
    if act.deed is AgentDeed.LOG_IN:
        return _log_in(act, present, known)
    chosen = [view for view in present if not act.queues or view.queue in act.queues]
    if not chosen:
        where = f" in {', '.join(sorted(act.queues))}" if act.queues else ""
        if act.deed is AgentDeed.LOG_OUT and known:
            return ()
        return Impossible(text=f"{act.agent} is not logged in{where}")
    if act.deed is AgentDeed.LOG_OUT:
        return _log_out(act, chosen)
    return tuple(
        Step(
            deed=act.deed,
            queue=view.queue,
            interface=view.interface,
            agent=view.agent,
            reason=short_reason(act.reason),
        )
        for view in chosen
        if _is_wanted(act, view)
    )


def inverse(step: Step, before: MemberView | None) -> Step:
    """Return the request that brings back what was before a step.

    Args:
        step: What was asked.
        before: The agent in that queue before it; None when not there.
    """
    if before is None:
        return Step(
            deed=AgentDeed.LOG_OUT, queue=step.queue, interface=step.interface, agent=step.agent
        )
    if step.deed is AgentDeed.LOG_OUT:
        return _again(before)
    return Step(
        deed=AgentDeed.PAUSE if before.is_paused else AgentDeed.UNPAUSE,
        queue=before.queue,
        interface=before.interface,
        agent=before.agent,
        reason=before.pause_reason,
    )


def has_come_true(step: Step, present: Iterable[MemberView]) -> bool:
    """Return whether what a step asked for is so."""
    view = next((one for one in present if one.queue == step.queue), None)
    match step.deed:
        case AgentDeed.LOG_IN:
            return view is not None
        case AgentDeed.LOG_OUT:
            return view is None
        case AgentDeed.PAUSE:
            return view is not None and view.is_paused and view.pause_reason == step.reason
        case AgentDeed.UNPAUSE:
            return view is not None and not view.is_paused


def short_reason(text: str) -> str:
    """Return as much of a reason as Asterisk keeps.

    Example:
        >>> len(short_reason("å" * 100))
        39
    """
    return text.encode()[:PAUSE_REASON_BYTES_MAX].decode("utf-8", "ignore")


def version_of(views: Iterable[MemberView]) -> str:
    """Return an agent's version; see rule 4."""
    told = sorted((view.queue, view.is_paused, view.pause_reason) for view in views)
    return sha256(repr(told).encode()).hexdigest()[:VERSION_CHARACTERS]


def _is_wanted(act: AgentAct, view: MemberView) -> bool:
    if act.deed is AgentDeed.PAUSE:
        return not view.is_paused or view.pause_reason != short_reason(act.reason)
    return view.is_paused


def _log_out(act: AgentAct, chosen: Sequence[MemberView]) -> tuple[Step, ...] | Impossible:
    fixed = [view.queue for view in chosen if view.is_fixed]
    if fixed:
        return Impossible(
            text=f"{act.agent} is in {', '.join(fixed)} by queues.conf, and cannot be logged out"
            " there; pause instead"
        )
    return tuple(
        Step(deed=act.deed, queue=view.queue, interface=view.interface, agent=view.agent)
        for view in chosen
    )


def _log_in(
    act: AgentAct, present: Sequence[MemberView], known: Sequence[MemberView]
) -> tuple[Step, ...] | Impossible:
    here = {view.queue for view in present}
    before = {view.queue: view for view in known}
    wanted = sorted((act.queues or set(before)) - here)
    if not wanted and here:
        return ()
    if not wanted:
        return Impossible(text=f"{act.agent} was in no queue yet; say which")
    if len(wanted) > QUEUES_MAX:
        return Impossible(text=f"at most {QUEUES_MAX} queues at once")
    if known:
        model = known[0]
    elif PLAIN_PHONE.fullmatch(act.agent):
        return tuple(
            Step(deed=act.deed, queue=queue, interface=Interface(act.agent), agent=act.agent)
            for queue in wanted
        )
    else:
        return Impossible(
            text=f"nobody named {act.agent!r} was seen in a queue yet; log in by phone once, or"
            " name a phone such as PJSIP/anna"
        )
    return tuple(_again(before.get(queue, model), queue=queue) for queue in wanted)


def _again(view: MemberView, *, queue: QueueName | None = None) -> Step:
    """Return the log-in that brings a membership back, or one like it in another queue."""
    is_same = queue is None or queue == view.queue
    return Step(
        deed=AgentDeed.LOG_IN,
        queue=view.queue if queue is None else queue,
        interface=view.interface,
        agent=view.agent,
        penalty=view.penalty if is_same else 0,
        state_interface=view.state_interface,
        is_paused=view.is_paused if is_same else False,
        reason=view.pause_reason if is_same else "",
    )
