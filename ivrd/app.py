"""Builds every part from the configuration, runs them in one TaskGroup, and ends them in order.

Here: the only place that knows all concrete classes. Not here: any rule.

The order of the end: first no new callers (AGI; they meet the static menu), then the PBX (it is
told that we are gone), then what was decided goes to the database, or stays in the journal for the
next start, then the broker and the pages.
"""

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from ivrd import counts_today, live_switches, personal_data, rules, wiring
from ivrd.agi.server import AgiLimits, AgiServer
from ivrd.ami.client import AmiClient
from ivrd.ami.link import PbxLink
from ivrd.case_desk import CaseDesk
from ivrd.case_suggestions import CaseSuggestions
from ivrd.checkpoint import CheckpointFile
from ivrd.clock import AsteriskClock
from ivrd.config import Config, PbxConfig, Supervision
from ivrd.core.case_record import LABELLED, CaseChanged
from ivrd.core.events import CaseLabelled, Event, JournalRead
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.rules import FloorRules
from ivrd.core.switches import Actor, Origin
from ivrd.core.tracker import Tracker
from ivrd.counts_file import CountsFile
from ivrd.db.connection import open_engine
from ivrd.db.facts import trail_of
from ivrd.db.outbox import StoreOutbox
from ivrd.db.store import Store
from ivrd.engine import Engine
from ivrd.errors import PeerError
from ivrd.figures_read import ReadFigures
from ivrd.floor_now import FloorNow
from ivrd.gap import GapFiller
from ivrd.handover.office import HandoverOffice
from ivrd.journal.facts_journal import FactsJournal
from ivrd.labels import label_tree
from ivrd.lines_now import LineBook
from ivrd.loop_turns import LoopTurns
from ivrd.menu_counts import MenuCounts
from ivrd.metrics import Metrics
from ivrd.mqtt import Publisher
from ivrd.notify import Notifier
from ivrd.queue_log import QueueLog
from ivrd.reconciliation import ResultFile
from ivrd.reload import Reloader
from ivrd.site import Site
from ivrd.speaking import QueueSpeaker
from ivrd.web.cases import CasePages
from ivrd.web.status import QueueTitle, StatusBook

