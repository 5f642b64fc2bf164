"""Builds every part from the configuration, runs them in one TaskGroup, and ends them in order.

Here: the only place that knows all concrete classes. Not here: any rule.

The order of the end: first no new callers (AGI; they meet the static menu), then the PBX (it is
told that we are gone), then what was decided goes to the database, or stays in the journal for the
next start, then the broker and the pages.
"""

import asyncio
import dataclasses
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from ivrd import rules
from ivrd.agi.server import AgiLimits, AgiServer
from ivrd.agi.session import SessionEnd
from ivrd.ami.client import AmiClient
from ivrd.checkpoint import CheckpointFile
from ivrd.clock import AsteriskClock
from ivrd.config import Config, PbxConfig, Supervision
from ivrd.core.effects import MoveCaller
from ivrd.core.events import Event
from ivrd.core.ids import MenuName, QueueName, SystemName
from ivrd.core.menu import Finished
from ivrd.core.tracker import Tracker
from ivrd.db.connection import open_engine
from ivrd.db.outbox import StoreOutbox
from ivrd.db.store import Store
from ivrd.engine import INBOX_EVENTS_MAX, Engine
from ivrd.errors import PeerError
from ivrd.gap import GapFiller
from ivrd.journal.facts_journal import FactsJournal
from ivrd.metrics import AmiState, Metrics
from ivrd.mqtt import Publisher
from ivrd.notify import Notifier
from ivrd.queue_log import QueueLog
from ivrd.reconciliation import GAUGES as RECONCILE_GAUGES
from ivrd.reconciliation import ResultFile, last_results
from ivrd.web.pages import create_app
from ivrd.web.server import serve
from ivrd.web.status import QueueTitle, StatusBook

DRAIN_S_MAX = 10.0
"""Time for the database to take what was decided; systemd waits longer (TimeoutStopSec=30)."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class MenuCounts:
    """What came of AGI sessions; read at each scrape."""

    def __init__(self) -> None:
        self.ends: Counter[tuple[str, ...]] = Counter()
        self.missing_prompts: Counter[tuple[str, ...]] = Counter()
        self._milliseconds: Counter[tuple[str, ...]] = Counter()

    def menu_finished(self, *, menu: MenuName, finished: Finished, seconds: float) -> None:
        """Count one menu; the outcome itself travels through the dialplan's UserEvent."""
        self._milliseconds[(menu, finished.outcome.value)] += round(seconds * 1000)

    def seconds(self) -> dict[tuple[str, ...], float]:
        """Return the seconds spent in each menu, by outcome."""
        return {labels: spent / 1000 for labels, spent in self._milliseconds.items()}

    def prompt_missing(self, *, place: str, prompt: str) -> None:
        """Count a prompt that Asterisk could not play; log the first time."""
        if (place, prompt) not in self.missing_prompts:
            log.warning("prompt_missing", menu=place, prompt=prompt)
        self.missing_prompts[(place, prompt)] += 1

    def session_ended(self, *, end: SessionEnd) -> None:
        """Count one connection."""
        self.ends[(end.value,)] += 1


class PbxLink:
    """One PBX as the engine sees it."""

    def __init__(self, client: AmiClient, clock: AsteriskClock) -> None:
        self._client = client
        self._clock = clock

    def move(self, effect: MoveCaller) -> None:
        """Ask for a move; a refusal comes back as an event."""
        self._client.withdraw(effect)

    def seconds_until(self, at: datetime) -> float:
        """Return how long until this PBX's clock says `at`."""
        return self._clock.monotonic_at(at) - time.monotonic()


