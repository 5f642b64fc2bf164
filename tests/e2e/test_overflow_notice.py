"""A moved caller hears of it between the queues, and may hang up there."""

import asyncio

import pytest

from ivrd.core.effects import MoveEnd, Outcome
from ivrd.core.events import QueueExited
from tests.e2e.scene import Caller, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import GUIDES, PATIENT_S, SHEET, SWITCHBOARD, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = f"""
[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = {{ 1 = "{SWITCHBOARD}" }}
stay_choice = "{GUIDES}"
stay_after_s = {PATIENT_S}

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"

[[overflow]]
name = "vaxel-hog-last"
from_queue = "{SWITCHBOARD}"
to_queue = "{GUIDES}"
start_waiting = 3
stop_waiting = 1
notice_prompt = "flyttad"
"""

NOTICE = """
[prompts.flyttad]
sv = "Ditt samtal flyttas nu till en annan kö. Du har kvar din plats."
"""
"""Long enough to hang up in it."""

town = town_fixture(
    FloorPlan(
        desks=(
            Desk(name="silent", queue=SWITCHBOARD, answer=NoAnswer()),
            Desk(name="guide", queue=GUIDES, answer=Ring(), talk=Talk(s=0.2)),
        ),
        queue_settings={SWITCHBOARD: "timeout = 300"},
        sheet=SHEET + NOTICE,
        prompts=True,
        way_in=RULE,
    )
)


async def withdrawn(played: Scene, caller: Caller) -> QueueExited:
    """Wait until a caller is out of the first queue by a move."""
    return await played.watch.first(
        QueueExited, lambda event: event.call_id == caller.call_id and event.status == "WITHDRAW"
    )


async def comes(played: Scene) -> Caller:
    """Let somebody wait at the switchboard, after all who came before."""
    caller = await played.ring("1")
    await caller.joined(SWITCHBOARD)
    return caller


async def test_the_notice_is_heard_and_whoever_hangs_up_in_it_has_given_up(
    town: Municipality,
) -> None:
    async with scene(town, "overflow_notice") as played:
        first, leaver, stayer = [await comes(played) for _ in range(3)]
        await withdrawn(played, leaver)
        await leaver.hang_up()
        left = await withdrawn(played, stayer)
        joined = await stayer.joined(GUIDES)
        await asyncio.gather(stayer.gone(), leaver.gone())
    assert (joined.at - left.at).total_seconds() > 1.0, "as long as the notice takes"
    assert played.told(stayer) == (
        "chosen vaxel by 1 | vaxel moved | kc answered by guide | resolved | case for guide"
    )
    assert played.told(leaver) == "chosen vaxel by 1 | vaxel moved | abandoned"
    [attempt] = played.of(leaver).move_attempts
    assert attempt.end is MoveEnd.HUNG_UP_FIRST
    assert played.of(first).outcome is Outcome.ABANDONED
