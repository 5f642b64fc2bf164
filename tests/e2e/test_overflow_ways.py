"""Every way that overflow can take on a real Asterisk: there, on, home, at the door, and back.

In each: nobody who was moved is counted as abandoned, by ivrd or by queue_log (`check_in_order`),
and who came first is answered first.
"""

import asyncio
import signal
from collections.abc import Sequence

import pytest

from ivrd.core.effects import Disposition, MoveEnd, Outcome
from ivrd.core.events import AgentConnected, AgentRang, CallerJoined, QueueExited
from tests.e2e.scene import EVENT_S_MAX, ROUNDS_MAX, Caller, Scene, metrics, scene, until_true
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import (
    GUIDES,
    PATIENT_NUMBER,
    PATIENT_S,
    SWITCHBOARD,
    Desk,
    FloorPlan,
)
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk, WaitForThem

pytestmark = pytest.mark.asyncio(loop_scope="module")

VA = "va"

QUICK = Talk(s=0.2)
UNTIL_THEY_GO = Talk(s=0.0, then=WaitForThem())

CHOICES = f"""
prompt = "huvudmeny"
choices = {{ 1 = "{SWITCHBOARD}", 2 = "{VA}", 3 = "full" }}
stay_choice = "{GUIDES}"
stay_after_s = """

WAY_IN = f"""
[[menus]]
name = "huvudmeny" {CHOICES} 1
[[menus]]
name = "talmodig" {CHOICES} {PATIENT_S}

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"
[[lines]]
name = "talmodig"
number = "{PATIENT_NUMBER}"
menu = "talmodig"

[[hours]]
name = "aldrig"
week = {{ mon-sun = "0.00-24.00" }}
exceptions = [ {{ first = 2020-01-01, last = 2090-01-01, open = "closed", reason = "Alltid" }} ]
"""

town = town_fixture(
    FloorPlan(
        desks=(
            Desk(name="silent", queue=SWITCHBOARD, answer=NoAnswer()),
            Desk(name="quiet", queue=VA, answer=NoAnswer()),
            Desk(name="guide", queue=GUIDES, answer=Ring(), talk=QUICK),
            Desk(name="shut", queue="stangd", answer=NoAnswer()),
            Desk(name="mute", queue="full", answer=NoAnswer()),
        ),
        # One ring outlasts each scenario; the first in line is not torn away.
        queue_settings={
            SWITCHBOARD: "timeout = 300",
            VA: "timeout = 300",
            "full": "maxlen = 1\ntimeout = 300",
        },
        queue_keys={
            SWITCHBOARD: "",
            VA: 'role = "switchboard"\nservice_level_threshold_s = 60\nfallback = "kc"',
            "stangd": 'role = "guide"\nservice_level_threshold_s = 60\nhours = "aldrig"',
            "tom": 'role = "guide"\nservice_level_threshold_s = 60\nfallback = "kc"',
            "full": 'role = "guide"\nservice_level_threshold_s = 60\nfallback = "kc"',
        },
        way_in=WAY_IN,
        patient_s=PATIENT_S,
        has_wire=True,
    )
)


def rule(name: str, *lines: str) -> str:
    """Return a rule as it stands in the configuration."""
    return "\n".join(["[[overflow]]", f'name = "{name}"', *lines, ""])


async def use(town: Municipality, *rules: str) -> None:
    """Let ivrd go by these rules, and by no others."""
    path = town.config_path
    text = path.read_text(encoding="utf-8").partition("[[overflow]]")[0]
    path.write_text(text + "\n".join(rules), encoding="utf-8")
    assert town.daemon is not None, "ivrd runs"
    before = town.daemon_log.read_text(encoding="utf-8").count("configuration_reloaded")
    town.daemon.send_signal(signal.SIGHUP)

    async def is_used() -> bool:
        log = town.daemon_log.read_text(encoding="utf-8")
        return log.count("configuration_reloaded") > before

    await town.until(is_used, what="the rules are in use")


