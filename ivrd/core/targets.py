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
"""

from dataclasses import dataclass
from typing import assert_never


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


Target = ToQueue | ToMenu | ToAnnouncement | ToNumber | InLanguage | Slowly | Back

SLOW = "slow"
BACK = "back"


def label_of(target: Target) -> str:
    """Return a target's label.

    >>> label_of(ToMenu("va"))
    'menu:va'
    """
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
        case _:
            assert_never(target)


def target_of(label: str) -> Target:
    """Return the target of a label.

    Raises:
        ValueError: It is none of ours.

    >>> target_of("kc")
    ToQueue(queue='kc')
    """
    kind, is_kind, name = label.partition(":")
    match kind:
        case _ if is_kind and not name:
            pass
        case "menu" if is_kind:
            return ToMenu(name)
        case "say" if is_kind:
            return ToAnnouncement(name)
        case "number" if is_kind:
            return ToNumber(name)
        case "language" if is_kind:
            return InLanguage(name)
        case "slow" if not is_kind:
            return Slowly()
        case "back" if not is_kind:
            return Back()
        case _ if kind and not is_kind:
            return ToQueue(kind)
    raise ValueError(f"{label!r} is no target of a menu")
