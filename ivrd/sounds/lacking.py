"""What is still to be translated, recorded or installed, by language.

Here: comparing the sheet with a sounds directory. Not here: mending it (installing.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ivrd.config.prompt_sheet import PromptSheet
from ivrd.sounds.installing import placeholder_hash, text_key
from ivrd.sounds.origin import Origin, read_origins, sound_name, text_hash


class Lack(Enum):
    """What a prompt lacks in a language; the worst first, and only that is told."""

    SOUND = "no sound file: run `ivrd prompts install`"
    CHANGED = "the text has changed since the placeholder: run `ivrd prompts install`"
    RERECORDING = "the text has changed since the recording: record it again"
    TEXT = "no text"
    RECORDING = "not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One prompt in one language that is not as it should be."""

    language: str
    prompt: str
    lack: Lack
    heard: str
    """What callers hear instead: "placeholder", a language, or "nothing"."""


def missing(sheet: PromptSheet, sounds_dir: Path) -> tuple[Missing, ...]:
    """Return what lacks, by language in the sheet's order; a directory may be not there yet.

    Fragments that a language's grammar does not use are not missed.
    """
    origins = read_origins(sounds_dir)
    found = []
    for language in sheet.languages:
        for prompt in sheet.prompts:
            origin = origins.get(sound_name(language, prompt))
            lack = _lack(sheet, language, prompt, origins)
            if lack is not None and sheet.is_needed(prompt, language):
                found.append(
                    Missing(language=language, prompt=prompt, lack=lack, heard=_heard(origin))
                )
    return tuple(found)


def _lack(
    sheet: PromptSheet, language: str, prompt: str, origins: Mapping[str, Origin]
) -> Lack | None:
    origin = origins.get(sound_name(language, prompt))
    key = text_key(sheet, prompt, language)
    text = sheet.prompts[prompt].texts.get(key)
    if origin is None:
        return Lack.SOUND
    if origin.kind == "recorded":
        is_current = text is None or origin.text_sha256 in (None, text_hash(text))
        return None if is_current else Lack.RERECORDING
    if origin.kind == "placeholder":
        is_current = text is not None and origin.text_sha256 == placeholder_hash(text, key)
        return Lack.RECORDING if is_current else Lack.CHANGED
    assert origin.language is not None, "a copy names its language"
    source = origins.get(sound_name(origin.language, prompt))
    if source is None or source.sound_sha256 != origin.sound_sha256:
        return Lack.CHANGED
    return Lack.TEXT if text is None else Lack.RECORDING


def _heard(origin: Origin | None) -> str:
    if origin is None:
        return "nothing"
    return (origin.language or "") if origin.kind == "fallback" else origin.kind
