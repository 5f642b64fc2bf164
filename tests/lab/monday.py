"""Records a compressed Monday on a real Asterisk: `python -m tests.lab.monday DIRECTORY`.

Here: citizens who ring in a Monday's shape, agents who talk, write and take a break, ivrd with
overflow rules, and what is kept of it: queue_log, what ivrd stored, the configuration. Not here:
the comparison (tests/integration/test_rehearsal_days.py). A second stands for about a minute.

Citizens are phones of our own and not SIPp: whoever has patience and is answered talks on, and for
that somebody must know of the answer. SIPp's citizen hangs up after that time, in talk or not.

The machine must keep up, or the day is one of a stalled machine: the longest stall of the recording
process, which all the phones live in, is printed and kept.
"""

import asyncio
import contextlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from ivrd.db.facts import CallFacts
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Call, Phone, PhoneError, Ring, Talk

SEED = 7

ARRIVALS = ((30.0, 0.9), (100.0, 1.75), (160.0, 1.15), (200.0, 0.8), (240.0, 0.6))
"""Until when, and calls a second: the Monday's peak, lunch, afternoon."""

CHOICES = (("1", 0.5), ("2", 0.16), ("", 0.34))
"""Keys and shares: växel, VA, or staying for a guide."""

PATIENCE_S, PATIENCE_SHAPE = 34.0, 1.3
"""Weibull: half of all give up who have waited 26 s."""

STAYS_S_MAX = 300.0
ANSWER_S_MAX = 20.0
PRESS_AFTER_S = 0.4

TALK_MEDIAN_S = {"vaxel": 3.2, "va": 7.0, "kc": 7.5}
TALK_SPREAD = 0.55
RING_S = (0.5, 1.6)
WRAP_UP_S = {"vaxel": 1, "va": 2, "kc": 2}

AGENTS = {"vaxel": 3, "va": 2, "kc": 7}

BREAK = ("kc5", 120.0, 165.0)
"""Whose, from when, until when."""

NUMBERS = [f"0701740{number}" for number in range(605, 700)] + [
    f"08465004{number:02d}" for number in range(100) if number != 0
]

CONFIGURATION = """
[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = { 1 = "vaxel", 2 = "va" }
stay_choice = "kc"
stay_after_s = 1

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"

[[overflow]]
name = "vaxel-hog-last"
from_queue = "vaxel"
to_queue = "kc"
start_waiting = 7
stop_waiting = 4

[[overflow]]
name = "va-hog-last"
from_queue = "va"
to_queue = "kc"
start_waiting = 5
stop_waiting = 3
"""

WATER = """
role = "guide"
title_sv = "VA och avfall"
title_en = "Water and waste"
service_level_threshold_s = 60
"""


