"""Where a key, silence or failure in a menu leads, and how that is named.

Here: the kinds of targets, and their labels, which stand on the wire between ivrd and the dialplan,
in facts, in queue_log rows and in figures. Not here: what the dialplan does about each.

The labels
    kc                  the queue of that name
    menu:va             another menu
    say:oppettider      an announcement, then the same menu again
    number:0846500405   a number that the site's dialplan rings
    language:en         the same menu again, in another language
    slow                the same menu again, with longer time-outs
    back                the menu before
    callback            being rung up later: reserved, and refused by the configuration

A label holds neither "|" (between the columns of queue_log), nor a comma (between the arguments of
the dialplan), nor a blank. A queue has no word before it, so that what earlier versions have stored
keeps its meaning; no queue can therefore be called "slow", "back" or "callback".
"""

import re
from dataclasses import dataclass
from typing import assert_never

SLOW = "slow"
BACK = "back"
CALLBACK = "callback"

_NAME = re.compile(r"[A-Za-z0-9_+*#/-]{1,80}")
"""What the name in a label may hold; the configuration is stricter for each kind."""


@dataclass(frozen=True, slots=True)
class ToQueue:
    """Waits for an agent."""

    queue: str


@dataclass(frozen=True, slots=True)
class ToMenu:
    """Another menu."""

    menu: str


@dataclass(frozen=True, slots=True)
class ToAnnouncement:
    """A prompt is played, then the same menu again."""

    prompt: str


@dataclass(frozen=True, slots=True)
class ToNumber:
    """A number that the site's dialplan rings."""

    number: str


@dataclass(frozen=True, slots=True)
class InLanguage:
    """The same menu again, in another language."""

    language: str


@dataclass(frozen=True, slots=True)
class Slowly:
    """The same menu again, with longer time-outs."""


@dataclass(frozen=True, slots=True)
class Back:
    """The menu before."""


@dataclass(frozen=True, slots=True)
class ToCallback:
    """Being rung up later."""


Target = ToQueue | ToMenu | ToAnnouncement | ToNumber | InLanguage | Slowly | Back | ToCallback


def label_of(target: Target) -> str:
    """Return a target's label.

    Raises:
        ValueError: Its name cannot stand in a label, or means another target there.

    >>> label_of(ToMenu("va"))
    'menu:va'
    """
    label = _label(target)
    if target_of(label) != target:
        raise ValueError(f"the label {label!r} would not lead to {target!r}")
    return label


def _label(target: Target) -> str:
    match target:
        case ToQueue():
            return target.queue
        case ToMenu():
            return f"menu:{target.menu}"
        case ToAnnouncement():
            return f"say:{target.prompt}"
        case ToNumber():
            return f"number:{target.number}"
        case InLanguage():
            return f"language:{target.language}"
        case Slowly():
            return SLOW
        case Back():
            return BACK
        case ToCallback():
            return CALLBACK
        case _:
            assert_never(target)


def target_of(label: str) -> Target:
    """Return the target of a label.

    Raises:
        ValueError: It is none of ours.

    >>> target_of("kc")
    ToQueue(queue='kc')
    """
    kind, is_kind, name = label.rpartition(":")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{label!r} is no target of a menu: a name has only A-Z a-z 0-9 _+*#/-")
    match kind:
        case "menu":
            return ToMenu(name)
        case "say":
            return ToAnnouncement(name)
        case "number":
            return ToNumber(name)
        case "language":
            return InLanguage(name)
        case _ if is_kind:
            raise ValueError(
                f"{label!r} is no target of a menu: before the colon stands menu, say, number or"
                " language"
            )
    return _single_word(name)


def _single_word(word: str) -> Target:
    match word:
        case "slow":
            return Slowly()
        case "back":
            return Back()
        case "callback":
            return ToCallback()
    return ToQueue(word)
