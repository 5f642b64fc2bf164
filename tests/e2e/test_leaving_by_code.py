"""How a call leaves a guide by a feature code: blind, attended, given up, and a talk of three."""

from datetime import timedelta

import pytest

from ivrd.core.call_rows import ABANDON_END
from ivrd.core.events import AgentCompleted, AttendedTransferred, ChannelHungUp, DialEnded
from ivrd.core.ids import ChannelId
from tests.e2e import leaving
from tests.e2e.leaving import ANSWERS, IS_BUSY, RINGS_ON, SENDS_BACK, TO_SWITCHBOARD
from tests.e2e.scene import Caller, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.municipality import Municipality
from tests.lab.phone import Call

pytestmark = pytest.mark.asyncio(loop_scope="module")

town = town_fixture(leaving.FLOOR)

BLIND, ATTENDED = "##", "*2"

ABORT, THREEWAY = "*1", "*3"
"""Asterisk's defaults of atxferabort and atxferthreeway."""


@pytest.mark.parametrize(
    ("number", "name", "stays", "ended"),
    [
        (ANSWERS, "reached", "kc answered guide", "handed_on reached 1 no case"),
        (IS_BUSY, "busy", "kc answered guide", "handed_on rang_out 1 no case"),
        (
            SENDS_BACK,
            "came_back",
            "kc answered guide | kc answered guide",
            "resolved came_back 1 case",
        ),
        (
            TO_SWITCHBOARD,
            "to_switchboard",
            "kc answered guide | vaxel answered op",
            "handed_on queue 1 no case",
        ),
    ],
)
async def test_blind(town: Municipality, number: str, name: str, stays: str, ended: str) -> None:
    async with scene(town, f"leaving_code_blind_{name}") as played:
        caller = await leaving.talk_to_guide(played, None)
        await leaving.press_code(caller, town.phones["guide"], BLIND, number)
        if number == ANSWERS:
            await leaving.end_of_talk(played)
        await caller.gone()
    assert (leaving.stays(played, caller), leaving.ended(played, caller)) == (stays, ended)
    await leaving.check_all_agree(town)


async def consulting(played: Scene, number: str) -> tuple[Caller, Call]:
    """Return a caller on hold, and the guide's call, which now rings an official."""
    caller = await leaving.talk_to_guide(played, None)
    guide = await leaving.press_code(caller, played.town.phones["guide"], ATTENDED, number)
    return caller, guide


async def test_attended_and_the_official_answered(town: Municipality) -> None:
    async with scene(town, "leaving_code_attended_reached") as played:
        caller, guide = await consulting(played, ANSWERS)
        third = await leaving.official(town, ANSWERS)
        await guide.hang_up()
        await played.watch.first(AttendedTransferred)
        await leaving.live_on(played, caller)
        await third.hang_up()
        await caller.gone()
    assert leaving.ended(played, caller) == "handed_on reached 1 no case"


async def test_guide_drops_out_while_it_rings_and_the_official_answers(town: Municipality) -> None:
    async with scene(town, "leaving_code_ringing_reached") as played:
        caller, guide = await consulting(played, RINGS_ON)
        third = await leaving.official(town, RINGS_ON, is_up=False)
        await guide.hang_up()
        handed = await played.watch.first(AttendedTransferred)
        third.answer()
        await leaving.live_on(played, caller)
        await third.hang_up()
        await caller.gone()
    assert handed.destination == "Bridge", "as if the official had answered already"
    assert leaving.ended(played, caller) == "handed_on reached 1 no case"


async def test_guide_drops_out_while_it_rings_and_takes_the_caller_back(town: Municipality) -> None:
    async with scene(town, "leaving_code_ringing_came_back") as played:
        caller, guide = await consulting(played, RINGS_ON)
        ringing = await leaving.official(town, RINGS_ON, is_up=False)
        await guide.hang_up()
        await played.watch.first(AttendedTransferred)
        await ringing.hang_up(status=480)
        await caller.gone()
    recalled = await played.watch.first(DialEnded, lambda e: e.device == "PJSIP/guide")
    assert (recalled.channel_id, recalled.status) == (None, "ANSWER")
    assert leaving.stays(played, caller) == "kc answered guide"
    assert leaving.ended(played, caller) == "resolved came_back 1 case"
    await leaving.check_all_agree(town)


async def test_consultation_that_the_guide_gives_up(town: Municipality) -> None:
    async with scene(town, "leaving_code_consultation_given_up") as played:
        caller, guide = await consulting(played, ANSWERS)
        asked = await leaving.official_talks(played, ANSWERS)
        await guide.press(ABORT)
        await asked.ended(leaving.CALL_S_MAX)
        assert guide.is_live
        await guide.hang_up()
        await caller.gone()
    assert leaving.ended(played, caller) == "resolved - 0 case"


async def test_consultation_with_somebody_busy(town: Municipality) -> None:
    async with scene(town, "leaving_code_consultation_busy") as played:
        caller, guide = await consulting(played, IS_BUSY)
        await played.watch.first(DialEnded, lambda e: e.status == "BUSY")
        await guide.hang_up()
        await caller.gone()
    assert leaving.ended(played, caller) == "resolved - 0 case"


@pytest.mark.parametrize(
    ("first", "ended"),
    [
        ("guide", "handed_on conference 1 no case"),
        ("official", "resolved - 0 case"),
        ("caller", "resolved - 0 case"),
    ],
)
async def test_talk_of_three(town: Municipality, first: str, ended: str) -> None:
    async with scene(town, f"leaving_three_{first}_left_first") as played:
        caller, guide = await consulting(played, ANSWERS)
        third = await leaving.official_talks(played, ANSWERS)
        await guide.press(THREEWAY)
        joined = await played.watch.first(AttendedTransferred)
        assert joined.destination == "Threeway"
        parties = {"guide": guide, "official": third, "caller": caller.line}
        await parties[first].hang_up()
        await played.watch.first(ChannelHungUp, start=played.watch.events.index(joined))
        for party in parties.values():
            if party.is_live:
                await party.hang_up()
        await caller.gone()
    assert leaving.ended(played, caller) == ended
    await leaving.check_all_agree(town)


@pytest.mark.older_asterisk
async def test_talk_of_three_in_a_gap_is_unknown(town: Municipality) -> None:
    """queue_log says COMPLETEAGENT, as if the guide had hung up, and the caller lives on."""
    async with scene(town, is_orderly=False) as played:
        caller, guide = await consulting(played, ANSWERS)
        third = await leaving.official_talks(played, ANSWERS)
        await town.kill_daemon()
        await guide.press(THREEWAY)
        await played.watch.first(AttendedTransferred)
        await guide.hang_up()
        completed = await played.watch.first(AgentCompleted)
        assert completed.reason == "agent"
        await leaving.live_on(played, caller)
        await third.hang_up()
        await caller.gone()
        ended = await played.watch.first(
            ChannelHungUp, lambda e: e.channel_id == ChannelId(caller.call_id)
        )
        lived_on = ended.at - completed.at
        assert lived_on > ABANDON_END + timedelta(seconds=1), "the two talked on without the guide"
        await town.start_daemon()
        await played.collect()
    assert leaving.stays(played, caller) == "kc answered guide"
    assert leaving.ended(played, caller) == "unknown - 0 no case"
    await leaving.check_all_agree(town)
