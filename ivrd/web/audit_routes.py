"""What people did, over HTTP, newest first.

Here: the shape and the route. Not here: the cut to what somebody may see (audit_desk.py).
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, Field

from ivrd.access import Deed, Person
from ivrd.core.switches import ActOutcome, RecordAct
from ivrd.web.guard import person_with
from ivrd.web.problems import told

PAGE_MAX = 200

NAME_CHARACTERS_MAX = 100

KEY_CHARACTERS_MAX = 64

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""No act is of another time, and every database can compare with these."""

Moment = Annotated[AwareDatetime, Query(ge=EARLIEST, le=LATEST)]

Name = Annotated[str, Query(min_length=1, max_length=NAME_CHARACTERS_MAX)]

Place = Annotated[
    str, Query(max_length=40 + KEY_CHARACTERS_MAX, description="What `next` said; none: the first.")
]

SeesAudit = Annotated[Person, person_with(Deed.SEE_AUDIT)]


class AuditEntry(BaseModel, from_attributes=True):
    """One thing that somebody did, or tried."""

    at: datetime
    who: str
    origin: str | None = Field(
        description="control, api, mqtt, hand, page or phone; null for a look at a number."
    )
    act: str = Field(description="Such as line_close; number_read and its like for a number.")
    subject: str = Field(description='Such as "line kommunen" or "call pbx1/1772442000.1 to kc".')
    reason: str
    until: datetime | None = Field(description="When it ends by itself; null: it does not.")
    outcome: ActOutcome


def act_entry(act: RecordAct) -> AuditEntry:
    """Return an act as it is told."""
    return AuditEntry(
        at=act.at,
        who=act.who,
        origin=act.from_where,
        act=act.act,
        subject=act.subject,
        reason=act.reason,
        until=act.until,
        outcome=act.outcome,
    )


class AuditList(BaseModel):
    """A page, newest first."""

    acts: list[AuditEntry]
    next: str | None = Field(
        description="For `after`; null: that was all. A page may be short although more follow."
    )


class Entry(Protocol):
    """One thing that somebody did (db.audit.Audited)."""

    @property
    def at(self) -> datetime: ...
    @property
    def key(self) -> str: ...


class Page(Protocol):
    """Some of them, and where the next begin."""

    @property
    def found(self) -> Sequence[Entry]: ...
    @property
    def next(self) -> "EntryPlace | None": ...


class EntryPlace(Protocol):
    """Where a page ended (db.audit.AuditPlace)."""

    @property
    def at(self) -> datetime: ...
    @property
    def key(self) -> str: ...


class Wanted(BaseModel):
    """What is sought; None: whatever it is."""

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    act: str | None = None
    after: tuple[datetime, str] | None = None
    count: int


Search = Callable[[Person, Wanted], Awaitable[Page]]
"""Returns what somebody may see; raises PeerError when the database does not answer."""


def audit_router(search: Search) -> APIRouter:
    """Return the route."""
    errors = told(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    router = APIRouter(prefix="/api", tags=["audit"], responses=errors)

    @router.get("/audit")
    async def audit(
        person: SeesAudit,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        who: Name | None = None,
        act: Name | None = None,
        after: Place | None = None,
        count: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> AuditList:
        """Return who did what, when and why, refused acts too; looks at numbers to whoever may."""
        place = None if after is None else _place(after)
        wanted = Wanted(since=since, until=until, who=who, act=act, after=place, count=count)
        page = await search(person, wanted)
        following = page.next
        return AuditList(
            acts=[AuditEntry.model_validate(one) for one in page.found],
            next=None if following is None else f"{following.at.isoformat()}/{following.key}",
        )

    return router


def _place(text: str) -> tuple[datetime, str]:
    """Return where a page ended.

    Raises:
        HTTPException: It is no place that we told.
    """
    moment, _, key = text.rpartition("/")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        at = None
    is_ours = key.isascii() and key.isalnum() and len(key) <= KEY_CHARACTERS_MAX
    if at is None or at.tzinfo is None or not is_ours or not EARLIEST <= at <= LATEST:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "after: send what `next` said")
    return at, key
