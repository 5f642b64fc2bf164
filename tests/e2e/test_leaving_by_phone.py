"""How a call leaves a guide by the guide's phone: hang-up, hold, REFER, and REFER with Replaces."""

import pytest

from tests.e2e import leaving
from tests.e2e.leaving import (
    ANSWERS,
    IS_BUSY,
    NOBODY,
    RINGS_ON,
    RINGS_OUT,
    SENDS_BACK,
    SENDS_BACK_LATE,
)
from tests.e2e.scene import scene
from tests.e2e.towns import town_fixture
from tests.lab.municipality import Municipality
from tests.lab.phone import (
    ConsultAndReturn,
    HangUp,
    Hold,
    Then,
    TransferAttended,
    TransferBlind,
    TransferRinging,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

town = town_fixture(leaving.FLOOR)

GUIDE = "kc answered guide"

WAYS: dict[str, tuple[Then, str, str]] = {
    "guide_hung_up": (HangUp(), GUIDE, "resolved - 0 case"),
    "held_and_resolved": (Hold(0.3, talk_s=0.2), GUIDE, "resolved - 0 case"),
    "refer_reached": (TransferBlind(ANSWERS), GUIDE, "handed_on reached 1 no case"),
    "refer_left_at_once_reached": (
        TransferBlind(ANSWERS, leaves_at_once=True),
        GUIDE,
        "handed_on reached 1 no case",
    ),
    "refer_busy": (TransferBlind(IS_BUSY), GUIDE, "handed_on rang_out 1 no case"),
    "refer_rang_out": (TransferBlind(RINGS_OUT), GUIDE, "handed_on rang_out 1 no case"),
    "refer_unknown_number": (TransferBlind(NOBODY), GUIDE, "resolved - 0 case"),
    "refer_came_back": (
        TransferBlind(SENDS_BACK),
        f"{GUIDE} | {GUIDE}",
        "resolved came_back 1 case",
    ),
    "replaces_reached": (
        TransferAttended(ANSWERS, consult_s=0.2),
        GUIDE,
        "handed_on reached 1 no case",
    ),
    "replaces_while_ringing_reached": (
        TransferRinging(ANSWERS),
        GUIDE,
        "handed_on reached 1 no case",
    ),
    "replaces_while_ringing_rang_out": (
        TransferRinging(RINGS_ON),
        GUIDE,
        "handed_on rang_out 1 no case",
    ),
    "replaces_while_ringing_came_back": (
        TransferRinging(SENDS_BACK_LATE),
        f"{GUIDE} | {GUIDE}",
        "resolved came_back 1 case",
    ),
    "cancel_and_refer_while_ringing_reached": (
        TransferRinging(ANSWERS, by_replaces=False),
        GUIDE,
        "handed_on reached 1 no case",
    ),
    "consultation_abandoned": (
        ConsultAndReturn(RINGS_ON, consult_s=0.2, talk_s=0.2),
        GUIDE,
        "resolved - 0 case",
    ),
    "consultation_answered_and_abandoned": (
        ConsultAndReturn(ANSWERS, consult_s=0.5, talk_s=0.2),
        GUIDE,
        "resolved - 0 case",
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way(town: Municipality, way: str) -> None:
    then, stays, ended = WAYS[way]
    async with scene(town, f"leaving_{way}") as played:
        caller = await leaving.talk_to_guide(played, then)
        if isinstance(then, TransferRinging) and then.number != ANSWERS:
            await leaving.give_up_ringing(town, then.number)
        if "reached" in ended:
            await leaving.end_of_talk(played)
        await caller.gone()
    assert (leaving.stays(played, caller), leaving.ended(played, caller)) == (stays, ended)
    await leaving.check_all_agree(town)


async def test_the_caller_hangs_up(town: Municipality) -> None:
    async with scene(town, "leaving_caller_hung_up") as played:
        caller = await leaving.talk_to_guide(played, None)
        await caller.hang_up()
    assert leaving.ended(played, caller) == "resolved - 0 case"


async def test_the_caller_gives_up_while_the_official_rings(town: Municipality) -> None:
    async with scene(town, "leaving_refer_given_up") as played:
        caller = await leaving.talk_to_guide(played, TransferBlind(RINGS_ON, leaves_at_once=True))
        await leaving.official(town, RINGS_ON, is_up=False)
        await caller.hang_up()
    assert leaving.ended(played, caller) == "handed_on rang_out 1 no case"


async def test_the_caller_came_back_and_gave_up(town: Municipality) -> None:
    async with scene(town, "leaving_came_back_and_gave_up") as played:
        caller = await leaving.talk_to_guide(played, TransferBlind(SENDS_BACK_LATE))
        await town.pbx.cli("queue pause member PJSIP/guide queue kc")
        ringing = await leaving.official(town, SENDS_BACK_LATE, is_up=False)
        await ringing.hang_up(status=480)
        await leaving.joined_again(caller, "kc")
        await caller.hang_up()
        await caller.gone()
        await town.pbx.cli("queue unpause member PJSIP/guide queue kc")
    assert leaving.stays(played, caller) == "kc answered guide | kc abandoned -"
    assert leaving.ended(played, caller) == "handed_on came_back 1 no case"


@pytest.mark.parametrize(("number", "ended"), [(ANSWERS, "reached"), (RINGS_OUT, "rang_out")])
async def test_blind_transfer_by_ami(town: Municipality, number: str, ended: str) -> None:
    async with scene(town, f"leaving_ami_{ended}") as played:
        caller = await leaving.talk_to_guide(played, None)
        await leaving.transfer_by_ami(town, number)
        if ended == "reached":
            await leaving.end_of_talk(played)
        await caller.gone()
    assert leaving.ended(played, caller) == f"handed_on {ended} 1 no case"
