"""The publisher against a real Mosquitto, which comes and goes, and against what is none."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import aiomqtt
import pytest
import structlog

from ivrd import mqtt, mqtt_session
from ivrd.config import MqttConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import CaseChanged, Change
from ivrd.core.effects import PublishCase
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.mqtt import Publisher
from tests.integration.db.samples import a_decision
from tests.lab.mosquitto import Mosquitto
from tests.unit.core.test_case_record import DRAFT

WITHIN_S = 60.0
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PBX = SystemName("pbx1")
OTHER_PBX = SystemName("pbx2")
KC = QueueName("kc")
VAXEL = QueueName("vaxel")


class Board:
    """What the queues look like, and how often somebody looked."""

    def __init__(self) -> None:
        self.waiting = 0
        self.looks = 0

    def status(self, system: SystemName, queue: QueueName) -> str | None:
        self.looks += 1
        if queue == "gone":
            return None
        return json.dumps({"system": system, "queue": queue, "waiting": self.waiting})


class Listener:
    """A subscriber that keeps all that it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, bool]] = []

    def last(self, topic: str) -> str | None:
        return next((text for heard, text, _ in reversed(self.heard) if heard == topic), None)

    def texts(self, topic: str) -> list[str]:
        return [text for heard, text, _ in self.heard if heard == topic]

    def count(self, topic: str) -> int:
        return len(self.texts(topic))

    def cases(self) -> list[int]:
        return [
            json.loads(text)["case_id"] for topic, text, _ in self.heard if topic.endswith("/case")
        ]


@contextlib.asynccontextmanager
async def listening(broker: Mosquitto) -> AsyncIterator[Listener]:
    listener = Listener()

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            text = message.payload.decode()
            listener.heard.append((str(message.topic), text, message.retain))

    async with aiomqtt.Client(broker.host, broker.port, timeout=WITHIN_S) as client:
        await client.subscribe("ivrd/#", qos=1)
        async with running(listen(client)):
            yield listener


@contextlib.asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Wait for a condition, and fail after WITHIN_S."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WITHIN_S} s: {what}")
        await asyncio.sleep(0.01)


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with Mosquitto.start() as broker:
        yield broker


@pytest.fixture
def board() -> Board:
    return Board()


def a_publisher(board: Board, port: int, *systems: SystemName) -> Publisher:
    config = MqttConfig(port=port)
    return Publisher(config, systems=systems or (PBX,), status=board.status)


def a_case(case_id: int) -> PublishCase:
    return PublishCase(
        at=AT,
        system=PBX,
        call_id=CallId(f"pbx1/1772442000.{case_id}"),
        rule="resolved-by-guide",
        case_id=case_id,
    )


async def test_a_change_of_a_case_is_told_without_what_somebody_wrote(
    broker: Mosquitto, board: Board
) -> None:
    publisher = a_publisher(board, broker.port)
    case = replace(DRAFT, case_id=17, note="hemligt", feedback_text="hemligt", caller_key="5f2c")
    by = Actor(who="anna", origin=Origin.PAGE)
    change = Change(case_id=17, version=2, at=AT, by=by, what="note", before="{}", after="{}")
    async with running(publisher.run()), listening(broker) as listener:
        publisher.publish_case_change(CaseChanged(case=case, change=change))
        topic = "ivrd/pbx1/case/changed"
        await eventually(lambda: listener.last(topic) is not None, what="the change")
    told = listener.last(topic) or ""
    assert "hemligt" not in told
    assert "5f2c" not in told
    assert json.loads(told) == {
        "system": "pbx1",
        "case_id": 17,
        "call_id": DRAFT.call_id,
        "version": 2,
        "at": AT.isoformat(),
        "what": "note",
        "who": "anna",
        "from_where": "page",
        "class": "resolved",
        "is_case": True,
        "state": "draft",
        "label": None,
        "department": None,
    }


