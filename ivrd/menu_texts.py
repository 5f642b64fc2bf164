"""What is wrong with what callers hear: keys in the texts, length, languages, sounds.

Here: each prompt where it is played, against the keys that callers have there. Not here: which
words speak of a key (core/prompt_keys.py), and where menus lead (menu_check.py).

A prompt is heard in one of two ways. In a menu, a key counts while it is heard; it must speak of
every key of the menu, in each language. All other prompts take no key: whoever types then types in
vain, so they must speak of none, except an announcement after which the menu comes again, and the
offer in a queue, which must speak of the queue's keys.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivrd.config import Config, MenuConfig, QueueConfig
from ivrd.config.base import UNAVAILABLE_PROMPT
from ivrd.config.prompt_sheet import ALL, PromptSheet
from ivrd.core import spoken
from ivrd.core.prompt_keys import KEY_WORDS, keys_spoken
from ivrd.core.prompt_text import estimated_length, pieces
from ivrd.menu_faults import Finding, Kind, Severity, key_place, listed
from ivrd.menu_graph import NEVER, Graph
from ivrd.sounds.lacking import Lack, missing

MENU_S_MAX = 30
"""Whoever has listened so long has forgotten the first keys."""

INVALID_S_MAX = 6
"""The menu is heard again after it."""

OFFER_S_MAX = 15
"""It comes again and again, and nobody may wait for its end."""

OTHERS_S_MAX = 25

STAY_S = 2.0
STAY_S_PER_KEY = 0.5
"""After the prompt callers look for a key, the longer the more keys they have heard of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """A prompt where it is played."""

    place: str
    """In the configuration."""
    prompt: str
    keys: Mapping[str, str]
    """That it may speak of, and their places."""
    is_choice: bool = False
    """It must speak of all of them."""
    seconds_max: float = OTHERS_S_MAX
    languages: frozenset[str]
    """That its callers have."""
    is_in_menu: bool = False


def text_findings(config: Config, ways: Graph, *, sounds: Path | None) -> Iterator[Finding]:
    """Yield what is found about texts and sounds."""
    sheet = config.sheet
    if sheet is None:
        yield Finding(
            severity=Severity.WARNING,
            kind=Kind.NOT_LOOKED_AT,
            place="prompt_sheet",
            text="without a prompt sheet no text is known, so keys, length and sounds are not "
            "looked at",
            way_out="write one, and name it in prompt_sheet",
        )
        return
    uses = list(_uses(config, ways))
    for use in uses:
        yield from _key_findings(sheet, use)
        yield from _lengths(sheet, use)
        yield from _languages(sheet, use)
    for number, menu in enumerate(config.menus):
        yield from _haste(sheet, number, menu)
    for number, queue in enumerate(config.queues):
        yield from _unoffered(number, queue)
    yield from _sounds(config, sheet, uses, sounds)


# Where prompts are played.


def _uses(config: Config, ways: Graph) -> Iterator[_Use]:
    for number, menu in enumerate(config.menus):
        yield from _uses_in_menu(number, menu, ways.menu(menu.name).languages)
    for number, queue in enumerate(config.queues):
        yield from _uses_in_queue(number, queue, ways.queues.get(queue.name, NEVER).languages)
    for number, line in enumerate(config.lines):
        mine = frozenset({line.language})
        closed = line.closed_choice.announcement if line.closed_choice is not None else None
        for key, prompt in (("closed_prompt", line.closed_prompt), ("closed_choice", closed)):
            if prompt is not None:
                place = f"lines[{number}].{key}"
                yield _Use(place=place, prompt=prompt, keys={}, languages=mine)
    for number, notice in enumerate(config.notices):
        heard = [line for line in config.lines if not notice.lines or line.name in notice.lines]
        languages = frozenset(line.language for line in heard)
        if notice.place == "before_queue":
            languages |= _languages_in_queues(ways, {line.name for line in heard})
        place = f"notices[{number}].prompt"
        yield _Use(place=place, prompt=notice.prompt, keys={}, languages=languages)
    everybody = _languages_in_queues(ways, {line.name for line in config.lines})
    yield _Use(place="queues", prompt=UNAVAILABLE_PROMPT, keys={}, languages=everybody)


def _languages_in_queues(ways: Graph, lines: Collection[str]) -> frozenset[str]:
    return frozenset(
        language
        for reached in ways.queues.values()
        if not reached.lines.isdisjoint(lines)
        for language in reached.languages
    )


