"""FastAGI without IO: bytes in, events out; commands in, bytes out.

Here: framing, limits, quoting, and the rule that an answer belongs to the command before it.
Not here: sockets (server.py) and what a menu does (session.py).

The conversation (Source: res_agi.c, `setup_env`, `run_agi`, `agi_handle_command`, 16 to 22):

1. Asterisk sends lines "agi_name: value", then an empty line. `agi_network_script` is among the
   first, before any value that a caller can influence; a header that comes twice is refused, so a
   caller's name can never replace it.
2. We send one command line and wait for its answer: "200 result=.. (..) endpos=..", "510 ..",
   "511 ..", or "520-" and a usage text of many lines that ends with "520 ".
3. "HANGUP" may come at any line. It is no answer: it is an event of its own, and the answer to a
   command that is still open may follow it.
4. Never two commands at once. Asterisk reads through a stdio buffer but waits on the descriptor, so
   a second command read along with the first stays unseen until more bytes come (measured on
   22.10.1); and a command that arrives during STREAM FILE or WAIT FOR DIGIT ends that one, without
   an answer or with a false "200 result=1". `send` enforces this.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto

from ivrd.errors import IvrdBug, PeerError

LINE_BYTES_MAX = 4096
"""One incoming line. The longest real ones are the URL and a caller's name, some hundred bytes."""

HEADER_COUNT_MAX = 64
"""Asterisk sends 22, plus one for each argument of AGI(); our dialplan gives two at most."""

REQUEST_BYTES_MAX = 16 * 1024
"""A real request has about 700 bytes; h11 allows 16 KiB for the same purpose."""

USAGE_BYTES_MAX = 16 * 1024
"""A 520 answer's usage text; the longest of Asterisk's own has about 2 KB."""

COMMAND_BYTES_MAX = 2047
"""One command with its newline. Asterisk's buffer has 2048 bytes before 22.6, 8192 since."""

_HEADER_START = b"agi_"
_HEADER = re.compile(r"(agi_[a-z0-9_]+): ?(.*)", re.DOTALL)
_RESULT = re.compile(r"result=(-?[0-9]{1,10})(?: \((.*?)\))?(?: endpos=(-?[0-9]{1,18}))?\s*")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.:+*#/-]*")
_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")


class ProtocolFault(Enum):
    """What was wrong with the peer's bytes; the name is a metric label in lower case."""

    NOT_AGI = auto()
    LINE_TOO_LONG = auto()
    REQUEST_TOO_LONG = auto()
    TOO_MANY_HEADERS = auto()
    REPEATED_HEADER = auto()
    USAGE_TOO_LONG = auto()
    NOT_AN_ANSWER = auto()
    ANSWER_WITHOUT_COMMAND = auto()
    CUT_SHORT = auto()


class AgiProtocolError(PeerError):
    """The peer does not speak FastAGI as Asterisk does. The connection is of no more use."""

    def __init__(self, fault: ProtocolFault) -> None:
        super().__init__(f"not FastAGI as Asterisk speaks it: {fault.name.lower()}")
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class AgiRequest:
    """Who asks for what: the first thing on a connection."""

    script: str
    """The path of the URL without its first slash; empty when the URL has none."""
    args: tuple[str, ...] = field(repr=False)
    """The arguments of AGI() after the URL, in order."""
    headers: Mapping[str, str] = field(repr=False, hash=False)
    """All headers by name; holds the caller's number and name in clear, so it has no repr."""

    @property
    def uniqueid(self) -> str | None:
        """The caller channel's Uniqueid; None when absent."""
        return self.headers.get("agi_uniqueid")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgiAnswer:
    """The answer to the command that was sent last."""

    code: int
    """200, 510 (unknown command), 511 (channel is dead) or 520 (usage)."""
    result: int | None
    """The number after `result=`; None unless `code` is 200."""
    value: str | None = None
    """What stood in parentheses."""
    endpos: int | None = None
    """Samples played, for STREAM FILE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangupNoticed:
    """The unsolicited line HANGUP: the caller is gone, or the session is at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerClosed:
    """The peer will send nothing more. Comes again each time it is asked for."""


