"""SIP messages as bytes and back, without any input or output.

One datagram is one message. Text is UTF-8 with `surrogateescape`, so that a scenario can send
broken bytes in a caller name on purpose, and what arrives can be written out again unchanged.
Source: RFC 3261 sections 7 and 18.3 (Content-Length over UDP) and 20 (compact forms).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MESSAGE_BYTES_MAX = 65_535
"""A UDP datagram cannot be longer."""
HEADERS_MAX = 200
"""Asterisk sends about 15; more is a fault or an attack."""

_VERSION = "SIP/2.0"
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_CONTROL = re.compile(r"[\r\n\0]")
_CANONICAL = {
    name.lower(): name
    for name in (
        "Accept", "Allow", "Call-ID", "Contact", "Content-Length", "Content-Type", "CSeq", "Event",
        "Expires", "From", "Max-Forwards", "P-Asserted-Identity", "Reason", "Record-Route",
        "Refer-To", "Referred-By", "Replaces", "Require", "Retry-After", "Route", "Server",
        "Subject", "Subscription-State", "Supported", "To", "User-Agent", "Via", "Warning",
    )
}  # fmt: skip
_COMPACT = {
    "c": "Content-Type", "e": "Content-Encoding", "f": "From", "i": "Call-ID", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To", "b": "Referred-By",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
}  # fmt: skip


class BadMessage(ValueError):
    """The bytes are not one whole SIP message, or a value cannot be written as one."""


def canonical_name(name: str) -> str:
    """Return the full, usually spelt name of a header, whatever case or short form was used."""
    lowered = name.lower()
    return _COMPACT.get(lowered) or _CANONICAL.get(lowered, name)


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in their order; look-ups ignore case and know the compact forms."""

    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, *groups: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
        """Join groups of fields, in order, under their canonical names."""
        pairs: list[tuple[str, str]] = []
        for group in groups:
            items = group.items() if isinstance(group, Mapping) else group
            pairs.extend((canonical_name(name), value) for name, value in items)
        return cls(tuple(pairs))

    def get(self, name: str) -> str | None:
        """Return the first value of that name, or None when there is none."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of that name, in order."""
        wanted = canonical_name(name).lower()
        return tuple(value for key, value in self.fields if key.lower() == wanted)

    def require(self, name: str) -> str:
        """Return the first value of that name; without one the message is bad."""
        value = self.get(name)
        if value is None:
            raise BadMessage(f"the message has no {canonical_name(name)} header")
        return value

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A SIP request."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """Write the request, with a Content-Length that is right."""
        return _serialise(
            f"{self.method} {self.uri} {_VERSION}", headers=self.headers, body=self.body
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A SIP response."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """Write the response, with a Content-Length that is right."""
        start = f"{_VERSION} {self.status} {self.reason}"
        return _serialise(start, headers=self.headers, body=self.body)


Message = Request | Response


def _serialise(start_line: str, *, headers: Headers, body: bytes) -> bytes:
    lines = [start_line]
    lines.extend(f"{name}: {value}" for name, value in headers if name != "Content-Length")
    lines.append(f"Content-Length: {len(body)}")
    for line in lines:
        if _CONTROL.search(line):
            raise BadMessage(f"a line of a SIP message cannot hold CR, LF or NUL: {line!r}")
    return "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body


def parse_message(datagram: bytes) -> Message:
    """Read one datagram; bytes after the Content-Length are dropped, as RFC 3261 18.3 says."""
    if len(datagram) > MESSAGE_BYTES_MAX:
        raise BadMessage(f"{len(datagram)} bytes are more than a datagram can hold")
    head, separator, rest = datagram.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise BadMessage("the message has no empty line after its headers")
    start_line, *lines = head.decode(errors="surrogateescape").split("\r\n")
    headers, length = _split_length(_parse_headers(lines))
    if length is not None and length > len(rest):
        raise BadMessage(f"Content-Length says {length} bytes, but only {len(rest)} came")
    return _build(start_line, headers=headers, body=rest[:length])


def _parse_headers(lines: list[str]) -> list[tuple[str, str]]:
    if len(lines) > HEADERS_MAX:
        raise BadMessage(f"{len(lines)} header lines are more than {HEADERS_MAX}")
    fields: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and fields:
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not _TOKEN.fullmatch(name):
            raise BadMessage(f"this is not a header line: {line!r}")
        if _CONTROL.search(value):
            raise BadMessage(f"a header value holds CR, LF or NUL: {line!r}")
        fields.append((canonical_name(name), value.strip(" \t")))
    return fields


def _split_length(fields: list[tuple[str, str]]) -> tuple[Headers, int | None]:
    lengths = {value for name, value in fields if name == "Content-Length"}
    headers = Headers(tuple(pair for pair in fields if pair[0] != "Content-Length"))
    if not lengths:
        return headers, None
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit()):
        raise BadMessage(f"Content-Length must be one number, not {length!r}")
    return headers, int(length[:7])


def _build(start_line: str, *, headers: Headers, body: bytes) -> Message:
    first, _, rest = start_line.partition(" ")
    if first == _VERSION:
        code, _, reason = rest.partition(" ")
        if not re.fullmatch(r"[1-6][0-9]{2}", code) or _CONTROL.search(reason):
            raise BadMessage(f"this is not a status line: {start_line!r}")
        return Response(status=int(code), reason=reason, headers=headers, body=body)
    uri, _, version = rest.rpartition(" ")
    if version != _VERSION or not _TOKEN.fullmatch(first) or not re.fullmatch(r"[^\s\0]+", uri):
        raise BadMessage(f"this is not a request line: {start_line!r}")
    return Request(method=first, uri=uri, headers=headers, body=body)


def quoted(display_name: str) -> str:
    """Write a display name so that its quotes and backslashes stay inside it."""
    escaped = display_name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parameter(value: str, name: str) -> str | None:
    """Return a `;name=value` parameter that stands after the address part of a header value."""
    _, _, tail = value.rpartition(">")
    match = re.search(rf";\s*{re.escape(name)}\s*=\s*\"?([^;,\s\"]+)", tail, flags=re.IGNORECASE)
    return match.group(1) if match else None


def address_uri(value: str) -> str:
    """Return the URI of a From, To or Contact value, with or without angle brackets."""
    match = re.search(r"<([^<>]*)>\s*(?:;[^<>]*)?$", value)
    return match.group(1) if match else value.split(";", 1)[0].strip()


def address_user(value: str) -> str:
    """Return the user part of the address in a header value, '' when it has none."""
    match = re.match(r"sips?:([^@;?>]*)@", address_uri(value))
    return match.group(1) if match else ""


def display_name(value: str) -> str:
    """Return the display name of an address, without quotes, '' when it has none."""
    quoted_match = re.match(r'\s*"((?:[^"\\]|\\.)*)"', value)
    if quoted_match:
        return re.sub(r"\\(.)", r"\1", quoted_match.group(1))
    bare, bracket, _ = value.partition("<")
    return bare.strip() if bracket else ""


def top_branch(headers: Headers) -> str:
    """Return the branch of the topmost Via, by which responses and repeats are recognised."""
    top = headers.require("Via").split(",", 1)[0]
    branch = parameter(top, "branch")
    if branch is None:
        raise BadMessage(f"the top Via has no branch: {top!r}")
    return branch


def cseq(headers: Headers) -> tuple[int, str]:
    """Return number and method of the CSeq header."""
    number, _, method = headers.require("CSeq").partition(" ")
    if not (number.isascii() and number.isdigit() and method.strip()):
        raise BadMessage(f"this is not a CSeq: {headers.get('CSeq')!r}")
    return int(number[:10]), method.strip()


REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted",
    400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    415: "Unsupported Media Type", 480: "Temporarily Unavailable", 481: "Call Does Not Exist",
    486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error",
    503: "Service Unavailable", 600: "Busy Everywhere", 603: "Decline",
}  # fmt: skip
"""Reason phrases of the statuses that these phones send."""


def response_to(
    request: Request,
    status: int,
    *,
    to_tag: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Build the response to a request; the To tag is added unless it is there already."""
    to = request.headers.require("To")
    if to_tag is not None and parameter(to, "tag") is None:
        to = f"{to};tag={to_tag}"
    vias = [("Via", value) for value in request.headers.get_all("Via")]
    routes = [("Record-Route", value) for value in request.headers.get_all("Record-Route")]
    copied = {name: request.headers.require(name) for name in ("From", "Call-ID", "CSeq")}
    return Response(
        status=status,
        reason=REASONS.get(status, "Unnamed"),
        headers=Headers.of(vias, routes, copied, {"To": to}, headers or {}),
        body=body,
    )