async def come(played: Scene, keys: str, queue: str, count: int) -> list[Caller]:
    """Let so many wait in a queue, each after the one before; the first of them is rung for."""
    callers = []
    for number in range(count):
        callers.append(await played.ring(keys))
        await callers[-1].joined(queue)
        if number == 0:
            await callers[0].rang(queue)
    return callers


async def keep_guide_busy(played: Scene) -> Caller:
    """Let a citizen talk to the only guide until that citizen hangs up."""
    played.town.phones["guide"].talk = UNTIL_THEY_GO
    talker = await played.ring()
    await talker.talking(GUIDES)
    played.town.phones["guide"].talk = QUICK
    return talker


def answered(played: Scene) -> list[Caller]:
    """Return who was answered, in that order."""
    ids = [event.call_id for event in played.watch.events if isinstance(event, AgentConnected)]
    return [caller for call_id in ids for caller in played.callers if caller.call_id == call_id]


def stays(played: Scene, caller: Caller) -> list[str]:
    """Return a caller's stays, as stored."""
    return [f"{stay.queue} {stay.disposition.value}" for stay in played.of(caller).entries]


def ends(played: Scene, callers: Sequence[Caller]) -> list[MoveEnd]:
    """Return how each caller's moves ended."""
    return [move.end for caller in callers for move in played.of(caller).move_attempts]


TO_GUIDES = ('from_queue = "vaxel"', 'to_queue = "kc"', "start_waiting = 3", "stop_waiting = 1")


async def test_two_queues_move_to_the_guides_in_one_order(town: Municipality) -> None:
    await use(
        town,
        rule(
            "till-kc",
            'from_queues = ["vaxel", "va"]',
            'to_queue = "kc"',
            "start_waiting = 5",
            "stop_waiting = 2",
        ),
    )
    async with scene(town, "overflow_two_queues") as played:
        talker = await keep_guide_busy(played)
        first, second = await come(played, "1", SWITCHBOARD, 2)
        third, fourth, fifth = await come(played, "2", VA, 3)
        await asyncio.gather(*(one.joined(GUIDES) for one in (second, fourth, fifth)))
        await talker.hang_up()
        await asyncio.gather(*(one.gone() for one in (second, fourth, fifth)))
    assert answered(played)[1:] == [second, fourth, fifth]
    assert stays(played, second) == ["vaxel moved", "kc answered"]
    assert stays(played, fifth) == ["va moved", "kc answered"]
    assert stays(played, first) == ["vaxel abandoned"]
    assert stays(played, third) == ["va abandoned"]


async def test_callers_go_home_when_an_agent_is_free_there(town: Municipality) -> None:
    await use(town, rule("hem", *TO_GUIDES, "returns_home = true"))
    async with scene(town, "overflow_home") as played:
        talker = await keep_guide_busy(played)
        first, second, third = await come(played, "1", SWITCHBOARD, 3)
        await asyncio.gather(second.joined(GUIDES), third.joined(GUIDES))
        moved_at = len(played.watch.events)
        await first.hang_up()

        def is_home(event: CallerJoined) -> bool:
            return event.call_id == second.call_id and event.queue == SWITCHBOARD

        await played.watch.first(CallerJoined, is_home, start=moved_at)
        await second.rang(SWITCHBOARD)
        await talker.hang_up()
        await third.gone()
    assert stays(played, second) == ["vaxel moved", "kc moved", "vaxel abandoned"]
    assert stays(played, third) == ["vaxel moved", "kc answered"]
    assert ends(played, [second]) == [MoveEnd.LANDED, MoveEnd.LANDED]


