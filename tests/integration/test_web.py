"""The web face over real sockets: what is shown, what is refused, and how it ends."""

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from ivrd.access.book import AccessBook
from ivrd.access.sessions import Sessions
from ivrd.config import AccessConfig, WebConfig
from ivrd.core.effects import CountChoice, CountEntry, Disposition
from ivrd.core.floor import QueueView
from ivrd.core.ids import CallId, MenuName, QueueName, SystemName
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.core.service_level import Counts
from ivrd.errors import PeerError
from ivrd.metric_live import AmiState
from ivrd.metrics import Metrics
from ivrd.web import server
from ivrd.web.decisions_now import DecisionStatus
from ivrd.web.floor_people import PeopleBook
from ivrd.web.guard import Guard
from ivrd.web.lines import LineStatus
from ivrd.web.looks import Sights, looks_router
from ivrd.web.pages import create_app
from ivrd.web.server import serve
from ivrd.web.status import QueueTitle, StatusBook
from tests.lab.ports import reserve_port

WITHIN_S = 60.0
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PBX = SystemName("pbx1")
KC = QueueName("kc")


def a_view(*, is_synced: bool = True, counts: Counts | None = None) -> QueueView:
    return QueueView(
        system=PBX,
        queue=KC,
        is_synced=is_synced,
        waiting=2,
        oldest_arrival_at=AT,
        members_available=1,
        members_busy=2,
        members_paused=3,
        members_unavailable=4,
        counts=Counts() if counts is None else counts,
        counted_since=AT,
    )


@dataclass
class Floor:
    views: list[QueueView] = field(default_factory=lambda: [a_view()])

    def queues(self) -> Sequence[QueueView]:
        return self.views

    def queue(self, system: SystemName, queue: QueueName) -> QueueView | None:
        found = (view for view in self.views if (view.system, view.queue) == (system, queue))
        return next(found, None)


A_LINE = LineStatus(
    line="kommunen",
    number="0846500400",
    is_internal=False,
    state="closed",
    reason="public_holiday",
    text="Långfredagen",
    until=AT,
    notices=["driftstorning"],
    goal_percent=85,
    goal_within_s=60,
)


@dataclass
class Site:
    """A running server and what it shows."""

    url: str
    port: int
    floor: Floor
    metrics: Metrics
    reasons: list[str]
    task: asyncio.Task[None]

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, timeout=WITHIN_S) as client:
            return await client.get(path, headers=headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as site:
        yield site


@contextlib.asynccontextmanager
async def a_site() -> AsyncIterator[Site]:
    floor, metrics, reasons = Floor(), Metrics(), list[str]()
    metrics.watch_floor(floor, now=now)
    statuses = StatusBook(floor, now=now, titles=[a_title()])
    app = create_app(
        metrics=metrics,
        readiness=lambda: reasons,
        guard=a_guard(),
        routers=[looks_router(sights_of(statuses))],
    )
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            serve(
                app,
                WebConfig(port=0),
                on_listening=lambda _host, port: listening.set_result(port),
            ),
            name="web",
        )
        port = await asyncio.wait_for(listening, WITHIN_S)
        yield Site(f"http://127.0.0.1:{port}", port, floor, metrics, reasons, task)
        task.cancel()


def now() -> datetime:
    return AT + timedelta(seconds=90.5)


def a_title() -> QueueTitle:
    return QueueTitle(
        system=PBX,
        queue=KC,
        role="guide",
        title_sv="Kontaktcenter",
        title_en="Contact centre",
        service_level_threshold=timedelta(seconds=60),
        short_abandon=timedelta(seconds=5),
    )


# What is shown


async def test_lines_are_told_with_why_and_until_when(site: Site) -> None:
    [line] = (await site.get("/api/lines")).json()["lines"]
    assert (line["line"], line["state"], line["text"]) == ("kommunen", "closed", "Långfredagen")
    assert datetime.fromisoformat(line["until"]) == AT


async def test_health_is_answered_while_the_loop_turns(site: Site) -> None:
    answer = await site.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


async def test_readiness_names_what_is_missing(site: Site) -> None:
    assert (await site.get("/readyz")).json() == {"is_ready": True, "reasons": []}
    site.reasons.append("pbx1: not in sync with Asterisk")
    answer = await site.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"is_ready": False, "reasons": ["pbx1: not in sync with Asterisk"]}


async def test_a_queue_is_shown_with_its_live_figures(site: Site) -> None:
    [queue] = (await site.get("/api/queues")).json()["queues"]
    assert (queue["system"], queue["queue"]) == ("pbx1", "kc")
    assert queue["title_sv"] == "Kontaktcenter"
    assert (queue["waiting"], queue["longest_wait_s"]) == (2, 90.5)
    assert queue["members"] == {"available": 1, "busy": 2, "paused": 3, "unavailable": 4}
    assert queue["service_level_threshold_s"] == 60
    assert (await site.get("/api/queues/pbx1/kc")).json() == queue


