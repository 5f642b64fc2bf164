"""What the voice actor reads from: every text of a language, with the name of its file.

Here: a Markdown page. Not here: what becomes of the recordings (importing.py).
"""

from datetime import timedelta

from ivrd.config.prompt_sheet import ALL, PromptSheet
from ivrd.core import spoken
from ivrd.core.prompt_text import estimated_length
from ivrd.errors import ConfigError


def manuscript(sheet: PromptSheet, language: str) -> str:
    """Return the manuscript of a language as Markdown; `all` is what all languages share.

    Raises:
        ConfigError: The sheet has no such language, or no text in it.
    """
    if language not in (*sheet.languages, ALL):
        known = ", ".join((*sheet.languages, ALL))
        raise ConfigError([f"{language!r} is not a language of the prompt sheet; known: {known}"])
    texts = {
        prompt: entry.texts[language]
        for prompt, entry in sheet.prompts.items()
        if language in entry.texts
    }
    if not texts:
        raise ConfigError([f"the prompt sheet has no text for {language}"])
    sentences = {id: text for id, text in texts.items() if id not in spoken.FRAGMENT_IDS}
    fragments = {id: text for id, text in texts.items() if id in spoken.FRAGMENT_IDS}
    total = sum((estimated_length(text, language) for text in texts.values()), timedelta(0))
    lines = [
        f"# Manuscript: {language}",
        "",
        f"{len(texts)} recordings, about {_clock(total)} of sound. One file for each, named as "
        "below; any format, mono, 16 bit and 16 kHz or better, no music, no clipping. Half a "
        "second of silence at both ends does no harm: it is cut off.",
    ]
    if sentences:
        lines += ["", "## Whole prompts", "", *_table(sentences, language)]
    if fragments:
        lines += [
            "",
            "## Parts of sentences",
            "",
            "They are played one after the other: read them evenly, as in the middle of a "
            "sentence, and all in one session.",
            "",
            *_table(fragments, language),
        ]
    return "\n".join(lines) + "\n"


def _table(texts: dict[str, str], language: str) -> list[str]:
    rows = [
        f"| {prompt} | {text.replace('|', chr(92) + '|')} "
        f"| {estimated_length(text, language).total_seconds():.1f} | {language}/{prompt}.wav |"
        for prompt, text in texts.items()
    ]
    return ["| Id | Text | About, s | File |", "|---|---|---|---|", *rows]


def _clock(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes} min {seconds} s"
