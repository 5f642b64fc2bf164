"""Placeholders: texts spoken by espeak-ng, understandable at once, until a person records them.

Here: text in, telephone sound out. Not here: which prompts need one (installing.py).
"""

from pathlib import Path

from ivrd.core.prompt_text import pieces
from ivrd.errors import ConfigError
from ivrd.sounds.shaping import Sound, shape
from ivrd.sounds.tools import run

VOICES = {"sv": "sv", "en": "en", "fi": "fi"}
"""Language to voice; espeak-ng has no Somali."""

WORDS_PER_MINUTE = 150

RECIPE = 1
"""Raised when the same text must be spoken anew."""


def can_speak(text: str, language: str) -> bool:
    """Tell whether there is a voice for at least a part of the text."""
    return any(piece.language in VOICES for piece in pieces(text, language))


def speak(text: str, language: str, target: Path) -> Sound:
    """Write a spoken text as telephone sound; parts in a language without a voice are left out.

    Args:
        text: As in the prompt sheet, perhaps with markers such as [en].
        language: Of the part before the first marker.
        target: The WAV file to write, absolute; other files are written beside it for the while.

    Raises:
        PeerError: espeak-ng or sox is missing, or failed.
    """
    parts: list[Path] = []
    whole = target.with_name(f"{target.name}.spoken.wav")
    try:
        for piece in pieces(text, language):
            voice = VOICES.get(piece.language)
            if voice is None:
                continue
            part = target.with_name(f"{target.name}.{len(parts)}.wav")
            parts.append(part)
            speed = ("-s", str(WORDS_PER_MINUTE))
            run("espeak-ng", "-v", voice, *speed, "-w", part, "--", piece.text)
        assert parts, f"there is a voice for a part of {text!r}"
        if len(parts) > 1:
            run("sox", "-D", *parts, whole)
        return shape(whole if len(parts) > 1 else parts[0], target)
    except ConfigError as error:
        raise ConfigError([f"espeak-ng could not say {text!r}: {error}"]) from error
    finally:
        for file in (*parts, whole):
            file.unlink(missing_ok=True)
