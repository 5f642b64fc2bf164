"""ivrd killed while callers are on their way in; what queue_log tells afterwards is the same."""

import asyncio

import pytest

from ivrd.core.events import LineClosed, NoticeTold
from tests.e2e.scene import Caller, Scene, metrics, scene
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import (
    AT_ONCE,
    DIGIT_S,
    LEAK,
    LINES,
    MENUS,
    NOTICES,
    SHEET,
    SHUT,
    SITE_NUMBERS,
    STAY_S,
    WATER,
    Way,
    desk,
    force,
    prompts_heard,
    switch_on,
    told,
    walk,
)
from tests.lab.floor_plan import FloorPlan
from tests.lab.municipality import Municipality, desks

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = """
[[menus]]
name = "kort"
prompt = "huvudmeny"
choices = { 1 = "vaxel" }
stay_choice = "kc"
stay_after_s = 2
"""
"""For callers who stay after the notice."""

STAY = f"stay_after_s = {STAY_S}\n"
LONG_STAY = "stay_after_s = 6\n"
"""Of the others: ivrd is to be killed before anybody's time is over."""

LEAK_LINE = f'number = "{LEAK}"\nmenu = '

NOTICE = "En vattenläcka lagas på Storgatan."
LONG_NOTICE = f"{NOTICE} Vattnet är avstängt i kvarteren runt torget."
"""ivrd is to be killed while it is heard."""

town = town_fixture(
    FloorPlan(
        prompts=True,
        sheet=SHEET.replace(NOTICE, LONG_NOTICE),
        way_in=MENUS.replace(STAY, LONG_STAY)
        + SHORT
        + LINES
        + NOTICES.replace(f'{LEAK_LINE}"huvudmeny"', f'{LEAK_LINE}"kort"'),
        queue_keys={"va": WATER},
        more_dialplan=SITE_NUMBERS,
        desks=(
            desk("guide", "kc"),
            *desks(3, "vaxel", prefix="op", like=desk("op", "vaxel")),
            desk("plumber", "va"),
        ),
    )
)

A_WHILE = 0.6

BEFORE = {
    "in a submenu": Way(
        does=[AT_ONCE, "2", A_WHILE], comes_to="huvudmeny:2>va:1 | sv | va answered"
    ),
    "in another language": Way(
        does=[AT_ONCE, "9", A_WHILE, "2", A_WHILE],
        comes_to="huvudmeny:9>sprak:2>huvudmeny:1 | en | vaxel answered",
    ),
    "among languages": Way(
        does=[AT_ONCE, "9", A_WHILE], comes_to="huvudmeny:9>sprak:1>huvudmeny | sv | kc answered"
    ),
    "in slow mode": Way(
        does=[AT_ONCE, "8", A_WHILE], comes_to="huvudmeny:8>huvudmeny:1 | sv | vaxel answered"
    ),
}
"""What they do while ivrd is there; then it is killed, and they press 1."""


async def goes_on(played: Scene, caller: Caller) -> None:
    """Press 1 in the dialplan's menu; again if it fell into the last that ivrd had said."""
    await caller.hears(A_WHILE)
    start = len(played.watch.events)
    await caller.press("1")
    await played.press_until_chosen(caller, "1", start=start, again_s=2 * DIGIT_S)


@pytest.mark.older_asterisk
async def test_killed_while_callers_are_everywhere(town: Municipality) -> None:
    await switch_on(town, "driftstorning")
    await force(town, "stangd", "closed")
    async with scene(town, is_orderly=False) as played:

        async def hears_the_notice() -> Caller:
            caller = await played.ring(line=LEAK)
            over = await played.watch.first(NoticeTold, lambda e: e.is_over)
            assert over.call_id == caller.call_id
            return caller

        heard_before, *callers = await asyncio.gather(
            hears_the_notice(), *(walk(played, way) for way in BEFORE.values())
        )
        closed, in_notice, gives_up = await asyncio.gather(
            *(played.ring(line=line) for line in (SHUT, LEAK, LEAK))
        )
        await played.watch.first(LineClosed)
        for caller in (in_notice, gives_up):
            await played.watch.first(
                NoticeTold, lambda e, c=caller: e.call_id == c.call_id and not e.is_over
            )
        await town.kill_daemon()
        await gives_up.hang_up()
        await asyncio.gather(*(goes_on(played, caller) for caller in callers))
        everybody = (heard_before, *callers, closed, in_notice, gives_up)
        for caller in everybody:
            await caller.gone(within_s=60)
        await town.start_daemon()
        await played.collect()
    came_to = [told(played.of(caller)).rpartition(" | ")[0] for caller in callers]
    assert came_to == [way.comes_to for way in BEFORE.values()]
    assert told(played.of(heard_before)) == "kort | sv | kc answered | resolved"
    assert told(played.of(in_notice)) == "kort | sv | kc answered | resolved"
    assert told(played.of(gives_up)) == "- | - | informed"
    assert told(played.of(closed)) == "- | - | closed"
    assert prompts_heard(town, closed) == ["sv/stangt"]
    assert await town.differing(await town.facts()) == []
    # Of calls that were not over, the new process counts what its predecessor had counted, too.
    figures = await metrics(town)
    series = 'ivrd_notices_total{end="%s",notice="driftstorning",system="pbx1"}'
    assert [figures.get(series % end, 0) for end in ("heard", "hung_up")] == [2, 1]
