"""Messages to case systems, as rows: written with the case's change, claimed, sent, or set aside.

Here: statements. Not here: which destination a case goes to (core/case_messages.py), and sending.

Whoever changes a case calls `write_message` on the connection of that transaction: either both are
kept or neither. Several senders, also of several processes, share the rows by claims: a claim ends
by itself, so that a sender which died holds up its messages only so long. The claim counts the try
before it is made, so a crash in the middle is a try as well.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Select, Update, and_, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import aliased

from ivrd.core.case_messages import OPEN_STATES, CaseMessage, MessageState
from ivrd.core.case_record import CaseState
from ivrd.db.connection import READ_ONLY
from ivrd.db.models import CaseMessageRow, CaseRow
from ivrd.db.words import word

TRANSACTION_S_MAX = 15.0
"""Each takes milliseconds; one that hangs so long is given up, and the claim ends by itself."""

ERROR_CHARACTERS_MAX = 500
"""Of what a destination said; a person reads it in a list."""

KEYS = UUID("6b0f6c0e-8a65-5c0c-9d53-0a2d5b4f7c11")
"""Our namespace of keys (RFC 9562, version 5); drawn once, and never changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much waits for one destination."""

    waiting: int
    oldest_at: datetime | None
    """When the oldest waiting message came; None when none waits."""
    dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldCase:
    """A case that a destination was told of, as far as a status that comes back needs it."""

    case_id: int
    state: CaseState
    external_id: str | None
    external_status: str | None
    external_status_at: datetime | None
    """See `ivrd.core.case_record.Case`."""


def message_key(destination: str, *, case_key: str, version: int) -> str:
    """Return the key of a message: the same whenever it is written, and no other's.

    Args:
        destination: Its name in the configuration.
        case_key: What the case is, whatever row it has: its call and rule.
        version: Of the case.
    """
    return str(uuid5(KEYS, json.dumps([destination, case_key, version])))


async def write_message(
    connection: AsyncConnection,
    *,
    destination: str,
    case_id: int,
    version: int,
    kind: str,
    case_key: str,
    payload: Mapping[str, object],
    at: datetime,
) -> None:
    """Put a message into the outbox, in the transaction that changes its case; once.

    Args:
        connection: Of that transaction.
        destination: Where it is to go.
        case_id: The case's row.
        version: The case's, as the change leaves it.
        kind: What has happened, such as "handed_over".
        case_key: See `message_key`.
        payload: {"case": ..., "change": ...}, without the caller's number.
        at: When it happened.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(CaseMessageRow).values(
        case_id=case_id,
        version=version,
        destination=destination,
        key=message_key(destination, case_key=case_key, version=version),
        kind=kind,
        payload=json.dumps(payload, ensure_ascii=False, separators=(",", ":")),
        created_at=at,
        attempts=0,
        next_try_at=at,
        state=MessageState.WAITING.value,
    )
    await connection.execute(statement.on_conflict_do_nothing())