async def test_each_service_level_stands_beside_its_formula(site: Site) -> None:
    site.floor.views = [
        a_view(
            counts=Counts(
                joined=120,
                answered=90,
                answered_within=81,
                abandoned=10,
                abandoned_within=4,
                short_abandons=5,
            )
        )
    ]
    levels = (await site.get("/api/queues/pbx1/kc")).json()["service_levels"]
    assert {name: level["value"] for name, level in levels.items()} == {
        "sl": 0.8526,
        "sl_answered": 0.9,
        "sl_offered": 0.81,
        "sl_all_ended": 0.85,
        "sl_queued": 0.7083,
    }
    assert levels["sl"]["formula"] == "answered within T / (answered + abandoned - short abandons)"


async def test_no_traffic_is_no_service_level(site: Site) -> None:
    levels = (await site.get("/api/queues/pbx1/kc")).json()["service_levels"]
    assert {level["value"] for level in levels.values()} == {None}


async def test_while_out_of_sync_live_figures_are_null_and_counts_stay(site: Site) -> None:
    site.floor.views = [a_view(is_synced=False, counts=Counts(joined=7))]
    queue = (await site.get("/api/queues/pbx1/kc")).json()
    assert queue["is_synced"] is False
    for name in ("waiting", "longest_wait_s", "oldest_arrival_at", "members"):
        assert queue[name] is None
    assert queue["counts"]["joined"] == 7


@pytest.mark.parametrize("path", ["/api/queues/pbx1/nowhere", "/api/queues/pbx2/kc", "/nowhere"])
async def test_what_is_not_there_is_a_json_problem(site: Site, path: str) -> None:
    answer = await site.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


async def test_a_name_that_is_too_long_and_a_wrong_method_are_json_problems(site: Site) -> None:
    assert (await site.get(f"/api/queues/pbx1/{'k' * 200}")).json()["status"] == 422
    async with httpx.AsyncClient(base_url=site.url, timeout=WITHIN_S) as client:
        answer = await client.post("/api/queues")
    assert answer.status_code == 405
    assert answer.json()["title"] == "Method Not Allowed"
    assert answer.headers["allow"] == "GET"


async def test_no_page_loads_anything_from_elsewhere(site: Site) -> None:
    for path in ("/docs", "/redoc"):
        assert (await site.get(path)).status_code == 404
    document = (await site.get("/openapi.json")).json()
    assert "/api/queues/{system}/{queue}" in document["paths"]


