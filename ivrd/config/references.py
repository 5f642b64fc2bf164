"""Whether the names in a configuration point somewhere, once each.

Here: faults between sections. Not here: faults within one (its model).
"""

import difflib
from collections.abc import Iterator

from ivrd.config.base import UNAVAILABLE_PROMPT
from ivrd.config.labels import code_references, tree_faults
from ivrd.config.prompt_sheet import PromptSheet
from ivrd.config.way_in import TargetConfig
from ivrd.config.whole import Config
from ivrd.core.targets import BACK, SLOW

RESERVED = frozenset({SLOW, BACK})
"""Labels that a queue of that name would be taken for."""


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
    yield from _doubles("notices", [notice.name for notice in config.notices])
    for place, name in _queue_references(config):
        if name not in queues:
            yield f"{place}: no queue is named {name!r}{_suggest(name, queues)}"
    for place, name in _menu_references(config):
        if name not in menus:
            yield f"{place}: no menu is named {name!r}{_suggest(name, menus)}"
    yield from _key_faults(config)
    lines = [line.name for line in config.lines]
    for place, name in _line_references(config):
        if name not in lines:
            yield f"{place}: no line is named {name!r}{_suggest(name, lines)}"
    hours = [one.name for one in config.hours]
    yield from _doubles("hours", hours)
    for place, wanted in _hours_references(config):
        if wanted not in hours:
            yield f"{place}: no hours are named {wanted!r}{_suggest(wanted, hours)}"
    for number, queue in enumerate(config.queues):
        for key, target in queue.exit_keys.items():
            if target.slow:
                yield f"queues[{number}].exit_keys.{key}: slow means nothing to who waits"
    for number, name in enumerate(queues):
        if name in RESERVED:
            yield f"queues[{number}].name: {name!r} is a word of the menus; take another"
    yield from _doubles("handover", [one.name for one in config.handover])
    for number, one in enumerate(config.handover):
        if one.kind == "mqtt" and config.mqtt is None:
            yield f"handover[{number}].kind: there is no table [mqtt] that names the broker"
        if one.includes_number and config.privacy.key_file is None:
            yield f"handover[{number}].includes_number: none is kept without privacy.key_file"
    yield from _queue_circles(config)
    yield from _silent_circles(config)
    yield from _label_faults(config)


def _label_faults(config: Config) -> Iterator[str]:
    """Yield a fault for each code of the tree, and each name about it, that does not fit."""
    yield from tree_faults(config.department)
    departments = [department.code for department in config.department]
    known = {
        "line": [line.name for line in config.lines],
        "menu": [menu.name for menu in config.menus],
        "queue": [queue.name for queue in config.queues],
    }
    for kind, place, name in code_references(config.department):
        if name not in known[kind]:
            yield f"{place}: no {kind} is named {name!r}{_suggest(name, known[kind])}"
    for number, queue in enumerate(config.queues):
        place = f"queues[{number}]"
        if departments and queue.department is not None and queue.department not in departments:
            fault = f"no department has the code {queue.department!r}"
            yield f"{place}.department: {fault}{_suggest(queue.department, departments)}"
        for key in ("labels_by_phone", "hold_until_labelled_s"):
            if getattr(queue, key) and queue.role != "guide":
                yield f"{place}.{key}: only guides have cases; the role here is {queue.role}"
            elif (
                key == "labels_by_phone" and queue.labels_by_phone and set(queue.options) & {*"Fh"}
            ):
                why = "it sets F, and h hangs up by *"
                yield f"{place}.options: F and h do not go with labels_by_phone: {why}"
            elif getattr(queue, key) and not departments:
                yield f"{place}.{key}: needs [[department]] with subjects: there is no label yet"


def _queue_references(config: Config) -> Iterator[tuple[str, str]]:
    for number, queue in enumerate(config.queues):
        if queue.fallback is not None:
            yield f"queues[{number}].fallback", queue.fallback
        if queue.catch_all is not None:
            yield f"queues[{number}].catch_all", queue.catch_all
    for number, line in enumerate(config.lines):
        if line.queue is not None:
            yield f"lines[{number}].queue", line.queue
    for place, target in _targets(config):
        if target.queue is not None:
            yield place, target.queue
    for number, rule in enumerate(config.overflow):
        for key, names in (("from_queue", rule.sources), ("to_queue", rule.targets)):
            for index, name in enumerate(names):
                is_one = getattr(rule, key) is not None
                yield f"overflow[{number}].{key}" + ("" if is_one else f"s[{index}]"), name


def _menu_references(config: Config) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(config.lines):
        if line.menu is not None:
            yield f"lines[{number}].menu", line.menu
    for place, target in _targets(config):
        if target.menu is not None:
            yield place, target.menu


def _key_faults(config: Config) -> Iterator[str]:
    """Yield a fault for each span that is too short to find a repeat in."""
    least = config.cases.repeat_days
    days = config.retention.caller_key_days
    if days < least:
        yield f"retention.caller_key_days: {days} is less than cases.repeat_days, {least}"
    days = config.privacy.key_period_days
    if days < least:
        yield (
            f"privacy.key_period_days: {days} is less than cases.repeat_days, {least}: a repeat is "
            "looked for in this period and the one before"
        )


