"""Where everybody acts on cases: one path, whoever it is and whichever way it came.

Here: acts by name, who is told of a change, and reading for screens. Not here: what an act makes of
a case (core/case_record.py), SQL (db/), and screens.

How it is used
    desk = CaseDesk(store, ...)
    anna = Actor(who="anna", origin=Origin.PAGE)
    case = await desk.act(17, Note(text="..."), anna, expected_version=3)
    case = await desk.label(17, "va.lacka", anna, act_id="a1")
    desk.listen(callback)            told of each change, after its commit
    desk.say_of_call(RecordCallAct)  from a phone, during the call or after; the journal keeps it

Each act is one transaction: the case, a row of its history, and what a change hook adds
(`Store.change_hooks`). `expected_version` is the version that the person saw; without it the act
counts whatever happened meanwhile. With an `act_id`, the same act a second time changes nothing.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from ivrd.case_errors import CaseConflict, CaseError, CaseRefused, CaseUnknown
from ivrd.core.actors import Actor
from ivrd.core.case_record import Case, CaseAct, CaseChanged, Label, RefusalCode
from ivrd.core.case_search import CaseFilter, CaseHistory, Page, Place
from ivrd.core.effects import RecordCallAct
from ivrd.core.labels import LabelTree
from ivrd.db import case_reads
from ivrd.db.connection import DATABASE_ERRORS, DatabaseError, reason_of
from ivrd.db.store import Store

__all__ = [
    "CaseConflict",
    "CaseDesk",
    "CaseError",
    "CaseFilter",
    "CaseHistory",
    "CaseListener",
    "CaseRefused",
    "CaseUnknown",
    "DatabaseError",
    "Page",
    "Place",
]

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class CaseListener(Protocol):
    """Who hears of changes, after their commit, in the order of each case's versions.

    Told at most once: what must not be missed at a crash belongs into `Store.change_hooks`, or is
    read from `case_changes`.
    """

    def __call__(self, changed: CaseChanged, /) -> None:
        """Take a change. Must not block and must not raise."""


class CaseDesk:
    """The one way to act on cases, and to read them.

    Attributes:
        labels: What cases can be about. Set anew by whoever reloads the configuration.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        labels: LabelTree,
        record: Callable[[RecordCallAct], None],
    ) -> None:
        """Make a desk.

        Args:
            store: Holds the cases.
            now: The time that changes are stamped with.
            labels: See the attribute.
            record: Takes what was said of a call; keeps it on the disk (`StoreOutbox.put_nowait`).
        """
        self.labels = labels
        self._store = store
        self._now = now
        self._record = record
        self._listeners: list[CaseListener] = []

    # Being told.

    def listen(self, listener: CaseListener) -> None:
        """Tell somebody of each change from now on."""
        self._listeners.append(listener)

    def tell(self, changed: CaseChanged) -> None:
        """Tell all listeners of a change that the database holds."""
        for listener in self._listeners:
            listener(changed)

    # Acting.

    async def act(
        self,
        case_id: int,
        act: CaseAct,
        by: Actor,
        *,
        expected_version: int | None = None,
        act_id: str | None = None,
    ) -> Case:
        """Do an act, tell of the change, and return the case after it.

        Raises:
            CaseUnknown: There is no such case.
            CaseConflict: It has changed since `expected_version`; the error has it as it is now.
            CaseRefused: The act does not fit it.
            DatabaseError: The database is away; whether it was done is not known. Try again, with
                the same version or act id.
        """
        with _peer():
            case, changed = await self._store.change_case(
                case_id,
                act,
                by,
                at=self._now(),
                expected_version=expected_version,
                act_id=act_id,
            )
        if changed is not None:
            log.info(
                "case_changed",
                case_id=case_id,
                what=changed.change.what,
                version=case.version,
                who=by.who,
                from_where=by.origin.value,
            )
            self.tell(changed)
        return case

    async def label(
        self,
        case_id: int,
        code: str,
        by: Actor,
        *,
        expected_version: int | None = None,
        act_id: str | None = None,
    ) -> Case:
        """Say what a case is about; its department follows. See `act`."""
        department = self.labels.department_of(code)
        if department is None:
            raise CaseRefused(f"no label has the code {code!r}", RefusalCode.NO_SUCH_LABEL)
        return await self.act(
            case_id,
            Label(code=code, department=department.code),
            by,
            expected_version=expected_version,
            act_id=act_id,
        )

    def say_of_call(self, act: RecordCallAct) -> None:
        """Keep what a guide says of a call; it is done to its case, once there is one.

        Never waits. The journal on the disk has it when this returns, so it survives a crash, and
        act_id makes a repeat harmless.
        """
        self._record(act)

    # Reading.

    async def drafts_of(self, agent: str) -> Sequence[Case]:
        """Return an agent's cases that wait for their label, newest first."""
        with _peer():
            return await case_reads.drafts_of(self._store.engine, agent)

    async def case(self, case_id: int) -> CaseHistory:
        """Return a case with its history.

        Raises:
            CaseUnknown: There is no such case.
        """
        with _peer():
            found = await case_reads.case_of(self._store.engine, case_id)
        if found is None:
            raise CaseUnknown(f"there is no case {case_id}")
        return found

    async def search(
        self, wanted: CaseFilter, *, after: Place | None = None, count_max: int = 50
    ) -> Page:
        """Return one page of the cases that are sought, newest first.

        Raises:
            CaseRefused: Nobody can seek so; the text says why.
        """
        with _peer():
            return await case_reads.search(
                self._store.engine, wanted, after=after, count_max=count_max
            )


@contextlib.contextmanager
def _peer() -> Iterator[None]:
    """Say in one way that the database is away, whatever it raises.

    Raises:
        DatabaseError: It is away.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error
