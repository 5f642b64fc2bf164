"""Words in rows that stand for one of a few: read as such, or known to be none of ours.

Here: what becomes of a word that this version does not know, as after a way back from a newer one.
Not here: the words themselves (core/), and rows.

The row stays as it is, and a version that knows the word reads it again. Meanwhile it is logged
once and counted each time; sums go on with the rest. Where nothing can be said without the word, as
of a case's state, `word` raises what readers take like a database that is away.
"""

from collections import Counter
from enum import StrEnum
from typing import TypeVar

import structlog

from ivrd.errors import PeerError

WORDS_SAID_MAX = 100
"""Logged at most; the others are counted only."""

WORD_CHARACTERS_MAX = 40

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Word = TypeVar("Word", bound=StrEnum)
Otherwise = TypeVar("Otherwise")


class UnknownWord(PeerError):
    """A row holds a word that this version does not know; the text says where, and the way out."""


class UnknownWords:
    """Which words were not known, and how often each place held one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._said: set[tuple[str, str]] = set()

    def counts(self) -> dict[tuple[str, ...], float]:
        """Return how often a word was not known, by table and column."""
        return dict(self._counts)

    def note(self, place: str, said: str, row: object) -> str:
        """Count one, log it the first time, and return a sentence about it."""
        table, _, column = place.partition(".")
        self._counts[table, column] += 1
        said = said[:WORD_CHARACTERS_MAX]
        if (place, said) not in self._said and len(self._said) < WORDS_SAID_MAX:
            self._said.add((place, said))
            log.error(
                "stored_word_unknown",
                table=table,
                column=column,
                word=said,
                row=row,
                hint="a newer ivrd wrote it; the row stays as it is until that version is back",
            )
        of_row = "" if row is None else f" of {row}"
        return f"{place}{of_row} is {said!r}, which this version of ivrd does not know"


UNKNOWN_WORDS = UnknownWords()
"""Of the process: rows are read by functions that share nothing but the database."""


def word(kind: type[Word], said: str, place: str, *, row: object = None) -> Word:
    """Return what a word of a row stands for.

    Args:
        kind: The words that there are.
        said: As it stands in the row.
        place: Table and column, such as "cases.state".
        row: What names the row; None for a sum over many.

    Raises:
        UnknownWord: It is none of them.
    """
    try:
        return kind(said)
    except ValueError:
        raise UnknownWord(UNKNOWN_WORDS.note(place, str(said), row)) from None


def word_or(
    kind: type[Word], said: str, place: str, otherwise: Otherwise, *, row: object = None
) -> Word | Otherwise:
    """Return what a word of a row stands for, or something else when it is none of ours."""
    try:
        return kind(said)
    except ValueError:
        UNKNOWN_WORDS.note(place, str(said), row)
        return otherwise
