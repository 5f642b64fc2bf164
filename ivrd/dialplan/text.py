"""How a context of the dialplan is written.

Here: heads, contexts, extensions. Not here: what stands in them.
"""

from collections.abc import Iterator, Mapping, Sequence

from ivrd.config.base import sound


def play(prompt: str | None, *, takes_keys: bool = False) -> str:
    """Return the step that plays a prompt; one that does nothing when there is none.

    With `takes_keys`, a key interrupts it and counts.

    Always one step: a call in the middle of an extension goes on by number after a reload.
    """
    if prompt is None:
        return "NoOp()"
    return f"{'Background' if takes_keys else 'Playback'}({sound(prompt)})"


def head(*lines: str) -> str:
    """Return a file's first lines, as comments."""
    text = "".join(f"; {line}\n" for line in lines)
    return f"; Rendered by `ivrd dialplan`; change the configuration, not this file.\n{text}\n"


def context(name: str, *extensions: str) -> str:
    """Return a context of whole extensions."""
    return f"[{name}]\n" + "\n".join(extensions)


def extension(name: str, *steps: str, labels: Mapping[int, str] | None = None) -> str:
    """Return an extension of one step after another.

    Args:
        labels: Names of steps, by their number from 0, comments not counted.
    """
    return "".join(_numbered(name, steps, labels or {}))


def _numbered(name: str, steps: Sequence[str], labels: Mapping[int, str]) -> Iterator[str]:
    """Yield an extension's lines; a step that begins with ';' is a comment, and not counted."""
    number = 0
    for step in steps:
        if step.startswith(";"):
            yield f"{step}\n"
            continue
        label = f"({labels[number]})" if number in labels else ""
        place = f"exten => {name},1" if number == 0 else " same => n"
        yield f"{place}{label},{step}\n"
        number += 1
