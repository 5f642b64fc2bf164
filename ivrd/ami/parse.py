"""Turns AMI events into core events; units, charset and names are fixed here and nowhere else.

Here: the table `WANTED`, and one function per event. Not here: framing (frames.py), the snapshot's
lists (snapshot.py) and what an event means (core).

A frame is searched as bytes, for the few headers that are needed: most of a frame is never decoded.

Which of two equal headers counts. A caller's *number* goes into an event as it is, while its name
is escaped (manager_channels.c, `ast_manager_build_channel_state_string_prefix`), so a number that
holds CR LF can add headers. In that block the order is Channel, CallerIDNum, CallerIDName,
ConnectedLineNum, ..., Uniqueid, Linkedid, then the event's own headers. So in an event with one
channel the *first* Channel and the *last* of all else are Asterisk's own. In an event with several
channels this is not sure for all but the last: a doubled Uniqueid is refused there.

Units: HoldTime, TalkTime and RingTime are not read at all; differences of our own stamps are used
(F5: some are whole seconds, and RingTime in AgentRingNoAnswer is milliseconds).
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentLegReplaced,
    AgentRang,
    AgentRingEnded,
    AttendedTransferred,
    BlindTransferred,
    CallArrived,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    ChannelHungUp,
    ChoiceMade,
    Event,
    HangupRequested,
    MemberChanged,
    MemberRemoved,
    QueueExited,
)
from ivrd.core.ids import (
    CallId,
    ChannelId,
    Interface,
    LineName,
    MenuName,
    QueueName,
    SystemName,
)
from ivrd.errors import PeerError

STAMP_BYTES_MAX = 400
"""Event, Privilege and Timestamp come first, before anything a caller can influence."""

COUNT_DIGITS_MAX = 9
"""More digits than any position or count needs, and few enough to be harmless."""

NUMBER_PATTERN = re.compile(r"[A-Za-z0-9+*#._-]{1,40}")
"""What may pass as a caller's number; anything else counts as absent."""

HIDDEN_NUMBERS = frozenset({"unknown", "anonymous", "restricted", "unavailable", "private"})
"""How Asterisk and trunks spell a number that is hidden (in lower case)."""


class MessageRefused(PeerError):
    """An event lacks or doubles a header that Asterisk always writes once, or has a bad value.

    Attributes:
        reason: A short label, from a small fixed set of headers and words.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Frame:
    """One event, with access to its headers by key; a key is b"\\r\\nName: "."""

    __slots__ = ("at", "raw", "system")

    def __init__(self, system: SystemName, raw: bytes) -> None:
        self.system = system
        self.raw = raw
        self.at = stamp(raw)

    def last(self, key: bytes) -> str:
        """Return the last header of that name.

        Raises:
            MessageRefused: There is none.
        """
        raw = self.raw
        start = raw.rfind(key)
        if start < 0:
            raise MessageRefused(f"no {key[2:-2].decode()}")
        start += len(key)
        end = raw.find(b"\r\n", start)
        return (raw[start:end] if end >= 0 else raw[start:]).decode("utf-8", "replace")

    def first(self, key: bytes) -> str:
        """Return the first header of that name.

        Raises:
            MessageRefused: There is none.
        """
        raw = self.raw
        start = raw.find(key)
        if start < 0:
            raise MessageRefused(f"no {key[2:-2].decode()}")
        start += len(key)
        end = raw.find(b"\r\n", start)
        return (raw[start:end] if end >= 0 else raw[start:]).decode("utf-8", "replace")

    def has(self, key: bytes) -> bool:
        """Tell whether there is a header of that name."""
        return key in self.raw

    def count(self, key: bytes) -> int:
        """Return the last header of that name as a number of at most COUNT_DIGITS_MAX digits."""
        text = self.last(key)
        if not (text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX):
            raise MessageRefused(f"bad {key[2:-2].decode()}")
        return int(text)

    def channel_id(self, key: bytes) -> ChannelId:
        """Return the last header of that name as a channel's id."""
        uniqueid = self.last(key)
        if not uniqueid:
            raise MessageRefused(f"empty {key[2:-2].decode()}")
        return ChannelId(f"{self.system}/{uniqueid}")

    def sole_channel_id(self, key: bytes) -> ChannelId:
        """Return the only header of that name as a channel's id."""
        if self.raw.find(key) != self.raw.rfind(key):
            raise MessageRefused(f"two {key[2:-2].decode()}")
        return self.channel_id(key)


def stamp(raw: bytes) -> datetime:
    """Return an event's own stamp, aware, to the microsecond.

    Raises:
        MessageRefused: There is none; it is never invented.

    Source:
        manager.c, `__manager_event_sessions_va`: "Timestamp: <seconds>.<6 digits>" after Privilege,
        with `timestampevents = yes`.
    """
    start = raw.find(b"\r\nTimestamp: ", 0, STAMP_BYTES_MAX)
    if start < 0:
        raise MessageRefused("no Timestamp")
    end = raw.find(b"\r\n", start + 13)
    try:
        # A float holds microseconds exactly enough until the year 2242; it is rounded to them.
        return datetime.fromtimestamp(float(raw[start + 13 : end if end >= 0 else None]), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MessageRefused("bad Timestamp") from error


def caller_number(text: str) -> str | None:
    """Return a caller's number in clear; None when it is hidden, absent or not a number at all."""
    if NUMBER_PATTERN.fullmatch(text) is None or text.lower() in HIDDEN_NUMBERS:
        return None
    return text


CHANNEL = b"\r\nChannel: "
UNIQUEID = b"\r\nUniqueid: "
LINKEDID = b"\r\nLinkedid: "
QUEUE = b"\r\nQueue: "
INTERFACE = b"\r\nInterface: "
MEMBER_NAME = b"\r\nMemberName: "


def _user_event(frame: Frame) -> Event | None:
    """Return one of our dialplan's own events; None for somebody else's.

    Source:
        stasis.c, `multi_user_event_to_ami`: the channel's block, then UserEvent, then our headers
        as given. With AMI debug on, a Line header (of C source) comes early: the last counts.
    """
    parse = _USER_EVENTS.get(frame.last(b"\r\nUserEvent: "))
    return parse(frame) if parse is not None else None


def _arrived(frame: Frame) -> Event:
    return CallArrived(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id(UNIQUEID)),
        linked_id=frame.channel_id(LINKEDID),
        channel=frame.first(CHANNEL),
        line=LineName(frame.last(b"\r\nLine: ")),
        caller_number=caller_number(frame.first(b"\r\nCallerIDNum: ")),
    )


