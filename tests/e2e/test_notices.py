"""Notices that are switched on and off live: who hears them, and who has heard enough."""

import asyncio

import pytest

from ivrd.core.events import NoticeTold
from tests.e2e.scene import Caller, Scene, metrics
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import (
    HANG_UP,
    LEAK,
    LEAK_DIRECT,
    LINES,
    MENUS,
    NOTICES,
    SHEET,
    SITE_NUMBERS,
    WATER,
    Way,
    desk,
    prompts_heard,
    run_by,
    switch_on,
    told,
    walk_all,
    walk_in_time,
)
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer

pytestmark = pytest.mark.asyncio(loop_scope="module")

town = town_fixture(
    FloorPlan(
        prompts=True,
        sheet=SHEET,
        way_in=MENUS + LINES + NOTICES,
        queue_keys={"kc": 'exit_keys.1 = "vaxel"', "va": WATER},
        templated=frozenset({"kc"}),
        more_dialplan=SITE_NUMBERS,
        desks=(
            Desk(name="guide", queue="kc", answer=NoAnswer()),
            desk("op", "vaxel"),
        ),
    )
)

MENU, LEAK_TOLD, LONG_WAIT = "sv/huvudmeny", "sv/driftstorning", "sv/i-ko"

LISTENS = 3.5
"""The notice, and a little of the menu."""

WAYS = {
    "heard to its end": Way(
        does=[LISTENS, "1"],
        comes_to="huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[LEAK_TOLD, f"{MENU}..."],
        line=LEAK,
    ),
    "the answer": Way(
        does=[0.8, HANG_UP], comes_to="- | - | informed", hears=[f"{LEAK_TOLD}..."], line=LEAK
    ),
    "for another line": Way(
        does=[0.8, "1"],
        comes_to="huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[f"{MENU}..."],
    ),
    "before the queue, the answer": Way(
        does=[0.8, HANG_UP],
        comes_to="- | - | informed",
        hears=[f"{LONG_WAIT}..."],
        line=LEAK_DIRECT,
    ),
}


async def changes_queue(played: Scene) -> Caller:
    """Hear the notice before the first queue, and none before the next."""
    caller = await played.ring(line=LEAK_DIRECT)
    await caller.joined("kc")
    await caller.press("1")
    return caller


async def count(town: Municipality, notice: str) -> dict[str, float]:
    figures = await metrics(town)
    series = f'ivrd_notices_total{{end="%s",notice="{notice}",system="pbx1"}}'
    return {end: figures.get(series % end, 0) for end in ("heard", "hung_up")}


def told_by_asterisk(played: Scene, notice: str) -> dict[str, int]:
    """Return how many heard a notice to its end, and not; one each, if nobody came late."""
    told = [e for e in played.watch.events if isinstance(e, NoticeTold) and e.notice == notice]
    heard = sum(e.is_over for e in told)
    return {"heard": heard, "hung_up": len(told) - 2 * heard}


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
@pytest.mark.older_asterisk
async def test_a_notice_that_is_on(town: Municipality, runner: str) -> None:
    await switch_on(town, "driftstorning")
    await switch_on(town, "lang-vantan")
    # What was counted before ivrd went away is counted still when it is back.
    before = {notice: await count(town, notice) for notice in ("driftstorning", "lang-vantan")}
    async with run_by(town, runner, "notices") as played:
        callers, moved = await asyncio.gather(
            walk_all(played, WAYS.values()), changes_queue(played)
        )
        for caller in (*callers, moved):
            await caller.gone()
    came_to = [told(played.of(caller)) for caller in callers]
    assert came_to == [way.comes_to for way in WAYS.values()]
    assert told(played.of(moved)) == "queue:kc:1 | sv | kc key_exit | vaxel answered | switchboard"
    heard = [prompts_heard(town, caller) for caller in callers]
    assert heard == [way.hears for way in WAYS.values()]
    assert prompts_heard(town, moved) == [LONG_WAIT]
    # Counted once, by whoever was there, or from queue_log.
    for notice, was in before.items():
        counted = await count(town, notice)
        new = {end: counted[end] - was[end] for end in was}
        assert new == told_by_asterisk(played, notice), notice
        assert min(new.values()) >= 1


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
async def test_a_notice_that_is_off_or_over(town: Municipality, runner: str) -> None:
    await switch_on(town, "driftstorning", for_s=-1)
    await town.pbx.cli("database del ivrd-notice lang-vantan")
    async with run_by(town, runner, None) as played:
        over, off = await asyncio.gather(
            walk_in_time(played, Way(does=[0.8, "1"], comes_to="", line=LEAK)),
            changes_queue(played),
        )
        await asyncio.gather(over.gone(), off.gone())
    assert prompts_heard(town, over) == [f"{MENU}..."]
    assert prompts_heard(town, off) == []
