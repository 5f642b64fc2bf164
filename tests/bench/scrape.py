"""(i) Everybody looks at once: scrapes, the API and 200 boards, on a county's floor.

ivrd runs as a process and is asked over HTTP on loopback; the PBX is scripted (large_floor.py). The
turns of the event loop are what ivrd itself tells of them: by the wall clock, which on a crowded
machine goes on while others work, and by its own CPU.
"""

import asyncio
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ivrd.loop_turns import CPU, WALL, WINDOW_S
from tests.bench import large_floor
from tests.bench.large_floor import LargeFloor
from tests.bench.result import BenchError, Result, Row, percentile
from tests.integration.scripted_ami import ScriptedAmi, scripted_ami
from tests.lab.directories import instance_directory, temporary_parent
from tests.lab.municipality import REPOSITORY
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import Child

SCRAPE_GOAL_MS = 25.0
STALL_GOAL_MS = 50.0

VIEWERS = 200
READY_S_MAX = 120.0
PRESENT_S_MAX = 60.0
ANSWER_S_MAX = 30.0

ROUND_S = 1.0
"""Between two rounds of questions: each kind once."""

ROUNDS_MIN = 10
"""In each phase, on however slow a machine."""

QUIET_S = 10.0
"""Nobody asks for so long, so that what the floor and the boards cost is seen alone."""

COST_TIMES = 20
"""Each question in a row, so that its CPU is many of the clock's ticks of 10 ms."""

LAST_LOOK_S = 2.0

PHASE_S = 60.0
"""Longer where that is needed: the daemon's longest turn is of the last minute or two, and its
start must be out of it."""

QUICK_PHASE_S = 20.0
"""Its longest turn is of the start too, then."""

ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.1"
)
"""As Prometheus 3 asks."""

