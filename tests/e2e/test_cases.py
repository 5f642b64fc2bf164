"""Each class of call gives the right case or none, and calls back to back lose no draft."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ivrd import config as ivrd_config
from ivrd.case_desk import CaseDesk, CaseFilter
from ivrd.case_suggestions import CaseSuggestions
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import Case, CaseClass, CaseState, Promise, SetClass
from ivrd.core.first_contact import AnsweredCalls, by_department, total
from ivrd.core.labels import Clue, LabelTree
from ivrd.db.connection import reading
from ivrd.db.store import Store
from ivrd.labels import label_tree
from tests.e2e.leaving import call_of
from tests.e2e.scene import Caller, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import PATIENT_NUMBER, Department, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Ring, Talk, TransferBlind

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHOOL = "8100"
SOON = Talk(s=0.3)

LABELS = f"""
[[department]]
code = "skola"
name_sv = "Skolan"
name_en = "Schools"
subject = [
    {{ code = "annat", name_sv = "Annat", name_en = "Other" }},
    {{ code = "skolval", name_sv = "Skolval", name_en = "Choice", numbers = ["{SCHOOL}"] }},
]
"""

GUIDE = Actor(who="guide", origin=Origin.PAGE)

town = town_fixture(
    FloorPlan(
        desks=(
            Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=SOON),
            Desk(name="op", queue="vaxel", answer=Ring(after_s=0.1), talk=SOON),
        ),
        departments=(Department(number=SCHOOL, answer=Ring(after_s=0.1), talk=SOON),),
        labels=LABELS,
        patient_s=30,
    )
)


@contextlib.asynccontextmanager
async def desk_of(town: Municipality) -> AsyncIterator[CaseDesk]:
    """Act on the daemon's own database, as another program of ours does beside it."""
    settings = ivrd_config.load(town.config_path)
    async with reading(settings.database) as engine:
        yield CaseDesk(
            Store(engine),
            now=lambda: datetime.now(UTC),
            labels=LabelTree(),
            record=lambda act: None,
        )


async def cases_of(desk: CaseDesk, *callers: Caller) -> list[Case]:
    """Return what the calls opened, in their order."""
    ids = [caller.call_id for caller in callers]
    page = await desk.search(CaseFilter(), count_max=200)
    found = [case for case in page.cases if case.call_id in ids]
    return sorted(found, key=lambda case: ids.index(case.call_id))


async def suggested(town: Municipality, case: Case) -> list[tuple[str, Clue]]:
    """Return what the guide is told that a case is probably about, and why."""
    settings = ivrd_config.load(town.config_path)
    async with reading(settings.database) as engine:
        store, tree = Store(engine), label_tree(settings.department)
        desk = CaseDesk(store, now=lambda: datetime.now(UTC), labels=tree, record=lambda act: None)
        found = await CaseSuggestions(store, desk).of(case.agent, [case])
    return [(one.subject.code, one.reasons[0].clue) for one in found[case.case_id]]


async def one_call(played: Scene, key: str, talk: Talk = SOON) -> Caller:
    guide = played.town.phones["guide"]
    guide.talk = None
    caller = await played.ring(key)
    if key == "":
        # A REFER right behind an answer that a PBX standing still has not seen hands on nobody.
        await caller.talking("kc")
        guide.begin(call_of(guide), talk)
    guide.talk = SOON
    await caller.gone()
    return caller


async def test_each_class_of_call_gives_the_right_case_or_none(town: Municipality) -> None:
    async with scene(town) as played:
        resolved = await one_call(played, "")
        handed_on = await one_call(played, "", Talk(s=0.3, then=TransferBlind(SCHOOL)))
        switchboard = await one_call(played, "1")
        gave_up = await played.ring(line=PATIENT_NUMBER)
        await gave_up.hang_up()
    callers = (resolved, handed_on, switchboard, gave_up)
    async with desk_of(town) as desk:
        draft, contact = await cases_of(desk, *callers)
        assert (draft.call_id, draft.agent, draft.case_class, draft.state, draft.is_case) == (
            resolved.call_id,
            "guide",
            CaseClass.RESOLVED,
            CaseState.DRAFT,
            True,
        )
        assert (contact.call_id, contact.agent, contact.case_class, contact.is_case) == (
            handed_on.call_id,
            "guide",
            CaseClass.CONTACT,
            False,
        )
        assert len(played.of(resolved).cases) == 1
        assert not any(played.of(caller).cases for caller in callers[1:])
        assert [case.call_id for case in await desk.drafts_of("guide")] == [resolved.call_id]
        # The guide says what only the guide knows.
        half = await desk.act(contact.case_id, SetClass(case_class=CaseClass.HALF_HELPED), GUIDE)
        assert (half.is_case, half.state) == (True, CaseState.DRAFT)
        assert await suggested(town, half) == [("skolval", Clue.TRANSFER)]
        deadline = datetime.now(UTC) + timedelta(hours=2)
        promised = await desk.act(
            draft.case_id, Promise(deadline=deadline), GUIDE, expected_version=1
        )
        assert (promised.state, promised.deadline) == (CaseState.OPEN, deadline)
        figures = total(by_department(await cases_of(desk, *callers)))
        assert figures == AnsweredCalls(resolved_later=1, half_helped=1)
    async with scene(town) as again:
        repeat = await again.ring_as(resolved.number)
        await repeat.gone()
    async with desk_of(town) as desk:
        [linked] = await cases_of(desk, repeat)
        assert linked.linked_case_id == draft.case_id, "that one is promised, and not closed"
        assert total(by_department([linked])) == AnsweredCalls(resolved_later=1)
    stored = {facts.call_id: facts for facts in await town.facts()}
    assert not stored[handed_on.call_id].cases, "reconcile counts what the rule opened"


async def test_a_guide_with_calls_back_to_back_loses_no_draft(town: Municipality) -> None:
    town.phones["guide"].talk = Talk(s=0.1)
    async with scene(town) as played:
        callers = await asyncio.gather(*(played.ring() for _ in range(5)))
        # Each ring follows the talk before at once: there is no wrap-up.
        await asyncio.gather(*(caller.gone() for caller in callers))
    async with desk_of(town) as desk:
        drafts = await desk.drafts_of("guide")
        mine = [case for case in drafts if case.call_id in {one.call_id for one in callers}]
        assert len(mine) == 5
        assert [case.opened_at for case in mine] == sorted(
            (case.opened_at for case in mine), reverse=True
        ), "newest first"
        histories = [await desk.case(case.case_id) for case in mine]
    assert all([one.what for one in found.changes] == ["opened"] for found in histories)
    assert len({case.case_id for case in mine}) == 5
