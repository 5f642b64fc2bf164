"""Ways out of a queue: answered by whom, abandoned, timed out, refused."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from ivrd.core.effects import Outcome
from ivrd.core.events import AgentRang, AgentRingEnded
from tests.e2e.scene import Caller, metrics, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import PATIENT_S, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk, WaitForThem

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.5))
OPERATOR = dataclasses.replace(GUIDE, name="op", queue="vaxel")
SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())

MILLISECOND = timedelta(milliseconds=1)
"""The database rounds to it."""

town = town_fixture(
    FloorPlan(
        desks=(GUIDE, OPERATOR),
        patient_s=PATIENT_S,
        switchboard_fallback=None,
        queue_settings={"vaxel": "joinempty = paused\n"},
    )
)


async def test_a_guide_resolves_and_the_switchboard_connects(town: Municipality) -> None:
    async with scene(town, "answered") as played:
        to_guide, to_switchboard = await asyncio.gather(played.ring(), played.ring("1"))
        connected = await to_guide.talking("kc")
        await to_guide.gone()
        was_gone_at = town.pbx.now()
        await to_switchboard.gone()
    assert played.told(to_guide) == ("stayed kc | kc answered by guide | resolved | case for guide")
    assert played.told(to_switchboard) == ("chosen vaxel by 1 | vaxel answered by op | switchboard")
    facts = played.of(to_guide)
    (entry,) = facts.entries
    assert entry.answered_at == connected.at
    assert entry.talk is not None
    # From Asterisk's word of the answer; the guide hung up, and then the caller was gone.
    hung_up = town.phones["guide"].calls[-1].story.first("bye_sent")
    assert hung_up is not None
    ahead = town.pbx.now() - datetime.now(UTC)
    assert hung_up.at + ahead - connected.at - MILLISECOND < entry.talk
    assert entry.talk < was_gone_at - connected.at + MILLISECOND
    figures = await metrics(town)
    labels = 'department="",queue="kc",rule="resolved-by-guide",system="pbx1"'
    assert figures[f"ivrd_cases_opened_total{{{labels}}}"] >= 1


async def test_the_caller_hangs_up_on_the_guide(town: Municipality) -> None:
    town.phones["guide"].talk = Talk(s=0.0, then=WaitForThem())
    try:
        async with scene(town, "caller_hung_up_on_guide") as played:
            caller = await played.ring()
            await caller.talking("kc")
            await caller.hang_up()
    finally:
        town.phones["guide"].talk = GUIDE.talk
    assert played.told(caller) == "stayed kc | kc answered by guide | resolved | case for guide"


async def test_without_a_fallback_the_call_ends_unserved(town: Municipality) -> None:
    await town.pbx.cli("queue pause member PJSIP/op queue vaxel")
    async with scene(town, "unserved") as played:
        caller = await played.ring("1")
        await caller.gone()
    await town.pbx.cli("queue unpause member PJSIP/op queue vaxel")
    assert played.told(caller) == "chosen vaxel by 1 | vaxel join_empty | unserved"
    assert played.of(caller).outcome is Outcome.UNSERVED


TIMEOUT_S = 8
"""Longer than what must be done meanwhile takes on a busy machine."""

SHORT_S = 3

QUIET = FloorPlan(
    desks=(
        SILENT,
        dataclasses.replace(OPERATOR, name="late", queue="none yet"),
        dataclasses.replace(GUIDE, talk=Talk(s=0.2)),
    ),
    patient_s=PATIENT_S,
    switchboard_timeout_s=TIMEOUT_S,
    short_abandon_s=SHORT_S,
    queue_settings={
        "vaxel": "timeout = 1\nmaxlen = 2\njoinempty = paused\nleavewhenempty = paused\n"
    },
)
"""At the switchboard nobody answers; a guide is there for whom it sends on."""

quiet_town = town_fixture(QUIET, is_within_a_day=True)

SENT_ON = "kc answered by guide | resolved | case for guide"


async def test_giving_up_soon_and_late(quiet_town: Municipality) -> None:
    async with scene(quiet_town, "abandoned") as played:

        async def comes() -> Caller:
            caller = await played.ring("1")
            await caller.joined("vaxel")
            return caller

        async def gives_up_at_once() -> Caller:
            caller = await comes()
            await caller.hang_up()
            return caller

        soon, late = await asyncio.gather(gives_up_at_once(), comes())

        async def has_waited() -> bool:
            waited_s = (await quiet_town.queue_status("vaxel"))["longest_wait_s"]
            return isinstance(waited_s, float) and waited_s > SHORT_S + 0.2

        await quiet_town.until(has_waited, what="the other has waited longer")
        await late.hang_up()
    for caller in (soon, late):
        assert played.told(caller) == "chosen vaxel by 1 | vaxel abandoned | abandoned"
    counts = (await quiet_town.queue_status("vaxel"))["counts"]
    assert isinstance(counts, dict)
    assert (counts["abandoned"], counts["short_abandons"], counts["abandoned_within"]) == (2, 1, 2)


async def test_timing_out_leads_to_the_fallback(quiet_town: Municipality) -> None:
    async with scene(quiet_town, "timed_out") as played:
        began_at = quiet_town.pbx.now()
        caller = await played.ring("1")
        left_in_vain = await caller.joined("kc")
        left_by = quiet_town.pbx.now()
        await caller.gone()
    assert played.told(caller) == f"chosen vaxel by 1 | vaxel timed_out | {SENT_ON}"
    first, second = played.of(caller).entries
    assert first.entry_wait is not None
    assert first.entry_wait < left_by - first.joined_at
    # Whole seconds of a clock, from a moment at or before that of the event.
    late = first.joined_at - began_at
    assert first.entry_wait > timedelta(seconds=TIMEOUT_S - 1) - late
    assert second.joined_at == left_in_vain.at
    assert second.wait is not None
    assert second.wait > first.entry_wait, "the wait goes on from the first arrival"


async def test_a_full_queue_refuses(quiet_town: Municipality) -> None:
    async with scene(quiet_town, "full") as played:
        waiting = await asyncio.gather(played.ring("1"), played.ring("1"))
        await asyncio.gather(*(caller.joined("vaxel") for caller in waiting))
        refused = await played.ring("1")
        await refused.gone()
    assert played.told(refused) == f"chosen vaxel by 1 | vaxel full | {SENT_ON}"
    assert played.of(refused).entries[0].entry_wait is None


async def test_a_queue_without_agents_refuses_and_sends_on(quiet_town: Municipality) -> None:
    async with scene(quiet_town, "empty") as played:
        sent_on = await played.ring("1")
        await sent_on.joined("vaxel")
        await quiet_town.pbx.cli("queue pause member PJSIP/silent queue vaxel")
        refused = await played.ring("1")
        await asyncio.gather(sent_on.gone(), refused.gone())
        await quiet_town.pbx.cli("queue unpause member PJSIP/silent queue vaxel")
    assert played.told(sent_on) == f"chosen vaxel by 1 | vaxel empty | {SENT_ON}"
    assert played.told(refused) == f"chosen vaxel by 1 | vaxel join_empty | {SENT_ON}"


async def test_one_agent_does_not_answer_and_another_does(quiet_town: Municipality) -> None:
    # The last scenario of this town: its members are others afterwards.
    async with scene(quiet_town, "rang_out_then_answered") as played:
        caller = await played.ring("1")
        await played.watch.first(AgentRingEnded)
        await quiet_town.pbx.cli("queue add member PJSIP/late to vaxel penalty 0 as late")
        await quiet_town.pbx.cli("queue pause member PJSIP/silent queue vaxel")
        await caller.gone()
    assert played.told(caller) == ("chosen vaxel by 1 | vaxel answered by late | switchboard")
    rang = {e.interface for e in played.watch.events if isinstance(e, AgentRang)}
    assert rang == {"PJSIP/silent", "PJSIP/late"}
