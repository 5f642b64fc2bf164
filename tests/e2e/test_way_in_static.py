"""Any keys, on any line: ivrd, the dialplan without ivrd, and the core's reference lead alike.

The keys are drawn, always the same ones. A caller listens a little before each: with ivrd, a key
that comes between two of its commands is lost, because Asterisk reads what comes meanwhile and
forgets it (res_agi.c, run_agi; seen on a busy 22.10.1). Rows with an announcement before the last
key are left out, because Asterisk loses keys there too.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from ivrd import config as ivrd_config
from ivrd import routes
from ivrd.core.menu import KEYS
from ivrd.core.menu_walk import PAUSE
from ivrd.core.route import route
from ivrd.core.route_steps import Chose, EndKind
from ivrd.db.facts import CallFacts
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import (
    DIRECT,
    ENGLISH,
    INTERNAL,
    LINES,
    MENUS,
    OFFICIAL,
    SHEET,
    SITE_NUMBERS,
    SLOW,
    WATER,
    Deed,
    Way,
    desk,
    run_by,
    walk_all,
)
from tests.lab.floor_plan import LINE_NUMBER, Department, FloorPlan
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
        desks=tuple(
            one
            for queue, name in (("kc", "guide"), ("vaxel", "op"), ("va", "plumber"))
            for one in desks(5, queue, prefix=name, like=desk(name, queue))
        ),
        departments=(Department(number=OFFICIAL, answer=Ring(after_s=0.1), talk=Talk(s=0.2)),),
    )
)

NUMBERS = {
    "kommunen": LINE_NUMBER,
    "direkt": DIRECT,
    "langsam": SLOW,
    "english": ENGLISH,
    "internt": INTERNAL,
}

OFTEN = [*"222299901301", "112", "11"]
"""Keys that lead on in these menus; of all keys alone, nearly all are wrong."""

DEPTH_MAX = 4

A_WHILE = 0.3


@dataclass(frozen=True, slots=True, order=True)
class Typed:
    """A line, and what a caller types there, with pauses between that end an unfinished key."""

    line: str
    keys: str

    def deeds(self) -> list[Deed]:
        """Return what the caller does."""
        return [deed for keys in self.keys.split() for deed in (A_WHILE, keys)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """Where it led."""

    path: str
    language: str
    end: str
    """A queue, or else an outcome."""


def drawn(seed: int, counts: Mapping[str, int]) -> list[Typed]:
    """Return so many rows of keys for each line, no two alike."""
    dice = random.Random(seed)
    typed: set[Typed] = set()
    for line, count in counts.items():
        before = len(typed)
        while len(typed) < before + count:
            keys = dice.choices([*KEYS, *OFTEN, *OFTEN], k=dice.randint(0, DEPTH_MAX))
            typed.add(Typed(line, PAUSE.join(keys)))
    return sorted(typed)


def by_reference(town: Municipality, typed: Typed) -> Led | None:
    """Return where the core says that it leads; None when keys fall into an announcement."""
    settings = ivrd_config.load(town.config_path)
    line = next(line for line in settings.lines if line.name == typed.line)
    hours = routes.hours_at(settings, town.pbx.now())
    moment = routes.moment_of(settings, line, hours)
    found = route(routes.way_in(settings), typed.line, moment, typed.keys)
    if any(
        isinstance(step, Chose) and step.digit and "say:" in step.choice for step in found.steps
    ):
        return None
    chosen = [step for step in found.steps if isinstance(step, Chose)]
    path = ">".join(f"{step.menu}:{step.digit}" if step.digit else step.menu for step in chosen)
    ends = {EndKind.NUMBER: "directed", EndKind.SAID: "informed"}
    return Led(
        path=path,
        language=found.end.language if chosen else "",
        end=found.end.name if found.end.kind is EndKind.QUEUE else ends[found.end.kind],
    )


def by_facts(facts: CallFacts) -> Led:
    """Return where a call was led, by what ivrd stored."""
    end = facts.entries[0].queue if facts.entries else facts.outcome.value
    return Led(path=facts.path, language=facts.language, end=end)


ROWS = drawn(12, {"kommunen": 16, "direkt": 1, "langsam": 4, "english": 8, "internt": 9})


@pytest.mark.parametrize("runner", ["ivrd", "dialplan"])
async def test_whatever_is_typed_leads_where_the_core_says(town: Municipality, runner: str) -> None:
    found = {row: by_reference(town, row) for row in ROWS}
    expected = {row: led for row, led in found.items() if led is not None}
    async with run_by(town, runner, None) as played:
        ways = [Way(does=row.deeds(), comes_to="", line=NUMBERS[row.line]) for row in expected]
        callers = await walk_all(played, ways)
        for caller in callers:
            await caller.gone(within_s=60)
    led = [by_facts(played.of(caller)) for caller in callers]
    assert dict(zip(expected, led, strict=True)) == expected
    # The draw was worth it: all queues, a way out of them, languages, and menus of any depth.
    assert len(expected) >= 30
    assert {"kc", "vaxel", "va", "directed"} <= {each.end for each in expected.values()}
    assert {"sv", "en", "fi"} <= {each.language for each in expected.values()}
    assert max(each.path.count(">") for each in expected.values()) >= DEPTH_MAX - 1
