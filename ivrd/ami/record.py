"""Recordings of raw AMI streams: written with numbers and names masked, and read back.

Here: masking, writing, reading. Not here: when to record (cli.py).

A recording is what Asterisk sent, frame by frame, and replays through the same parser. Numbers are
replaced by numbers that the Swedish regulator keeps free for fiction, the same one each time; other
lengths do no harm, since only empty lines end a frame.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from ivrd.ami.actions import SNAPSHOT_MARK
from ivrd.ami.frames import BANNER_START, END, Framer, event_name
from ivrd.ami.headers import MessageRefused
from ivrd.ami.parse import WANTED, parse
from ivrd.ami.replies import action_id, command_names, ping_stamp, reply
from ivrd.ami.snapshot import snapshot
from ivrd.core.events import Event
from ivrd.core.ids import SystemName

CHUNK_BYTES = 64 * 1024

FICTION = (
    *(f"70174{last:04d}" for last in range(605, 700)),
    *(f"8465004{last:02d}" for last in range(100)),
)
"""National parts of 070-174 06 05 to 99 and 08-465 004 00 to 99 (PTS's series for fiction)."""

NUMBER_DIGITS_MIN = 5
"""Shorter ones are internal short numbers, which name a place and not a person."""

NAME_BYTES_MIN = 3
"""A shorter name is only replaced where it stands in a name's own header."""

_NUMBER_HEADER = re.compile(rb"(?m)^[A-Za-z]*(?:CallerIDNum|ConnectedLineNum|CallerID): ([^\r\n]*)")
_NAME_HEADER = re.compile(rb"(?m)^([A-Za-z]*(?:CallerIDName|ConnectedLineName): )([^\r\n]+)")
_PHONE = re.compile(rb"(?<![\d.])(?:\+|00|0)[1-9]\d{6,13}(?![\d.])")
_UNTOUCHED = re.compile(
    rb"(?:Event|Response|Privilege|Timestamp|ActionID|[A-Za-z]*Uniqueid|[A-Za-z]*Linkedid|"
    rb"[A-Za-z]*BridgeUniqueid|SystemName): "
)
_NAMES_ONLY_IN = re.compile(
    rb"(?:Queue|Interface|StateInterface|Location|MemberName|Name|Context|[A-Za-z]*Channel|"
    rb"UserEvent|Line|Menu|Choice|Info|Reason|Membership|Message|Application): "
)
_NO_NAMES = frozenset({b"<unknown>", b"unknown", b"<none>", b"anonymous", b"Anonymous"})


class Masker:
    """Replaces caller numbers and names in frames, each always by the same.

    A number is learnt from the headers that hold one, and then replaced wherever it stands; what
    looks like a Swedish or international phone number is replaced without having been learnt.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, bytes] = {}
        self._names: dict[bytes, bytes] = {}

    def mask(self, raw: bytes) -> bytes:
        """Return the frame with numbers and names replaced."""
        for found in _NUMBER_HEADER.finditer(raw):
            self._learn_number(found.group(1))
        raw = _NAME_HEADER.sub(self._name_header, raw)
        return b"\r\n".join(self._line(line) for line in raw.split(b"\r\n"))

    def _line(self, line: bytes) -> bytes:
        if _UNTOUCHED.match(line):
            return line
        name, colon, text = line.partition(b": ")
        if not colon:
            name, text = b"", line
        text = _PHONE.sub(lambda found: self._number(found.group()), text)
        for number in self._numbers:
            if number in text:
                text = re.sub(
                    rb"(?<![\d+])" + re.escape(number) + rb"(?!\d)",
                    lambda found: self._number(found.group()),
                    text,
                )
        if not _NAMES_ONLY_IN.match(line):
            for original, replacement in self._names.items():
                if len(original) >= NAME_BYTES_MIN and original in text:
                    text = text.replace(original, replacement)
        return name + colon + text

    def _learn_number(self, text: bytes) -> None:
        for digits in re.findall(rb"\+?\d+", text):
            if len(digits.lstrip(b"+")) >= NUMBER_DIGITS_MIN and not _is_fiction(digits):
                self._number(digits)

    def _number(self, number: bytes) -> bytes:
        """Return the replacement, in the same form (+46, 0046, 46 or 0)."""
        if _is_fiction(number):
            return number
        if number not in self._numbers:
            prefix, national = _split(number)
            known = next(
                (masked for each, masked in self._numbers.items() if _split(each)[1] == national),
                None,
            )
            if known is None:
                # Numbers past the end of the series share; a recording has few so many callers.
                nationals = {_split(masked)[1] for masked in self._numbers.values()}
                fiction = FICTION[len(nationals) % len(FICTION)].encode()
            else:
                fiction = _split(known)[1]
            self._numbers[number] = prefix + fiction
        return self._numbers[number]

    def _name_header(self, found: re.Match[bytes]) -> bytes:
        header, name = found.groups()
        if name in _NO_NAMES or name in self._names.values():
            return bytes(header + name)
        if name not in self._names:
            self._names[name] = b"Name %d" % (len(self._names) + 1)
        return bytes(header + self._names[name])


def _split(number: bytes) -> tuple[bytes, bytes]:
    """Return a number's prefix and its national part."""
    for prefix in (b"+46", b"0046", b"46", b"00", b"+", b"0"):
        if number.startswith(prefix) and len(number) - len(prefix) >= NUMBER_DIGITS_MIN:
            return prefix, number[len(prefix) :]
    return b"0", number


def _is_fiction(number: bytes) -> bool:
    prefix, national = _split(number)
    return prefix in (b"+46", b"0046", b"46", b"0") and national.decode() in _FICTION_SET


_FICTION_SET = frozenset(FICTION)


class Recorder:
    """Writes a masked recording; use as a context manager, and its `tap` as the client's.

    A file error is kept, not raised, for the tap must never disturb the connection.

    Attributes:
        frames_count: Frames written.
        error: The first file error; after it nothing more is written.
    """

    def __init__(self, path: Path) -> None:
        """Create the file; refuses to overwrite.

        Raises:
            OSError: The file exists, or cannot be written.
        """
        self._file = path.open("xb")
        self._framer = Framer()
        self._masker = Masker()
        self._has_banner = False
        self.frames_count = 0
        self.error: OSError | None = None

    def tap(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        if self.error is not None:
            return
        if chunk.startswith(BANNER_START):
            # A new connection has a banner of its own.
            self._framer = Framer()
            self._has_banner = False
        try:
            self._write(chunk)
        except OSError as error:
            self.error = error

    def _write(self, chunk: bytes) -> None:
        frames = self._framer.feed(chunk)
        if not self._has_banner and self._framer.banner is not None:
            self._has_banner = True
            self._file.write(self._framer.banner + b"\r\n")
        for frame in frames:
            self._file.write(self._masker.mask(frame) + END)
        self.frames_count += len(frames)

    def close(self) -> None:
        """Write what is left, and close the file."""
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_frames(path: Path) -> Iterator[bytes]:
    """Yield the frames of a recording, in order, without banner.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(CHUNK_BYTES)
        framer = Framer(has_banner=start.startswith(BANNER_START))
        while start:
            yield from framer.feed(start)
            start = file.read(CHUNK_BYTES)


def replay(
    frames: Iterator[bytes],
    system: SystemName,
    *,
    note_refused: Callable[[str], None] = lambda reason: None,
) -> Iterator[Event]:
    """Yield the core events of a recording, as the live client would have handed them on.

    Events before a snapshot are held back until it is complete, as in session.py. Broken events are
    left out, as they are live, and so is a broken snapshot. A recording without a snapshot gives
    its events as they come.

    Args:
        frames: What Asterisk sent.
        system: The PBX it came from.
        note_refused: Told why, for each broken event or snapshot.
    """
    yield from _Replay(list(frames), system, note_refused).events()


class _Replay:
    """Follows a recording's snapshots by the answers in it."""

    def __init__(
        self, frames: list[bytes], system: SystemName, note_refused: Callable[[str], None]
    ) -> None:
        self._frames = frames
        self._system = system
        self._note_refused = note_refused
        self._can_withdraw = False
        self._ping: bytes | None = None
        self._items: dict[bytes, list[bytes]] = {b"Queue": [], b"CoreShow": []}
        self._held: list[Event] = []

    def events(self) -> Iterator[Event]:
        ends = [
            number
            for number, raw in enumerate(self._frames)
            if event_name(raw) == b"CoreShowChannelsComplete"
        ]
        is_holding = bool(ends)
        for number, raw in enumerate(self._frames):
            name = event_name(raw)
            if name is None:
                self._note_answer(raw)
            elif name == b"Reload":
                is_holding = any(end > number for end in ends)
            elif name == b"CoreShowChannelsComplete":
                yield from self._snapshot()
                is_holding = False
            elif name in WANTED:
                event = self._event(name, raw)
                if event is not None and is_holding:
                    self._held.append(event)
                elif event is not None:
                    yield event
            elif action_id(raw):
                self._note_item(name, raw)

    def _note_answer(self, raw: bytes) -> None:
        if b"\r\nPing: Pong" in raw:
            if action_id(raw).endswith(f"/{SNAPSHOT_MARK}"):
                self._ping = raw
        elif "QueueStatus" in command_names(reply(raw)):
            self._can_withdraw = "QueueWithdrawCaller" in command_names(reply(raw))

    def _note_item(self, name: bytes, raw: bytes) -> None:
        for kind, items in self._items.items():
            if name.startswith(kind) and not name.endswith(b"Complete"):
                items.append(raw)

    def _event(self, name: bytes, raw: bytes) -> Event | None:
        try:
            return parse(self._system, name, raw)
        except MessageRefused as refusal:
            self._note_refused(refusal.reason)
            return None

    def _snapshot(self) -> Iterator[Event]:
        try:
            taken = self._taken()
        except MessageRefused as refusal:
            self._note_refused(refusal.reason)
            taken = None
        if taken is not None:
            yield taken
        yield from self._held
        self._held = []
        self._items = {b"Queue": [], b"CoreShow": []}

    def _taken(self) -> Event | None:
        """Return the snapshot; None when the recording does not say of which moment it is."""
        stamps = [event.at for event in self._held[:1]]
        if self._ping is not None:
            stamps.append(ping_stamp(reply(self._ping)))
        if not stamps:
            return None
        return snapshot(
            at=min(stamps),
            system=self._system,
            queue_items=self._items[b"Queue"],
            channel_items=self._items[b"CoreShow"],
            can_withdraw=self._can_withdraw,
        )
