"""What the dialplan does for each target of a menu, a closed line, or a key in a queue.

Here: the steps, once, for ivrd's menus and their static twins alike. Not here: who chose
(menus.py).
"""

from collections.abc import Sequence
from typing import assert_never

from ivrd.config import TargetConfig
from ivrd.config.base import UNAVAILABLE_PROMPT, sound
from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    Target,
    ToAnnouncement,
    ToCallback,
    ToMenu,
    ToNumber,
    ToQueue,
)
from ivrd.dialplan.text import context, extension, head

NUMBERS = "ivrd-numbers"

SITE_NUMBERS = "ivrd-site-numbers"
"""The site's own context that rings a number which a menu names."""

Steps = Sequence[str]


def after_choice(target: Target, menu: str) -> Steps:
    """Return the steps after a key that a caller pressed in a menu."""
    again = f"Goto(ivrd-menu-{menu},s,1)"
    match target:
        case ToAnnouncement():
            return [f"Playback({sound(target.prompt)})", again]
        case InLanguage():
            # From a menu of languages the caller wants back to where they were.
            return [*_speak(target), f"Goto(ivrd-back-{menu},s,1)"]
        case Slowly():
            return ["Set(IVRD_SLOW=slow)", again]
        case Back():
            return [f"Goto(ivrd-back-{menu},s,1)"]
        case ToMenu():
            return [f"Set(PUSH(IVRD_PATH,/)={menu})", f"Goto(ivrd-menu-{target.menu},s,1)"]
        case ToQueue() | ToNumber() | ToCallback():
            return onward(target)
        case _:
            assert_never(target)


def after_silence(target: Target, menu: str) -> Steps:
    """Return the steps after silence or too many wrong keys: they must lead to an end."""
    if isinstance(target, ToMenu):
        return after_choice(target, menu)
    return onward(target)


def in_queue(target: Target, queue: str) -> Steps:
    """Return the steps after a key that a caller pressed while waiting."""
    again = f"Goto(ivrd-queue-{queue},s,1)"
    match target:
        case ToAnnouncement():
            return [f"Playback({sound(target.prompt)})", again]
        case InLanguage():
            return [*_speak(target), again]
        case Slowly() | Back():
            return [again]
        case ToMenu() | ToQueue() | ToNumber() | ToCallback():
            return onward(target)
        case _:
            assert_never(target)


def onward(target: Target) -> Steps:
    """Return the steps to a target that begins nowhere."""
    match target:
        case ToQueue():
            return [f"Goto(ivrd-queue-{target.queue},s,1)"]
        case ToMenu():
            return ["Set(IVRD_PATH=)", f"Goto(ivrd-menu-{target.menu},s,1)"]
        case ToNumber():
            return [f"Goto({NUMBERS},{target.number},1)"]
        case ToAnnouncement():
            return [f"Playback({sound(target.prompt)})", "Hangup()"]
        case InLanguage() | Slowly() | Back() | ToCallback():
            raise ValueError(f"{target} leads nowhere by itself")
        case _:
            assert_never(target)


def leave(target: TargetConfig | None) -> Steps:
    """Return the steps of a caller who meets a closed door."""
    return ["Hangup()"] if target is None else onward(target.target)


def _speak(target: InLanguage) -> Steps:
    return [
        f"Set(CHANNEL(language)={target.language})",
        "; What the agent's phone shows.",
        f"Set(CALLERID(name)=[{target.language.upper()}] ${{IVRD_NAME}})",
    ]


def numbers_context() -> str:
    """Return the context that rings the numbers which menus name."""
    top = head(
        "Numbers that menus name. How they are rung is the site's own matter: put extensions into",
        f"[{SITE_NUMBERS}] in extensions.conf.",
    )
    return top + context(
        NUMBERS,
        f"include => {SITE_NUMBERS}\n",
        extension("i", f"Playback({sound(UNAVAILABLE_PROMPT)})", "Hangup()"),
    )
