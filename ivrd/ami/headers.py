"""One AMI event as bytes, and how a header is found in it safely.

Here: rules against forged headers, stamps, numbers. Not here: which event means what (parse.py).

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
"""

import re
from datetime import UTC, datetime

from ivrd.core.ids import ChannelId, SystemName
from ivrd.errors import PeerError

_HEAD = re.compile(
    rb"Event: [A-Za-z]+\r\nPrivilege: [a-z,]+,all\r\nTimestamp: (\d{9,11}\.\d{6})(?:\r\n|$)"
)
"""Rule 1; manager.c, `__manager_event_sessions_va`, with `timestampevents = yes`."""


def _block(prefix: str) -> re.Pattern[bytes]:
    """Return rule 2 for the block of one channel; groups are Uniqueid, Linkedid and Language."""
    names = ("AccountCode", "Context", "Exten")
    middle = rf"\r\n{prefix}Language: (?P<language>[^\r\n]*)" + "".join(
        rf"\r\n{prefix}{name}: [^\r\n]*" for name in names
    )
    ids = (
        rf"\r\n{prefix}Uniqueid: (?P<uniqueid>[^\r\n]+)"
        rf"\r\n{prefix}Linkedid: (?P<linkedid>[^\r\n]+)"
    )
    return re.compile(rf"{middle}\r\n{prefix}Priority: \d+{ids}(?:\r\n|$)".encode())


CALLER = _block("")
DEST = _block("Dest")
TRANSFERER = _block("Transferer")
TRANSFEREE = _block("Transferee")
ORIG_TRANSFERER = _block("OrigTransferer")
SECOND_TRANSFERER = _block("SecondTransferer")
TRANSFER_TARGET = _block("TransferTarget")

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
        return ChannelId(f"{self.system}/{self._described(block, 'uniqueid')}")

    def linked_id(self, block: re.Pattern[bytes] = CALLER) -> ChannelId:
        """Return the Linkedid of the channel that a block describes."""
        return ChannelId(f"{self.system}/{self._described(block, 'linkedid')}")

    def language(self) -> str:
        """Return the language of the caller's channel."""
        return self._described(CALLER, "language")

    def _described(self, block: re.Pattern[bytes], group: str) -> str:
        found = block.search(self.raw)
        if found is None:
            raise MessageRefused("no channel block")
        return found[group].decode("utf-8", "replace")


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
STATIC = "static"
"""What Membership says of a member by queues.conf (app_queue.c)."""
MEMBER_NAME = b"\r\nMemberName: "


def penalty_in(text: str) -> int:
    """Return a member's penalty; 0, Asterisk's own default, for what is no such number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
