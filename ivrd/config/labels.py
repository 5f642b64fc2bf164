"""Sections for labels: departments with their subjects, and codes by telephone.

Here: models and the checks of the tree. Not here: what a label means (core/labels.py).
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field, StringConstraints

from ivrd.config.base import Name, Section

PhoneCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
"""Keys on a telephone."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=60)]

Choice = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,29}:[0-9*#]{1,6}$")]
"""A key of a menu, as MENU:KEY."""

Extension = Annotated[str, StringConstraints(pattern=r"^\+?[0-9*#]{1,20}$")]


class _Labelled(Section):
    """What a department and a subject have in common."""

    code: Name = Field(description="Stands in cases and figures; never changes its meaning.")
    name_sv: Title = Field(description="On screens, Swedish.")
    name_en: Title = Field(description="On screens, English.")
    lines: tuple[Name, ...] = Field(default=(), description="Lines that suggest it.")
    choices: tuple[Choice, ...] = Field(
        default=(), description="Keys of menus that suggest it, as MENU:KEY."
    )
    queues: tuple[Name, ...] = Field(default=(), description="Queues that suggest it.")
    numbers: tuple[Extension, ...] = Field(
        default=(), description="Extensions that suggest it when a caller is handed on there."
    )


class SubjectConfig(_Labelled):
    """What a case can be about."""

    phone_code: PhoneCode | None = Field(
        default=None, description="Keys that set it on a telephone; none: not by telephone."
    )


class DepartmentConfig(_Labelled):
    """A department (förvaltning): owner of the question, pays for the case."""

    subject: tuple[SubjectConfig, ...] = Field(min_length=1, description="Its subjects.")


class LabelsConfig(Section):
    """Codes on a guide's telephone, in queues with labels_by_phone."""

    feature_code: Annotated[str, StringConstraints(pattern=r"^[*#][0-9]{1,3}$")] = Field(
        default="*5", description="Pressed before a code while the guide talks."
    )
    after_call_s: int = Field(
        default=6, ge=2, le=30, description="Seconds for a code after the caller has hung up."
    )
    digit_s: int = Field(default=2, ge=1, le=10, description="Seconds between two keys of a code.")


def tree_faults(departments: Sequence[DepartmentConfig]) -> Iterator[str]:
    """Yield a fault for each code that stands twice, or begins another."""
    places: dict[str, str] = {}
    keys: dict[str, str] = {}
    for place, each in _places(departments):
        if each.code in places:
            yield f"{place}.code: {each.code!r} stands at {places[each.code]} already; take another"
        places.setdefault(each.code, place)
        if isinstance(each, SubjectConfig) and each.phone_code is not None:
            yield from _key_faults(f"{place}.phone_code", each.phone_code, keys)
            keys.setdefault(each.phone_code, f"{each.code!r} ({place})")


def _places(
    departments: Sequence[DepartmentConfig],
) -> Iterator[tuple[str, DepartmentConfig | SubjectConfig]]:
    for number, department in enumerate(departments):
        yield f"department[{number}]", department
        for index, subject in enumerate(department.subject):
            yield f"department[{number}].subject[{index}]", subject


def _key_faults(place: str, keys: str, taken: dict[str, str]) -> Iterator[str]:
    for other, owner in taken.items():
        if keys == other:
            yield f"{place}: {keys!r} is the code of {owner} already; take another"
        elif keys.startswith(other):
            yield f"{place}: {keys!r} begins with {other!r}, the code of {owner}; take another"
        elif other.startswith(keys):
            yield f"{place}: {keys!r} is the beginning of {other!r}, the code of {owner}"


def code_references(
    departments: Sequence[DepartmentConfig],
) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, place and name of each line, menu and queue that the tree speaks of."""
    for place, each in _places(departments):
        for index, line in enumerate(each.lines):
            yield "line", f"{place}.lines[{index}]", line
        for index, choice in enumerate(each.choices):
            yield "menu", f"{place}.choices[{index}]", choice.partition(":")[0]
        for index, queue in enumerate(each.queues):
            yield "queue", f"{place}.queues[{index}]", queue
