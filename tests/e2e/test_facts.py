"""Facts F1 to F8 of ARCHITECTURE.md about queues: each fails when Asterisk changes it."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from ivrd.ami.frames import event_name
from ivrd.ami.record import read_frames
from ivrd.ami.replies import value
from ivrd.core.effects import Disposition
from ivrd.core.events import (
    AgentConnected,
    AgentRingEnded,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    Event,
    HangupRequested,
    QueueExited,
)
from ivrd.core.journal_story import JournalEnd, JournalStay
from tests.e2e.lab_ami import LabAmi
from tests.e2e.scene import EVENT_S_MAX, Caller, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk, WaitForThem

pytestmark = pytest.mark.asyncio(loop_scope="module")

SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())
GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=1.0), talk=Talk(s=0.2))

RING_S = 2

town = town_fixture(
    FloorPlan(
        desks=(SILENT, GUIDE),
        # Longer than what must be done meanwhile takes on a busy machine.
        switchboard_timeout_s=6,
        patient_s=30,
        queue_settings={
            "vaxel": f"timeout = {RING_S}\njoinempty = paused\n",
            "kc": "servicelevel = 1\n",
        },
    )
)

MOVE = "ivrd-move kc by-hand"


async def at_switchboard(played: Scene) -> Caller:
    caller = await played.ring("1")
    await caller.joined("vaxel")
    return caller


def own(played: Scene, caller: Caller) -> list[Event]:
    """Return the events of a caller's own channel."""
    return [
        event
        for event in played.watch.events
        if caller.call_id in (getattr(event, "call_id", None), getattr(event, "channel_id", None))
    ]


def kinds(played: Scene, caller: Caller, queue: str) -> list[type[Event]]:
    """Return which events told of a caller's stay in a queue, in order."""
    wanted = CallerJoined | CallerAbandonNoted | CallerLeft | QueueExited | AgentConnected
    return [
        type(event)
        for event in own(played, caller)
        if isinstance(event, wanted) and event.queue == queue
    ]


