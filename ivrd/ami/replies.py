"""Reads answers to actions, as bytes.

Here: `Reply` and what is read from one. Not here: events (parse.py).
"""

from dataclasses import dataclass
from datetime import datetime

from ivrd.ami.headers import from_epoch

ACTION_ID = b"\r\nActionID: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one action."""

    response: str
    """"Success", "Error", "Goodbye", ..."""
    message: str
    raw: bytes
    """The first frame, the answer itself."""
    items: tuple[bytes, ...]
    """The frames of a list, without its end."""

    @property
    def is_success(self) -> bool:
        """Asterisk took the action."""
        return self.response == "Success"


def reply(raw: bytes, items: tuple[bytes, ...] = ()) -> Reply:
    """Return the answer that a frame holds, and the list that followed it."""
    return Reply(
        response=value(raw, b"Response"),
        message=value(raw, b"\r\nMessage"),
        raw=raw,
        items=items,
    )


def value(raw: bytes, name: bytes) -> str:
    """Return the first header of that name as text; empty when there is none.

    Args:
        raw: The frame.
        name: The name; with CR LF before it unless it is the frame's first.
    """
    key = name + b": "
    start = raw.find(key)
    if start < 0:
        return ""
    start += len(key)
    end = raw.find(b"\r\n", start)
    return (raw[start:end] if end >= 0 else raw[start:]).decode("utf-8", "replace")


def action_id(raw: bytes) -> str:
    """Return the id of the action that a frame answers; empty when there is none."""
    return value(raw, b"\r\nActionID")


def ping_stamp(answer: Reply) -> datetime:
    """Return Asterisk's time in the answer to a ping.

    Raises:
        MessageRefused: There is none.

    Source:
        manager.c, `action_ping`: always there, whatever `timestampevents` says.
    """
    return from_epoch(value(answer.raw, b"\r\nTimestamp").encode())


def command_names(answer: Reply) -> frozenset[str]:
    """Return the actions that our user may use, from the answer to ListCommands.

    Source:
        manager.c, `action_listcommands` (16 to 22): one header "Name: synopsis (Priv: ...)" for
        each action that the user's write classes allow, and no other.
    """
    lines = answer.raw.split(b"\r\n")
    return frozenset(
        line.partition(b": ")[0].decode("ascii", "replace") for line in lines if b"(Priv: " in line
    )
