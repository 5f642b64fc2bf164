"""What is wrong with the menus, although every name points somewhere: `ivrd menu check`.

Here: ways that lead nowhere, round and round, or that no caller can take; and all that is found,
together. Not here: texts, keys in them, and sounds (menu_texts.py); faults that keep ivrd from
starting (config/references.py).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ivrd.config import Config, MenuConfig, QueueConfig
from ivrd.config.way_in import TargetConfig
from ivrd.menu_faults import Finding, Kind, Severity, key_place, listed
from ivrd.menu_graph import Graph, graph
from ivrd.menu_texts import text_findings

DIGIT_S_MIN = 2
"""Whoever types 112 looks for each key."""

_GRAVEST_FIRST = tuple(Severity)


def check_menus(config: Config, *, sounds: Path | None) -> tuple[Finding, ...]:
    """Return all that is found, the gravest first.

    Args:
        config: A configuration that `config.check` has passed.
        sounds: Asterisk's sounds; None: not looked at.
    """
    ways = graph(config)
    found = [*_way_findings(config, ways), *text_findings(config, ways, sounds=sounds)]
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda one: _GRAVEST_FIRST.index(one.severity)))


def _way_findings(config: Config, ways: Graph) -> Iterator[Finding]:
    for number, menu in enumerate(config.menus):
        if menu.name not in ways.menus:
            yield _fault(
                Kind.UNREACHABLE,
                f"menus[{number}]",
                f"no caller comes to menu {menu.name}: no line, key or silence leads there",
                "let a key or a line lead there, or take the menu away",
            )
        yield from _dead_keys(number, menu, ways)
        yield from _back_keys(number, menu, ways)
        yield from _unfinished_keys(number, menu)
    for number, queue in enumerate(config.queues):
        yield from _dead_keys_of_queue(number, queue)
        if queue.hours is not None and queue.catch_all is None and queue.fallback is None:
            yield Finding(
                severity=Severity.WARNING,
                kind=Kind.NO_WAY_ON,
                place=f"queues[{number}]",
                text=f"while queue {queue.name} is closed or in a meeting, callers hear that "
                "nobody can answer, and are hung up on",
                way_out="give it a catch_all or a fallback",
            )
    yield from _silent_circles(config)
    yield from _closed_to_closed(config)


# Keys that do nothing.


def _dead_keys(number: int, menu: MenuConfig, ways: Graph) -> Iterator[Finding]:
    for key, target in menu.choices.items():
        place = key_place(number, key)
        if target.menu == menu.name:
            yield _fault(
                Kind.LOOP,
                place,
                f"key {key} of menu {menu.name} leads to the same menu",
                "use repeat_key to have the prompt again, or lead elsewhere",
            )
        if target.slow and menu.slow_factor == 1:
            yield _fault(
                Kind.DEAD_KEY,
                place,
                f"key {key} of menu {menu.name} asks for longer time-outs, but slow_factor is 1",
                f"set menus[{number}].slow_factor to 2, or take the key away",
            )
    languages = [target for target in menu.choices.values() if target.language is not None]
    met_first = ways.menu(menu.name).is_first_for
    if met_first and languages and len(languages) == len(menu.choices):
        yield _fault(
            Kind.LOOP,
            f"menus[{number}].choices",
            f"callers of {listed(sorted(met_first))} meet menu {menu.name} first: each language "
            "leads back to it, because there is no menu before",
            "let the line begin at another menu, with a key that leads here",
        )


def _back_keys(number: int, menu: MenuConfig, ways: Graph) -> Iterator[Finding]:
    reached = ways.menu(menu.name)
    if menu.back_key is None or not reached.lines:
        return
    place = f"menus[{number}].back_key"
    if not reached.has_menu_before:
        yield _fault(
            Kind.DEAD_KEY,
            place,
            f"key {menu.back_key} leads back, but nobody comes to menu {menu.name} from a menu",
            "take back_key away, or let a menu lead here",
        )


def _unfinished_keys(number: int, menu: MenuConfig) -> Iterator[Finding]:
    if menu.digit_s < DIGIT_S_MIN and any(len(key) > 1 for key in menu.choices):
        yield _fault(
            Kind.TOO_HASTY,
            f"menus[{number}].digit_s",
            f"{menu.digit_s} s between the keys of a longer choice of menu {menu.name} is too "
            "short to find the next one",
            f"set it to {DIGIT_S_MIN} or more",
        )
    for key in menu.choices:
        longer = sorted(one for one in menu.choices if one != key and one.startswith(key))
        if longer:
            yield Finding(
                severity=Severity.NOTE,
                kind=Kind.DEAD_KEY,
                place=key_place(number, key),
                text=f"whoever types {key} waits {menu.digit_s} s for it, because {longer[0]} "
                "begins with it",
                way_out="take a key that begins no other",
            )


def _dead_keys_of_queue(number: int, queue: QueueConfig) -> Iterator[Finding]:
    for key, target in queue.exit_keys.items():
        place = f"queues[{number}].exit_keys.{key}"
        if target.queue == queue.name:
            yield _fault(
                Kind.DEAD_KEY,
                place,
                f"key {key} leads callers who wait in {queue.name} back to {queue.name}",
                "lead elsewhere, or take the key away",
            )


# Round and round.


def _silent_circles(config: Config) -> Iterator[Finding]:
    """Yield circles of silence and failure together; those of one alone are refused before."""
    menus = {menu.name: menu for menu in config.menus}
    onward = {
        name: _names(menu.stay_choice, menu.failure_choice or menu.stay_choice)
        for name, menu in menus.items()
    }
    for number, menu in enumerate(config.menus):
        circle = _circle(menu.name, onward)
        if circle:
            yield _fault(
                Kind.LOOP,
                f"menus[{number}]",
                f"silence and wrong keys lead from menu {circle} for ever",
                "let silence or failure lead to a queue",
            )


def _names(*targets: TargetConfig) -> tuple[str, ...]:
    return tuple(target.menu for target in targets if target.menu is not None)


def _circle(start: str, onward: Mapping[str, tuple[str, ...]]) -> str:
    """Return the shortest way from a name back to it; empty when there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = set[str]()
    for way in ways:
        for name in onward.get(way[-1], ()):
            if name == start:
                return " to ".join((*way, name))
            if name not in seen:
                seen.add(name)
                ways.append((*way, name))
    return ""


def _closed_to_closed(config: Config) -> Iterator[Finding]:
    queues = {queue.name: queue for queue in config.queues}
    for number, line in enumerate(config.lines):
        if line.closed_choice is None or line.closed_choice.queue is None or line.hours is None:
            continue
        queue = queues[line.closed_choice.queue]
        if queue.hours == line.hours and queue.catch_all is None and queue.fallback is None:
            yield _fault(
                Kind.NO_WAY_ON,
                f"lines[{number}].closed_choice",
                f"line {line.name} sends callers to queue {queue.name} when it is closed, but the "
                f"queue keeps the same hours, {queue.hours}, and has no way on",
                f"give queue {queue.name} a catch_all, or leave closed_choice out",
            )


def _fault(kind: Kind, place: str, text: str, way_out: str) -> Finding:
    return Finding(severity=Severity.FAULT, kind=kind, place=place, text=text, way_out=way_out)
