"""What a new rendering has no more, kept for the calls that are still in it.

Asterisk goes on by context, extension and number after a reload, and hangs up where it finds
nothing. So what is gone is kept in a file of its own, for a day, in which nobody new comes: every
way in is from a context that the new rendering has written anew.

Here: what is kept, and how the file is written. Not here: the disk (generations.py).

What is kept
    Whole contexts that are gone, such as those of a menu. Of contexts that are still there, the
    extensions that are gone from those to which only the dialplan itself leads (`KEPT_WITHIN`).
    Nowhere else: an extension is a key in a static menu, a number in ivrd-lines.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from ivrd.dialplan.reading import Context, Contexts, contexts_of, written
from ivrd.dialplan.text import head

RETIRED_FILE = "ivrd-retired.conf"

MAIN_FILE = "ivrd.conf"

KEPT_FOR = timedelta(days=1)
"""No call lasts longer: a queue is emptied at night, if not before."""

KEPT_WITHIN = ("ivrd-chosen-", "ivrd-moved", "ivrd-notices", "ivrd-queue-")
"""Contexts whose extensions nobody can dial, by how their names begin."""

_INCLUDE = f"#include ivrd/{RETIRED_FILE}\n"

_SINCE = re.compile(r"^; Retired (\S+)\n", re.M)

Files = Mapping[str, str]


def with_retired(rendered: Files, in_use: Files, *, now: datetime) -> Files:
    """Return the files to put in place of those in use.

    Args:
        rendered: All files of the new dialplan.
        in_use: All files of the directory; what was retired there is kept until it is old.
        now: When they are put there.
    """
    new = contexts_of(rendered.values())
    kept: list[tuple[datetime, Contexts]] = [(now, _gone(contexts_of(plain(in_use).values()), new))]
    for since, contexts in _retired(in_use.get(RETIRED_FILE, "")):
        if now - since < KEPT_FOR:
            kept.append((since, _gone(contexts, new)))
    text, known = "", set[tuple[str, str]]()
    for since, contexts in kept:
        for name, context in contexts.items():
            extensions = {
                number: steps
                for number, steps in context.extensions.items()
                if (name, number) not in known
            }
            known |= {(name, number) for number in extensions}
            if extensions:
                only = Context(extensions=extensions, includes=context.includes)
                text += f"; Retired {since.isoformat()}\n{written(name, only)}\n"
    if not text:
        return dict(rendered)
    top = head(
        "What is gone, for calls that are still in it; nobody new comes here. Each part is taken",
        "away by the first `ivrd dialplan apply` a day later.",
    )
    main = rendered[MAIN_FILE] + _INCLUDE
    return {**rendered, MAIN_FILE: main, RETIRED_FILE: top + text}


def plain(files: Files) -> Files:
    """Return a directory's files as they were rendered, without what is retired."""
    return {
        name: text.replace(_INCLUDE, "") if name == MAIN_FILE else text
        for name, text in files.items()
        if name != RETIRED_FILE
    }


def _gone(old: Contexts, new: Contexts) -> Contexts:
    gone = {}
    for name, context in old.items():
        if name not in new:
            gone[name] = context
        elif name.startswith(KEPT_WITHIN):
            there = new[name].extensions
            gone[name] = Context(
                extensions={
                    number: steps
                    for number, steps in context.extensions.items()
                    if number not in there
                }
            )
    return gone


def _retired(text: str) -> list[tuple[datetime, Contexts]]:
    """Return what is in a file of retired contexts, and since when."""
    parts = _SINCE.split(text)[1:]
    return [
        (datetime.fromisoformat(since), contexts_of([part]))
        for since, part in zip(parts[::2], parts[1::2], strict=True)
    ]
