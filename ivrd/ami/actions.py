"""From core effects to AMI actions, and what each answer means.

Here: plain values. Not here: sending them (protocol.py) and when (client.py).
"""

import re
from dataclasses import dataclass, field

from ivrd.core.effects import MoveCaller, PauseMember
from ivrd.core.exits import MOVE_MARK
from ivrd.core.ids import QueueName
from ivrd.errors import PeerRefused

LINE_BYTES_MAX = 1000
"""Asterisk takes request lines of at most 1024 bytes (manager.c, `inbuf`)."""

HEARTBEAT_VARIABLE = "IVRD_HEARTBEAT"
"""The dialplan compares it with EPOCH, so it holds whole seconds of Asterisk's own clock."""

DIVERT_VARIABLE = "IVRD_DIVERT_"
"""Begins the name of the global variable of each queue; see `divert`."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One header of an action."""

    name: str
    value: str = field(repr=False)
    """Not shown: it may be a secret or a caller's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiAction:
    """A request to Asterisk; never sent twice."""

    name: str
    headers: tuple[Header, ...] = ()
    is_list: bool = False
    """The answer is a list of events with an end."""
    mark: str = ""
    """Last part of the ActionID, by which a recording's reader knows what the action was for."""

    def __post_init__(self) -> None:
        """Refuse what could end a line and begin another.

        Raises:
            PeerRefused: A value has a control character, or is too long for a request line.
        """
        for header in (Header(name="Action", value=self.name), *self.headers):
            if _CONTROL.search(header.name + header.value):
                raise PeerRefused(f"{header.name} of {self.name} has a control character")
            if len(f"{header.name}: {header.value}".encode()) > LINE_BYTES_MAX:
                raise PeerRefused(f"{header.name} of {self.name} is too long for AMI")


def _action(name: str, *, is_list: bool = False, **headers: str) -> AmiAction:
    return AmiAction(
        name=name,
        headers=tuple(Header(name=key, value=value) for key, value in headers.items()),
        is_list=is_list,
    )


PING = _action("Ping")
LOGOFF = _action("Logoff")
SNAPSHOT_MARK = "snapshot"
PING_FOR_SNAPSHOT = AmiAction(name="Ping", mark=SNAPSHOT_MARK)
LIST_COMMANDS = _action("ListCommands")
CORE_SETTINGS = _action("CoreSettings")
QUEUE_STATUS = _action("QueueStatus", is_list=True)
CORE_SHOW_CHANNELS = _action("CoreShowChannels", is_list=True)


RELOAD_DIALPLAN = _action("Reload", Module="pbx_config")


def login(username: str, secret: str, *, events: str = "on") -> AmiAction:
    """Return the login; its text must never be logged.

    Args:
        username: Of manager.conf.
        secret: In clear.
        events: "off" for a connection that only asks.

    Raises:
        PeerRefused: The name or secret has a control character.
    """
    return _action("Login", Username=username, Secret=secret, Events=events)


def show_context(context: str) -> AmiAction:
    """Return the request for one context of the running dialplan.

    Raises:
        PeerRefused: The name is not fit to be sent.
    """
    return _action("ShowDialPlan", is_list=True, Context=context)


def check_module(module: str) -> AmiAction:
    """Return the question whether a module is loaded."""
    return _action("ModuleCheck", Module=module)


def evaluate(expression: str) -> AmiAction:
    """Return the question what a dialplan function gives, without a call.

    Raises:
        PeerRefused: The expression is not fit to be sent.
    """
    return _action("Getvar", Variable=expression)


def heartbeat(epoch_s: int) -> AmiAction:
    """Return the setting of the global variable that tells the dialplan that we are alive.

    Args:
        epoch_s: Seconds since the epoch by Asterisk's clock; 0 for "gone".
    """
    return _action("Setvar", Variable=HEARTBEAT_VARIABLE, Value=str(epoch_s))


def divert(queue: str, value: str) -> AmiAction:
    """Return the setting of the global variable that tells where callers at a door go.

    Args:
        queue: Whose door.
        value: The other queue and the rule, separated by a space; "" lets callers in.

    Raises:
        PeerRefused: A name in it is not fit to be sent.
    """
    return _action("Setvar", Variable=f"{DIVERT_VARIABLE}{queue}", Value=value)


def withdraw(move: MoveCaller) -> AmiAction:
    """Return the request that takes a caller out of a queue, to be moved by the dialplan.

    Raises:
        PeerRefused: A name in it is not fit to be sent.
    """
    return _action(
        "QueueWithdrawCaller",
        Queue=move.from_queue,
        Caller=move.channel,
        WithdrawInfo=withdraw_info(move.to_queue, reason=move.reason),
    )


def get_entry(family: str, key: str) -> AmiAction:
    """Return the request for a value of Asterisk's own database.

    Raises:
        PeerRefused: A name is not fit to be sent.
    """
    return _action("DBGet", is_list=True, Family=family, Key=key)


def put_entry(family: str, key: str, text: str) -> AmiAction:
    """Return the request to write a value into Asterisk's own database.

    Raises:
        PeerRefused: A name or the value is not fit to be sent.
    """
    return _action("DBPut", Family=family, Key=key, Val=text)


def delete_entry(family: str, key: str) -> AmiAction:
    """Return the request to take a value out of Asterisk's own database.

    Raises:
        PeerRefused: A name is not fit to be sent.
    """
    return _action("DBDel", Family=family, Key=key)


def pause(pause: PauseMember) -> AmiAction:
    """Return the request to pause a member of one queue, or to let them take calls again.

    Raises:
        PeerRefused: A name is not fit to be sent.
    """
    return _action(
        "QueuePause",
        Queue=pause.queue,
        Interface=pause.interface,
        Paused="true" if pause.is_paused else "false",
        Reason=pause.reason if pause.is_paused else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawInfo:
    """What our withdraw info says."""

    to_queue: QueueName
    reason: str
    """The rule's name, perhaps cut."""


def withdraw_info(to_queue: str, *, reason: str) -> str:
    """Return the info that travels with a withdraw: the machine's part first, then the reason.

    The dialplan reads fields 1 to 3, separated by spaces, and needs all of the third: it says what
    the caller hears. queue_log keeps 40 characters; with a long queue name the reason is cut there.

    Example:
        >>> withdraw_info("guides", reason="vaxel-overload")
        'ivrd-move guides vaxel-overload'
    """
    return f"{MOVE_MARK} {to_queue} {reason}".rstrip(" ")


def parse_withdraw_info(text: str) -> WithdrawInfo | None:
    """Return what a withdraw's info says; None when it is not ours.

    Example:
        >>> parse_withdraw_info("ivrd-move guides vaxel-overload").to_queue
        'guides'
        >>> parse_withdraw_info("taken out by hand")
    """
    mark, _, rest = text.partition(" ")
    to_queue, _, reason = rest.partition(" ")
    if mark != MOVE_MARK or not to_queue:
        return None
    return WithdrawInfo(to_queue=QueueName(to_queue), reason=reason)


def refusal(message: str) -> str:
    """Return the short reason for a withdraw that Asterisk answered with an error.

    Source:
        app_queue.c, `manager_request_withdraw_caller_from_queue`: three texts. "No such caller" is
        also the answer for one whom an agent has answered.
    """
    for text, reason in (
        ("No such caller", "no_such_caller"),
        ("No such queue", "no_such_queue"),
        ("Already requested", "already_requested"),
        ("Permission denied", "permission_denied"),
    ):
        if text.lower() in message.lower():
            return reason
    return "refused"
