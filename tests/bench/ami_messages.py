"""(a) AMI messages per second of CPU through ivrd, against panoramisk's own parse and dispatch.

Both get the same bytes in the same chunks, recorded from a real Asterisk in this run.

ivrd: the production path. `AmiProtocol.data_received` frames and filters, `parse` makes core
events, `Engine.apply` takes them through the tracker to the real metrics and the log line of each
call. Only the tasks between these steps are left out, and the database, which is no part of (a).

panoramisk: `AMIProtocol.data_received` decodes, makes a Message of everything, and dispatches it to
one callback for '*' that does nothing.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

import structlog
from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from ivrd import rules
from ivrd.ami.parse import parse
from ivrd.ami.protocol import AmiCounters, AmiProtocol
from ivrd.clock import AsteriskClock
from ivrd.config import Config, LogConfig, load
from ivrd.core.events import SnapshotTaken
from ivrd.core.tracker import Tracker
from ivrd.engine import Engine
from ivrd.log import configure
from ivrd.metrics import Metrics
from tests.bench import traffic
from tests.bench.listener import listening
from tests.bench.result import BenchError, Result, Row, spread_row
from tests.lab.municipality import SYSTEM, Municipality

RATE_PER_S = 20.0
STAYS_EVERY = 4
GOAL = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What Asterisk sent while citizens called."""

    calls: int
    config: Config
    unfiltered: Sequence[bytes]
    """In chunks, as they came to a listener who is sent everything."""
    filtered: Sequence[bytes]
    """The same time, as a second listener with ivrd's own AMI user got it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both sides on one stream."""

    messages: int
    ours_per_s: Sequence[float]
    theirs_per_s: Sequence[float]
    events: int
    """Core events that ivrd made of the messages."""

    @property
    def ratios(self) -> list[float]:
        """Return the ratio of each round."""
        return [a / b for a, b in zip(self.ours_per_s, self.theirs_per_s, strict=True)]


async def measure(*, is_quick: bool) -> Result:
    """Return the speed of both sides."""
    calls, rounds = (100, 5) if is_quick else (300, 9)
    recording = await record(calls)
    log = recording.config.log
    quiet = log.model_copy(update={"level": "error"})
    unfiltered = await _compare(recording, recording.unfiltered, log, rounds=rounds)
    unlogged = await _compare(recording, recording.unfiltered, quiet, rounds=rounds)
    filtered = await _compare(recording, recording.filtered, log, rounds=rounds)
    ratio_row = spread_row("ratio", "", unfiltered.ratios)
    figure = ratio_row.figures["median"]
    return Result(
        key="a",
        title="AMI messages per CPU second: ivrd (parse, core, metrics) / panoramisk (parse)",
        rows=(
            *_rows(unfiltered, ""),
            ratio_row,
            spread_row("ratio, without the log line of each call", "", unlogged.ratios),
            *_rows(filtered, ", filtered by Asterisk"),
            spread_row("ratio, filtered by Asterisk", "", filtered.ratios),
            Row(
                name="messages of a call",
                unit="",
                figures={
                    "all": unfiltered.messages / calls,
                    "filtered": filtered.messages / calls,
                    "wanted": unfiltered.events / calls,
                },
            ),
        ),
        figure=figure,
        goal=f">= {GOAL:g}",
        is_met=figure >= GOAL,
        notes=(
            f"{calls} calls at {RATE_PER_S:g}/s recorded from Asterisk in this run: "
            f"{unfiltered.messages} messages, {_bytes(recording.unfiltered) / 1e6:.1f} MB; "
            f"{rounds} rounds, the sides in turn, by this thread's CPU time",
            f"{100 * unfiltered.events / unfiltered.messages:.1f} % of an unfiltered stream is "
            f"wanted; ivrd asks Asterisk to filter, which leaves {filtered.messages} messages",
        ),
    )


def _rows(comparison: Comparison, which: str) -> tuple[Row, Row]:
    return (
        spread_row(f"ivrd{which}", "messages/s", comparison.ours_per_s),
        spread_row(f"panoramisk{which}", "messages/s", comparison.theirs_per_s),
    )


async def record(calls: int) -> Recording:
    """Record what a real Asterisk sends about so many calls, with ivrd at work beside it."""
    async with Municipality.start(traffic.floor_plan()) as town:
        config = load(town.config_path)
        pbx = town.pbx
        own = config.pbx[0]
        async with (
            listening(
                port=pbx.ami_port, username=pbx.lab_user, secret=pbx.lab_secret
            ) as everything,
            listening(
                port=pbx.ami_port,
                username=own.username,
                secret=own.secret.get_secret_value(),
            ) as wanted,
        ):
            people = traffic.citizens(calls, stays_every=STAYS_EVERY)
            await traffic.call(town, people, rate_per_s=RATE_PER_S)
        await traffic.prove_counted(town, calls)
    return Recording(
        calls=calls,
        config=config,
        unfiltered=tuple(everything.chunks),
        filtered=tuple(wanted.chunks),
    )


