"""From a guide into another queue of ours: one call, several stays, and no call of the guide's."""

import pytest

from ivrd.core.events import AgentConnected, AttendedTransferred, CallerJoined
from tests.e2e import leaving
from tests.e2e.leaving import ANSWERED_GUIDES, ANSWERED_SWITCHBOARD, TO_SWITCHBOARD
from tests.e2e.scene import Caller, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.municipality import Municipality
from tests.lab.phone import (
    AnswerPolicy,
    Call,
    NoAnswer,
    Ring,
    Then,
    TransferAttended,
    TransferBlind,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

town = town_fixture(leaving.FLOOR)

TO_OPERATOR = "kc answered guide | vaxel answered op"

LATE = NoAnswer()
"""The operator's phone still rings when the guide hands on; then the scenario answers it."""


async def pick_up(played: Scene, call: Call) -> None:
    """Answer the operator's phone, unless it answers by itself, and wait until the PBX knows.

    A hang-up that overtakes the answer inside the PBX is a call that nobody answered.
    """
    if not call.was_answered:
        call.answer()
    await call.answered(leaving.CALL_S_MAX)
    await played.watch.first(AgentConnected, lambda e: e.queue == "vaxel")


async def calls_stored(played: Scene) -> set[str]:
    """Return the ids of stored calls that are none of the scene's callers, and came in it."""
    mine = {caller.call_id for caller in played.callers}
    first = min(facts.arrived_at for facts in played.facts.values() if facts.call_id in mine)
    return {
        facts.call_id
        for facts in await played.town.facts()
        if facts.arrived_at >= first and facts.call_id not in mine
    }


WAYS: dict[str, tuple[Then, AnswerPolicy, str]] = {
    "blind": (TransferBlind(TO_SWITCHBOARD), Ring(after_s=0.1), "vaxel"),
    "answered": (TransferAttended(TO_SWITCHBOARD, consult_s=0.2), Ring(after_s=0.1), "Link"),
    "waiting": (TransferAttended(ANSWERED_SWITCHBOARD, consult_s=1.0), LATE, "App"),
    "not_yet_there": (TransferAttended(ANSWERED_SWITCHBOARD, consult_s=0.1), LATE, "App"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_to_the_switchboard(town: Municipality, way: str) -> None:
    then, answer, destination = WAYS[way]
    operator = town.phones["op"]
    operator.answer_policy = answer
    operator.talk = None
    async with scene(town, f"leaving_to_switchboard_{way}") as played:
        caller = await leaving.talk_to_guide(played, then)
        call = await operator.next_call(leaving.CALL_S_MAX)
        if way != "blind":
            handed = await played.watch.first(AttendedTransferred)
            assert handed.destination == destination
        await pick_up(played, call)
        await call.hang_up()
        await caller.gone()
    assert leaving.stays(played, caller) == TO_OPERATOR
    assert leaving.ended(played, caller) == "handed_on queue 1 no case"
    assert await calls_stored(played) == set()
    await leaving.check_all_agree(town)


async def test_waiting_stay_is_joined_under_the_guides_channel_and_answered_under_the_callers(
    town: Municipality,
) -> None:
    """The vector of asterisk#759."""
    town.phones["op"].answer_policy = LATE
    town.phones["op"].talk = None
    async with scene(town, "leaving_to_switchboard_waiting_759") as played:
        caller = await leaving.talk_to_guide(played, None)
        guide, second = await leaving.consult(town, ANSWERED_SWITCHBOARD)
        asked = await played.watch.first(CallerJoined, lambda e: e.queue == "vaxel")
        await guide.transfer_attended(second)
        await played.watch.first(AttendedTransferred)
        call = await town.phones["op"].next_call(leaving.CALL_S_MAX)
        await pick_up(played, call)
        answered = await caller.talking("vaxel")
        await call.hang_up()
        await caller.gone()
    assert asked.call_id != caller.call_id
    _, stay = played.of(caller).entries
    assert (stay.joined_at, stay.answered_at) == (asked.at, answered.at)
    assert stay.joined_by == asked.call_id
    status = await town.queue_status("vaxel")
    assert isinstance(status["counts"], dict)
    assert status["counts"]["abandoned"] == 0


async def test_by_code_while_the_operators_phone_rings(town: Municipality) -> None:
    town.phones["op"].answer_policy = LATE
    town.phones["op"].talk = None
    async with scene(town, "leaving_to_switchboard_by_code") as played:
        caller = await leaving.talk_to_guide(played, None)
        guide = await leaving.press_code(caller, town.phones["guide"], "*2", TO_SWITCHBOARD)
        asked = await played.watch.first(CallerJoined, lambda e: e.queue == "vaxel")
        call = await town.phones["op"].next_call(leaving.CALL_S_MAX)
        await guide.hang_up()
        await played.watch.first(AttendedTransferred)
        await pick_up(played, call)
        await call.hang_up()
        await caller.gone()
    assert asked.linked_id == caller.call_id
    assert leaving.stays(played, caller) == TO_OPERATOR
    assert leaving.ended(played, caller) == "handed_on queue 1 no case"
    assert await calls_stored(played) == set()
    await leaving.check_all_agree(town)


async def asked_in_vain(played: Scene) -> tuple[Caller, CallerJoined]:
    """Let the guide ask in the own queue, return, hang up; the caller and the stay are told."""
    caller = await leaving.talk_to_guide(played, None)
    guide, second = await leaving.consult(played.town, ANSWERED_GUIDES)
    asked = await played.watch.first(CallerJoined, lambda e: e.call_id != caller.call_id)
    await second.hang_up()
    await guide.resume()
    await guide.hang_up()
    return caller, asked


async def test_asking_in_a_queue_and_coming_back_abandons_nothing(town: Municipality) -> None:
    async with scene(town, "leaving_asked_in_a_queue_in_vain") as played:
        caller, asked = await asked_in_vain(played)
        await caller.gone()
    assert asked.queue == "kc"
    assert leaving.stays(played, caller) == "kc answered guide"
    assert leaving.ended(played, caller) == "resolved - 0 case"
    assert await calls_stored(played) == set()
    status = await town.queue_status("kc")
    assert isinstance(status["counts"], dict)
    assert status["counts"]["abandoned"] == 0
    await leaving.check_all_agree(town)


IN_A_GAP: dict[str, tuple[Then | None, set[tuple[str, str]]]] = {
    "came_back": (None, {("kc answered guide", "resolved - 0 case")}),
    "answered": (
        TransferAttended(TO_SWITCHBOARD, consult_s=0.5),
        # By which row queue_log has first: the end of the operator's talk with the guide, or the
        # transfer. After the former it does not tell whether the operator was the target.
        {
            ("kc answered guide", "handed_on unknown 1 no case"),
            (TO_OPERATOR, "handed_on queue 1 no case"),
        },
    ),
    "waiting": (
        None,
        {(TO_OPERATOR, "handed_on queue 1 no case")},
    ),
}


@pytest.mark.older_asterisk
@pytest.mark.parametrize("way", IN_A_GAP)
async def test_asking_in_a_queue_while_ivrd_was_away(town: Municipality, way: str) -> None:
    """queue_log has one more caller; IVRDENTER says whose channel it is."""
    then, allowed = IN_A_GAP[way]
    operator = town.phones["op"]
    operator.answer_policy = LATE if way == "waiting" else Ring(after_s=0.1)
    operator.talk = None
    async with scene(town, is_orderly=False) as played:
        await town.kill_daemon()
        if way == "came_back":
            caller, _ = await asked_in_vain(played)
        else:
            caller = await leaving.talk_to_guide(played, then)
            if way == "waiting":
                guide, second = await leaving.consult(town, ANSWERED_SWITCHBOARD)
                await played.watch.first(CallerJoined, lambda e: e.queue == "vaxel")
                await guide.transfer_attended(second)
            call = await operator.next_call(leaving.CALL_S_MAX)
            await played.watch.first(AttendedTransferred)
            await pick_up(played, call)
            await call.hang_up()
        await caller.gone()
        await town.start_daemon()
        await played.collect()
    assert (leaving.stays(played, caller), leaving.ended(played, caller)) in allowed
    assert await calls_stored(played) == set()
    status = await town.queue_status("vaxel")
    assert isinstance(status["counts"], dict)
    assert (status["counts"]["abandoned"], status["counts"]["unknown"]) == (0, 0)
    await leaving.check_all_agree(town)
