"""A stream of citizens by SIPp against a real Asterisk: keys, numbers, endings, and the rate."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.citizens import Citizen, CitizenStream
from tests.lab.pbx import Pbx, PbxPlan
from tests.lab.ports import LOOPBACK
from tests.lab.processes import POLL_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

FINISHED_S = 90.0
"""Far more than the slowest test here needs."""

DIALPLAN = """[from-citizens]
exten => 8000,1,Answer()
 same => n,Read(FIRST,,1,,1,20)
 same => n,QueueLog(told,${UNIQUEID},${CALLERID(num)},FIRST,${FIRST}|${CALLERID(name)})
 same => n,Hangup()
exten => 8001,1,Answer()
 same => n,Read(FIRST,,1,,1,20)
 same => n,Read(SECOND,,1,,1,20)
 same => n,QueueLog(told,${UNIQUEID},${CALLERID(num)},BOTH,${FIRST}${SECOND})
 same => n,Hangup()
exten => 8002,1,Answer()
 same => n,Wait(20)
exten => 8003,1,Busy(1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """One PBX for all tests of this module."""
    async with Pbx.start(PbxPlan(dialplan={"town.conf": DIALPLAN})) as running:
        yield running


async def told(pbx: Pbx, event: str, *, count: int, name: str = "") -> list[list[str]]:
    """What the dialplan wrote, once so many rows are there: caller, then data.

    Asterisk writes them from a thread of its own, later than it hangs up.
    """
    async with asyncio.timeout(FINISHED_S):
        while True:
            text = pbx.queue_log.read_text(encoding="utf-8").rpartition("\n")[0]
            rows = [line.split("|") for line in text.splitlines()]
            found = [[row[3], *row[5:]] for row in rows if row[4] == event]
            found = [row for row in found if not name or row[2] == name]
            if len(found) >= count:
                return found
            await asyncio.sleep(POLL_S)


def runs(pid: int) -> bool:
    """Whether there is a process of that id."""
    return Path(f"/proc/{pid}").exists()


async def test_each_key_arrives_from_its_caller(pbx: Pbx) -> None:
    keys = "1234567890*"
    citizens = [
        Citizen(
            caller=f"07017406{number:02d}",
            number="8000",
            key=key,
            key_delay_ms=200,
            caller_name="Åsa",
        )
        for number, key in enumerate(keys, start=5)
    ]
    async with CitizenStream.start(LOOPBACK, pbx.sip_port, citizens, 20) as stream:
        counts = await stream.finished(FINISHED_S)
    assert (counts.succeeded, counts.failed, counts.was_hung_up_on) == (11, 0, 11), stream
    expected = sorted([citizen.caller, citizen.key, "Åsa"] for citizen in citizens)
    assert sorted(row[:3] for row in await told(pbx, "FIRST", name="Åsa", count=11)) == expected


async def test_a_second_key_is_heard_whatever_the_first_was(pbx: Pbx) -> None:
    pairs = [("9", "1"), ("1", "9"), ("0", "1"), ("*", "1"), ("1", "1")]
    citizens = [
        Citizen(
            caller=f"07017406{number}",
            number="8001",
            key=first,
            key_delay_ms=200,
            second_key=second,
            second_key_delay_ms=500,
        )
        for number, (first, second) in enumerate(pairs, start=30)
    ]
    async with CitizenStream.start(LOOPBACK, pbx.sip_port, citizens, 20) as stream:
        await stream.finished(FINISHED_S)
    heard = sorted((row[0], row[1]) for row in await told(pbx, "BOTH", count=5))
    wanted = [(c.caller, c.key + c.second_key) for c in citizens]
    assert heard == wanted


async def test_citizens_hang_up_are_hung_up_on_and_are_refused(pbx: Pbx) -> None:
    citizens = [
        Citizen(caller="0701740605", number="8002", key_delay_ms=0, patience_ms=200),
        Citizen(caller="0701740606", number="8000", key="5", key_delay_ms=100),
        Citizen(caller="0701740607", number="8003"),
        Citizen(caller="0701740608", number="9999"),
    ]
    async with CitizenStream.start(LOOPBACK, pbx.sip_port, citizens, 20) as stream:
        counts = await stream.finished(FINISHED_S)
        assert stream.errors() == ""
    assert (counts.hung_up, counts.was_hung_up_on, counts.refused) == (1, 1, 2)


async def test_leaving_early_ends_the_process(pbx: Pbx) -> None:
    stays = Citizen(caller="0701740605", number="8002")
    async with CitizenStream.start(LOOPBACK, pbx.sip_port, [stays], 1) as stream:
        pid = stream.pid
    assert not runs(pid)


async def test_twenty_calls_a_second_all_arrive(pbx: Pbx) -> None:
    citizens = [
        Citizen(
            caller=f"07017406{5 + index % 95:02d}",
            number="8000",
            key=str(1 + index % 2),
            key_delay_ms=300,
            caller_name="Bo",
        )
        for index in range(200)
    ]
    began_at, pbx_cpu_s = time.monotonic(), pbx.cpu_seconds()
    async with CitizenStream.start(LOOPBACK, pbx.sip_port, citizens, 20) as stream:
        counts = await stream.finished(FINISHED_S)
        assert (counts.succeeded, counts.failed) == (200, 0), stream.errors()
    took_s = time.monotonic() - began_at
    rows = await told(pbx, "FIRST", name="Bo", count=200)
    assert Counter(row[1] for row in rows) == {"1": 100, "2": 100}
    assert Counter(row[0] for row in rows) == Counter(citizen.caller for citizen in citizens)
    used_ms = 1000 * (pbx.cpu_seconds() - pbx_cpu_s) / 200
    print(f"200 calls in {took_s:.1f} s, Asterisk {used_ms:.1f} ms of CPU a call")
