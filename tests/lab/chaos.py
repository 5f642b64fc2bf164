"""What goes wrong in `./run demo --chaos`: ivrd killed, AMI cut, the database away; at random.

The seed is printed, and the same seed gives the same troubles at the same times.
"""

import asyncio
import random
from dataclasses import dataclass

from tests.lab.municipality import Municipality
from tests.lab.postgres import Postgres

GAP_S = (2.0, 7.0)
"""Between the end of one trouble and the next."""

AWAY_S = (1.0, 5.0)
"""How long ivrd, or the database, is away."""


@dataclass(slots=True)
class Troubles:
    """How often each came."""

    kills: int = 0
    cuts: int = 0
    database_stops: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.kills + self.cuts + self.database_stops

    def text(self) -> str:
        """Return them in words."""
        return (
            f"ivrd dödad / killed {self.kills}, AMI kapad / cut {self.cuts}, "
            f"databasen borta / database away {self.database_stops}"
        )


class Chaos:
    """Makes trouble until told to stop, and leaves everything running."""

    def __init__(self, town: Municipality, database: Postgres, *, seed: int) -> None:
        self._town = town
        self._database = database
        self._random = random.Random(seed)
        self.troubles = Troubles()

    async def run(self, stop: asyncio.Event) -> None:
        """Make one trouble after the other; one that has begun is also ended."""
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
        await self._database.kill()
        await asyncio.sleep(self._random.uniform(*AWAY_S))
        await self._database.resume()
