"""Whether the names in a configuration point somewhere, once each.

Here: faults between sections. Not here: faults within one (its model).
"""

import difflib
from collections.abc import Iterator

from ivrd.config.whole import Config


def reference_faults(config: Config) -> Iterator[str]:
    """Yield a fault for each name that points nowhere, or stands twice."""
    queues = [queue.name for queue in config.queues]
    menus = [menu.name for menu in config.menus]
    yield from _doubles("pbx", [pbx.name for pbx in config.pbx])
    yield from _doubles("queues", queues)
    yield from _doubles("menus", menus)
    yield from _doubles("lines", [line.name for line in config.lines])
    yield from _doubles("lines", [line.number for line in config.lines], key="number")
    yield from _doubles("overflow", [rule.name for rule in config.overflow])
    for place, name in _queue_references(config):
        if name not in queues:
            yield f"{place}: no queue is named {name!r}{_suggest(name, queues)}"
    for number, line in enumerate(config.lines):
        if line.menu not in menus:
            suggestion = _suggest(line.menu, menus)
            yield f"lines[{number}].menu: no menu is named {line.menu!r}{suggestion}"
    yield from _fallback_loops(config)


def _queue_references(config: Config) -> Iterator[tuple[str, str]]:
    for number, queue in enumerate(config.queues):
        if queue.fallback is not None:
            yield f"queues[{number}].fallback", queue.fallback
    for number, menu in enumerate(config.menus):
        yield f"menus[{number}].stay_choice", menu.stay_choice
        for digit, name in menu.choices.items():
            yield f"menus[{number}].choices.{digit}", name
    for number, rule in enumerate(config.overflow):
        yield f"overflow[{number}].from_queue", rule.from_queue
        yield f"overflow[{number}].to_queue", rule.to_queue


def _doubles(section: str, names: list[str], key: str = "name") -> Iterator[str]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"{section}[{number}].{key}: {name!r} stands twice; each must be its own"


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def _fallback_loops(config: Config) -> Iterator[str]:
    """Yield a fault for each queue whose fallbacks lead back to it: callers would go in circles."""
    fallback = {queue.name: queue.fallback for queue in config.queues}
    for number, queue in enumerate(config.queues):
        seen = {queue.name}
        following = queue.fallback
        while following is not None and following not in seen:
            seen.add(following)
            following = fallback.get(following)
        if following == queue.name:
            yield f"queues[{number}].fallback: leads back to {queue.name!r}; break the circle"
