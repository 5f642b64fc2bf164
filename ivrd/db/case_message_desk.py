"""What a person does with messages to case systems: look, send again, drop.

Here: statements, each act with its row in `acts` in the same transaction. Not here: who may
(whoever asks), and words for a person (cli_handover.py).
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivrd.core.case_messages import OPEN_STATES, MessageState
from ivrd.core.switches import Actor, ActOutcome
from ivrd.db.case_messages import TRANSACTION_S_MAX
from ivrd.db.connection import DATABASE_ERRORS, READ_ONLY, DatabaseError, reason_of
from ivrd.db.models import ActRow, CaseMessageRow

LIST_MAX = 1_000
"""Lines of a list; a person reads the first few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """A message as a person sees it."""

    message_id: int
    case_id: int
    version: int
    destination: str
    kind: str
    key: str
    state: MessageState
    created_at: datetime
    attempts: int
    next_try_at: datetime
    last_error: str | None
    sent_at: datetime | None
    external_id: str | None
    settled_why: str | None
    """Why a person dropped it; None otherwise."""


class MessageDesk:
    """The messages of one database, for people; DatabaseError when that cannot be used."""

    def __init__(self, engine: AsyncEngine, *, on_act: Callable[[], None] = lambda: None) -> None:
        """Make a desk.

        Args:
            engine: Made by `ivrd.db.connection.open_engine`.
            on_act: Called after each act that changed something; whoever sends then looks at once.
        """
        self._engine = engine
        self._on_act = on_act

    async def close(self) -> None:
        """Close every connection of the engine."""
        await self._engine.dispose()

    async def messages(
        self,
        *,
        states: Sequence[MessageState] = OPEN_STATES,
        destination: str | None = None,
        case_id: int | None = None,
        limit: int = LIST_MAX,
    ) -> Sequence[MessageLine]:
        """Return messages in the order in which they were written.

        Args:
            states: In any of these.
            destination: To this one; None: to any.
            case_id: About this one; None: about any.
            limit: At most so many, and never more than LIST_MAX.
        """
        conditions: list[ColumnElement[bool]] = [
            CaseMessageRow.state.in_([state.value for state in states])
        ]
        if destination is not None:
            conditions.append(CaseMessageRow.destination == destination)
        if case_id is not None:
            conditions.append(CaseMessageRow.case_id == case_id)
        query = select(*_LINE).where(*conditions).order_by(CaseMessageRow.id)
        reader = self._engine.execution_options(**{READ_ONLY: True})
        async with _peer(), reader.connect() as connection:
            found = await connection.execute(query.limit(min(limit, LIST_MAX)))
            return [
                MessageLine(**{**row, "state": MessageState(row["state"])})
                for row in found.mappings()
            ]

    async def message(self, message_id: int) -> tuple[MessageLine, str] | None:
        """Return one message with its payload; None when there is none of that number."""
        query = select(*_LINE, CaseMessageRow.payload).where(CaseMessageRow.id == message_id)
        reader = self._engine.execution_options(**{READ_ONLY: True})
        async with _peer(), reader.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        fields = dict(row)
        payload = fields.pop("payload")
        return MessageLine(**{**fields, "state": MessageState(fields["state"])}), payload

    async def resend(
        self,
        message_ids: Sequence[int],
        by: Actor,
        *,
        at: datetime,
        reason: str = "",
    ) -> Sequence[int]:
        """Let messages be sent anew, as soon as their turn comes, with all tries before them.

        Returns:
            Those that are so now: they were dead, dropped or waiting. One that was sent stays sent.
        """
        can_be = (MessageState.DEAD, MessageState.DROPPED, MessageState.WAITING)
        return await self._settle(
            message_ids,
            can_be,
            {
                "state": MessageState.WAITING.value,
                "attempts": 0,
                "next_try_at": at,
                "settled_why": None,
            },
            act=("handover_resend", by, reason, at),
        )

    async def drop(
        self, message_ids: Sequence[int], by: Actor, *, at: datetime, reason: str
    ) -> Sequence[int]:
        """Let messages never be sent; what comes after them in their cases goes on.

        Returns:
            Those that are so now: they were dead or waiting. What is under way may still arrive.
        """
        return await self._settle(
            message_ids,
            OPEN_STATES,
            {"state": MessageState.DROPPED.value, "settled_why": reason},
            act=("handover_drop", by, reason, at),
        )

    async def _settle(
        self,
        message_ids: Sequence[int],
        can_be: Sequence[MessageState],
        values: dict[str, object],
        *,
        act: tuple[str, Actor, str, datetime],
    ) -> Sequence[int]:
        statement = (
            update(CaseMessageRow)
            .where(
                CaseMessageRow.id.in_(message_ids),
                CaseMessageRow.state.in_([state.value for state in can_be]),
            )
            .values(values)
            .returning(CaseMessageRow.id)
        )
        async with _peer(), self._engine.begin() as connection:
            done = sorted(await connection.scalars(statement))
            for message_id in done:
                await _note(connection, message_id, *act)
        if done:
            self._on_act()
        return done


@contextlib.asynccontextmanager
async def _peer() -> AsyncIterator[None]:
    """Raise DatabaseError for all that the database, or the way to it, may raise."""
    try:
        async with asyncio.timeout(TRANSACTION_S_MAX):
            yield
    except DATABASE_ERRORS as error:
        raise DatabaseError(f"database: {reason_of(error)}") from error


async def _note(
    connection: AsyncConnection, message_id: int, act: str, by: Actor, reason: str, at: datetime
) -> None:
    """Keep who did it, with what was done."""
    await connection.execute(
        insert(ActRow).values(
            act_id=secrets.token_hex(16),
            at=at,
            who=by.who,
            from_where=by.origin.value,
            act=act,
            subject=f"case message {message_id}",
            reason=reason,
            until=None,
            outcome=ActOutcome.DONE.value,
        )
    )


_LINE = (
    CaseMessageRow.id.label("message_id"),
    CaseMessageRow.case_id,
    CaseMessageRow.version,
    CaseMessageRow.destination,
    CaseMessageRow.kind,
    CaseMessageRow.key,
    CaseMessageRow.state,
    CaseMessageRow.created_at,
    CaseMessageRow.attempts,
    CaseMessageRow.next_try_at,
    CaseMessageRow.last_error,
    CaseMessageRow.sent_at,
    CaseMessageRow.external_id,
    CaseMessageRow.settled_why,
)
