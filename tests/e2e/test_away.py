"""ivrd away, frozen, killed, restarted; and Asterisk restarted under it. No caller is lost."""

import asyncio
import contextlib
import dataclasses
import signal
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ivrd.core.effects import Disposition, MoveEnd, Outcome
from ivrd.core.events import AgentConnected, ChoiceMade
from ivrd.core.ids import CallId
from ivrd.core.journal_story import JournalEnd
from tests.e2e.scene import ROUNDS_MAX, Caller, Scene, metrics, scene, troubles, until_true
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import PATIENT_NUMBER, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.2))
SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())

PATIENT_S = 4
"""Of who must be in the menu for a while, and then stays; short enough to wait for."""

town = town_fixture(
    FloorPlan(
        desks=(GUIDE, SILENT),
        start_waiting=3,
        patient_s=PATIENT_S,
        queue_settings={"vaxel": "timeout = 300"},
    )
)

ANSWER_S = 0.6
"""Answer() waits half a second for media."""

STAY_S = 1.0

SLACK_S = 1.5
"""For a busy machine; still far below any time-out that could hide behind it."""


async def choice_of(played: Scene, caller: Caller) -> ChoiceMade:
    return await played.watch.first(ChoiceMade, lambda e: e.call_id == caller.call_id)


Meanwhile = Callable[[], contextlib.AbstractAsyncContextManager[None]]


async def stays_statically(
    played: Scene, *, within_s: float, meanwhile: Meanwhile = contextlib.nullcontext
) -> Caller:
    """Let a citizen stay, and see the static menu lead to the guides within that time.

    Args:
        played: Where.
        within_s: What one of ROUNDS_MAX citizens must not exceed.
        meanwhile: What is so while each is on the way.
    """
    for _ in range(ROUNDS_MAX):
        async with meanwhile():
            caller = await played.ring()
            rang_at = time.monotonic()
            await caller.joined("kc")
            took_s = time.monotonic() - rang_at
        choice = await choice_of(played, caller)
        assert (choice.is_static, choice.outcome) == (True, "stayed")
        if took_s < within_s:
            return caller
        await caller.hang_up()
        await caller.gone()
    pytest.fail(f"{ROUNDS_MAX} citizens waited longer than {within_s} s, the last {took_s} s")


async def pause_guide(town: Municipality) -> None:
    await town.pbx.cli("queue pause member PJSIP/guide queue kc")


async def unpause_guide(town: Municipality) -> None:
    await town.pbx.cli("queue unpause member PJSIP/guide queue kc")


async def test_stopped_in_order_says_so_at_once(town: Municipality) -> None:
    assert await town.stop_daemon() == 0

    async def is_told() -> bool:
        shown = await town.pbx.cli("dialplan show globals")
        return "IVRD_HEARTBEAT=0" in shown.replace(" ", "")

    # It says so with its last words, and does not wait for an answer.
    await town.until(is_told, what="ivrd has said that it goes")
    async with scene(town, "static_menu", is_orderly=False) as played:
        stayed, chosen, wrong = await asyncio.gather(
            stays_statically(played, within_s=STAY_S + SLACK_S),
            played.ring("1"),
            played.ring("55"),
        )
        await chosen.joined("vaxel")
        await asyncio.gather(stayed.talking("kc"), wrong.talking("kc"))
        await asyncio.gather(stayed.gone(), wrong.gone())
        assert (await choice_of(played, wrong)).outcome == "gave_up"
        assert (await choice_of(played, chosen)).is_static
    wanted = {
        stayed.call_id: JournalEnd.ANSWERED,
        wrong.call_id: JournalEnd.ANSWERED,
        chosen.call_id: JournalEnd.ABANDONED,
    }
    ends = {}

    async def are_written() -> bool:
        stays = {call_id: story.stays for call_id, story in town.journal().items()}
        ends.update({call_id: stays[call_id][-1].end for call_id in wanted if stays.get(call_id)})
        return ends == wanted

    await town.until(are_written, what=f"queue_log has the ends {wanted}, not {ends}")
    await town.start_daemon()


async def test_agi_port_closed_while_the_heartbeat_is_fresh(town: Municipality) -> None:
    await town.kill_daemon()
    async with scene(town, is_orderly=False) as played:

        @contextlib.asynccontextmanager
        async def a_fresh_heartbeat() -> AsyncIterator[None]:
            await town.pbx.cli(f"dialplan set global IVRD_HEARTBEAT {int(time.time())}")
            yield

        caller = await stays_statically(
            played, within_s=STAY_S + SLACK_S, meanwhile=a_fresh_heartbeat
        )
        await caller.gone()
    await town.start_daemon()