def _uses_in_menu(number: int, menu: MenuConfig, languages: frozenset[str]) -> Iterator[_Use]:
    keys = {key: key_place(number, key) for key in menu.choices}
    for name in ("repeat_key", "back_key"):
        key = getattr(menu, name)
        if key is not None:
            keys[key] = f"menus[{number}].{name}"
    yield _Use(
        place=f"menus[{number}].prompt",
        prompt=menu.prompt,
        keys=keys,
        is_choice=True,
        seconds_max=MENU_S_MAX,
        languages=languages,
        is_in_menu=True,
    )
    if menu.invalid_prompt is not None:
        yield _Use(
            place=f"menus[{number}].invalid_prompt",
            prompt=menu.invalid_prompt,
            keys=keys,
            seconds_max=INVALID_S_MAX,
            languages=languages,
            is_in_menu=True,
        )
    for key, target in menu.choices.items():
        if target.announcement is not None:
            place = key_place(number, key)
            yield _Use(place=place, prompt=target.announcement, keys=keys, languages=languages)
    for name, ending in (
        ("stay_choice", menu.stay_choice.announcement),
        ("failure_choice", menu.failure_choice.announcement if menu.failure_choice else None),
    ):
        if ending is not None:
            place = f"menus[{number}].{name}"
            yield _Use(place=place, prompt=ending, keys={}, languages=languages)


def _uses_in_queue(number: int, queue: QueueConfig, languages: frozenset[str]) -> Iterator[_Use]:
    keys = {key: f"queues[{number}].exit_keys.{key}" for key in queue.exit_keys}
    if queue.offer_prompt is not None:
        yield _Use(
            place=f"queues[{number}].offer_prompt",
            prompt=queue.offer_prompt,
            keys=keys,
            is_choice=True,
            seconds_max=OFFER_S_MAX,
            languages=languages,
        )
    for key, target in queue.exit_keys.items():
        if target.announcement is not None:
            yield _Use(place=keys[key], prompt=target.announcement, keys=keys, languages=languages)


# Keys.


def _key_findings(sheet: PromptSheet, use: _Use) -> Iterator[Finding]:
    texts = _texts(sheet, use.prompt)
    heard: dict[str, Collection[str]] = {}
    for language, text in texts.items():
        place = f"prompts.{use.prompt}.{language}"
        unknown = {one.language for one in pieces(text, language)} - {*KEY_WORDS, ALL}
        if unknown:
            yield Finding(
                severity=Severity.NOTE,
                kind=Kind.NOT_LOOKED_AT,
                place=place,
                text=f"the keys in a text in {listed(sorted(unknown))} are not looked at: ivrd "
                "does not know the words for them",
                way_out="read it yourself",
            )
            continue
        heard[language] = keys_spoken(text, language)
        for key in heard[language]:
            if key not in use.keys:
                yield _fault(Kind.KEY_NOT_THERE, place, _not_there(key, use), _mend(use))
    if use.is_choice:
        for key, place in use.keys.items():
            yield from _unspoken(use, key, place, heard)


def _not_there(key: str, use: _Use) -> str:
    if use.keys:
        return f"speaks of key {key}, which is not there; there are {_keys(use.keys)} ({use.place})"
    return f"speaks of key {key}, but no key counts where it is heard ({use.place})"


def _mend(use: _Use) -> str:
    return "name a key that is there, or add the key" if use.keys else "leave the key out"


def _unspoken(
    use: _Use, key: str, place: str, heard: Mapping[str, Collection[str]]
) -> Iterator[Finding]:
    silent = [language for language, keys in heard.items() if key not in keys]
    if not silent:
        return
    if len(silent) == len(heard):
        yield _fault(
            Kind.KEY_NOT_SPOKEN,
            place,
            f"no prompt speaks of key {key}: prompts.{use.prompt} does not",
            f"say it in prompts.{use.prompt}, or take the key away",
        )
        return
    said = [language for language in heard if language not in silent]
    for language in silent:
        yield _fault(
            Kind.KEY_NOT_IN_LANGUAGE,
            f"prompts.{use.prompt}.{language}",
            f"does not speak of key {key}, as {listed(said)} does ({place})",
            "say it in this language too",
        )


def _unoffered(number: int, queue: QueueConfig) -> Iterator[Finding]:
    if queue.offer_prompt is None:
        for key in queue.exit_keys:
            yield _fault(
                Kind.KEY_NOT_SPOKEN,
                f"queues[{number}].exit_keys.{key}",
                f"no prompt speaks of key {key}: queue {queue.name} has no offer_prompt",
                f"give queue {queue.name} an offer_prompt that does, or take the key away",
            )


# Time.


