"""Asks a SupportManagement which of our errands were changed.

Here: when it is asked, and from where on. Not here: its API (support_management.py), and what a
status makes of a case (statuses.py).

Rules
    1. An errand that changes while we read goes to the end of the list, and whatever stood behind
       it moves up by one place. So the next page is not asked for by its number, behind which one
       would be skipped, but from the last stamp that was read, less OVERLAP.
    2. Only among errands of one stamp, as after a great change of all at once, does a number lead
       on. Such a reading is repeated until one of them brings nothing new.
    3. What was read is kept once, by errand, stamp and status, however often it comes.
    4. A reading that did not come to its end is gone on with by the next one.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from ivrd.config import SupportManagementConfig
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.words import UnknownWord
from ivrd.errors import PeerError
from ivrd.handover.statuses import TEXT_CHARACTERS_MAX, CaseBook, Statuses, Told
from ivrd.handover.support_management import Errand, SupportManagement

FIRST_LOOK_BACK = timedelta(days=14)
"""What was changed while ivrd was away is asked for at the start; repeats change nothing."""

LOOK_BACK = timedelta(minutes=5)
"""Their clock and ours may differ so much."""

OVERLAP = timedelta(milliseconds=2)
"""Errands of the last stamp may stand on the next page too, and a stamp may be cut to these."""

PAGE_ERRANDS, PAGES_MAX = 50, 200

READINGS_MAX = 4
"""Of the same errands, when the number of a page led on; then it is for the next time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How far one reading came."""

    reached: datetime
    """All that was changed before was read."""
    is_whole: bool
    """It came to the end of the list."""
    is_by_number: bool
    """One may have been skipped (rule 2)."""


class ErrandPoll:
    """Asks one SupportManagement, now and then, which of our errands were changed."""

    def __init__(
        self,
        table: SupportManagementConfig,
        adapter: SupportManagement,
        *,
        book: CaseBook,
        statuses: Statuses,
    ) -> None:
        """Ask as configured."""
        self._table = table
        self._adapter = adapter
        self._book = book
        self._statuses = statuses
        self._is_away = False
        self._since = datetime.now(UTC) - FIRST_LOOK_BACK

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self.ask(datetime.now(UTC))
                self._is_away = False
            except (*DATABASE_ERRORS, PeerError) as error:
                if not self._is_away:
                    name = self._table.name
                    log.warning("statuses_not_read", destination=name, reason=reason_of(error))
                self._is_away = True
            await asyncio.sleep(self._table.poll_s)

    async def ask(self, now: datetime) -> None:
        """Ask once, and keep what is new.

        Raises:
            PeerError: They could not be read; the next time asks for the same again.
        """
        noted: set[str] = set()
        for _ in range(READINGS_MAX):
            before = len(noted)
            reading = await self._read(self._since - LOOK_BACK, noted)
            if not reading.is_whole:
                self._since = reading.reached + LOOK_BACK
                return
            if not reading.is_by_number or len(noted) == before:
                self._since = now
                return

    async def _read(self, since: datetime, noted: set[str]) -> _Reading:
        """Read every page, and keep what is not noted yet."""
        page, is_by_number = 0, False
        for _ in range(PAGES_MAX):
            errands, is_all = await self._adapter.changed_since(
                since.isoformat(timespec="milliseconds"), page=page, size=PAGE_ERRANDS
            )
            for errand in errands:
                await self._note(errand, noted)
            if is_all:
                return _Reading(reached=since, is_whole=True, is_by_number=is_by_number)
            last = max((one.changed_at for one in errands if one.changed_at), default=since)
            if last - OVERLAP > since:
                since, page = last - OVERLAP, 0
            else:
                page, is_by_number = page + 1, True
        return _Reading(reached=since, is_whole=False, is_by_number=is_by_number)

    async def _note(self, errand: Errand, noted: set[str]) -> None:
        act_id = f"{self._table.name}/{errand.errand_id}/{errand.modified}/{errand.status}"
        if errand.case_key is None or act_id in noted:
            return
        try:
            case = await self._book.told_case(self._table.name, errand.case_key)
        except UnknownWord:
            return  # Logged there; one case must not keep the word of the others from us.
        if case is not None:
            told = Told(
                case=errand.case_key,
                status=errand.status[:TEXT_CHARACTERS_MAX],
                is_closed=errand.status in self._table.closed_statuses,
                external_id=errand.errand_id,
            )
            await self._statuses.tell(self._table.name, case, told, act_id=act_id)
        noted.add(act_id)