def _line_references(config: Config) -> Iterator[tuple[str, str]]:
    for number, notice in enumerate(config.notices):
        for index, name in enumerate(notice.lines):
            yield f"notices[{number}].lines[{index}]", name
    for number, rule in enumerate(config.overflow):
        for index, name in enumerate(rule.urgent_lines):
            yield f"overflow[{number}].urgent_lines[{index}]", name
    for index, name in enumerate(config.privacy.protected_lines):
        yield f"privacy.protected_lines[{index}]", name
    access = config.access
    scoped = [(f"token[{number}]", each.lines) for number, each in enumerate(access.token)]
    scoped += [(f"shift[{number}]", each.lines) for number, each in enumerate(access.shift)]
    if access.oidc is not None:
        roles = enumerate(access.oidc.roles)
        scoped += [(f"oidc.roles[{number}]", each.lines) for number, each in roles]
    for place, lines in scoped:
        for index, name in enumerate(lines):
            yield f"access.{place}.lines[{index}]", name


def _hours_references(config: Config) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(config.lines):
        if line.hours is not None:
            yield f"lines[{number}].hours", line.hours
    for number, queue in enumerate(config.queues):
        if queue.hours is not None:
            yield f"queues[{number}].hours", queue.hours
    for number, rule in enumerate(config.overflow):
        if rule.closing_hours is not None:
            yield f"overflow[{number}].closing_hours", rule.closing_hours


def _targets(config: Config) -> Iterator[tuple[str, TargetConfig]]:
    """Yield every target of menus, closed lines and queues, with its place."""
    for number, menu in enumerate(config.menus):
        yield f"menus[{number}].stay_choice", menu.stay_choice
        if menu.failure_choice is not None:
            yield f"menus[{number}].failure_choice", menu.failure_choice
        for keys, target in menu.choices.items():
            yield f"menus[{number}].choices.{keys}", target
    for number, line in enumerate(config.lines):
        if line.closed_choice is not None:
            yield f"lines[{number}].closed_choice", line.closed_choice
    for number, queue in enumerate(config.queues):
        for key, target in queue.exit_keys.items():
            yield f"queues[{number}].exit_keys.{key}", target


def _doubles(section: str, names: list[str], key: str = "name") -> Iterator[str]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"{section}[{number}].{key}: {name!r} stands twice; each must be its own"


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def _queue_circles(config: Config) -> Iterator[str]:
    """Yield a fault for each queue from which callers could go round without ever waiting.

    A closed queue leads to its catch_all, and one that refuses to its fallback, whatever led there.
    """
    onward = {queue.name: {queue.fallback, queue.catch_all} - {None} for queue in config.queues}
    for number, queue in enumerate(config.queues):
        seen: set[str | None] = set()
        ahead = set(onward[queue.name])
        while ahead:
            one = ahead.pop()
            seen.add(one)
            ahead |= onward.get(one or "", set()) - seen
        if queue.name in seen:
            key = "fallback" if queue.fallback is not None else "catch_all"
            yield f"queues[{number}].{key}: leads back to {queue.name!r}; break the circle"


def _silent_circles(config: Config) -> Iterator[str]:
    """Yield a fault for each menu from which silence, or failure, leads back to it."""
    menus = {menu.name: menu for menu in config.menus}
    for key in ("stay_choice", "failure_choice"):
        onward = {menu.name: (getattr(menu, key) or menu.stay_choice).menu for menu in config.menus}
        for number, name in enumerate(menus):
            seen = {name}
            following = onward[name]
            while following is not None and following not in seen:
                seen.add(following)
                following = onward.get(following)
            if following == name:
                yield f"menus[{number}].{key}: leads back to {name!r}; break the circle"


def prompts_played(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each prompt that callers may hear, with its place; fragments of sentences apart."""
    yield "queues", UNAVAILABLE_PROMPT
    for number, menu in enumerate(config.menus):
        yield f"menus[{number}].prompt", menu.prompt
        if menu.invalid_prompt is not None:
            yield f"menus[{number}].invalid_prompt", menu.invalid_prompt
    for number, line in enumerate(config.lines):
        if line.closed_prompt is not None:
            yield f"lines[{number}].closed_prompt", line.closed_prompt
    for number, queue in enumerate(config.queues):
        if queue.offer_prompt is not None:
            yield f"queues[{number}].offer_prompt", queue.offer_prompt
    for number, rule in enumerate(config.overflow):
        if rule.notice_prompt is not None:
            yield f"overflow[{number}].notice_prompt", rule.notice_prompt
    for number, notice in enumerate(config.notices):
        yield f"notices[{number}].prompt", notice.prompt
    for place, target in _targets(config):
        if target.announcement is not None:
            yield place, target.announcement


def prompt_faults(config: Config, sheet: PromptSheet) -> Iterator[str]:
    """Yield a fault for each prompt and language that the sheet does not have."""
    known = list(sheet.prompts)
    for place, prompt in prompts_played(config):
        if prompt not in known:
            yield f"{place}: the prompt sheet has no {prompt!r}{_suggest(prompt, known)}"
    for number, line in enumerate(config.lines):
        if line.language not in sheet.languages:
            spoken = ", ".join(sheet.languages)
            yield f"lines[{number}].language: the prompt sheet has {spoken}, not {line.language!r}"
    for place, target in _targets(config):
        if target.language is not None and target.language not in sheet.languages:
            spoken = ", ".join(sheet.languages)
            yield f"{place}: the prompt sheet has {spoken}, not {target.language!r}"
