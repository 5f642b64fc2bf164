"""The prompt sheet: what callers hear, in each language, and which recordings there are.

Here: its model, its checks, and the reader of its file. Not here: how a text becomes sound
(ivrd/sounds/), which keys a text speaks of (core/prompt_keys.py), whether menus name prompts that
the sheet has (the checker of menus). Rules:

1. A language without a text has the prompt in the first language of `fallback` that has one. A
   prompt therefore has a text for every language, or for one of `fallback`.
2. A text for `all` is heard in every language as it is. It says itself which language it begins
   in, with a marker such as [sv]; other texts may change language with a marker too.
3. The fragments of sentences (core/spoken.py) are all there in a language, or none: otherwise a
   sentence would change language in the middle.
4. A recording is a file that exists; relative paths are relative to the sheet.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from ivrd.config.base import Language, PromptId, Section
from ivrd.config.document import read_document
from ivrd.core import spoken
from ivrd.core.prompt_text import pieces
from ivrd.errors import ConfigError

ALL = "all"
"""Instead of a language: the text is heard in every language as it is."""

TEXT_CHARS_MAX = 600
"""About 40 s; nobody remembers the beginning of more."""

Text = Annotated[str, StringConstraints(max_length=TEXT_CHARS_MAX)]

_PROMPT_ID = TypeAdapter(PromptId)


class PromptConfig(Section):
    """One prompt: its text in each language, and its recordings."""

    texts: dict[str, Text] = Field(description="By language, or for `all`.")
    recordings: dict[str, Path] = Field(
        default_factory=dict, description="Sound files, by language, or for `all`."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What callers of a language hear."""

    language: str
    """In which language, after fallback; or `all`."""
    text: str


class PromptSheet(Section):
    """Every prompt of an installation."""

    languages: tuple[Language, ...] = Field(min_length=1, description="The first is the usual one.")
    fallback: tuple[Language, ...] = Field(
        default=(), description="Where a missing text is taken from, the first that has it."
    )
    prompts: dict[PromptId, PromptConfig] = Field(min_length=1)

    def said(self, prompt: str, language: str) -> Said | None:
        """Return what callers of a language hear; None when the sheet has no such prompt."""
        entry = self.prompts.get(prompt)
        if entry is None:
            return None
        for each in (ALL, language, *self.fallback):
            if each in entry.texts:
                return Said(language=each, text=entry.texts[each])
        return None

    def is_needed(self, prompt: str, language: str) -> bool:
        """Tell whether a language can need the prompt: fragments differ by grammar."""
        if prompt not in spoken.FRAGMENT_IDS:
            return True
        return prompt in spoken.fragment_ids(self.grammar(language))

    def grammar(self, language: str) -> spoken.Grammar:
        """Return how sentences are put together: as in the language that their parts are heard in.

        Of a language that has no parts of its own callers hear the fallback's, in its order.
        """
        said = self.said(spoken.FIRST_PLACE, language)
        heard = language if said is None or said.language == ALL else said.language
        return spoken.grammar_of(heard, self.fallback)


def load_sheet(path: Path) -> PromptSheet:
    """Return the checked sheet of a TOML file.

    Raises:
        ConfigError: With one line per fault: path, what is wrong, the nearest known name.
    """
    document = read_document(path)
    try:
        return check_sheet(document, path.parent)
    except ConfigError as error:
        raise ConfigError([f"{path}: {fault}" for fault in error.faults]) from error


def check_sheet(document: Mapping[str, object], base: Path) -> PromptSheet:
    """Return the sheet of a parsed document.

    Args:
        document: As TOML says it.
        base: The directory that recordings are relative to.

    Raises:
        ConfigError: With every fault found, not only the first.
    """
    faults = list(_shape_faults(document))
    if faults:
        raise ConfigError(faults)
    prompts = document["prompts"]
    assert isinstance(prompts, dict), "its shape was checked"
    entries = {name: _entry(table, base) for name, table in prompts.items()}
    try:
        sheet = PromptSheet.model_validate({**document, "prompts": entries})
    except ValidationError as error:
        # What is left for pydantic is the type of single values, and their length.
        raise ConfigError(
            f"{_place(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_url=False)
        ) from error
    faults = [*_language_faults(sheet), *_prompt_faults(sheet), *_fragment_faults(sheet)]
    if faults:
        raise ConfigError(faults)
    return sheet


def _entry(table: Mapping[str, object], base: Path) -> dict[str, object]:
    """Return a prompt's table as the model has it."""
    recording = table.get("recording", {})
    assert isinstance(recording, dict), "its shape was checked"
    return {
        "texts": {key: value for key, value in table.items() if key != "recording"},
        "recordings": {key: base / value for key, value in recording.items()},
    }


