"""A caller's number for a person who asks over HTTP, one call at a time.

Here: whose number it is, and reading it once that is written down. Not here: who may see it
(access/rights.py, SEE_NUMBER), the routes (web/numbers.py), and opening (person_file.py).
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from ivrd.db.audit import Engine, lines_of_calls
from ivrd.db.case_reads import case_of
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.errors import PeerUnreachable
from ivrd.person_file import Reader, read_number
from ivrd.privacy.callers import Callers


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOwner:
    """Whose number it is."""

    call_id: str
    line: str | None
    """By which the call came; None when nobody knows."""


class NumberDesk:
    """Where numbers are read; each method raises PeerUnreachable without a database."""

    def __init__(self, engine: Engine, callers: Callers, *, now: Callable[[], datetime]) -> None:
        """Read from a database, and open with these keys."""
        self._engine = engine
        self._callers = callers
        self._now = now

    async def of_call(self, call_id: str) -> NumberOwner | None:
        """Return whose number a call's is; None when no such call is stored."""
        async with _peer():
            lines = await lines_of_calls(self._engine, {call_id})
        return NumberOwner(call_id=call_id, line=lines[call_id]) if call_id in lines else None

    async def of_case(self, case_id: int) -> NumberOwner | None:
        """Return whose number a case's is; None when there is no such case."""
        async with _peer():
            found = await case_of(self._engine, case_id)
        if found is None:
            return None
        return NumberOwner(call_id=found.case.call_id, line=found.case.line)

    async def read(self, call_id: str, *, who: str, role: str, why: str) -> str | None:
        """Return the number, once it is written down who asked; None when none is held.

        Raises:
            NotAllowed: The role may not, or no reason is given.
        """
        by = Reader(who=who, role=role, why=why)
        async with _peer():
            return await read_number(self._engine, self._callers, call_id, by, at=self._now())


@contextlib.asynccontextmanager
async def _peer() -> AsyncIterator[None]:
    """Raise PeerUnreachable for all that the database may raise."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise PeerUnreachable(f"database: {reason_of(error)}") from error
