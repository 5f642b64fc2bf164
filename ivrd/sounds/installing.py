"""Every prompt of the sheet as a sound file for every language, from what there is.

Here: which sound each language gets, and which files are made anew. Not here: how a sound is made
(shaping.py, voice.py). A language hears, the first that exists:

1. the recording that the sheet names;
2. a recording that was imported, or put there by hand: never overwritten;
3. a placeholder by espeak-ng, renewed when its text has changed;
4. a copy of what the first language of the sheet's `fallback` hears that has one. Copies, not
   links: a sounds directory must survive being copied to another machine.

The fragments of sentences are one thing for a language without a voice: all recorded, or none.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ivrd.config.prompt_sheet import ALL, PromptSheet
from ivrd.core import spoken
from ivrd.errors import ConfigError
from ivrd.sounds import voice
from ivrd.sounds.origin import (
    Origin,
    file_hash,
    read_origins,
    sound_name,
    text_hash,
)
from ivrd.sounds.shaping import shape
from ivrd.sounds.workshop import Fresh, put_into_place, workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation did; sounds by their path below the directory, sorted."""

    made: tuple[str, ...]
    """Recordings converted, placeholders spoken, copies made."""
    kept: tuple[str, ...]
    gone: tuple[str, ...]
    """Placeholders and copies of prompts that the sheet no longer has."""
    silent: tuple[str, ...]
    """Nothing to be heard, in no fallback language either."""


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What is known while the sounds are chosen."""

    sheet: PromptSheet
    sounds_dir: Path
    drafts: Path
    origins: Mapping[str, Origin]
    fresh: dict[str, Fresh] = field(default_factory=dict)
    spoken: dict[str, Fresh] = field(default_factory=dict)
    """Placeholders of this run by their text, for prompts that are the same in all languages."""

    def new_draft(self) -> Path:
        return self.drafts / f"{len(self.fresh)}.wav"

    def origin(self, name: str) -> Origin | None:
        """Return the origin of a sound as it will be."""
        made = self.fresh.get(name)
        return made.origin if made else self.origins.get(name)


def install(sheet: PromptSheet, sounds_dir: Path) -> Installed:
    """Give every language every prompt of the sheet.

    Raises:
        ConfigError: A recording that the sheet names cannot be used; nothing is changed.
        PeerError: sox or espeak-ng is missing, or failed; nothing is changed.
        PeerRefused: Another one is at work in the directory.
    """
    with workshop(sounds_dir) as drafts:
        plan = _Plan(
            sheet=sheet, sounds_dir=sounds_dir, drafts=drafts, origins=read_origins(sounds_dir)
        )
        own = _make_own(plan)
        refuse_partial_fragments(sheet, own)
        silent = tuple(_make_copies(plan, own))
        wanted = [sound_name(language, prompt) for language, prompt in _each(sheet)]
        gone = _ours_without_prompt(plan, wanted)
        put_into_place(sounds_dir, plan.origins, plan.fresh, gone=gone)
    return Installed(
        made=tuple(sorted(plan.fresh)),
        kept=tuple(sorted(set(wanted) & plan.origins.keys() - plan.fresh.keys())),
        gone=gone,
        silent=silent,
    )


def refuse_partial_fragments(sheet: PromptSheet, own: Collection[str]) -> None:
    """Refuse a language without a voice in which only some fragments of sentences are recorded.

    Args:
        sheet: Says which fragments it needs.
        own: The sounds that are in their own language, by path below the sounds directory.
    """
    faults = []
    for language in sheet.languages:
        fragments = spoken.fragment_ids(sheet.grammar(language))
        needed = [each for each in fragments if each in sheet.prompts]
        lacking = sorted(each for each in needed if sound_name(language, each) not in own)
        if language not in voice.VOICES and 0 < len(lacking) < len(needed):
            shown = ", ".join(lacking[:3]) + (" ..." if len(lacking) > 3 else "")
            faults.append(
                f"{language}: some parts of sentences are recorded, but not {shown}: a sentence "
                "would change language in the middle, so all of them are needed, or none"
            )
    if faults:
        raise ConfigError(faults)


def text_key(sheet: PromptSheet, prompt: str, language: str) -> str:
    """Return under which key the sheet holds a prompt's text for a language, if it does."""
    return ALL if ALL in sheet.prompts[prompt].texts else language


