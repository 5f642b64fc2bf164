"""A caller's number in clear, over HTTP, to whoever may see it; each look is written down first.

Here: the routes, and who may. Not here: reading (number_desk.py). Everywhere else numbers are
masked.

The reason is a must, and kept with the name. It is sent in the query, so it must not hold a number
itself: what proxies keep of addresses is none of ours. A cookie counts only when one of our own
pages asks, as for acts: a look leaves a row.
"""

from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from ivrd.access import Deed, Person
from ivrd.core.switches import REASON_CHARACTERS_MAX
from ivrd.web.acts import ActsAudit, allow
from ivrd.web.guard import guard_of, known_person
from ivrd.web.problems import told

NAME_CHARACTERS_MAX = 80

WHY_CHARACTERS_MIN = 5

CASE_ID_MAX = 2**53 - 1

ACT = "number_read"

Somebody = Annotated[Person, known_person()]

Why = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Query(
        min_length=WHY_CHARACTERS_MIN,
        max_length=REASON_CHARACTERS_MAX,
        description="Why, in some words; kept with your name. No number in it.",
    ),
]

NameInPath = Annotated[str, Path(max_length=NAME_CHARACTERS_MAX, pattern=r"^[^\x00-\x1f\x7f]+$")]

ERRORS = told(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class NumberView(BaseModel):
    """A caller's number."""

    call_id: str
    number: str = Field(description="In clear, as +46...; it must not be kept elsewhere.")


class Owner(Protocol):
    """Whose number it is (number_desk.NumberOwner)."""

    @property
    def call_id(self) -> str: ...
    @property
    def line(self) -> str | None: ...


class Numbers(Protocol):
    """Where numbers are read (number_desk.NumberDesk); each raises PeerError without a database."""

    async def of_call(self, call_id: str) -> Owner | None:
        """Return whose number a call's is; None when no such call is stored."""

    async def of_case(self, case_id: int) -> Owner | None:
        """Return whose number a case's is; None when there is no such case."""

    async def read(self, call_id: str, *, who: str, role: str, why: str) -> str | None:
        """Return the number, once it is written down who asked; None when none is held."""


def numbers_router(numbers: Numbers, audit: ActsAudit) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["numbers"], responses=ERRORS)

    async def show(
        request: Request, person: Person, subject: str, owner: Owner | None, why: str
    ) -> NumberView:
        guard = guard_of(request)
        if "authorization" not in request.headers:
            guard.check_site(request)
        lines = () if owner is None or owner.line is None else (owner.line,)
        deed = Deed.SEE_NUMBER
        # Without the reason: what somebody wrote there is kept masked, by number_reads alone.
        allow(request, person, deed, lines, audit=audit, act=ACT, subject=subject, reason="")
        if owner is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no {subject} is stored")
        role = person.role_for(deed, lines)
        assert role is not None, "whoever is allowed is so by a role"
        number = await numbers.read(owner.call_id, who=person.name, role=role, why=why)
        if number is None:
            told_why = "no number is held of it: it was hidden, protected, or is purged"
            raise HTTPException(HTTPStatus.NOT_FOUND, told_why)
        return NumberView(call_id=owner.call_id, number=number)

    @router.get("/calls/{system}/{call}/number")
    async def number_of_call(
        system: NameInPath, call: NameInPath, request: Request, person: Somebody, reason: Why
    ) -> NumberView:
        """Return the number of a call that has ended; who asked, and why, is kept."""
        call_id = f"{system}/{call}"
        owner = await numbers.of_call(call_id)
        return await show(request, person, f"call {call_id}", owner, reason)

    @router.get("/cases/{case_id}/number")
    async def number_of_case(
        case_id: Annotated[int, Path(ge=1, le=CASE_ID_MAX)],
        request: Request,
        person: Somebody,
        reason: Why,
    ) -> NumberView:
        """Return the number of a case's caller; who asked, and why, is kept."""
        owner = await numbers.of_case(case_id)
        subject = f"case {case_id}" if owner is None else f"call {owner.call_id}"
        return await show(request, person, subject, owner, reason)

    return router
