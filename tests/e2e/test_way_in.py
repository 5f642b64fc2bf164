"""Every way in, key by key: with ivrd, and with ivrd stopped. One table for both.

Without ivrd the same callers go the same ways; ivrd is started again afterwards, and what it learns
from queue_log must then be the same line of the same table.
"""

import pytest

from ivrd.core.events import CallArrived, ChoiceMade
from tests.e2e.scene import ROUNDS_MAX, Caller, Scene
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import (
    AT_ONCE,
    DIRECT,
    ENGLISH,
    HANG_UP,
    INTERNAL,
    LINES,
    MENUS,
    OFFICIAL,
    SHEET,
    SITE_NUMBERS,
    SLOW,
    SLOW_FACTOR,
    STAY_S,
    WATER,
    Way,
    cut,
    desk,
    prompts_heard,
    run_by,
    told,
    walk_all,
)
from tests.lab.floor_plan import Department, FloorPlan
from tests.lab.municipality import Municipality, desks
from tests.lab.phone import Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

town = town_fixture(
    FloorPlan(
        prompts=True,
        sheet=SHEET,
        way_in=MENUS + LINES,
        queue_keys={"va": WATER},
        more_dialplan=SITE_NUMBERS,
        desks=(
            desk("guide", "kc"),
            *desks(3, "vaxel", prefix="op", like=desk("op", "vaxel")),
            desk("plumber", "va"),
        ),
        departments=(Department(number=OFFICIAL, answer=Ring(after_s=0.1), talk=Talk(s=0.2)),),
    )
)

MENU, WATER_MENU, DEEP, LANGUAGES = "sv/huvudmeny", "sv/va-meny", "sv/djup-meny", "sv/sprakval"
WRONG, HOURS = "sv/fel-knapp", "sv/oppettider"

A_WHILE = 0.6
"""Enough of a prompt to be told by signal, and none is so short."""

WHOLE_S = 2.6
"""The announcement, and a little of what follows."""

