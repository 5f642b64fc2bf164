"""The lab's Asterisk at another time: its clock is ahead, and whatever it measures stays true.

The instrument is tested here: that deadlines, stamps and the queue's journal hold, on each
Asterisk, and that ivrd, whose own clock is not ahead, works with such a PBX.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.other_time import wall_clock_ahead
from tests.lab.pbx import Agent, Pbx, PbxPlan
from tests.lab.phone import EndedBy, NoAnswer, Phone, Ring, Talk
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import POLL_S, LabError
from tests.lab.root import OLDER_SUITE, Asterisk, find_asterisk, has_older

SWEDEN = ZoneInfo("Europe/Stockholm")

NEXT_YEAR = datetime.now(SWEDEN).year + 1
"""A PBX's clock can only be ahead."""

EVE = datetime(NEXT_YEAR, 6, 25, 11, 59, 50, tzinfo=SWEDEN)
"""In summer, ten seconds before noon."""

NOON = EVE + timedelta(seconds=10)

LEADS_S = (3.0, 10.0, 30.0)
"""How long before noon a PBX starts; the next when it is so slow that a call comes after noon."""

SOON_S = 30.0

ROUNDED_S = 0.02
"""Asterisk counts its deadlines in whole milliseconds, and the kernel its turns."""

STEPS_S = {
    "answered": 0.0,
    "Wait": 1.0,
    "Read": 1.0,
    "Queue": 2.0,
    "Dial": 1.0,
    "WaitExten": 1.0,
    "TIMEOUT": 1.0,
}
"""What the dialplan does one after the other, and how long each takes at least. A deadline that is
not translated is over at once, or after months."""

IN_WHOLE_SECONDS = {"Queue"}
"""app_queue.c counts its deadline in whole seconds of the clock, and looks once a second. From 0.5
to 2.2 is 2 of them: less than 2 s, when Asterisk stood still and looked late."""

AT = "At: ${STRFTIME(,UTC,%s.%3q)}"
"""The time of the thread that does the step, whenever another one tells it."""

DIALPLAN = f"""[from-citizens]
exten => 8000,1,Answer()
 same => n,UserEvent(Step,Done: answered,{AT})
 same => n,Wait(1)
 same => n,UserEvent(Step,Done: Wait,{AT})
 same => n,Read(KEY,,1,,1,1)
 same => n,UserEvent(Step,Done: Read,{AT})
 same => n,Queue(nobody,,,,2)
 same => n,UserEvent(Step,Done: Queue,{AT})
 same => n,Dial(PJSIP/silent,1)
 same => n,UserEvent(Step,Done: Dial,{AT})
 same => n,WaitExten(1)
exten => t,1,UserEvent(Step,Done: WaitExten,{AT})
 same => n,Set(TIMEOUT(absolute)=1)
 same => n,Wait(20)
exten => T,1,UserEvent(Step,Done: TIMEOUT,{AT})
exten => 8001,1,Answer()
 same => n(again),Set(HERE=${{STRFTIME(,Europe/Stockholm,%F %T)}})
 same => n,GotoIfTime(0:00-11:59,fri,25,jun,Europe/Stockholm?early)
 same => n,UserEvent(Noon,Here: ${{STRFTIME(,Europe/Stockholm,%F %T)}},Was: ${{WAS}})
 same => n,Hangup()
 same => n(early),Set(WAS=${{HERE}})
 same => n,Wait(0.05)
 same => n,Goto(again)
exten => 8002,1,Queue(guides)
"""

QUEUES = """[nobody]
[guides]
strategy = linear
timeout = 1
retry = 1
timeoutrestart = no
member => PJSIP/silent
member => PJSIP/guide
"""


@dataclass(slots=True)
class Told:
    """What one PBX told by AMI: each event, and when it came on our monotonic clock."""

    events: list[tuple[dict[str, str], float]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                frame = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.split(": ", 1) for line in frame.splitlines() if ": " in line]
                self.events.append(({key: text for key, text in lines}, time.monotonic()))
                self._more.set()

    def named(self, event: str) -> list[tuple[dict[str, str], float]]:
        return [each for each in self.events if each[0].get("Event") == event]

    async def have(self, event: str, count: int) -> list[tuple[dict[str, str], float]]:
        async with asyncio.timeout(SOON_S):
            while len(self.named(event)) < count:
                self._more.clear()
                await self._more.wait()
        return self.named(event)


