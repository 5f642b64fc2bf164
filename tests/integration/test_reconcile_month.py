"""Weeks of a busy municipality: memory stays flat, and nothing is lost on the way."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.reconcile import Difference
from ivrd.core.rules import Role
from ivrd.db.facts import CallFacts, CaseFacts, EntryFacts
from ivrd.queue_log import QueueLog
from ivrd.reconciliation import History, Interval, Reconciliation, Tally

PBX = SystemName("pbx1")
KC = QueueName("kc")
START = datetime(2026, 3, 1, tzinfo=UTC)

CALLS_A_DAY = 1_143
"""8,000 a week."""

PEAK_BYTES_MAX = 6_000_000
"""Of the comparison itself, however many days; half a day of calls waits to be matched."""

ROWS = (
    "NONE|NONE|IVRDARRIVED|main|PJSIP/anonymous-{number:08x}",
    "NONE|NONE|IVRDCHOICE|main|stayed|kc||0|ivrd",
    "kc|NONE|ENTERQUEUE||0701740605|1",
    "kc|Anna Andersson|CONNECT|12|pbx1-{stamp}.{number}|4",
    "kc|Anna Andersson|COMPLETECALLER|12|180|1",
    "kc|NONE|IVRDEXIT|CONTINUE",
    "NONE|NONE|IVRDEND|",
)


def arrivals(days: int) -> Iterator[tuple[int, datetime]]:
    for number in range(days * CALLS_A_DAY):
        yield number, START + timedelta(seconds=number * 86_400 / CALLS_A_DAY)


def write(path: Path, days: int) -> None:
    lines = []
    for number, at in arrivals(days):
        for step, row in enumerate(ROWS):
            stamp = int(at.timestamp()) + 30 * step
            text = row.format(number=number, stamp=stamp)
            lines.append((stamp, f"{stamp}|pbx1-{number}|{text}\n"))
    lines.sort(key=lambda timed: timed[0])
    path.write_text("".join(text for _, text in lines))


async def stored(days: int, *, lost: int | None) -> AsyncIterator[CallFacts]:
    """Yield the facts without a database, which holds a page of them at a time."""
    for number, at in arrivals(days):
        if lost is None or number % lost:
            yield _facts(number, at)
        await asyncio.sleep(0)


def _facts(number: int, at: datetime) -> CallFacts:
    entry = EntryFacts(
        number=1, queue=KC, joined_at=at, ended_at=at, disposition=Disposition.ANSWERED,
        entry_wait=None, wait=None, interface=None, agent=None, answered_at=None, talk=None,
    )  # fmt: skip
    case = CaseFacts(
        case_id=number, rule="r", queue=KC, agent="Anna", department=None, opened_at=at
    )
    return CallFacts(
        system=PBX, call_id=CallId(f"pbx1/pbx1-{number}"), line=None, arrived_at=at,
        ended_at=at + timedelta(seconds=185), choice="kc", digit=None, is_static_menu=False,
        tries=0, outcome=Outcome.RESOLVED, wait=None, moves=0, transfers=0, entries=(entry,),
        move_attempts=(), cases=(case,),
    )  # fmt: skip


async def compare(path: Path, days: int, *, lost: int | None = None) -> tuple[Tally, int]:
    """Return what it came to, and the peak of memory."""
    found: list[Difference] = []
    now = START + timedelta(days=days + 1)
    interval = Interval(since=START, until=START + timedelta(days=days), known_until=now)
    tracemalloc.start()
    try:
        work = Reconciliation(
            facts=stored(days, lost=lost),
            history=History(path, system=PBX),
            interval=interval,
            roles={KC: Role.GUIDE},
        )
        async for difference in work.differences():
            found = [difference]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == bool(work.tally.differences)
    return work.tally, peak


async def test_weeks_are_compared_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    peaks = []
    for days in (6, 20):
        write(path, days)
        tally, peak = await compare(path, days)
        assert (tally.calls, tally.open, tally.differences) == (days * CALLS_A_DAY, 0, 0)
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.3
    assert peaks[1] < PEAK_BYTES_MAX


async def test_a_week_that_nobody_stored_is_flat_too(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    write(path, 7)
    tally, peak = await compare(path, 7, lost=1)
    assert tally.differences == tally.calls == 7 * CALLS_A_DAY
    assert peak < PEAK_BYTES_MAX
    tally, peak = await compare(path, 7, lost=10)
    assert tally.calls == 7 * CALLS_A_DAY
    assert tally.differences == -(-tally.calls // 10)
    assert peak < PEAK_BYTES_MAX


def test_a_gap_of_a_hundred_thousand_rows_is_one_reading_in_bounded_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "queue_log"
    write(path, 13)
    tracemalloc.start()
    try:
        reading = QueueLog(path, system=PBX).read(None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(reading.rows) == 13 * CALLS_A_DAY * len(ROWS) > 100_000
    assert not reading.is_cut
    assert peak < 80_000_000
