"""A tracker's state as JSON text, and back: what is kept of live calls across a restart.

Here: the text. Not here: writing it to a disk, and what the state means (core/tracker.py).

Every record carries its type's name, because the states of an entry differ by type and not by
fields. Reading is strict: an unknown type, a missing or an unknown field, or a value of another
kind is refused, and the caller begins with a snapshot alone. So a newer ivrd never half understands
what an older one wrote.
"""

import dataclasses
import functools
import json
import types
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

from ivrd.core.tracker_state import TrackerState
from ivrd.errors import IvrdBug, PeerError

VERSION = 1
"""Of the text's form; another one is refused."""

T = TypeVar("T")

_MICROSECOND = timedelta(microseconds=1)


class StateRefused(PeerError):
    """The text is no tracker's state of this version."""


def dumps(state: TrackerState) -> str:
    """Return a state as one line of JSON."""
    return json.dumps(
        {"version": VERSION, "state": _packed(state)}, ensure_ascii=True, separators=(",", ":")
    )


def loads(text: str) -> TrackerState:
    """Return the state that a text holds.

    Raises:
        StateRefused: It holds none, or one of another version.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StateRefused(f"no JSON: {error}") from error
    if not isinstance(document, dict) or set(document) != {"version", "state"}:
        raise StateRefused("no document with a version and a state")
    if document["version"] != VERSION:
        raise StateRefused(f"version {document['version']!r}, expected {VERSION}")
    state = _read(TrackerState, document["state"])
    assert isinstance(state, TrackerState), "a record is read as the type asked for"
    return state


def _packed(value: object) -> object:
    if dataclasses.is_dataclass(value):
        fields = {
            field.name: _packed(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [_packed(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _packed(item) for key, item in sorted(value.items())}
    if isinstance(value, frozenset):
        return sorted(str(item) for item in value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if value is None or isinstance(value, str | int):
        return value
    raise IvrdBug(f"a state holds a {type(value).__name__}, which has no form in JSON")


def _read(kind: object, value: object) -> object:
    """Return a value of a kind: a type, as it stands in a record's annotations."""
    kind = getattr(kind, "__supertype__", kind)  # What a NewType is made of.
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_one_of(get_args(kind), value)
    if origin in (tuple, frozenset):
        items = [_read(get_args(kind)[0], item) for item in _checked(list, value)]
        return tuple(items) if origin is tuple else frozenset(items)
    if origin is Mapping:
        of = get_args(kind)[1]
        return {key: _read(of, item) for key, item in _checked(dict, value).items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _read_record(kind, value)
    if kind is datetime:
        return _read_datetime(_checked(str, value))
    if kind is timedelta:
        return _checked(int, value) * _MICROSECOND
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(_checked(str, value))
        except ValueError as error:
            raise StateRefused(str(error)) from error
    if isinstance(kind, type) and kind in (str, int, bool):
        return _checked(kind, value)
    raise IvrdBug(f"a state has a field of the kind {kind!r}, which cannot be read")


def _read_one_of(kinds: tuple[object, ...], value: object) -> object:
    if value is None and types.NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not types.NoneType]
    if len(others) == 1:
        return _read(others[0], value)
    name = _checked(dict, value).get("type")
    for kind in others:
        if getattr(kind, "__name__", None) == name:
            return _read(kind, value)
    raise StateRefused(f"an unknown record {name!r}")


def _read_record(kind: type, value: object) -> object:
    record: Mapping[str, object] = _checked(dict, value)
    hints = _hints(kind)
    if record.get("type") != kind.__name__ or set(record) != {"type", *hints}:
        raise StateRefused(f"no {kind.__name__}: {sorted(record)}")
    return kind(**{name: _read(hint, record[name]) for name, hint in hints.items()})


@functools.cache
def _hints(kind: type) -> Mapping[str, object]:
    """Return the kind of each field of a record; looking it up costs more than reading one."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _read_datetime(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise StateRefused(str(error)) from error
    if moment.tzinfo is None:
        raise StateRefused(f"a moment without a time zone: {text}")
    return moment


def _checked(kind: type[T], value: object) -> T:
    """Return a value that is of that very type: true is no number."""
    if not isinstance(value, kind) or type(value) is not kind:
        raise StateRefused(f"a {type(value).__name__} where a {kind.__name__} belongs")
    return value
