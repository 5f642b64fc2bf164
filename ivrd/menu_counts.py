"""What came of AGI sessions, counted; read at each scrape.

Here: counting by the menu, the key and the end. Not here: what a caller chose in the end, which
travels through the dialplan's UserEvent, so that the static twin counts too.
"""

from collections import Counter

import structlog

from ivrd.agi.session import SessionEnd
from ivrd.core.ids import MenuName
from ivrd.core.menu import Finished

SEVERAL = "several"
"""The key label for more than one digit: what callers type is unbounded."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class MenuCounts:
    """Counts for the AGI server; a `MenuReport`."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.ends: Counter[tuple[str, ...]] = Counter()
        self.missing_prompts: Counter[tuple[str, ...]] = Counter()
        self.wrong_keys: Counter[tuple[str, ...]] = Counter()
        self.repeats: Counter[tuple[str, ...]] = Counter()
        self._milliseconds: Counter[tuple[str, ...]] = Counter()

    def menu_finished(self, *, menu: MenuName, finished: Finished, seconds: float) -> None:
        """Count one menu; the outcome itself travels through the dialplan's UserEvent."""
        self._milliseconds[(menu, finished.outcome.value)] += round(seconds * 1000)
        for keys in finished.wrong_keys:
            self.wrong_keys[(menu, keys if len(keys) == 1 else SEVERAL)] += 1
        if finished.repeats:
            self.repeats[(menu,)] += finished.repeats

    def seconds(self) -> dict[tuple[str, ...], float]:
        """Return the seconds spent in each menu, by outcome."""
        return {labels: spent / 1000 for labels, spent in self._milliseconds.items()}

    def prompt_missing(self, *, place: str, prompt: str) -> None:
        """Count a prompt that Asterisk could not play; log the first time."""
        if (place, prompt) not in self.missing_prompts:
            log.warning("prompt_missing", menu=place, prompt=prompt)
        self.missing_prompts[(place, prompt)] += 1

    def session_ended(self, *, end: SessionEnd) -> None:
        """Count one connection."""
        self.ends[(end.value,)] += 1