class App:
    """The daemon. Made once, run once."""

    def __init__(self, config: Config, *, supervision: Supervision) -> None:
        """Build every part; nothing is connected or listened on yet."""
        self._config = config
        self._notifier = Notifier(supervision)
        self._stop = asyncio.Event()
        self._clocks = {SystemName(pbx.name): AsteriskClock() for pbx in config.pbx}
        floor_rules = rules.floor_rules(config)
        self._trackers = {
            system: Tracker(system=system, rules=floor_rules) for system in self._clocks
        }
        self._metrics = Metrics(
            limits=[
                limit
                for queue in floor_rules.queues.values()
                for limit in (queue.service_level_threshold, queue.short_abandon)
            ]
        )
        self._store = Store(open_engine(config.database))
        self._journal = FactsJournal(
            config.journal.directory, bytes_max=config.journal.size_mb_max * 1_000_000
        )
        self._outbox = StoreOutbox(self._store, report=self._report, journal=self._journal)
        self._menu_counts = MenuCounts()
        self._agi = AgiServer(
            host=config.agi.host,
            port=config.agi.port,
            menus=rules.menus(config),
            limits=AgiLimits(
                sessions_max=config.agi.sessions_max, session_s=config.agi.session_s_max
            ),
            report=self._menu_counts,
        )
        self._publisher: Publisher | None = None
        if config.mqtt is not None:
            self._publisher = Publisher(
                config.mqtt, systems=list(self._clocks), status=self._status_json
            )
        self._engine = Engine(
            trackers=self._trackers,
            counters=self._metrics,
            store=self._outbox,
            publisher=self._publisher,
        )
        self._gaps: dict[SystemName, GapFiller] = {}
        self._clients = [self._client(pbx) for pbx in config.pbx]
        self._statuses = StatusBook(self._engine, now=self._now, titles=_titles(config))
        self._web_place = ""
        self._is_web_open = asyncio.Event()
        self._wire_metrics()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            PeerError: A port cannot be listened on, or another ivrd uses the journal.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._agi.bind()
        except OSError as error:
            place = f"{self._config.agi.host}:{self._config.agi.port}"
            raise PeerError(f"agi: cannot listen on {place}: {error.strerror}") from error
        try:
            self._journal.open()
            async with asyncio.TaskGroup() as group:
                tasks = {
                    name: group.create_task(work, name=name) for name, work in self._work().items()
                }
                await self._announce()
                await self._stop.wait()
                await self._end(tasks)
        finally:
            await self._store.close()
            self._journal.close()

    def _work(self) -> Mapping[str, Coroutine[object, object, None]]:
        """Return every task's work by name."""
        work: dict[str, Coroutine[object, object, None]] = {
            "engine": self._engine.run(),
            "database": self._outbox.run(),
            "web": self._serve_web(),
            "agi": self._agi.serve(),
            "watchdog": self._notifier.watchdog(),
        }
        if self._publisher is not None:
            work["mqtt"] = self._publisher.run()
        for client in self._clients:
            work[f"ami-{client.system}"] = client.run()
            work[f"gap-{client.system}"] = self._gaps[client.system].run()
        return work

    async def _announce(self) -> None:
        await self._agi.started.wait()
        await self._is_web_open.wait()
        log.info("ivrd_started", web=self._web_place, agi_port=self._agi.port)
        self._notifier.ready()

    async def _end(self, tasks: Mapping[str, "asyncio.Task[None]"]) -> None:
        """End every task, in the order of the module's header."""
        log.info("ivrd_stopping")
        self._notifier.stopping()
        first = ["agi", *(name for name in tasks if name.startswith("ami-"))]
        for name in first:
            await _cancel(tasks[name])
        self._engine.apply_inbox()
        lost = await self._outbox.drain(within_s=DRAIN_S_MAX)
        for name in [name for name in tasks if name not in first]:
            await _cancel(tasks[name])
        log.info("ivrd_stopped", facts_lost=lost, facts_in_journal=self._journal.waiting)

    async def _serve_web(self) -> None:
        app = create_app(
            statuses=self._statuses, registry=self._metrics.registry, readiness=self._faults
        )

        def note(host: str, port: int) -> None:
            self._web_place = f"http://{host}:{port}"
            self._is_web_open.set()

        await serve(app, self._config.web, on_listening=note)

    def _faults(self) -> list[str]:
        """Return a sentence for each thing that keeps us from working."""
        faults = []
        for client in self._clients:
            if client.fault is not None:
                faults.append(f"PBX {client.system}: {client.fault}")
            elif not self._trackers[client.system].is_synced:
                faults.append(f"PBX {client.system}: no snapshot of its queues yet")
        if self._outbox.trouble is not None:
            faults.append(f"database: {self._outbox.trouble}")
        if self._journal.trouble is not None:
            faults.append(f"journal: {self._journal.trouble}")
        if not self._agi.started.is_set():
            faults.append("agi: not listening yet")
        return faults

    def _client(self, pbx: PbxConfig) -> AmiClient:
        system = SystemName(pbx.name)
        clock = self._clocks[system]
        gap = GapFiller(
            system=system,
            queue_log=QueueLog(pbx.queue_log_file, system=system),
            file=CheckpointFile(self._config.state_directory, system),
            calls=self._trackers[system],
            now=clock.now,
        )
        self._engine.observe(gap.observe)
        self._gaps[system] = gap
        client = AmiClient(pbx, self._engine.submit, clock, read_journal=gap.read)
        self._engine.connect(client.system, PbxLink(client, clock))
        return client

    def _report(self, event: Event) -> None:
        """Take an event of the store; a full inbox costs one message to subscribers, no fact."""
        try:
            self._engine.submit(event)
        except asyncio.QueueFull:
            log.error("event_dropped", asterisk=event.system, event_type=type(event).__name__)

    def _now(self) -> datetime:
        """Return the time of the first PBX, by which screens show how long somebody has waited."""
        return next(iter(self._clocks.values())).now()

    def _status_json(self, system: SystemName, queue: QueueName) -> str | None:
        return self._statuses.as_json(system, queue)

    def _wire_metrics(self) -> None:
        metrics = self._metrics
        metrics.watch_floor(self._engine, now=self._now)
        metrics.watch_outbox(self._outbox)
        if self._publisher is not None:
            metrics.watch_outbox(self._publisher)
        for client in self._clients:
            for queue in self._config.queues:
                metrics.expect_queue(client.system, QueueName(queue.name))
            metrics.watch_ami(client.system, _ami_state(client))
            self._wire_ami(client)
        metrics.register_gauge_source(
            "ivrd_inbox_depth",
            f"Events that wait for the core; at most {INBOX_EVENTS_MAX}.",
            (),
            lambda: {(): self._engine.inbox_depth},
        )
        results = {
            system: ResultFile(self._config.state_directory, system) for system in self._clocks
        }
        for name, (help_text, figure) in RECONCILE_GAUGES.items():
            metrics.register_gauge_source(
                name, help_text, ("system",), partial(last_results, results, figure)
            )
        metrics.register_gauge_source(
            "ivrd_agi_sessions", "Callers in menus now.", (), lambda: {(): self._agi.sessions_open}
        )
        metrics.register_counter_source(
            "ivrd_agi_sessions_total",
            "AGI connections by how they ended.",
            ("end",),
            lambda: self._menu_counts.ends,
        )
        metrics.register_counter_source(
            "ivrd_agi_prompts_missing_total",
            "Prompts that Asterisk could not play.",
            ("menu", "prompt"),
            lambda: self._menu_counts.missing_prompts,
        )
        metrics.register_counter_source(
            "ivrd_menu_seconds_total",
            "Seconds that callers spent in menus, by outcome.",
            ("menu", "outcome"),
            self._menu_counts.seconds,
        )
        self._wire_journal()

    def _wire_journal(self) -> None:
        """Show how full the journal is, and each way in which a fact may come to harm."""
        journal, outbox, store = self._journal, self._outbox, self._store
        gauges: Mapping[str, tuple[str, Callable[[], float]]] = {
            "bytes": ("Size of the journal on disk.", lambda: journal.bytes),
            "bytes_max": ("What the journal may take; more is dropped.", lambda: journal.bytes_max),
            "usable": (
                "1 while facts come to the disk; at 0 they wait in memory, and a crash loses them.",
                lambda: journal.is_usable,
            ),
        }
        counters: Mapping[str, tuple[str, Callable[[], float]]] = {
            "journal_appended": ("Facts written to the journal.", lambda: journal.appended),
            "journal_broken_lines": (
                "Lines of the journal that could not be read, and were set aside.",
                lambda: journal.broken_lines,
            ),
            "journal_faults": ("Times the journal became unusable.", lambda: journal.faults),
            "store_conflicts": (
                "Facts ignored because the database holds a different one under their key.",
                lambda: store.conflicts,
            ),
            "store_refused": (
                "Facts that the database refused for their content, and were set aside.",
                lambda: outbox.refused,
            ),
        }
        for name, (told, read) in gauges.items():
            self._metrics.register_gauge_source(f"ivrd_journal_{name}", told, (), _single(read))
        for name, (told, read) in counters.items():
            self._metrics.register_counter_source(f"ivrd_{name}_total", told, (), _single(read))

    def _wire_ami(self, client: AmiClient) -> None:
        """Show each number of the connection, and how often the PBX's time ran backwards."""
        system = client.system
        for field in dataclasses.fields(client.counters):
            self._metrics.register_counter_source(
                f"ivrd_ami_{field.name}_total",
                AMI_COUNTERS[field.name],
                ("system",),
                _reader(client, field.name),
            )
        self._metrics.register_counter_source(
            "ivrd_clock_clamps_total",
            "Events whose stamp was older than one seen before, and was lifted to it.",
            ("system",),
            lambda: {(system,): self._trackers[system].clamps},
        )
        self._metrics.register_counter_source(
            "ivrd_gap_rows_total",
            "Rows of queue_log that were read to learn what happened in a gap.",
            ("system",),
            lambda: {(system,): self._gaps[system].rows_read},
        )
        self._metrics.register_counter_source(
            "ivrd_gap_faults_total",
            "What was wrong with queue_log, or with the kept place in it.",
            ("system", "kind"),
            lambda: self._gaps[system].damages(),
        )
        self._metrics.register_gauge_source(
            "ivrd_gap_journal_usable",
            "1 while queue_log can be read; at 0 what happens in a gap stays unknown.",
            ("system",),
            lambda: {(system,): self._gaps[system].is_usable},
        )
        self._metrics.register_gauge_source(
            "ivrd_calls_live",
            "Calls remembered now.",
            ("system",),
            lambda: {(system,): self._trackers[system].live_calls},
        )


