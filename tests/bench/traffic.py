"""The calls that all measurements on a real PBX share, and the proof that each was served.

Citizens are SIPp's, agents are the lab's phones; no speech flows either way, so what a call costs
Asterisk is as small as it can be, and ivrd's share of it as large.
"""

import asyncio
from collections.abc import Sequence

from ivrd.core.effects import Disposition
from ivrd.db.facts import CallFacts
from tests.bench.result import BenchError
from tests.lab.citizens import Citizen, CitizenStream
from tests.lab.floor_plan import GUIDES, LINE_NUMBER, SWITCHBOARD, Desk, FloorPlan
from tests.lab.municipality import Municipality, desks
from tests.lab.phone import Ring, Talk
from tests.lab.ports import LOOPBACK

TALK_S = 1.0
DESKS = 30
"""In each queue; at 20 calls/s some 15 of them are busy."""

CALL_S_MAX = 30.0
"""From the last call's beginning to its end: prompt, silence and talk take 6 s."""

TAIL_S = 3.0
"""After the last call's end: ivrd decides a call 2 s after the hang-up, and then stores it."""

KEY_DELAY_MS = 500
"""Well inside the prompt, which is interrupted."""


def floor_plan() -> FloorPlan:
    """Return a municipality with agents enough that nobody waits."""
    like = Desk(name="", queue="", answer=Ring(), talk=Talk(s=TALK_S))
    return FloorPlan(
        desks=(
            *desks(DESKS, SWITCHBOARD, prefix="operator", like=like),
            *desks(DESKS, GUIDES, prefix="guide", like=like),
        ),
        prompts=True,
    )


def citizens(count: int, *, first: int = 0, stays_every: int = 0) -> list[Citizen]:
    """Return citizens who press 1 during the prompt.

    Args:
        count: How many.
        first: Number of the first, so that callers' numbers differ between runs.
        stays_every: Each so-manieth presses nothing and stays on the line; 0 for none.
    """
    return [
        Citizen(
            caller=f"070174{number % 10_000:04d}",
            number=LINE_NUMBER,
            key="" if stays_every and number % stays_every == 0 else "1",
            key_delay_ms=KEY_DELAY_MS,
        )
        for number in range(first, first + count)
    ]


async def call(town: Municipality, people: Sequence[Citizen], *, rate_per_s: float) -> None:
    """Let everybody call, wait until all has settled, and prove that an agent answered each.

    Raises:
        BenchError: Somebody was not answered.
    """
    before = _connects(town)
    async with CitizenStream.start(LOOPBACK, town.pbx.sip_port, people, rate_per_s) as stream:
        counts = await stream.finished(len(people) / rate_per_s + CALL_S_MAX)
        if counts.was_hung_up_on != len(people):
            raise BenchError(f"of {len(people)} calls: {counts}\n{stream.errors()}")
    await asyncio.sleep(TAIL_S)
    served = _connects(town) - before
    if served != len(people):
        raise BenchError(f"agents answered {served} of {len(people)} calls")


def _connects(town: Municipality) -> int:
    """Return how many calls an agent has answered, by Asterisk's own journal."""
    return town.pbx.queue_log.read_bytes().count(b"|CONNECT|")


async def prove_counted(town: Municipality, count: int) -> int:
    """Prove that ivrd stored so many calls, each answered and as Asterisk's journal tells it.

    Returns:
        Calls among them that met the static menu because ivrd was too late: served all the same.

    Raises:
        BenchError: A call is missing, or told otherwise than in queue_log.
    """
    facts = await town.wait_for_calls(count)
    ours = {fact.call_id for fact in facts}
    wrong = [each for each in town.unreconciled(facts) if each.call_id in ours]
    unanswered = sum(1 for fact in facts if not _is_answered(fact))
    if len(facts) != count or wrong or unanswered:
        raise BenchError(
            f"ivrd stored {len(facts)} of {count} calls, {unanswered} of them unanswered; "
            f"otherwise than Asterisk: {wrong[:3]}"
        )
    return static_menus(facts)


def static_menus(facts: Sequence[CallFacts]) -> int:
    """Return how many calls met the static menu while ivrd was there."""
    return sum(1 for fact in facts if fact.is_static_menu and not fact.is_from_journal)


def _is_answered(fact: CallFacts) -> bool:
    return any(entry.disposition is Disposition.ANSWERED for entry in fact.entries)