def _lengths(sheet: PromptSheet, use: _Use) -> Iterator[Finding]:
    for language, text in _texts(sheet, use.prompt).items():
        seconds = estimated_length(text, language).total_seconds()
        if seconds > use.seconds_max:
            yield _fault(
                Kind.TOO_LONG,
                f"prompts.{use.prompt}.{language}",
                f"takes about {seconds:.0f} s to listen to; more than {use.seconds_max:g} s is too "
                f"long here ({use.place})",
                "say less, or move a part of the keys to a submenu"
                if use.is_choice
                else "say less",
            )


def _haste(sheet: PromptSheet, number: int, menu: MenuConfig) -> Iterator[Finding]:
    texts = _texts(sheet, menu.prompt)
    most = max((len(keys_spoken(text, language)) for language, text in texts.items()), default=0)
    needed_s = STAY_S + STAY_S_PER_KEY * most
    if menu.stay_after_s < needed_s:
        yield _fault(
            Kind.TOO_HASTY,
            f"menus[{number}].stay_after_s",
            f"{menu.stay_after_s} s after the prompt of menu {menu.name}, which speaks of {most} "
            "keys, is too short to find one",
            f"set it to {-int(-needed_s // 1)} or more",
        )


# Languages and sounds.


def _languages(sheet: PromptSheet, use: _Use) -> Iterator[Finding]:
    for language in sheet.languages:
        said = sheet.said(use.prompt, language)
        if language not in use.languages or said is None or said.language in (language, ALL):
            continue
        text = f"callers who have chosen {language} hear this in {said.language}"
        if use.is_in_menu:
            yield _fault(
                Kind.LANGUAGE_LACKING,
                f"prompts.{use.prompt}.{language}",
                f"{text}: a menu is the first thing that must be in their language ({use.place})",
                "write the text, or do not offer the language",
            )
        else:
            yield Finding(
                severity=Severity.NOTE,
                kind=Kind.LANGUAGE_LACKING,
                place=f"prompts.{use.prompt}.{language}",
                text=f"{text} ({use.place})",
                way_out="write the text",
            )


def _sounds(
    config: Config, sheet: PromptSheet, uses: list[_Use], sounds: Path | None
) -> Iterator[Finding]:
    if sounds is None or not sounds.is_dir():
        yield Finding(
            severity=Severity.NOTE,
            kind=Kind.NOT_LOOKED_AT,
            place="--sounds",
            text="sounds are not looked at"
            + (f": there is no directory {sounds}" if sounds else ""),
            way_out="say where Asterisk's sounds are with --sounds",
        )
        return
    played = {(use.prompt, language): use.place for use in uses for language in use.languages}
    for number, queue in enumerate(config.queues):
        if queue.speaks_wait:
            place = f"queues[{number}].speaks_wait"
            everybody = {language for use in uses for language in use.languages}
            played |= {
                (prompt, language): place
                for language in everybody
                for prompt in spoken.fragment_ids(spoken.grammar_of(language, sheet.fallback))
            }
    placeholders: dict[str, list[str]] = {}
    for lack in missing(sheet, sounds):
        used = played.get((lack.prompt, lack.language))
        if used is None:
            continue
        place = f"prompts.{lack.prompt}.{lack.language}"
        match lack.lack:
            case Lack.SOUND:
                text = f"there is no sound, so callers hear nothing ({used})"
                yield _fault(Kind.NO_SOUND, place, text, "run `ivrd prompts install`, or record it")
            case Lack.CHANGED | Lack.RERECORDING:
                yield Finding(
                    severity=Severity.WARNING,
                    kind=Kind.OLD_SOUND,
                    place=place,
                    text=f"the sound says an older text ({used})",
                    way_out=lack.lack.value.partition(": ")[2],
                )
            case Lack.RECORDING:
                placeholders.setdefault(lack.language, []).append(lack.prompt)
            case Lack.TEXT:
                pass  # _languages has told it.
    for language, prompts in placeholders.items():
        yield Finding(
            severity=Severity.NOTE,
            kind=Kind.PLACEHOLDER,
            place=f"prompts.*.{language}",
            text=f"{len(prompts)} prompts are read by a machine, not recorded",
            way_out=f"run `ivrd prompts --manuscript {language}`",
        )


def _texts(sheet: PromptSheet, prompt: str) -> Mapping[str, str]:
    entry = sheet.prompts.get(prompt)
    return {} if entry is None else entry.texts


def _keys(keys: Collection[str]) -> str:
    return listed(sorted(keys))


def _fault(kind: Kind, place: str, text: str, way_out: str) -> Finding:
    return Finding(severity=Severity.FAULT, kind=kind, place=place, text=text, way_out=way_out)