QUESTIONS = {
    "scrape": "/metrics",
    "/api/queues": "/api/queues",
    "/api/calls, 500": "/api/calls",
    "/api/calls, all": f"/api/calls?limit={large_floor.WAITING}",
    "/api/agents": "/api/agents",
    "/healthz, to compare": "/healthz",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer over HTTP."""

    body: bytes
    took_ms: float


@dataclass(slots=True, kw_only=True)
class Phase:
    """What a phase came to."""

    seconds: float = 0.0
    quiet_percent: float = 0.0
    """CPU of the daemon, of one core, while nobody asks anything."""
    calls: int = 0
    took_ms: dict[str, list[float]] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    stalls: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """What the viewers saw."""

    all_present_s: float
    begin_mb: float
    mb: float
    delays_ms: Sequence[float]
    let_go: int
    """A real one would come back by itself."""


class Town:
    """The daemon beside the floor."""

    def __init__(
        self, *, floor: LargeFloor, ami: ScriptedAmi, daemon: Child, web_port: int
    ) -> None:
        self.floor, self.ami, self.daemon, self.web_port = floor, ami, daemon, web_port
        self.began_s = time.monotonic()

    async def ask(self, path: str) -> Answer:
        """Ask on a new connection, as a scraper does that comes every 15 s."""
        began_s = time.perf_counter()
        async with asyncio.timeout(ANSWER_S_MAX):
            reader, writer = await asyncio.open_connection(LOOPBACK, self.web_port)
            try:
                head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: {ACCEPT}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n".encode())
                answer = await reader.read(-1)
            finally:
                writer.close()
        took_ms = (time.perf_counter() - began_s) * 1000
        answer_head, _, body = answer.partition(b"\r\n\r\n")
        if not answer_head.startswith(b"HTTP/1.1 200 "):
            raise BenchError(f"{path} was answered {answer_head[:80]!r}")
        return Answer(body=body, took_ms=took_ms)

    async def turns(self, name: str) -> dict[str, float]:
        """Return what the daemon tells of its loop, by clock."""
        text = (await self.ask("/metrics")).body.decode().replace("# EOF\n", "")
        return {
            sample.labels["clock"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def age_s(self) -> float:
        """Return how long ago the daemon began."""
        return time.monotonic() - self.began_s

    def rss_mb(self) -> float:
        """Return the memory that the daemon holds."""
        pages = int(Path(f"/proc/{self.daemon.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(*, is_quick: bool) -> Result:
    """Return how long everybody waits, and what it costs."""
    phase_s = QUICK_PHASE_S if is_quick else PHASE_S
    async with _town() as town:
        first = await town.ask("/metrics")
        queues = json.loads((await town.ask("/api/queues")).body)["queues"]
        shown = sum(queue["waiting"] for queue in queues)
        alone = await _look(town, until_s=town.age_s() + phase_s)
        costs_ms = await _costs_ms(town, alone.quiet_percent)
        rss_mb = town.rss_mb()
        async with _boards(town) as boards:
            probes: dict[int, float] = {}
            until_s = town.age_s() + phase_s
            if not is_quick:
                until_s = max(until_s, 2 * WINDOW_S + 10.0)
            watched = await _look(town, until_s=until_s, probes=probes)
            rss_watched_mb = town.rss_mb()
            longest_s = await town.turns("ivrd_loop_stall_seconds_max")
            seen = await boards.seen(probes)
        members = town.floor.members
    scrapes = alone.took_ms["scrape"] + watched.took_ms["scrape"]
    scrape_ms = percentile(scrapes, 99)
    stalls = alone.stalls[WALL] + watched.stalls[WALL]
    board_percent = (watched.quiet_percent - alone.quiet_percent) / VIEWERS
    return Result(
        key="i",
        title=f"{large_floor.QUEUES} queues, {shown:,} waiting: scrape, API, {VIEWERS} boards",
        rows=(
            *(_tail(name, alone, costs_ms) for name in QUESTIONS),
            *(_tail(f"{name}, {VIEWERS} boards", watched, {}) for name in QUESTIONS),
            _spread("a change, from AMI to each board", "ms", seen.delays_ms),
            Row(
                name="turns of ivrd's event loop",
                unit="",
                figures={
                    "longest ms": longest_s[WALL] * 1000,
                    "its CPU ms": longest_s[CPU] * 1000,
                    ">50 ms": stalls,
                    "by CPU": alone.stalls[CPU] + watched.stalls[CPU],
                },
            ),
            Row(
                name="CPU of ivrd while nobody asks, of one core",
                unit="%",
                figures={
                    "no board": alone.quiet_percent,
                    "boards": watched.quiet_percent,
                    "a board": board_percent,
                },
            ),
            Row(
                name="memory of ivrd",
                unit="MB",
                figures={"no board": rss_mb, "boards": rss_watched_mb},
            ),
            Row(name="boards that were let go", unit="", figures={"boards": seen.let_go}),
        ),
        figure=scrape_ms,
        goal=f"scrape p99 <= {SCRAPE_GOAL_MS:g} ms, no turn above {STALL_GOAL_MS:g} ms",
        is_met=scrape_ms <= SCRAPE_GOAL_MS and stalls == 0 and not seen.let_go,
        notes=(
            "a scripted PBX: 10 calls/s arrive, are answered or give up; "
            f"{members:,} agents; the floor is no Asterisk, ivrd and its HTTP are real",
            f"{len(scrapes)} scrapes, one each {ROUND_S:g} s, each on a connection of its own; "
            f"the first one of all took {first.took_ms:.1f} ms; "
            f"{watched.bytes['scrape'] / 1e6:.2f} MB, OpenMetrics",
            f"{VIEWERS} boards came at once and had the present after {seen.all_present_s:.2f} s "
            f"({seen.begin_mb:.0f} MB); changes then took {seen.mb / watched.seconds:.1f} MB/s",
            f"{watched.calls} calls came in the {watched.seconds:.0f} s with boards; "
            f"{len(probes)} changes were timed at each",
            "the machine's other work, the PBX and the boards share its cores; CPU is the daemon's",
        ),
    )


def _tail(name: str, phase: Phase, costs_ms: Mapping[str, float]) -> Row:
    row = _spread(name, "ms", phase.took_ms[name.partition(f", {VIEWERS} boards")[0]])
    if name not in costs_ms:
        return row
    return Row(name=name, unit="ms", figures={**row.figures, "its CPU": costs_ms[name]})


def _spread(name: str, unit: str, values: Sequence[float]) -> Row:
    figures = {
        "p50": percentile(values, 50),
        "p99": percentile(values, 99),
        "max": max(values),
    }
    return Row(name=name, unit=unit, figures=figures)


async def _look(town: Town, *, until_s: float, probes: dict[int, float] | None = None) -> Phase:
    """Ask nothing for a while, then everything once a round until so long after the start."""
    phase = Phase()
    before = await town.turns("ivrd_loop_stalls_total")
    calls, began_s = town.floor.calls, time.monotonic()
    cpu_s = town.daemon.cpu_seconds()
    await asyncio.sleep(QUIET_S)
    phase.quiet_percent = 100 * (town.daemon.cpu_seconds() - cpu_s) / (time.monotonic() - began_s)
    rounds = 0
    while rounds < ROUNDS_MIN or town.age_s() < until_s:
        rounds += 1
        next_s = time.monotonic() + ROUND_S
        if probes is not None:
            sent_s = time.monotonic()
            probes[town.floor.probe(town.ami)] = sent_s
        for name, path in QUESTIONS.items():
            answer = await town.ask(path)
            phase.took_ms.setdefault(name, []).append(answer.took_ms)
            phase.bytes[name] = len(answer.body)
            # Not in a row: a question would wait for what the one before has left behind.
            await asyncio.sleep(ROUND_S / 20)
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
    phase.seconds = time.monotonic() - began_s
    phase.calls = town.floor.calls - calls
    after = await town.turns("ivrd_loop_stalls_total")
    phase.stalls = {clock: after[clock] - before[clock] for clock in after}
    return phase


async def _costs_ms(town: Town, quiet_percent: float) -> dict[str, float]:
    """Return the CPU that the daemon takes for each question, beyond what it takes anyway."""
    costs: dict[str, float] = {}
    for name, path in QUESTIONS.items():
        cpu_s, began_s = town.daemon.cpu_seconds(), time.monotonic()
        for _ in range(COST_TIMES):
            await town.ask(path)
        anyway_s = quiet_percent / 100 * (time.monotonic() - began_s)
        costs[name] = (town.daemon.cpu_seconds() - cpu_s - anyway_s) / COST_TIMES * 1000
    return costs


# The boards.


@dataclass(slots=True, kw_only=True)
class _Boards:
    """The process of the boards."""

    process: asyncio.subprocess.Process
    all_present_s: float

    async def seen(self, probes: dict[int, float]) -> Boards:
        """End them, and return what they saw."""
        await asyncio.sleep(LAST_LOOK_S)
        async with asyncio.timeout(ANSWER_S_MAX):
            out, _ = await self.process.communicate(b"")
        told = json.loads(out)
        delays_ms = []
        for number, sent_s in probes.items():
            came_s = told["probes"].get(str(number), [])
            if len(came_s) < VIEWERS - told["lost"]:
                raise BenchError(f"change {number} came to {len(came_s)} of {VIEWERS} boards")
            delays_ms += [(each_s - sent_s) * 1000 for each_s in came_s]
        return Boards(
            all_present_s=self.all_present_s,
            begin_mb=told["begin_bytes"] / 1e6,
            mb=told["bytes"] / 1e6,
            delays_ms=delays_ms or [math.inf],
            let_go=told["lost"],
        )


@contextlib.asynccontextmanager
async def _boards(town: Town) -> AsyncIterator[_Boards]:
    """Let boards watch, and wait until all have the present."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.viewers",
        str(town.web_port),
        str(VIEWERS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert process.stdout is not None, "it has a pipe"
    try:
        async with asyncio.timeout(PRESENT_S_MAX):
            line = await process.stdout.readline()
        yield _Boards(process=process, all_present_s=json.loads(line)["all_present_s"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# The town.


@contextlib.asynccontextmanager
async def _town() -> AsyncIterator[Town]:
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(instance_directory(temporary_parent()))
        ports = [reserve_port() for _ in range(2)]
        for port in ports:
            stack.callback(port.release)
        floor = LargeFloor()
        ami = await stack.enter_async_context(scripted_ami(replies=floor.server()))
        playing = asyncio.create_task(floor.run(ami), name="floor")
        stack.callback(playing.cancel)
        agi_port, web_port = (port.first for port in ports)
        (directory / "ami-secret").write_text("right\n", encoding="ascii")
        (directory / "queue_log").touch()
        text = large_floor.ivrd_toml(
            ami_port=ami.port, agi_port=agi_port, web_port=web_port, directory=str(directory)
        )
        (directory / "ivrd.toml").write_text(text, encoding="utf-8")
        daemon = await Child.start(
            [sys.executable, "-m", "ivrd", "run", "--config", directory / "ivrd.toml"],
            name="ivrd",
            log_path=directory / "ivrd.log",
            cwd=REPOSITORY,
        )
        stack.push_async_callback(daemon.stop)
        town = Town(floor=floor, ami=ami, daemon=daemon, web_port=web_port)
        await _until_known(town)
        yield town


async def _until_known(town: Town) -> None:
    """Wait until ivrd knows everybody who waits."""
    deadline_s = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline_s:
        await asyncio.sleep(0.2)
        if town.daemon.returncode is not None:
            break
        with contextlib.suppress(OSError, BenchError):
            queues = json.loads((await town.ask("/api/queues")).body)["queues"]
            waiting = sum(queue["waiting"] or 0 for queue in queues)
            if waiting >= large_floor.WAITING * 0.98:
                return
    raise BenchError(f"ivrd does not know the floor:\n{town.daemon.log_tail()}")
