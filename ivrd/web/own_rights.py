"""What whoever asks may do now, thing by thing: so that a page shows no button that is refused.

Here: the shape and the route. Not here: the rule (access/rights.py), which each act asks again.

Only names that are within reach are told, so nobody learns of others' lines here.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ivrd.access import Deed, Person, refusal
from ivrd.core.switches import SwitchKind
from ivrd.web.acts import DEEDS, Hands
from ivrd.web.guard import guard_of, person_with
from ivrd.web.looks import READ_ERRORS

OF_CALLERS = (Deed.MOVE_CALLER, Deed.RANK_CALLER)

SeesFloor = Annotated[Person, person_with(Deed.SEE_FLOOR)]


class Reach(BaseModel):
    """What one deed may be done to."""

    lines: list[str] = Field(
        default_factory=list, description="For callers: who came by one of these."
    )
    queues: list[str] = Field(
        default_factory=list,
        description="For agents: who serves these alone. For callers: whose line nobody knows.",
    )
    notices: list[str] = Field(default_factory=list)
    rules: list[str] = Field(default_factory=list)


class OwnRights(BaseModel):
    """Who asks, and what they may do."""

    name: str
    is_signed_in: bool = Field(description="False: nobody has said who they are.")
    roles: list[str] = Field(description="Of this moment, those that a shift gives too.")
    may: Mapping[str, Reach] = Field(description="By deed; what is not named may not be done.")


def rights_router(hands: Hands) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api", tags=["status"], responses=READ_ERRORS)

    @router.get("/me")
    async def me(request: Request, person: SeesFloor) -> OwnRights:
        """Return who you are, and what you may do to what, now."""
        is_signed_in = not guard_of(request).is_anonymous(person)
        return OwnRights(
            name=person.name,
            is_signed_in=is_signed_in,
            roles=sorted(person.roles),
            # Whoever has not said who they are does nothing, whatever they may see.
            may=rights_of(person, hands) if is_signed_in else {},
        )

    return router


def rights_of(person: Person, hands: Hands) -> Mapping[str, Reach]:
    """Return what somebody may do to what, by deed."""
    reach: dict[str, Reach] = {}
    queue_lines = hands.queue_lines()
    for deed in (*DEEDS.values(), *OF_CALLERS, Deed.DIRECT_AGENT):
        if person.may(deed):
            reach[deed.value] = Reach()
    for switch in hands.board.switches():
        found = reach.get(DEEDS[switch.kind].value)
        if found is not None and _may(person, DEEDS[switch.kind], hands.lines_of(switch)):
            _names_of(found, switch.kind).append(switch.name)
    every_line = frozenset[str]().union(*queue_lines.values())
    for deed in (*OF_CALLERS, Deed.DIRECT_AGENT):
        found = reach.get(deed.value)
        if found is None:
            continue
        found.queues = [name for name, lines in queue_lines.items() if _may(person, deed, lines)]
        if deed in OF_CALLERS:
            found.lines = sorted(line for line in every_line if _may(person, deed, [line]))
    return reach


def _may(person: Person, deed: Deed, lines: Iterable[str]) -> bool:
    return refusal(person, deed, lines) is None


def _names_of(reach: Reach, kind: SwitchKind) -> list[str]:
    match kind:
        case SwitchKind.LINE:
            return reach.lines
        case SwitchKind.NOTICE:
            return reach.notices
        case SwitchKind.RULE:
            return reach.rules
