"""Puts the parts of the web together, for the composition root.

Here: which parts, and what each lets be seen and done. Not here: any route (web/), any rule.

    site = Site(config, ...); engine.observe(site.observe); tasks: site.serve(), site.tell()
    after a reload: site.change(config)
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ivrd.access.book import AccessBook
from ivrd.access.rights import Person
from ivrd.access.sessions import Sessions, session_key
from ivrd.agent_board import AgentBoard, Pbx
from ivrd.asyncapi import document_of
from ivrd.audit_desk import AuditDesk, AuditPage, Touched
from ivrd.config import Config
from ivrd.core.actors import Actor
from ivrd.core.call_book import CallBook
from ivrd.core.effects import Effect
from ivrd.core.ids import CallId, SystemName
from ivrd.core.switches import RecordAct, Switch, SwitchKind
from ivrd.core.tracker import Tracker
from ivrd.day_curves import DayCurves
from ivrd.db.audit import AuditFilter, AuditPlace
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.db.decisions import calls_named, decisions_about
from ivrd.db.store import Store
from ivrd.errors import PeerUnreachable
from ivrd.handover.office import HandoverOffice
from ivrd.live_switches import LiveSwitches
from ivrd.menu_graph import graph
from ivrd.metrics import Metrics
from ivrd.number_desk import NumberDesk
from ivrd.overflow_orders import MoveResult, Wish
from ivrd.personal_data import PersonalData
from ivrd.web.act_forms import MoveForm
from ivrd.web.acts import Hands, acts_router, every_switch
from ivrd.web.agent_routes import AgentHands, agents_router
from ivrd.web.asyncapi_route import asyncapi_router
from ivrd.web.audit_routes import Wanted, audit_router
from ivrd.web.bridge import Bridge
from ivrd.web.cases import CasePages
from ivrd.web.changes import ChangeTeller
from ivrd.web.day_curve import curve_router
from ivrd.web.decisions_now import DecisionStatus, LatestDecisions, decision_status
from ivrd.web.events import EventStream
from ivrd.web.floor_people import PeopleBook
from ivrd.web.guard import Guard
from ivrd.web.handover import handover_router
from ivrd.web.lines import Lines
from ivrd.web.looks import Sights, looks_router
from ivrd.web.numbers import numbers_router
from ivrd.web.own_rights import rights_router
from ivrd.web.pages import Router, create_app
from ivrd.web.server import serve
from ivrd.web.static_pages import page_routes
from ivrd.web.status import StatusBook
from ivrd.web.stream import stream_router


class Publisher(Protocol):
    """What goes to subscribers, and who takes their commands (mqtt.Publisher)."""

    def publish_state(self, topic: str, payload: str) -> None: ...
    def take_commands(
        self, take: Callable[[bytes], Awaitable[tuple[str, str] | None]], /
    ) -> None: ...


class Site:
    """Everything that is reached over HTTP.

    Attributes:
        access: Who is who; MQTT asks it too.
        stream: Changes for those who watch; whoever has one to tell publishes it there.
        bridge: Takes acts that come by MQTT, and lets the routes carry them out.
        place: Where it listens, such as http://127.0.0.1:9573; empty before.
        is_open: Set once requests are taken.
    """

    def __init__(
        self,
        config: Config,
        *,
        statuses: StatusBook,
        lines: Lines,
        trackers: Mapping[SystemName, Tracker],
        switches: LiveSwitches,
        pbxes: Mapping[SystemName, Pbx],
        store: Store,
        metrics: Metrics,
        readiness: Callable[[], Sequence[str]],
        cases: CasePages,
        now: Callable[[], datetime],
        handover: HandoverOffice,
        personal: PersonalData,
    ) -> None:
        """Build every part; nothing is listened on yet.

        Args:
            config: Who may what, and what there is.
            statuses: What is told of queues.
            lines: What is told of lines.
            trackers: Who waits and serves, by PBX.
            switches: The one way of all acts on lines, notices and rules.
            pbxes: Where Asterisk is asked about agents, and about a caller's rank.
            store: Where decisions about a call are read.
            metrics: The registry to show, and where our own figures stand.
            readiness: A sentence for each thing that keeps us from working.
            cases: Where cases are read and acted on.
            now: The PBXs' time.
            handover: Takes statuses of case systems; holds the messages to them.
            personal: Opens callers' numbers.
        """
        self.place, self.is_open = "", asyncio.Event()
        self.access = AccessBook(config.access, zone=config.time_zone, now=now)
        self.stream = EventStream(start=secrets.token_hex(4), now=now)
        self._web = config.web
        self._trackers, self._switches = trackers, switches
        self._agents = self._wire_agents(pbxes, now)
        self._store = store
        self._numbers = NumberDesk(store.engine, personal.callers, now=now)
        self._curves = DayCurves(store, config, systems=list(trackers), now=now)
        self._decisions = LatestDecisions()
        self._sights = self._sights_of(statuses, lines, PeopleBook(self._books, now=now))
        self._teller = ChangeTeller(self.stream, self._sights, self._decisions)
        self._wire_audit()
        self._guard = Guard(self.access, Sessions(session_key(config.state_directory)))
        self._cases, self._handover = cases, handover
        self._use(config)
        self._app = create_app(
            metrics=metrics,
            readiness=readiness,
            guard=self._guard,
            routers=self._routers(),
        )
        self.bridge = Bridge(self._app)
        self._show(metrics)

    def _wire_agents(
        self, pbxes: Mapping[SystemName, Pbx], now: Callable[[], datetime]
    ) -> AgentBoard:
        agents = AgentBoard(
            books=self._books,
            pbxes=pbxes,
            audit=self._switches.board.audit,
            now=now,
            queues=lambda: self._queue_lines,
        )
        self._switches.control.agents = agents
        return agents

    def _sights_of(self, statuses: StatusBook, lines: Lines, people: PeopleBook) -> Sights:
        return Sights(
            statuses=statuses,
            lines=lines,
            people=people,
            decisions=self,
            queue_lines=lambda: self._queue_lines,
        )

    def _wire_audit(self) -> None:
        """Let acts be read, and told as they happen; switches too."""
        self._touched = Touched(
            of_switch=self.lines_of,
            queues_of=self._agents.queues_of,
            find=self._agents.find_caller,
            queue_lines=lambda: self._queue_lines,
        )
        self._audit = AuditDesk(self._store.engine, self._touched)
        self._switches.board.audit.listen(self._tell_act)
        hands = self._hands()
        self._teller.switches = lambda: every_switch(hands)

    def _tell_act(self, act: RecordAct) -> None:
        self._teller.tell_act(act, self._touched.lines(act.subject))

    async def _search_audit(self, person: Person, wanted: Wanted) -> AuditPage:
        after = None
        if wanted.after is not None:
            at, key = wanted.after
            after = AuditPlace(at=at, key=key)
        sought = AuditFilter(since=wanted.since, until=wanted.until, who=wanted.who, act=wanted.act)
        return await self._audit.page(person, sought, after=after, count=wanted.count)

    def _routers(self) -> list[Router]:
        audit = self._switches.board.audit
        agents = AgentHands(
            agents=self._agents,
            audit=audit,
            queue_lines=lambda: self._queue_lines,
        )
        return [
            looks_router(self._sights),
            curve_router(self._sights, self._curves),
            stream_router(self.stream),
            rights_router(self._hands()),
            acts_router(self._hands()),
            agents_router(agents),
            handover_router(self._handover.statuses, self._handover.desk, audit),
            audit_router(self._search_audit),
            numbers_router(self._numbers, audit),
            asyncapi_router(lambda: self._messages),
            self._cases.router,
            page_routes(),
        ]

    def change(self, config: Config) -> None:
        """Follow another configuration."""
        self.access.change(config.access, zone=config.time_zone)
        self._curves.change(config)
        self._use(config)

    def publish_to(self, publisher: Publisher) -> None:
        """Tell subscribers of lines too, and obey their commands. Before `serve`."""
        self._teller.told_line = lambda line, text: publisher.publish_state(
            f"line/{line}/status", text
        )
        publisher.take_commands(self.bridge.take)

    def observe(self, effect: Effect) -> None:
        """See an effect of the engine; never raises."""
        self._agents.observe(effect)
        self._teller.observe(effect)

    async def tell(self) -> None:
        """Tell those who watch of changes, for ever."""
        await self._teller.run()

    async def serve(self) -> None:
        """Answer until cancelled.

        Raises:
            PeerError: The address cannot be listened on.
        """

        def note(host: str, port: int) -> None:
            self.place = f"http://{host}:{port}"
            self.is_open.set()

        await serve(self._app, self._web, on_listening=note, on_stopping=self._close_streams)

    def _close_streams(self) -> None:
        self.stream.close()
        self._cases.close()

    # What the routes ask for.

    def latest(self) -> Sequence[DecisionStatus]:
        """Return the latest decisions, newest first."""
        return self._decisions.latest()

    async def about(self, call: str) -> Sequence[DecisionStatus] | None:
        """Return what is stored about a call; None when no call, or several, have that name.

        Raises:
            PeerUnreachable: The database does not answer.
        """
        engine = self._store.engine
        try:
            found = await calls_named(engine, call)
            if len(found) != 1:
                return None
            decisions = await decisions_about(engine, CallId(found[0]))
        except DATABASE_ERRORS as error:
            raise PeerUnreachable(f"database: {reason_of(error)}") from error
        return [decision_status(decision) for decision in decisions]

    def lines_of(self, switch: Switch) -> frozenset[str]:
        """Return every line that a switch touches; none when nobody knows it."""
        match switch.kind:
            case SwitchKind.LINE:
                return frozenset({switch.name})
            case SwitchKind.NOTICE:
                return self._notice_lines.get(switch.name, frozenset())
            case SwitchKind.RULE:
                return self._rule_lines.get(switch.name, frozenset())

    # Inside.

    def _use(self, config: Config) -> None:
        self._messages = document_of(config)
        every = frozenset(line.name for line in config.lines)
        reached = graph(config).queues
        self._queue_lines = {
            queue.name: reached[queue.name].lines if queue.name in reached else frozenset[str]()
            for queue in config.queues
        }
        self._notice_lines = {
            notice.name: frozenset(notice.lines) or every for notice in config.notices
        }
        self._rule_lines = {
            rule.name: frozenset[str]().union(
                *(self._queue_lines[queue] for queue in (*rule.sources, *rule.targets))
            )
            for rule in config.overflow
        }

    def _hands(self) -> Hands:
        return Hands(
            board=self._switches.board,
            move=self._move,
            find=self._agents.find_caller,
            lines_of=self.lines_of,
            queue_lines=lambda: self._queue_lines,
        )

    async def _move(self, form: MoveForm, by: Actor) -> MoveResult:
        wish = Wish(call=form.call, to_queue=form.to_queue, reason=form.reason)
        return await self._switches.orders.move(wish, by)

    def _books(self) -> Mapping[SystemName, CallBook]:
        return {system: tracker.book for system, tracker in self._trackers.items()}

    def _show(self, metrics: Metrics) -> None:
        stream = self.stream
        metrics.register_gauge_source(
            "ivrd_event_viewers",
            "Who watches changes as they happen (/api/events).",
            (),
            lambda: {(): stream.viewers},
        )
        metrics.register_counter_source(
            "ivrd_event_viewers_dropped_total",
            "Viewers let go because they took nothing, or sent away because too many watch.",
            ("reason",),
            lambda: {("lagged",): stream.lagged, ("too_many",): stream.refused},
        )
        metrics.register_counter_source(
            "ivrd_requests_refused_total",
            "Requests refused: unknown_token, no_right, other_site, too_often.",
            ("reason",),
            lambda: self._guard.refused,
        )
