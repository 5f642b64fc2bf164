"""Reads rendered dialplan back: which contexts, extensions and steps a set of files holds.

Here: our own way of writing (text.py), and no other. Not here: what Asterisk holds
(ami/running_dialplan.py), with which this is compared.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_HEAD = re.compile(r"\[([^\]]+)\]")
_FIRST = re.compile(r"exten => ([^,]+),1(?:\(([^)]+)\))?,(.*)")
_NEXT = re.compile(r" same => n(?:\(([^)]+)\))?,(.*)")
_INCLUDE = re.compile(r"include => (.+)")
_CALL = re.compile(r"(\w+)\((.*)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One priority of an extension."""

    application: str
    arguments: str
    label: str = ""

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.application}({self.arguments})"


Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One context: what can be dialled or gone to in it."""

    extensions: Mapping[str, Steps] = field(default_factory=dict)
    includes: tuple[str, ...] = ()


Contexts = Mapping[str, Context]


def contexts_of(texts: Iterable[str]) -> Contexts:
    """Return the contexts of rendered files by name; one that stands in several is put together.

    Raises:
        ValueError: A line is none of ours.
    """
    extensions: dict[str, dict[str, list[Step]]] = {}
    includes: dict[str, list[str]] = {}
    name, steps = "", list[Step]()
    for line in (line for text in texts for line in text.splitlines()):
        if not line or line.startswith((";", "#include ")):
            continue
        if found := _HEAD.fullmatch(line):
            name = found[1]
            extensions.setdefault(name, {})
            includes.setdefault(name, [])
        elif found := _FIRST.fullmatch(line):
            steps = extensions[name][found[1]] = [_step(found[3], found[2])]
        elif found := _NEXT.fullmatch(line):
            steps.append(_step(found[2], found[1]))
        elif found := _INCLUDE.fullmatch(line):
            includes[name].append(found[1])
        else:
            raise ValueError(f"not a line of a rendered dialplan: {line!r}")
    return {
        name: Context(
            extensions={number: tuple(steps) for number, steps in each.items()},
            includes=tuple(includes[name]),
        )
        for name, each in extensions.items()
    }


def _step(text: str, label: str | None) -> Step:
    found = _CALL.fullmatch(text)
    if found is None:
        raise ValueError(f"not a step of a rendered dialplan: {text!r}")
    return Step(application=found[1], arguments=found[2], label=label or "")


def written(name: str, context: Context) -> str:
    """Return a context as it is written, without its comments."""
    lines = [f"[{name}]", *(f"include => {one}" for one in context.includes)]
    for number, steps in context.extensions.items():
        for position, step in enumerate(steps):
            place = f"exten => {number},1" if position == 0 else " same => n"
            label = f"({step.label})" if step.label else ""
            lines.append(f"{place}{label},{step}")
    return "\n".join(lines) + "\n"


def differences(wanted: Contexts, found: Contexts) -> list[str]:
    """Return where what is found lacks something of what is wanted, one sentence each."""
    faults = []
    for name, context in wanted.items():
        if name not in found:
            faults.append(f"[{name}] is not there")
            continue
        there = found[name]
        faults += [
            f"[{name}] does not include {one}"
            for one in context.includes
            if one not in there.includes
        ]
        for number, steps in context.extensions.items():
            fault = _difference(steps, there.extensions.get(number, ()))
            if fault:
                faults.append(f"[{name}] {number}: {fault}")
    return faults


def _difference(wanted: Steps, found: Steps) -> str | None:
    if len(wanted) != len(found):
        return f"{len(found)} steps in place of {len(wanted)}"
    for position, (one, other) in enumerate(zip(wanted, found, strict=True), start=1):
        if one.label != other.label:
            return (
                f"step {position} has no label {one.label}"
                if one.label
                else (f"step {position} has a label, {other.label}")
            )
        if one != other:
            return f"step {position} is {other} in place of {one}"
    return None
