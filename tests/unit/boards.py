"""A switch board with made-up time, and a PBX's database in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivrd.audit import Audit
from ivrd.core.ids import SystemName
from ivrd.core.switches import Actor, Names, Origin, RecordAct, SwitchKind
from ivrd.errors import PeerError
from ivrd.switch_file import SwitchFile
from ivrd.switches import Reloaded, SwitchBoard

PBX1, PBX2 = SystemName("pbx1"), SystemName("pbx2")
NAMES = Names(
    notices=frozenset({"driftstorning", "vattenlacka"}), lines=frozenset({"kommunen", "internt"})
)
NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
EPOCH = str(int(UNTIL.timestamp()))
ANNA = Actor(who="anna", origin=Origin.CONTROL)
BO = Actor(who="bo", origin=Origin.API)


TURNS = 20
"""So often everybody has a turn, and all that waits for nothing else is done."""


@dataclass
class FakeDatabase:
    """Asterisk's own database; may be told to refuse, or to keep everybody waiting."""

    entries: dict[tuple[str, str], str] = field(default_factory=dict)
    trouble: PeerError | None = None
    """Raised by every write."""
    gate: asyncio.Event | None = None
    """Every write waits for it."""
    read_gate: asyncio.Event | None = None
    """Every read waits for it, once it knows what it will tell."""
    writes: int = 0
    reads: int = 0

    async def get(self, family: str, key: str) -> str:
        await asyncio.sleep(0)
        self.reads += 1
        text = self.entries.get((family, key), "")
        if self.read_gate is not None:
            await self.read_gate.wait()
        return text

    async def put(self, family: str, key: str, text: str) -> None:
        await self._write()
        self.entries[family, key] = text

    async def delete(self, family: str, key: str) -> None:
        await self._write()
        self.entries.pop((family, key), None)

    async def _write(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        self.writes += 1

    def value(self, family: str, key: str) -> str | None:
        """Return what the dialplan would read."""
        return self.entries.get((family, key))


class Bench:
    """A board, its clock, and what it told the audit."""

    def __init__(self, directory: Path, systems: Sequence[SystemName] = (PBX1,)) -> None:
        self.at = NOW
        self.rows: list[RecordAct] = []
        self.reloads: list[Reloaded] = []
        self.reloading = 0
        self.reloading_max = 0
        self.directory = directory
        self.board = SwitchBoard(
            names=NAMES,
            systems=systems,
            file=SwitchFile(directory),
            now=lambda: self.at,
            audit=Audit(record=self.rows.append, now=lambda: self.at),
            reload=self._reload,
        )

    def pass_time(self, **parts: float) -> None:
        self.at += timedelta(**parts)

    @property
    def outcomes(self) -> list[tuple[str, str, str]]:
        return [(row.act, row.subject, row.outcome.value) for row in self.rows]

    @contextlib.asynccontextmanager
    async def connected(
        self, database: FakeDatabase, system: SystemName = PBX1
    ) -> AsyncIterator[None]:
        """Let a PBX be there until the body ends, which begins when it was first looked at."""
        of_pbx = [one for one in self.board.switches() if one.kind is not SwitchKind.RULE]
        looked_at = database.reads + 2 * len(of_pbx)
        task = asyncio.create_task(self.board.keep(system, database))
        try:
            async with asyncio.timeout(60):
                while database.reads < looked_at and not self.board.troubles():  # noqa: ASYNC110
                    await asyncio.sleep(0)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _reload(self) -> Reloaded:
        self.reloading += 1
        self.reloading_max = max(self.reloading, self.reloading_max)
        await asyncio.sleep(0)
        self.reloading -= 1
        return self.reloads.pop(0)