DRAIN_S_MAX = 10.0
"""Time for the database to take what was decided; systemd waits longer (TimeoutStopSec=30)."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class App:
    """The daemon. Made once, run once."""

    def __init__(self, config: Config, *, path: Path, supervision: Supervision) -> None:
        """Build every part; nothing is connected or listened on yet.

        Args:
            config: All that is decided.
            path: The file that it came from, for a reload.
            supervision: Who watches over us.
        """
        self._config = config
        self._reloader = Reloader(path, config, apply=self._use)
        self._notifier = Notifier(supervision)
        self._stop = asyncio.Event()
        self._hangups = asyncio.Event()
        self._clocks = {SystemName(pbx.name): AsteriskClock() for pbx in config.pbx}
        floor_rules = rules.floor_rules(config)
        self._trackers = {
            system: Tracker(system=system, rules=floor_rules) for system in self._clocks
        }
        self._counts = CountsFile(config.state_directory)
        self._metrics = Metrics(limits=_limits(floor_rules, config), kept=self._counts)
        self._judge_by(config, floor_rules)
        self._store = Store(open_engine(config.database), case_rules=rules.case_rules(config))
        self._journal = FactsJournal(
            config.journal.directory, bytes_max=config.journal.size_mb_max * 1_000_000
        )
        self._outbox = self._wire_outbox(config)
        self._desk, self._handover = self._wire_cases(config)
        self._menu_counts = MenuCounts(self._metrics)
        self._speaker = QueueSpeaker(self._trackers, sheet=config.sheet)
        self._agi = self._wire_agi(config)
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
        self._switches = self._wire_switches(config)
        self._lines = LineBook(config, switched=lambda: self._switches.board.state, now=self._now)
        self._gaps: dict[SystemName, GapFiller] = {}
        self._clients = [self._client(pbx) for pbx in config.pbx]
        self._wire_web(config)
        self._show()

    def _wire_web(self, config: Config) -> None:
        self._statuses = StatusBook(self._engine, now=self._now, titles=_titles(config))
        self._switches.control.floor = FloorNow(
            self._statuses, lines=self._lines.statuses, faults=self._faults
        )
        self._figures = ReadFigures(self._store, config, systems=list(self._clocks), now=self._now)
        self._engine.observe(self._figures.observe)
        self._site = Site(
            config,
            statuses=self._statuses,
            lines=self._lines.statuses,
            trackers=self._trackers,
            switches=self._switches,
            pbxes={client.system: client for client in self._clients},
            store=self._store,
            metrics=self._metrics,
            readiness=self._faults,
            cases=self._wire_case_pages(),
            now=self._now,
            handover=self._handover,
            personal=self._personal,
        )
        self._engine.observe(self._site.observe)
        if self._publisher is not None:
            self._site.publish_to(self._publisher)

    def _wire_outbox(self, config: Config) -> StoreOutbox:
        self._personal = personal_data.wire(config)
        return StoreOutbox(
            self._store,
            report=self._report,
            changed=lambda changed: self._desk.tell(changed),
            journal=self._journal,
            callers=self._personal.callers,
            before_own=self._restore_day,
        )

    def _wire_cases(self, config: Config) -> tuple[CaseDesk, HandoverOffice]:
        desk = CaseDesk(
            self._store,
            now=self._now,
            labels=label_tree(config.department),
            record=self._outbox.put_nowait,
        )
        desk.listen(self._note_case)
        numbers = self._personal.number_of(self._store)
        return desk, HandoverOffice(config, store=self._store, cases=desk, number_of=numbers)

    def _wire_case_pages(self) -> CasePages:
        pages = CasePages(self._desk, CaseSuggestions(self._store, self._desk), now=self._now)
        self._desk.listen(pages.tell)
        return pages

    def _wire_agi(self, config: Config) -> AgiServer:
        return AgiServer(
            host=config.agi.host,
            port=config.agi.port,
            menus=rules.menus(config),
            limits=AgiLimits(
                sessions_max=config.agi.sessions_max, session_s=config.agi.session_s_max
            ),
            report=self._menu_counts,
            speaker=self._speaker,
        )

    def _wire_switches(self, config: Config) -> live_switches.LiveSwitches:
        switches = live_switches.wire(
            config,
            record=self._outbox.put_nowait,
            now=self._now,
            reload=self._reloader.reload,
            calls=self._trackers,
            clocks={system: clock.now for system, clock in self._clocks.items()},
            submit=self._engine.submit,
        )
        self._engine.observe(switches.orders.observe)
        return switches

    def watch_turns(self, turns: LoopTurns) -> None:
        """Show the turns of the loop that `run` will be run by."""
        wiring.show_loop(self._metrics, turns)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            PeerError: A port cannot be listened on, or another ivrd uses the journal.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hangups.set)
        try:
            await self._agi.bind()
        except OSError as error:
            place = f"{self._config.agi.host}:{self._config.agi.port}"
            raise PeerError(f"agi: cannot listen on {place}: {error.strerror}") from error
        try:
            self._journal.open()
            self._restore_counts()
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
            self._counts.close()

    def _work(self) -> Mapping[str, Coroutine[object, object, None]]:
        """Return every task's work by name."""
        work: dict[str, Coroutine[object, object, None]] = {
            "engine": self._engine.run(),
            "database": self._outbox.run(),
            "web": self._site.serve(),
            "web-changes": self._site.tell(),
            "agi": self._agi.serve(),
            "watchdog": self._notifier.watchdog(),
            "control": self._switches.control.serve(),
            "reload": self._reload_on_hangup(),
            "figures": self._figures.run(),
            "overflow-orders": self._switches.orders.keep_rules(),
            "handover": self._handover.run(),
        }
        if self._publisher is not None:
            work["mqtt"] = self._publisher.run()
        for client in self._clients:
            work[f"ami-{client.system}"] = client.run()
            work[f"gap-{client.system}"] = self._gaps[client.system].run()
        return work

    async def _announce(self) -> None:
        await self._agi.started.wait()
        await self._site.is_open.wait()
        self._personal.note_start()
        log.info("ivrd_started", web=self._site.place, agi_port=self._agi.port)
        self._notifier.ready()

    async def _end(self, tasks: Mapping[str, "asyncio.Task[None]"]) -> None:
        """End every task, in the order of the module's header."""
        log.info("ivrd_stopping")
        self._notifier.stopping()
        self._engine.let_go()
        first = ["agi", *(name for name in tasks if name.startswith("ami-"))]
        for name in first:
            await _cancel(tasks[name])
        self._engine.apply_inbox()
        lost = await self._outbox.drain(within_s=DRAIN_S_MAX)
        for name in [name for name in tasks if name not in first]:
            await _cancel(tasks[name])
        log.info("ivrd_stopped", facts_lost=lost, facts_in_journal=self._journal.waiting)

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
        faults += self._switches.troubles()
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
            trail_of=partial(trail_of, self._store.engine),
            forgotten=self._counts.note_call,
        )
        self._engine.observe(gap.observe)
        self._gaps[system] = gap
        client = AmiClient(
            pbx,
            self._personal.recordings.tap(self._engine.submit),
            clock,
            read_journal=partial(self._read_journal, system, gap),
            keep_database=self._switches.keeper(system),
            queues=[QueueName(queue.name) for queue in self._config.queues],
        )
        self._engine.connect(client.system, PbxLink(client, clock))
        return client

    async def _read_journal(
        self, system: SystemName, gap: GapFiller, at: datetime
    ) -> JournalRead | None:
        """Tell the tracker what people say of rules, before the first snapshot that it plans by."""
        try:
            self._switches.orders.give(system, at)
        except asyncio.QueueFull:
            self._switches.board.rules_changed.set()
        return await gap.read(at)

    async def _reload_on_hangup(self) -> None:
        """Take the configuration anew at each SIGHUP, as `ivrd reload` does."""
        while True:
            await self._hangups.wait()
            self._hangups.clear()
            await self._switches.board.reload(Actor(who="SIGHUP", origin=Origin.CONTROL))

    def _use(self, config: Config) -> None:
        """Put another configuration to use, all of it before the next event."""
        floor_rules = rules.floor_rules(config)
        for tracker in self._trackers.values():
            tracker.change_rules(floor_rules)
        self._agi.change_menus(rules.menus(config))
        self._store.case_rules = rules.case_rules(config)
        self._desk.labels = label_tree(config.department)
        self._speaker.change_sheet(config.sheet)
        self._statuses.change_titles(_titles(config))
        self._lines.change(config)
        self._site.change(config)
        self._switches.board.names = live_switches.names_of(config)
        self._switches.board.rules_changed.set()
        for client in self._clients:
            client.expect_queues(QueueName(queue.name) for queue in config.queues)
        self._judge_by(config, floor_rules)
        self._figures.change(config)
        self._config = config

    def _judge_by(self, config: Config, floor_rules: FloorRules) -> None:
        """Let the metrics know what is in time, and what there is to show."""
        limits = {
            line.name: timedelta(seconds=line.goal_within_s)
            for line in config.lines
            if line.goal_within_s is not None
        }
        self._metrics.use_rules(
            self._clocks,
            floor=floor_rules,
            lines=[line.name for line in config.lines],
            line_limits=limits,
            menu_keys={menu.name: tuple(menu.choices) for menu in config.menus},
        )

    async def _restore_day(self) -> None:
        """Let boards go on with what today has come to."""
        await counts_today.restore(
            self._store,
            self._engine,
            self._trackers,
            rules=rules.floor_rules(self._config),
            now=lambda system: self._clocks[system].now(),
        )

    def _restore_counts(self) -> None:
        """Count on from where an earlier life was killed, and decide none of its calls again."""
        self._counts.open(self._metrics)
        for call_id in self._counts.finished_calls():
            tracker = self._trackers.get(SystemName(call_id.partition("/")[0]))
            if tracker is not None:
                tracker.remember_finished((CallId(call_id),))

    def _report(self, event: Event) -> None:
        """Take an event of the store; a full inbox costs one message to subscribers, no fact."""
        try:
            self._engine.submit(event)
        except asyncio.QueueFull:
            log.error("event_dropped", asterisk=event.system, event_type=type(event).__name__)

    def _note_case(self, changed: CaseChanged) -> None:
        """Publish a change; let the core know of a label, for which a guide may be held."""
        if self._publisher is not None:
            self._publisher.publish_case_change(changed)
        case, clock = changed.case, self._clocks.get(changed.case.system)
        if changed.change.what == LABELLED and clock is not None:
            # By its own PBX's clock: another one's would lift the stamps of all that follows.
            self._report(CaseLabelled(at=clock.now(), system=case.system, call_id=case.call_id))

    def _now(self) -> datetime:
        """Return the time of the first PBX, by which screens show how long somebody has waited."""
        return next(iter(self._clocks.values())).now()

    def _status_json(self, system: SystemName, queue: QueueName) -> str | None:
        return self._statuses.as_json(system, queue)

    def _show(self) -> None:
        """Show every part at each scrape."""
        metrics = self._metrics
        metrics.watch_floor(self._engine, now=self._now)
        metrics.watch_outbox(self._outbox)
        if self._publisher is not None:
            metrics.watch_outbox(self._publisher)
        wiring.show_engine(metrics, self._engine)
        wiring.show_counts(metrics, self._counts)
        self._figures.register_metrics(metrics)
        self._switches.register_metrics(metrics)
        self._personal.register_metrics(metrics)
        metrics.register_counter_source(
            "ivrd_reloads_refused_total",
            "Configurations that were not taken, because something in them was wrong.",
            (),
            lambda: {(): self._reloader.refused},
        )
        wiring.show_lines(metrics, self._lines)
        wiring.show_handover(metrics, self._handover)
        wiring.show_menus(metrics, agi=self._agi, counts=self._menu_counts)
        wiring.show_journal(metrics, journal=self._journal, outbox=self._outbox, store=self._store)
        directory = self._config.state_directory
        wiring.show_reconcile(
            metrics, {system: ResultFile(directory, system) for system in self._clocks}
        )
        for client in self._clients:
            system = client.system
            wiring.show_pbx(metrics, client, tracker=self._trackers[system], gap=self._gaps[system])


def _limits(floor: FloorRules, config: Config) -> list[timedelta]:
    """Return every wait that a figure is cut at, for the buckets."""
    return [
        *(
            limit
            for queue in floor.queues.values()
            for limit in (queue.service_level_threshold, queue.short_abandon)
        ),
        *(timedelta(seconds=line.goal_within_s) for line in config.lines if line.goal_within_s),
    ]


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