class NeedData:
    """The type of `NEED_DATA`."""


NEED_DATA = NeedData()
"""No whole event yet: call `receive` with more bytes."""

AgiEvent = AgiRequest | AgiAnswer | HangupNoticed | PeerClosed


class AgiConnection:
    """One FastAGI connection seen from the daemon; feed it bytes, then ask for events.

    After an `AgiProtocolError` the object is spent: close the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._has_ended = False
        self._headers: dict[str, str] = {}
        self._request_bytes = 0
        self._has_request = False
        self._has_open_command = False
        self._usage_bytes: int | None = None
        self.has_seen_bytes = False
        """False on a connection that was opened and closed without a word: a port probe."""

    def receive(self, data: bytes) -> None:
        """Take bytes as they came from the socket; empty means that the peer has ended."""
        if data:
            self.has_seen_bytes = True
            self._buffer += data
        else:
            self._has_ended = True

    def send(self, command: bytes) -> bytes:
        """Return the bytes to write, and expect one answer.

        Raises:
            IvrdBug: when the answer to the command before is still open (rule 4 of the header).
        """
        if not self._has_request or self._has_open_command:
            raise IvrdBug("an AGI command was sent while the one before was not answered")
        self._has_open_command = True
        return command

    def next_event(self) -> AgiEvent | NeedData:
        """Return the next whole event, or `NEED_DATA`.

        Raises:
            AgiProtocolError: the peer broke a rule or a limit.
        """
        while (line := self._next_line()) is not None:
            event = self._read_answer(line) if self._has_request else self._read_header(line)
            if event is not None:
                return event
        if not self._has_ended:
            return NEED_DATA
        if self.has_seen_bytes and not self._has_request:
            raise AgiProtocolError(ProtocolFault.CUT_SHORT)
        return PeerClosed()

    def _next_line(self) -> str | None:
        self._refuse_garbage_early()
        end = self._buffer.find(b"\n", self._searched)
        if end > LINE_BYTES_MAX or (end < 0 and len(self._buffer) > LINE_BYTES_MAX):
            raise AgiProtocolError(ProtocolFault.LINE_TOO_LONG)
        if end < 0:
            # Byte by byte input must not cost the square of its length.
            self._searched = len(self._buffer)
            return None
        line = self._buffer[:end].decode("utf-8", errors="replace")
        del self._buffer[: end + 1]
        self._searched = 0
        self._count_request_bytes(end + 1)
        return line.removesuffix("\r")

    def _refuse_garbage_early(self) -> None:
        """Refuse a TLS or HTTP client at its first bytes, not after a line that never ends."""
        if self._has_request or not self._buffer:
            return
        start = bytes(self._buffer[: len(_HEADER_START)])
        if not _HEADER_START.startswith(start) and not start.startswith((b"\n", b"\r")):
            raise AgiProtocolError(ProtocolFault.NOT_AGI)

    def _count_request_bytes(self, line_bytes: int) -> None:
        if self._has_request:
            return
        self._request_bytes += line_bytes
        if self._request_bytes > REQUEST_BYTES_MAX:
            raise AgiProtocolError(ProtocolFault.REQUEST_TOO_LONG)

    def _read_header(self, line: str) -> AgiRequest | None:
        if not line and self._headers:
            return self._finish_request()
        header = _HEADER.fullmatch(line)
        if header is None:
            raise AgiProtocolError(ProtocolFault.NOT_AGI)
        name, value = header.groups()
        if name in self._headers:
            raise AgiProtocolError(ProtocolFault.REPEATED_HEADER)
        if len(self._headers) >= HEADER_COUNT_MAX:
            raise AgiProtocolError(ProtocolFault.TOO_MANY_HEADERS)
        self._headers[name] = value
        return None

    def _finish_request(self) -> AgiRequest:
        self._has_request = True
        args: list[str] = []
        while (arg := self._headers.get(f"agi_arg_{len(args) + 1}")) is not None:
            args.append(arg)
        return AgiRequest(
            script=self._headers.get("agi_network_script", ""),
            args=tuple(args),
            headers=self._headers,
        )

    def _read_answer(self, line: str) -> AgiAnswer | HangupNoticed | None:
        if line == "HANGUP":
            return HangupNoticed()
        if not self._has_open_command:
            raise AgiProtocolError(ProtocolFault.ANSWER_WITHOUT_COMMAND)
        if self._usage_bytes is not None or line.startswith("520-"):
            return self._read_usage(line)
        answer = _parse_answer(line)
        self._has_open_command = False
        return answer

    def _read_usage(self, line: str) -> AgiAnswer | None:
        self._usage_bytes = (self._usage_bytes or 0) + len(line) + 1
        if self._usage_bytes > USAGE_BYTES_MAX:
            raise AgiProtocolError(ProtocolFault.USAGE_TOO_LONG)
        if not line.startswith("520 "):
            return None
        self._usage_bytes = None
        self._has_open_command = False
        return AgiAnswer(code=520, result=None)


def _parse_answer(line: str) -> AgiAnswer:
    code, _, rest = line.partition(" ")
    if code in ("510", "511", "520"):
        return AgiAnswer(code=int(code), result=None)
    result = _RESULT.fullmatch(rest) if code == "200" else None
    if result is None:
        raise AgiProtocolError(ProtocolFault.NOT_AN_ANSWER)
    number, value, endpos = result.groups()
    return AgiAnswer(
        code=200,
        result=int(number),
        value=value,
        endpos=None if endpos is None else int(endpos),
    )


def command(verb: str, *arguments: str) -> bytes:
    """Return one command line, every argument quoted.

    Raises:
        IvrdBug: for a control character or a line that Asterisk would cut: the values come from a
            configuration that was checked, so this is never the caller's or Asterisk's doing.

    Source:
        res_agi.c, `parse_args`: blanks end a word outside quotes, a backslash escapes the next
        character, an empty pair of quotes is an empty word.
    """
    line = " ".join((verb, *(_quote(argument) for argument in arguments)))
    if _UNSENDABLE.search(line):
        raise IvrdBug(f"control character in an AGI command: {line!r}")
    encoded = line.encode() + b"\n"
    if len(encoded) > COMMAND_BYTES_MAX:
        raise IvrdBug(f"AGI command of {len(encoded)} bytes, Asterisk takes {COMMAND_BYTES_MAX}")
    return encoded


def _quote(argument: str) -> str:
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def set_variable(name: str, value: str) -> bytes:
    """Return SET VARIABLE; `name` may be a function such as "TIMEOUT(absolute)"."""
    return command("SET VARIABLE", name, value)


def set_variables(values: Mapping[str, str]) -> bytes:
    """Return one command that sets several channel variables, in order.

    Raises:
        IvrdBug: for a name or value that MSet would not take literally.

    Source:
        MSet is in Asterisk's core (main/pbx_variables.c, `pbx_builtin_setvar_multiple`, 16 to 22)
        and splits at commas and the first "="; each SET VARIABLE would be a round trip of its own.
    """
    for name, value in values.items():
        if not _VARIABLE.fullmatch(name) or not _PLAIN_VALUE.fullmatch(value):
            raise IvrdBug(f"not a plain channel variable for MSet: {name!r}={value!r}")
    return command("EXEC", "MSet", ",".join(f"{name}={value}" for name, value in values.items()))


def stream_file(prompt: str, escape_digits: str) -> bytes:
    """Return STREAM FILE: result 0 heard to the end, else the key's character code.

    Source:
        res_agi.c, `handle_streamfile`: -1 for a hang-up *and* for a file that is missing; only the
        hang-up is followed by HANGUP. The session goes on after a missing file (measured on
        22.10.1), but AGISTATUS is then FAILURE at its end.
    """
    return command("STREAM FILE", prompt, escape_digits)


def wait_for_digit(timeout: timedelta) -> bytes:
    """Return WAIT FOR DIGIT: result 0 silence, -1 hang-up, else the key's character code."""
    return command("WAIT FOR DIGIT", str(round(timeout / timedelta(milliseconds=1))))