def plan() -> FloorPlan:
    """Return the municipality of that day."""
    return FloorPlan(
        desks=tuple(
            Desk(name=f"{queue}{number}", queue=queue)
            for queue, count in AGENTS.items()
            for number in range(1, count + 1)
        ),
        way_in=CONFIGURATION,
        queue_keys={"va": WATER},
        queue_settings={queue: f"wrapuptime = {s}\n" for queue, s in WRAP_UP_S.items()},
        short_abandon_s=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One citizen's."""

    rings_s: float
    key: str
    patience_s: float


def citizens(seed: int) -> list[Plan]:
    """Return who rings when; arrivals at random, thinned from the busiest time's."""
    chance = Random(seed)
    busiest = max(rate for _, rate in ARRIVALS)
    found, now = [], 0.0
    while now < ARRIVALS[-1][0]:
        now += chance.expovariate(busiest)
        rate = next((rate for until, rate in ARRIVALS if now < until), 0.0)
        if chance.random() >= rate / busiest:
            continue
        keys, shares = zip(*CHOICES, strict=True)
        found.append(
            Plan(
                rings_s=now,
                key=chance.choices(keys, shares)[0],
                patience_s=chance.weibullvariate(PATIENCE_S, PATIENCE_SHAPE),
            )
        )
    return found


class Monday:
    """One recording."""

    def __init__(self, town: Municipality, citizen: Phone) -> None:
        self._town = town
        self._citizen = citizen
        self._chance = Random(SEED + 1)
        self.failed = 0
        self.stall_s_max = 0.0

    async def run(self, plans: Sequence[Plan]) -> None:
        """Let everybody ring, and wait until the last is gone."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._watch(), name="stalls")]
            for name, phone in self._town.phones.items():
                self._vary(phone, name.rstrip("0123456789"))
                helpers.append(group.create_task(self._keep_varying(name, phone), name=name))
            helpers.append(group.create_task(self._break(begun), name="break"))
            async with asyncio.TaskGroup() as callers:
                for number, one in enumerate(plans):
                    await asyncio.sleep(max(0.0, begun + one.rings_s - time.monotonic()))
                    caller = NUMBERS[number % len(NUMBERS)]
                    callers.create_task(self._ring(one, caller), name=f"citizen {number}")
            for helper in helpers:
                helper.cancel()

    async def _watch(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            self.stall_s_max = max(self.stall_s_max, time.monotonic() - before - 0.05)

    async def _keep_varying(self, name: str, phone: Phone) -> None:
        """Give each call of an agent a length of its own: the phone reads it when it rings."""
        while True:
            await phone.next_call(STAYS_S_MAX)
            await asyncio.sleep(max(RING_S) + 0.2)
            self._vary(phone, name.rstrip("0123456789"))

    def _vary(self, phone: Phone, queue: str) -> None:
        talk_s = TALK_MEDIAN_S[queue] * self._chance.lognormvariate(0, TALK_SPREAD)
        phone.talk = Talk(s=talk_s)
        phone.answer_policy = Ring(after_s=self._chance.uniform(*RING_S))

    async def _break(self, begun: float) -> None:
        name, begins_s, ends_s = BREAK
        queue = name.rstrip("0123456789")
        for at_s, word in ((begins_s, "pause"), (ends_s, "unpause")):
            await asyncio.sleep(max(0.0, begun + at_s - time.monotonic()))
            await self._town.pbx.cli(f"queue {word} member PJSIP/{name} queue {queue} reason Rast")

    async def _ring(self, one: Plan, caller: str) -> None:
        try:
            call = await self._town.ring(self._citizen, caller=caller)
            await call.answered(ANSWER_S_MAX)
        except PhoneError:
            self.failed += 1
            return
        with contextlib.suppress(PhoneError):
            if one.key:
                await asyncio.sleep(PRESS_AFTER_S)
                await call.press(one.key)
            try:
                await call.ended(one.patience_s)
            except PhoneError:
                await self._give_up_or_talk_on(call, caller)

    async def _give_up_or_talk_on(self, call: Call, caller: str) -> None:
        if any(
            other.caller == caller and other.was_answered and other.is_live
            for phone in self._town.phones.values()
            for other in phone.calls
        ):
            await call.ended(STAYS_S_MAX)
        else:
            await call.hang_up()


async def record(directory: Path) -> None:
    """Record the day into a directory."""
    plans = citizens(SEED)
    async with Municipality.start(plan()) as town, Phone("citizens") as citizen:
        day = Monday(town, citizen)
        cpu_s, begun = town.pbx.cpu_seconds(), time.monotonic()
        await day.run(plans)
        facts = await town.wait_for_calls(len(plans) - day.failed, within_s=30.0)
        wall_s = time.monotonic() - begun
        differences = town.unreconciled(facts)
        about: dict[str, object] = {
            "calls": len(plans),
            "calls_failed": day.failed,
            "unreconciled": len(differences),
            "wall_s": round(wall_s, 1),
            "asterisk": str(town.pbx.version),
            "asterisk_cpu_share": round((town.pbx.cpu_seconds() - cpu_s) / wall_s, 3),
            "stall_s_max": round(day.stall_s_max, 3),
            "seed": SEED,
        }
        _keep(directory, town, facts, about)


def _keep(
    directory: Path, town: Municipality, facts: list[CallFacts], about: dict[str, object]
) -> None:
    """Write what is kept of the day."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(town.pbx.queue_log, directory / "queue_log")
    (directory / "ivrd.toml").write_text(_kept(town.config_path), encoding="utf-8")
    stored = ",\n".join(json.dumps(_call(call)) for call in facts)
    (directory / "stored.json").write_text(f"[\n{stored}\n]\n", encoding="utf-8")
    (directory / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(about)


def _kept(path: Path) -> str:
    """Return the configuration without what belongs to one run of the lab."""
    lines = path.read_text(encoding="utf-8").splitlines()
    private = ("state_directory", "queue_log_file", "directory =", "url =", "prompt_sheet")
    kept = [line for line in lines if not line.startswith(private)]
    return "\n".join(kept).strip() + "\n"


def _call(call: CallFacts) -> dict[str, object]:
    """Return a stored call without its number; times in milliseconds since the first second."""
    return {
        "call_id": call.call_id,
        "line": call.line,
        "arrived_at": call.arrived_at.isoformat(),
        "ended_at": call.ended_at.isoformat(),
        "outcome": call.outcome.value,
        "moves": call.moves,
        "entries": [
            {
                "queue": entry.queue,
                "joined_at": entry.joined_at.isoformat(),
                "disposition": entry.disposition.value,
                "entry_wait_ms": _ms(entry.entry_wait),
                "wait_ms": _ms(entry.wait),
                "interface": entry.interface,
                "talk_ms": _ms(entry.talk),
            }
            for entry in call.entries
        ],
    }


def _ms(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds() * 1000)


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
