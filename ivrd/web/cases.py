"""Cases over HTTP: a guide's own, anybody's within the scope, acts, and news of changes.

Here: routes, and who may use them. Not here: shapes (case_models.py), the page that uses them
(static_pages.py), and what an act makes of a case (core/case_record.py).

Who may what
    Own cases are those of the person's member name; they take the deed own_cases. Others' take
    see_cases and change_cases, within the lines of the person's grant. What somebody may not see is
    "not there" (404), so that nobody learns of it. What the caller of a case rang about before is
    told with it, whoever answered, within the same lines.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ivrd.access import Deed, Person
from ivrd.case_errors import CaseConflict, CaseRefused, CaseUnknown
from ivrd.core.actors import Actor
from ivrd.core.case_record import (
    Case,
    CaseAct,
    CaseChanged,
    CaseState,
    Close,
    Feedback,
    HandOverCase,
    Note,
    Promise,
    Reopen,
    SetClass,
)
from ivrd.core.case_search import CaseFilter, CaseHistory, Page, Place, Scope
from ivrd.core.labels import LabelTree, Suggestion
from ivrd.web.case_models import (
    ActBody,
    CasePage,
    CaseStory,
    CaseView,
    ClassAct,
    FeedbackAct,
    LabelAct,
    LabelsView,
    MyCases,
    NoteAct,
    PlainAct,
    PromiseAct,
    change_view,
    draft_of,
    labels_view,
    view_of,
)
from ivrd.web.case_news import CaseNews
from ivrd.web.guard import origin_of, person_with, require
from ivrd.web.problems import PROBLEM_TYPE, problem, told

RECENT = timedelta(days=1)

RECENT_MAX = 30

EARLIER_MAX = 10

PAGE_MAX = 200

STREAM_S_MAX = 600.0
"""A browser asks again by itself, and is then looked up again: a right that was taken away ends
with the stream at the latest."""

CASE_ID_MAX = 2**53 - 1
"""JavaScript counts no further."""

CaseId = Annotated[int, Path(ge=1, le=CASE_ID_MAX)]

Mine = Annotated[Person, person_with(Deed.OWN_CASES)]
Lead = Annotated[Person, person_with(Deed.SEE_CASES)]

ERRORS = told(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class Desk(Protocol):
    """Who keeps cases: `ivrd.case_desk.CaseDesk`."""

    labels: LabelTree

    async def act(
        self,
        case_id: int,
        act: CaseAct,
        by: Actor,
        *,
        expected_version: int | None = None,
        act_id: str | None = None,
    ) -> Case:
        """Do an act."""

    async def label(
        self,
        case_id: int,
        code: str,
        by: Actor,
        *,
        expected_version: int | None = None,
        act_id: str | None = None,
    ) -> Case:
        """Say what a case is about."""

    async def case(self, case_id: int) -> CaseHistory:
        """Return a case with its history."""

    async def drafts_of(self, agent: str) -> Sequence[Case]:
        """Return an agent's cases that wait for their label, newest first."""

    async def search(
        self, wanted: CaseFilter, *, after: Place | None = None, count_max: int = 50
    ) -> Page:
        """Return one page of the cases that are sought."""


class Suggester(Protocol):
    """Who knows what cases may be about: `ivrd.case_suggestions.CaseSuggestions`."""

    async def of(self, agent: str, cases: Sequence[Case]) -> Mapping[int, tuple[Suggestion, ...]]:
        """Return suggestions by case."""


class CasePages:
    """The routes, and who listens to news of changes."""

    def __init__(self, desk: Desk, suggester: Suggester, *, now: Callable[[], datetime]) -> None:
        """Make the routes.

        Args:
            desk: Keeps the cases.
            suggester: Suggests labels.
            now: The time, by which "recent" is meant.
        """
        self.router = APIRouter(tags=["cases"])
        self._news = CaseNews()
        _add_news(self.router, self._news)  # First: "news" is no number of a case.
        _add_own(self.router, desk, suggester, now)
        _add_search(self.router, desk)
        _add_story(self.router, desk)
        _add_acts(self.router, desk)

    def tell(self, changed: CaseChanged) -> None:
        """Pass a change on to who listens; a listener of `CaseDesk`."""
        self._news.tell(changed)

    def close(self) -> None:
        """End every stream."""
        self._news.close()


