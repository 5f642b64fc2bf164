"""What the tests of the journal share: a daemon's sudden end, and sizes as the disk has them."""

import os
from pathlib import Path

from ivrd.journal.facts_journal import FactsJournal


def die(journal: FactsJournal) -> None:
    """Let a journal go as a killed process does: the kernel closes its files, and no more."""
    if journal._descriptor is not None:
        os.close(journal._descriptor)
    if journal._lock is not None:
        os.close(journal._lock)
    if journal._place is not None:
        journal._place.close()
    journal._descriptor = journal._lock = journal._place = journal._active = None


def directory_bytes(directory: Path) -> int:
    """Return the size of what the bound is about."""
    files = [*directory.glob("facts-*.jsonl"), *directory.glob("set-aside.jsonl")]
    return sum(file.stat().st_size for file in files)
