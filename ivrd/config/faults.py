"""Faults of a document in words: path, what is wrong, and the nearest known name.

Here: from pydantic's list to lines for a person. Not here: any check.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import get_args

from pydantic import ValidationError

from ivrd.config.base import Section
from ivrd.config.whole import Config

HIDDEN = frozenset({"secret", "password", "client_secret", "sheet", "keys"})
"""Fields that are filled from files, and must not stand in the configuration."""


def readable(error: ValidationError) -> Iterator[str]:
    """Yield one line for each fault that pydantic found."""
    faults = error.errors(include_url=False, include_input=False)
    inner = {_place(fault["loc"][:depth]) for fault in faults for depth in range(len(fault["loc"]))}
    for fault in faults:
        place = _place(fault["loc"])
        if fault["type"] == "too_short" and place in inner:
            # Pydantic counts broken items as missing ones, although they are named already.
            continue
        if fault["type"] == "extra_forbidden":
            yield f"{place}: is not a key we know{_nearest(fault['loc'])}"
        elif fault["type"] == "missing":
            yield f"{place}: is missing"
        else:
            yield f"{place}: {fault['msg'].removeprefix('Value error, ')}"


def _place(location: Iterable[int | str]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _nearest(location: tuple[int | str, ...]) -> str:
    known = _keys_at(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a place of the file may hold; empty when it holds no table of ours."""
    model: type[Section] | None = Config
    for part in location:
        if isinstance(part, str) and model is not None:
            field = model.model_fields.get(part)
            # A part that is no field is the name of a union's branch, and changes no place.
            model = model if field is None else _section_in(field.annotation)
    return [] if model is None else [key for key in model.model_fields if key not in HIDDEN]


def _section_in(annotation: object) -> type[Section] | None:
    """Return the section that a field holds: itself, in a tuple, or as one of several."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (_section_in(inner) for inner in get_args(annotation))
    return next((section for section in found if section is not None), None)
