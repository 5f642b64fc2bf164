"""The other kinds of destination: Sundsvall's SupportManagement, and a real broker."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import aiomqtt
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import MqttConfig, SupportManagementConfig
from ivrd.core.case_messages import MessageState
from ivrd.handover.building import title_by_codes
from ivrd.handover.gateway import ClientCredentials, Gateway
from ivrd.handover.http_client import HttpClient
from ivrd.handover.support_management import SETTLE, SupportManagement
from ivrd.handover.topic import Topic
from tests.integration.db.handover_samples import (
    ENOUGH,
    SHORT,
    SwiftClock,
    a_case_key,
    a_destination,
    all_are,
    sending,
    write,
)
from tests.integration.db.samples import AT, eventually
from tests.lab.case_systems import SupportManagementLab
from tests.lab.http_server import HttpServer, Manner, Reply
from tests.lab.mosquitto import Mosquitto

pytestmark = pytest.mark.asyncio(loop_scope="session")


def a_support_management(server: HttpServer, *, secret: str = "hush") -> SupportManagement:
    config = SupportManagementConfig.model_validate(
        {
            "name": "tekniska",
            "kind": "support_management",
            "url": server.url,
            "municipality_id": "2281",
            "namespace": "CONTACTCENTER",
            "classification": {"category": "OTHER", "type": "OTHER"},
            "classifications": {"teknisk": {"category": "STREETS", "type": "WATER"}},
            "status_closed": "SOLVED",
        }
    )
    who = ClientCredentials(token_url=f"{server.url}/token", client_id="ivrd", client_secret=secret)
    client = HttpClient(ca_file=None, timeout_s=ENOUGH.total_seconds())
    return SupportManagement(Gateway(client, who), config, title_of=title_by_codes)


async def test_a_case_becomes_one_errand_and_its_changes_change_it(engine: AsyncEngine) -> None:
    lab = SupportManagementLab()
    for version in (1, 2, 3):
        await write(engine, 1, version)
    await write(engine, 2)
    async with HttpServer.start(lab) as server:
        destination = a_destination(a_support_management(server), settle=SETTLE)
        async with sending(engine, destination, clock=SwiftClock()):
            sent = await all_are(engine, MessageState.SENT)
    assert (lab.posts, lab.patches, len(lab.errands)) == (2, 2, 2)
    errand = lab.errand_of(a_case_key(1))
    assert errand["title"] == "Samtal till kontaktcenter: va-lacka"
    assert errand["classification"] == {"category": "STREETS", "type": "WATER"}
    assert errand["description"].startswith("Vattenläcka, version 2\n\nKontaktcenter, ärende 1,")
    assert errand["status"] == "SOLVED"
    assert "stakeholders" not in errand, "no number without somebody's wish"
    assert {one.external_id for one in sent if one.case_id == 1} == {errand["id"]}
    assert len(lab.tokens) == 1


@pytest.mark.parametrize("manner", [Manner.CUT, Manner.SILENT])
async def test_an_errand_whose_making_nobody_confirmed_is_found_and_not_made_again(
    engine: AsyncEngine, manner: Manner
) -> None:
    # The first request asks for an errand, the second makes one.
    lab = SupportManagementLab(mood=lambda count: Reply(manner=manner) if count == 2 else None)
    clock = SwiftClock()
    began = clock.at
    await write(engine, 1)
    async with HttpServer.start(lab) as server:
        adapter = a_support_management(server)
        destination = a_destination(adapter, timeout=SHORT, settle=SETTLE)
        async with sending(engine, destination, clock=clock):
            [sent] = await all_are(engine, MessageState.SENT)
    assert lab.posts == 1
    assert sent.external_id == lab.errand_of(a_case_key(1))["id"]
    assert clock.at - began >= SETTLE, "an errand that is just being made is not found yet"


async def test_a_token_that_is_no_longer_good_is_fetched_anew(engine: AsyncEngine) -> None:
    lab = SupportManagementLab()
    await write(engine, 1)
    async with HttpServer.start(lab) as server:
        destination = a_destination(a_support_management(server))
        async with sending(engine, destination, clock=SwiftClock()) as sender:
            await all_are(engine, MessageState.SENT)
            lab.tokens.append("another one")
            await write(engine, 2)
            sender.wake()
            await all_are(engine, MessageState.SENT)
    assert len(lab.tokens) == 3
    assert lab.posts == 2


async def test_what_the_api_does_not_know_is_told_to_a_person(engine: AsyncEngine) -> None:
    lab = SupportManagementLab(statuses=("ÖPPEN",))
    await write(engine, 1)
    async with HttpServer.start(lab) as server:
        destination = a_destination(a_support_management(server))
        async with sending(engine, destination, clock=SwiftClock()):
            [dead] = await all_are(engine, MessageState.DEAD)
    told = "HTTP 400; Constraint Violation; status: is not a known status"
    assert dead.last_error == told


async def test_a_wrong_gateway_secret_makes_no_errand_and_buries_none(engine: AsyncEngine) -> None:
    lab = SupportManagementLab()
    await write(engine, 1)
    async with HttpServer.start(lab) as server:
        destination = a_destination(a_support_management(server, secret="wrong"))
        async with sending(engine, destination, clock=SwiftClock()) as sender:
            tally = sender.tallies["tekniska"]
            await eventually(lambda: tally.failures >= 3, what="tried three times")
            assert tally.trouble == "token: HTTP 401 and no token"
    assert (lab.posts, tally.died) == (0, 0)


async def test_errands_that_changed_are_read_page_by_page() -> None:
    at = AT
    lab = SupportManagementLab(now=lambda: at)
    for number in range(5):
        at = AT + timedelta(seconds=number)
        lab.keep(
            {"status": "NEW", "externalTags": [{"key": "ivrd-case", "value": f"case{number}"}]}
        )
    async with HttpServer.start(lab) as server:
        adapter = a_support_management(server)
        first, is_all = await adapter.changed_since(AT.isoformat(), page=0, size=3)
        rest, is_then_all = await adapter.changed_since(AT.isoformat(), page=1, size=3)
        await adapter.close()
    assert [one.case_key for one in [*first, *rest]] == ["case1", "case2", "case3", "case4"]
    assert (is_all, is_then_all) == (False, True)


@contextlib.asynccontextmanager
async def listening(broker: Mosquitto, heard: list[dict[str, object]]) -> AsyncIterator[None]:
    """Keep all that comes to the topic."""

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            assert (str(message.topic), message.qos) == ("ivrd/handover/tekniska", 1)
            heard.append(json.loads(message.payload))

    async with aiomqtt.Client(broker.host, broker.port, timeout=60.0) as client:
        await client.subscribe("ivrd/handover/#", qos=1)
        task = asyncio.create_task(listen(client), name="listener")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_a_broker_that_was_away_gets_each_message_once_and_in_order(
    engine: AsyncEngine,
) -> None:
    heard: list[dict[str, object]] = []
    clock = SwiftClock()
    began = clock.at
    for version in (1, 2, 3):
        for case_id in (1, 2):
            await write(engine, case_id, version)
    async with Mosquitto.start() as broker:
        await broker.stop()
        config = MqttConfig(port=broker.port)
        topic = Topic(config, name="tekniska", topic="handover/tekniska")
        async with contextlib.AsyncExitStack() as stack:

            async def resume() -> None:
                await broker.resume()
                await stack.enter_async_context(listening(broker, heard))

            clock.alarms = [(began + timedelta(hours=1), resume)]
            async with sending(engine, a_destination(topic), clock=clock):
                await all_are(engine, MessageState.SENT)
            await eventually(lambda: len(heard) >= 6, what="all heard")
    assert len({event["id"] for event in heard}) == len(heard) == 6
    for case_id in (1, 2):
        mine = [event for event in heard if event["subject"] == a_case_key(case_id)]
        assert [event["type"] for event in mine] == [
            "ivrd.case.handed_over",
            "ivrd.case.noted",
            "ivrd.case.closed",
        ]