async def test_a_status_is_retained_and_a_case_is_not(broker: Mosquitto, board: Board) -> None:
    publisher = a_publisher(board, broker.port)
    publisher.publish_queue(PBX, KC)
    publisher.publish_case(a_case(7))
    async with running(publisher.run()):
        await eventually(lambda: publisher.is_connected and not publisher.depth, what="all sent")
        async with listening(broker) as late:
            await eventually(lambda: len(late.heard) == 2, what="what is retained")
            publisher.publish_case(a_case(8))
            await eventually(lambda: late.cases() == [8], what="the new case only")
    assert ("ivrd/pbx1/availability", "online", True) in late.heard
    status = late.last("ivrd/pbx1/queue/kc/status")
    assert status is not None
    assert json.loads(status) == {"system": "pbx1", "queue": "kc", "waiting": 0}
    [case] = [json.loads(text) for topic, text, _ in late.heard if topic == "ivrd/pbx1/case"]
    assert case == {
        "system": "pbx1",
        "case_id": 8,
        "call_id": "pbx1/1772442000.8",
        "rule": "resolved-by-guide",
        "at": "2026-03-02T09:00:00+00:00",
    }


async def test_each_decision_is_told_once_and_not_retained(broker: Mosquitto, board: Board) -> None:
    publisher = a_publisher(board, broker.port)
    async with listening(broker) as listener, running(publisher.run()):
        for number in range(50):
            publisher.publish_decision(a_decision(number, seconds=number))
        await eventually(lambda: publisher.is_connected and not publisher.depth, what="all sent")
        await eventually(lambda: listener.count("ivrd/pbx1/decision") >= 50, what="all heard")
        async with listening(broker) as late:
            await eventually(lambda: bool(late.heard), what="what is retained")
            assert {topic for topic, _, _ in late.heard} == {"ivrd/pbx1/availability"}
    told = [json.loads(text) for topic, text, _ in listener.heard if topic == "ivrd/pbx1/decision"]
    assert [one["call_id"] for one in told[:2]] == [None, "pbx1/1772442000.1"]
    assert len(told) == 50
    assert told[1] == {
        "system": "pbx1",
        "at": "2026-03-02T09:00:01.123456+00:00",
        "call_id": "pbx1/1772442000.1",
        "what": "asked",
        "rule": "rush",
        "from_queue": "vaxel",
        "to_queue": "kc",
        "is_dry_run": False,
        "is_by_hand": False,
        "who": None,
        "why": None,
        "figures": {"held": [{"figure": "waiting", "level": 12, "limit": 10}]},
    }


async def test_a_rush_of_changes_is_few_messages_and_the_last_is_true(
    broker: Mosquitto, board: Board
) -> None:
    publisher = a_publisher(board, broker.port)
    async with listening(broker) as listener, running(publisher.run()):
        await eventually(lambda: publisher.is_connected, what="connection")
        began = time.monotonic()
        for number in range(1, 1_001):
            board.waiting = number
            publisher.publish_queue(PBX, KC)
            await asyncio.sleep(0)

        def is_last_heard() -> bool:
            status = listener.last("ivrd/pbx1/queue/kc/status")
            return status is not None and json.loads(status)["waiting"] == 1_000

        await eventually(is_last_heard, what="the last status")
        seconds = time.monotonic() - began
    at_most = seconds / mqtt.STATUS_INTERVAL_S + 2
    assert listener.count("ivrd/pbx1/queue/kc/status") <= at_most


async def test_a_clean_exit_says_offline(broker: Mosquitto, board: Board) -> None:
    publisher = a_publisher(board, broker.port, PBX, OTHER_PBX)
    async with listening(broker) as listener:
        async with running(publisher.run()):
            await eventually(
                lambda: listener.last("ivrd/pbx2/availability") == "online", what="online"
            )
        await eventually(lambda: listener.last("ivrd/pbx1/availability") == "offline", what="1")
        await eventually(lambda: listener.last("ivrd/pbx2/availability") == "offline", what="2")


