"""A new configuration while calls go on, with the real daemon: all of it, or nothing and why."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.e2e.scene import metrics, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk
from tests.lab.terminal import Typed, type_ivrd

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIRECT = "0846500420"

WAY_IN = f"""
[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = {{ 1 = "vaxel", 3 = "kc" }}
stay_choice = "kc"
stay_after_s = 60

[[lines]]
name = "kommunen"
number = "{LINE_NUMBER}"
menu = "huvudmeny"

"""

VA_LINE = f"""[[lines]]
name = "va"
number = "{DIRECT}"
queue = "va"

"""

VA = 'role = "guide"\nservice_level_threshold_s = 60'

GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.2))
SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())

MANY = 50
"""So many never wait at once here."""

town = town_fixture(
    FloorPlan(
        desks=(GUIDE, SILENT),
        start_waiting=MANY,
        way_in=WAY_IN + VA_LINE,
        queue_keys={"va": VA},
        queue_settings={"vaxel": "timeout = 300"},
    )
)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def as_before(town: Municipality) -> AsyncIterator[None]:
    """Put the configuration back, and let ivrd take it."""
    text = town.config_path.read_text(encoding="utf-8")
    yield
    town.config_path.write_text(text, encoding="utf-8")
    assert (await reload(town)).status == 0


async def reload(town: Municipality) -> Typed:
    return await type_ivrd("reload", "--config", str(town.config_path))


def edit(town: Municipality, *changes: tuple[str, str]) -> None:
    text = town.config_path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    town.config_path.write_text(text, encoding="utf-8")


def times_taken(town: Municipality) -> int:
    return town.daemon_log.read_text(encoding="utf-8").count('"configuration_reloaded"')


async def by_command(town: Municipality) -> None:
    typed = await reload(town)
    assert (typed.status, typed.output) == (0, "menus: huvudmeny changed\n"), typed


async def by_signal(town: Municipality) -> None:
    before = times_taken(town)
    assert town.daemon is not None
    town.daemon.send_signal(signal.SIGHUP)

    async def is_taken() -> bool:
        return times_taken(town) > before

    await town.until(is_taken, what="ivrd has taken its configuration")


@pytest.mark.parametrize("take", [by_command, by_signal])
async def test_who_is_in_a_menu_finishes_on_it_and_the_next_gets_the_new_one(
    town: Municipality, take: Callable[[Municipality], Awaitable[None]]
) -> None:
    async with scene(town) as played:
        earlier = await played.ring()
        await in_menus(town, 1)
        edit(town, ('1 = "vaxel", 3 = "kc"', '1 = "kc", 3 = "vaxel"'))
        await take(town)
        later = await played.ring("1")
        await later.joined("kc")
        await earlier.press("1")
        await earlier.joined("vaxel")
    assert played.told(earlier) == "chosen vaxel by 1 | vaxel abandoned | abandoned"
    assert played.told(later).startswith("chosen kc by 1 | kc answered by guide")


async def in_menus(town: Municipality, count: int) -> None:
    """Wait until so many callers are in ivrd's menus."""

    async def are_there() -> bool:
        return (await metrics(town))["ivrd_agi_sessions"] == count

    await town.until(are_there, what=f"{count} in menus")


async def counts_of(town: Municipality) -> dict[str, int]:
    counts = (await town.queue_status("vaxel"))["counts"]
    assert isinstance(counts, dict)
    return counts


async def test_who_waits_is_waiting_still_and_what_was_counted_is(town: Municipality) -> None:
    abandoned = (await counts_of(town))["abandoned"]

    async def is_counted() -> bool:
        return (await counts_of(town))["abandoned"] == abandoned + 1

    async with scene(town) as played:
        gone = await played.ring("1")
        await gone.joined("vaxel")
        await gone.hang_up()
        await gone.gone()
        caller = await played.ring("1")
        await caller.joined("vaxel")
        await town.waiting("vaxel", 1)
        await town.until(is_counted, what="who gave up is counted")
        before = await town.queue_status("vaxel")
        edit(town, ('title_sv = "Växel"', 'title_sv = "Växeln"'))
        assert (await reload(town)).output == "queues: vaxel changed\n"
        after = await town.queue_status("vaxel")
        assert after["title_sv"] == "Växeln"
        assert after["counts"] == before["counts"]
        assert after["waiting"] == before["waiting"] == 1
        connects = (await metrics(town))['ivrd_ami_connects_total{system="pbx1"}']
        assert connects == 1, "nobody was connected anew"
    assert played.told(caller) == "chosen vaxel by 1 | vaxel abandoned | abandoned"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stay_after_s = 60", "stay_after_s = 60\nstay_afters = 1", "menus[0].stay_afters: "),
        ('stay_choice = "kc"', 'stay_choice = "kd"', "menus[0].stay_choice: "),
        ("[agi]\n", "[agi]\nsessions_max = 7\n", "agi: has changed, which needs a restart"),
        ("[[menus]]", "[[menus", "ivrd.toml: "),
    ],
)
async def test_a_file_that_is_not_right_changes_nothing_and_says_why(
    town: Municipality, old: str, new: str, told: str
) -> None:
    refused = (await metrics(town))["ivrd_reloads_refused_total"]
    # A change that would be right is not taken either.
    right = town.config_path.read_text(encoding="utf-8")
    edit(town, (old, new), ('1 = "vaxel", 3 = "kc"', '1 = "kc", 3 = "vaxel"'))
    typed = await reload(town)
    # For those who look at the scene; ivrd does not read it.
    town.config_path.write_text(right, encoding="utf-8")
    assert typed.status == 2, typed
    assert told in typed.complaints
    # What is no TOML at all does not tell where ivrd is, so ivrd is not even asked.
    is_asked = "ivrd.toml: " not in typed.complaints
    assert (await metrics(town))["ivrd_reloads_refused_total"] == refused + is_asked
    async with scene(town, is_orderly=False) as played:
        caller = await played.ring("1")
        await caller.joined("vaxel")