class MessageBook:
    """The messages of one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Use an engine made by `ivrd.db.connection.open_engine`."""
        self._engine = engine

    async def claim(
        self, destination: str, *, owner: str, now: datetime, lease: timedelta, limit: int
    ) -> Sequence[CaseMessage]:
        """Return messages that are due, oldest first; nobody else gets them while the lease lasts.

        Never two of one case, and never one whose case has an earlier one that is not sent.
        """
        due = self._due(destination, now).order_by(CaseMessageRow.id).limit(limit)
        async with asyncio.timeout(TRANSACTION_S_MAX):
            # Looking takes no lock; most looks find nothing.
            async with self._reading() as reader:
                if not (await reader.execute(due.limit(1))).all():
                    return ()
            async with self._engine.begin() as connection:
                locked = due.with_for_update(skip_locked=True, of=CaseMessageRow)
                ids = list(await connection.scalars(locked))
                values = {
                    "claimed_by": owner,
                    "claimed_until": now + lease,
                    "attempts": CaseMessageRow.attempts + 1,
                }
                await connection.execute(_with_ids(ids).values(values))
                found = await connection.execute(
                    select(*_MESSAGE, _external_id())
                    .where(CaseMessageRow.id.in_(ids))
                    .order_by(CaseMessageRow.id)
                )
                return [CaseMessage(**row) for row in found.mappings()]

    async def next_due(self, destination: str) -> datetime | None:
        """Return when the next message may be sent; None when none waits for its turn."""
        free_at = func.coalesce(CaseMessageRow.claimed_until, CaseMessageRow.next_try_at)
        # A claim always ends after the moment at which its message was due.
        query = select(func.min(free_at)).where(_is_next(destination))
        async with asyncio.timeout(TRANSACTION_S_MAX), self._reading() as connection:
            found: datetime | None = await connection.scalar(query)
        return found

    async def note_sent(
        self, message: CaseMessage, *, at: datetime, external_id: str | None
    ) -> None:
        """Say that a destination has a message: true whoever holds the claim by now."""
        await self._settle(
            CaseMessageRow.id == message.message_id,
            state=MessageState.SENT.value,
            sent_at=at,
            external_id=external_id or message.external_id,
            last_error=None,
        )

    async def note_failed(
        self, message: CaseMessage, *, owner: str, reason: str, next_try_at: datetime
    ) -> None:
        """Let a message wait for another try, if it is still ours."""
        await self._settle(
            CaseMessageRow.id == message.message_id,
            CaseMessageRow.claimed_by == owner,
            last_error=_short(reason),
            next_try_at=next_try_at,
        )

    async def note_dead(self, message: CaseMessage, *, owner: str, reason: str) -> None:
        """Set a message aside for a person, if it is still ours."""
        await self._settle(
            CaseMessageRow.id == message.message_id,
            CaseMessageRow.claimed_by == owner,
            state=MessageState.DEAD.value,
            last_error=_short(reason),
        )

    async def backlog(self, destination: str) -> Backlog:
        """Return how much waits for a destination."""
        is_waiting = CaseMessageRow.state == MessageState.WAITING.value
        is_dead = CaseMessageRow.state == MessageState.DEAD.value
        query = select(
            func.count().filter(is_waiting),
            func.min(CaseMessageRow.created_at).filter(is_waiting),
            func.count().filter(is_dead),
        ).where(
            CaseMessageRow.destination == destination,
            CaseMessageRow.state.in_([state.value for state in OPEN_STATES]),
        )
        async with asyncio.timeout(TRANSACTION_S_MAX), self._reading() as connection:
            waiting, oldest_at, dead = (await connection.execute(query)).one()
        return Backlog(waiting=waiting, oldest_at=oldest_at, dead=dead)

    async def told_case(self, destination: str, case: int | str) -> ToldCase | None:
        """Return a case by its row's number, or by our key; None when they were not told of it.

        Raises:
            UnknownWord: A newer ivrd has put it into a state that this one does not know.
        """
        query = (
            select(
                CaseRow.id,
                CaseRow.state,
                CaseRow.external_id,
                CaseRow.external_status,
                CaseRow.external_status_at,
            )
            .where(
                _is_case(case),
                exists().where(
                    CaseMessageRow.case_id == CaseRow.id,
                    CaseMessageRow.destination == destination,
                ),
            )
            .limit(1)
        )
        async with asyncio.timeout(TRANSACTION_S_MAX), self._reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return ToldCase(
            case_id=row.id,
            state=word(CaseState, row.state, "cases.state", row=row.id),
            external_id=row.external_id,
            external_status=row.external_status,
            external_status_at=row.external_status_at,
        )

    def _due(self, destination: str, now: datetime) -> Select[tuple[int]]:
        claimed_until = CaseMessageRow.claimed_until
        return select(CaseMessageRow.id).where(
            _is_next(destination),
            CaseMessageRow.next_try_at <= now,
            or_(claimed_until.is_(None), claimed_until <= now),
        )

    async def _settle(self, *is_it: ColumnElement[bool], **values: object) -> None:
        """Change a message that waits, and end its claim."""
        statement = (
            update(CaseMessageRow)
            .where(CaseMessageRow.state == MessageState.WAITING.value, *is_it)
            .values(**values, claimed_by=None, claimed_until=None)
        )
        async with asyncio.timeout(TRANSACTION_S_MAX), self._engine.begin() as connection:
            await connection.execute(statement)

    def _reading(self) -> "_Reader":
        return _Reader(self._engine)


class _Reader:
    """A connection that waits for no writer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._connection = engine.execution_options(**{READ_ONLY: True}).connect()

    async def __aenter__(self) -> AsyncConnection:
        return await self._connection.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self._connection.close()


def _is_case(case: int | str) -> ColumnElement[bool]:
    if isinstance(case, int):
        return CaseRow.id == case
    call_id, _, rule = case.rpartition("/")
    return and_(CaseRow.call_id == call_id, CaseRow.rule == rule)


def _is_next(destination: str) -> ColumnElement[bool]:
    """Return the test for a message that waits, with nothing of its case before it."""
    earlier = aliased(CaseMessageRow)
    is_held_up = exists().where(
        earlier.case_id == CaseMessageRow.case_id,
        earlier.destination == CaseMessageRow.destination,
        earlier.version < CaseMessageRow.version,
        earlier.state.in_([state.value for state in OPEN_STATES]),
    )
    return and_(
        CaseMessageRow.destination == destination,
        CaseMessageRow.state == MessageState.WAITING.value,
        ~is_held_up,
    )


def _external_id() -> ColumnElement[str | None]:
    """Return what the destination has last called a message's case."""
    earlier = aliased(CaseMessageRow)
    return (
        select(earlier.external_id)
        .where(
            earlier.case_id == CaseMessageRow.case_id,
            earlier.destination == CaseMessageRow.destination,
            earlier.external_id.is_not(None),
        )
        .order_by(earlier.version.desc())
        .limit(1)
        .correlate(CaseMessageRow)
        .scalar_subquery()
        .label("external_id")
    )


def _with_ids(ids: Sequence[int]) -> Update:
    return update(CaseMessageRow).where(CaseMessageRow.id.in_(ids))


def _short(reason: str) -> str:
    text = " ".join(reason.split())
    return text if len(text) <= ERROR_CHARACTERS_MAX else f"{text[: ERROR_CHARACTERS_MAX - 1]}…"


_MESSAGE = (
    CaseMessageRow.id.label("message_id"),
    CaseMessageRow.case_id,
    CaseMessageRow.version,
    CaseMessageRow.destination,
    CaseMessageRow.key,
    CaseMessageRow.kind,
    CaseMessageRow.payload,
    CaseMessageRow.created_at,
    CaseMessageRow.attempts,
)