def _add_own(
    router: APIRouter, desk: Desk, suggester: Suggester, now: Callable[[], datetime]
) -> None:
    @router.get("/api/labels", responses=ERRORS)
    async def labels(_person: Mine) -> LabelsView:
        """Return everything that a case can be about."""
        return labels_view(desk.labels)

    @router.get("/api/cases/mine", responses=ERRORS)
    async def mine(person: Mine) -> MyCases:
        """Return the person's own drafts with suggestions, promises, and last day's cases."""
        agent = person.agent
        if agent is None:
            return MyCases(agent=None, drafts=[], promised=[], recent=[])
        drafts = await desk.drafts_of(agent)
        suggestions = await suggester.of(agent, drafts)
        promised = await desk.search(
            CaseFilter(agent=agent, state=CaseState.OPEN), count_max=PAGE_MAX
        )
        recent = await desk.search(
            CaseFilter(agent=agent, since=now() - RECENT), count_max=RECENT_MAX
        )
        return MyCases(
            agent=agent,
            drafts=[
                draft_of(case, desk.labels, suggestions.get(case.case_id, ())) for case in drafts
            ],
            promised=[view_of(case, desk.labels) for case in promised.cases],
            recent=[
                view_of(case, desk.labels)
                for case in recent.cases
                if case.state is not CaseState.DRAFT
            ],
        )


def _add_search(router: APIRouter, desk: Desk) -> None:
    @router.get("/api/cases", responses=ERRORS)
    async def cases(
        person: Lead,
        since: datetime | None = None,
        until: datetime | None = None,
        agent: Annotated[str | None, Query(max_length=80)] = None,
        department: Annotated[str | None, Query(max_length=64)] = None,
        label: Annotated[str | None, Query(max_length=64)] = None,
        state: CaseState | None = None,
        words: Annotated[str | None, Query(max_length=100)] = None,
        after: Annotated[str | None, Query(max_length=80)] = None,
        count: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    ) -> CasePage:
        """Return cases of the person's lines, newest first."""
        wanted = CaseFilter(
            since=_aware("since", since),
            until=_aware("until", until),
            agent=agent,
            department=department,
            label=label,
            state=state,
            words=words,
            scope=Scope(lines=person.scope(Deed.SEE_CASES) or frozenset()),
        )
        try:
            page = await desk.search(wanted, after=_place(after), count_max=count)
        except CaseRefused as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        following = page.next
        return CasePage(
            cases=[view_of(case, desk.labels) for case in page.cases],
            next=(
                None
                if following is None
                else f"{following.opened_at.isoformat()}/{following.case_id}"
            ),
        )


def _add_story(router: APIRouter, desk: Desk) -> None:
    @router.get("/api/cases/{case_id}", responses=ERRORS | told(HTTPStatus.NOT_FOUND))
    async def case(case_id: CaseId, person: Mine) -> CaseStory:
        """Return one case with its history, and the same caller's earlier ones."""
        history = await _seen(desk, case_id, person)
        found = history.case
        earlier: Sequence[Case] = ()
        if found.caller_key is not None:
            # Everybody's, for a caller may meet another guide; but of the person's lines only.
            lines = person.scope(Deed.OWN_CASES) or frozenset()
            page = await desk.search(
                CaseFilter(
                    caller_key=found.caller_key, until=found.opened_at, scope=Scope(lines=lines)
                ),
                count_max=EARLIER_MAX,
            )
            earlier = page.cases
        return CaseStory(
            case=view_of(found, desk.labels),
            changes=[change_view(change) for change in history.changes],
            earlier=[view_of(one, desk.labels) for one in earlier],
        )


