"""The menu tree as text, and its rows for every drawing.

Here: where each key, silence and failure leads, in words. Not here: the picture (menu_svg.py), and
whether it makes sense (menu_check.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ivrd.config import Config, LineConfig, MenuConfig, QueueConfig
from ivrd.config.way_in import TargetConfig
from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    ToAnnouncement,
    ToCallback,
    ToMenu,
    ToNumber,
    ToQueue,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way on."""

    key: str
    """A key, or what happens without one."""
    text: str
    menu: str | None = None
    """To which it leads, if to one."""
    queue: str | None = None


def line_rows(config: Config, line: LineConfig) -> Iterator[Row]:
    """Yield the ways on at the door; the last one is the line's menu or queue."""
    if line.hours is not None:
        prompt = [f"says {line.closed_prompt}"] if line.closed_prompt is not None else []
        onward = "hangs up" if line.closed_choice is None else _target(config, line.closed_choice)
        yield Row(
            key="closed",
            text=", then ".join((*prompt, onward)),
            menu=line.closed_choice.menu if line.closed_choice else None,
            queue=line.closed_choice.queue if line.closed_choice else None,
        )
    for notice in config.notices:
        if not notice.lines or line.name in notice.lines:
            where = "before the menu" if notice.place == "before_menu" else "before the queue"
            yield Row(key="notice", text=f"{notice.name}, {where}")
    key = "always" if line.hours is None else f"open ({line.hours})"
    if line.menu is not None:
        yield Row(key=key, text=f"menu {line.menu}", menu=line.menu)
    else:
        yield Row(key=key, text=queue_name(config, line.queue or ""), queue=line.queue)


def menu_rows(config: Config, menu: MenuConfig) -> Iterator[Row]:
    """Yield the ways on from a menu."""
    for key, target in menu.choices.items():
        yield Row(key=key, text=_target(config, target), menu=target.menu, queue=target.queue)
    if menu.repeat_key is not None:
        yield Row(key=menu.repeat_key, text="the same again")
    if menu.back_key is not None:
        yield Row(key=menu.back_key, text="back")
    failure = menu.failure_choice or menu.stay_choice
    for key, target in (
        (f"silence, {menu.stay_after_s} s", menu.stay_choice),
        (f"{menu.tries} wrong keys", failure),
    ):
        ends = ", then hangs up" if target.announcement is not None else ""
        yield Row(
            key=key, text=f"{_target(config, target)}{ends}", menu=target.menu, queue=target.queue
        )


def queue_rows(config: Config, queue: QueueConfig) -> Iterator[Row]:
    """Yield the ways out of a queue, other than an agent."""
    unanswered = "says that nobody can answer, hangs up"
    onward = unanswered if queue.fallback is None else queue_name(config, queue.fallback)
    if queue.hours is not None:
        closed = onward if queue.catch_all is None else queue_name(config, queue.catch_all)
        yield Row(key=f"closed or meeting ({queue.hours})", text=closed, queue=queue.catch_all)
    yield Row(key="not taken", text=onward, queue=queue.fallback)
    for key, target in queue.exit_keys.items():
        yield Row(key=key, text=_target(config, target), menu=target.menu, queue=target.queue)


def queue_name(config: Config, name: str) -> str:
    """Return a queue as people know it."""
    title = next((queue.title_sv for queue in config.queues if queue.name == name), "")
    return f"queue {name} ({title})" if title else f"queue {name}"


def menus_of(config: Config) -> dict[str, MenuConfig]:
    """Return the menus by name."""
    return {menu.name: menu for menu in config.menus}


def queues_seen(config: Config, lines: Sequence[LineConfig]) -> list[QueueConfig]:
    """Return the queues that callers of these lines may come to, in the configuration's order."""
    menus, queues = menus_of(config), {queue.name: queue for queue in config.queues}
    seen: set[tuple[str, str]] = set()
    ahead = [row for line in lines for row in line_rows(config, line)]
    while ahead:
        row = ahead.pop()
        if row.menu is not None and ("menu", row.menu) not in seen:
            seen.add(("menu", row.menu))
            ahead += menu_rows(config, menus[row.menu])
        if row.queue is not None and ("queue", row.queue) not in seen:
            seen.add(("queue", row.queue))
            ahead += queue_rows(config, queues[row.queue])
    return [queue for queue in config.queues if ("queue", queue.name) in seen]


def _target(config: Config, target: TargetConfig) -> str:
    match target.target:
        case ToQueue(queue=name):
            return queue_name(config, name)
        case ToMenu(menu=name):
            return f"menu {name}"
        case ToAnnouncement(prompt=prompt):
            return f"says {prompt}"
        case ToNumber(number=number):
            return f"rings {number}"
        case InLanguage(language=language):
            return f"speaks {language}"
        case Slowly():
            return "longer time-outs"
        case Back():
            return "back"
        case ToCallback():
            return "is rung up"


# As text.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    text: str
    children: tuple["_Node", ...] = ()


def menu_tree(config: Config, lines: Sequence[LineConfig]) -> str:
    """Return the tree of some lines; each menu is drawn once, where it is met first."""
    drawn: set[str] = set()
    nodes = [_line_node(config, line, drawn) for line in lines]
    nodes += [
        _Node(
            text=queue_name(config, queue.name),
            children=tuple(_Node(text=_row(row)) for row in queue_rows(config, queue)),
        )
        for queue in queues_seen(config, lines)
    ]
    return "\n".join("".join(_drawn(node)) for node in nodes)


def _line_node(config: Config, line: LineConfig, drawn: set[str]) -> _Node:
    facts = [line.number, line.language]
    facts += ["internal"] if line.is_internal else []
    facts += ["slow"] if line.is_slow else []
    return _Node(
        text=f"line {line.name}: {', '.join(facts)}",
        children=tuple(_row_node(config, row, drawn) for row in line_rows(config, line)),
    )


def _row_node(config: Config, row: Row, drawn: set[str]) -> _Node:
    if row.menu is None:
        return _Node(text=_row(row))
    if row.menu in drawn:
        return _Node(text=f"{_row(row)} (above)")
    drawn.add(row.menu)
    menu = menus_of(config)[row.menu]
    return _Node(
        text=f"{_row(row)}, says {menu.prompt}",
        children=tuple(_row_node(config, each, drawn) for each in menu_rows(config, menu)),
    )


def _row(row: Row) -> str:
    return f"{row.key} → {row.text}"


def _drawn(node: _Node, indent: str = "") -> Iterator[str]:
    """Yield a node's line and those below it."""
    yield f"{node.text}\n"
    for child in node.children:
        is_last = child is node.children[-1]
        lines = _drawn(child, indent + ("    " if is_last else "│   "))
        yield f"{indent}{'└── ' if is_last else '├── '}{next(lines)}"
        yield from lines
