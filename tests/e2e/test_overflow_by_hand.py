"""A rule tried in a dry run, then switched on; one caller moved by hand; and all explained."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ivrd import config as ivrd_config
from ivrd.core.effects import MoveEnd, Outcome
from ivrd.core.switches import ActOutcome
from ivrd.db.connection import open_engine
from ivrd.db.facts import ActFacts, acts_of
from tests.e2e.scene import Caller, Scene, metrics, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import PATIENT_S, Desk, FloorPlan
from tests.lab.municipality import REPOSITORY, Municipality
from tests.lab.phone import NoAnswer, Ring, Talk, WaitForThem

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = "vaxel-hog-last"
START, STOP = 3, 1
SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())
GUIDE = Desk(name="guide", queue="kc", answer=Ring(), talk=Talk(s=0.2))
COMMAND_S_MAX = 120.0

town = town_fixture(
    FloorPlan(
        desks=(SILENT, GUIDE),
        start_waiting=START,
        stop_waiting=STOP,
        patient_s=PATIENT_S,
        # One ring at the switchboard outlasts the scenario.
        queue_settings={"vaxel": "timeout = 300"},
        rtp_port_count=100,
    )
)


async def typed(town: Municipality, *words: str) -> tuple[int, str]:
    """Return the exit status of `ivrd overflow`, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivrd", "overflow", *words, "--config", str(town.config_path)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(COMMAND_S_MAX):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def switch(town: Municipality, stand: str, reason: str) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    status, said = await typed(town, "rule", RULE, stand, "--until", until, "--reason", reason)
    assert status == 0, said


async def explained(town: Municipality, caller: Caller, *, until: str) -> str:
    """Return the explanation of a call, once it says so much."""
    told = ""

    async def is_told() -> bool:
        nonlocal told
        _, told = await typed(town, "explain", caller.call_id.rpartition("/")[2])
        return until in told

    await town.until(is_told, what=f"explain says {until!r}", within_s=150)
    return told


async def whats(town: Municipality, caller: Caller) -> list[tuple[str, str, bool]]:
    """Return what was decided, by which rule, and whether in a dry run."""
    status, said = await typed(town, "explain", caller.call_id, "--json")
    assert status == 0, said
    decisions = json.loads(said)["decisions"]
    return [
        (one["what"], one["rule"], one["is_dry_run"])
        for one in decisions
        if not one["is_about_rule"]
    ]


async def join_in_turn(played: Scene, count: int) -> list[Caller]:
    callers = []
    for _ in range(count):
        callers.append(await played.ring("1"))
        await callers[-1].joined("vaxel")
    return callers


async def asked(town: Municipality) -> float:
    return (await metrics(town))['ivrd_ami_moves_asked_total{system="pbx1"}']


async def acts(town: Municipality) -> list[ActFacts]:
    engine = open_engine(ivrd_config.load(town.config_path).database)
    day, now = timedelta(days=1), datetime.now(UTC)
    try:
        return list(reversed(await acts_of(engine, since=now - day, until=now + day)))
    finally:
        await engine.dispose()