def placeholder_hash(text: str, language: str) -> str:
    """Return what a placeholder's text is known by: with whatever makes it sound otherwise."""
    return text_hash(f"{voice.RECIPE} {language} {text}")


def _each(sheet: PromptSheet) -> Iterator[tuple[str, str]]:
    for language in sheet.languages:
        for prompt in sheet.prompts:
            yield language, prompt


def _make_own(plan: _Plan) -> frozenset[str]:
    """Make what a language has by itself; return the names of all that it has by itself."""
    own = set()
    faults: list[str] = []
    for language, prompt in _each(plan.sheet):
        name = sound_name(language, prompt)
        try:
            made = _own(plan, language, prompt)
        except ConfigError as error:
            faults += [f"prompts.{prompt}.{language}: {fault}" for fault in error.faults]
            continue
        if isinstance(made, Fresh):
            plan.fresh[name] = made
        if made is not None:
            own.add(name)
    if faults:
        raise ConfigError(faults)
    return frozenset(own)


def _own(plan: _Plan, language: str, prompt: str) -> Fresh | Origin | None:
    """Return a sound in its own language: made now, there already, or none."""
    entry = plan.sheet.prompts[prompt]
    key = text_key(plan.sheet, prompt, language)
    old = plan.origins.get(sound_name(language, prompt))
    source = entry.recordings.get(key)
    if source is not None:
        return _recorded(plan, source, entry.texts[key], old)
    if old is not None and old.kind == "recorded":
        return old
    text = entry.texts.get(key)
    if text is None or not voice.can_speak(text, key):
        return None
    said = placeholder_hash(text, key)
    if old is not None and old.kind == "placeholder" and old.text_sha256 == said:
        return old
    return _placeholder(plan, text, key, said)


def _recorded(plan: _Plan, source: Path, text: str, old: Origin | None) -> Fresh | Origin:
    said, from_file = text_hash(text), file_hash(source)
    if old is not None and (old.text_sha256, old.source_sha256) == (said, from_file):
        return old
    draft = plan.new_draft()
    shape(source.resolve(), draft)
    return Fresh(
        draft=draft,
        origin=Origin(
            kind="recorded",
            text_sha256=said,
            source_sha256=from_file,
            sound_sha256=_hash_of(draft),
        ),
    )


def _placeholder(plan: _Plan, text: str, key: str, said: str) -> Fresh:
    draft = plan.new_draft()
    again = plan.spoken.get(said)
    if again is not None:
        shutil.copyfile(again.draft, draft)
        return Fresh(draft=draft, origin=again.origin)
    voice.speak(text, key, draft)
    origin = Origin(kind="placeholder", text_sha256=said, sound_sha256=_hash_of(draft))
    plan.spoken[said] = Fresh(draft=draft, origin=origin)
    return plan.spoken[said]


def _make_copies(plan: _Plan, own: Collection[str]) -> Iterator[str]:
    """Copy what a language lacks from its fallback; yield what nobody has."""
    for language, prompt in _each(plan.sheet):
        name = sound_name(language, prompt)
        if name in own:
            continue
        others = [other for other in plan.sheet.fallback if sound_name(other, prompt) in own]
        if not others:
            if plan.sheet.is_needed(prompt, language):
                yield name
            continue
        source = sound_name(others[0], prompt)
        model = plan.origin(source)
        assert model is not None, f"{source} was made or kept"
        copy = model.model_copy(
            update={"kind": "fallback", "language": others[0], "source_sha256": None}
        )
        if copy == plan.origins.get(name):
            continue
        draft = plan.new_draft()
        made = plan.fresh.get(source)
        shutil.copyfile(made.draft if made else plan.sounds_dir / source, draft)
        plan.fresh[name] = Fresh(draft=draft, origin=copy)


def _ours_without_prompt(plan: _Plan, wanted: Collection[str]) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name, origin in plan.origins.items()
            if origin.kind != "recorded" and name not in wanted
        )
    )


def _hash_of(draft: Path) -> str:
    made = file_hash(draft)
    assert made is not None, f"{draft} was made a moment ago"
    return made
