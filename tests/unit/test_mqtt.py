"""What the publisher must not lose, whatever the client library does."""

import asyncio
from typing import cast

import aiomqtt
import structlog

from ivrd.config import MqttConfig
from ivrd.core.ids import SystemName
from ivrd.mqtt import COMMANDS_MAX, REPLIES_MAX, Publisher
from ivrd.mqtt_session import Session


class WaitingClient:
    """Waits for the broker's answer as aiomqtt does."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def publish(self, *_: object, **__: object) -> None:
        await asyncio.wait_for(self.answer, 60)


async def test_a_cancellation_that_comes_with_the_brokers_answer_is_heeded() -> None:
    client = WaitingClient()
    work = Session(cast("aiomqtt.Client", client)).say("ivrd/case", "{}", retain=False)
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    client.answer.set_result(None)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_an_answer_alone_cancels_nobody() -> None:
    client = WaitingClient()
    client.answer.set_result(None)
    await Session(cast("aiomqtt.Client", client)).say("ivrd/case", "{}", retain=False)


class Wire:
    """A connection that takes what is said, and lets an answer come meanwhile."""

    def __init__(self, publisher: Publisher) -> None:
        self.said: list[str] = []
        self._link = publisher._first

    async def say(self, topic: str, payload: str, *, retain: bool) -> None:
        if not self.said:
            self._link._keep_reply(("late", "{}"))
        self.said.append(topic.removeprefix("ivrd/reply/"))


async def test_answers_that_wait_for_the_broker_have_a_bound_and_the_newest_stay() -> None:
    publisher = Publisher(MqttConfig(), systems=[SystemName("pbx1")], status=lambda *_: None)
    link = publisher._first
    count = REPLIES_MAX + COMMANDS_MAX
    all_taken = asyncio.Event()

    async def take(payload: bytes) -> tuple[str, str]:
        if int(payload) == count - 1:
            all_taken.set()
        return payload.decode(), "{}"

    with structlog.testing.capture_logs() as lines:
        obeying = asyncio.create_task(link._obey(take))
        for number in range(count):
            await link._commands.put(str(number).encode())
        async with asyncio.timeout(30):
            await all_taken.wait()
        obeying.cancel()
        await asyncio.wait([obeying])
    assert (publisher.depth, publisher.dropped) == (REPLIES_MAX, COMMANDS_MAX)
    assert publisher.depth <= publisher.bound
    assert [line["event"] for line in lines] == ["replies_dropped"]
    wire = Wire(publisher)
    await link._send_replies(cast("Session", wire))
    # One was sent while it was dropped for another; none was lost for that.
    assert wire.said == [*map(str, range(COMMANDS_MAX, count)), "late"]
    assert publisher.depth == 0