async def test_a_dry_run_moves_nobody_and_a_hand_moves_one(town: Municipality) -> None:
    await switch(town, "dry-run", "Prov")
    async with scene(town, "overflow_by_hand") as played:
        town.phones["guide"].talk = Talk(s=0.0, then=WaitForThem())
        talker = await played.ring()
        await talker.talking("kc")
        town.phones["guide"].talk = GUIDE.talk

        first, second, third = await join_in_turn(played, START)
        await first.rang("vaxel")
        told = await explained(town, second, until="Torrkörning: hade flyttats från vaxel till kc")
        assert "Torrkörning: Regeln vaxel-hog-last började gälla: väntande 3 (gräns 3)." in told
        assert "Ingen flyttades." in told
        assert await asked(town) == 0

        await switch(town, "on", "Provet gick bra")
        await asyncio.gather(second.joined("kc"), third.joined("kc"))
        told = await explained(town, second, until="Framme i kc")
        assert told.index("Torrkörning: hade") < told.index("Ska flyttas från vaxel till kc, av")

        status, said = await typed(
            town, "move", first.call_id, "--to", "kc", "--reason", "Har ringt förut"
        )
        assert (status, "is being offered to an agent of vaxel right now" in said) == (1, True)
        (later,) = await join_in_turn(played, 1)
        for words, sentence in (
            ((later.call_id, "--to", "va"), "no queue is named 'va'"),
            ((talker.call_id, "--to", "vaxel"), "guide in kc has answered"),
        ):
            status, said = await typed(town, "move", *words, "--reason", "Prov")
            assert (status, sentence in said) == (1, True), said
        status, said = await typed(
            town, "move", later.call_id.rpartition("/")[2], "--to", "kc", "--reason", "Sjuk"
        )
        assert (status, "the caller is there" in said) == (0, True), said
        await later.joined("kc")
        await explained(town, later, until="Framme i kc")
        await talker.hang_up()
        await asyncio.gather(*(caller.gone() for caller in (second, third, later)))
    await check_stored(played, second, third, later)
    assert played.of(first).outcome is Outcome.ABANDONED
    moved = [("asked", RULE, True), ("asked", RULE, False), ("landed", RULE, False)]
    assert await whats(town, second) == moved
    assert [what for what, _, _ in await whats(town, first)][-1] == "not_asked"
    assert (await whats(town, later))[-2:] == [
        ("asked", "by-hand", False),
        ("landed", "by-hand", False),
    ]
    gone = await typed(town, "move", later.call_id, "--to", "kc", "--reason", "Prov")
    assert gone == (1, f"ivrd: {later.call_id}: no live call has the id '{later.call_id}'\n")
    told = await explained(town, later, until="för hand av")
    assert "(skäl: Sjuk)" in told
    await check_audit(town, first, later)


async def check_stored(played: Scene, *moved: Caller) -> None:
    """See that each was moved once, answered there, and that queue_log tells the same."""
    reasons = [RULE, RULE, "by-hand"]
    for caller, reason in zip(moved, reasons, strict=True):
        facts = played.of(caller)
        assert played.told(caller) == (
            "chosen vaxel by 1 | vaxel moved | kc answered by guide | resolved | case for guide"
        )
        [attempt] = facts.move_attempts
        assert (attempt.to_queue, attempt.reason, attempt.end) == ("kc", reason, MoveEnd.LANDED)
    calls = {caller.call_id for caller in moved}
    assert await played.town.differing(list(played.facts.values()), calls=calls) == []


async def check_audit(town: Municipality, first: Caller, later: Caller) -> None:
    rows = [(row.act, row.subject, row.outcome) for row in await acts(town)]
    assert rows[:3] == [
        ("rule_dry_run", f"rule {RULE}", ActOutcome.DONE),
        ("rule_on", f"rule {RULE}", ActOutcome.DONE),
        ("move_caller", f"call {first.call_id} to kc", ActOutcome.REFUSED),
    ]
    assert rows[-1] == ("move_caller", f"call {later.call_id} to kc", ActOutcome.DONE)


async def test_a_rule_that_is_off_moves_nobody_after_a_crash_either(town: Municipality) -> None:
    await switch(town, "off", "Utbildning")
    async with scene(town, is_orderly=False) as played:
        await town.kill_daemon()
        callers = await join_in_turn(played, START)
        await town.start_daemon()
        await town.waiting("vaxel", START)
        assert await asked(town) == 0
        status, said = await typed(town, "rule", RULE, "release")
        assert (status, said) == (0, f"rule {RULE}: follows its configuration\n")
        # The first is offered to an agent since before the restart, and so not torn away.
        first, second, third = callers
        await second.gone()
        await asyncio.gather(first.hang_up(), third.hang_up())
        await asyncio.gather(first.gone(), third.gone())
        await played.collect()
    assert played.of(first).outcome is Outcome.ABANDONED
    assert played.of(second).outcome is Outcome.RESOLVED
    [attempt] = played.of(second).move_attempts
    assert (attempt.reason, attempt.end) == (RULE, MoveEnd.LANDED)