AMI_COUNTERS = {
    "connects": "Connections that came as far as being logged in.",
    "failures": "Connections, or attempts, that ended in trouble.",
    "frames": "Messages received.",
    "frames_dropped": "Messages that nobody wants.",
    "frames_oversized": "Messages thrown away for their size.",
    "frames_garbage": "Messages that were neither event nor answer.",
    "events": "Events handed to the core.",
    "events_refused": "Wanted events that were broken or had no stamp.",
    "events_failed": "Wanted events on which our own parser failed.",
    "overflows": "Times that events came faster than they could be taken, and were lost.",
    "replies_late": "Answers that nobody waited for any more.",
    "actions_timed_out": "Actions that were not answered in time.",
    "lists_incomplete": "Lists that lacked items of those that Asterisk counted.",
    "snapshots": "Snapshots taken.",
    "moves_asked": "Withdraws asked for.",
    "moves_refused": "Withdraws refused, or not sent in time.",
}
"""Help text of each number of `AmiCounters`; a test compares them."""


def _single(read: Callable[[], float]) -> Callable[[], Mapping[tuple[str, ...], float]]:
    return lambda: {(): read()}


def _reader(client: AmiClient, name: str) -> Callable[[], Mapping[tuple[str, ...], float]]:
    return lambda: {(client.system,): getattr(client.counters, name)}


def _ami_state(client: AmiClient) -> Callable[[], AmiState]:
    return lambda: AmiState(is_connected=client.is_connected, last_event_at=client.last_event_at)


def _titles(config: Config) -> list[QueueTitle]:
    return [
        QueueTitle(
            system=SystemName(pbx.name),
            queue=QueueName(queue.name),
            role=queue.role,
            title_sv=queue.title_sv,
            title_en=queue.title_en,
            service_level_threshold=timedelta(seconds=queue.service_level_threshold_s),
            short_abandon=timedelta(seconds=queue.short_abandon_s),
        )
        for pbx in config.pbx
        for queue in config.queues
    ]


async def _cancel(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait([task])
