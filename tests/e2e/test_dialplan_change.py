"""A dialplan is changed under calls of every kind, and none is dropped.

Each caller is held where a change is about to hit: the channel list says in which application.
After `ivrd dialplan apply` each ends where the old or the new configuration says.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from ivrd.cli_dialplan import cli
from tests.e2e.scene import Caller, Scene, scene
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIRECT, SHUT, STATIC = "0846500420", "0846500430", "0846500440"

LONG = "Det här är ett långt meddelande som den som ringer hör till slut. " * 6
"""Some twenty seconds: a change is over long before."""

SHEET = f"""
languages = ["sv"]
[prompts]
huvudmeny = {{ sv = "{LONG}" }}
lang-meny = {{ sv = "{LONG}" }}
va-meny = {{ sv = "Tryck ett för växeln." }}
driftstorning = {{ sv = "{LONG}" }}
oppettider = {{ sv = "{LONG}" }}
stangt = {{ sv = "{LONG}" }}
otillganglig = {{ sv = "Just nu kan ingen svara." }}
"""

AT_LAST_S_MAX = 60.0
"""The longest of them, on a busy machine."""

SHUT_HOURS = 'week = {{ mon-sun = "closed" }}'.replace("{{", "{").replace("}}", "}")
OPEN_HOURS = SHUT_HOURS.replace("closed", "0.00-24.00")

WAY_IN = f"""
[[hours]]
name = "kc"
{SHUT_HOURS}
public_holidays = "as_usual"