def _shape_faults(document: Mapping[str, object]) -> Iterator[str]:
    """Yield what keeps the document from being read as a sheet at all."""
    known = list(PromptSheet.model_fields)
    for key in document.keys() - set(known):
        yield f"{key}: is not a key we know{_nearest(key, known)}"
    for key in ("languages", "prompts"):
        if key not in document:
            yield f"{key}: is missing"
    prompts = document.get("prompts", {})
    if not isinstance(prompts, dict):
        yield "prompts: must be tables, such as [prompts.huvudmeny]"
        return
    for name, table in prompts.items():
        place = f"prompts.{name}"
        if not isinstance(table, dict):
            yield f"{place}: must be a table with a text for each language"
            continue
        if not _is(_PROMPT_ID, name):
            yield (
                f"{place}: a prompt's id is a to z, 0 to 9, _ and -, begins with a letter and has "
                "at most 40 characters"
            )
        for key, value in table.items():
            if key != "recording" and not isinstance(value, str):
                yield f"{place}.{key}: must be a text{_nearest(key, ['recording'], '')}"
        recording = table.get("recording", {})
        if not isinstance(recording, dict):
            yield f"{place}.recording: must be a table with a file for each language"
        elif not all(isinstance(file, str) and file for file in recording.values()):
            yield f"{place}.recording: each value must be a file's path"


def _language_faults(sheet: PromptSheet) -> Iterator[str]:
    for key, languages in (("languages", sheet.languages), ("fallback", sheet.fallback)):
        for number, language in enumerate(languages):
            if language in languages[:number]:
                yield f"{key}[{number}]: {language!r} stands there twice, which leads in a circle"
    for number, language in enumerate(sheet.fallback):
        if language not in sheet.languages:
            nearest = _nearest(language, sheet.languages)
            yield f"fallback[{number}]: {language!r} is not one of languages{nearest}"


def _prompt_faults(sheet: PromptSheet) -> Iterator[str]:
    for name, entry in sheet.prompts.items():
        place = f"prompts.{name}"
        known = (*sheet.languages, ALL)
        for language, text in entry.texts.items():
            if language not in known:
                yield f"{place}.{language}: is not one of languages{_nearest(language, known)}"
            else:
                yield from _text_faults(text, language, sheet.languages, f"{place}.{language}")
        if ALL in entry.texts and len(entry.texts) > 1:
            yield f"{place}: has a text for {ALL}, so it can have none for a language"
        silent = [
            language
            for language in sheet.languages
            if sheet.said(name, language) is None and sheet.is_needed(name, language)
        ]
        if silent:
            tried = " or ".join(sheet.fallback) or "any fallback language"
            yield f"{place}: has no text in {tried}, so callers of {', '.join(silent)} hear nothing"
        yield from _recording_faults(entry, place)


def _text_faults(text: str, language: str, languages: Collection[str], place: str) -> Iterator[str]:
    if not text.strip():
        yield f"{place}: is empty; leave it out to have the fallback language"
        return
    if not text.isprintable():
        yield f"{place}: must be one line of printable text"
    parts = pieces(text, "")
    if language == ALL and (not parts or not parts[0].language):
        yield f"{place}: must begin with the language it is in, such as [{min(languages)}]"
    for part in parts:
        if part.language and part.language not in languages:
            yield f"{place}: [{part.language}] is not one of languages"
    if not parts or not all(re.search(r"\w", part.text) for part in parts):
        yield f"{place}: has no word to say"


def _recording_faults(entry: PromptConfig, place: str) -> Iterator[str]:
    for language, file in entry.recordings.items():
        if language not in entry.texts:
            yield f"{place}.recording.{language}: has no text in {language}: what does it say?"
        if not file.is_file():
            yield f"{place}.recording.{language}: there is no file {file}"


def _fragment_faults(sheet: PromptSheet) -> Iterator[str]:
    """Yield what a language lacks of the fragments that make up its sentences."""
    for language in sheet.languages:
        needed = spoken.fragment_ids(spoken.grammar_of(language, sheet.fallback))
        there = {
            name for name, entry in sheet.prompts.items() if {language, ALL} & entry.texts.keys()
        }
        lacking = sorted(needed - there)
        if lacking and needed & there:
            shown = ", ".join(lacking[:3]) + (" ..." if len(lacking) > 3 else "")
            yield (
                f"prompts: {language} has parts of sentences, but not {shown}: a sentence would "
                "change language in the middle, so it must have all of them, or none"
            )


def _is(kind: TypeAdapter[str], value: object) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


def _place(location: tuple[int | str, ...]) -> str:
    """Return the place in the file; there, texts stand in the prompt's own table."""
    if location[0] == "prompts" and location[2:3] == ("texts",):
        location = (*location[:2], *location[3:])
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _nearest(name: str, known: Collection[str], otherwise: str | None = None) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known here: {', '.join(known)}" if otherwise is None else otherwise
