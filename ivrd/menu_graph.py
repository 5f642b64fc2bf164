"""Which menus and queues callers of each line can come to, in which languages, with what behind.

Here: following every target of the configuration once. Not here: what is wrong with it
(menu_check.py), and one caller's way (core/route.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ivrd.config import Config, LineConfig
from ivrd.config.way_in import TargetConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How callers come to one menu or queue."""

    lines: frozenset[str]
    languages: frozenset[str]
    """That they may have then."""
    is_first_for: frozenset[str]
    """Lines whose callers have no menu behind them here."""
    has_menu_before: bool
    """Somebody has."""


NEVER = Reached(
    lines=frozenset(), languages=frozenset(), is_first_for=frozenset(), has_menu_before=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Every menu and queue by name; those that nobody comes to are left out."""

    menus: dict[str, Reached]
    queues: dict[str, Reached]

    def menu(self, name: str) -> Reached:
        """Return how callers come to a menu."""
        return self.menus.get(name, NEVER)


@dataclass(frozen=True, slots=True)
class _Place:
    """A menu or a queue; a menu once with nothing behind, and once with a menu before."""

    is_menu: bool
    name: str
    is_behind: bool = False


def graph(config: Config) -> Graph:
    """Return the graph of a configuration that `config.check` has passed."""
    seen = {line.name: _places(config, line) for line in config.lines}
    languages = {line.name: _languages(config, line, seen[line.name]) for line in config.lines}

    def reached(*, is_menu: bool, name: str) -> Reached:
        places = {
            line: [place for place in found if (place.is_menu, place.name) == (is_menu, name)]
            for line, found in seen.items()
        }
        return Reached(
            lines=frozenset(line for line, found in places.items() if found),
            languages=frozenset(
                language for line, found in places.items() if found for language in languages[line]
            ),
            is_first_for=frozenset(
                line for line, found in places.items() if any(not one.is_behind for one in found)
            ),
            has_menu_before=any(one.is_behind for found in places.values() for one in found),
        )

    everything = {(place.is_menu, place.name) for found in seen.values() for place in found}
    return Graph(
        menus={name: reached(is_menu=True, name=name) for is_menu, name in everything if is_menu},
        queues={
            name: reached(is_menu=False, name=name) for is_menu, name in everything if not is_menu
        },
    )


def _places(config: Config, line: LineConfig) -> set[_Place]:
    """Return where callers of a line can come to."""
    seen: set[_Place] = set()
    ahead = list(_entrances(line))
    while ahead:
        place = ahead.pop()
        if place not in seen:
            seen.add(place)
            ahead += _from_menu(config, place) if place.is_menu else _from_queue(config, place)
    return seen


def _entrances(line: LineConfig) -> Iterator[_Place]:
    if line.menu is not None:
        yield _Place(True, line.menu)
    if line.queue is not None:
        yield _Place(False, line.queue)
    if line.closed_choice is not None:
        yield from _to(line.closed_choice)


def _from_menu(config: Config, place: _Place) -> Iterator[_Place]:
    menu = next(one for one in config.menus if one.name == place.name)
    for target in (*menu.choices.values(), menu.stay_choice, menu.failure_choice):
        if target is not None:
            yield from _to(target, is_behind=True)


def _from_queue(config: Config, place: _Place) -> Iterator[_Place]:
    queue = next(one for one in config.queues if one.name == place.name)
    for target in queue.exit_keys.values():
        yield from _to(target)
    moves = [rule.to_queue for rule in config.overflow if rule.from_queue == queue.name]
    for name in (queue.catch_all, queue.fallback, *moves):
        if name is not None:
            yield _Place(False, name)


def _to(target: TargetConfig, *, is_behind: bool = False) -> Iterator[_Place]:
    if target.menu is not None:
        yield _Place(True, target.menu, is_behind)
    if target.queue is not None:
        yield _Place(False, target.queue)


def _languages(config: Config, line: LineConfig, places: set[_Place]) -> frozenset[str]:
    """Return what callers of a line may speak, wherever they choose it."""
    found = {line.language}
    for menu in config.menus:
        if any(place.is_menu and place.name == menu.name for place in places):
            found |= {one.language for one in menu.choices.values() if one.language is not None}
    for queue in config.queues:
        if any(not place.is_menu and place.name == queue.name for place in places):
            found |= {one.language for one in queue.exit_keys.values() if one.language is not None}
    return frozenset(found)