async def counted_by_asterisk(town: Municipality, queue: str) -> dict[str, str]:
    """Return Asterisk's own counters: completed, abandoned, service level."""
    shown = await town.pbx.cli(f"queue show {queue}")
    found = re.search(r"C:(\d+), A:(\d+), SL:([\d.]+)%, SL2:([\d.]+)% within", shown)
    assert found is not None, shown
    return dict(zip(("completed", "abandoned", "sl", "sl2"), found.groups(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """A scene with a caller for each way out of a queue, and Asterisk's own counter of it."""

    played: Scene
    hung_up: Caller
    timed_out: Caller
    withdrawn: Caller
    moved: Caller
    redirected: Caller
    counted_abandoned: int

    def stays_of(self, caller: Caller) -> tuple[JournalStay, ...]:
        """Return what Asterisk's journal tells of a caller."""
        return self.played.town.journal()[caller.call_id].stays

    @property
    def all(self) -> tuple[Caller, ...]:
        """Everybody."""
        return (self.hung_up, self.timed_out, self.withdrawn, self.moved, self.redirected)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exits(town: Municipality) -> Exits:
    """Play every unanswered way out of the switchboard's queue at once."""
    before = int((await counted_by_asterisk(town, "vaxel"))["abandoned"])
    async with scene(town, "f1_every_unanswered_exit") as played, LabAmi.connect(town.pbx) as ami:
        # The first caller's phone rings; the others only wait, so that a withdraw is looked at.
        timed_out = await at_switchboard(played)
        others = await asyncio.gather(*(at_switchboard(played) for _ in range(4)))
        hung_up, withdrawn, moved, redirected = others
        await ami.ask(
            "Redirect",
            Channel=(await redirected.joined("vaxel")).channel,
            Context="ivrd-queue-kc",
            Exten="s",
            Priority="1",
        )
        for caller, info in ((withdrawn, "by hand"), (moved, MOVE)):
            channel = (await caller.joined("vaxel")).channel
            answer = await ami.ask(
                "QueueWithdrawCaller", Queue="vaxel", Caller=channel, WithdrawInfo=info
            )
            assert answer["Response"] == "Success"
        await hung_up.hang_up()
        for caller in (withdrawn, moved, timed_out):
            await played.watch.first(QueueExited, by(caller))
        await asyncio.gather(*(caller.talking("kc") for caller in (timed_out, moved, redirected)))
    counted = int((await counted_by_asterisk(town, "vaxel"))["abandoned"]) - before
    return Exits(
        played=played,
        hung_up=hung_up,
        timed_out=timed_out,
        withdrawn=withdrawn,
        moved=moved,
        redirected=redirected,
        counted_abandoned=counted,
    )


def by(caller: Caller) -> Callable[[QueueExited], bool]:
    return lambda event: event.call_id == caller.call_id


@pytest.mark.older_asterisk
async def test_f1_every_unanswered_exit_raises_abandon(exits: Exits) -> None:
    for caller in exits.all:
        assert CallerAbandonNoted in kinds(exits.played, caller, "vaxel")
    first = {caller: exits.played.of(caller).entries[0].disposition for caller in exits.all}
    assert first == {
        exits.hung_up: Disposition.ABANDONED,
        exits.timed_out: Disposition.TIMED_OUT,
        exits.withdrawn: Disposition.WITHDRAWN,
        exits.moved: Disposition.MOVED,
        exits.redirected: Disposition.REDIRECTED,
    }
    again = exits.played.of(exits.withdrawn).entries[1]
    assert again.queue == "vaxel", "somebody else's withdraw leads back to the same queue"


@pytest.mark.older_asterisk
async def test_f2_asterisk_counts_every_unanswered_exit_as_abandoned(exits: Exits) -> None:
    told = [kinds(exits.played, caller, "vaxel").count(CallerAbandonNoted) for caller in exits.all]
    assert exits.counted_abandoned == sum(told) >= len(exits.all)


@pytest.mark.older_asterisk
async def test_f3_order_of_events_at_an_exit(exits: Exits) -> None:
    assert kinds(exits.played, exits.timed_out, "vaxel") == [
        CallerJoined,
        CallerAbandonNoted,
        CallerLeft,
        QueueExited,
    ]
    answered = kinds(exits.played, exits.timed_out, "kc")
    assert answered[:3] == [CallerJoined, CallerLeft, AgentConnected]


@pytest.mark.older_asterisk
async def test_f7_a_withdrawn_caller_goes_on_in_the_dialplan(exits: Exits) -> None:
    exited = await exits.played.watch.first(QueueExited, by(exits.moved))
    assert (exited.status, exited.info) == ("WITHDRAW", MOVE)
    stays = [(stay.queue, stay.end) for stay in exits.stays_of(exits.moved)]
    assert stays == [("vaxel", JournalEnd.WITHDRAWN), ("kc", JournalEnd.ANSWERED)]


@pytest.mark.older_asterisk
async def test_f8_a_redirect_asks_for_no_hangup(exits: Exits) -> None:
    left = [type(event) for event in own(exits.played, exits.redirected)]
    assert HangupRequested not in left[: left.index(AgentConnected)]
    asked = [type(event) for event in own(exits.played, exits.hung_up)]
    assert asked.index(HangupRequested) < asked.index(CallerAbandonNoted), "told before the queue"


async def test_f4_a_refused_caller_never_joins(town: Municipality) -> None:
    await town.pbx.cli("queue pause member PJSIP/silent queue vaxel")
    town.phones["guide"].answer_policy = NoAnswer()  # Whoever was refused gives up.
    async with scene(town, "f4_refused") as played:
        caller = await played.ring("1")
        await caller.joined("kc")
    town.phones["guide"].answer_policy = GUIDE.answer
    await town.pbx.cli("queue unpause member PJSIP/silent queue vaxel")
    assert kinds(played, caller, "vaxel") == [QueueExited]
    rows = [line.split("|") for line in town.pbx.queue_log.read_text(encoding="utf-8").splitlines()]
    uniqueid = caller.call_id.partition("/")[2]
    entered = [row[2] for row in rows if row[1] == uniqueid and row[4] == "ENTERQUEUE"]
    assert entered == ["kc"], "Asterisk's journal has no row of the refusal"
    assert [entry.disposition for entry in played.of(caller).entries] == [
        Disposition.JOIN_EMPTY,
        Disposition.ABANDONED,
    ]


def headers(recording: Path, event: bytes, header: bytes) -> list[str]:
    frames = [raw for raw in read_frames(recording) if event_name(raw) == event]
    return [value(raw, b"\r\n" + header) for raw in frames]


async def test_f5_units_of_ring_time_and_f6_service_level(town: Municipality) -> None:
    async with scene(town, "f5_units") as played:
        began_s = time.monotonic()
        rings_out = await at_switchboard(played)
        await played.watch.first(AgentRingEnded)
        rang_ms_max = 1000 * (time.monotonic() - began_s)
        await rings_out.hang_up()
        before = await counted_by_asterisk(town, "kc")
        town.phones["guide"].talk = Talk(s=0.0, then=WaitForThem())
        began_s = time.monotonic()
        answered = await played.ring()
        await answered.talking("kc")
        waited_s_max = time.monotonic() - began_s
        town.phones["guide"].talk = GUIDE.talk
        in_talk = await counted_by_asterisk(town, "kc")
        await answered.hang_up()
        await answered.gone()

        async def is_completed() -> bool:
            return await counted_by_asterisk(town, "kc") != in_talk

        await town.until(is_completed, what="Asterisk counts the call")
        ended = await counted_by_asterisk(town, "kc")
    (ring_ms,) = headers(played.path, b"AgentRingNoAnswer", b"RingTime")
    assert RING_S * 1000 - 100 <= int(ring_ms) <= rang_ms_max, "milliseconds"
    (ring_s,) = headers(played.path, b"AgentConnect", b"RingTime")
    (hold_s,) = headers(played.path, b"AgentConnect", b"HoldTime")
    # Differences of whole seconds of the clock: one second may be told as two.
    assert 1 <= int(ring_s) < waited_s_max + 1, "whole seconds"
    assert 1 <= int(hold_s) < waited_s_max + 1, "whole seconds"
    wait = played.of(answered).wait
    assert wait is not None
    assert wait.total_seconds() < waited_s_max
    story = town.phones["guide"].calls[-1].story
    rang, picked_up = story.first("ringing"), story.first("answered")
    assert rang is not None
    assert picked_up is not None
    assert picked_up.elapsed_s - rang.elapsed_s >= 1.0, "more than Asterisk's whole second"
    assert in_talk == before, "an answered call is counted when it ends"
    assert int(ended["completed"]) == int(before["completed"]) + 1
    more_in_time = in_time(ended) - in_time(before)
    assert more_in_time == (int(hold_s) <= 1), "1.0 s and more is within 1 s: whole, inclusive"


def in_time(counted: dict[str, str]) -> int:
    """Return how many completed calls Asterisk counts as answered in time."""
    return round(float(counted["sl"]) * int(counted["completed"]) / 100)


async def test_f7_a_withdraw_is_only_a_request(town: Municipality) -> None:
    async with scene(town, "f7_withdraw") as played, LabAmi.connect(town.pbx) as ami:
        guide = town.phones["guide"]
        guide.answer_policy = NoAnswer()
        guide.forget_incoming()
        caller = await played.ring()
        joined = await caller.joined("kc")
        ringing = await guide.next_call(EVENT_S_MAX)
        await caller.rang("kc")
        withdraw = {"Queue": "kc", "Caller": joined.channel, "WithdrawInfo": MOVE}
        answer = await ami.ask("QueueWithdrawCaller", **withdraw)
        assert answer["Response"] == "Success", "taken, while a phone rings"
        ringing.answer()
        await caller.talking("kc")
        guide.answer_policy = GUIDE.answer
        answer = await ami.ask("QueueWithdrawCaller", **withdraw)
        assert (answer["Response"], "No such caller" in answer["Message"]) == ("Error", True)
        await caller.gone()
    assert kinds(played, caller, "kc") == [CallerJoined, CallerLeft, AgentConnected]
    assert "WITHDRAW" not in town.pbx.queue_log.read_text().split(joined.channel)[-1]
    assert played.told(caller) == "stayed kc | kc answered by guide | resolved | case for guide"