async def test_a_chain_of_two_rules_moves_a_caller_twice(town: Municipality) -> None:
    twice = ("start_waiting = 2", "stop_waiting = 1", "moves_per_call = 2")
    await use(
        town,
        rule("forst", 'from_queue = "vaxel"', 'to_queue = "va"', *twice),
        rule("sedan", 'from_queue = "va"', 'to_queue = "kc"', *twice),
    )
    async with scene(town, "overflow_chain") as played:
        (other,) = await come(played, "2", VA, 1)
        first, second = await come(played, "1", SWITCHBOARD, 2)
        await second.joined(VA)
        await second.talking(GUIDES)
        await second.gone()
    assert stays(played, second) == ["vaxel moved", "va moved", "kc answered"]
    assert played.of(second).moves == 2
    assert stays(played, other) == ["va abandoned"]
    assert stays(played, first) == ["vaxel abandoned"]


async def test_nobody_is_sent_to_a_closed_queue_or_one_without_members(town: Municipality) -> None:
    await use(
        town,
        rule("till-stangd", *TO_GUIDES[:1], 'to_queue = "stangd"', *TO_GUIDES[2:]),
        rule("till-tom", *TO_GUIDES[:1], 'to_queues = ["tom", "kc"]', *TO_GUIDES[2:]),
    )
    async with scene(town) as played:
        first, second, third = await come(played, "1", SWITCHBOARD, 3)
        await asyncio.gather(second.gone(), third.gone())
    for caller in (second, third):
        assert stays(played, caller) == ["vaxel moved", "kc answered"]
    assert stays(played, first) == ["vaxel abandoned"]


@pytest.mark.older_asterisk
async def test_a_queue_that_refuses_puts_the_caller_back_in_place(town: Municipality) -> None:
    """ivrd cannot see before that it is full: `maxlen` is in no event."""
    await use(town, rule("till-full", *TO_GUIDES[:1], 'to_queue = "full"', *TO_GUIDES[2:]))
    async with scene(town, "overflow_refused") as played:
        blocker = await played.ring("3")
        await blocker.rang("full")
        first, second, third = await come(played, "1", SWITCHBOARD, 3)

        def is_back(event: CallerJoined) -> bool:
            return event.call_id == second.call_id and event.queue == SWITCHBOARD

        refused = await played.watch.first(
            QueueExited, lambda event: event.call_id == second.call_id and event.status == "FULL"
        )
        back_at = played.watch.events.index(refused)
        back = await played.watch.first(CallerJoined, is_back, start=back_at)
        assert back.position == 2, "before the third, who came later"
        await blocker.hang_up()
        await blocker.gone()
    assert stays(played, second) == ["vaxel moved", "full full", "vaxel abandoned"]
    assert MoveEnd.REFUSED in ends(played, [second])
    figures = await metrics(town)
    labels = 'end="refused",from_queue="vaxel",reason="till-full",system="pbx1",to_queue="full"'
    assert figures[f"ivrd_queue_move_failures_total{{{labels}}}"] >= 1
    assert first in played.callers
    assert third in played.callers


DOOR = ("diverts_at_entry = true", "moves_waiting = false")


@pytest.mark.older_asterisk
async def test_callers_at_the_door_are_sent_on_while_the_rule_is_in_force(
    town: Municipality,
) -> None:
    await use(town, rule("dorr", *TO_GUIDES[:2], "start_waiting = 2", "stop_waiting = 1", *DOOR))
    async with scene(town, "overflow_door") as played:
        first, second = await come(played, "1", SWITCHBOARD, 2)
        await town.waiting(SWITCHBOARD, 2)
        await told_to_dialplan(town, "kc dorr")
        third = await played.ring("1")
        await third.gone()
        await town.pbx.cli("queue pause member PJSIP/guide queue kc")
        await told_to_dialplan(town, "")
        fourth = await played.ring("1")
        await fourth.joined(SWITCHBOARD)
        await town.pbx.cli("queue unpause member PJSIP/guide queue kc")
        await told_to_dialplan(town, "kc dorr")
        await asyncio.gather(second.hang_up(), fourth.hang_up())
        await told_to_dialplan(town, "")
    assert stays(played, third) == ["vaxel diverted", "kc answered"]
    facts = played.of(third)
    assert (facts.outcome, facts.moves) == (Outcome.RESOLVED, 0)
    assert facts.entries[0].entry_wait is None
    assert [stays(played, one) for one in (first, second, fourth)] == [["vaxel abandoned"]] * 3
    counts = (await town.queue_status(SWITCHBOARD))["counts"]
    assert isinstance(counts, dict)
    assert counts["diverted"] == 1