async def test_frozen_costs_a_caller_two_seconds(town: Municipality) -> None:
    daemon = town.daemon
    assert daemon is not None

    @contextlib.asynccontextmanager
    async def frozen() -> AsyncIterator[None]:
        await town.until(town.is_ready, what="its heartbeat is fresh")
        daemon.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            # Before its own ping is late (5 s): then it would begin a new connection, as it should.
            daemon.send_signal(signal.SIGCONT)

    # Not orderly: a freeze may cost the AMI connection, and then queue_log tells, to the second.
    async with scene(town, "static_menu_while_frozen", is_orderly=False) as played:
        caller = await stays_statically(played, within_s=2.0 + STAY_S + SLACK_S, meanwhile=frozen)
        await caller.gone()
        await played.collect()
    # It wakes up, learns what it missed one way or the other, and stores the call.
    assert played.told(caller) == (
        "stayed kc (static) | kc answered by guide | resolved | case for guide"
    )
    facts = await town.facts()
    ours = CallId(caller.call_id)
    assert ours in {call.call_id for call in facts}
    assert await town.differing(facts, calls={ours}) == []


@pytest.mark.older_asterisk
async def test_killed_in_the_middle_of_menus_and_queues(town: Municipality) -> None:
    await pause_guide(town)
    async with scene(town, "killed", is_orderly=False) as played:
        waiting = await played.ring()
        await waiting.joined("kc")
        await town.waiting("kc", 1)
        # Both are in the menu of the daemon when it dies.
        stays, also_stays = await asyncio.gather(
            *(played.ring(line=PATIENT_NUMBER) for _ in range(2))
        )
        await town.kill_daemon()
        killed_at = time.monotonic()
        # By the end of the connection, not by the limit of a session, which is minutes.
        await stays.joined("kc")
        await also_stays.joined("kc")
        for caller in (stays, also_stays):
            assert (await choice_of(played, caller)).is_static
        newcomer = await played.ring("1")
        await newcomer.joined("vaxel")

        await town.start_daemon()
        await town.waiting("kc", 3)
        await town.waiting("vaxel", 1)
        since_kill_s = time.monotonic() - killed_at
        longest_wait_s = (await town.queue_status("kc"))["longest_wait_s"]
        assert isinstance(longest_wait_s, float)
        assert longest_wait_s >= since_kill_s - 1.1, "its wait is known again"
        await unpause_guide(town)
        await asyncio.gather(*(caller.gone() for caller in (waiting, stays, also_stays)))
        await newcomer.hang_up()
        await newcomer.gone()
        await played.collect()
    for caller in (waiting, stays, also_stays):
        facts = played.of(caller)
        assert facts.outcome is Outcome.RESOLVED
        assert [case.agent for case in facts.cases] == ["guide"]
    assert played.of(waiting).wait is not None
    assert played.of(waiting).wait >= timedelta(seconds=longest_wait_s - 1)
    assert played.of(newcomer).outcome is Outcome.ABANDONED
    assert "Traceback" not in town.daemon_log.read_text(encoding="utf-8")


async def test_answered_before_the_withdraw_took_effect(town: Municipality) -> None:
    # After a restart ivrd cannot know that a phone rings for a waiting caller, and asks to move.
    async with scene(town, "answered_first", is_orderly=False) as played:
        await town.kill_daemon()
        callers = []
        for _ in range(3):
            callers.append(await played.ring("1"))
            await callers[-1].joined("vaxel")
        await callers[0].rang("vaxel")
        await town.start_daemon()
        await asyncio.gather(*(caller.joined("kc") for caller in callers[1:2]))
        town.phones["silent"].calls[-1].answer()
        await callers[0].talking("vaxel")
        await asyncio.gather(*(caller.hang_up() for caller in callers if caller.line.is_live))
        await asyncio.gather(*(caller.gone() for caller in callers))
        await played.collect()
    answered = played.of(callers[0])
    assert answered.outcome is Outcome.SWITCHBOARD
    assert [move.end for move in answered.move_attempts] == [MoveEnd.ANSWERED_FIRST]
    assert answered.moves == 0


