"""Moves from the switchboard to the guides: when, whom, in which order, and what is counted."""

import asyncio
import functools
import json
from collections.abc import Sequence
from datetime import datetime

import pytest

from ivrd.core.effects import MoveEnd, Outcome
from ivrd.core.events import AgentConnected
from ivrd.core.ids import QueueName
from ivrd.core.journal_story import JournalEnd, JournalStay
from ivrd.db.facts import CallFacts
from tests.e2e.lab_ami import LabAmi
from tests.e2e.scene import Caller, Scene, metrics, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import GUIDES, PATIENT_S, SWITCHBOARD, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk, WaitForThem

pytestmark = pytest.mark.asyncio(loop_scope="module")

SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())
GUIDE = Desk(name="guide", queue="kc", answer=Ring(), talk=Talk(s=0.2))

START, STOP = 3, 1

town = town_fixture(
    FloorPlan(
        desks=(SILENT, GUIDE),
        start_waiting=START,
        stop_waiting=STOP,
        patient_s=PATIENT_S,
        # One ring at the switchboard outlasts each scenario.
        queue_settings={"vaxel": "timeout = 300"},
    ),
    is_within_a_day=True,
)


async def join_in_turn(played: Scene, count: int) -> list[Caller]:
    """Let so many press 1, each after the one before has joined."""
    callers = []
    for _ in range(count):
        callers.append(await played.ring("1"))
        await callers[-1].joined("vaxel")
    return callers


async def keep_guide_busy(played: Scene) -> Caller:
    """Let a citizen talk to the only guide until that citizen hangs up."""
    played.town.phones["guide"].talk = Talk(s=0.0, then=WaitForThem())
    talker = await played.ring()
    await talker.talking("kc")
    played.town.phones["guide"].talk = GUIDE.talk
    return talker


async def asked(town: Municipality) -> float:
    return (await metrics(town))['ivrd_ami_moves_asked_total{system="pbx1"}']


@pytest.mark.older_asterisk
async def test_moves_keep_the_order_of_first_arrival(town: Municipality) -> None:
    async with scene(town, "overflow") as played:
        talker = await keep_guide_busy(played)
        first, second = await join_in_turn(played, START - 1)
        await first.rang("vaxel")
        await town.waiting("vaxel", START - 1)
        assert await asked(town) == 0, "below the start threshold nobody is moved"
        direct = await played.ring()
        await direct.joined("kc")
        (third,) = await join_in_turn(played, 1)
        await asyncio.gather(second.joined("kc"), third.joined("kc"))
        await town.waiting("kc", 3)
        await town.waiting("vaxel", STOP)
        (later,) = await join_in_turn(played, 1)
        await town.waiting("vaxel", 2)
        assert await asked(town) == 2, "between the thresholds nobody more is moved"
        shown = await town.pbx.cli("queue show vaxel")
        assert ", A:2," in shown, "Asterisk counts each move as abandoned (F2)"
        await talker.hang_up()
        await asyncio.gather(*(caller.gone() for caller in (second, direct, third)))
    answered = [event.call_id for event in played.watch.events if isinstance(event, AgentConnected)]
    assert answered[1:] == [second.call_id, direct.call_id, third.call_id]
    moved = "chosen vaxel by 1 | vaxel moved | kc answered by guide | resolved | case for guide"
    assert [played.told(caller) for caller in (second, third)] == [moved, moved]
    given_up = "chosen vaxel by 1 | vaxel abandoned | abandoned"
    assert [played.told(caller) for caller in (first, later)] == [given_up, given_up]
    facts = played.of(second)
    at_switchboard, at_guides = facts.entries
    assert at_guides.answered_at is not None
    assert facts.wait is not None
    first_wait_s = (at_guides.answered_at - at_switchboard.joined_at).total_seconds()
    assert facts.wait.total_seconds() == pytest.approx(first_wait_s, abs=0.0011)
    assert [(move.to_queue, move.end) for move in facts.move_attempts] == [("kc", MoveEnd.LANDED)]
    await check_counts(town)


async def check_counts(town: Municipality) -> None:
    """See that the two moves of the first scenario are counted as moves and as nothing else."""
    switchboard = (await town.queue_status("vaxel"))["counts"]
    guides = (await town.queue_status("kc"))["counts"]
    assert isinstance(switchboard, dict)
    assert isinstance(guides, dict)
    assert (switchboard["moved_out"], switchboard["abandoned"]) == (2, 2)
    assert (guides["moved_in"], guides["abandoned"], guides["answered"]) == (2, 0, 4)
    figures = await metrics(town)
    labels = 'from_queue="vaxel",reason="vaxel-hog-last",system="pbx1",to_queue="kc"'
    assert figures[f"ivrd_queue_moves_total{{{labels}}}"] == 2


async def test_nobody_is_moved_to_where_nobody_serves(town: Municipality) -> None:
    before = await asked(town)
    async with scene(town, "overflow_target_paused") as played:
        await town.pbx.cli("queue pause member PJSIP/guide queue kc")
        callers = await join_in_turn(played, START + 1)
        await town.waiting("vaxel", START + 1)
        assert await asked(town) == before
        await town.pbx.cli("queue unpause member PJSIP/guide queue kc")
        await asyncio.gather(*(caller.gone() for caller in callers[1:]))
    assert await asked(town) == before + START
    assert [played.of(caller).outcome for caller in callers] == [
        Outcome.ABANDONED,
        *[Outcome.RESOLVED] * START,
    ]


