"""Open, closed, in a meeting: the clock of a real Asterisk at the moments that matter.

Each moment is a PBX of its own, whose wall clock says so; they run beside each other. What came of
a caller is told by queue_log, "stays | outcome", which is there without ivrd too; with ivrd, each
scene sees that what is stored is the same.
"""

import asyncio
import dataclasses
import functools
import itertools
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.scene import Caller, Scene, metrics, scene, until_true
from tests.e2e.way_in import (
    MENUS,
    SHEET,
    SITE_NUMBERS,
    WATER,
    Way,
    desk,
    force,
    prompts_heard,
    walk,
)
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Call, NoAnswer, Phone

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZONE = ZoneInfo("Europe/Stockholm")

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"

HOURS = "\n".join(re.findall(r"(?ms)^\[\[hours\]\].*?(?=^\s*$)", SAMPLE.read_text("utf-8")))
"""Those of the example."""

EXCEPTIONS = """
[[hours]]
name = "undantag"
week = { mon-sun = "8.00-16.00" }
exceptions = [ { date = 2027-02-03, open = "closed", reason = "Utbildning" } ]
[[hours]]
name = "extra"
week = { sun = "8.00-9.00" }
exceptions = [ { date = 2027-02-03, open = "8.00-12.00", reason = "Extra" } ]
"""

CLOSES, SERVES, OPENED = "0846500460", "0846500461", "0846500462"
"""Lines to a queue where nobody answers; by what becomes of who waits at closing."""
FORCED_CLOSED, FORCED_OPEN, EXPIRED, ODD = "0846500463", "0846500464", "0846500465", "0846500466"
TRAINING, EXTRA = "0846500467", "0846500468"
TO_CATCH_ALL, TO_ANNOUNCEMENT = "0846500469", "0846500470"
"""Lines where a closed door leads on."""
WASTE = "0846500471"

KC = 'hours = "kc"\nclosed_prompt = "stangt"\n'

LINES = "".join(
    f'[[lines]]\nname = "{name}"\nnumber = "{number}"\n{keys}\n'
    for name, number, keys in (
        ("kommunen", LINE_NUMBER, KC + 'menu = "huvudmeny"'),
        ("avfall", WASTE, 'hours = "avfall"\nclosed_prompt = "stangt"\nqueue = "va"'),
        ("stanger", CLOSES, KC + 'queue = "vanta"\nat_closing = "close"'),
        ("betjanar", SERVES, KC + 'queue = "vanta"'),
        ("oppnas", OPENED, KC + 'queue = "vanta"\nat_closing = "close"'),
        ("tvangsstangd", FORCED_CLOSED, KC + 'queue = "kc"'),
        ("tvangsoppen", FORCED_OPEN, KC + 'queue = "kc"'),
        ("utgangen", EXPIRED, KC + 'queue = "va"'),
        ("konstig", ODD, KC + 'queue = "va"'),
        ("utbildning", TRAINING, 'hours = "undantag"\nclosed_prompt = "stangt"\nqueue = "va"'),
        ("extra", EXTRA, 'hours = "extra"\nclosed_prompt = "stangt"\nqueue = "va"'),
        ("vidare", TO_CATCH_ALL, KC + 'queue = "kc"\nclosed_choice = "upp"'),
        (
            "besked",
            TO_ANNOUNCEMENT,
            KC + 'queue = "kc"\nclosed_choice = { announcement = "oppettider" }',
        ),
    )
)

GUIDES = 'role = "guide"\nservice_level_threshold_s = 60'

PLAN = FloorPlan(
    prompts=True,
    rtp_port_count=80,
    sheet=SHEET,
    way_in=MENUS + LINES + HOURS + EXCEPTIONS,
    queue_keys={
        "kc": 'hours = "kc"\ncatch_all = "upp"',
        "va": WATER,
        "upp": GUIDES,
        "vanta": GUIDES,
    },
    more_dialplan=SITE_NUMBERS,
    desks=(
        desk("guide", "kc"),
        desk("catcher", "upp"),
        desk("op", "vaxel"),
        desk("plumber", "va"),
        Desk(name="late", queue="vanta", answer=NoAnswer()),
    ),
)

CLOSED = "sv/stangt"

AT_DOOR = "closed"
SERVED = "kc CONNECT | resolved"
BY_CATCH_ALL = "kc CLOSED | upp CONNECT | resolved"
BY_WATER = "va CONNECT | switchboard"


