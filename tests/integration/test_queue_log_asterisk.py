"""queue_log as a real Asterisk writes and rotates it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ivrd.core.ids import SystemName
from ivrd.core.journal import QUEUE_START
from ivrd.queue_log import Position, QueueLog, Reading, rotated_files
from tests.lab.pbx import Pbx, PbxPlan
from tests.lab.processes import POLL_S

PBX = SystemName("pbx1")
WITHIN_S = 30.0

DIALPLAN = """[lab]
exten => queue,1,Answer()
 same => n,QueueLog(NONE,${UNIQUEID},NONE,IVRDARRIVED,kommunen|${CHANNEL})
 same => n,Queue(guides,,,,1)
 same => n,QueueLog(guides,${UNIQUEID},NONE,IVRDEXIT,${QUEUESTATUS})
 same => n,Hangup()
exten => wait,1,Answer()
 same => n,Wait(60)
exten => forged,1,Answer()
 same => n,QueueLog(guides,${UNIQUEID},Anna|Kundtjanst,CONNECT,1|x|2)
 same => n,Hangup()
exten => long,1,Answer()
 same => n,Set(LONG=${STRFTIME(${EPOCH},,%0300Y)})
 same => n,QueueLog(guides,${UNIQUEID},NONE,LONG,${LONG}${LONG}${LONG}${LONG}${LONG}${LONG})
 same => n,Hangup()
"""

CALL = "channel originate Local/{}@lab/n extension wait@lab"


def a_plan(strategy: str = "") -> PbxPlan:
    logger = "[general]\nqueue_log = yes\nqueue_log_to_file = yes\n"
    return PbxPlan(
        system_name=PBX,
        queues_text="[guides]\nstrategy = ringall\n",
        dialplan={"lab.conf": DIALPLAN},
        more_files={
            "logger.conf": f"{logger}{strategy}\n[logfiles]\nmessages = notice,warning,error\n"
        },
    )


async def read_until(
    queue_log: QueueLog, since: Position | None, is_there: Callable[[Reading], bool]
) -> Reading:
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        reading = queue_log.read(since)
        if is_there(reading):
            return reading
        if time.monotonic() > deadline_s:
            pytest.fail(f"not within {WITHIN_S} s: {reading}")
        await asyncio.sleep(POLL_S)


def has(event: str, count: int = 1) -> Callable[[Reading], bool]:
    return lambda reading: [row.event for row in reading.rows].count(event) == count


async def started(queue_log: QueueLog) -> Position:
    """Return the place behind the row of the start, which Asterisk writes after it has booted."""
    return (await read_until(queue_log, None, has(QUEUE_START))).position


STRATEGIES = ["", "rotatestrategy = rotate", "rotatestrategy = timestamp"]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=["sequential", "rotate", "timestamp"])
async def test_rows_are_followed_through_logger_rotate(strategy: str) -> None:
    async with Pbx.start(a_plan(strategy)) as pbx:
        queue_log = QueueLog(pbx.queue_log, system=PBX)
        await started(queue_log)
        await pbx.cli("logger rotate")
        first = await read_until(queue_log, None, lambda reading: not reading.broken)
        await pbx.cli(CALL.format("queue"))
        place = (await read_until(queue_log, first.position, has("IVRDEXIT"))).position
        await pbx.cli(CALL.format("queue"))
        await read_until(queue_log, place, has("IVRDEXIT"))
        for number in range(2, 4):
            # The timestamp strategy would write over what was rotated in the same second.
            await asyncio.sleep(1.1)
            await pbx.cli("logger rotate")
            await pbx.cli(CALL.format("queue"))
            reading = await read_until(queue_log, place, has("IVRDEXIT", number))
        assert len(rotated_files(pbx.queue_log)) == 3
        assert reading.position == queue_log.end()
    calls = list(dict.fromkeys(row.call_id for row in reading.rows))
    assert len(calls) == 3
    for call in calls:
        rows = [row for row in reading.rows if row.call_id == call]
        assert [row.event for row in rows] == [
            "IVRDARRIVED", "ENTERQUEUE", "EXITWITHTIMEOUT", "IVRDEXIT",
        ]  # fmt: skip
        assert rows[0].data[0] == "kommunen"
        assert rows[1].queue == "guides"
        assert rows[3].data == ("TIMEOUT",)
        assert abs(rows[0].at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (reading.broken, reading.is_gap, reading.is_truncated) == (0, False, False)


async def test_a_crash_and_a_new_start_are_told_between_the_calls() -> None:
    async with Pbx.start(a_plan()) as pbx:
        queue_log = QueueLog(pbx.queue_log, system=PBX)
        place = await started(queue_log)
        await pbx.cli(CALL.format("queue"))
        await read_until(queue_log, place, has("ENTERQUEUE"))
        await pbx.kill()
        await pbx.resume()
        await pbx.cli(CALL.format("queue"))
        reading = await read_until(queue_log, place, has("ENTERQUEUE", 2))
    events = [row.event for row in reading.rows]
    start = events.index(QUEUE_START)
    assert events[:start].count("ENTERQUEUE") == events[start:].count("ENTERQUEUE") == 1
    assert reading.rows[start].call_id == "pbx1/NONE"


async def test_asterisk_escapes_no_bar_and_cuts_no_row_below_our_bound() -> None:
    async with Pbx.start(a_plan()) as pbx:
        queue_log = QueueLog(pbx.queue_log, system=PBX)
        place = await started(queue_log)
        await pbx.cli(CALL.format("forged"))
        await pbx.cli(CALL.format("long"))
        reading = await read_until(queue_log, place, lambda reading: len(reading.rows) == 2)
    by_event = {row.event: row for row in reading.rows}
    assert by_event["CONNECT"].agent == "Anna|Kundtjanst"
    assert by_event["CONNECT"].data == ("1", "x", "2")
    assert reading.broken == 0