async def _compare(
    recording: Recording, chunks: Sequence[bytes], log: LogConfig, *, rounds: int
) -> Comparison:
    messages = b"".join(chunks).count(b"\r\n\r\n")
    written = StringIO()
    configure(log, stream=written)
    ours: list[float] = []
    theirs: list[float] = []
    events = 0
    try:
        for _ in range(rounds):
            ivrd = Ivrd(recording.config)
            ours.append(messages / _cpu_s(ivrd.receive, chunks))
            ivrd.prove_counted(recording.calls)
            events = ivrd.counters.events
            written.seek(0)
            written.truncate()
            panoramisk = Panoramisk()
            theirs.append(messages / _cpu_s(panoramisk.receive, chunks))
            panoramisk.prove_dispatched(messages)
            await asyncio.sleep(0)
    finally:
        structlog.reset_defaults()
    return Comparison(messages=messages, ours_per_s=ours, theirs_per_s=theirs, events=events)


class Ivrd:
    """The production path, from bytes to counted calls."""

    def __init__(self, config: Config) -> None:
        """Build what app.py builds, without adapters."""
        self.counters = AmiCounters()
        self._protocol = AmiProtocol(counters=self.counters)
        self._clock = AsteriskClock()
        floor_rules = rules.floor_rules(config)
        self._tracker = Tracker(system=SYSTEM, rules=floor_rules)
        self._metrics = Metrics(
            limits=[queue.service_level_threshold for queue in floor_rules.queues.values()]
        )
        self._engine = Engine(
            trackers={SYSTEM: self._tracker},
            counters=self._metrics,
            store=None,
            publisher=None,
        )

    def receive(self, chunks: Sequence[bytes]) -> None:
        """Take a whole stream."""
        frames = self._protocol.frames
        for chunk in chunks:
            self._protocol.data_received(chunk)
            while frames:
                frame = frames.popleft()
                event = parse(SYSTEM, frame.name, frame.raw)
                if event is None:
                    continue
                if not self.counters.events:
                    # As after login: who waits is known from here on, so moves are planned too.
                    self._engine.submit(
                        SnapshotTaken(
                            at=event.at,
                            system=SYSTEM,
                            queues=(),
                            channels=frozenset(),
                            can_withdraw=True,
                        )
                    )
                self._clock.observe_event(event.at, frame.received_s)
                self._engine.submit(event)
                self.counters.events += 1
            self._engine.apply_inbox()
        self._engine.pass_all_deadlines()

    def prove_counted(self, calls: int) -> None:
        """Prove that the metrics hold every call.

        Raises:
            BenchError: They do not.
        """
        counted = sum(
            sample.value
            for family in self._metrics.registry.collect()
            for sample in family.samples
            if sample.name == "ivrd_calls_total"
            and sample.labels["outcome"] in ("resolved", "switchboard")
        )
        if counted != calls or self._tracker.live_calls:
            raise BenchError(f"ivrd counted {counted} of {calls} recorded calls as answered")


class Panoramisk:
    """The peer: its own protocol and dispatch, connected to nothing."""

    def __init__(self) -> None:
        """Build what its Manager builds on a connection."""
        self.dispatched = 0
        manager = Manager(loop=asyncio.get_running_loop())
        manager.register_event("*", self._count)
        self._protocol = AMIProtocol()
        self._protocol.connection_made(None)
        self._protocol.factory = manager
        self._protocol.encoding = "utf8"

    def receive(self, chunks: Sequence[bytes]) -> None:
        """Take a whole stream."""
        for chunk in chunks:
            self._protocol.data_received(chunk)

    def prove_dispatched(self, messages: int) -> None:
        """Prove that every event came through; the login's answer is none.

        Raises:
            BenchError: Some did not.
        """
        if self.dispatched != messages - 1:
            raise BenchError(f"panoramisk dispatched {self.dispatched} of {messages - 1} events")

    def _count(self, _manager: Manager, _message: object) -> None:
        self.dispatched += 1


def _cpu_s(receive: Callable[[Sequence[bytes]], None], chunks: Sequence[bytes]) -> float:
    """Return the CPU time that one side needs; of this thread, so others' load does not count."""
    gc.collect()
    started_s = time.thread_time()
    receive(chunks)
    return time.thread_time() - started_s


def _bytes(chunks: Sequence[bytes]) -> int:
    return sum(len(chunk) for chunk in chunks)
