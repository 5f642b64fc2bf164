"""One fact as one line of text, and back, exactly.

Here: the format of a line. Not here: files (segments.py), or when a line is written.

A line is JSON by itself: {"v":1,"crc":"0f1e2d3c","fact":{"kind":"call","at":...}}. The checksum is
the CRC-32 of the bytes of the inner object, so that a line half written or half overwritten is
known for what it is. A moment is ISO 8601 with its offset, a duration whole microseconds. Text is
UTF-8 that lets lone surrogates through ("surrogatepass"): what a phone has sent comes back as it
was, and what a database cannot hold is the database's to say. A caller's number is not written.

Strict: an unknown field, a missing one, or a value of another type makes the line a broken one.
Only a field that has a default in core/effects.py may be missing, as in a line that was written
before the field came. So a field may come with a default; any other change, of a field or of what
it means, needs a new FORMAT_VERSION and a reader for the old. A test holds lines as they were.
"""

import dataclasses
import json
import re
import typing
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from types import UnionType

from ivrd.core.decisions import RecordDecision
from ivrd.core.effects import (
    OpenCase,
    RecordCall,
    RecordCallAct,
    RecordContact,
    RecordEntry,
    RecordMove,
)
from ivrd.core.switches import RecordAct
from ivrd.errors import IvrdBug, PeerError

UNWRITTEN = frozenset({"caller_number", "out_of"})
"""Fields that never come to the disk. Lines of before may hold them, and are still read."""

FORMAT_VERSION = 1
"""Written in each line; a segment that begins with a higher one is refused whole."""

Fact = (
    RecordEntry
    | RecordCall
    | RecordMove
    | OpenCase
    | RecordContact
    | RecordCallAct
    | RecordAct
    | RecordDecision
)
"""The effects that a journal holds."""

Plain = str | int | bool | None
"""What a field becomes in JSON."""

ONE_US = timedelta(microseconds=1)

_LINE = re.compile(rb'\{"v":(\d{1,9}),"crc":"([0-9a-f]{8})","fact":(\{.*\})\}\n', re.DOTALL)
_VERSION = re.compile(rb'\{"v":(\d{1,9}),')


class JournalError(PeerError):
    """The journal cannot be used; the text names the path, the reason and the way out."""


class LineBroken(JournalError):
    """A line is not one that we have written whole; the text quotes none of it."""


def encode(fact: Fact) -> bytes:
    """Return a fact as a line, with its end.

    Raises:
        TypeError: A field holds what its annotation forbids.
    """
    kind, names, read = _WRITTEN[type(fact)]
    values = dict(zip(names, read(fact), strict=True))
    text = _ENCODER.encode({"kind": kind, **values}).encode("utf-8", "surrogatepass")
    return b'{"v":%d,"crc":"%08x","fact":%b}\n' % (FORMAT_VERSION, zlib.crc32(text), text)


def decode(line: bytes) -> Fact:
    """Return the fact of a line.

    Raises:
        LineBroken: The line is cut, changed, or of another format.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise LineBroken("it is not a whole line of the journal")
    version, checksum, text = int(found[1]), int(found[2], 16), found[3]
    if version != FORMAT_VERSION:
        raise LineBroken(f"it has format version {version}, and not {FORMAT_VERSION}")
    if zlib.crc32(text) != checksum:
        raise LineBroken("its checksum does not fit")
    try:
        return _fact(json.loads(text.decode("utf-8", "surrogatepass")))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        # The error's own text may hold a caller's number.
        raise LineBroken(f"its content is wrong ({type(error).__name__})") from None


def version_of(line: bytes) -> int | None:
    """Return the format version that a line claims; None when it is no line of a journal."""
    found = _VERSION.match(line)
    return None if found is None else int(found[1])


def _plain(value: object) -> Plain:
    """Return what JSON has no type for; enums of text and newtypes are text already."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // ONE_US
    raise TypeError(f"a journal has no form for {type(value).__name__}")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=_plain
)


def _fact(document: object) -> Fact:
    if not isinstance(document, dict):
        raise ValueError("not an object")
    make, fields = _READ[document.pop("kind")]
    values = {name: fields[name](value) for name, value in document.items()}
    for name in UNWRITTEN & fields.keys():
        values.setdefault(name, None)
    # One that is missing without a default is a TypeError of `make`.
    return make(**values)


Parse = Callable[[object], object]


def _moment(value: object) -> datetime:
    if type(value) is not str:
        raise ValueError("not a moment")
    return datetime.fromisoformat(value)


def _duration(value: object) -> timedelta:
    if type(value) is not int:
        raise ValueError("not a duration")
    return timedelta(microseconds=value)


def _exactly(wanted: type) -> Parse:
    def parse(value: object) -> object:
        # `type is`, because True is an int to isinstance().
        if type(value) is not wanted:
            raise ValueError(f"not {wanted.__name__}")
        return value

    return parse


def _or_none(parse: Parse) -> Parse:
    return lambda value: None if value is None else parse(value)


def _parser(annotation: object) -> Parse:
    """Return how a field of this annotation is read back; a type we do not know is our bug."""
    if isinstance(annotation, UnionType) or typing.get_origin(annotation) is typing.Union:
        inner = [one for one in typing.get_args(annotation) if one is not type(None)]
        if len(inner) == 1:
            return _or_none(_parser(inner[0]))
    plain = getattr(annotation, "__supertype__", annotation)
    if plain is datetime:
        return _moment
    if plain is timedelta:
        return _duration
    if isinstance(plain, type) and issubclass(plain, StrEnum):
        return plain
    if isinstance(plain, type) and plain in (str, int, bool):
        return _exactly(plain)
    raise IvrdBug(f"the journal has no form for {annotation}")


KINDS: Mapping[str, type[Fact]] = {
    "entry": RecordEntry,
    "call": RecordCall,
    "move": RecordMove,
    "case": OpenCase,
    "contact": RecordContact,
    "call_act": RecordCallAct,
    "act": RecordAct,
    "decision": RecordDecision,
}
"""The word for each fact in a line."""


def _names(made: type[Fact]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(made))


def _written(made: type[Fact]) -> tuple[str, ...]:
    return tuple(name for name in _names(made) if name not in UNWRITTEN)


def _parsers(made: type[Fact]) -> Mapping[str, Parse]:
    hints = typing.get_type_hints(made)
    return {name: _parser(hints[name]) for name in _names(made)}


_WRITTEN = {
    made: (kind, _written(made), attrgetter(*_written(made))) for kind, made in KINDS.items()
}

_READ: Mapping[str, tuple[Callable[..., Fact], Mapping[str, Parse]]] = {
    kind: (made, _parsers(made)) for kind, made in KINDS.items()
}