async def test_answers_are_not_kept_by_anybody_on_the_way(site: Site) -> None:
    headers = (await site.get("/api/queues")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


# Metrics


def busy(metrics: Metrics) -> None:
    """Make every family appear."""
    rules = QueueRules(
        name=KC,
        role=Role.GUIDE,
        service_level_threshold=timedelta(seconds=60),
        short_abandon=timedelta(seconds=5),
        department=None,
    )
    metrics.use_rules(
        [PBX],
        floor=FloorRules(queues={KC: rules}, overflow=(), case_rule="resolved"),
        lines=["kommunen"],
        line_limits={"kommunen": timedelta(seconds=60)},
        menu_keys={"main": ("1",)},
    )
    metrics.watch_ami(PBX, lambda: AmiState(is_connected=True, last_event_at=AT))
    metrics.register_counter_source(
        "ivrd_ami_guards_total", "What a guard caught.", ("guard",), lambda: {("no_at",): 1}
    )
    metrics.count_entry(
        CountEntry(
            system=PBX,
            call_id=CallId("pbx1/1.2"),
            number=1,
            queue=KC,
            disposition=Disposition.ANSWERED,
            entry_wait=timedelta(seconds=3),
            wait=timedelta(seconds=3),
        )
    )
    metrics.count_choice(
        CountChoice(
            system=PBX,
            call_id=CallId("pbx1/1.2"),
            number=1,
            menu=MenuName('m"\\\n'),
            outcome="stayed",
            is_static=False,
            digit=None,
        )
    )


async def test_promtool_finds_no_fault_with_the_metrics(site: Site) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None, "promtool is missing; ./run test installs Debian's prometheus"
    busy(site.metrics)
    exposition = await site.get("/metrics")
    assert exposition.headers["content-type"].startswith("text/plain")
    process = await asyncio.create_subprocess_exec(
        promtool,
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WITHIN_S):
        output, _ = await process.communicate(exposition.content)
    assert (process.returncode, output) == (0, b"")


async def test_metrics_are_given_in_the_form_that_is_asked_for(site: Site) -> None:
    busy(site.metrics)
    answer = await site.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert "ivrd_queue_callers" in answer.text


# Limits and the end


async def test_a_port_that_is_taken_is_an_error_and_not_the_end_of_the_process() -> None:
    ports = reserve_port()
    with contextlib.closing(socket.create_server(("127.0.0.1", ports.first))):
        async with a_floor_app() as app:
            with pytest.raises(PeerError, match=f"cannot listen on 127.0.0.1:{ports.first}"):
                await serve(app, WebConfig(port=ports.first), on_listening=lambda *_: None)
    ports.release()


@contextlib.asynccontextmanager
async def a_floor_app() -> AsyncIterator[FastAPI]:
    statuses = StatusBook(Floor(), now=now, titles=[])
    yield create_app(
        metrics=Metrics(),
        readiness=list,
        guard=a_guard(),
        routers=[looks_router(sights_of(statuses))],
    )


def sights_of(statuses: StatusBook) -> Sights:
    """Return queues and a line to look at, and nobody who waits."""
    return Sights(
        statuses=statuses,
        lines=lambda: [A_LINE],
        people=PeopleBook(dict, now=now),
        decisions=NoDecisions(),
        queue_lines=lambda: {"kc": frozenset({"kommunen"})},
    )


class NoDecisions:
    def latest(self) -> Sequence[DecisionStatus]:
        return []

    async def about(self, call: str) -> Sequence[DecisionStatus] | None:
        return None


def a_guard() -> Guard:
    """Return one that lets everybody look."""
    section = AccessConfig(anonymous_role="viewer")
    book = AccessBook(section, zone="Europe/Stockholm", now=now)
    return Guard(book, Sessions(b"k" * 32))


async def test_signal_handlers_are_left_alone() -> None:
    assert threading.current_thread() is threading.main_thread()
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with a_site():
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


async def test_cancelling_ends_the_server_and_frees_its_port() -> None:
    async with a_site() as site:
        async with httpx.AsyncClient(base_url=site.url, timeout=WITHIN_S) as client:
            await client.get("/healthz")
            # The connection is idle and open now; the end must not wait for it.
            site.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(asyncio.shield(site.task), WITHIN_S)
    with contextlib.closing(socket.create_server(("127.0.0.1", site.port))):
        pass


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01\x02"]
)
async def test_a_connection_without_a_whole_request_is_closed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    async with a_site() as site:
        with monkeypatch.context() as patched:
            patched.setattr(server, "REQUEST_S_MAX", 0.2)
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(sent)
            async with asyncio.timeout(WITHIN_S):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            writer.close()
        assert (await site.get("/healthz")).status_code == 200


async def test_a_second_request_that_never_ends_is_closed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "REQUEST_S_MAX", 0.3)
    async with a_site() as site:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            # On a busy machine the first one may come too late as well.
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"}")
                break
            writer.close()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_a_kept_connection_answers_many_requests(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url, timeout=WITHIN_S) as client:
        for _ in range(50):
            answer = await client.get("/api/queues")
            assert json.loads(answer.content)["queues"]


def test_the_listener_says_tcp_so_that_answers_are_sent_without_delay() -> None:
    with contextlib.closing(server._listen(WebConfig(port=0))) as listener:
        assert listener.proto == socket.IPPROTO_TCP


async def test_many_who_come_at_once_are_taken_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    made, usual = 0, server._BoundedProtocol.connection_made

    def note(protocol: server._BoundedProtocol, transport: asyncio.Transport) -> None:
        nonlocal made
        made += 1
        usual(protocol, transport)

    monkeypatch.setattr(server._BoundedProtocol, "connection_made", note)
    many, by_turn = 3 * server.ACCEPTS_PER_TURN + 1, []
    async with a_site() as site:
        # The kernel takes all of them before the loop has a turn.
        address = ("127.0.0.1", site.port)
        there = [socket.create_connection(address, timeout=WITHIN_S) for _ in range(many)]
        async with asyncio.timeout(WITHIN_S):
            while made < many:
                before = made
                await asyncio.sleep(0)
                by_turn.append(made - before)
        for each in there:
            each.close()
    assert max(by_turn) <= server.ACCEPTS_PER_TURN


async def test_ten_thousand_headers_are_refused_and_the_next_client_is_served(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /healthz HTTP/1.1\r\n" + b"X-Filler: 0123456789\r\n" * 10_000)
    async with asyncio.timeout(WITHIN_S):
        with contextlib.suppress(ConnectionError):
            assert b"400" in await reader.read(4096)
    writer.close()
    assert (await site.get("/healthz")).status_code == 200


async def test_more_connections_than_we_serve_get_a_refusal_and_no_caller_notices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 5)
    async with a_site() as site:
        idle = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(6)]
        assert (await site.get("/healthz")).status_code == 503
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(WITHIN_S):
            while (await site.get("/healthz")).status_code != 200:
                pass
