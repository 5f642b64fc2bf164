"""What the publisher must not lose, whatever the client library does."""

import asyncio
from typing import cast

import aiomqtt

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