async def told_to_dialplan(town: Municipality, value: str) -> None:
    """Wait until the dialplan would send callers at the switchboard's door there."""

    async def is_told() -> bool:
        shown = await town.pbx.cli("dialplan show globals")
        found = [line.strip() for line in shown.splitlines() if "IVRD_DIVERT_vaxel" in line]
        return found == [f"IVRD_DIVERT_vaxel={value}"]

    await town.until(is_told, what=f"the dialplan is told {value!r}")


async def test_without_ivrd_nobody_is_sent_on(town: Municipality) -> None:
    await use(town, rule("dorr", *TO_GUIDES[:2], "start_waiting = 1", "stop_waiting = 0", *DOOR))
    async with scene(town, is_orderly=False) as played:
        (first,) = await come(played, "1", SWITCHBOARD, 1)
        await told_to_dialplan(town, "kc dorr")
        diverted = await played.ring("1")
        await diverted.gone()
        await town.stop_daemon()
        second = await played.ring("1")
        await second.joined(SWITCHBOARD)
        await asyncio.gather(first.hang_up(), second.hang_up())
        await asyncio.gather(first.gone(), second.gone())
        await town.start_daemon()
        await told_to_dialplan(town, "")
        await played.collect()
    assert stays(played, diverted) == ["vaxel diverted", "kc answered"]
    assert stays(played, second) == ["vaxel abandoned"]
    calls = {caller.call_id for caller in played.callers}
    assert await town.differing(list(played.facts.values()), calls=calls) == []


async def test_a_divert_in_a_gap_is_told_by_the_journal(town: Municipality) -> None:
    await use(town, rule("dorr", *TO_GUIDES[:2], "start_waiting = 1", "stop_waiting = 0", *DOOR))
    async with scene(town, is_orderly=False) as played:
        (first,) = await come(played, "1", SWITCHBOARD, 1)
        await told_to_dialplan(town, "kc dorr")
        await town.kill_daemon()  # The heartbeat is fresh for some seconds yet.
        diverted = await played.ring("1")
        await diverted.talking(GUIDES)
        await diverted.gone()
        await town.start_daemon()
        await first.hang_up()
        await first.gone()
        await played.collect()
    assert stays(played, diverted) == ["vaxel diverted", "kc answered"]
    assert played.of(diverted).is_from_journal
    assert played.of(diverted).entries[0].disposition is Disposition.DIVERTED


async def test_a_guide_who_answers_during_the_move_keeps_the_caller(town: Municipality) -> None:
    """Forced: what the PBX tells comes late, so ivrd asks while the guide's phone rings already.

    Asterisk accepts the request, and looks at it only when the ringing has ended in vain.
    """
    await use(
        town,
        rule(
            "sent",
            'from_queue = "kc"',
            'to_queue = "va"',
            "start_longest_wait_s = 3",
            "stop_longest_wait_s = 1",
        ),
    )
    before = await counted(town, GUIDES)
    async with scene(town) as played:
        for _ in range(RACES_MAX):
            caller = await race(played)
            if caller is not None:
                break
        else:
            pytest.fail(f"the guide's phone never rang before the move, in {RACES_MAX} rounds")
    assert played.told(caller) == "stayed kc | kc answered by guide | resolved | case for guide"
    facts = played.of(caller)
    assert [(move.reason, move.end) for move in facts.move_attempts] == [
        ("sent", MoveEnd.ANSWERED_FIRST)
    ]
    assert facts.moves == 0
    after = await counted(town, GUIDES)
    assert after["abandoned"] == before["abandoned"]
    assert after["answered"] >= before["answered"] + 1


