"""Turns AMI events into core events; units, charset and names are fixed here and nowhere else.

Here: the table `WANTED`, and one function per event. Not here: framing (frames.py), headers
(headers.py), our own dialplan's events (parse_own.py), the snapshot's lists (snapshot.py) and what
an event means (core).

Units: HoldTime, TalkTime and RingTime are not read at all; differences of our own stamps are used
(F5: some are whole seconds, and RingTime in AgentRingNoAnswer is milliseconds).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from ivrd.ami.headers import (
    CALLER,
    CHANNEL,
    DEST,
    INTERFACE,
    MEMBER_NAME,
    ORIG_TRANSFERER,
    QUEUE,
    SECOND_TRANSFERER,
    STATIC,
    TRANSFER_TARGET,
    TRANSFEREE,
    TRANSFERER,
    Frame,
    penalty_in,
)
from ivrd.ami.parse_own import user_event
from ivrd.ami.replies import value
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentLegReplaced,
    AgentRang,
    AgentRingEnded,
    AttendedTransferred,
    BlindTransferred,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    DialEnded,
    Event,
    HangupRequested,
    MemberChanged,
    MemberRemoved,
    RecordingChanged,
)
from ivrd.core.ids import (
    CallId,
    ChannelId,
    Interface,
    QueueName,
    SystemName,
    channel_id,
)


def _joined(frame: Frame) -> Event:
    return CallerJoined(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        linked_id=frame.linked_id(),
        channel=frame.first(CHANNEL),
        queue=QueueName(frame.last(QUEUE)),
        position=frame.count(b"\r\nPosition: "),
    )


def _left(frame: Frame) -> Event:
    return CallerLeft(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
    )


def _abandon_noted(frame: Frame) -> Event:
    return CallerAbandonNoted(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
    )


def _agent_rang(frame: Frame) -> Event:
    return AgentRang(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
    )


def _agent_ring_ended(frame: Frame) -> Event:
    return AgentRingEnded(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
    )


def _agent_connected(frame: Frame) -> Event:
    return AgentConnected(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
        member_name=frame.last(MEMBER_NAME),
        agent_leg=frame.channel_id(DEST),
    )


def _agent_completed(frame: Frame) -> Event | None:
    """Return the event; None when Asterisk no longer knew the caller, as happens after a hang-up.

    Source:
        app_queue.c, `queue_publish_multi_channel_snapshot_blob`: "sending incomplete event".
    """
    if not frame.has(CALLER):
        return None
    return AgentCompleted(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
        reason=frame.last(b"\r\nReason: "),
    )


def _hangup_requested(frame: Frame) -> Event:
    return HangupRequested(at=frame.at, system=frame.system, channel_id=frame.channel_id())


def _hung_up(frame: Frame) -> Event:
    return ChannelHungUp(
        at=frame.at,
        system=frame.system,
        channel_id=frame.channel_id(),
        cause=frame.count(b"\r\nCause: "),
    )


def _optional_id(frame: Frame, block: re.Pattern[bytes]) -> ChannelId | None:
    return frame.channel_id(block) if frame.has(block) else None


def _blind_transferred(frame: Frame) -> Event:
    """Return the event.

    Source:
        stasis_bridges.c, `blind_transfer_to_ami`: Result first; no Transferee block unless there
        is exactly one transferee.
    """
    return BlindTransferred(
        at=frame.at,
        system=frame.system,
        transferer_id=frame.channel_id(TRANSFERER),
        transferee_id=_optional_id(frame, TRANSFEREE),
        extension=frame.last(b"\r\nExtension: "),
        is_success=frame.first(b"\r\nResult: ") == "Success",
    )


def _attended_transferred(frame: Frame) -> Event:
    """Return the event.

    Source:
        stasis_bridges.c, `attended_transfer_to_ami`.
    """
    return AttendedTransferred(
        at=frame.at,
        system=frame.system,
        orig_transferer_id=frame.channel_id(ORIG_TRANSFERER),
        second_transferer_id=frame.channel_id(SECOND_TRANSFERER),
        transferee_id=_optional_id(frame, TRANSFEREE),
        target_id=_optional_id(frame, TRANSFER_TARGET),
        destination=frame.last(b"\r\nDestType: "),
        is_success=frame.first(b"\r\nResult: ") == "Success",
        extension=_asked(frame),
    )


TARGET_CHANNEL = b"\r\nTransferTargetChannel: "

LOCAL_TARGET = re.compile(r"Local/([^@/]+)@.*")

SECOND_EXTENSION = b"\r\nSecondTransfererExten: "

DIALLED = re.compile(r"([0-9*#+]+)")
"""Not "s", where a queue dials its agents."""


def _asked(frame: Frame) -> str:
    """Return which extension an agent asked before handing on; "" when nothing tells.

    Source:
        Measured on 22.10.1 (tests/replay): by a feature code the target is a Local channel of the
        extension; by the phone itself the consulting leg is in it.
    """
    for key, is_asked in ((TARGET_CHANNEL, LOCAL_TARGET), (SECOND_EXTENSION, DIALLED)):
        found = is_asked.fullmatch(frame.first(key)) if key in frame.raw else None
        if found is not None:
            return found[1]
    return ""


QUEUE_CONTEXT = b"\r\nContext: ivrd-queue-"
"""Where a queue of ours dials its agents, which AgentConnect tells better."""


def _dial_ended(frame: Frame) -> Event | None:
    """Return the event; None for a queue of ours, which an older filter may let through.

    Source:
        stasis_channels.c, `dial_to_ami`: the dialling channel's block, if there is one, then the
        dialled channel's, then DialStatus.
    """
    if QUEUE_CONTEXT in frame.raw:
        return None
    is_dialled_by_channel = frame.has(CALLER)
    return DialEnded(
        at=frame.at,
        system=frame.system,
        channel_id=frame.channel_id() if is_dialled_by_channel else None,
        linked_id=frame.linked_id(DEST),
        dialled_id=frame.channel_id(DEST),
        device=frame.first(b"\r\nDestChannel: ").rpartition("-")[0],
        status=frame.last(b"\r\nDialStatus: "),
    )


def _leg_replaced(frame: Frame) -> Event | None:
    """Return the event; None for a channel that takes nobody's place.

    Source:
        manager_bridges.c, `channel_enter_cb`: SwapUniqueid is the last header, behind the channel's
        block, and only there when somebody is replaced; one before the block is a forgery.
    """
    found = CALLER.search(frame.raw)
    swap = frame.raw.rfind(b"\r\nSwapUniqueid: ")
    if found is None or swap < found.end("linkedid"):
        return None
    return AgentLegReplaced(
        at=frame.at,
        system=frame.system,
        old_id=channel_id(frame.system, frame.last(b"\r\nSwapUniqueid: ")),
        new_id=frame.channel_id(),
    )


def _recording_began(frame: Frame) -> RecordingChanged:
    """Return the event.

    Source:
        stasis_channels.c, `mixmonitor_start_to_ami`: the recorded channel's block. Also when a
        queue or a feature code records: all of them use MixMonitor. In 16.28.0 and 22.10.1.
    """
    return RecordingChanged(
        at=frame.at,
        system=frame.system,
        channel_id=frame.channel_id(),
        linked_id=frame.linked_id(),
        is_on=True,
    )


def _recording_ended(frame: Frame) -> Event:
    return replace(_recording_began(frame), is_on=False)


def _member_changed(frame: Frame) -> Event:
    return MemberChanged(
        at=frame.at,
        system=frame.system,
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
        member_name=frame.last(MEMBER_NAME),
        device_state=frame.count(b"\r\nStatus: "),
        is_paused=frame.last(b"\r\nPaused: ") == "1",
        is_in_call=frame.last(b"\r\nInCall: ") == "1",
        pause_reason=value(frame.raw, b"\r\nPausedReason"),
        is_fixed=value(frame.raw, b"\r\nMembership") == STATIC,
        penalty=penalty_in(value(frame.raw, b"\r\nPenalty")),
        state_interface=value(frame.raw, b"\r\nStateInterface"),
    )


def _member_removed(frame: Frame) -> Event:
    return MemberRemoved(
        at=frame.at,
        system=frame.system,
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
    )


WANTED: Mapping[bytes, Callable[[Frame], Event | None]] = {
    b"UserEvent": user_event,
    b"QueueCallerJoin": _joined,
    b"QueueCallerLeave": _left,
    b"QueueCallerAbandon": _abandon_noted,
    b"AgentCalled": _agent_rang,
    b"AgentRingNoAnswer": _agent_ring_ended,
    b"AgentConnect": _agent_connected,
    b"AgentComplete": _agent_completed,
    b"HangupRequest": _hangup_requested,
    b"SoftHangupRequest": _hangup_requested,
    b"Hangup": _hung_up,
    b"BlindTransfer": _blind_transferred,
    b"AttendedTransfer": _attended_transferred,
    b"DialEnd": _dial_ended,
    b"BridgeEnter": _leg_replaced,
    b"MixMonitorStart": _recording_began,
    b"MixMonitorStop": _recording_ended,
    b"QueueMemberAdded": _member_changed,
    b"QueueMemberStatus": _member_changed,
    b"QueueMemberPause": _member_changed,
    b"QueueMemberRemoved": _member_removed,
}
"""From an AMI event's name to the function that reads it."""


def parse(system: SystemName, name: bytes, raw: bytes) -> Event | None:
    """Return the core event that a wanted frame stands for; None when it is of no interest.

    Args:
        system: The PBX it came from.
        name: The event's name, one of WANTED.
        raw: The whole frame, without its empty line.

    Raises:
        MessageRefused: The frame is broken, or has no stamp.
    """
    return WANTED[name](Frame(system, raw))