async def test_asterisk_restarted_under_a_running_daemon(town: Municipality) -> None:
    async with scene(town, is_orderly=False) as played:
        lost = await played.ring("1")
        await lost.joined("vaxel")
        await town.waiting("vaxel", 1)
        await town.pbx.kill()

        async def is_out_of_step() -> bool:
            return not await town.is_ready()

        await town.until(is_out_of_step, what="ivrd says that it is not ready")
        figures = await metrics(town)
        assert not [name for name in figures if name.startswith("ivrd_queue_callers")]
        assert (await town.queue_status("vaxel"))["waiting"] is None
        played.callers.clear()
        await town.pbx.resume()
        await town.until(town.is_ready, what="ivrd is ready again", within_s=60)
    async with scene(town) as after:
        caller = await after.ring()
        await caller.gone()
    assert after.told(caller) == "stayed kc | kc answered by guide | resolved | case for guide"
    facts = {facts.call_id: facts for facts in await town.facts()}[CallId(lost.call_id)]
    assert facts.outcome is Outcome.UNKNOWN
    assert [entry.disposition for entry in facts.entries] == [Disposition.UNKNOWN]
    assert facts.entries[0].wait is None, "no wait is invented"
    figures = await metrics(town)
    assert figures['ivrd_queue_callers{queue="vaxel",system="pbx1"}'] == 0
    assert all("ami_connection_failed" in line for line in troubles(town))


async def test_never_started_and_started_late() -> None:
    # One ring outlasts the start of a daemon on a busy machine.
    plan = FloorPlan(
        desks=(dataclasses.replace(GUIDE, answer=NoAnswer()),),
        queue_settings={"kc": "timeout = 300"},
    )
    async with Municipality.start(plan, with_daemon=False) as late:
        async with scene(late, "never_started", is_orderly=False) as played:
            caller = await stays_statically(played, within_s=STAY_S + SLACK_S)
            await caller.rang("kc")
            await late.start_daemon()
            await late.waiting("kc", 1)
            late.phones["guide"].calls[-1].answer()
            await caller.talking("kc")
            await caller.hang_up()
            await caller.gone()
            await played.collect()
        facts = played.of(caller)
        assert (facts.outcome, facts.line, len(facts.cases)) == (Outcome.RESOLVED, None, 1)
        connected = [e for e in played.watch.events if isinstance(e, AgentConnected)]
        assert facts.entries[0].answered_at == connected[0].at
        assert troubles(late) == []


def checkpoints(town: Municipality) -> list[Path]:
    return list(town.directory.rglob("checkpoint-pbx1.json"))


async def test_a_lost_checkpoint_costs_no_call() -> None:
    async with Municipality.start(FloorPlan(desks=(GUIDE,), patient_s=30)) as lost:
        async with scene(lost) as played:
            before = await played.ring()
            await before.gone()
        async with scene(lost, is_orderly=False) as played:
            await until_true(lambda: bool(checkpoints(lost)), what="there is a checkpoint")
            await lost.kill_daemon()
            [checkpoint] = checkpoints(lost)
            checkpoint.unlink()

            async def gives_up() -> Caller:
                caller = await played.ring(line=PATIENT_NUMBER)
                await caller.hang_up()
                return caller

            resolved, gave_up = await asyncio.gather(played.ring(), gives_up())
            await asyncio.gather(resolved.gone(), gave_up.gone())
            await lost.start_daemon()
            await played.collect()
        assert played.of(resolved).outcome is Outcome.RESOLVED
        assert [case.agent for case in played.of(resolved).cases] == ["guide"]
        assert played.of(gave_up).outcome is Outcome.MENU_HANGUP
        facts = await lost.facts()
        assert sorted(call.call_id for call in facts) == sorted(
            caller.call_id for caller in (before, resolved, gave_up)
        )
        assert await lost.differing(facts) == []
        figures = await metrics(lost)
        assert figures['ivrd_gap_faults_total{kind="unknown_call",system="pbx1"}'] == 0


async def test_calls_of_before_the_very_first_start_are_counted_as_unknown() -> None:
    plan = FloorPlan(desks=(GUIDE,))
    async with Municipality.start(plan, with_daemon=False) as late:
        async with scene(late, is_orderly=False) as played:
            caller = await played.ring()
            await caller.gone()
            await late.start_daemon()
            assert await late.facts() == []
        figures = await metrics(late)
        assert figures['ivrd_gap_faults_total{kind="unknown_call",system="pbx1"}'] == 1
