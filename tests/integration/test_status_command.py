"""`ivrd status`, as a process, against a control socket with floors of every kind behind it."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ivrd.control import SOCKET_NAME, ControlServer
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts
from ivrd.floor_now import FloorNow
from ivrd.web.lines import LineStatus
from ivrd.web.status import QueueTitle, StatusBook
from tests.unit.boards import Bench

NOW = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)
PBX = SystemName("pbx1")

WAITING = QueueView(
    system=PBX,
    queue=QueueName("vaxel"),
    is_synced=True,
    waiting=2,
    oldest_arrival_at=NOW - timedelta(seconds=14),
    members_available=0,
    members_busy=3,
    members_paused=1,
    members_unavailable=0,
    counts=Counts(joined=12, answered=8, answered_within=6, abandoned=2),
    counted_since=NOW - timedelta(hours=5),
)
QUIET = replace(WAITING, queue=QueueName("kc"), waiting=0, oldest_arrival_at=None, counts=Counts())
TITLES = [
    QueueTitle(
        system=PBX,
        queue=view.queue,
        role="guide",
        title_sv=title,
        title_en=title,
        service_level_threshold=timedelta(seconds=25),
        short_abandon=timedelta(seconds=5),
    )
    for view, title in ((WAITING, "Växel"), (QUIET, "Kontaktcenter"))
]
CLOSED = LineStatus(
    line="avfall",
    number="7010",
    is_internal=False,
    state="closed",
    reason="forced",
    text="sjukdom",
    until=NOW + timedelta(hours=2),
    notices=[],
    goal_percent=None,
    goal_within_s=None,
)


@dataclass
class Floor:
    """What the daemon knows."""

    views: list[QueueView] = field(default_factory=lambda: [WAITING, QUIET])
    lines: list[LineStatus] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def queues(self) -> Sequence[QueueView]:
        return self.views

    def queue(self, system: SystemName, queue: QueueName) -> QueueView | None:
        found = (view for view in self.views if (view.system, view.queue) == (system, queue))
        return next(found, None)


@contextlib.asynccontextmanager
async def daemon(directory: Path, floor: Floor) -> AsyncIterator[Path]:
    """Run a control socket with a floor; give the configuration that leads to it."""
    server = ControlServer(directory, Bench(directory).board)
    book = StatusBook(floor, now=lambda: NOW, titles=TITLES)
    server.floor = FloorNow(book, lines=lambda: floor.lines, faults=lambda: floor.faults)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(30):
            await server.started.wait()
        yield config_in(directory)
    finally:
        serving.cancel()
        await asyncio.wait([serving])


def config_in(directory: Path) -> Path:
    path = directory / "ivrd.toml"
    path.write_text(f'state_directory = "{directory}"\ntime_zone = "Europe/Stockholm"\n')
    return path


async def status(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ivrd", "status", "-c", str(config), *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, env={"COLUMNS": "80"}
    )


async def test_people_see_every_queue_with_its_formula(tmp_path: Path) -> None:
    async with daemon(tmp_path, Floor(lines=[CLOSED])) as config:
        told = await status(config)
    assert told.returncode == 0, told.stderr
    row = next(line for line in told.stdout.splitlines() if "Växel" in line)
    dash = "\N{EN DASH}"
    assert row.split() == ["Växel", "2", "0:14", dash, "0/3/1", "12", "8", "2", "0/0", "0", "60%"]
    quiet = next(line for line in told.stdout.splitlines() if "Kontaktcenter" in line)
    assert quiet.split()[-1] == dash
    assert "avfall (7010): stängd / closed till / until 2026-11-20 16:30:00, forced" in told.stdout
    assert "sl = answered within T / (answered + abandoned - short abandons)" in told.stdout


async def test_a_script_gets_the_very_words_of_the_api_for_one_queue(tmp_path: Path) -> None:
    floor = Floor()
    async with daemon(tmp_path, floor) as config:
        told = await status(config, "kc", "--json")
    [queue] = json.loads(told.stdout)["queues"]
    book = StatusBook(floor, now=lambda: NOW, titles=TITLES)
    found = book.one(PBX, QueueName("kc"))
    assert found is not None
    assert queue == found.model_dump(mode="json")


@pytest.mark.parametrize(
    ("floor", "code"),
    [
        (Floor([QUIET]), 0),
        (Floor([replace(WAITING, oldest_arrival_at=NOW - timedelta(seconds=26))]), 10),
        (Floor([replace(WAITING, is_synced=False), QUIET]), 11),
        (Floor([QUIET], faults=["database: away"]), 11),
    ],
    ids=["well", "late", "unknown", "fault"],
)
async def test_the_exit_code_says_how_it_is(tmp_path: Path, floor: Floor, code: int) -> None:
    async with daemon(tmp_path, floor) as config:
        told = await status(config)
    assert told.returncode == code, told.stderr
    if code == 10:
        assert "0:26 !" in told.stdout
    if not floor.views[0].is_synced:
        assert "?" in told.stdout
        assert " 0:14" not in told.stdout
    for fault in floor.faults:
        assert f"! {fault}" in told.stdout


async def test_a_queue_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    async with daemon(tmp_path, Floor()) as config:
        told = await status(config, "vaxeln")
    assert told.returncode == 2
    assert "there is no queue 'vaxeln'; known: vaxel, kc" in told.stderr


async def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    told = await status(config_in(tmp_path))
    assert told.returncode == 12
    assert "ivrd is not running" in told.stderr


WATCHER = """
import signal
from ivrd.cli import main

