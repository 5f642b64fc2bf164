"""What people do over HTTP: the same acts as by the command line, through the same one path.

Here: routes; who may, and what is told of refusals. Not here: carrying out (switches.py,
overflow_orders.py, agent_board.py) and agents (agent_routes.py).

Whoever may not is refused with 403, and that stands in the audit beside what was done. A conflict
is 409 with what is set now; a name that nobody knows is 404.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, Path, Request, Response

from ivrd.access import Deed, Person, refusal
from ivrd.core.actors import Actor
from ivrd.core.ids import SystemName
from ivrd.core.live_view import CallerView
from ivrd.core.switches import (
    Act,
    ActOutcome,
    LineForced,
    LineReleased,
    Names,
    NoticeOff,
    NoticeOn,
    RuleReleased,
    RuleSet,
    Setting,
    Stand,
    Switch,
    SwitchKind,
    SwitchState,
    Version,
    switch_of,
    word_of,
)
from ivrd.web.act_forms import (
    ActAnswer,
    MoveForm,
    SwitchList,
    SwitchStatus,
    UndoForm,
    UntilForm,
    WhyForm,
    setting_status,
    switch_status,
)
from ivrd.web.guard import actor_of, known_person, person_with, require
from ivrd.web.problems import problem, told

NAME_CHARACTERS_MAX = 64

Name = Annotated[str, Path(max_length=NAME_CHARACTERS_MAX)]

Somebody = Annotated[Person, known_person()]
"""Whoever has a token; which right it takes is asked when it is known what is touched."""

SeesCalls = Annotated[Person, person_with(Deed.SEE_CALLS)]

ACT_ERRORS = told(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
)

DEEDS: Mapping[SwitchKind, Deed] = {
    SwitchKind.NOTICE: Deed.SWITCH_NOTICE,
    SwitchKind.LINE: Deed.SWITCH_LINE,
    SwitchKind.RULE: Deed.SWITCH_RULE,
}


class ActsAudit(Protocol):
    """Where acts are told of (audit.Audit)."""

    def note(
        self, act: str, subject: str, by: Actor, outcome: ActOutcome, *, reason: str
    ) -> None: ...


class Result(Protocol):
    """What came of an act on a switch (switches.ActResult)."""

    @property
    def outcome(self) -> ActOutcome: ...
    @property
    def setting(self) -> Setting | None: ...
    @property
    def faults(self) -> tuple[str, ...]: ...
    @property
    def pending(self) -> Mapping[SystemName, str]: ...
    @property
    def summary(self) -> str: ...


class Board(Protocol):
    """Where switches are switched (switches.SwitchBoard)."""

    names: Names

    @property
    def audit(self) -> ActsAudit: ...
    @property
    def state(self) -> SwitchState: ...
    def now(self) -> datetime: ...
    def switches(self) -> Sequence[Switch]: ...
    def pending(self, switch: Switch) -> Mapping[SystemName, str]: ...
    async def act(self, act: Act, by: Actor, *, seen: Version | None = None) -> Result: ...
    async def undo(self, switch: Switch, by: Actor, *, seen: Version | None = None) -> Result: ...
    async def reload(self, by: Actor) -> Result: ...


class Moved(Protocol):
    """What came of a move (overflow_orders.MoveResult)."""

    @property
    def outcome(self) -> ActOutcome: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What can be done, and what it touches."""

    board: Board
    move: Callable[[MoveForm, Actor], Awaitable[Moved]]
    find: Callable[[str], CallerView | None]
    """Returns who waits under a call's id; None when nobody does."""
    lines_of: Callable[[Switch], frozenset[str]]
    """Returns every line that a switch touches."""
    queue_lines: Callable[[], Mapping[str, frozenset[str]]]

    def lines_of_caller(self, view: CallerView) -> frozenset[str]:
        """Return the line that a caller came by, or every line of the queue when nobody knows."""
        if view.line is not None:
            return frozenset({view.line})
        return self.queue_lines().get(view.queue, frozenset())


def allow(
    request: Request,
    person: Person,
    deed: Deed,
    lines: Iterable[str],
    *,
    audit: ActsAudit,
    act: str,
    subject: str,
    reason: str,
) -> None:
    """Refuse what somebody may not do, and let the audit know.

    Raises:
        HTTPException: 403.
    """
    touched = frozenset(lines)
    if refusal(person, deed, touched) is not None:
        by = actor_of(request, person)
        audit.note(act, subject[:200], by, ActOutcome.REFUSED, reason=reason or "no right to it")
    require(request, person, deed, touched)


