"""Guides on a mobile: the queue reaches them through a Local channel, which may leave the path."""

import dataclasses

import pytest

from ivrd.core.events import AgentLegReplaced
from tests.e2e import leaving
from tests.e2e.leaving import ANSWERS, RINGS_OUT, TO_SWITCHBOARD
from tests.e2e.scene import scene
from tests.e2e.towns import town_fixture
from tests.lab.municipality import Municipality
from tests.lab.phone import HangUp, Talk, Then, TransferAttended, TransferBlind
from tests.lab.phone.talk import carry_out

pytestmark = pytest.mark.asyncio(loop_scope="module")

stays_town = town_fixture(dataclasses.replace(leaving.FLOOR, local_members={"guide": "n"}))
leaves_town = town_fixture(dataclasses.replace(leaving.FLOOR, local_members={"guide": ""}))

WAYS: dict[str, tuple[Then, str]] = {
    "guide_hung_up": (HangUp(), "resolved - 0 case"),
    "refer_reached": (TransferBlind(ANSWERS), "handed_on reached 1 no case"),
    "refer_rang_out": (TransferBlind(RINGS_OUT), "handed_on rang_out 1 no case"),
    "replaces_reached": (TransferAttended(ANSWERS, consult_s=0.2), "handed_on reached 1 no case"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_local_channel_that_stays(stays_town: Municipality, way: str) -> None:
    """queue_log has COMPLETEAGENT for all of them, at the end of the official's talk."""
    then, ended = WAYS[way]
    async with scene(stays_town, f"leaving_mobile_n_{way}") as played:
        caller = await leaving.talk_to_guide(played, then)
        if "reached" in ended:
            await leaving.end_of_talk(played)
        await caller.gone()
    assert leaving.ended(played, caller) == ended
    await leaving.check_all_agree(stays_town)


async def test_mobile_hands_on_to_the_switchboard(stays_town: Municipality) -> None:
    """The Local channel goes into the queue, and carries the caller."""
    async with scene(stays_town, "leaving_mobile_n_to_switchboard") as played:
        caller = await leaving.talk_to_guide(played, TransferBlind(TO_SWITCHBOARD))
        await caller.gone()
    assert leaving.stays(played, caller) == "kc answered guide | vaxel answered op"
    assert leaving.ended(played, caller) == "handed_on queue 1 no case"
    assert played.of(caller).entries[1].joined_by is not None
    await leaving.check_all_agree(stays_town)


@pytest.mark.parametrize("way", WAYS)
async def test_local_channel_that_leaves(leaves_town: Municipality, way: str) -> None:
    """Asterisk takes it out of the path as soon as both sides are heard."""
    then, ended = WAYS[way]
    for name in ("guide", f"department-{ANSWERS}"):
        leaves_town.phones[name].speaks = b"\xff" * 800
    async with scene(leaves_town, f"leaving_mobile_{way}") as played:
        played.citizens.speaks = b"\xff" * 800
        caller = await leaving.talk_to_guide(played, None)
        await played.watch.first(AgentLegReplaced)
        phone = leaves_town.phones["guide"]
        await carry_out(phone, leaving.call_of(phone), Talk(s=0.2, then=then))
        if "reached" in ended:
            await leaving.end_of_talk(played)
        await caller.gone()
    assert leaving.ended(played, caller) == ended
    await leaving.check_all_agree(leaves_town)
