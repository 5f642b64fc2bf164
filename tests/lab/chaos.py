"""What goes wrong in `./run demo --chaos`: ivrd killed, AMI cut, the database away; at random.

The seed is printed, and the same seed gives the same troubles at the same times.
"""

import asyncio
import contextlib
import random
import re
import time
from dataclasses import dataclass
from enum import StrEnum

import httpx

from tests.lab.municipality import Municipality
from tests.lab.postgres import Postgres

GAP_S = (2.0, 7.0)
"""Between the end of one trouble and the next."""

AWAY_S = (1.0, 5.0)
"""How long ivrd, or the database, is away."""

DATABASE_AWAY_S = (6.0, 20.0)
"""The same, where nothing else goes wrong: long enough for many calls to begin and end in it."""

WAITING = re.compile(r'^ivrd_outbox_depth\{sink="database"\} (\S+)$', re.M)


class Kind(StrEnum):
    """What may go wrong."""

    ALL = "all"
    DATABASE = "database"
    """Only the database, which is away for longer each time."""


@dataclass(slots=True)
class Troubles:
    """How often each came."""

    kills: int = 0
    cuts: int = 0
    database_stops: int = 0
    database_away_s: float = 0.0
    """In all."""
    facts_waiting_max: int = 0
    """At most so many facts waited on the disk when the database came back."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.kills + self.cuts + self.database_stops

    def text(self) -> str:
        """Return them in words."""
        return (
            f"ivrd dödad / killed {self.kills}, AMI kapad / cut {self.cuts}, "
            f"databasen borta / database away {self.database_stops}, "
            f"{self.database_away_s:.0f} s; på disken väntade högst / waiting on the disk at most "
            f"{self.facts_waiting_max}"
        )


class Chaos:
    """Makes trouble until told to stop, and leaves everything running."""

    def __init__(
        self, town: Municipality, database: Postgres, *, seed: int, kind: Kind = Kind.ALL
    ) -> None:
        self._town = town
        self._database = database
        self._kind = kind
        self._random = random.Random(seed)
        self.troubles = Troubles()

    async def run(self, stop: asyncio.Event) -> None:
        """Make one trouble after the other; one that has begun is also ended."""
        kinds = [self._stop_database]
        if self._kind is Kind.ALL:
            kinds = [self._kill, self._cut, self._stop_database]
        while True:
            for kind in self._random.sample(kinds, k=len(kinds)):
                try:
                    async with asyncio.timeout(self._random.uniform(*GAP_S)):
                        await stop.wait()
                    return
                except TimeoutError:
                    await kind()

    async def _kill(self) -> None:
        self.troubles.kills += 1
        await self._town.kill_daemon()
        await asyncio.sleep(self._random.uniform(*AWAY_S))
        await self._town.start_daemon(is_ready=False)

    async def _cut(self) -> None:
        self.troubles.cuts += 1
        assert self._town.wire is not None, "the plan of a chaotic town has a wire"
        self._town.wire.cut()

    async def _stop_database(self) -> None:
        self.troubles.database_stops += 1
        away_s = DATABASE_AWAY_S if self._kind is Kind.DATABASE else AWAY_S
        await self._database.kill()
        began_s = time.monotonic()
        await asyncio.sleep(self._random.uniform(*away_s))
        self.troubles.facts_waiting_max = max(
            self.troubles.facts_waiting_max, await self._facts_waiting()
        )
        await self._database.resume()
        self.troubles.database_away_s += time.monotonic() - began_s

    async def _facts_waiting(self) -> int:
        """Return how many facts wait for the database; 0 while ivrd does not answer."""
        with contextlib.suppress(httpx.HTTPError):
            found = WAITING.search(await self._town.metrics())
            return 0 if found is None else int(float(found[1]))
        return 0
