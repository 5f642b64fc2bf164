"""How a context of the dialplan is written.

Here: heads, contexts, extensions. Not here: what stands in them.
"""

from collections.abc import Iterator, Mapping, Sequence


def head(*lines: str) -> str:
    text = "".join(f"; {line}\n" for line in lines)
    return f"; Rendered by `ivrd dialplan`; change the configuration, not this file.\n{text}\n"


def context(name: str, *extensions: str) -> str:
    return f"[{name}]\n" + "\n".join(extensions)


def extension(name: str, *steps: str, labels: Mapping[int, str] | None = None) -> str:
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