def _add_acts(router: APIRouter, desk: Desk) -> None:
    @router.post(
        "/api/cases/{case_id}/acts",
        response_model=CaseView,
        responses=ERRORS
        | told(HTTPStatus.NOT_FOUND)
        | {
            HTTPStatus.CONFLICT: {
                "description": "Somebody else was first; `case` is how it is now.",
                "content": {PROBLEM_TYPE: {"schema": {"type": "object"}}},
            }
        },
    )
    async def act(case_id: CaseId, body: ActBody, request: Request, person: Mine) -> Response:
        """Do one act on a case."""
        found = (await _seen(desk, case_id, person)).case
        if not _is_own(person, found):
            require(request, person, Deed.CHANGE_CASES, _lines(found))
        try:
            done = await _do(desk, case_id, body, _actor(request, person))
        except CaseConflict as error:
            view = view_of(error.case, desk.labels)
            told_case = view.model_dump(mode="json", by_alias=True)
            return problem(HTTPStatus.CONFLICT, str(error), case=told_case)
        except CaseRefused as error:
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), code=error.code)
        except CaseUnknown as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
        return Response(
            view_of(done, desk.labels).model_dump_json(by_alias=True),
            media_type="application/json",
        )


def _add_news(router: APIRouter, news: CaseNews) -> None:
    @router.get("/api/cases/news", response_class=EventSourceResponse, responses=ERRORS | {200: {}})
    async def listen(person: Mine) -> AsyncIterator[ServerSentEvent]:
        """Tell of each change to what the person may see; ends now and then, and is asked anew."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STREAM_S_MAX):
                async for changed in news.listen(lambda case: may_see(person, case)):
                    yield ServerSentEvent(event="cases", data=changed)


def may_see(person: Person, case: Case) -> bool:
    """Return whether a person may see a case."""
    return (_is_own(person, case) and person.may(Deed.OWN_CASES)) or (
        person.may(Deed.SEE_CASES) and person.sees(Deed.SEE_CASES, _lines(case))
    )


def _is_own(person: Person, case: Case) -> bool:
    return person.is_own(case.agent) or person.is_own(case.interface)


def _lines(case: Case) -> tuple[str, ...]:
    return () if case.line is None else (case.line,)


async def _seen(desk: Desk, case_id: int, person: Person) -> CaseHistory:
    """Return a case that somebody may see.

    Raises:
        HTTPException: 404 for any other.
    """
    try:
        history = await desk.case(case_id)
    except CaseUnknown as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
    if not may_see(person, history.case):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no case {case_id}")
    return history


async def _do(desk: Desk, case_id: int, body: ActBody, by: Actor) -> Case:
    if isinstance(body, LabelAct):
        return await desk.label(
            case_id, body.code, by, expected_version=body.version, act_id=body.act_id
        )
    return await desk.act(
        case_id, _act_of(body), by, expected_version=body.version, act_id=body.act_id
    )


def _act_of(body: NoteAct | ClassAct | PromiseAct | FeedbackAct | PlainAct) -> CaseAct:
    match body:
        case NoteAct():
            return Note(text=body.text)
        case ClassAct():
            return SetClass(case_class=body.case_class)
        case PromiseAct():
            deadline = _aware("deadline", body.deadline)
            assert deadline is not None, "a promise has a deadline"
            return Promise(deadline=deadline)
        case FeedbackAct():
            return Feedback(kind=body.kind, receiver=body.receiver, text=body.text)
        case PlainAct(do="hand_over"):
            return HandOverCase()
        case PlainAct(do="close"):
            return Close()
        case _:
            return Reopen()


def _actor(request: Request, person: Person) -> Actor:
    return Actor(who=person.name, origin=origin_of(request))


def _aware(name: str, moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        told_how = f"{name}: say the offset from UTC too, as in 2026-11-21T18:00:00+01:00"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, told_how)
    return moment


def _place(text: str | None) -> Place | None:
    """Return where a page ended.

    Raises:
        HTTPException: It is no place that we told.
    """
    if text is None:
        return None
    moment, _, number = text.rpartition("/")
    try:
        place = Place(opened_at=datetime.fromisoformat(moment), case_id=int(number))
    except ValueError:
        place = None
    if place is None or place.opened_at.tzinfo is None or not 0 < place.case_id <= CASE_ID_MAX:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "after: send what `next` said")
    return place
