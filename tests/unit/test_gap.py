"""Filling a gap when no place was kept: from what is stored, or counted as unknown."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivrd.checkpoint import AGE_MAX, CheckpointFile
from ivrd.core.effects import Effect, OpenCase, Outcome, RecordCall
from ivrd.core.events import SnapshotTaken
from ivrd.core.ids import CallId, SystemName
from ivrd.core.tracker import Tracker
from ivrd.db.facts import Trail
from ivrd.gap import GapFiller
from ivrd.queue_log import START, QueueLog
from tests.unit.core.story import SYSTEM, new_tracker, read

PBX = SYSTEM
BEGIN = 1_772_442_000


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGIN + seconds, tz=UTC)


def resolved(call: str, begin: int) -> str:
    """Return the rows of a call that a guide resolved within a minute."""
    rows = (
        (0, "NONE|NONE|IVRDARRIVED|main|PJSIP/x"),
        (4, "NONE|NONE|IVRDCHOICE|menu|stayed|guides||0|ivrd"),
        (4, "guides|NONE|ENTERQUEUE||0701740605|1"),
        (9, "guides|anna|CONNECT|5|1.99|2"),
        (50, "guides|anna|COMPLETECALLER|5|41|1"),
        (50, "NONE|NONE|IVRDEND|"),
    )
    return "".join(f"{BEGIN + begin + s}|{call}|{row}\n" for s, row in rows)


def tail(call: str, begin: int) -> str:
    """Return the rows of a call without its arrival."""
    return "".join(line for line in resolved(call, begin).splitlines(True)[2:])


class Daemon:
    """One run of ivrd on a directory, as far as a gap concerns it."""

    def __init__(
        self, directory: Path, trail: Callable[[], Trail | None] | None, *, now: float
    ) -> None:
        self.tracker: Tracker = new_tracker()
        self.file = CheckpointFile(directory, PBX)
        self.asked: list[timedelta] = []

        async def trail_of(*, system: SystemName, age: timedelta) -> Trail | None:
            assert system == PBX
            assert trail is not None
            self.asked.append(age)
            return trail()

        self.now = now
        self.gap = GapFiller(
            system=PBX,
            queue_log=QueueLog(directory / "queue_log", system=PBX),
            file=self.file,
            calls=self.tracker,
            now=lambda: at(now),
            trail_of=None if trail is None else trail_of,
        )

    async def start(self) -> Mapping[CallId, RecordCall]:
        """Fill the gap, with nobody on the line now; return the calls that became known."""
        effects: list[Effect] = []
        read = await self.gap.read(at(self.now))
        for event in () if read is None else self.tracker.catch_up(read):
            effects.extend(self.tracker.apply(event))
        nobody = SnapshotTaken(
            at=at(self.now), system=PBX, queues=(), channels=frozenset(), can_withdraw=True
        )
        effects.extend(self.tracker.apply(nobody))
        self.cases = [effect for effect in effects if isinstance(effect, OpenCase)]
        for effect in effects:
            self.gap.observe(effect)
        return {effect.call_id: effect for effect in effects if isinstance(effect, RecordCall)}


def a_trail(*stored: tuple[str, float], since: float) -> Callable[[], Trail]:
    calls = {CallId(f"pbx/{call}"): at(ended) for call, ended in stored}
    return lambda: Trail(since=at(since), calls=calls)


async def test_a_lost_place_is_found_again_from_what_is_stored(tmp_path: Path) -> None:
    told = resolved("1.1", 0) + resolved("1.2", 100) + resolved("1.3", 200)
    (tmp_path / "queue_log").write_text(told, encoding="utf-8")
    daemon = Daemon(tmp_path, a_trail(("1.1", 50), ("1.2", 150), since=0), now=400)
    calls = await daemon.start()
    assert daemon.asked == [AGE_MAX]
    assert {call_id: call.outcome for call_id, call in calls.items()} == {
        "pbx/1.3": Outcome.RESOLVED
    }
    assert [case.call_id for case in daemon.cases] == ["pbx/1.3"]
    assert calls[CallId("pbx/1.3")].is_from_journal
    assert daemon.gap.damages()[PBX, "unknown_call"] == 0


async def test_a_second_start_right_after_it_asks_nobody_and_tells_nothing_twice(
    tmp_path: Path,
) -> None:
    (tmp_path / "queue_log").write_text(resolved("1.1", 0), encoding="utf-8")
    first = Daemon(tmp_path, a_trail(since=0), now=400)
    assert list(await first.start()) == ["pbx/1.1"]
    first.gap._keep()
    second = Daemon(tmp_path, a_trail(since=0), now=401)
    assert await second.start() == {}
    assert second.asked == []


async def test_killed_before_the_first_sample_the_whole_gap_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(resolved("1.1", 0) + resolved("1.2", 99), encoding="utf-8")
    first = Daemon(tmp_path, a_trail(("1.1", 50), since=0), now=400)
    await first.gap.read(at(400))
    second = Daemon(tmp_path, None, now=401)
    assert list(await second.start()) == ["pbx/1.2"]


async def test_decided_just_before_an_orderly_stop_is_decided(tmp_path: Path) -> None:
    journal = tmp_path / "queue_log"
    journal.write_text(resolved("1.1", 0), encoding="utf-8")
    first = Daemon(tmp_path, a_trail(since=0), now=400)
    calls = await first.start()
    running = asyncio.create_task(first.gap.run())
    await asyncio.sleep(0)
    journal.write_text(resolved("1.1", 0) + resolved("1.2", 401), encoding="utf-8")
    later = replace(calls[CallId("pbx/1.1")], call_id=CallId("pbx/1.2"), at=at(451))
    first.gap.observe(later)
    running.cancel()
    await asyncio.wait([running])
    assert await Daemon(tmp_path, None, now=500).start() == {}


async def test_half_a_story_is_none(tmp_path: Path) -> None:
    told = tail("1.1", 0) + resolved("1.2", 3)
    (tmp_path / "queue_log").write_text(told, encoding="utf-8")
    daemon = Daemon(tmp_path, a_trail(since=2), now=400)
    assert list(await daemon.start()) == ["pbx/1.2"]


async def test_calls_before_ivrds_time_are_counted_as_unknown_and_not_stored(
    tmp_path: Path,
) -> None:
    live = "".join(resolved("1.3", 90).splitlines(True)[:3])
    told = tail("1.0", 0) + resolved("1.1", 0) + resolved("1.2", 5) + live
    (tmp_path / "queue_log").write_text(told, encoding="utf-8")
    daemon = Daemon(tmp_path, lambda: None, now=400)
    assert await daemon.start() == {}
    assert daemon.gap.damages()[PBX, "unknown_call"] == 2
    assert daemon.file.load() is not None, "from now on nothing is missed"


async def test_a_database_that_is_away_leaves_them_unknown(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(resolved("1.1", 0), encoding="utf-8")

    def away() -> Trail | None:
        raise sqlite3.OperationalError("no such table: calls")

    daemon = Daemon(tmp_path, away, now=400)
    assert await daemon.start() == {}
    assert daemon.gap.damages()[PBX, "unknown_call"] == 1


async def test_asterisks_start_ends_whoever_was_on_the_line(tmp_path: Path) -> None:
    cut = "".join(resolved("1.1", 0).splitlines(True)[:4])
    restarted = f"{BEGIN + 20}|NONE|NONE|NONE|QUEUESTART|\n"
    (tmp_path / "queue_log").write_text(cut + restarted, encoding="utf-8")
    daemon = Daemon(tmp_path, None, now=400)
    assert await daemon.start() == {}
    assert daemon.gap.damages()[PBX, "unknown_call"] == 1


async def test_rows_that_were_rotated_away_are_told(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(resolved("1.1", 100), encoding="utf-8")
    daemon = Daemon(tmp_path, a_trail(since=0), now=400)
    assert list(await daemon.start()) == ["pbx/1.1"]
    assert daemon.gap.damages()[PBX, "missing_rows"] == 1


async def test_calls_that_we_decided_are_not_unknown_to_us(tmp_path: Path) -> None:
    (tmp_path / "queue_log").write_text(resolved("1.1", 0), encoding="utf-8")
    daemon = Daemon(tmp_path, None, now=400)
    daemon.gap._keeper.finish(CallId("pbx/1.1"), at(50))
    assert await daemon.start() == {}
    assert daemon.gap.damages()[PBX, "unknown_call"] == 0


ASKED = """
     0  arrived    c1  main
     0  joined     c1  guides
     5  connected  c1  guides  anna  leg=a1
    20  joined     k1  switchboard  channel=anna-01
    30  left       k1  switchboard
    30  hung_up    k1
    33  hung_up    c1
    40  left       c9  guides
"""


async def test_a_consultation_that_ended_before_a_restart_is_not_opened_as_a_call(
    tmp_path: Path,
) -> None:
    """Its rows stand after the kept place, and no effect ever told of it."""
    asked = (
        f"{BEGIN + 20}|k1|switchboard|NONE|IVRDENTER|k1|anna-01\n"
        f"{BEGIN + 20}|k1|switchboard|NONE|ENTERQUEUE||0701740606|1\n"
        f"{BEGIN + 30}|k1|switchboard|NONE|ABANDON|1|1|10\n"
    )
    (tmp_path / "queue_log").write_text(asked, encoding="utf-8")
    first = Daemon(tmp_path, None, now=40)
    first.gap._keeper.sample(at(0), START)
    for event in read(ASKED):
        for effect in first.tracker.apply(event):
            first.gap.observe(effect)
    first.gap._keep()
    second = Daemon(tmp_path, None, now=41)
    assert await second.start() == {}
