"""Whether everybody who shows who waits where says what Asterisk itself says, at one moment.

Here: reading Asterisk's `queue show` and the five surfaces of ivrd, and comparing them. Not here:
when a moment is taken (demo_compare.py, the tests).

They can only be read one after the other, while callers come and go, and news needs time to reach a
board and a broker. So a moment is a reading for which Asterisk stood still:

    1. `queue show` is the same, caller by caller, from NEWS_S before the reading to its end, and
       nobody entered a queue meanwhile, by queue_log: not even somebody who has left again.
    2. Whatever is read then counts. It is not read again because somebody disagrees, for then
       only moments that agree would be found.
    3. A reading during which Asterisk moved says nothing of anybody; it is counted as spoilt.

Nothing is rounded or left out: the number for each queue on all six; who, and in which order, from
Asterisk and `/api/calls`; since when the first has waited from whatever tells it.
"""

import asyncio
import contextlib
import json
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from tests.lab.board import Board
from tests.lab.mosquitto import Mosquitto
from tests.lab.municipality import ONE_REQUEST, REPOSITORY, SYSTEM, Municipality
from tests.lab.pbx import Pbx
from tests.lab.processes import Child, LabError

ASTERISK, METRICS, API, BOARD, MQTT, CLI = (
    "queue show",
    "/metrics",
    "API",
    "board",
    "MQTT",
    "ivrd status",
)

NEWS_S = 1.0
"""So long after Asterisk's last change a surface may still say something older. Boards and brokers
are told at most five times a second."""

ANSWER_S_MAX = 60.0
"""For one surface to answer at all, and for the command line to start on a busy machine."""

CLI_EVERY_S = 0.2

_ENTERED = b"|ENTERQUEUE|"

_QUEUE = re.compile(r"^(\S+) +has (\d+) calls? ", re.M)
_CALLER = re.compile(r"^ +\d+\. (\S+) \(wait: ", re.M)
_SAMPLE = re.compile(r'^ivrd_queue_callers\{queue="([^"]+)",system="[^"]+"\} (\S+)$', re.M)

Counts = Mapping[str, str]
"""By queue, how many wait, as the surface writes it: what is not known is no number."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one of the six told."""

    counts: Counts
    callers: Mapping[str, tuple[str, ...]] | None = None
    """By queue, the ids of the calls that wait, in order; None where it does not tell."""
    oldest: Mapping[str, str | None] | None = None
    """By queue, the first arrival of who has waited longest; None where it does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All six at one moment in which Asterisk stood still."""

    at: datetime
    seen: Mapping[str, Seen]
    still_s: float
    """From when Asterisk was first seen like this to the end of the reading."""
    spoilt: int
    """Readings before this one that do not count, because Asterisk moved meanwhile."""

    @property
    def asterisk(self) -> Seen:
        """What all others are held against."""
        return self.seen[ASTERISK]

    @property
    def differences(self) -> list[str]:
        """Return what does not agree, in words; nothing when everything does."""
        return differences(self.seen)

    @property
    def waiting(self) -> int:
        """How many wait, in all queues."""
        return sum(int(count) for count in self.asterisk.counts.values())

    @property
    def occupied(self) -> int:
        """In how many queues somebody waits."""
        return sum(count != "0" for count in self.asterisk.counts.values())

    def as_json(self) -> dict[str, object]:
        """Return it for scripts."""
        return {
            "at": self.at.isoformat(),
            "waiting": {name: dict(seen.counts) for name, seen in self.seen.items()},
            "calls": {queue: list(ids) for queue, ids in (self.asterisk.callers or {}).items()},
            "still_s": round(self.still_s, 3),
            "spoilt": self.spoilt,
            "differences": self.differences,
        }


def differences(seen: Mapping[str, Seen]) -> list[str]:
    """Return in words where one of the others differs from Asterisk, or from the API's callers."""
    truth = seen[ASTERISK]
    found = [
        f"{name}: {dict(other.counts)}, Asterisk: {dict(truth.counts)}"
        for name, other in seen.items()
        if dict(other.counts) != dict(truth.counts)
    ]
    found += [
        f"{name}: {dict(other.callers)}, Asterisk: {truth.callers}"
        for name, other in seen.items()
        if other.callers is not None and dict(other.callers) != truth.callers
    ]
    since = seen[API].oldest
    found += [
        f"{name}: oldest {dict(other.oldest)}, API: {since}"
        for name, other in seen.items()
        if other.oldest is not None and dict(other.oldest) != since
    ]
    return found


