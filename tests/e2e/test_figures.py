"""What is shown is what is: console, metrics, API and MQTT at one moment; and PostgreSQL."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt

from tests.e2e.scene import metrics, scene
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.mosquitto import Mosquitto
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk
from tests.lab.postgres import Postgres

SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())
MUTE = Desk(name="mute", queue="kc", answer=NoAnswer())


class Retained:
    """The newest message of each topic."""

    def __init__(self) -> None:
        self.by_topic: dict[str, str] = {}

    def waiting(self, queue: str) -> object:
        text = self.by_topic.get(f"ivrd/pbx1/queue/{queue}/status")
        return None if text is None else json.loads(text)["waiting"]


@contextlib.asynccontextmanager
async def listening(broker: Mosquitto) -> AsyncIterator[Retained]:
    retained = Retained()

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            retained.by_topic[str(message.topic)] = message.payload.decode()

    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("ivrd/#", qos=1)
        task = asyncio.create_task(listen(client), name="listen")
        try:
            yield retained
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_every_side_shows_the_same_at_one_moment() -> None:
    async with Mosquitto.start() as broker:
        plan = FloorPlan(desks=(SILENT, MUTE), mqtt_port=broker.port)
        async with Municipality.start(plan) as town, scene(town) as played:
            waiting = {"vaxel": 2, "kc": 1}
            callers = await asyncio.gather(played.ring("1"), played.ring("1"), played.ring())
            for caller, queue in zip(callers, ("vaxel", "vaxel", "kc"), strict=True):
                await caller.joined(queue)
            async with listening(broker) as retained:

                async def is_told() -> bool:
                    return {queue: retained.waiting(queue) for queue in waiting} == waiting

                await town.until(is_told, what="MQTT tells of all callers")
                statuses = {queue: await town.queue_status(queue) for queue in waiting}
                figures = await metrics(town)
                shown = await town.pbx.cli("queue show")
                message = json.loads(retained.by_topic["ivrd/pbx1/queue/vaxel/status"])
            assert {queue: status["waiting"] for queue, status in statuses.items()} == waiting
            assert {
                queue: figures[f'ivrd_queue_callers{{queue="{queue}",system="pbx1"}}']
                for queue in waiting
            } == waiting
            assert {
                queue: int(count)
                for queue, count in re.findall(r"(?m)^(\w+) has (\d+) call", shown)
            } == waiting
            for shown_now in ("at", "longest_wait_s"):
                message.pop(shown_now)
                statuses["vaxel"].pop(shown_now)
            assert message == statuses["vaxel"], "the very text of the API, but for the clock"


async def test_postgresql_by_configuration(tmp_path: Path) -> None:
    async with Postgres.start() as server:
        password_file = tmp_path / "password"
        password_file.write_text(server.password + "\n", encoding="utf-8")
        plan = FloorPlan(
            desks=(Desk(name="guide", queue="kc", answer=Ring(), talk=Talk(s=0.2)),),
            database_url=server.url().replace(f":{server.password}@", "@"),
            database_password_file=password_file,
        )
        async with Municipality.start(plan) as town:
            async with scene(town) as played:
                caller = await played.ring()
                await caller.gone()
            assert played.told(caller) == (
                "stayed kc | kc answered by guide | resolved | case for guide"
            )
            assert server.password not in town.daemon_log.read_text(encoding="utf-8")
