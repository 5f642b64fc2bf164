"""What became of cases: statuses that come back from the case systems, pushed or asked for.

Here: who may say it, and what it makes of a case. Not here: HTTP routes (web/), SQL (db/), and
asking for them (errand_poll.py).

Rules
    1. A system may speak of the cases that it was told of, and of no others.
    2. A status is a change of the case, by the system's name; the same one twice is one change.
    3. One that means "closed" closes the case as well, wherever it stands.
    4. One that says when it came to be is not taken after a later one: what is late is of no use.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from ivrd.case_desk import CaseDesk, CaseError
from ivrd.config import HandoverConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_messages import StatusFault, StatusFaultKind
from ivrd.core.case_record import CaseState, Close, TellStatus, is_late
from ivrd.db.case_messages import ToldCase
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.errors import PeerUnreachable
from ivrd.handover.signing import SignatureRefused, verify

AHEAD_MAX = timedelta(minutes=5)
"""Their clock may be so much ahead; a status of next year would keep out all others."""

TEXT_CHARACTERS_MAX = 200
"""Of a status, and of what they call a case."""

log = structlog.get_logger(__name__)


class _Refused(Exception):
    """A status is not taken."""

    def __init__(self, kind: StatusFaultKind, because: str) -> None:
        self.fault = StatusFault(kind=kind, because=because)
        super().__init__(because)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a case system says of one case."""

    case: int | str
    """Our number of it, or our key."""
    status: str
    is_closed: bool
    external_id: str | None
    said_at: datetime | None = None
    """By their clock, when it came to be; None: they do not say."""


class CaseBook(Protocol):
    """Which cases a destination was told of (`ivrd.db.case_messages.MessageBook`)."""

    async def told_case(self, destination: str, case: int | str) -> ToldCase | None:
        """Return a case by its row's number, or by our key; None when they were not told of it."""


class Statuses:
    """Takes statuses, of every destination."""

    def __init__(
        self, tables: Sequence[HandoverConfig], *, book: CaseBook, cases: CaseDesk
    ) -> None:
        """Take them as configured."""
        self._secrets = {
            one.name: [secret.get_secret_value() for secret in one.status_secrets] for one in tables
        }
        self._book = book
        self._cases = cases
        self.taken = 0
        """Statuses that changed a case."""
        self.refused = 0

    async def take(
        self, destination: str, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> StatusFault | None:
        """Take one signed status, or return why not.

        Args:
            destination: Who says it is speaking.
            headers: By lower-case name.
            body: As it came.
            now: The machine's time, aware.

        Raises:
            PeerUnreachable: The database does not answer; they may say it again.
        """
        try:
            message_id, told = self._checked(destination, headers, body, now)
            case = await self._book.told_case(destination, told.case)
            if case is None:
                raise _Refused(StatusFaultKind.UNKNOWN, "no such case was handed over to you")
            await self.tell(destination, case, told, act_id=f"{destination}/{message_id}")
        except _Refused as refused:
            self.refused += 1
            log.warning("status_refused", destination=destination, because=str(refused))
            return refused.fault
        except DATABASE_ERRORS as error:
            raise PeerUnreachable(f"database: {reason_of(error)}") from error
        return None

    async def tell(self, destination: str, case: ToldCase, told: Told, *, act_id: str) -> None:
        """Keep a status, and close the case if it means that; nothing when it is so already.

        Args:
            destination: Whose word it is.
            case: As it is now.
            told: What is said.
            act_id: The same whenever it is said again.
        """
        by = Actor(who=destination, origin=Origin.CASE_SYSTEM)
        known_at = case.external_status_at
        if is_late(told.said_at, known_at=known_at):
            log.info("status_late", destination=destination, case_id=case.case_id)
            return
        act = TellStatus(status=told.status, external_id=told.external_id, said_at=told.said_at)
        try:
            if (
                case.external_status != told.status
                or told.external_id not in (None, case.external_id)
                or told.said_at not in (None, known_at)
            ):
                after = await self._cases.act(case.case_id, act, by, act_id=act_id)
                self.taken += 1
                if is_late(told.said_at, known_at=after.external_status_at):
                    return  # A later one came in between.
            if told.is_closed and case.state is not CaseState.CLOSED:
                await self._cases.act(case.case_id, Close(), by, act_id=f"{act_id}/closed")
        except CaseError as error:
            # It was erased meanwhile, or somebody has made something else of it.
            log.warning("status_not_kept", destination=destination, because=str(error))

    def _checked(
        self, destination: str, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> tuple[str, Told]:
        keys = self._secrets.get(destination)
        if not keys:
            raise _Refused(StatusFaultKind.UNKNOWN, "no statuses are taken from there")
        try:
            message_id = verify(headers, body, keys, now=now)
        except SignatureRefused as error:
            raise _Refused(StatusFaultKind.UNSIGNED, str(error)) from error
        return message_id[:TEXT_CHARACTERS_MAX], _told_in(body, now)


def _told_in(body: bytes, now: datetime) -> Told:
    """Return what a body says.

    Raises:
        _Refused: It is not of the known form.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _misunderstood("the body is no JSON") from error
    at = None
    if isinstance(found, dict) and "specversion" in found:
        # A CloudEvent may carry it as well.
        at, found = found.get("time"), found.get("data")
    if not isinstance(found, dict):
        raise _misunderstood("the body is no object")
    case = found.get("case")
    is_number = isinstance(case, int) and not isinstance(case, bool) and 0 < case < 2**63
    text = _text(case)
    if not is_number and text is None:
        raise _misunderstood("case: our case_id or key is needed")
    status = _text(found.get("status"))
    if status is None:
        raise _misunderstood(f"status: one line of at most {TEXT_CHARACTERS_MAX} characters")
    external_id = found.get("external_id")
    if external_id is not None and _text(external_id) is None:
        raise _misunderstood(f"external_id: at most {TEXT_CHARACTERS_MAX} characters")
    is_closed = found.get("is_closed", False)
    if not isinstance(is_closed, bool):
        raise _misunderstood("is_closed: true or false")
    return Told(
        case=case if isinstance(case, int) else text or "",
        status=status,
        is_closed=is_closed,
        external_id=_text(external_id),
        said_at=_moment(found.get("at", at), now),
    )


def _moment(value: object, now: datetime) -> datetime | None:
    """Return when a status came to be; None when they do not say.

    Raises:
        _Refused: It is no moment, or none that has been.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _misunderstood("at: a moment with its offset, as 2026-11-21T18:00:00+01:00")
    if moment > now + AHEAD_MAX:
        raise _misunderstood("at: is in the future")
    return moment.astimezone(UTC)


def _text(value: object) -> str | None:
    """Return a value that is one short line of text; None when it is anything else."""
    is_line = isinstance(value, str) and 0 < len(value) <= TEXT_CHARACTERS_MAX
    return value if is_line and isinstance(value, str) and value.isprintable() else None


def _misunderstood(because: str) -> _Refused:
    return _Refused(StatusFaultKind.MISUNDERSTOOD, because)
