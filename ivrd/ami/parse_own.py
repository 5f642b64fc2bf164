"""Our own dialplan's events: UserEvent with a name that begins with Ivrd.

Here: a function per event of ours. Not here: Asterisk's own events (parse.py).
"""

from collections.abc import Callable, Mapping

from ivrd.ami.headers import CHANNEL, QUEUE, Frame, caller_number, from_epoch
from ivrd.core.events import (
    CallArrived,
    ChoiceMade,
    Event,
    LabelPressed,
    LineClosed,
    NoticeTold,
    QueueExited,
)
from ivrd.core.ids import CallId, LineName, MenuName, QueueName, channel_id


def user_event(frame: Frame) -> Event | None:
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
        language=frame.language(),
    )


def _line_closed(frame: Frame) -> Event:
    return LineClosed(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        line=LineName(frame.last(b"\r\nLine: ")),
        reason=frame.last(b"\r\nReason: "),
    )


def _notice_told(frame: Frame) -> Event:
    return NoticeTold(
        at=frame.at,
        system=frame.system,
        call_id=CallId(frame.channel_id()),
        notice=frame.last(b"\r\nNotice: "),
        is_over=frame.last(b"\r\nPhase: ") == "ended",
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


def _label(frame: Frame) -> Event:
    return LabelPressed(
        at=frame.at,
        system=frame.system,
        call_id=CallId(channel_id(frame.system, frame.last(b"\r\nCall: "))),
        queue=QueueName(frame.last(QUEUE)),
        label=frame.last(b"\r\nLabel: "),
        is_half=frame.last(b"\r\nClass: ") == "half",
        is_after=frame.last(b"\r\nWhen: ") == "after",
        pressed_at=from_epoch(frame.last(b"\r\nPressed: ").encode()),
        channel_id=frame.channel_id(),
        channel=frame.first(CHANNEL),
    )


_USER_EVENTS: Mapping[str, Callable[[Frame], Event]] = {
    "IvrdArrived": _arrived,
    "IvrdChoice": _choice,
    "IvrdClosed": _line_closed,
    "IvrdLabel": _label,
    "IvrdNotice": _notice_told,
    "IvrdQueueExit": _queue_exit,
}