async def test_hanging_up_while_being_moved(town: Municipality) -> None:
    before = await asked(town)
    async with scene(town, "hung_up_while_moved") as played:
        talker = await keep_guide_busy(played)
        callers = await join_in_turn(played, START)

        async def is_asked() -> bool:
            return await asked(town) > before

        await town.until(is_asked, what="a move is asked for")
        await asyncio.gather(*(caller.hang_up() for caller in callers))
        await talker.hang_up()
    for caller in callers:
        assert played.of(caller).outcome is Outcome.ABANDONED
    ends = {attempt.end for caller in callers for attempt in played.of(caller).move_attempts}
    assert ends <= {MoveEnd.HUNG_UP_FIRST, MoveEnd.LANDED}
    assert ends


BY_HAND = "ivrd-move kc by-hand"
"""What another AMI user, a supervisor's button say, gives as the withdraw's info."""


async def moved_by_hand(played: Scene) -> tuple[Caller, Caller]:
    """Return who still waits at the switchboard, and who was moved from there by somebody else."""
    first, moved = await join_in_turn(played, START - 1)
    await first.rang("vaxel")
    channel = (await moved.joined("vaxel")).channel
    async with LabAmi.connect(played.town.pbx) as ami:
        answer = await ami.ask(
            "QueueWithdrawCaller", Queue="vaxel", Caller=channel, WithdrawInfo=BY_HAND
        )
    assert answer["Response"] == "Success"
    await moved.joined("kc")
    await moved.gone()
    return first, moved


def check_moved_by_hand(played: Scene, moved: Caller) -> None:
    """See that it is a move, with its reason, in what is stored and in queue_log."""
    assert played.told(moved).replace(" (static)", "") == (
        "chosen vaxel by 1 | vaxel moved | kc answered by guide | resolved | case for guide"
    )
    facts = played.of(moved)
    assert facts.moves == 1
    assert [
        (move.from_queue, move.to_queue, move.reason, move.end) for move in facts.move_attempts
    ] == [("vaxel", "kc", "by-hand", MoveEnd.LANDED)]
    assert played.town.journal()[moved.call_id].stays == (
        JournalStay(queue=QueueName(SWITCHBOARD), end=JournalEnd.WITHDRAWN),
        JournalStay(queue=QueueName(GUIDES), end=JournalEnd.ANSWERED),
    )
    rows = played.town.pbx.queue_log.read_text(encoding="utf-8").splitlines()
    channel_id = moved.call_id.rpartition("/")[2]
    [withdrawn] = [row for row in rows if f"|{channel_id}|" in row and "|WITHDRAW|" in row]
    assert withdrawn.endswith(f"|{BY_HAND}")


async def counts_of(town: Municipality, queue: str) -> dict[str, int]:
    counts = (await town.queue_status(queue))["counts"]
    assert isinstance(counts, dict)
    return counts


async def moves_by_hand(town: Municipality) -> float:
    """Return a counter that goes on over a restart."""
    labels = 'from_queue="vaxel",reason="by-hand",system="pbx1",to_queue="kc"'
    return (await metrics(town)).get(f"ivrd_queue_moves_total{{{labels}}}", 0)


@pytest.mark.older_asterisk
async def test_moved_by_hand_is_a_move_and_nobody_has_abandoned(town: Municipality) -> None:
    asked_before, moves_before = await asked(town), await moves_by_hand(town)
    before = {queue: await counts_of(town, queue) for queue in (SWITCHBOARD, GUIDES)}
    async with scene(town, "moved_by_hand") as played:
        first, moved = await moved_by_hand(played)
        wanted = {
            **before[SWITCHBOARD],
            "offered": before[SWITCHBOARD]["offered"] + 2,
            "joined": before[SWITCHBOARD]["joined"] + 2,
            "moved_out": before[SWITCHBOARD]["moved_out"] + 1,
        }

        async def is_counted() -> bool:
            return await counts_of(town, SWITCHBOARD) == wanted

        await town.until(is_counted, what=f"ivrd counts {wanted}")
    check_moved_by_hand(played, moved)
    assert played.of(first).outcome is Outcome.ABANDONED
    assert await asked(town) == asked_before, "not by ivrd's own doing"
    guides = await counts_of(town, GUIDES)
    assert guides["moved_in"] == before[GUIDES]["moved_in"] + 1
    assert guides["abandoned"] == before[GUIDES]["abandoned"]
    assert await moves_by_hand(town) == moves_before + 1


async def is_kept(town: Municipality, decided: Sequence[CallFacts]) -> bool:
    [checkpoint] = town.directory.rglob("checkpoint-pbx1.json")
    kept = json.loads(checkpoint.read_text(encoding="utf-8"))
    taken_at = datetime.fromisoformat(kept["taken_at"])
    return all(facts.call_id in kept["finished"] or facts.ended_at < taken_at for facts in decided)


async def test_moved_by_hand_while_ivrd_was_away_is_the_same(town: Municipality) -> None:
    moves_before = await moves_by_hand(town)
    async with scene(town, is_orderly=False) as played:
        # A call decided since the last sample is told once more after a kill (checkpoint.py).
        decided = list(await town.facts())
        await town.until(
            functools.partial(is_kept, town, decided), what="the checkpoint knows what is decided"
        )
        await town.kill_daemon()
        first, moved = await moved_by_hand(played)
        await town.start_daemon()
        await town.waiting("vaxel", 1)
        await first.hang_up()
        await first.gone()
        await played.collect()
    check_moved_by_hand(played, moved)
    assert played.of(moved).is_from_journal
    assert played.of(first).outcome is Outcome.ABANDONED
    calls = {first.call_id, moved.call_id}
    assert await town.differing(list(played.facts.values()), calls=calls) == []
    assert await moves_by_hand(town) == moves_before + 1
