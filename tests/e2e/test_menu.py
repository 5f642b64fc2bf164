"""The tone choice: every way through it and out of it."""

import asyncio
import dataclasses

import pytest

from ivrd.core.events import CallArrived, CallerJoined
from tests.e2e.scene import ROUNDS_MAX, Caller, Scene, metrics, scene, tell, until_true
from tests.e2e.towns import town_fixture
from tests.lab.citizens import Citizen, CitizenStream
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Ring, Talk
from tests.lab.phone.audio import SAMPLES_PER_S, read_wav
from tests.lab.ports import LOOPBACK

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.3))
OPERATOR = dataclasses.replace(GUIDE, name="op", queue="vaxel")

town = town_fixture(FloorPlan(prompts=True, tries=2, desks=(GUIDE, OPERATOR)))

PROMPT_S = 1.0
"""The prompts are a little longer."""


async def presses_one(played: Scene) -> Caller:
    return await played.ring("1")


async def presses_one_by_info(played: Scene) -> Caller:
    return await played.ring("1", how="info")


async def stays(played: Scene) -> Caller:
    return await played.ring()


async def hears_the_menu(played: Scene) -> Caller:
    """Return a caller who hears the prompt: Asterisk drops a key before ivrd's first command."""
    caller = await played.ring()
    await caller.hears(0.1)
    return caller


async def presses_wrong_then_right(played: Scene) -> Caller:
    caller = await hears_the_menu(played)
    await caller.press("7")
    await caller.hears(PROMPT_S)
    await caller.press("1")
    return caller


async def presses_wrong_until_given_up(played: Scene) -> Caller:
    caller = await hears_the_menu(played)
    await caller.press("9")
    await caller.hears(PROMPT_S)
    await caller.press("#")
    return caller


async def presses_wrong_then_stays(played: Scene) -> Caller:
    caller = await hears_the_menu(played)
    await caller.press("5")
    return caller


async def hangs_up(played: Scene) -> Caller:
    caller = await played.ring()
    await caller.hears(PROMPT_S / 2)
    await caller.hang_up()
    return caller


WAYS = {
    presses_one: "chosen vaxel by 1 | vaxel answered by op | switchboard",
    presses_one_by_info: "chosen vaxel by 1 | vaxel answered by op | switchboard",
    stays: "stayed kc | kc answered by guide | resolved | case for guide",
    presses_wrong_then_right: (
        "chosen vaxel by 1 after 1 wrong | vaxel answered by op | switchboard"
    ),
    presses_wrong_until_given_up: (
        "gave_up kc after 2 wrong | kc answered by guide | resolved | case for guide"
    ),
    presses_wrong_then_stays: (
        "stayed kc after 1 wrong | kc answered by guide | resolved | case for guide"
    ),
    hangs_up: "- | menu_hangup",
}


@pytest.mark.older_asterisk
async def test_every_way_through_the_menu(town: Municipality) -> None:
    async with scene(town, "menu_choices") as played:
        callers = await asyncio.gather(*(way(played) for way in WAYS))
        for caller in callers:
            await caller.gone(within_s=25)
    told = {way: played.told(caller) for way, caller in zip(WAYS, callers, strict=True)}
    assert told == WAYS
    figures = await metrics(town)
    outcomes = {
        outcome: figures.get(
            f'ivrd_menu_outcomes_total{{digit="{digit}",menu="huvudmeny",outcome="{outcome}",'
            'runner="daemon",system="pbx1"}'
        )
        for outcome, digit in (("chosen", "1"), ("stayed", ""), ("gave_up", ""))
    }
    assert outcomes == {"chosen": 3, "stayed": 2, "gave_up": 1}
    assert 'ivrd_agi_sessions_total{end="hung_up"}' in figures
    status = await town.queue_status("kc")
    assert isinstance(status["counts"], dict)
    assert status["counts"]["abandoned"] == 0


async def test_a_key_interrupts_the_prompt(town: Municipality) -> None:
    prompt = read_wav(town.pbx.sounds_dir / "sv" / "ivrd" / "huvudmeny.wav")
    whole_s = len(prompt) / SAMPLES_PER_S
    async with scene(town) as played:
        rounds: dict[Caller, CallerJoined] = {}
        while len(rounds) < ROUNDS_MAX:
            caller = await played.ring()
            await caller.hears(PROMPT_S / 4)
            heard = caller.line.media.heard.packets
            await caller.press("1")
            rounds[caller] = await caller.joined("vaxel")
            await caller.gone()
            arrived = await played.watch.first(
                CallArrived, lambda e, c=caller: e.call_id == c.call_id
            )
            in_menu_s = (rounds[caller].at - arrived.at).total_seconds()
            if in_menu_s < whole_s:
                break
    for caller in rounds:
        assert played.told(caller) == "chosen vaxel by 1 | vaxel answered by op | switchboard"
    assert in_menu_s < whole_s, f"the prompt went on after the key; {heard} packets before it"


async def test_a_citizen_of_sipp_presses_a_key(town: Municipality) -> None:
    before = {facts.call_id for facts in await town.facts()}
    citizen = Citizen(caller="0701740699", number=LINE_NUMBER, key="1", key_delay_ms=800)
    async with CitizenStream.start(LOOPBACK, town.pbx.sip_port, [citizen], 5.0) as stream:
        counts = await stream.finished(60.0)
    assert (counts.answered, counts.was_hung_up_on, counts.failed) == (1, 1, 0), stream.errors()
    facts = await town.wait_for_calls(len(before) + 1)
    (call,) = [each for each in facts if each.call_id not in before]
    assert tell(call, None) == "? vaxel by 1 | vaxel answered by op | switchboard"
    assert await town.differing(facts) == []


async def test_the_prompts_are_there(town: Municipality) -> None:
    def is_quiet() -> bool:
        return "prompt_missing" not in town.daemon_log.read_text(encoding="utf-8")

    await until_true(is_quiet, what="no prompt is missing")
