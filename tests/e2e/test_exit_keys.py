"""Keys that lead a waiting caller out of a queue, with the template that ivrd prints for it."""

import asyncio
from datetime import timedelta

import pytest

from tests.e2e.scene import PACKETS_PER_S, ROUNDS_MAX, Caller, Scene, metrics, scene
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import (
    GUIDES_AT_ONCE,
    LATE_S_MAX,
    LINES,
    MENUS,
    OFFICIAL,
    SHEET,
    SITE_NUMBERS,
    WATER,
    desk,
    prompts_heard,
    run_by,
    told,
)
from tests.lab.floor_plan import Department, Desk, FloorPlan
from tests.lab.municipality import Municipality, desks
from tests.lab.phone import NoAnswer, Ring, Talk
from tests.lab.processes import LabError

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = f"""
exit_keys.1 = "vaxel"
exit_keys.2.menu = "va"
exit_keys.3.announcement = "oppettider"
exit_keys.4.number = "{OFFICIAL}"
exit_keys.5.language = "en"
"""

town = town_fixture(
    FloorPlan(
        prompts=True,
        sheet=SHEET,
        way_in=MENUS + LINES,
        queue_keys={"kc": KEYS, "va": WATER},
        templated=frozenset({"kc"}),
        more_dialplan=SITE_NUMBERS,
        desks=(
            # The guide's phone rings for ever: keys count while it rings, too.
            Desk(name="guide", queue="kc", answer=NoAnswer()),
            *desks(3, "vaxel", prefix="op", like=desk("op", "vaxel")),
            desk("plumber", "va"),
        ),
        departments=(Department(number=OFFICIAL, answer=Ring(after_s=0.1), talk=Talk(s=0.2)),),
    )
)

A_WHILE = 0.8


async def waits(played: Scene, key: str, *, then: float = 0.0) -> Caller:
    """Let a caller wait for a guide, press a key, listen, and hang up if still there."""
    for _ in range(ROUNDS_MAX):
        caller = await played.ring(line=GUIDES_AT_ONCE)
        await caller.joined("kc")
        await caller.press(key)
        if then:
            wanted = caller.line.media.heard.packets + then * PACKETS_PER_S
            await caller.hears(then)
            await caller.hang_up()
            caller.late_s = (caller.line.media.heard.packets - wanted) / PACKETS_PER_S
        if caller.late_s <= LATE_S_MAX:
            return caller
    raise LabError(f"nobody hung up in time, the last came {caller.late_s} s late")


LEFT = "queue:kc"

KEYS_LEAD = {
    "1": f"{LEFT}:1 | sv | kc key_exit | vaxel answered | switchboard",
    "2": f"{LEFT}:2>va | sv | kc key_exit | va answered | switchboard",
    "4": f"{LEFT}:4 | sv | kc key_exit | directed",
}


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
@pytest.mark.older_asterisk
async def test_each_key_leads_where_it_should(town: Municipality, runner: str) -> None:
    async with run_by(town, runner, "exit_keys") as played:
        callers = await asyncio.gather(
            *(waits(played, key) for key in KEYS_LEAD),
            waits(played, "3", then=A_WHILE),
            waits(played, "9", then=A_WHILE),
        )
        for caller in callers:
            await caller.gone()
    *led, informed, unknown_key = callers
    assert [told(played.of(caller)) for caller in led] == list(KEYS_LEAD.values())
    assert told(played.of(informed)) == f"{LEFT}:3 | sv | kc key_exit | informed"
    assert prompts_heard(town, informed) == ["sv/oppettider..."]
    assert told(played.of(unknown_key)) == "- | - | kc abandoned | abandoned"
    rows = town.pbx.queue_log.read_text().splitlines()
    ours = [str(caller.call_id).removeprefix("pbx1/") for caller in (*led, informed)]
    assert [
        sum(f"|{call_id}|kc|" in row and "|EXITWITHKEY|" in row for row in rows) for call_id in ours
    ] == [1, 1, 1, 1]


async def test_whoever_comes_back_has_kept_the_place(town: Municipality) -> None:
    async with scene(town, "exit_keys_and_back") as played:
        first = await played.ring(line=GUIDES_AT_ONCE)
        await first.joined("kc")
        second = await played.ring(line=GUIDES_AT_ONCE)
        assert (await second.joined("kc")).position == 2
        for key in ("3", "5"):
            begun = len(played.watch.events)
            await first.press(key)
            again = await first.joined_since("kc", begun)
            assert again.position == 1, f"key {key} has cost the place"
    assert told(played.of(first)) == (
        f"{LEFT}:3>queue:kc:5 | en | kc key_exit | kc key_exit | kc abandoned | abandoned"
    )
    last = played.of(first).entries[-1]
    assert last.wait is not None
    assert last.entry_wait is not None
    before = last.joined_at - played.of(first).entries[0].joined_at
    assert last.wait >= last.entry_wait + before - timedelta(milliseconds=2), "since the first"
    figures = await metrics(town)
    assert figures['ivrd_queue_entries_total{disposition="key_exit",queue="kc",system="pbx1"}'] >= 2


async def test_the_other_queue_takes_the_caller_by_first_arrival(town: Municipality) -> None:
    for name in ("op1", "op2", "op3"):
        await town.pbx.cli(f"queue pause member PJSIP/{name} queue vaxel")
    async with scene(town, "exit_key_by_arrival") as played:
        first = await played.ring(line=GUIDES_AT_ONCE)
        await first.joined("kc")
        later = await played.ring()
        # Asterisk drops a key that comes before ivrd's first command, as the scene's `ring` says.
        await later.hears(0.2)
        await later.press("1")
        await later.joined("vaxel")
        await first.press("1")
        assert (await first.joined("vaxel")).position == 1
        for name in ("op1", "op2", "op3"):
            await town.pbx.cli(f"queue unpause member PJSIP/{name} queue vaxel")
        await asyncio.gather(first.gone(), later.gone())
    assert told(played.of(first)) == KEYS_LEAD["1"]