async def test_two_at_once_come_one_after_the_other(town: Municipality) -> None:
    edit(town, ('title_sv = "Växel"', 'title_sv = "Växeln"'))
    both = await asyncio.gather(reload(town), reload(town))
    assert [typed.status for typed in both] == [0, 0]
    assert sorted(typed.output for typed in both) == [
        "nothing has changed\n",
        "queues: vaxel changed\n",
    ]


async def test_other_thresholds_of_overflow_count_from_then_on(town: Municipality) -> None:
    async with scene(town) as played:
        callers = []
        for _ in range(3):
            callers.append(await played.ring("1"))
            await callers[-1].joined("vaxel")
        await callers[0].rang("vaxel")
        await town.waiting("vaxel", 3)
        edit(town, (f"start_waiting = {MANY}", "start_waiting = 2"))
        assert (await reload(town)).output == "overflow: vaxel-hog-last changed\n"
        # Callers whom a phone rings for stay; the rule acts at the next event.
        callers.append(await played.ring("1"))
        for caller in callers[1:3]:
            await caller.talking("kc")
            await caller.gone()
    moved = [played.of(caller).moves for caller in callers]
    assert moved[:3] == [0, 1, 1]


async def test_a_queue_that_is_taken_away_serves_and_counts_who_waits_in_it(
    town: Municipality,
) -> None:
    async with scene(town) as played:
        gives_up, is_served = [await played.ring(line=DIRECT) for _ in range(2)]
        await asyncio.gather(gives_up.joined("va"), is_served.joined("va"))
        await town.waiting("va", 2)
        right = town.config_path.read_text(encoding="utf-8")
        edit(
            town,
            (VA_LINE, ""),
            (f'[[queues]]\nname = "va"\n{VA}\n', ""),
        )
        assert (await reload(town)).output == "queues: va gone, lines: va gone\n"
        await town.waiting("va", 2)
        await gives_up.hang_up()
        await gives_up.gone()
        await town.pbx.cli("queue add member PJSIP/guide to va penalty 0 as guide")
        await is_served.talking("va")
        await is_served.gone()
        await town.pbx.cli("queue remove member PJSIP/guide from va")
        counts = (await town.queue_status("va"))["counts"]
        assert isinstance(counts, dict)
        assert (counts["joined"], counts["answered"], counts["abandoned"]) == (2, 1, 1)
        # For the replay at the end, which knows no configuration of before.
        town.config_path.write_text(right, encoding="utf-8")
    assert played.told(gives_up) == "- | va abandoned | abandoned"
    assert played.told(is_served) == "- | va answered by guide | resolved | case for guide"