@contextlib.asynccontextmanager
async def listening(pbx: Pbx) -> AsyncIterator[Told]:
    reader, writer = await asyncio.open_connection(LOOPBACK, pbx.ami_port)
    login = f"Action: Login\r\nUsername: {pbx.lab_user}\r\nSecret: {pbx.lab_secret}\r\n\r\n"
    writer.write(login.encode())
    told = Told()
    reading = asyncio.create_task(told.read(reader), name="read AMI")
    try:
        await told.have("FullyBooted", 1)
        yield told
    finally:
        writer.close()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    pbx: Pbx
    told: Told
    citizen: Phone
    guide: Phone


@contextlib.asynccontextmanager
async def line_at(at: datetime, asterisk: Asterisk) -> AsyncIterator[Line]:
    with contextlib.ExitStack() as held:
        ports = {name: reserve_port() for name in ("silent", "guide")}
        for port in ports.values():
            held.callback(port.release)
        plan = PbxPlan(
            starts_at=at,
            queues_text=QUEUES,
            dialplan={"site.conf": DIALPLAN},
            agents=tuple(Agent(name=name, sip_port=port.first) for name, port in ports.items()),
        )
        async with (
            Phone("citizen") as citizen,
            Phone("silent", port=ports["silent"].first, answer_policy=NoAnswer()),
            Phone("guide", port=ports["guide"].first) as guide,
            Pbx.start(plan, asterisk=asterisk) as pbx,
            listening(pbx) as told,
        ):
            yield Line(pbx=pbx, told=told, citizen=citizen, guide=guide)


@pytest.fixture(params=["", OLDER_SUITE])
async def asterisk(request: pytest.FixtureRequest) -> Asterisk:
    """Each Asterisk that the tests use."""
    if request.param and not has_older():
        pytest.skip("this machine has no older Asterisk")
    return await find_asterisk(request.param)


def stamp_of(event: dict[str, str]) -> datetime:
    return datetime.fromtimestamp(float(event["Timestamp"]), UTC)


async def test_every_deadline_of_the_dialplan_holds(asterisk: Asterisk) -> None:
    async with line_at(EVE, asterisk) as line:
        call = await line.citizen.dial((LOOPBACK, line.pbx.sip_port), "8000", caller="0701740605")
        assert (await call.ended(SOON_S)).by is EndedBy.THEM
        steps = await line.told.have("UserEvent", len(STEPS_S))
    assert [event["Done"] for event, _ in steps] == list(STEPS_S)
    ats = [float(event["At"]) for event, _ in steps]
    took = dict(zip([*STEPS_S][1:], pairwise(ats), strict=True))
    for step, (start, end) in took.items():
        lasted_s = end - start + ROUNDED_S
        if step in IN_WHOLE_SECONDS:
            lasted_s = int(end + ROUNDED_S) - int(start)
        assert lasted_s >= STEPS_S[step], (step, took)
        assert end - start < SOON_S, (step, took)
    # An event is stamped later than what it tells; never earlier, and in order.
    stamps = [stamp_of(event).timestamp() for event, _ in steps]
    assert stamps == sorted(stamps)
    assert all(at <= stamp + ROUNDED_S for at, stamp in zip(ats, stamps, strict=True))