[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
stay_after_s = 60
stay_choice = "kc"
[menus.choices]
1 = "vaxel"
2 = {{ menu = "va" }}

[[menus]]
name = "va"
prompt = "va-meny"
stay_after_s = 60
choices = {{ 1 = "vaxel" }}
stay_choice = "kc"

[[lines]]
name = "kommunen"
number = "{LINE_NUMBER}"
menu = "huvudmeny"

[[lines]]
name = "direkt"
number = "{DIRECT}"
queue = "kc"

[[lines]]
name = "stangd"
number = "{SHUT}"
menu = "huvudmeny"
hours = "kc"
closed_prompt = "stangt"

[[notices]]
name = "driftstorning"
prompt = "driftstorning"
lines = ["kommunen"]
"""

STATIC_MENUS = f"""
[[menus]]
name = "statisk"
prompt = "va-meny"
stay_after_s = 60
stay_choice = "kc"
[menus.choices]
1 = "vaxel"
2 = {{ menu = "lang" }}

[[menus]]
name = "lang"
prompt = "lang-meny"
stay_after_s = 60
stay_choice = "kc"
[menus.choices]
1 = "vaxel"
3 = "kc"

[[lines]]
name = "statisk"
number = "{STATIC}"
menu = "statisk"
"""
"""Applied, and not reloaded: ivrd does not know these menus, so Asterisk plays them itself."""

KEYS = 'exit_keys = { 1 = "vaxel", 3 = { announcement = "oppettider" }, 9 = "vaxel" }'
KEYS_AFTER = 'exit_keys = { 1 = "vaxel" }'

OPERATOR = Desk(name="op", queue="vaxel", answer=Ring(after_s=0.1), talk=Talk(s=0.3))

PLAN = FloorPlan(
    desks=(OPERATOR,),
    sheet=SHEET,
    prompts=True,
    way_in=WAY_IN,
    queue_keys={"kc": KEYS},
    templated=frozenset({"kc"}),
)


BY_IVRD = "chosen vaxel by 1 | vaxel answered by op | switchboard"
BY_ASTERISK = "chosen vaxel by 1 (static) | vaxel answered by op | switchboard"
AFTER_WRONG_KEY = "chosen vaxel by 1 after 1 wrong (static) | vaxel answered by op | switchboard"
FROM_QUEUE = "chosen vaxel by 1 | kc key_exit | vaxel answered by op | switchboard"

TOLD = {
    "agi": BY_IVRD,
    "agi, menu that goes": BY_IVRD,
    "WaitExten": BY_ASTERISK,
    "WaitExten, key that goes": AFTER_WRONG_KEY,
    "static prompt": BY_ASTERISK,
    "static prompt, key that goes": AFTER_WRONG_KEY,
    "queue": FROM_QUEUE,
    "queue, key that goes": FROM_QUEUE,
    "announcement in queue": (
        "chosen vaxel by 1 | kc key_exit | kc key_exit | vaxel answered by op | switchboard"
    ),
    "closed prompt": "- | closed",
    "notice": BY_IVRD,
}


@pytest_asyncio.fixture(loop_scope="module")
async def town() -> AsyncIterator[Municipality]:
    async with Municipality.start(PLAN) as started:
        yield started


async def apply(town: Municipality) -> str:
    """Run `ivrd dialplan apply`, which must succeed; in this process, which is quicker."""
    words = ["apply", "--config", str(town.config_path), "--directory"]
    invoke = CliRunner().invoke
    result = await asyncio.to_thread(invoke, cli, [*words, str(town.pbx.etc_dir / "ivrd")])
    assert result.exit_code == 0, result
    return result.output


def edit(town: Municipality, *changes: tuple[str, str], more: str = "") -> None:
    text = town.config_path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    town.config_path.write_text(text + more, encoding="utf-8")


async def applications(town: Municipality) -> dict[str, str]:
    """Return in which context and application each call is, by its unique id."""
    lines = (await town.pbx.cli("core show channels concise")).splitlines()
    fields = [line.split("!") for line in lines if line.count("!") > 12]
    return {field[13]: f"{field[1]} {field[5]} {field[6]}".rstrip() for field in fields}


one_at_a_time = asyncio.Lock()
"""Each look at the channels is a process."""


async def until_in(town: Municipality, caller: Caller, place: str) -> None:
    """Wait until a call is at a place, such as "ivrd-queue-kc Queue kc"."""
    seen = ""

    async def is_there() -> bool:
        nonlocal seen
        # The id of a call is the PBX's name and the channel's unique id.
        async with one_at_a_time:
            shown = await applications(town)
        seen = shown.get(str(caller.call_id).rpartition("/")[2], "")
        return seen.startswith(place)

    try:
        await town.until(is_there, what=f"{caller.number} is in {place}", within_s=AT_LAST_S_MAX)
    except Exception as error:
        raise AssertionError(f"{place}: {caller.call_id} was last in {seen!r}") from error


async def hears_the_menu(caller: Caller) -> None:
    """Wait until a call that is in AGI hears its prompt.

    Asterisk drops a key that comes before ivrd's first command (res_agi.c, `run_agi`), which is
    late when ivrd has stood still; a prompt that is heard is such a command.
    """
    caller.line.media.drain()
    await caller.hears(0.2)


async def held(played: Scene) -> dict[str, Caller]:
    """Return a caller in each place that a change is about to hit."""
    town = played.town
    callers = {}

    async def hold(name: str, line: str, place: str, *keys: tuple[str, str]) -> None:
        caller = await played.ring(line=line)
        for before, key in keys:
            await until_in(town, caller, before)
            if before == agi:
                await hears_the_menu(caller)
            await caller.press(key)
        await until_in(town, caller, place)
        callers[name] = caller

    agi = "ivrd-menu-huvudmeny AGI"
    await hold("agi", LINE_NUMBER, agi)
    await hold("agi, menu that goes", LINE_NUMBER, "ivrd-menu-va AGI", (agi, "2"))
    waits = "ivrd-static-statisk WaitExten"
    await hold("WaitExten", STATIC, waits)
    await hold("WaitExten, key that goes", STATIC, waits)
    await hold("queue", DIRECT, "ivrd-queue-kc Queue")
    await hold("queue, key that goes", DIRECT, "ivrd-queue-kc Queue")
    until = int((town.pbx.now() + timedelta(hours=1)).timestamp())
    await town.pbx.cli(f"database put ivrd-notice driftstorning {until}")
    queue_key = ("ivrd-queue-kc Queue", "3")
    # At once, and last: these have no longer than LONG, the others a minute.
    plays = "ivrd-static-lang BackGround"
    await asyncio.gather(
        hold("static prompt", STATIC, plays, (waits, "2")),
        hold("static prompt, key that goes", STATIC, plays, (waits, "2")),
        hold("announcement in queue", DIRECT, "ivrd-queue-kc Playback", queue_key),
        hold("closed prompt", SHUT, "ivrd-line-stangd Playback"),
        hold("notice", LINE_NUMBER, "ivrd-notices Playback"),
    )
    return callers


@pytest.mark.older_asterisk
async def test_a_dialplan_is_changed_under_calls_of_every_kind(town: Municipality) -> None:
    edit(town, more=STATIC_MENUS)
    await apply(town)
    # ivrd says that it does not know the static menus, so the log is not looked at.
    async with scene(town, is_orderly=False) as played:
        callers = await held(played)
        before = await applications(town)
        edit(
            town,
            (SHUT_HOURS, OPEN_HOURS),
            (KEYS, KEYS_AFTER),
            ('2 = { menu = "va" }\n', ""),
            ('2 = { menu = "lang" }\n', ""),
            ('3 = "kc"\n', ""),
            (WAY_IN[WAY_IN.index('[[menus]]\nname = "va"') : WAY_IN.index("[[lines]]")], ""),
            (WAY_IN[WAY_IN.index("[[notices]]") :], ""),
        )
        told = await apply(town)
        assert "kept for a day, for calls that are still in them" in told
        # Nobody had gone on meanwhile: the change did hit each of them where they were held.
        assert await applications(town) == before
        # The key that goes: a wrong key in a menu, no key in a queue. Then one that stays.
        await callers["WaitExten, key that goes"].press("2")
        await callers["static prompt, key that goes"].press("3")
        await callers["queue, key that goes"].press("9")
        await until_in(town, callers["announcement in queue"], "ivrd-queue-kc Queue")
        await until_in(town, callers["notice"], "ivrd-menu-huvudmeny AGI")
        await hears_the_menu(callers["notice"])
        await callers["closed prompt"].gone(within_s=AT_LAST_S_MAX)
        for name, caller in callers.items():
            if name != "closed prompt":
                await caller.press("1")
                await caller.joined("vaxel", within_s=30)
        for caller in callers.values():
            await caller.gone(within_s=AT_LAST_S_MAX)
        await played.collect()
        assert await town.differing(list(played.facts.values())) == []
    assert {name: played.told(caller) for name, caller in callers.items()} == TOLD
