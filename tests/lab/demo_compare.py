"""`./run demo --compare`: ten moments of the running demo, held against Asterisk, and the verdict.

Here: when a moment is taken, and how the ten are shown. Not here: how a moment is read and what
agreeing is (agreement.py).
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.lab.agreement import Moment, Seen, Surfaces

MOMENTS = 10

OCCUPIED_MIN = 2
"""Queues in which somebody waits, for a moment that says something."""

TELLING_MIN = 7
"""Of the ten; the others may be quieter."""

MOMENT_S_MAX = 60.0
"""For Asterisk to stand still; it does so every few seconds."""


HEADS = ("queue\nshow", "\nmetrics", "\nAPI", "tavla\nboard", "\nMQTT", "ivrd\nstatus")
"""The six, in the order of a moment."""


class Comparison:
    """Takes ten moments, one after the other."""

    def __init__(self, surfaces: Surfaces, *, every_s: float) -> None:
        """Take nothing yet.

        Args:
            surfaces: Whom to compare.
            every_s: From one moment to the next; a moment that says much is waited for as long.
        """
        self._surfaces = surfaces
        self._every_s = every_s
        self.moments: list[Moment] = []
        self.trouble = ""
        """Why there are no more; empty when there was time for all of them, or for no more."""

    async def during(self, demo: Coroutine[object, object, None]) -> None:
        """Take moments while the demo runs; those that it has no more time for are missing."""
        taking = asyncio.create_task(self._take_all(), name="compare")
        try:
            await demo
        finally:
            taking.cancel()
            await asyncio.wait([taking])
            if not taking.cancelled() and (error := taking.exception()) is not None:
                self.trouble = f"{type(error).__name__}: {error}"

    async def _take_all(self) -> None:
        start = time.monotonic()
        for number in range(1, MOMENTS + 1):
            due = start + (number - 0.5) * self._every_s
            await asyncio.sleep(due - time.monotonic())
            quiet_from = max(due, time.monotonic()) + self._every_s

            def is_wanted(asterisk: Seen, quiet_from: float = quiet_from) -> bool:
                waiting = sum(count != "0" for count in asterisk.counts.values())
                return waiting >= OCCUPIED_MIN or time.monotonic() > quiet_from

            self.moments.append(
                await self._surfaces.moment(wanted=is_wanted, within_s=MOMENT_S_MAX)
            )

    @property
    def telling(self) -> int:
        """In how many moments somebody waited in more than one queue."""
        return sum(moment.occupied >= OCCUPIED_MIN for moment in self.moments)

    @property
    def is_agreed(self) -> bool:
        """Whether there are ten, all agree, and most of them say something."""
        agree = [not moment.differences for moment in self.moments]
        return len(agree) == MOMENTS and all(agree) and self.telling >= TELLING_MIN

    def as_json(self) -> dict[str, object]:
        """Return it all for scripts."""
        return {
            "is_agreed": self.is_agreed,
            "agree": sum(not moment.differences for moment in self.moments),
            "of": MOMENTS,
            "telling": self.telling,
            "trouble": self.trouble,
            "moments": [moment.as_json() for moment in self.moments],
        }

    def show(self, console: Console) -> None:
        """Print the ten, and what they come to."""
        if self.moments:
            console.print(_table(self.moments))
        for number, moment in enumerate(self.moments, start=1):
            for difference in moment.differences:
                console.print(f"  {number}: {difference}", markup=False)
        if self.trouble:
            console.print(f"avbrutet / broken off: {self.trouble}", markup=False)
        agree = sum(not moment.differences for moment in self.moments)
        console.print(
            f"{agree} av {MOMENTS} stämmer / of {MOMENTS} agree; i {self.telling} väntade någon i "
            f"minst två köer / in {self.telling} somebody waited in two queues or more "
            f"(minst / at least {TELLING_MIN})"
        )


def _table(moments: Sequence[Moment]) -> Table:
    queues = list(moments[0].asterisk.counts)
    table = Table(
        title=f"väntar / waiting: {' + '.join(queues)}",
        caption="samtal: vilka, i ordning, lika hos Asterisk och API / calls: who, in order, the "
        "same at Asterisk and API. stilla: så länge stod Asterisk stilla / still: so long Asterisk "
        "stood still",
        box=SIMPLE,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for head in ("kl\nat", *HEADS, "samtal\ncalls", "stilla\nstill", "lika\nagree"):
        table.add_column(head, justify="right")
    for moment in moments:
        table.add_row(
            f"{moment.at.astimezone():%H:%M:%S}",
            *(_figures(seen, queues) for seen in moment.seen.values()),
            str(sum(len(each) for each in (moment.asterisk.callers or {}).values())),
            f"{moment.still_s:.1f} s",
            "NEJ/NO" if moment.differences else "ja/yes",
        )
    return table


def _figures(seen: Seen, queues: Sequence[str]) -> str:
    return "+".join(seen.counts.get(queue, "?") for queue in queues)
