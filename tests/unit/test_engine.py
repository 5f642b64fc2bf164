"""The engine: order, guard, timer, and what happens when something breaks."""

import asyncio
import json
import socket
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from ivrd.core import overflow, resync
from ivrd.core import tracker as tracker_module
from ivrd.core.call import ENDING_GRACE
from ivrd.core.decisions import DecidedKind, RecordDecision
from ivrd.core.effects import (
    CountJoin,
    Effect,
    MoveCaller,
    Outcome,
    PublishQueueState,
    RecordCall,
)
from ivrd.core.events import DeadlinePassed, Event
from ivrd.core.ids import CallId, SystemName
from ivrd.core.mover import Mover
from ivrd.core.overflow_state import Decision, Plan
from ivrd.core.resync import CALLERS_PER_PART
from ivrd.core.service_level import Counts
from ivrd.engine import DECISIONS_PER_TURN, INBOX_EVENTS_MAX, LATE_S, Engine
from ivrd.replay import NoCounters
from tests.unit.core.story import (
    GUIDES,
    SWITCHBOARD,
    SYSTEM,
    at,
    cid,
    new_tracker,
    overflow_rule,
    read,
)
from tests.unit.core.test_catch_up import RESOLVED, ending, rows


class Kept:
    """Keeps what goes to the store."""

    def __init__(self) -> None:
        self.effects: list[Effect | RecordDecision] = []
        self.got = asyncio.Event()

    def put_nowait(self, effect: Effect | RecordDecision) -> None:
        self.effects.append(effect)
        self.got.set()


class FailCounter(NoCounters):
    """Counts broken events."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def count_failed_event(self, system: SystemName, event: str) -> None:
        self.failed.append(event)


class ClockedPbx:
    """A PBX whose clock stands."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.moves: list[MoveCaller] = []

    def move(self, effect: MoveCaller) -> None:
        self.moves.append(effect)

    def seconds_until(self, at: datetime) -> float:
        return (at - self.now).total_seconds()


class RunningPbx(ClockedPbx):
    """A PBX whose clock runs on."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.began_s = time.monotonic()

    def seconds_until(self, at: datetime) -> float:
        return super().seconds_until(at) - (time.monotonic() - self.began_s)


def make_engine(kept: Kept, counters: NoCounters | None = None) -> Engine:
    return Engine(
        trackers={SYSTEM: new_tracker(overflow_rule())},
        counters=counters or NoCounters(),
        store=kept,
        publisher=None,
    )


def play(engine: Engine, table: str) -> None:
    for event in read(table):
        engine.apply(event)


def outcomes(kept: Kept) -> dict[CallId, Outcome]:
    return {e.call_id: e.outcome for e in kept.effects if isinstance(e, RecordCall)}


def test_a_bug_costs_its_own_call_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, counters = Kept(), FailCounter()
    engine = make_engine(kept, counters)
    play(engine, "0 arrived c1 main\n1 arrived c2 main\n5 hung_up c1\n5.5 hung_up c2")
    works = tracker_module.record_of

    def breaks_for_c1(call: object, *args: object, **options: object) -> RecordCall:
        if getattr(call, "call_id", None) == cid("c1"):
            raise AssertionError("planted")
        return works(call, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tracker_module, "record_of", breaks_for_c1)
    play(engine, "20 arrived c3 main\n30 hung_up c3")
    engine.pass_all_deadlines()
    assert outcomes(kept) == {
        cid("c2"): Outcome.MENU_HANGUP,
        cid("c3"): Outcome.MENU_HANGUP,
    }
    assert counters.failed == ["CallArrived"]


RUSH = """
0    snapshot  members=guides:anna:1
1    joined    c1  switchboard
2    joined    c2  switchboard
"""
"""Upon which the one who came first is to be moved."""


class BrokenPlanner:
    """Breaks in the place of the overflow policy, so often; then it works."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.works = overflow.decide

    def __call__(self, *args: Any, **options: Any) -> Plan:
        if self.times:
            self.times -= 1
            raise AssertionError("planted")
        return self.works(*args, **options)


