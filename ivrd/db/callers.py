"""What the database needs of whoever seals callers' numbers.

Here: the interface (privacy/callers.py fills it). Not here: keys, or how a number is sealed.
"""

from datetime import datetime
from typing import Protocol, TypeVar

Fact = TypeVar("Fact")

SealedTexts = tuple[str | None, str | None, str | None]


class Callers(Protocol):
    """Seals numbers before they are stored, and opens them for a downgrade."""

    def closed(self, fact: Fact) -> Fact:
        """Return a fact without a number in clear."""

    def sealed(self, number: str, call_id: str, at: datetime) -> SealedTexts:
        """Return sealed number, caller key, and the key before; None where none may be kept."""

    def opened(self, sealed: str, call_id: str) -> str | None:
        """Return the number in clear; None when its key is gone."""
