"""Transfers: who handed the caller on, and that it is still one call."""

import asyncio

import pytest

from ivrd.core.events import DialEnded
from tests.e2e.leaving import call_of
from tests.e2e.scene import EVENT_S_MAX, Caller, Scene, scene, until_true
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import PATIENT_S, Department, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Ring, Talk, Then, TransferAttended, TransferBlind

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHOOL = "8100"

BLIND = TransferBlind(SCHOOL)
BLIND_AND_LEAVES = TransferBlind(SCHOOL, leaves_at_once=True)
ATTENDED = TransferAttended(SCHOOL, consult_s=0.3)

AGENTS: dict[str, tuple[str, Then]] = {
    "guide1": ("kc", BLIND),
    "guide2": ("kc", BLIND_AND_LEAVES),
    "guide3": ("kc", ATTENDED),
    "op1": ("vaxel", BLIND),
    "op2": ("vaxel", ATTENDED),
}
"""Who hands on how; whoever is answered by whom is handed on so."""

SOON = Talk(s=0.2)

town = town_fixture(
    FloorPlan(
        desks=tuple(
            Desk(name=name, queue=queue, answer=Ring(after_s=0.1))
            for name, (queue, _) in AGENTS.items()
        ),
        patient_s=PATIENT_S,
        # The official talks on until every agent has left.
        departments=(Department(number=SCHOOL, answer=Ring(after_s=0.1)),),
    )
)


async def hand_on(caller: Caller, town: Municipality, queue: str, then: Then | None = None) -> None:
    """Let the agent who is answered act, by AGENTS unless told, when the PBX knows of the answer.

    A REFER right behind an answer that a PBX standing still has not seen hands on nobody.
    """
    connected = await caller.talking(queue)
    name = connected.member_name
    phone = town.phones[name]
    phone.begin(call_of(phone), Talk(s=0.2, then=then or AGENTS[name][1]))


@pytest.mark.older_asterisk
async def test_callers_handed_on_to_an_official(town: Municipality) -> None:
    async with scene(town, "handed_on_to_an_official") as played:
        callers = await asyncio.gather(*(played.ring(key) for key in ("", "", "", "1", "1")))
        queues = ("kc", "kc", "kc", "vaxel", "vaxel")
        await asyncio.gather(
            *(hand_on(caller, town, queue) for caller, queue in zip(callers, queues, strict=True))
        )
        official = town.phones[f"department-{SCHOOL}"]

        def are_handed_on() -> bool:
            calls = official.live_calls
            agents = (town.phones[name] for name in AGENTS)
            # A hang-up that overtakes the answer inside the PBX is a call that nobody answered.
            answers = [
                event
                for event in played.watch.events
                if isinstance(event, DialEnded)
                and event.device == f"PJSIP/{official.name}"
                and event.status == "ANSWER"
            ]
            return len(calls) == len(answers) == len(callers) and not any(
                agent.live_calls for agent in agents
            )

        await until_true(are_handed_on, what="the official has them all, and the agents none")
        for call in official.live_calls:
            await call.answered(EVENT_S_MAX)
            await call.hang_up()
        for caller in callers:
            await caller.gone()
    told = {by(played, caller): played.told(caller) for caller in callers}
    by_guide, by_operator = "stayed kc | kc answered", "chosen vaxel by 1 | vaxel answered"
    assert told == {
        "guide1": f"{by_guide} by guide1 | handed_on",
        "guide2": f"{by_guide} by guide2 | handed_on",
        "guide3": f"{by_guide} by guide3 | handed_on",
        "op1": f"{by_operator} by op1 | switchboard",
        "op2": f"{by_operator} by op2 | switchboard",
    }
    assert {played.of(caller).transfers for caller in callers} == {1}


def by(played: Scene, caller: Caller) -> str | None:
    return played.of(caller).entries[0].agent


async def to_another_queue(town: Municipality, name: str, key: str, number: str) -> list[str]:
    """Let the first agent hand a caller on to another queue; return the call as told, in words."""
    for phone in town.phones.values():
        phone.talk = None
    async with scene(town, name) as played:
        caller = await played.ring(key)
        await hand_on(caller, town, "kc" if key == "" else "vaxel", TransferBlind(number))
        # The first agent has its orders by then; whoever comes next only talks.
        for phone in town.phones.values():
            phone.talk = SOON
        await caller.gone()
    assert played.of(caller).transfers == 1
    assert len(await town.facts()) == len({facts.call_id for facts in await town.facts()})
    return [part.rstrip("123") for part in played.told(caller).split(" | ")]


async def test_the_switchboard_hands_a_caller_to_the_guides(town: Municipality) -> None:
    told = await to_another_queue(town, "operator_hands_to_guides", "1", "7002")
    assert told == [
        "chosen vaxel by ",
        "vaxel answered by op",
        "kc answered by guide",
        "resolved",
        "case for guide",
    ]


async def test_a_guide_hands_a_caller_to_the_switchboard(town: Municipality) -> None:
    told = await to_another_queue(town, "guide_hands_to_switchboard", "", "7001")
    assert told == ["stayed kc", "kc answered by guide", "vaxel answered by op", "handed_on"]