def test_a_bug_in_planning_costs_no_call_and_the_next_event_plans_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, counters = Kept(), FailCounter()
    engine = make_engine(kept, counters)
    pbx, told = ClockedPbx(at(0)), list[Effect]()
    engine.connect(SYSTEM, pbx)
    engine.observe(told.append)
    monkeypatch.setattr(overflow, "decide", BrokenPlanner(times=5))
    with capture_logs() as logs:
        play(engine, RUSH)
    # Twice at each caller: a second has passed, and then the event itself.
    assert counters.failed == ["SnapshotTaken", *["CallerJoined"] * 4]
    [line] = [each for each in logs if each["event"] == "planning_failed"]
    assert line["tracker_event"] == "SnapshotTaken"
    assert line["place"].endswith("in __call__")
    assert [effect.call_id for effect in told if isinstance(effect, CountJoin)] == [
        cid("c1"),
        cid("c2"),
    ]
    shown = {view.queue: view.waiting for view in engine.queues()}
    assert shown[SWITCHBOARD] == 2
    assert pbx.moves == []
    play(engine, "2.5 member guides bo")
    assert [move.call_id for move in pbx.moves] == [cid("c1")], "of what was missed too"
    play(engine, "9 hung_up c1\n9 hung_up c2")
    engine.pass_all_deadlines()
    assert set(outcomes(kept)) == {cid("c1"), cid("c2")}


def test_a_bug_in_planning_that_stays_is_said_once_a_minute_and_time_alone_plans_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, counters = Kept(), FailCounter()
    engine = make_engine(kept, counters)
    pbx = ClockedPbx(at(0))
    engine.connect(SYSTEM, pbx)
    broken = BrokenPlanner(times=1_000_000)
    monkeypatch.setattr(overflow, "decide", broken)
    with capture_logs() as logs:
        play(engine, RUSH + "\n3600 passed\n3601 arrived c3 main")
    assert len([line for line in logs if line["event"] == "planning_failed"]) <= 61
    assert len(counters.failed) >= 3_600
    assert {view.queue: view.waiting for view in engine.queues()}[SWITCHBOARD] == 2
    broken.times = 0
    play(engine, "3603 passed")
    assert [move.call_id for move in pbx.moves] == [cid("c1")]


def test_a_plan_that_breaks_half_way_has_asked_for_what_it_said_it_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Kept()
    engine = make_engine(kept)
    pbx = ClockedPbx(at(0))
    engine.connect(SYSTEM, pbx)
    works = Mover._ask_move

    def breaks_for_c2(mover: Mover, decision: Decision, when: datetime) -> None:
        if decision.call_id == cid("c2"):
            raise AssertionError("planted")
        works(mover, decision, when)

    monkeypatch.setattr(Mover, "_ask_move", breaks_for_c2)
    joins = "\n".join(f"{n} joined c{n} switchboard" for n in (1, 2, 3))
    play(
        engine,
        f"{joins}\n4 snapshot members=guides:anna:1 waiting="
        + ",".join(f"c{n}:switchboard:{4 - n}" for n in (1, 2, 3))
        + " alive=c1,c2,c3",
    )
    assert [move.call_id for move in pbx.moves] == [cid("c1")]
    assert {view.queue: view.waiting for view in engine.queues()}[SWITCHBOARD] == 3
    play(engine, "5 hung_up c1\n5 hung_up c2\n5 hung_up c3")
    engine.pass_all_deadlines()
    assert len(outcomes(kept)) == 3


def test_an_event_of_an_unknown_pbx_is_dropped() -> None:
    engine = make_engine(Kept())
    assert engine.apply(DeadlinePassed(at=at(1), system=SystemName("elsewhere"))) == ()


