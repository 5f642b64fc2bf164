"""Faults of a document in words: path, what is wrong, and the nearest known name.

Here: from pydantic's list to lines for a person. Not here: any check.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from pydantic import ValidationError

from ivrd.config.base import Section
from ivrd.config.whole import Config

HIDDEN = frozenset(
    {"secret", "password", "sheet", "keys", "secrets", "status_secrets", "client_secret"}
)
"""Fields that are filled from files, and must not stand in the configuration."""


KINDS = frozenset({"webhook", "mqtt", "file", "support_management"})
"""Branches of `handover`."""


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
    parts = tuple(location)
    for number, part in enumerate(parts):
        if part in KINDS and number and isinstance(parts[number - 1], int):
            # Pydantic's name of a union's branch, which is no place in the file.
            continue
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
    models: Sequence[type[Section]] = (Config,)
    for part in location:
        if isinstance(part, str):
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            if fields:
                models = [one for field in fields for one in _sections_in(field.annotation)]
            else:
                # The name of a union's branch, which may say which one, and changes no place.
                models = [model for model in models if _is_of_kind(model, part)] or models
    return [key for key in models[0].model_fields if key not in HIDDEN] if models else []


def _is_of_kind(model: type[Section], kind: str) -> bool:
    field = model.model_fields.get("kind")
    return field is not None and kind in get_args(field.annotation)


def _sections_in(annotation: object) -> list[type[Section]]:
    """Return the sections that a field may hold: itself, in a tuple, or as one of several."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _sections_in(inner)]