WAYS = {
    "a key": Way(does=[AT_ONCE, "1"], comes_to="huvudmeny:1 | sv | vaxel answered | switchboard"),
    "a key during the prompt": Way(
        does=[A_WHILE, "1"],
        comes_to="huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[cut(MENU)],
    ),
    "silence": Way(comes_to="huvudmeny | sv | kc answered | resolved", hears=[MENU]),
    "a key of several digits": Way(
        does=[A_WHILE, "112"],
        comes_to="huvudmeny:112 | sv | va answered | switchboard",
        hears=[cut(MENU)],
    ),
    "a key of several digits, not finished": Way(
        does=[A_WHILE, "11"],
        comes_to="huvudmeny | sv | kc answered | resolved",
        hears=[cut(MENU), WRONG, MENU],
    ),
    "a wrong key, then a right one": Way(
        does=[A_WHILE, "7", A_WHILE, "1"],
        comes_to="huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[cut(MENU), cut(WRONG)],
    ),
    "wrong keys until given up": Way(
        does=[A_WHILE, "7", A_WHILE, "#"],
        comes_to="huvudmeny | sv | vaxel answered | switchboard",
        hears=[cut(MENU), cut(WRONG)],
    ),
    "repeat": Way(
        does=[A_WHILE, "*", A_WHILE, "1"],
        comes_to="huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[cut(MENU), cut(MENU)],
    ),
    "a submenu": Way(
        does=[A_WHILE, "2", A_WHILE, "1"],
        comes_to="huvudmeny:2>va:1 | sv | va answered | switchboard",
        hears=[cut(MENU), cut(WATER_MENU)],
    ),
    "silence in a submenu": Way(
        does=[A_WHILE, "2"],
        comes_to="huvudmeny:2>va | sv | va answered | switchboard",
        hears=[cut(MENU), WATER_MENU],
    ),
    "back": Way(
        does=[A_WHILE, "2", A_WHILE, "0", A_WHILE, "1"],
        comes_to="huvudmeny:2>va:0>huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[cut(MENU), cut(WATER_MENU), cut(MENU)],
    ),
    "back twice from the depth": Way(
        does=[A_WHILE, "2", A_WHILE, "2", A_WHILE, "*", A_WHILE, "#", A_WHILE, "0", A_WHILE, "1"],
        comes_to=("huvudmeny:2>va:2>djup:#>va:0>huvudmeny:1 | sv | vaxel answered | switchboard"),
        hears=[cut(MENU), cut(WATER_MENU), cut(DEEP), cut(DEEP), cut(WATER_MENU), cut(MENU)],
    ),
    "back where there is nothing before": Way(
        does=[A_WHILE, "0", A_WHILE, "1"],
        comes_to="va:1 | sv | va answered | switchboard",
        hears=[cut(WATER_MENU), cut(WATER_MENU)],
        line=INTERNAL,
    ),
    "an announcement, then a key": Way(
        does=[A_WHILE, "3", WHOLE_S, "1"],
        comes_to="huvudmeny:3>huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[cut(MENU), HOURS, cut(MENU)],
    ),
    "an announcement that was the answer": Way(
        does=[A_WHILE, "3", A_WHILE, HANG_UP],
        comes_to="huvudmeny:3 | sv | informed",
        hears=[cut(MENU), cut(HOURS)],
    ),
    "silence that leads to an announcement": Way(
        does=[A_WHILE, "2", A_WHILE, "2"],
        comes_to="huvudmeny:2>va:2>djup | sv | informed",
        hears=[cut(MENU), cut(WATER_MENU), DEEP, HOURS],
    ),
    "a number": Way(does=[A_WHILE, "4"], comes_to="huvudmeny:4 | sv | directed", hears=[cut(MENU)]),
    "given up, to a number": Way(
        does=[A_WHILE, "2", A_WHILE, "2", A_WHILE, "9"],
        comes_to="huvudmeny:2>va:2>djup | sv | directed",
        hears=[cut(MENU), cut(WATER_MENU), cut(DEEP)],
    ),
    "another language": Way(
        does=[A_WHILE, "9", A_WHILE, "2", A_WHILE, "1"],
        comes_to="huvudmeny:9>sprak:2>huvudmeny:1 | en | vaxel answered | switchboard",
        hears=[cut(MENU), cut(LANGUAGES), cut("en/huvudmeny")],
    ),
    "another language, by silence to the guides": Way(
        does=[A_WHILE, "9", A_WHILE, "2"],
        comes_to="huvudmeny:9>sprak:2>huvudmeny | en | kc answered | resolved",
        hears=[cut(MENU), cut(LANGUAGES), "en/huvudmeny"],
    ),
    "a language in the depth, and back": Way(
        does=[A_WHILE, "2", A_WHILE, "2", A_WHILE, "3", A_WHILE, "0", A_WHILE, "1"],
        comes_to="huvudmeny:2>va:2>djup:3>va:0>huvudmeny:1 | fi | vaxel answered | switchboard",
        hears=[cut(MENU), cut(WATER_MENU), cut(DEEP), cut("en/va-meny"), cut("fi/huvudmeny")],
    ),
    "no language after all": Way(
        does=[A_WHILE, "9", A_WHILE, "0", A_WHILE, "1"],
        comes_to="huvudmeny:9>sprak:0>huvudmeny:1 | sv | vaxel answered | switchboard",
        hears=[cut(MENU), cut(LANGUAGES), cut(MENU)],
    ),
    "silence among languages": Way(
        does=[A_WHILE, "9"],
        comes_to="huvudmeny:9>sprak>huvudmeny | sv | kc answered | resolved",
        hears=[cut(MENU), LANGUAGES, MENU],
    ),
    "a line in another language": Way(
        does=[A_WHILE, "7", A_WHILE],
        comes_to="huvudmeny | en | kc answered | resolved",
        hears=[cut("en/huvudmeny"), "en/fel-knapp", "en/huvudmeny"],
        line=ENGLISH,
    ),
    "slow mode": Way(
        does=[A_WHILE, "8", A_WHILE],
        comes_to="huvudmeny:8>huvudmeny | sv | kc answered | resolved",
        hears=[cut(MENU), MENU],
    ),
    "a slow line": Way(comes_to="huvudmeny | sv | kc answered | resolved", hears=[MENU], line=SLOW),
    "a line without a menu": Way(
        comes_to="- | - | va answered | switchboard", hears=[], line=DIRECT
    ),
    "a storm of one key": Way(
        does=["7" * 40], comes_to="huvudmeny | sv | vaxel answered | switchboard"
    ),
    "a storm of the repeat key": Way(
        does=["*" * 40], comes_to="huvudmeny | sv | vaxel answered | switchboard"
    ),
    "a storm from menu to menu": Way(
        does=["90" * 30],
        comes_to=">".join(["huvudmeny:9>sprak:0"] * 20)
        + ">huvudmeny | sv | vaxel answered | switchboard",
    ),
    "hung up": Way(does=[A_WHILE, HANG_UP], comes_to="- | - | menu_hangup", hears=[cut(MENU)]),
    "hung up in a submenu": Way(
        does=[A_WHILE, "2", A_WHILE, HANG_UP],
        comes_to="huvudmeny:2 | sv | menu_hangup",
        hears=[cut(MENU), cut(WATER_MENU)],
    ),
}
"""The storms press on when the caller is in the queue already, where the keys mean nothing. With
ivrd, Asterisk drops keys that come between two commands: from menu to menu there are some more, and
each means nothing in the other menu, so that it is the same walk without them."""


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
@pytest.mark.older_asterisk
async def test_every_way_in(town: Municipality, runner: str) -> None:
    async with run_by(town, runner, None) as played:
        callers = await walk_all(played, WAYS.values(), name="Åsa Öberg")
        for caller in callers:
            await caller.gone(within_s=60)
    came_to = {name: told(played.of(caller)) for name, caller in zip(WAYS, callers, strict=True)}
    assert came_to == {name: way.comes_to for name, way in WAYS.items()}
    heard = {
        name: prompts_heard(town, caller)
        for (name, way), caller in zip(WAYS.items(), callers, strict=True)
        if way.hears is not None
    }
    assert heard == {name: way.hears for name, way in WAYS.items() if way.hears is not None}
    by_name = dict(zip(WAYS, callers, strict=True))
    # Too many menus, or none: the dialplan decides that by itself.
    by_runner = by_name.keys() - {"a storm from menu to menu", *WITHOUT_CHOICE}
    is_static = {name: played.of(by_name[name]).is_static_menu for name in by_runner}
    assert is_static == dict.fromkeys(by_runner, runner == "dialplan")
    assert shown(town, by_name["another language, by silence to the guides"]) == "[EN] Åsa Öberg"
    assert shown(town, by_name["silence among languages"]) == "Åsa Öberg"


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
async def test_a_slow_line_waits_longer(town: Municipality, runner: str) -> None:
    """Two callers alone: with thirty at a time the machine is slower than the line."""
    ways = [WAYS["silence"], WAYS["a slow line"]]
    wanted_s = pytest.approx((SLOW_FACTOR - 1) * STAY_S, abs=0.6)
    async with run_by(town, runner, None) as played:
        for _ in range(ROUNDS_MAX):
            callers = await walk_all(played, ways, name="Åsa Öberg")
            for caller in callers:
                await caller.gone()
            usual_s, slow_s = (silence_s(played, caller) for caller in callers)
            if slow_s - usual_s == wanted_s:
                break
    assert slow_s - usual_s == wanted_s


WITHOUT_CHOICE = {"a line without a menu", "hung up"}


def silence_s(played: Scene, caller: Caller) -> float:
    """Return how long a caller who does nothing is in the first menu."""
    arrived, stayed = (
        next(
            event
            for event in played.watch.events
            if isinstance(event, kind) and event.call_id == caller.call_id
        )
        for kind in (CallArrived, ChoiceMade)
    )
    return (stayed.at - arrived.at).total_seconds()


def shown(town: Municipality, caller: Caller) -> str:
    """Return the caller's name as the guide's phone showed it."""
    calls = reversed(town.phones["guide"].calls)
    return next(call.caller_name for call in calls if call.caller == caller.number)