@dataclass(slots=True)
class Findings:
    """Who was there, what must have come of them, and what they must have heard."""

    callers: dict[str, Caller] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    hears: dict[str, list[str]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    heard: dict[str, list[str]] = field(default_factory=dict)

    def note(self, name: str, caller: Caller, wanted: str, *hears: str) -> None:
        """Note one caller; `hears` are all prompts, when any is named."""
        self.callers[name], self.wanted[name] = caller, wanted
        if hears:
            self.hears[name] = list(hears)

    def look(self, town: Municipality) -> None:
        """Find out what did come of everybody, and what they did hear."""
        journal = town.journal()
        for name, caller in self.callers.items():
            story = journal[caller.call_id]
            stays = [f"{stay.queue} {stay.end.value}" for stay in story.stays]
            self.told[name] = " | ".join([*stays, "/".join(sorted(story.outcomes))])
        self.heard = {name: prompts_heard(town, self.callers[name]) for name in self.hears}


Play = Callable[[Scene, Findings], Awaitable[None]]


async def until_clock(town: Municipality, moment: datetime) -> None:
    """Wait until the PBX's wall clock says so."""

    async def is_then() -> bool:
        return town.pbx.now() >= moment

    await town.until(is_then, what=f"it is {moment}", within_s=20)


async def knock(played: Scene, line: str = LINE_NUMBER, keys: str = "") -> Caller:
    """Ring, press, and wait until the PBX has ended the call."""
    caller = await walk(played, Way(does=[keys] if keys else [], comes_to="", line=line))
    await caller.gone(within_s=25)
    return caller


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


async def pick_up(phone: Phone, caller: Caller) -> None:
    """Let an agent answer a caller, once the phone rings for that caller."""

    def ringing() -> list[Call]:
        theirs = (call for call in phone.live_calls if call.caller == caller.number)
        return [call for call in theirs if not call.was_answered]

    await until_true(lambda: bool(ringing()), what=f"{caller.number} rings", within_s=20)
    ringing()[0].answer()


async def opening(played: Scene, found: Findings) -> None:
    before, other = await asyncio.gather(knock(played), knock(played, WASTE))
    found.note("before opening", before, AT_DOOR, CLOSED)
    found.note("waste, before opening", other, AT_DOOR, CLOSED)
    await until_clock(played.town, at("2027-02-01 08:00:00"))
    found.note("at opening", await knock(played), SERVED)


async def closing(played: Scene, found: Findings) -> None:
    town = played.town
    lines = {"close": CLOSES, "serve": SERVES, "opened": OPENED}
    waiting = {name: await played.ring(line=line) for name, line in lines.items()}
    for caller in waiting.values():
        await caller.joined("vanta")
    await force(town, "oppnas", "open")
    closes_at = at("2027-02-01 16:30:00")
    await until_clock(town, closes_at - timedelta(seconds=1))
    last = await played.ring()
    assert town.pbx.now() < closes_at, "the machine was too slow to ring in time"
    await until_clock(town, closes_at)
    late = await knock(played)
    await waiting["close"].gone()
    await last.gone()
    await waiting["opened"].joined_again("vanta")
    for name in ("serve", "opened"):
        await pick_up(town.phones["late"], waiting[name])
        await waiting[name].talking("vanta")
        await waiting[name].hang_up()
    found.note("one second before closing", last, SERVED)
    found.note("at closing", late, AT_DOOR, CLOSED)
    found.note("waits where the wait ends", waiting["close"], "vanta CLOSED | closed", CLOSED)
    found.note("waits where all are served", waiting["serve"], "vanta CONNECT | resolved")
    found.note(
        "waits, and is opened for",
        waiting["opened"],
        "vanta EXITWITHTIMEOUT | vanta CONNECT | resolved",
    )


async def half_day(played: Scene, found: Findings) -> None:
    found.note("half day, before noon", await knock(played, FORCED_CLOSED), SERVED)
    await until_clock(played.town, at("2027-03-25 12:00:00"))
    found.note("half day, noon", await knock(played, FORCED_CLOSED), AT_DOOR, CLOSED)


async def summer(played: Scene, found: Findings) -> None:
    found.note("summer, before four", await knock(played, FORCED_CLOSED), SERVED)
    await until_clock(played.town, at("2027-07-01 16:00:00"))
    found.note("summer, four", await knock(played, FORCED_CLOSED), AT_DOOR, CLOSED)


async def eve(played: Scene, found: Findings) -> None:
    found.note("midsommarafton", await knock(played), AT_DOOR, CLOSED)


async def red_day(played: Scene, found: Findings) -> None:
    town = played.town
    await force(town, "tvangsoppen", "open")
    await force(town, "utgangen", "open", for_s=-1)
    await force(town, "konstig", "perhaps")
    lines = (LINE_NUMBER, WASTE, FORCED_OPEN, EXPIRED, ODD, TO_CATCH_ALL, TO_ANNOUNCEMENT)
    rung = dict(
        zip(lines, await asyncio.gather(*(knock(played, line) for line in lines)), strict=True)
    )
    found.note("red day", rung[LINE_NUMBER], AT_DOOR, CLOSED)
    found.note("red day, waste", rung[WASTE], AT_DOOR, CLOSED)
    found.note("red day, forced open", rung[FORCED_OPEN], SERVED)
    found.note("red day, was forced open", rung[EXPIRED], AT_DOOR, CLOSED)
    found.note("red day, a value that is none", rung[ODD], AT_DOOR, CLOSED)
    found.note("red day, on to a queue", rung[TO_CATCH_ALL], "upp CONNECT | resolved", CLOSED)
    found.note("red day, on to a word", rung[TO_ANNOUNCEMENT], AT_DOOR, CLOSED, "sv/oppettider")


async def meeting(played: Scene, found: Findings) -> None:
    town = played.town
    await force(town, "tvangsstangd", "closed")
    await force(town, "utgangen", "closed", for_s=-1)
    await force(town, "konstig", "CLOSED;")
    lines = (LINE_NUMBER, FORCED_CLOSED, EXPIRED, ODD, TRAINING, EXTRA)
    *rung, other_choice = await asyncio.gather(
        *(knock(played, line) for line in lines), knock(played, keys="1")
    )
    silent, closed, expired, odd, training, extra = rung
    found.note("meeting", silent, BY_CATCH_ALL, "sv/huvudmeny")
    found.note("meeting, another choice", other_choice, "vaxel CONNECT | switchboard")
    found.note("forced closed", closed, AT_DOOR, CLOSED)
    found.note("was forced closed", expired, BY_WATER)
    found.note("a value that is none", odd, BY_WATER)
    found.note("exception: closed", training, AT_DOOR, CLOSED)
    found.note("exception: open", extra, BY_WATER)


Moment = tuple[str, Play]

TOWNS: tuple[tuple[Moment, ...], ...] = (
    (
        ("2026-12-25 12:00:00", red_day),
        ("2027-02-01 07:59:52", opening),
        ("2027-03-25 11:59:52", half_day),
    ),
    (
        ("2027-01-01 12:00:00", red_day),
        ("2027-02-01 16:29:48", closing),
    ),
    (
        ("2027-02-03 09:30:00", meeting),
        ("2027-06-25 10:00:00", eve),
        ("2027-07-01 15:59:52", summer),
    ),
)
"""Beside each other; in each the clock is set from one moment to the next by a restart."""

EARLIER = timedelta(minutes=10)


async def knows_of_restart(town: Municipality, connects: float) -> bool:
    return (await connects_of(town)) > connects and await town.is_ready()


async def connects_of(town: Municipality) -> float:
    return (await metrics(town))['ivrd_ami_connects_total{system="pbx1"}']


async def set_clock(town: Municipality, moment: str) -> None:
    connects = 0.0 if town.daemon is None else await connects_of(town)
    await town.pbx.restart(at=at(moment))
    if town.daemon is not None:
        is_there = functools.partial(knows_of_restart, town, connects)
        await town.until(is_there, what="ivrd is there again", within_s=20)


async def all_moments(moments: tuple[Moment, ...], runner: str) -> list[Findings]:
    """Play one moment after the other in a town; return what was found."""
    first = at(moments[0][0]) - EARLIER
    plan, is_watched = dataclasses.replace(PLAN, starts_at=first), runner == "ivrd"
    findings = []
    async with Municipality.start(plan, with_daemon=is_watched) as town:
        for moment, play in moments:
            await set_clock(town, moment)
            found = Findings()
            name = f"way_in_{play.__name__}" if play in (closing, meeting) else None
            async with scene(town, name if is_watched else None, is_orderly=is_watched) as played:
                await play(played, found)
                await played.hang_up_all()
                found.look(town)
            findings.append(found)
    return findings


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
@pytest.mark.older_asterisk
async def test_every_moment_that_matters(runner: str) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(all_moments(moments, runner)) for moments in TOWNS]
    for found in itertools.chain.from_iterable(task.result() for task in tasks):
        assert found.told == found.wanted
        assert found.heard == found.hears