@dataclass(frozen=True, slots=True)
class _Stand:
    """Asterisk, so that two are the same only if nobody came or went between them."""

    seen: Seen
    entered: int
    """Entries in queue_log."""


class Surfaces:
    """Everybody who shows who waits where, open and ready to be read; use `open`."""

    def __init__(
        self,
        town: Municipality,
        broker: Mosquitto,
        board: Board,
        http: httpx.AsyncClient,
        cli: Child,
    ) -> None:
        """Only describes them."""
        self._town = town
        self._broker = broker
        self._board = board
        self._http = http
        self._cli = cli
        self._ids: dict[str, str] = {}
        """The call's id by the name of its channel, which Asterisk gives once only."""
        self._readers: Mapping[str, Callable[[], Awaitable[Seen]]] = {
            METRICS: self.metrics,
            API: self.api,
            BOARD: self.board,
            MQTT: self.mqtt,
            CLI: self.cli,
        }

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, town: Municipality, broker: Mosquitto) -> "AsyncIterator[Surfaces]":
        """Open the board in a browser, and start the command line.

        Args:
            town: Its plan has the port of the broker.
            broker: Where ivrd publishes.
        """
        async with contextlib.AsyncExitStack() as stack:
            # A new process for each reading would be three seconds late: it starts slowly.
            cli = await Child.start(
                [
                    *(sys.executable, "-m", "ivrd", "status", "--json", "--watch"),
                    *("--every", str(CLI_EVERY_S), "--config", town.config_path),
                ],
                name="ivrd status",
                log_path=town.directory / "status.jsonl",
                cwd=REPOSITORY,
            )
            stack.push_async_callback(cli.stop)
            board = await stack.enter_async_context(Board.open(town.web))
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=town.web, timeout=ANSWER_S_MAX, limits=ONE_REQUEST)
            )
            surfaces = cls(town, broker, board, http, cli)
            await surfaces.cli()
            yield surfaces

    async def moment(
        self,
        *,
        wanted: Callable[[Seen], bool] = lambda asterisk: True,
        news_s: float = NEWS_S,
        within_s: float = 60.0,
    ) -> Moment:
        """Return the next moment in which Asterisk stood still and is as wanted.

        Raises:
            LabError: There was none.
        """
        deadline, spoilt = time.monotonic() + within_s, 0
        last, since = None, 0.0
        while time.monotonic() < deadline:
            # The command line has just answered, so its next answer is soon, and asked after this.
            await self._answer(1)
            stand = await self._stand()
            if stand != last:
                last, since = stand, time.monotonic()
            if time.monotonic() - since < news_s or not wanted(stand.seen):
                continue
            seen = {ASTERISK: stand.seen, **await self._read_all()}
            last = await self._stand()
            still_s = time.monotonic() - since
            if last == stand:
                return Moment(at=self._town.pbx.now(), seen=seen, still_s=still_s, spoilt=spoilt)
            since = time.monotonic()
            spoilt += 1
        raise LabError(f"not within {within_s} s: a moment in which Asterisk stands still")

    async def _stand(self) -> "_Stand":
        return _Stand(await self.asterisk(), self._town.pbx.queue_log.read_bytes().count(_ENTERED))

    async def _read_all(self) -> dict[str, Seen]:
        """Read the five at once."""
        async with asyncio.timeout(ANSWER_S_MAX):
            told = await asyncio.gather(*(read() for read in self._readers.values()))
        return dict(zip(self._readers, told, strict=True))

    # One by one.

    async def asterisk(self) -> Seen:
        """Ask the PBX itself."""
        text = await self._town.pbx.cli("queue show")
        counts, channels = queue_show(text)
        if not all(channel in self._ids for each in channels.values() for channel in each):
            self._ids.update(await channel_ids(self._town.pbx))
        # Who hung up between the two questions has no id any more; the next reading shows it.
        callers = {
            queue: tuple(self._ids.get(channel, channel) for channel in each)
            for queue, each in channels.items()
        }
        return Seen(counts, callers)

    async def metrics(self) -> Seen:
        """Read the text that Prometheus gets."""
        text = (await self._http.get("/metrics")).raise_for_status().text
        return Seen({queue: f"{float(value):g}" for queue, value in _SAMPLE.findall(text)})

    async def api(self) -> Seen:
        """Ask the API for its queues, and for its callers one by one."""
        queues = (await self._http.get("/api/queues")).raise_for_status().json()["queues"]
        calls = (await self._http.get("/api/calls")).raise_for_status().json()["calls"]
        callers = {
            queue["queue"]: tuple(
                call["call_id"]
                for call in sorted(calls, key=lambda call: int(call["place"]))
                if call["queue"] == queue["queue"]
            )
            for queue in queues
        }
        return Seen(_counts(queues), callers, _oldest(queues))

    async def board(self) -> Seen:
        """Read what stands on the page in the browser."""
        return Seen(await self._board.waiting())

    async def mqtt(self) -> Seen:
        """Read what the broker has kept."""
        told = await self.retained()
        return Seen(_counts(told), oldest=_oldest(told))

    async def retained(self) -> list[dict[str, object]]:
        """Come as a new subscriber, and take the last status of each queue."""
        program = shutil.which("mosquitto_sub")
        if program is None:
            raise LabError("mosquitto_sub is missing; ./run test installs it on Debian")
        queues = self._town.plan.queues
        process = await asyncio.create_subprocess_exec(
            *(program, "-h", self._broker.host, "-p", str(self._broker.port)),
            *("-q", "1", "-t", f"ivrd/{SYSTEM}/queue/+/status", "--retained-only"),
            *("-C", str(len(queues)), "-W", str(int(ANSWER_S_MAX))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return [json.loads(line) for line in output.splitlines()]

    async def cli(self) -> Seen:
        """Take what the command line prints now: it asked after this reading began."""
        last_at = self._cli.log_path.stat().st_mtime
        # It sleeps before it asks again; later than that an answer may be on its way already.
        is_asleep = time.time() < last_at + CLI_EVERY_S
        queues = json.loads(await self._answer(1 if is_asleep else 2))["queues"]
        return Seen(_counts(queues), oldest=_oldest(queues))

    async def _answer(self, number: int) -> bytes:
        """Return the command line's first, or second, answer from now on."""
        path = self._cli.log_path
        start = path.stat().st_size

        def are_there() -> bool:
            return len(_whole_lines(path, start)) >= number

        await self._cli.wait_until(are_there, what="another answer", within_s=ANSWER_S_MAX)
        return _whole_lines(path, start)[number - 1]


def queue_show(text: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return how many wait in each queue, and on which channels in order.

    Source:
        apps/app_queue.c, __queues_show: "<queue> has <count> calls (max ...", and below it
        "   Callers:" with "      <place>. <channel> (wait: <m:ss>, prio: <n>)".
    """
    heads = list(_QUEUE.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return (
        {head[1]: head[2] for head in heads},
        {
            head[1]: tuple(_CALLER.findall(text, head.end(), end))
            for head, end in zip(heads, ends, strict=True)
        },
    )


async def channel_ids(pbx: Pbx) -> dict[str, str]:
    """Return the call's id for each channel's name.

    Source:
        main/cli.c, CONCISE_FORMAT_STRING: fields parted by "!", the name first, the id last.
    """
    lines = (await pbx.cli("core show channels concise")).splitlines()
    fields = [line.split("!") for line in lines if "!" in line]
    return {each[0]: f"{SYSTEM}/{each[-1]}" for each in fields}


def _whole_lines(path: Path, start: int) -> Sequence[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        return file.read().split(b"\n")[:-1]


def _counts(queues: Sequence[Mapping[str, object]]) -> Counts:
    return {str(queue["queue"]): str(queue["waiting"]) for queue in queues}


def _oldest(queues: Sequence[Mapping[str, object]]) -> dict[str, str | None]:
    return {
        str(queue["queue"]): None if (at := queue["oldest_arrival_at"]) is None else str(at)
        for queue in queues
    }