def _choice(frame: Frame) -> Event:
    return ChoiceMade(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id(UNIQUEID)),
        menu=MenuName(frame.last(b"\r\nMenu: ")),
        outcome=frame.last(b"\r\nOutcome: "),
        choice=frame.last(b"\r\nChoice: "),
        digit=frame.last(b"\r\nDigit: ") or None,
        tries=frame.count(b"\r\nTries: "),
        is_static=frame.last(b"\r\nSource: ") != "ivrd",
    )


def _queue_exit(frame: Frame) -> Event:
    return QueueExited(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
        status=frame.last(b"\r\nStatus: "),
        info=frame.last(b"\r\nInfo: "),
    )


_USER_EVENTS: Mapping[str, Callable[[Frame], Event]] = {
    "IvrdArrived": _arrived,
    "IvrdChoice": _choice,
    "IvrdQueueExit": _queue_exit,
}


def _joined(frame: Frame) -> Event:
    return CallerJoined(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id(UNIQUEID)),
        linked_id=frame.channel_id(LINKEDID),
        channel=frame.first(CHANNEL),
        queue=QueueName(frame.last(QUEUE)),
        position=frame.count(b"\r\nPosition: "),
    )


def _left(frame: Frame) -> Event:
    return CallerLeft(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
    )


def _abandon_noted(frame: Frame) -> Event:
    return CallerAbandonNoted(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
    )


def _agent_rang(frame: Frame) -> Event:
    return AgentRang(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.sole_channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
    )


def _agent_ring_ended(frame: Frame) -> Event:
    return AgentRingEnded(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.sole_channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
    )


def _agent_connected(frame: Frame) -> Event:
    return AgentConnected(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.sole_channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
        member_name=frame.last(MEMBER_NAME),
        agent_leg=frame.channel_id(b"\r\nDestUniqueid: "),
    )


def _agent_completed(frame: Frame) -> Event | None:
    """Return the event; None when Asterisk no longer knew the caller, as happens after a hang-up.

    Source:
        app_queue.c, `queue_publish_multi_channel_snapshot_blob`: "sending incomplete event".
    """
    if not frame.has(UNIQUEID):
        return None
    return AgentCompleted(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.sole_channel_id(UNIQUEID)),
        queue=QueueName(frame.last(QUEUE)),
        reason=frame.last(b"\r\nReason: "),
    )


def _hangup_requested(frame: Frame) -> Event:
    return HangupRequested(at=frame.at, system=frame.system, channel_id=frame.channel_id(UNIQUEID))


def _hung_up(frame: Frame) -> Event:
    return ChannelHungUp(
        at=frame.at,
        system=frame.system,
        channel_id=frame.channel_id(UNIQUEID),
        cause=frame.count(b"\r\nCause: "),
    )


def _optional_id(frame: Frame, key: bytes) -> ChannelId | None:
    return frame.sole_channel_id(key) if frame.has(key) else None


def _blind_transferred(frame: Frame) -> Event:
    """Return the event.

    Source:
        stasis_bridges.c, `blind_transfer_to_ami`: Result first; no Transferee block unless there
        is exactly one transferee.
    """
    return BlindTransferred(
        at=frame.at,
        system=frame.system,
        transferer_id=frame.sole_channel_id(b"\r\nTransfererUniqueid: "),
        transferee_id=_optional_id(frame, b"\r\nTransfereeUniqueid: "),
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
        orig_transferer_id=frame.sole_channel_id(b"\r\nOrigTransfererUniqueid: "),
        second_transferer_id=frame.sole_channel_id(b"\r\nSecondTransfererUniqueid: "),
        transferee_id=_optional_id(frame, b"\r\nTransfereeUniqueid: "),
        target_id=_optional_id(frame, b"\r\nTransferTargetUniqueid: "),
        is_success=frame.first(b"\r\nResult: ") == "Success",
    )


def _leg_replaced(frame: Frame) -> Event | None:
    """Return the event; None for a channel that takes nobody's place.

    Source:
        manager_bridges.c, `channel_enter_cb`: SwapUniqueid is the last header, and only there when
        somebody is replaced; one before Linkedid is a forgery.
    """
    if frame.raw.rfind(b"\r\nSwapUniqueid: ") < frame.raw.rfind(LINKEDID):
        return None
    return AgentLegReplaced(
        at=frame.at,
        system=frame.system,
        old_id=frame.channel_id(b"\r\nSwapUniqueid: "),
        new_id=frame.channel_id(UNIQUEID),
    )


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
    )


def _member_removed(frame: Frame) -> Event:
    return MemberRemoved(
        at=frame.at,
        system=frame.system,
        queue=QueueName(frame.last(QUEUE)),
        interface=Interface(frame.last(INTERFACE)),
    )


WANTED: Mapping[bytes, Callable[[Frame], Event | None]] = {
    b"UserEvent": _user_event,
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
    b"BridgeEnter": _leg_replaced,
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
