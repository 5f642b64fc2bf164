"""Open, closed, in a meeting: the clock of a real Asterisk at the moments that matter.

Each moment is a PBX of its own, whose wall clock says so; they run beside each other. What came of
a caller is told by queue_log, "stays | outcome", which is there without ivrd too; with ivrd, each
scene sees that what is stored is the same.
"""

import asyncio
import contextlib
import dataclasses
import functools
import itertools
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivrd.core.days import SpecialDay
from ivrd.core.events import CallArrived
from ivrd.red_days import marks
from tests.e2e.scene import Caller, Scene, metrics, scene, until_true
from tests.e2e.way_in import (
    AT_ONCE,
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
from tests.lab.processes import LabError

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZONE = ZoneInfo("Europe/Stockholm")

YEAR = datetime.now(ZONE).year + 1
"""A PBX's clock can only be ahead."""


def weekdays(month: int, weekday: int) -> list[date]:
    """Return each such day of a month of YEAR; 0 is Monday."""
    days = (date(YEAR, month, 1) + timedelta(days=number) for number in range(28))
    return [day for day in days if day.weekday() == weekday]


MONDAYS = weekdays(2, 0)
"""In winter; none of them is a red day."""

TRAINING_DAY = weekdays(2, 2)[0]
"""A Wednesday."""

THURSDAYS = weekdays(7, 3)
"""In summer."""


def days_called(name: SpecialDay, *, first: int, last: int) -> list[date]:
    """Return when this day is in each of these years."""
    return [day for day, mark in marks(first, last).items() if name in mark.special_days]


HALF_DAYS = days_called(SpecialDay.SKARTORSDAGEN, first=YEAR + 1, last=YEAR + 2)

EVES = days_called(SpecialDay.MIDSOMMARAFTON, first=YEAR, last=YEAR)


def each(days: Iterable[date], clock: str) -> tuple[str, ...]:
    """Return these days at a time of the clock."""
    return tuple(f"{day} {clock}" for day in days)


SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"

HOURS = "\n".join(re.findall(r"(?ms)^\[\[hours\]\].*?(?=^\s*$)", SAMPLE.read_text("utf-8")))
"""Those of the example."""

EXCEPTIONS = f"""
[[hours]]
name = "undantag"
week = {{ mon-sun = "8.00-16.00" }}
exceptions = [ {{ date = {TRAINING_DAY}, open = "closed", reason = "Utbildning" }} ]
[[hours]]
name = "extra"
week = {{ sun = "8.00-9.00" }}
exceptions = [ {{ date = {TRAINING_DAY}, open = "8.00-12.00", reason = "Extra" }} ]
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

    async def look(self, town: Municipality) -> None:
        """Find out what did come of everybody, and what they did hear."""

        async def is_written() -> bool:
            journal = town.journal()
            for name, caller in self.callers.items():
                if story := journal.get(caller.call_id):
                    stays = [f"{stay.queue} {stay.end.value}" for stay in story.stays]
                    self.told[name] = " | ".join([*stays, "/".join(sorted(story.outcomes))])
            return self.told == self.wanted

        # A thread of Asterisk's own writes it; what is wrong stays wrong.
        with contextlib.suppress(LabError):
            await town.until(is_written, what="queue_log tells what came of everybody")
        for name in self.hears:
            # In a thread: callers of the other towns must not come late for it.
            caller = self.callers[name]
            self.heard[name] = await asyncio.to_thread(prompts_heard, town, caller)


Play = Callable[[Scene, Findings, datetime], Awaitable[None]]


async def until_clock(town: Municipality, moment: datetime) -> None:
    """Wait until the PBX's wall clock says so."""

    async def is_then() -> bool:
        return town.pbx.now() >= moment

    await town.until(is_then, what=f"it is {moment}", within_s=120)


async def knock(played: Scene, line: str = LINE_NUMBER, keys: str = "") -> Caller:
    """Ring, press, and wait until the PBX has ended the call."""
    caller = await walk(played, Way(does=[AT_ONCE, keys] if keys else [], comes_to="", line=line))
    await caller.gone(within_s=60)
    return caller


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


class TooSlow(Exception):
    """The machine could not do in time what a moment asks for."""


def came_before(moment: datetime, played: Scene, *callers: Caller) -> None:
    """See that callers came well before a moment, by Asterisk's clock.

    Raises:
        TooSlow: One of them came later, or nearly.
    """
    ids = {caller.call_id for caller in callers}
    came = (event for event in played.watch.events if isinstance(event, CallArrived))
    if any(event.at > moment - timedelta(seconds=1) for event in came if event.call_id in ids):
        raise TooSlow


async def pick_up(phone: Phone, caller: Caller) -> None:
    """Let an agent answer a caller, once the phone rings for that caller."""

    def ringing() -> list[Call]:
        theirs = (call for call in phone.live_calls if call.caller == caller.number)
        return [call for call in theirs if not call.was_answered]

    await until_true(lambda: bool(ringing()), what=f"{caller.number} rings")
    ringing()[0].answer()


async def opening(played: Scene, found: Findings, opens_at: datetime) -> None:
    before, other = await asyncio.gather(knock(played), knock(played, WASTE))
    came_before(opens_at, played, before, other)
    found.note("before opening", before, AT_DOOR, CLOSED)
    found.note("waste, before opening", other, AT_DOOR, CLOSED)
    await until_clock(played.town, opens_at)
    found.note("at opening", await knock(played), SERVED)


async def closing(played: Scene, found: Findings, closes_at: datetime) -> None:
    town = played.town
    lines = {"close": CLOSES, "serve": SERVES, "opened": OPENED}
    waiting = {name: await played.ring(line=line) for name, line in lines.items()}
    for caller in waiting.values():
        await caller.joined("vanta")
    await force(town, "oppnas", "open")
    # In the menu at closing: the second before is compared in test_hours.py.
    await until_clock(town, closes_at - timedelta(seconds=3))
    last = await played.ring()
    came_before(closes_at, played, last, *waiting.values())
    await until_clock(town, closes_at)
    late = await knock(played)
    await waiting["close"].gone()
    await last.gone()
    await waiting["opened"].joined_again("vanta")
    for name in ("serve", "opened"):
        await pick_up(town.phones["late"], waiting[name])
        await waiting[name].talking("vanta")
        await waiting[name].hang_up()
    found.note("just before closing", last, SERVED)
    found.note("at closing", late, AT_DOOR, CLOSED)
    found.note("waits where the wait ends", waiting["close"], "vanta CLOSED | closed", CLOSED)
    found.note("waits where all are served", waiting["serve"], "vanta CONNECT | resolved")
    found.note(
        "waits, and is opened for",
        waiting["opened"],
        "vanta EXITWITHTIMEOUT | vanta CONNECT | resolved",
    )


async def half_day(played: Scene, found: Findings, noon: datetime) -> None:
    before = await knock(played, FORCED_CLOSED)
    came_before(noon, played, before)
    found.note("half day, before noon", before, SERVED)
    await until_clock(played.town, noon)
    found.note("half day, noon", await knock(played, FORCED_CLOSED), AT_DOOR, CLOSED)


async def summer(played: Scene, found: Findings, four: datetime) -> None:
    before = await knock(played, FORCED_CLOSED)
    came_before(four, played, before)
    found.note("summer, before four", before, SERVED)
    await until_clock(played.town, four)
    found.note("summer, four", await knock(played, FORCED_CLOSED), AT_DOOR, CLOSED)


async def eve(played: Scene, found: Findings, _: datetime) -> None:
    found.note("midsommarafton", await knock(played), AT_DOOR, CLOSED)


FORGET_ODD = "database del ivrd-line konstig"
"""ivrd complains of the value that is none whenever it meets the PBX anew."""


async def red_day(played: Scene, found: Findings, _: datetime) -> None:
    town = played.town
    await force(town, "tvangsoppen", "open")
    await force(town, "utgangen", "open", for_s=-1)
    await force(town, "konstig", "perhaps")
    lines = (LINE_NUMBER, WASTE, FORCED_OPEN, EXPIRED, ODD, TO_CATCH_ALL, TO_ANNOUNCEMENT)
    rung = dict(
        zip(lines, await asyncio.gather(*(knock(played, line) for line in lines)), strict=True)
    )
    await town.pbx.cli(FORGET_ODD)
    found.note("red day", rung[LINE_NUMBER], AT_DOOR, CLOSED)
    found.note("red day, waste", rung[WASTE], AT_DOOR, CLOSED)
    found.note("red day, forced open", rung[FORCED_OPEN], SERVED)
    found.note("red day, was forced open", rung[EXPIRED], AT_DOOR, CLOSED)
    found.note("red day, a value that is none", rung[ODD], AT_DOOR, CLOSED)
    found.note("red day, on to a queue", rung[TO_CATCH_ALL], "upp CONNECT | resolved", CLOSED)
    found.note("red day, on to a word", rung[TO_ANNOUNCEMENT], AT_DOOR, CLOSED, "sv/oppettider")


async def meeting(played: Scene, found: Findings, _: datetime) -> None:
    town = played.town
    await force(town, "tvangsstangd", "closed")
    await force(town, "utgangen", "closed", for_s=-1)
    await force(town, "konstig", "CLOSED;")
    lines = (LINE_NUMBER, FORCED_CLOSED, EXPIRED, ODD, TRAINING, EXTRA)
    *rung, other_choice = await asyncio.gather(
        *(knock(played, line) for line in lines), knock(played, keys="1")
    )
    await town.pbx.cli(FORGET_ODD)
    silent, closed, expired, odd, training, extra = rung
    found.note("meeting", silent, BY_CATCH_ALL, "sv/huvudmeny")
    found.note("meeting, another choice", other_choice, "vaxel CONNECT | switchboard")
    found.note("forced closed", closed, AT_DOOR, CLOSED)
    found.note("was forced closed", expired, BY_WATER)
    found.note("a value that is none", odd, BY_WATER)
    found.note("exception: closed", training, AT_DOOR, CLOSED)
    found.note("exception: open", extra, BY_WATER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is played around, or at, a moment."""

    play: Play
    edges: tuple[str, ...]
    """The moment, and the same on later dates, should the machine be too slow: ivrd takes a clock
    that runs backwards for a fault."""
    before: timedelta = timedelta()
    """So long before it the clock is set."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """How one town is played."""

    is_watched: bool
    """By ivrd."""
    took: timedelta
    """To set its clock, the last time."""


SOON = timedelta(seconds=8)

TOWNS: tuple[tuple[Moment, ...], ...] = (
    (
        Moment(
            play=opening,
            edges=each(MONDAYS, "08:00:00"),
            before=SOON,
        ),
        Moment(play=red_day, edges=(f"{YEAR}-12-25 12:00:00",)),
        Moment(
            play=half_day,
            edges=each(HALF_DAYS, "12:00:00"),
            before=SOON,
        ),
    ),
    (
        Moment(play=red_day, edges=(f"{YEAR}-01-01 12:00:00",)),
        Moment(
            play=closing,
            edges=each(MONDAYS, "16:30:00"),
            before=timedelta(seconds=12),
        ),
    ),
    (
        Moment(play=meeting, edges=each([TRAINING_DAY], "09:30:00")),
        Moment(play=eve, edges=each(EVES, "10:00:00")),
        Moment(
            play=summer,
            edges=each(THURSDAYS, "16:00:00"),
            before=SOON,
        ),
    ),
)
"""Beside each other; in each the clock is set from one moment to the next by a restart."""

EARLIER = timedelta(minutes=10)

USUALLY = timedelta(seconds=2)
"""What it takes to set the clock; where it takes more, so does everything else."""


async def knows_of_restart(town: Municipality, connects: float) -> bool:
    return (await connects_of(town)) > connects and await town.is_ready()


async def connects_of(town: Municipality) -> float:
    return (await metrics(town))['ivrd_ami_connects_total{system="pbx1"}']


async def set_clock(town: Municipality, moment: datetime) -> None:
    connects = 0.0 if town.daemon is None else await connects_of(town)
    await town.pbx.restart(at=moment)
    if town.daemon is not None:
        is_there = functools.partial(knows_of_restart, town, connects)
        await town.until(is_there, what="ivrd is there again", within_s=60)


async def one_moment(town: Municipality, moment: Moment, stage: Stage) -> Findings:
    """Play a moment, on a later date once more when the machine was too slow."""
    is_kept = moment.play in (closing, meeting) and stage.is_watched
    name = f"way_in_{moment.play.__name__}" if is_kept else None
    for edge in moment.edges:
        before = moment.before + 2 * max(timedelta(), stage.took - USUALLY)
        began_s = time.monotonic()
        await set_clock(town, at(edge) - before)
        stage.took = timedelta(seconds=time.monotonic() - began_s)
        found = Findings()
        try:
            async with scene(town, name, is_orderly=stage.is_watched) as played:
                await moment.play(played, found, at(edge))
                await played.hang_up_all()
                await found.look(town)
        except TooSlow:
            continue
        return found
    raise LabError(f"the machine is too slow for {moment}")


async def all_moments(moments: tuple[Moment, ...], runner: str) -> list[Findings]:
    """Play one moment after the other in a town; return what was found."""
    first = at(moments[0].edges[0]) - EARLIER
    plan, is_watched = dataclasses.replace(PLAN, starts_at=first), runner == "ivrd"
    began_s = time.monotonic()
    async with Municipality.start(plan, with_daemon=is_watched) as town:
        took = timedelta(seconds=time.monotonic() - began_s)
        stage = Stage(is_watched=is_watched, took=took)
        return [await one_moment(town, moment, stage) for moment in moments]


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
@pytest.mark.older_asterisk
async def test_every_moment_that_matters(runner: str) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(all_moments(moments, runner)) for moments in TOWNS]
    for found in itertools.chain.from_iterable(task.result() for task in tasks):
        assert found.told == found.wanted
        assert found.heard == found.hears
