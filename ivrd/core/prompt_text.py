"""What is in a prompt's text: the languages it speaks, and how long it takes to listen to.

Here: plain text in, pieces and a length out. Not here: the keys it speaks of (prompt_keys.py),
where the text comes from (the prompt sheet), how it is made sound.

A text is in one language, but a marker changes it from there on, so that a language menu can name
each language in itself: "För svenska, tryck ett. [en] For English, press two."

The length is the number of words by a steady speaker's speed, and a pause for each sentence.
Swedish 140 words a minute, English 150; Finnish 95, because its words are long; others 120. A
figure counts as a word, a mark of punctuation does not. It is meant for finding texts that nobody
will listen to, and recordings of another text: a third more or less is normal.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

WORDS_PER_MINUTE = {"sv": 140, "en": 150, "fi": 95}
WORDS_PER_MINUTE_ELSEWHERE = 120
SENTENCE_PAUSE = timedelta(milliseconds=400)

_MARKER = re.compile(r"\[([a-z]{2})\]")
_WORD = re.compile(r"\w+(?:[.:'-]\w+)*")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a text, in one language."""

    language: str
    """Empty when the text begins without a language of its own."""
    text: str


def pieces(text: str, language: str) -> tuple[Piece, ...]:
    """Return the parts of a text, each in its language, in order; none is blank.

    >>> [(piece.language, piece.text) for piece in pieces("Tryck ett. [en] Press two.", "sv")]
    [('sv', 'Tryck ett.'), ('en', 'Press two.')]
    """
    first, *marked = _MARKER.split(text)
    languages = (language, *marked[::2])
    return tuple(
        Piece(language=each, text=part.strip())
        for each, part in zip(languages, (first, *marked[1::2]), strict=True)
        if part.strip()
    )


def estimated_length(text: str, language: str) -> timedelta:
    """Return about how long a text takes to listen to, rounded to tenths of a second.

    >>> estimated_length("Den knappen finns inte.", "sv").total_seconds()
    2.1
    """
    length = timedelta(0)
    for piece in pieces(text, language):
        speed = WORDS_PER_MINUTE.get(piece.language, WORDS_PER_MINUTE_ELSEWHERE)
        words = len(_WORD.findall(piece.text))
        pauses = len(_SENTENCE_END.findall(piece.text))
        length += words * timedelta(minutes=1) / speed + pauses * SENTENCE_PAUSE
    tenth = timedelta(milliseconds=100)
    return round(length / tenth) * tenth