def test_a_full_inbox_says_so() -> None:
    engine = make_engine(Kept())
    event: Event = DeadlinePassed(at=at(1), system=SYSTEM)
    for _ in range(INBOX_EVENTS_MAX):
        engine.submit(event)
    with pytest.raises(asyncio.QueueFull):
        engine.submit(event)
    assert engine.inbox_depth == INBOX_EVENTS_MAX
    engine.apply_inbox()
    engine.submit(event)


def test_boards_are_told_at_once_that_the_day_goes_on() -> None:
    kept = Kept()
    engine = make_engine(kept)
    play(engine, "0 joined c1 switchboard\n1 joined c2 guides")
    told: list[Effect] = []
    engine.observe(told.append)
    engine.count_on(SYSTEM, {GUIDES: Counts(joined=4)}, at(0))
    assert told == [PublishQueueState(system=SYSTEM, queue=view.queue) for view in engine.queues()]
    assert len(told) == 2, "each queue: also those of which nothing is stored count since then"


async def test_the_timer_passes_a_deadline_when_nothing_more_comes() -> None:
    kept = Kept()
    engine = make_engine(kept)
    pbx = ClockedPbx(at(5))
    engine.connect(SYSTEM, pbx)
    play(engine, "0 snapshot members=guides:anna:1\n0 arrived c1 main\n5 hung_up c1")
    assert outcomes(kept) == {}
    pbx.now = at(5) + timedelta(seconds=10)
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(60):
        await kept.got.wait()
    task.cancel()
    await asyncio.wait([task])
    assert outcomes(kept) == {cid("c1"): Outcome.MENU_HANGUP}


async def test_what_came_while_ivrd_stood_still_is_applied_before_the_deadline_behind_it() -> None:
    kept = Kept()
    engine = make_engine(kept)
    play(engine, "0 snapshot members=guides:anna:1\n0 arrived c1 main\n0 arrived c2 main")
    play(engine, "5 hung_up c1")
    [late] = read("6.9 hung_up c2")
    is_due_at = at(5) + ENDING_GRACE + timedelta(seconds=LATE_S)
    engine.connect(SYSTEM, RunningPbx(is_due_at - timedelta(seconds=0.02)))
    ours, theirs = socket.socketpair()
    arrival = asyncio.Event()

    async def pump() -> None:
        await arrival.wait()
        engine.submit(late)

    def stand_still() -> None:
        theirs.send(b".")
        time.sleep(0.05)

    with ours, theirs:
        asyncio.get_running_loop().add_reader(ours, arrival.set)
        tasks = [asyncio.create_task(pump()), asyncio.create_task(engine.run())]
        await asyncio.sleep(0)
        stand_still()
        async with asyncio.timeout(60):
            await kept.got.wait()
        asyncio.get_running_loop().remove_reader(ours)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    engine.pass_all_deadlines()
    ended = {effect.call_id: effect.at for effect in kept.effects if isinstance(effect, RecordCall)}
    assert ended == {cid("c1"): at(5), cid("c2"): at(6.9)}


def test_a_gap_is_filled_in_turns_before_what_waits() -> None:
    kept = Kept()
    engine = make_engine(kept)
    journal, gone = ending(rows(RESOLVED[1]))
    engine.submit(journal)
    engine.submit(gone)
    engine.apply_inbox()
    engine.pass_all_deadlines()
    [call] = [effect for effect in kept.effects if isinstance(effect, RecordCall)]
    assert (call.outcome, call.arrived_at, call.wait) == (
        Outcome.RESOLVED,
        at(0),
        timedelta(seconds=5),
    )


def test_a_journal_that_breaks_us_leaves_the_gap_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: object, **options: object) -> tuple[Event, ...]:
        raise AssertionError("planted")

    monkeypatch.setattr(tracker_module, "catch_up", breaks)
    kept, counters = Kept(), FailCounter()
    engine = make_engine(kept, counters)
    play(engine, "0 arrived c1 main")
    for event in ending(rows(RESOLVED[1])):
        engine.submit(event)
    engine.apply_inbox()
    engine.pass_all_deadlines()
    assert counters.failed == ["JournalRead"]
    assert outcomes(kept) == {cid("c1"): Outcome.UNKNOWN}