async def test_a_process_that_dies_is_offline_by_its_last_will(
    broker: Mosquitto, board: Board
) -> None:
    publisher = a_publisher(board, broker.port)
    async with listening(broker) as listener, running(publisher.run()):
        await eventually(lambda: listener.last("ivrd/pbx1/availability") == "online", what="online")
        # A second client of the same name makes the broker end the first without a farewell; the
        # first may be back, and end the second so, before it leaves by itself.
        with contextlib.suppress(aiomqtt.MqttError):
            async with aiomqtt.Client(
                broker.host, broker.port, identifier="ivrd-ivrd-pbx1", timeout=WITHIN_S
            ):
                await eventually(
                    lambda: "offline" in listener.texts("ivrd/pbx1/availability"), what="the will"
                )
        await eventually(
            lambda: "offline" in listener.texts("ivrd/pbx1/availability"), what="the will"
        )
        await eventually(lambda: listener.last("ivrd/pbx1/availability") == "online", what="back")


@pytest.mark.parametrize("is_crash", [False, True])
async def test_a_broker_away_and_back_gets_every_case_once_and_the_newest_status(
    broker: Mosquitto, board: Board, is_crash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is no status reaches only those who listen already.
    may_return, connect = asyncio.Event(), mqtt._Link._connect_and_publish
    may_return.set()

    async def return_when_allowed(link: mqtt._Link) -> None:
        await may_return.wait()
        await connect(link)

    monkeypatch.setattr(mqtt._Link, "_connect_and_publish", return_when_allowed)
    publisher = a_publisher(board, broker.port)
    async with running(publisher.run()):
        publisher.publish_queue(PBX, VAXEL)
        await eventually(lambda: publisher.is_connected and not publisher.depth, what="first sent")
        await (broker.kill() if is_crash else broker.stop())
        await eventually(lambda: not publisher.is_connected, what="the loss noticed")
        may_return.clear()
        for number in range(100):
            board.waiting = number
            publisher.publish_queue(PBX, KC)
            publisher.publish_case(a_case(number))
        assert publisher.depth == 101
        await broker.resume()
        async with listening(broker) as listener:
            may_return.set()
            await eventually(lambda: len(listener.cases()) >= 100, what="every case")
            for queue in (KC, VAXEL):
                # The queue that did not change was retained by a broker that forgot it.
                await eventually(
                    lambda queue=queue: (
                        '"waiting": 99' in (listener.last(f"ivrd/pbx1/queue/{queue}/status") or "")
                    ),
                    what=f"the newest status of {queue}",
                )
        assert listener.cases() == list(range(100))
        assert listener.count("ivrd/pbx1/queue/kc/status") == 1
        assert publisher.dropped == 0


async def test_a_frozen_broker_is_noticed_and_left(
    broker: Mosquitto, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_session, "ANSWER_S_MAX", 0.5)
    publisher = a_publisher(board, broker.port)
    async with running(publisher.run()):
        await eventually(lambda: publisher.is_connected, what="connection")
        os.kill(broker.pid, 19)
        try:
            publisher.publish_case(a_case(1))
            await eventually(lambda: not publisher.is_connected, what="the loss noticed")
            monkeypatch.undo()  # A busy broker may need longer to take us back.
        finally:
            os.kill(broker.pid, 18)
        await eventually(lambda: publisher.is_connected and not publisher.depth, what="recovery")


async def test_no_broker_at_all_costs_nothing_and_ends_at_once(board: Board) -> None:
    publisher = a_publisher(board, port=1)
    began = time.process_time()
    async with running(publisher.run()):
        for number in range(20_000):
            publisher.publish_queue(PBX, KC)
            publisher.publish_case(a_case(number))
        assert publisher.depth == 1 + mqtt.CASES_MAX
        assert publisher.dropped == 20_000 - mqtt.CASES_MAX
    assert time.process_time() - began < WITHIN_S
    assert board.looks == 0


class NoBroker:
    """Something that listens where a broker should, and says one thing to whoever comes."""

    def __init__(self, greeting: bytes) -> None:
        self.greeting = greeting
        self.visits = 0
        self.open = 0

    async def greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        self.open += 1
        try:
            writer.write(self.greeting)
            await reader.read()
        except ConnectionError:
            return
        finally:
            self.open -= 1
            writer.close()


@pytest.mark.parametrize(
    "greeting", [b"", b"\x20\x02\x00", b"HTTP/1.1 400 Bad\r\n\r\n", b"\xff" * 9]
)
async def test_a_broker_that_is_none_is_tried_again_and_leaks_no_socket(
    board: Board, monkeypatch: pytest.MonkeyPatch, greeting: bytes
) -> None:
    monkeypatch.setattr(mqtt_session, "ANSWER_S_MAX", 0.1)
    monkeypatch.setattr(mqtt_session, "KEEP_ALIVE_S", 1)
    monkeypatch.setattr(mqtt.Backoff, "__next__", lambda _: 0.05)
    nobody = NoBroker(greeting)
    async with await asyncio.start_server(nobody.greet, "127.0.0.1", 0) as listener:
        publisher = a_publisher(board, listener.sockets[0].getsockname()[1])
        async with running(publisher.run()):
            publisher.publish_queue(PBX, KC)
            await eventually(lambda: nobody.visits > 10, what="many tries")
            assert not publisher.is_connected
        await eventually(lambda: nobody.open == 0, what="every socket closed")
    assert board.looks == 0


async def test_bad_credentials_slow_us_down_at_once_and_are_said_once(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt.Backoff, "__next__", lambda _: 0.05)
    slowed: list[None] = []
    monkeypatch.setattr(mqtt.Backoff, "slow_down", lambda _: slowed.append(None))
    nobody = NoBroker(b"\x20\x02\x00\x05")
    async with await asyncio.start_server(nobody.greet, "127.0.0.1", 0) as listener:
        publisher = a_publisher(board, listener.sockets[0].getsockname()[1])
        with structlog.testing.capture_logs() as lines:
            async with running(publisher.run()):
                await eventually(lambda: nobody.visits > 3, what="some tries")
        await eventually(lambda: nobody.open == 0, what="every socket closed")
    assert len(slowed) >= 3
    [line] = [line for line in lines if line["event"] == "broker_lost"]
    assert line["is_refused"] is True


async def test_names_from_the_wire_cannot_fill_the_memory(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "QUEUES_MAX", 3)
    publisher = a_publisher(board, port=1)
    for number in range(10):
        publisher.publish_queue(PBX, QueueName(f"q{number}"))
    publisher.publish_queue(SystemName("nobody"), KC)
    assert (publisher.depth, publisher.dropped) == (3, 7)


async def test_a_queue_named_with_a_wildcard_has_a_topic_too(
    broker: Mosquitto, board: Board
) -> None:
    """Queues of others on the same Asterisk are shown too, however they are named."""
    publisher = a_publisher(board, broker.port)
    odd = QueueName("IT+stöd #2")
    async with running(publisher.run()) as task, listening(broker) as listener:
        publisher.publish_queue(PBX, odd)
        publisher.publish_queue(PBX, KC)
        topic = "ivrd/pbx1/queue/kc/status"
        await eventually(
            lambda: task.done() or listener.last(topic) is not None, what="the other queue"
        )
        assert not task.done(), task
    assert listener.last("ivrd/pbx1/queue/IT%2Bstöd %232/status") is not None


async def test_a_queue_that_nobody_knows_any_more_is_not_sent(
    broker: Mosquitto, board: Board
) -> None:
    publisher = a_publisher(board, broker.port)
    publisher.publish_queue(PBX, QueueName("gone"))
    publisher.publish_queue(PBX, KC)
    async with listening(broker) as listener, running(publisher.run()):
        await eventually(
            lambda: listener.last("ivrd/pbx1/queue/kc/status") is not None, what="the other queue"
        )
        await eventually(lambda: publisher.depth == 0, what="nothing left")
    assert listener.last("ivrd/pbx1/queue/gone/status") is None
