"""The voice actor's recordings, taken into the sounds directory: all of them, or none.

Here: which file is which prompt, and whether it can be that. Not here: how it is made telephone
sound (shaping.py). The directory holds `LANGUAGE/ID.wav` as the manuscript names them, in any kind
of sound file; texts that are the same for all languages are in `all/`.

A recording is refused when its length tells that it says something else: more than three times the
text's estimate and 3 s more, or less than a quarter of it.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivrd.config.prompt_sheet import ALL, PromptSheet
from ivrd.core.prompt_text import estimated_length
from ivrd.errors import ConfigError
from ivrd.sounds.installing import refuse_partial_fragments, text_key
from ivrd.sounds.origin import Origin, file_hash, read_origins, sound_name, text_hash
from ivrd.sounds.shaping import Sound, shape
from ivrd.sounds.workshop import Fresh, put_into_place, workshop

IGNORED_ENDINGS = frozenset((".md", ".txt", ".pdf"))
"""The manuscript, and what the voice actor has to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One recording that was taken."""

    file: Path
    language: str
    """As in the sheet, perhaps `all`."""
    prompt: str
    sound: Sound


def import_recordings(
    sheet: PromptSheet, directory: Path, sounds_dir: Path
) -> tuple[Imported, ...]:
    """Take every recording of a directory; afterwards `install` renews the copies of others.

    Raises:
        ConfigError: One line for each recording that cannot be used; nothing is changed.
        PeerError: sox is missing, or failed; nothing is changed.
        PeerRefused: Another one is at work in the sounds directory.
    """
    files = _files(sheet, directory)
    with workshop(sounds_dir) as drafts:
        taken: list[Imported] = []
        fresh: dict[str, Fresh] = {}
        faults: list[str] = []
        for number, ((language, prompt), file) in enumerate(files.items()):
            draft = drafts / f"{number}.wav"
            try:
                sound = _shape(sheet.prompts[prompt].texts[language], language, file, draft)
            except ConfigError as error:
                faults += error.faults
                continue
            taken.append(Imported(file=file, language=language, prompt=prompt, sound=sound))
            fresh |= _fresh(sheet, taken[-1], draft)
        if faults:
            raise ConfigError(faults)
        origins = read_origins(sounds_dir)
        recorded = {name for name, origin in origins.items() if origin.kind == "recorded"}
        refuse_partial_fragments(sheet, recorded | fresh.keys())
        put_into_place(sounds_dir, origins, fresh)
    return tuple(taken)


def _fresh(sheet: PromptSheet, taken: Imported, draft: Path) -> dict[str, Fresh]:
    """Return the sounds that a recording becomes: one, or one for each language."""
    there = file_hash(draft)
    assert there is not None, f"{draft} was made a moment ago"
    text = sheet.prompts[taken.prompt].texts[taken.language]
    origin = Origin(kind="recorded", text_sha256=text_hash(text), sound_sha256=there)
    fresh = {}
    for language in sheet.languages if taken.language == ALL else (taken.language,):
        copy = draft.with_name(f"{draft.stem}-{language}.wav")
        copy.write_bytes(draft.read_bytes())
        fresh[sound_name(language, taken.prompt)] = Fresh(draft=copy, origin=origin)
    return fresh


def _shape(text: str, language: str, file: Path, draft: Path) -> Sound:
    sound = shape(file, draft)
    estimate_s = estimated_length(text, language).total_seconds()
    if not estimate_s / 4 <= sound.seconds <= estimate_s * 3 + 3:
        raise ConfigError(
            [
                f"{file}: takes {sound.seconds:.1f} s, but its text about {estimate_s:.1f} s: does "
                f"it say “{text[:60]}”?"
            ]
        )
    return sound


def _files(sheet: PromptSheet, directory: Path) -> Mapping[tuple[str, str], Path]:
    """Return the file of each language and prompt.

    Raises:
        ConfigError: A name fits no prompt, or two fit the same, or there is none at all.
    """
    files: dict[tuple[str, str], Path] = {}
    faults = []
    for file in _found(directory):
        fault = _name_fault(sheet, file, directory)
        place = (file.parent.name, file.stem)
        if fault is None and place in files:
            fault = f"is there twice: also as {files[place].name}"
        if fault is not None:
            faults.append(f"{file}: {fault}")
        else:
            files[place] = file
    if not files and not faults:
        faults.append(f"{directory}: holds no recording such as sv/huvudmeny.wav")
    if faults:
        raise ConfigError(faults)
    return files


def _found(directory: Path) -> Iterator[Path]:
    base = directory.resolve()
    for path in sorted(base.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
        if path.is_file() and not is_hidden and path.suffix.lower() not in IGNORED_ENDINGS:
            yield path


def _name_fault(sheet: PromptSheet, file: Path, directory: Path) -> str | None:
    parts = file.relative_to(directory.resolve()).parts
    if len(parts) != 2:
        return "must be LANGUAGE/ID with an ending, such as sv/huvudmeny.wav"
    language, prompt = parts[0], file.stem
    if language not in (*sheet.languages, ALL):
        return f"{language!r} is not one of {', '.join((*sheet.languages, ALL))}"
    if prompt not in sheet.prompts:
        close = difflib.get_close_matches(prompt, sheet.prompts, n=1, cutoff=0.5)
        return f"the sheet has no prompt {prompt!r}" + (f"; is it {close[0]}?" if close else "")
    entry = sheet.prompts[prompt]
    key = text_key(sheet, prompt, language)
    if language not in entry.texts:
        if key == ALL:
            return f"the text is the same for all languages; put it into {ALL}/"
        return f"the sheet has no text of {prompt} in {language}: what does it say?"
    if language in entry.recordings:
        return f"the sheet names another recording of it already: {entry.recordings[language]}"
    return None