REQUESTED = b"Withdraw requested successfully"

RACES_MAX = 5
"""A phone rings within a second of its agent's coming back, and the rule waits for three: only on a
machine that stands still is the move first."""


async def race(played: Scene) -> Caller | None:
    """Let the guide answer a caller while our move is asked for; None when the move was first."""
    town, guide = played.town, played.town.phones["guide"]
    wire = town.wire
    assert wire is not None
    await town.pbx.cli("queue pause member PJSIP/guide queue kc")
    guide.answer_policy = NoAnswer()
    guide.forget_incoming()
    caller = await played.ring()
    await caller.joined(GUIDES)
    await town.waiting(GUIDES, 1)
    with wire.slow():
        await town.pbx.cli("queue unpause member PJSIP/guide queue kc")
        await until_true(lambda: wire.has_kept_back(REQUESTED), what="the move is asked for")
        is_ringing = any(
            isinstance(event, AgentRang) and event.call_id == caller.call_id
            for event in played.watch.events
        )
        if is_ringing:
            (await guide.next_call(EVENT_S_MAX)).answer()
            await caller.talking(GUIDES)
    guide.answer_policy = Ring()
    if not is_ringing:
        await caller.joined(VA)
    await caller.hang_up()
    return caller if is_ringing else None


async def counted(town: Municipality, queue: str) -> dict[str, int]:
    """Return what ivrd has counted of a queue."""
    counts = (await town.queue_status(queue))["counts"]
    assert isinstance(counts, dict)
    return counts


async def test_after_a_restart_nobody_is_moved_twice(town: Municipality) -> None:
    await use(
        town,
        rule("till-kc", *TO_GUIDES[:2], "start_waiting = 2", "stop_waiting = 1"),
        rule(
            "vidare", 'from_queue = "kc"', 'to_queue = "va"', "start_waiting = 1\nstop_waiting = 0"
        ),
    )
    async with scene(town, is_orderly=False) as played:
        talker = await keep_guide_busy(played)
        first, second = await come(played, "1", SWITCHBOARD, 2)
        await second.joined(GUIDES)
        await town.kill_daemon()
        await town.start_daemon()
        await town.waiting(GUIDES, 1)
        third = await played.ring()  # One more for the rule to look at, and to move.
        await third.joined(VA)
        await talker.hang_up()
        await second.talking(GUIDES)
        await second.gone()
        await asyncio.gather(first.hang_up(), third.hang_up())
        await asyncio.gather(first.gone(), third.gone())
        await played.collect()
    assert stays(played, second) == ["vaxel moved", "kc answered"]
    assert stays(played, third) == ["kc moved", "va abandoned"]
    calls = {caller.call_id for caller in played.callers}
    assert await town.differing(list(played.facts.values()), calls=calls) == []


async def test_a_wait_that_grows_long_moves_without_any_event(town: Municipality) -> None:
    await use(
        town,
        rule("lange", *TO_GUIDES[:2], "start_longest_wait_s = 3", "stop_longest_wait_s = 1"),
    )
    async with scene(town, "overflow_long_wait") as played:
        for _ in range(ROUNDS_MAX):
            first, second = await come(played, "1", SWITCHBOARD, 2)
            # The first in line is who has waited longest, and is rung for.
            joined = await first.joined(SWITCHBOARD)
            moved = await second.joined(GUIDES)
            waited_s = (moved.at - joined.at).total_seconds()
            await second.gone()
            await first.hang_up()
            await first.gone()
            assert waited_s > 2.0
            if waited_s < 6.0:
                break
    assert waited_s < 6.0
    assert stays(played, second) == ["vaxel moved", "kc answered"]
    assert stays(played, first) == ["vaxel abandoned"], "rung for, and so left alone"