# A shell that runs the tests in the background lets all below it ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


@contextlib.asynccontextmanager
async def watching(config: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Watch for the body, which is told by what is printed that Ctrl-C is listened for."""
    command = ("status", "-c", str(config), "--watch", "--every", "0.2", *arguments)
    watcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WATCHER, *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"COLUMNS": "80", "LINES": "24", "TERM": "xterm", "FORCE_COLOR": "1"},
    )
    try:
        async with asyncio.timeout(120):
            yield watcher
    finally:
        if watcher.returncode is None:
            watcher.kill()
        await watcher.wait()


async def told_by(watcher: asyncio.subprocess.Process) -> dict[str, Any]:
    assert watcher.stdout is not None
    line = await watcher.stdout.readline()
    found: dict[str, Any] = json.loads(line)
    return found


async def shows(watcher: asyncio.subprocess.Process, words: str) -> None:
    """Wait until words come on the screen."""
    assert watcher.stdout is not None
    await watcher.stdout.readuntil(words.encode())


async def test_watching_says_that_ivrd_is_gone_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    floor = Floor([QUIET])
    async with watching(config_in(tmp_path), "--json") as watcher:
        before = await told_by(watcher)
        async with daemon(tmp_path, floor):
            while not (there := await told_by(watcher))["queues"]:
                pass
            floor.views = [WAITING]
            while (await told_by(watcher))["queues"][0]["waiting"] != 2:
                pass
        while (gone := await told_by(watcher))["queues"]:
            pass
        async with daemon(tmp_path, Floor([QUIET])):
            while not (await told_by(watcher))["queues"]:
                pass
        while (await told_by(watcher))["queues"]:
            pass
        watcher.send_signal(signal.SIGINT)
        assert await watcher.wait() == 12
    assert "ivrd is not running" in before["faults"][0]
    assert (there["faults"], there["queues"][0]["queue"]) == ([], "kc")
    # Nothing that was known before stands there as if it were known now.
    assert (gone["queues"], gone["lines"], len(gone["faults"])) == ([], [], 1)


async def test_the_screen_says_that_ivrd_is_gone_and_shows_it_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with watching(config_in(tmp_path)) as watcher:
        async with daemon(tmp_path, Floor([QUIET])):
            await shows(watcher, "Kontaktcenter")
        await shows(watcher, "ivrd svarar inte")
        async with daemon(tmp_path, Floor([QUIET])):
            await shows(watcher, "Kontaktcenter")
            watcher.send_signal(signal.SIGINT)
            assert await watcher.wait() == 0


async def test_watching_a_queue_that_was_never_there_ends_at_once(tmp_path: Path) -> None:
    async with daemon(tmp_path, Floor()) as config:
        told = await status(config, "vaxeln", "--watch", "--json")
    assert told.returncode == 2


async def test_a_daemon_that_has_no_time_does_not_look_well(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Else the asking end may find nobody who takes its question.
        await reader.readline()
        writer.write(b'{"ok": false, "error": "busy", "text": "too many ask at once"}\n')
        writer.close()

    async with await asyncio.start_unix_server(refuse, tmp_path / SOCKET_NAME):
        told = await status(config_in(tmp_path))
    assert (told.returncode, "too many ask at once" in told.stderr) == (1, True)
