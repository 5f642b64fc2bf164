"""All of handing over in one daemon: messages out, statuses in, and what the metrics show of it.

Here: putting the parts together. Not here: any part.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from ivrd.case_desk import CaseDesk, CaseError
from ivrd.config import Config
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_messages import CaseMessage
from ivrd.core.case_record import CaseChanged, TellStatus
from ivrd.db.case_message_desk import MessageDesk
from ivrd.db.case_message_writes import MessageHook
from ivrd.db.case_messages import MessageBook
from ivrd.db.store import Store
from ivrd.handover import building
from ivrd.handover.cloud_event import CaseFields
from ivrd.handover.destination import NumberOf
from ivrd.handover.errand_poll import ErrandPoll
from ivrd.handover.sender import Sender, SenderClock, Tally
from ivrd.handover.statuses import Statuses

RECEIVED = "received"
"""The status of a case that its destination has given a name of its own, until it says more."""

Figures = Mapping[tuple[str, ...], float]

log = structlog.get_logger(__name__)


class HandoverOffice:
    """Messages to every configured destination, and what comes back.

    Attributes:
        statuses: Takes what case systems push.
        desk: For a person: what waits, and what is dead.
    """

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        cases: CaseDesk,
        clock: SenderClock | None = None,
        number_of: NumberOf | None = None,
    ) -> None:
        """Let each change of a handed-over case be told from now on.

        Args:
            config: With its secrets.
            store: Its change hooks get one of ours.
            cases: Where statuses are kept.
            clock: See `Sender`.
            number_of: See `building.destinations`.
        """
        routes = building.routes(config)
        store.change_hooks.append(MessageHook(lambda: routes))
        cases.listen(self._wake)
        self._cases = cases
        book = self._book = MessageBook(store.engine)
        wanted = building.destinations(config, number_of=number_of, title_of=self._title_of)
        self._sender = Sender(book, wanted, clock=clock, on_accepted=self._note_received)
        self.statuses = Statuses(config.handover, book=book, cases=cases)
        self.desk = MessageDesk(store.engine, on_act=self._sender.wake)
        self._polls = {
            table.name: ErrandPoll(table, adapter, book=book, statuses=self.statuses)
            for table, adapter in building.support_managements(wanted, config)
        }

    async def run(self) -> None:
        """Send and ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sender.run(), name="handover-sender")
            for name, poll in self._polls.items():
                group.create_task(poll.run(), name=f"handover-poll-{name}")

    # What the metrics show.

    def messages(self) -> Figures:
        """Return messages that wait or are dead, by destination; absent while nobody knows."""
        found: dict[tuple[str, ...], float] = {}
        for name, tally in self._sender.tallies.items():
            if tally.backlog is not None:
                found[(name, "waiting")] = tally.backlog.waiting
                found[(name, "dead")] = tally.backlog.dead
        return found

    def oldest(self) -> Figures:
        """Return for how many seconds the oldest message waits; absent when none does."""
        now = datetime.now(UTC)
        return {
            (name,): max(0.0, (now - tally.backlog.oldest_at).total_seconds())
            for name, tally in self._sender.tallies.items()
            if tally.backlog is not None and tally.backlog.oldest_at is not None
        }

    def reached(self) -> Figures:
        """Return 1 for each destination that is not in trouble, and 0 for the others."""
        return self._by_name(lambda tally: float(tally.trouble is None))

    def sent(self) -> Figures:
        """Return how many messages went out."""
        return self._by_name(lambda tally: tally.sent)

    def failures(self) -> Figures:
        """Return how many tries came to nothing."""
        return self._by_name(lambda tally: tally.failures)

    def _by_name(self, read: Callable[[Tally], float]) -> Figures:
        return {(name,): read(tally) for name, tally in self._sender.tallies.items()}

    def _wake(self, _changed: CaseChanged) -> None:
        self._sender.wake()

    def _title_of(self, case: CaseFields) -> str:
        """Return a case's title in the names of now."""
        label, department = case.get("label"), case.get("department")
        subject = self._cases.labels.subject(label) if isinstance(label, str) else None
        if subject is not None:
            return subject.name_sv
        owner = self._cases.labels.department(department) if isinstance(department, str) else None
        return building.title_by_codes(case) if owner is None else owner.name_sv

    async def _note_received(self, message: CaseMessage, external_id: str) -> None:
        """Let the guide see what the destination calls the case."""
        by = Actor(who=message.destination, origin=Origin.CASE_SYSTEM)
        told = await self._book.told_case(message.destination, message.case_id)
        status = RECEIVED if told is None else told.external_status or RECEIVED
        try:
            await self._cases.act(
                message.case_id,
                TellStatus(status=status, external_id=external_id),
                by,
                act_id=f"{message.key}/{RECEIVED}",
            )
        except CaseError as error:
            # It was erased meanwhile.
            log.warning("status_not_kept", destination=by.who, because=str(error))