async def test_events_and_the_queues_journal_say_the_same_time(asterisk: Asterisk) -> None:
    async with line_at(EVE, asterisk) as line:
        dialled = line.pbx.now()
        call = await line.citizen.dial((LOOPBACK, line.pbx.sip_port), "8002", caller="0701740605")
        ((joined, joined_s),) = await line.told.have("QueueCallerJoin", 1)
        await call.answered(SOON_S)
        ((connected, connected_s),) = await line.told.have("AgentConnect", 1)
        now_s, now = time.monotonic(), line.pbx.now()
        await call.hang_up()
        rows = await journal(line.pbx, ("ENTERQUEUE", "CONNECT"))
    at = {row[4]: int(row[0]) for row in rows}
    for event, row, received_s in (
        (joined, "ENTERQUEUE", joined_s),
        (connected, "CONNECT", connected_s),
    ):
        # Between its cause and its arrival here: by our clock and what its own is ahead of it.
        received = now - timedelta(seconds=now_s - received_s - ROUNDED_S)
        assert dialled <= stamp_of(event) <= received
        assert int(dialled.timestamp()) <= at[row] <= now.timestamp()
        # The channel's own id is made of the time, too.
        own = float(event["Uniqueid"].split("-")[-1])
        assert int(dialled.timestamp()) <= own <= stamp_of(event).timestamp()
    assert EVE < dialled < EVE + timedelta(hours=1)
    # One phone rang for a second, and after another one the next: whole seconds of the clock.
    assert 1 <= int(connected["HoldTime"]) <= (now - dialled).total_seconds() + 1


async def journal(pbx: Pbx, names: Sequence[str]) -> list[list[str]]:
    """Return the queue's journal when these rows are in it: a thread of its own writes them."""
    async with asyncio.timeout(SOON_S):
        while True:
            text = pbx.queue_log.read_text(encoding="utf-8").rpartition("\n")[0]
            rows = [row.split("|") for row in text.splitlines()]
            if not Counter(names) - Counter(row[4] for row in rows):
                return rows
            await asyncio.sleep(POLL_S)


async def test_a_boundary_of_the_day_is_met_as_the_clock_runs(asterisk: Asterisk) -> None:
    for lead_s in LEADS_S:
        async with line_at(NOON - timedelta(seconds=lead_s), asterisk) as line:
            place = (LOOPBACK, line.pbx.sip_port)
            call = await line.citizen.dial(place, "8001", caller="0701740605")
            await call.ended(lead_s + SOON_S)
            ((event, _),) = await line.told.have("UserEvent", 1)
        if event["Was"]:
            break
    day = f"{NEXT_YEAR}-06-25"
    assert event["Was"] < f"{day} 12:00:00" <= event["Here"] < f"{day} 12:01:00"
    assert event["Was"] >= f"{day} 11:59:00"
    assert stamp_of(event) >= NOON


async def test_the_clock_runs_on_over_a_restart_or_is_set_anew() -> None:
    async with Pbx.start(PbxPlan(starts_at=EVE)) as pbx:
        before_s, before = time.monotonic(), pbx.now()
        await pbx.restart()
        again, again_s = pbx.now(), time.monotonic()
        assert timedelta() < again - before <= timedelta(seconds=again_s - before_s + ROUNDED_S)
        new_year = datetime(NEXT_YEAR, 12, 31, 23, 59, 0, tzinfo=SWEDEN)
        await pbx.restart(at=new_year)
        latest = pbx.now()
        rows = await journal(pbx, ["QUEUESTART"] * 3)
    first, second, third = [int(row[0]) for row in rows if row[4] == "QUEUESTART"]
    assert int(EVE.timestamp()) <= first <= before.timestamp()
    assert int(before.timestamp()) <= second <= again.timestamp()
    assert int(new_year.timestamp()) <= third <= latest.timestamp()


async def test_a_clock_behind_is_refused() -> None:
    asterisk = await find_asterisk()
    with pytest.raises(LabError, match="can only be ahead"):
        wall_clock_ahead(asterisk, timedelta(seconds=-1))


async def test_ivrd_follows_the_clock_of_its_pbx() -> None:
    guide = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.3))
    async with (
        Municipality.start(FloorPlan(starts_at=EVE, desks=(guide,))) as town,
        Phone("citizen") as citizen,
    ):
        call = await town.ring(citizen, caller="0701740605")
        await call.ended(2 * SOON_S)
        (facts,) = await town.wait_for_calls(1)
        assert town.unreconciled([facts]) == ()
        metrics = await town.metrics()
        latest = town.pbx.now()
    assert EVE < facts.arrived_at < latest
    assert [entry.disposition.value for entry in facts.entries] == ["answered"]
    assert facts.choice is not None
    assert not facts.is_static_menu, "the heartbeat must be of the PBX's time"
    assert "ivrd_agi_sessions_total{end=" in metrics
