"""What Asterisk would tell of a day that is only played (rehearsal.py), as core events.

Here: made-up channels and the events of each step, in Asterisk's order. Not here: when.
"""

from collections.abc import Iterator
from datetime import datetime

from ivrd.core import events as on
from ivrd.core.effects import Disposition
from ivrd.core.exits import DISPOSITION_BY_STATUS, MOVE_MARK
from ivrd.core.ids import CallId, ChannelId, Interface, LineName, QueueName, SystemName

NOT_IN_USE, IN_USE = 1, 2

NORMAL_CLEARING = 16

STATUS_BY_DISPOSITION = {
    disposition: status for status, disposition in reversed(DISPOSITION_BY_STATUS.items())
} | {Disposition.CLOSED: "CLOSING"}
"""A QUEUESTATUS that comes to it."""


def nobody_there(
    system: SystemName, queues: tuple[QueueName, ...], at: datetime
) -> on.SnapshotTaken:
    """Return the picture of a floor with nobody on it."""
    return on.SnapshotTaken(
        at=at,
        system=system,
        queues=tuple(on.QueueSnapshot(queue=queue, members=(), callers=()) for queue in queues),
        channels=frozenset(),
        can_withdraw=True,
    )


def arrived(system: SystemName, call_id: CallId, line: LineName, at: datetime) -> on.CallArrived:
    """Return a caller's arrival on a line."""
    return on.CallArrived(
        at=at,
        system=system,
        call_id=call_id,
        linked_id=ChannelId(call_id),
        channel=channel_of(call_id),
        line=line,
        caller_number=None,
    )


def joined(
    system: SystemName, call_id: CallId, queue: QueueName, position: int, at: datetime
) -> on.CallerJoined:
    """Return a caller's entry into a queue."""
    return on.CallerJoined(
        at=at,
        system=system,
        call_id=call_id,
        linked_id=ChannelId(call_id),
        channel=channel_of(call_id),
        queue=queue,
        position=position,
    )


def rang(
    system: SystemName, call_id: CallId, queue: QueueName, interface: Interface, at: datetime
) -> on.AgentRang:
    """Return that an agent's phone rings."""
    return on.AgentRang(at=at, system=system, call_id=call_id, queue=queue, interface=interface)


def answered(
    system: SystemName, call_id: CallId, queue: QueueName, interface: Interface, at: datetime
) -> Iterator[on.Event]:
    """Yield what an answer is told by."""
    yield on.CallerLeft(at=at, system=system, call_id=call_id, queue=queue)
    yield on.AgentConnected(
        at=at,
        system=system,
        call_id=call_id,
        queue=queue,
        interface=interface,
        member_name=interface,
        agent_leg=_leg_of(call_id),
    )


def parted(system: SystemName, call_id: CallId, at: datetime) -> Iterator[on.Event]:
    """Yield that agent and caller have hung up."""
    for channel in (_leg_of(call_id), ChannelId(call_id)):
        yield _gone(system, channel, at)


def left(
    system: SystemName,
    call_id: CallId,
    queue: QueueName,
    disposition: Disposition,
    at: datetime,
) -> Iterator[on.Event]:
    """Yield how a caller leaves unanswered."""
    channel = ChannelId(call_id)
    status = STATUS_BY_DISPOSITION.get(disposition)
    if status is None:
        yield on.HangupRequested(at=at, system=system, channel_id=channel)
    yield on.CallerLeft(at=at, system=system, call_id=call_id, queue=queue)
    if status is not None:
        yield _exited(system, call_id, queue, status, at)
    yield _gone(system, channel, at)


def diverted(system: SystemName, call_id: CallId, queue: QueueName, at: datetime) -> on.QueueExited:
    """Return that a caller was sent on at a door."""
    return _exited(system, call_id, queue, "DIVERTED", at)


def moved(
    system: SystemName,
    call_id: CallId,
    from_queue: QueueName,
    to_queue: QueueName,
    rule: str,
    at: datetime,
) -> Iterator[on.Event]:
    """Yield how a move leads out of a queue; the entry into the next comes after."""
    yield on.CallerAbandonNoted(at=at, system=system, call_id=call_id, queue=from_queue)
    yield on.CallerLeft(at=at, system=system, call_id=call_id, queue=from_queue)
    info = f"{MOVE_MARK} {to_queue} {rule}"
    yield _exited(system, call_id, from_queue, "WITHDRAW", at, info=info)


def member(
    system: SystemName,
    queue: QueueName,
    interface: Interface,
    at: datetime,
    *,
    is_busy: bool,
    is_talking: bool,
    is_paused: bool,
) -> on.MemberChanged:
    """Return how an agent is now. Who writes after a call serves, and is not free."""
    state = IN_USE if is_talking or is_busy else NOT_IN_USE
    return on.MemberChanged(
        at=at,
        system=system,
        queue=queue,
        interface=interface,
        member_name=interface,
        device_state=state,
        is_paused=is_paused,
        is_in_call=is_talking,
    )


def channel_of(call_id: CallId) -> str:
    """Return the name of a caller's channel."""
    return f"PJSIP/{call_id}"


def _leg_of(call_id: CallId) -> ChannelId:
    return ChannelId(f"{call_id}-agent")


def _gone(system: SystemName, channel: ChannelId, at: datetime) -> on.ChannelHungUp:
    return on.ChannelHungUp(at=at, system=system, channel_id=channel, cause=NORMAL_CLEARING)


def _exited(
    system: SystemName, call_id: CallId, queue: QueueName, status: str, at: datetime, info: str = ""
) -> on.QueueExited:
    return on.QueueExited(
        at=at,
        system=system,
        call_id=call_id,
        queue=queue,
        status=status,
        info=info,
        linked_id=ChannelId(call_id),
        channel=channel_of(call_id),
    )