CROWD = "0 snapshot members=guides:anna:1 waiting=" + ",".join(
    f"c{number}:guides:{number}" for number in range(4 * CALLERS_PER_PART)
)


async def test_a_crowd_is_let_in_in_turns_and_before_what_waits() -> None:
    engine = make_engine(Kept())
    for event in read(f"{CROWD}\n1 joined d1 guides"):
        engine.submit(event)
    told, turns = [], 0
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(60):
        while not told or told[-1] != (True, 4 * CALLERS_PER_PART + 1):
            await asyncio.sleep(0)
            turns += 1
            if (guides := engine.queue(SYSTEM, GUIDES)) is not None:
                told.append((guides.is_synced, guides.waiting))
    task.cancel()
    await asyncio.wait([task])
    assert turns >= 2
    assert all(waiting >= 4 * CALLERS_PER_PART for is_synced, waiting in told if is_synced)
    assert engine._parted is None, "nothing is held that has been applied"


@pytest.mark.parametrize(("broken", "faults"), [("open_part", 2), ("parts", 1)])
async def test_a_part_that_breaks_us_leaves_its_callers_to_the_whole(
    broken: str, faults: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*args: object) -> None:
        raise AssertionError("planted")

    monkeypatch.setattr(resync, broken, breaks)
    monkeypatch.setattr(resync, "CALLERS_PER_PART", 2)
    counters = FailCounter()
    engine = make_engine(Kept(), counters)
    [crowd] = read("0 snapshot waiting=c1:guides:1,c2:guides:2,c3:guides:3")
    engine.submit(crowd)
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(60):
        while engine.inbox_depth or not engine.queues():  # noqa: ASYNC110 - with a deadline.
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert counters.failed == ["SnapshotTaken"] * faults
    assert engine._parted is None
    guides = engine.queue(SYSTEM, GUIDES)
    assert guides is not None
    assert (guides.waiting, guides.is_synced) == (3, True)


def test_decisions_are_told_after_the_moves_have_gone_out() -> None:
    kept = Kept()
    engine = make_engine(kept)
    pbx = ClockedPbx(at(0))
    engine.connect(SYSTEM, pbx)
    play(engine, RUSH)
    assert [move.call_id for move in pbx.moves] == [cid("c1")]
    assert kept.effects == []
    engine.apply_inbox()
    began, asked = kept.effects
    assert isinstance(began, RecordDecision)
    assert isinstance(asked, RecordDecision)
    assert (began.what, began.call_id, began.at) == (DecidedKind.BEGAN, "", at(2))
    assert (asked.what, asked.call_id, asked.rule) == (DecidedKind.ASKED, cid("c1"), "relief")
    assert (asked.from_queue, asked.to_queue) == ("switchboard", "guides")
    assert json.loads(asked.figures)["held"] == [{"figure": "waiting", "level": 2, "limit": 1}]


async def test_many_decisions_let_others_have_their_turns() -> None:
    kept = Kept()
    engine = make_engine(kept)
    engine.connect(SYSTEM, ClockedPbx(at(0)))
    play(engine, "0 snapshot members=guides:anna:6")
    for number in range(1, 8 * DECISIONS_PER_TURN):
        for event in read(f"{number / 1000} joined c{number} switchboard"):
            engine.apply(event)
    play(engine, "9 member guides anna 1")
    task = asyncio.create_task(engine.run())
    turns = 0
    async with asyncio.timeout(60):
        while len(kept.effects) < 8 * DECISIONS_PER_TURN - 1:
            await asyncio.sleep(0)
            turns += 1
    task.cancel()
    await asyncio.wait([task])
    assert turns >= 8
    assert (
        len({one.call_id for one in kept.effects if isinstance(one, RecordDecision)})
        > 6 * DECISIONS_PER_TURN
    )