def acts_router(hands: Hands) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["acts"], responses=ACT_ERRORS)
    _add_switches(router, hands)
    _add_lines(router, hands)
    _add_notices(router, hands)
    _add_rules(router, hands)
    _add_calls(router, hands)
    _add_reload(router, hands)
    return router


def _add_switches(router: APIRouter, hands: Hands) -> None:
    board = hands.board

    @router.get("/switches")
    async def switches(person: SeesCalls) -> SwitchList:
        """Return every notice, line and rule: what it is set to, by whom, why and until when."""
        now = board.now()
        seen = [one for one, lines in every_switch(hands) if person.sees(Deed.SEE_CALLS, lines)]
        return SwitchList(at=now, switches=seen)


def every_switch(hands: Hands) -> Iterator[tuple[SwitchStatus, frozenset[str]]]:
    """Yield every switch, with the lines that it touches."""
    board, now = hands.board, hands.board.now()
    for switch in board.switches():
        status = switch_status(switch, board.state, now=now, pending=board.pending(switch))
        yield status, hands.lines_of(switch)


def _add_lines(router: APIRouter, hands: Hands) -> None:
    async def force(
        request: Request, person: Person, line: str, form: UntilForm, stand: Stand
    ) -> Response | ActAnswer:
        act = LineForced(line=line, state=stand, until=form.until, reason=form.reason)
        return await _switch(request, hands, person, act, form.seen)

    @router.post("/lines/{line}/close", response_model=ActAnswer)
    async def close_line(
        line: Name, form: UntilForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        """Hold a line closed until then, whatever its hours say."""
        return await force(request, person, line, form, Stand.CLOSED)

    @router.post("/lines/{line}/open", response_model=ActAnswer)
    async def open_line(
        line: Name, form: UntilForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        """Hold a line open until then, whatever its hours say."""
        return await force(request, person, line, form, Stand.OPEN)

    _add_ends(
        router,
        hands,
        SwitchKind.LINE,
        word="release",
        told_as="Let a line follow its hours again.",
        ended=lambda line, form: LineReleased(line=line, reason=form.reason),
    )


def _add_notices(router: APIRouter, hands: Hands) -> None:
    @router.post("/notices/{notice}/on", response_model=ActAnswer)
    async def notice_on(
        notice: Name, form: UntilForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        """Play a notice until then."""
        act = NoticeOn(notice=notice, until=form.until, reason=form.reason)
        return await _switch(request, hands, person, act, form.seen)

    _add_ends(
        router,
        hands,
        SwitchKind.NOTICE,
        word="off",
        told_as="Play a notice no more.",
        ended=lambda notice, form: NoticeOff(notice=notice, reason=form.reason),
    )


def _add_rules(router: APIRouter, hands: Hands) -> None:
    stands = Annotated[
        Stand, Path(description="on, off, dry_run or forced; others are refused with 422.")
    ]

    @router.post("/rules/{rule}/set/{stand}", response_model=ActAnswer)
    async def set_rule(
        rule: Name, stand: stands, form: UntilForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        """Hold an overflow rule on, off, in a dry run or in force until then."""
        act = RuleSet(rule=rule, state=stand, until=form.until, reason=form.reason)
        return await _switch(request, hands, person, act, form.seen)

    _add_ends(
        router,
        hands,
        SwitchKind.RULE,
        word="release",
        told_as="Let an overflow rule follow its configuration again.",
        ended=lambda rule, form: RuleReleased(rule=rule, reason=form.reason),
    )


def _add_ends(
    router: APIRouter,
    hands: Hands,
    kind: SwitchKind,
    *,
    word: str,
    told_as: str,
    ended: Callable[[str, WhyForm], Act],
) -> None:
    """Add what every kind of switch has: the act that ends the setting, and the way back.

    Args:
        router: Gets the routes.
        hands: What can be done.
        kind: Of the switches.
        word: The ending act, as it stands in the route.
        told_as: The ending act, as OpenAPI tells of it.
        ended: Makes the ending act of a switch's name.
    """
    named = Annotated[str, Path(alias=kind.value, max_length=NAME_CHARACTERS_MAX)]
    path = f"/{kind.value}s/{{{kind.value}}}"

    @router.post(
        f"{path}/{word}",
        name=f"{word}_{kind.value}",
        description=told_as,
        response_model=ActAnswer,
    )
    async def end(
        name: named, form: WhyForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        return await _switch(request, hands, person, ended(name, form), form.seen)

    @router.post(
        f"{path}/undo",
        name=f"undo_{kind.value}",
        description=f"Set a {kind.value} to what it was before the last act.",
        response_model=ActAnswer,
    )
    async def undo(
        name: named, form: UndoForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        return await _undo(request, hands, person, Switch(kind=kind, name=name), form)


def _add_calls(router: APIRouter, hands: Hands) -> None:
    @router.post("/calls/move", response_model=ActAnswer)
    async def move_caller(
        form: MoveForm, request: Request, person: Somebody
    ) -> Response | ActAnswer:
        """Move one waiting caller to another queue, to the place that the first arrival gives."""
        view = hands.find(form.call)
        allow(
            request,
            person,
            Deed.MOVE_CALLER,
            frozenset() if view is None else hands.lines_of_caller(view),
            audit=hands.board.audit,
            act="move_caller",
            subject=f"call {form.call} to {form.to_queue}",
            reason=form.reason,
        )
        if view is None:
            return problem(HTTPStatus.NOT_FOUND, f"nobody waits under the id {form.call!r}")
        done = await hands.move(form, actor_of(request, person))
        return answer(done.outcome, done.text, version=None)


def _add_reload(router: APIRouter, hands: Hands) -> None:
    @router.post(
        "/reload",
        response_model=ActAnswer,
        responses=told(HTTPStatus.UNPROCESSABLE_ENTITY),
    )
    async def reload_configuration(request: Request, person: Somebody) -> Response | ActAnswer:
        """Take the configuration anew; a bad one changes nothing."""
        fault = refusal(person, Deed.RELOAD)
        if fault is not None:
            by = actor_of(request, person)
            audit = hands.board.audit
            audit.note("reload", "configuration", by, ActOutcome.REFUSED, reason="no right to it")
        require(request, person, Deed.RELOAD)
        result = await hands.board.reload(actor_of(request, person))
        text = result.summary or "; ".join(result.faults)
        return answer(result.outcome, text, version=None, faults=result.faults)


async def _switch(
    request: Request, hands: Hands, person: Person, act: Act, seen: int | None
) -> Response | ActAnswer:
    """Do an act on a switch, if it may be."""
    switch, by = switch_of(act), actor_of(request, person)
    _allow(request, hands, person, switch, act=word_of(act), reason=act.reason)
    unknown = hands.board.names.fault(switch)
    if unknown is not None:
        return problem(HTTPStatus.NOT_FOUND, unknown)
    version = None if seen is None else Version(seen)
    return _told(switch, await hands.board.act(act, by, seen=version))


async def _undo(
    request: Request, hands: Hands, person: Person, switch: Switch, form: UndoForm
) -> Response | ActAnswer:
    """Take the last act on a switch back, if it may be."""
    _allow(request, hands, person, switch, act="undo", reason="")
    unknown = hands.board.names.fault(switch)
    if unknown is not None:
        return problem(HTTPStatus.NOT_FOUND, unknown)
    version = None if form.seen is None else Version(form.seen)
    return _told(switch, await hands.board.undo(switch, actor_of(request, person), seen=version))


def _allow(
    request: Request, hands: Hands, person: Person, switch: Switch, *, act: str, reason: str
) -> None:
    """Refuse what somebody may not do with a switch; see `allow`."""
    allow(
        request,
        person,
        DEEDS[switch.kind],
        hands.lines_of(switch),
        audit=hands.board.audit,
        act=act,
        subject=str(switch),
        reason=reason,
    )


def _told(switch: Switch, result: Result) -> Response | ActAnswer:
    """Return what came of an act on a switch."""
    setting = result.setting
    if result.outcome is ActOutcome.CONFLICT:
        now_set = None if setting is None else setting_status(setting).model_dump(mode="json")
        who = "somebody" if setting is None else setting.by.who
        text = f"{switch}: {who} was first; look at it again, and send its version as `seen`"
        return problem(HTTPStatus.CONFLICT, text, setting=now_set)
    stand = "" if setting is None else f": {setting.stand.value}"
    return answer(
        result.outcome,
        f"{switch}{stand}",
        version=None if setting is None else setting.version,
        pending=result.pending,
        faults=result.faults,
    )


def answer(
    outcome: ActOutcome,
    text: str,
    *,
    version: int | str | None,
    pending: Mapping[SystemName, str] | None = None,
    faults: Sequence[str] = (),
) -> Response | ActAnswer:
    """Return what came of any act."""
    match outcome:
        case ActOutcome.DONE | ActOutcome.PENDING | ActOutcome.ALREADY:
            told_of = {str(system): why for system, why in (pending or {}).items()}
            return ActAnswer(outcome=outcome, text=text, version=version, pending=told_of)
        case ActOutcome.CONFLICT:
            return problem(HTTPStatus.CONFLICT, text)
        case ActOutcome.REFUSED:
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults) or text)
