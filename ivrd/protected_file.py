"""Whose identity is protected (skyddad identitet), as keyed hashes in the state directory.

Here: the file. Not here: the hashes (privacy/sealing.py), and what is done for such a caller
(privacy/callers.py). No number stands in it; without the key file nobody can tell whose hash is
which. The daemon looks at the file again when it has changed, so a new entry counts at once.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import structlog

from ivrd.checkpoint import read_bounded, write_atomically

VERSION = 1

FILE_BYTES_MAX = 4_000_000
"""Some 100,000 entries; all of Sweden has fewer."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class ProtectedFile:
    """The list of one ivrd."""

    def __init__(self, directory: Path) -> None:
        """Open nothing yet."""
        self.path = directory / "protected-numbers.json"
        self.faults = 0
        """Times that the file could not be read."""
        self._seen: tuple[int, int, int] | None = None
        self._hashes: frozenset[str] = frozenset()

    def holds(self, hashes: Iterable[str]) -> bool:
        """Return whether one of a number's hashes stands in the list.

        While a changed file cannot be read the list of before holds.
        """
        self._look()
        return not self._hashes.isdisjoint(hashes)

    def __len__(self) -> int:
        """Return how many entries there are."""
        self._look()
        return len(self._hashes)

    def change(self, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> bool:
        """Write the list anew, and return whether it differs.

        Raises:
            OSError: It cannot be read or written.
            ValueError: It is no list of ours; nothing was changed.
        """
        known = self._read()
        wanted = (known - frozenset(remove)) | frozenset(add)
        if wanted == known:
            return False
        document = {"version": VERSION, "hashes": sorted(wanted)}
        write_atomically(self.path, json.dumps(document) + "\n")
        return True

    def _look(self) -> None:
        try:
            status = self.path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            self._hashes = self._read()
            self._seen = seen
        except FileNotFoundError:
            self._hashes, self._seen = frozenset(), None
        except (OSError, ValueError) as error:
            self.faults += 1
            log.error("protected_list_refused", path=str(self.path), reason=str(error))

    def _read(self) -> frozenset[str]:
        try:
            document = json.loads(read_bounded(self.path, FILE_BYTES_MAX))
        except FileNotFoundError:
            return frozenset()
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise ValueError(f"{self.path}: is no list of this version")
        hashes = document.get("hashes")
        if not isinstance(hashes, list) or not all(isinstance(one, str) for one in hashes):
            raise ValueError(f"{self.path}: holds no list of hashes")
        return frozenset(hashes)
