"""What came of AGI sessions, counted; read at each scrape.

Here: counting by the menu, the key and the end. Not here: what a caller chose in the end, which
travels through the dialplan's UserEvent, so that the static twin counts too.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from ivrd.agi.session import SessionEnd
from ivrd.core.ids import MenuName
from ivrd.core.menu import Finished
from ivrd.counts_file import Step
from ivrd.metric_families import MENU_SECONDS, REPEATS, WRONG_KEYS

SEVERAL = "several"
"""The key label for more than one digit: what callers type is unbounded."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Kept(Protocol):
    """Who counts what outlives the process (metrics.Metrics)."""

    def count_steps(self, key: str, steps: Sequence[Step], /) -> None: ...


class MenuCounts:
    """Counts for the AGI server; a `MenuReport`.

    Attributes:
        ends: Connections of this process, by how they ended.
        missing_prompts: Likewise, by menu and prompt.
    """

    def __init__(self, kept: Kept) -> None:
        """Begin with nothing."""
        self._kept = kept
        self.ends: Counter[tuple[str, ...]] = Counter()
        self.missing_prompts: Counter[tuple[str, ...]] = Counter()

    def menu_finished(self, *, menu: MenuName, finished: Finished, seconds: float) -> None:
        """Count one menu; the outcome itself travels through the dialplan's UserEvent."""
        steps: list[Step] = [(MENU_SECONDS, (menu, finished.outcome.value), seconds)]
        steps += [
            (WRONG_KEYS, (menu, keys if len(keys) == 1 else SEVERAL), None)
            for keys in finished.wrong_keys
        ]
        steps += [(REPEATS, (menu,), None)] * finished.repeats
        # Nothing tells of a visit twice: its key need only differ from every other.
        self._kept.count_steps(f"visit {secrets.token_hex(8)}", steps)

    def prompt_missing(self, *, place: str, prompt: str) -> None:
        """Count a prompt that Asterisk could not play; log the first time."""
        if (place, prompt) not in self.missing_prompts:
            log.warning("prompt_missing", menu=place, prompt=prompt)
        self.missing_prompts[(place, prompt)] += 1

    def session_ended(self, *, end: SessionEnd) -> None:
        """Count one connection."""
        self.ends[(end.value,)] += 1
