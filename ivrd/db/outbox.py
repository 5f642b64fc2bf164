"""The way from the engine to the database: a bounded outbox with a task of its own.

Here: order, batches, retries, and what happens when the database is away. Not here: statements.

The engine puts and never waits. Effects stay in the outbox until their transaction is committed, so
a cancelled, failed or doubtful write is repeated, which the tables' unique keys make harmless.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

import asyncpg
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from ivrd.core.effects import OpenCase
from ivrd.core.events import CaseSaved, Event
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.migrate import migrate
from ivrd.db.store import Storable, Store
from ivrd.errors import PeerError
from ivrd.retry import Backoff

OUTBOX_EFFECTS_MAX = 50_000
"""About 1 kB each, so 50 MB. A county of 100,000 calls a week makes some 6 effects a second in its
peak hour: two hours without a database."""

BATCH_EFFECTS_MAX = 500
"""Effects per transaction: one flush to disk for many rows, and still only milliseconds of work."""

PROBE_S = 5.0
"""An idle outbox asks the database this often whether it is there, so that readiness is true."""

RETRY_SLOWEST_S = 10.0
"""A database that comes back is noticed within this."""

HURRIED_PAUSE_S = 0.5
"""The longest pause between tries once we are asked to finish."""

TROUBLE = (*DATABASE_ERRORS, PeerError)

log = structlog.get_logger(__name__)


class StoreOutbox:
    """Effects on their way to the database."""

    sink = "database"

    def __init__(
        self,
        store: Store,
        *,
        report: Callable[[Event], None],
        bound: int = OUTBOX_EFFECTS_MAX,
    ) -> None:
        """Make an empty outbox.

        Args:
            store: Where the effects go.
            report: Takes `CaseSaved` events; must not block.
            bound: Effects held at most; more are dropped, counted and logged.
        """
        self._store = store
        self._report = report
        self.bound = bound
        self.dropped = 0
        """Effects lost because the outbox was full."""
        self.refused = 0
        """Effects lost because the database refused their content."""
        self.saved = 0
        """Effects that the database holds."""
        self._waiting: deque[Storable] = deque()
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._hurry = asyncio.Event()
        self._is_dropping = False
        self._trouble: str | None = "it has not been reached yet"
        self._is_loss_logged = False
        self._backoff = Backoff(random.Random().random, slowest_s=RETRY_SLOWEST_S)

    @property
    def depth(self) -> int:
        """Effects not yet committed."""
        return len(self._waiting)

    @property
    def trouble(self) -> str | None:
        """Why the database cannot be used now; None when it can."""
        return self._trouble

    def put_nowait(self, effect: Storable) -> None:
        """Take an effect. Never blocks and never raises; drops the effect when full."""
        if len(self._waiting) >= self.bound:
            self._drop(effect)
            return
        self._waiting.append(effect)
        self._empty.clear()
        self._work.set()

    async def run(self) -> None:
        """Migrate the database, then save what comes, for ever."""
        await self._until_well(self._migrate)
        while True:
            if not self._waiting:
                await self._wait_for_work()
            await self._until_well(self._save_batch if self._waiting else self._store.ping)

    async def drain(self, *, within_s: float) -> int:
        """Wait until all is saved, and return how many effects are not; `run` must be running."""
        self._hurry.set()
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            log.error("outbox_abandoned", sink=self.sink, lost=self.depth, reason=self._trouble)
        return self.depth

    async def _migrate(self) -> None:
        await migrate(self._store.engine)

    async def _wait_for_work(self) -> None:
        self._work.clear()
        try:
            async with asyncio.timeout(PROBE_S):
                await self._work.wait()
        except TimeoutError:
            return

    async def _until_well(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do one step, again and again until the database takes it."""
        while True:
            try:
                await step()
            except TROUBLE as error:
                self._note_trouble(reason_of(error))
                await self._pause()
            else:
                self._note_health()
                return

    async def _save_batch(self) -> None:
        batch = tuple(islice(self._waiting, BATCH_EFFECTS_MAX))
        try:
            await self._save(batch)
        except (*TROUBLE, OverflowError) as error:
            if not _is_refusal(error):
                raise
            await self._save_one_by_one(batch)

    async def _save_one_by_one(self, batch: Sequence[Storable]) -> None:
        """Save what can be saved of a batch with an effect that the database refuses."""
        for effect in batch:
            try:
                await self._save((effect,))
            except (*TROUBLE, OverflowError) as error:
                if not _is_refusal(error):
                    raise
                self.refused += 1
                self._remove(1)
                log.error(
                    "effect_refused",
                    sink=self.sink,
                    effect=type(effect).__name__,
                    call_id=effect.call_id,
                    reason=reason_of(error),
                )

    async def _save(self, batch: Sequence[Storable]) -> None:
        case_ids = await self._store.save_batch(batch)
        self._remove(len(batch))
        self.saved += len(batch)
        for effect in batch:
            if isinstance(effect, OpenCase):
                self._report(
                    CaseSaved(
                        at=effect.at,
                        system=effect.system,
                        call_id=effect.call_id,
                        rule=effect.rule,
                        case_id=case_ids[(effect.call_id, effect.rule)],
                    )
                )

    def _remove(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()
        if not self._waiting:
            self._empty.set()
        self._is_dropping = False

    def _drop(self, effect: Storable) -> None:
        self.dropped += 1
        if not self._is_dropping:
            self._is_dropping = True
            log.error(
                "outbox_overflowed",
                sink=self.sink,
                bound=self.bound,
                effect=type(effect).__name__,
                call_id=effect.call_id,
            )

    async def _pause(self) -> None:
        """Wait before the next try; shorter when we are asked to finish."""
        delay_s = next(self._backoff)
        if self._hurry.is_set():
            await asyncio.sleep(min(delay_s, HURRIED_PAUSE_S))
            return
        try:
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()
        except TimeoutError:
            return

    def _note_trouble(self, reason: str) -> None:
        if not self._is_loss_logged:
            log.warning("database_lost", reason=reason, waiting=self.depth)
        self._is_loss_logged = True
        self._trouble = reason

    def _note_health(self) -> None:
        if self._trouble is not None:
            log.info("database_reached", waiting=self.depth, dropped=self.dropped)
        self._trouble = None
        self._is_loss_logged = False
        self._backoff.reset()


def _is_refusal(error: BaseException) -> bool:
    """Return whether the database refused what we wrote, so that trying again cures nothing."""
    if isinstance(error, DBAPIError):
        inner = error.orig.__cause__ if error.orig is not None else None
        # The class that asyncpg raises by itself, before anything is sent, is of another tree.
        return isinstance(error, DataError | IntegrityError) or isinstance(
            inner, asyncpg.exceptions.DataError
        )
    return isinstance(error, StatementError | OverflowError)
