"""Turns AMI events into core events; units, charset and names are fixed here and nowhere else.

Here: the table `WANTED`, and one function per event. Not here: framing (frames.py), the snapshot's
lists (snapshot.py) and what an event means (core).

A frame is searched as bytes, for the few headers that are needed: most of a frame is never decoded.

A caller's number may forge headers. Asterisk takes CR LF from "%0d%0a" in a SIP From, and writes
the number into events as it is, while names are escaped (manager_channels.c,
`ast_manager_build_channel_state_string_prefix`; measured on 22.10.1). It may even end a frame and
begin another. Our dialplan cleans the number of its own callers first of all; for all others these
rules hold, which need more text than the 79 bytes that Asterisk keeps of a number:

1. Privilege and Timestamp follow the event's name, each in full form.
2. A channel's ids are only taken from the end of a whole channel block: Language, AccountCode,
   Context, Exten, Priority, Uniqueid, Linkedid, in this order.
3. Of two equal headers, the first is Asterisk's in front of the numbers (Channel, Result), and the
   last is behind them (Queue, Cause, ...).

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
    DialEnded,
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
    channel_id,
)
from ivrd.errors import PeerError

_HEAD = re.compile(
    rb"Event: [A-Za-z]+\r\nPrivilege: [a-z,]+,all\r\nTimestamp: (\d{9,11}\.\d{6})(?:\r\n|$)"
)
"""Rule 1; manager.c, `__manager_event_sessions_va`, with `timestampevents = yes`."""


def _block(prefix: str) -> re.Pattern[bytes]:
    """Return rule 2 for the block of one channel; the groups are Uniqueid and Linkedid."""
    names = ("Language", "AccountCode", "Context", "Exten")
    middle = "".join(rf"\r\n{prefix}{name}: [^\r\n]*" for name in names)
    ids = rf"\r\n{prefix}Uniqueid: ([^\r\n]+)\r\n{prefix}Linkedid: ([^\r\n]+)"
    return re.compile(rf"{middle}\r\n{prefix}Priority: \d+{ids}(?:\r\n|$)".encode())


CALLER = _block("")
_DEST = _block("Dest")
_TRANSFERER = _block("Transferer")
_TRANSFEREE = _block("Transferee")
_ORIG_TRANSFERER = _block("OrigTransferer")
_SECOND_TRANSFERER = _block("SecondTransferer")
_TRANSFER_TARGET = _block("TransferTarget")

COUNT_DIGITS_MAX = 9
"""More digits than any position or count needs, and few enough to be harmless."""

NUMBER_PATTERN = re.compile(r"[A-Za-z0-9+*#._-]{1,40}")
"""What may pass as a caller's number; anything else counts as absent."""

HIDDEN_NUMBERS = frozenset({"unknown", "anonymous", "restricted", "unavailable", "private"})
"""How Asterisk and trunks spell a number that is hidden (in lower case)."""


NO_STAMP = "no Timestamp"
"""Why an event is refused whose Asterisk lacks `timestampevents = yes` in manager.conf."""


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

    def has(self, block: re.Pattern[bytes]) -> bool:
        """Tell whether a channel is described."""
        return block.search(self.raw) is not None

    def count(self, key: bytes) -> int:
        """Return the last header of that name as a number of at most COUNT_DIGITS_MAX digits."""
        text = self.last(key)
        if not (text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX):
            raise MessageRefused(f"bad {key[2:-2].decode()}")
        return int(text)

    def channel_id(self, block: re.Pattern[bytes] = CALLER) -> ChannelId:
        """Return the id of the channel that a block describes."""
        return self._id(block, 1)

    def linked_id(self, block: re.Pattern[bytes] = CALLER) -> ChannelId:
        """Return the Linkedid of the channel that a block describes."""
        return self._id(block, 2)

    def _id(self, block: re.Pattern[bytes], group: int) -> ChannelId:
        found = block.search(self.raw)
        if found is None:
            raise MessageRefused("no channel block")
        return ChannelId(f"{self.system}/{found.group(group).decode('utf-8', 'replace')}")


def stamp(raw: bytes) -> datetime:
    """Return an event's own stamp, aware, to the microsecond.

    Raises:
        MessageRefused: There is none where Asterisk writes it; it is never invented.
    """
    found = _HEAD.match(raw)
    if found is None:
        raise MessageRefused(NO_STAMP)
    return from_epoch(found.group(1))


def from_epoch(text: bytes) -> datetime:
    """Return the time of Asterisk's "<seconds>.<6 digits>".

    Raises:
        MessageRefused: It is no time.
    """
    try:
        # A float holds microseconds exactly enough until the year 2242; it is rounded to them.
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MessageRefused("bad Timestamp") from error


def caller_number(text: str) -> str | None:
    """Return a caller's number in clear; None when it is hidden, absent or not a number at all."""
    if NUMBER_PATTERN.fullmatch(text) is None or text.lower() in HIDDEN_NUMBERS:
        return None
    return text


CHANNEL = b"\r\nChannel: "
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
        call_id=CallId(frame.channel_id()),
        linked_id=frame.linked_id(),
        channel=frame.first(CHANNEL),
        line=LineName(frame.last(b"\r\nLine: ")),
        caller_number=caller_number(frame.first(b"\r\nCallerIDNum: ")),
    )


def _choice(frame: Frame) -> Event:
    return ChoiceMade(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
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
        call_id=CallId(frame.channel_id()),
        queue=QueueName(frame.last(QUEUE)),
        status=frame.last(b"\r\nStatus: "),
        info=frame.last(b"\r\nInfo: "),
        linked_id=frame.linked_id(),
        channel=frame.first(CHANNEL),
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
        agent_leg=frame.channel_id(_DEST),
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
        transferer_id=frame.channel_id(_TRANSFERER),
        transferee_id=_optional_id(frame, _TRANSFEREE),
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
        orig_transferer_id=frame.channel_id(_ORIG_TRANSFERER),
        second_transferer_id=frame.channel_id(_SECOND_TRANSFERER),
        transferee_id=_optional_id(frame, _TRANSFEREE),
        target_id=_optional_id(frame, _TRANSFER_TARGET),
        destination=frame.last(b"\r\nDestType: "),
        is_success=frame.first(b"\r\nResult: ") == "Success",
    )


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
        linked_id=frame.linked_id(_DEST),
        dialled_id=frame.channel_id(_DEST),
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
    if found is None or swap < found.end(2):
        return None
    return AgentLegReplaced(
        at=frame.at,
        system=frame.system,
        old_id=channel_id(frame.system, frame.last(b"\r\nSwapUniqueid: ")),
        new_id=frame.channel_id(),
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
    b"DialEnd": _dial_ended,
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
