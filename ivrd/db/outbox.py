"""The way from the engine to the database: a journal on the disk, and a task that empties it.

Here: batches, retries, and what happens when the database or the journal is away. Not here:
statements (store.py), files (ivrd/journal).

The engine puts and never waits. An effect is in the journal when `put_nowait` returns, and stays
there until its transaction is committed, so a crash, or a cancelled, failed or doubtful write, is
followed by a repeat, which the tables' unique keys make harmless. Everything takes this one way, so
a replay after a crash is no rare path; in memory is one batch. Only while the journal itself cannot
be used do effects wait in memory, and move to the journal when it is back.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import islice

import asyncpg
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from ivrd.core.case_record import CaseChanged
from ivrd.core.effects import OpenCase
from ivrd.core.events import CaseSaved, Event
from ivrd.db.callers import Callers
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.migrate import migrate
from ivrd.db.store import Storable, Store, id_of
from ivrd.errors import PeerError
from ivrd.journal.codec import encode
from ivrd.journal.facts_journal import FACT_BYTES, FLUSH_S, FactsJournal, Kept
from ivrd.journal.segments import Item
from ivrd.retry import Backoff

MEMORY_EFFECTS_MAX = 50_000
"""For when the journal cannot be used. About 1 kB each, so 50 MB. A county of 100,000 calls a week
makes some 6 effects a second in its peak hour: two hours without database and journal."""

MOVED_PER_TURN = 1_000
"""Effects that go from memory to a journal that is back, between two looks at others: 20 ms."""

BATCH_EFFECTS_MAX = 500
"""Effects per transaction: one flush to disk for many rows, and still only milliseconds of work."""

GATHER_S = 0.5
"""How long effects gather before a transaction: one for each call cost twice as much CPU as all the
rest of ivrd (./run bench). They are on the disk meanwhile; a case is told so much later."""

PROBE_S = 5.0
"""An idle outbox asks the database this often whether it is there, so that readiness is true."""

RETRY_SLOWEST_S = 10.0
"""A database that comes back is noticed within this."""

HURRIED_PAUSE_S = 0.5
"""The longest pause between tries once we are asked to finish."""

LAST_SAVE_S_MAX = 5.0
"""What the database is doing when we are cancelled may take so long to end by itself."""

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
        changed: Callable[[CaseChanged], None] = lambda changed: None,
        journal: FactsJournal | None = None,
        before_own: Callable[[], Awaitable[None]] | None = None,
        callers: Callers | None = None,
        bound: int = MEMORY_EFFECTS_MAX,
    ) -> None:
        """Make an outbox.

        Args:
            store: Where the effects go.
            report: Takes `CaseSaved` events; must not block.
            changed: Takes each change of a case that the database holds; must not block.
            journal: Where they wait, opened by whoever made it. None keeps them in memory only.
            before_own: Awaited once, when the database holds all that earlier processes have left
                in the journal, and nothing yet of this one. Must not raise.
            callers: Seals callers' numbers. None: they are left out, here as in journal and table.
            bound: Effects held in memory at most; more are dropped, counted and logged.
        """
        self._store = store
        self._report = report
        self._changed = changed
        self._journal = journal
        self._before_own = before_own
        self._callers = callers
        self._memory_max = bound
        self.overflowed = 0
        """Effects lost because there was no room, or no line could hold them."""
        self.refused = 0
        """Effects that the database refused for their content; they are set aside."""
        self.saved = 0
        """Effects that the database holds, repeats counted again."""
        self._memory: deque[Storable] = deque()
        self._work = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._hurry = asyncio.Event()
        self._is_dropping = False
        self._trouble: str | None = "it has not been reached yet"
        self._is_away = False
        self._backoff = Backoff(random.Random().random, slowest_s=RETRY_SLOWEST_S)

    @property
    def depth(self) -> int:
        """Effects not yet committed."""
        return len(self._memory) + (0 if self._journal is None else self._journal.waiting)

    @property
    def bound(self) -> int:
        """About how many effects may wait; the journal's own bound is one of bytes."""
        on_disk = 0 if self._journal is None else self._journal.bytes_max // FACT_BYTES
        return on_disk + self._memory_max

    @property
    def dropped(self) -> int:
        """Effects lost, here or with a file of the journal that was taken away."""
        return self.overflowed + (0 if self._journal is None else self._journal.lost)

    @property
    def trouble(self) -> str | None:
        """Why the database cannot be used now; None when it can."""
        return self._trouble

    def put_nowait(self, effect: Storable) -> None:
        """Take an effect. Never waits for a peer and never raises; drops the effect when full."""
        if self._callers is not None:
            effect = self._callers.closed(effect)
        kept = Kept.FAILED if self._journal is None else self._journal.append(effect)
        if kept is Kept.FAILED and len(self._memory) < self._memory_max:
            self._memory.append(effect)
        elif kept is not Kept.YES:
            self._drop(effect, kept)
            return
        if self._is_dropping:
            self._is_dropping = False
            log.info("outbox_has_room", sink=self.sink, dropped=self.dropped)
        self._settled.clear()
        self._work.set()

    async def run(self) -> None:
        """Migrate the database, then save what comes; and look after the journal; for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(), name="database-writer")
            if self._journal is not None:
                group.create_task(self._keep(self._journal), name="journal-keeper")

    async def drain(self, *, within_s: float) -> int:
        """Wait until all is saved, and return how many effects the end of the process loses.

        Does not wait for a database that is away when all is in the journal: it is safe there, and
        goes into the database at the next start. `run` must be running.
        """
        self._hurry.set()
        self._settle()
        try:
            async with asyncio.timeout(within_s):
                await self._settled.wait()
        except TimeoutError:
            log.warning("outbox_not_emptied", sink=self.sink, waiting=self.depth)
        if self._memory:
            log.error(
                "outbox_abandoned", sink=self.sink, lost=len(self._memory), reason=self._trouble
            )
        if self._journal is not None and self._journal.waiting:
            log.warning(
                "facts_wait_in_journal", waiting=self._journal.waiting, reason=self._trouble
            )
        return len(self._memory)

    async def _write(self) -> None:
        await self._until_well(self._migrate)
        while self._journal is not None and self._journal.holds_inherited:
            await self._until_well(self._save_next)
        if self._before_own is not None:
            await self._before_own()
        while True:
            await self._until_well(self._save_next)

    async def _keep(self, journal: FactsJournal) -> None:
        """Flush the journal now and then; bring to it what had to wait in memory."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await journal.keep()
            for _ in range(min(MOVED_PER_TURN, len(self._memory))):
                if journal.append(self._memory[0]) is not Kept.YES:
                    break
                self._memory.popleft()

    async def _migrate(self) -> None:
        await _uncut(migrate(self._store.engine, callers=self._callers))

    async def _wait_for_work(self) -> None:
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

    async def _save_next(self) -> None:
        """Save a batch of what has waited longest; when nothing waits, wait, and say hello."""
        self._work.clear()
        items = await self._next_items()
        if not items:
            await self._wait_for_work()
            await _uncut(self._store.ping())
            return
        if len(items) < BATCH_EFFECTS_MAX:
            await self._gather()
            items = await self._next_items()
        try:
            await _uncut(self._save(items))
        except (*TROUBLE, OverflowError) as error:
            if not _is_refusal(error):
                raise
            await self._save_one_by_one(items)

    async def _gather(self) -> None:
        """Let more effects come, unless we are asked to finish."""
        try:
            async with asyncio.timeout(GATHER_S):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _next_items(self) -> Sequence[Item]:
        items: Sequence[Item] = ()
        if self._journal is not None:
            items = await self._journal.read(BATCH_EFFECTS_MAX)
        return items or [Item(fact=fact) for fact in islice(self._memory, BATCH_EFFECTS_MAX)]

    async def _save_one_by_one(self, items: Sequence[Item]) -> None:
        """Save what can be saved of a batch with an effect that the database refuses."""
        for item in items:
            try:
                await _uncut(self._save((item,)))
            except (*TROUBLE, OverflowError) as error:
                if not _is_refusal(error) or item.fact is None:
                    raise
                self._refuse(item.fact, reason_of(error))
                self._remove((item,))

    async def _save(self, items: Sequence[Item]) -> None:
        batch = [item.fact for item in items if item.fact is not None]
        if self._callers is not None:
            # A journal of before 0007 still holds numbers in clear.
            batch = [self._callers.closed(fact) for fact in batch]
        saved = await self._store.save_batch(batch)
        self._remove(items)
        self.saved += len(batch)
        for effect in batch:
            if isinstance(effect, OpenCase):
                self._report(
                    CaseSaved(
                        at=effect.at,
                        system=effect.system,
                        call_id=effect.call_id,
                        rule=effect.rule,
                        case_id=saved.case_ids[(effect.call_id, effect.rule)],
                    )
                )
        for changed in saved.changes:
            self._changed(changed)

    def _remove(self, items: Sequence[Item]) -> None:
        """Let go of what the database holds, wherever it waited."""
        if items[0].after is not None and self._journal is not None:
            self._journal.commit(items)
        else:
            for item in items:
                # What has moved to the journal meanwhile is saved from there once more.
                if self._memory and self._memory[0] is item.fact:
                    self._memory.popleft()
        self._settle()

    def _refuse(self, effect: Storable, reason: str) -> None:
        self.refused += 1
        if self._journal is not None:
            self._journal.set_aside(encode(effect))
        log.error(
            "effect_refused",
            sink=self.sink,
            effect=type(effect).__name__,
            call_id=id_of(effect),
            reason=reason,
        )

    def _drop(self, effect: Storable, kept: Kept) -> None:
        self.overflowed += 1
        if not self._is_dropping:
            self._is_dropping = True
            log.error(
                "outbox_overflowed",
                sink=self.sink,
                journal=None if self._journal is None else kept.value,
                waiting=self.depth,
                effect=type(effect).__name__,
                call_id=id_of(effect),
            )

    def _settle(self) -> None:
        """Say whether an end now would lose nothing that waiting could save."""
        if not self.depth or (self._is_away and not self._memory):
            self._settled.set()
        else:
            self._settled.clear()

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
        if not self._is_away:
            log.warning("database_lost", reason=reason, waiting=self.depth)
        self._is_away = True
        self._trouble = reason
        self._settle()

    def _note_health(self) -> None:
        if self._trouble is not None:
            log.info("database_reached", waiting=self.depth, dropped=self.dropped)
        self._trouble = None
        self._is_away = False
        self._backoff.reset()
        self._settle()


async def _uncut(work: Coroutine[object, object, None]) -> None:
    """Do something with the database; a cancellation waits for it, within LAST_SAVE_S_MAX.

    Cut in the middle, an SQLite connection may keep its lock until Python happens to collect the
    cursor: measured up to 20 s. No task group, because that would pass the cut on.
    """
    task = asyncio.create_task(work, name="database-work")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=LAST_SAVE_S_MAX)
        if not task.cancel() and not task.cancelled():
            # Looked at, or asyncio would complain: what is not saved is repeated at the next start.
            task.exception()
        raise


def _is_refusal(error: BaseException) -> bool:
    """Return whether the database refused what we wrote, so that trying again cures nothing."""
    if isinstance(error, DBAPIError):
        inner = error.orig.__cause__ if error.orig is not None else None
        # The class that asyncpg raises by itself, before anything is sent, is of another tree.
        return isinstance(error, DataError | IntegrityError) or isinstance(
            inner, asyncpg.exceptions.DataError
        )
    return isinstance(error, StatementError | OverflowError)
