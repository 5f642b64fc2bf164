"""What the daemon really sends over a real Mosquitto is what the AsyncAPI document says of it."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import jsonschema_rs
import pytest

from ivrd.core.actors import Actor, Origin
from ivrd.core.case_messages import Accepted, CaseMessage
from ivrd.core.case_record import Change
from ivrd.core.decisions import DecidedKind
from ivrd.core.effects import PublishCase
from ivrd.db.case_message_writes import case_key, payload
from ivrd.db.migrate import migrate
from ivrd.handover.topic import Topic
from tests.integration.db.samples import AT, a_call_id, a_case, a_decision
from tests.integration.site import PBX, Town
from tests.lab.mosquitto import Mosquitto

WITHIN_S = 60.0


class Description:
    """The document, as somebody reads it who only has that."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.messages = {
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one["address"]))): name
            for name, one in document["channels"].items()
        }
        self.retained = {
            one["channel"]["$ref"].rpartition("/")[2]
            for one in document["operations"].values()
            if one["bindings"]["mqtt"].get("retain")
        }

    def name_of(self, topic: str) -> str:
        """Return which channel a topic is; fails when it is none, or several."""
        [name] = [name for pattern, name in self.messages.items() if pattern.fullmatch(topic)]
        return name

    def check(self, name: str, text: str) -> None:
        """Fail unless a message is as it is described."""
        message = self._document["components"]["messages"][name]
        schema = {**message["payload"], "components": self._document["components"]}
        told = text if message["contentType"] == "text/plain" else json.loads(text)
        jsonschema_rs.validator_for(schema, validate_formats=True).validate(told)


async def described(town: Town) -> Description:
    async with town.client() as client:
        answer: httpx.Response = await client.get("/asyncapi.json")
    return Description(answer.json())


class Ear:
    """Somebody who hears everything at the broker, and knows which channel it is."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self.heard: list[tuple[str, str]] = []
        self.news = asyncio.Event()

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.heard}

    async def listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            name = self._description.name_of(str(message.topic))
            self.heard.append((name, message.payload.decode()))
            self.news.set()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A town that is connected to a broker, with one case."""
    async with Mosquitto.start() as broker:
        destination = {"name": "tekniska", "kind": "mqtt", "topic": "handover/tekniska"}
        more = {"mqtt": {"port": broker.port}, "handover": [destination]}
        town = Town(tmp_path, more=more)
        try:
            await migrate(town.daemon._store.engine)
            await town.daemon._store.save_batch([a_case()])
            town.fill()
            yield town
        finally:
            await town.daemon._store.close()


def connected(town: Town) -> aiomqtt.Client:
    assert town.settings.mqtt is not None
    return aiomqtt.Client(town.settings.mqtt.host, town.settings.mqtt.port, timeout=WITHIN_S)


async def test_every_message_of_the_daemon_is_as_the_document_says(town: Town) -> None:
    description = await described(town)
    ear = Ear(description)
    publisher = town.daemon._publisher
    assert publisher is not None
    async with connected(town) as client:
        await client.subscribe("ivrd/#", qos=1)
        works = (ear.listen(client), publisher.run(), town.daemon._site.tell())
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            tell_all(town)
            await hand_over(town)
            async with asyncio.timeout(WITHIN_S):
                while not (ear.names == set(description.messages.values()) and answered(ear)):
                    assert not any(task.done() for task in tasks)
                    await command_all(town, client)
                    await anything(ear)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    async with connected(town) as late:
        await late.subscribe("ivrd/#", qos=1)
        kept = {description.name_of(topic) for topic in await retained(late)}
    assert kept == description.retained == {"availability", "queueStatus", "lineStatus"}
    for name, text in ear.heard:
        description.check(name, text)
    with pytest.raises(jsonschema_rs.ValidationError):
        description.check("caseOpened", json.dumps({"system": PBX, "number": "070-1740605"}))


def answered(ear: Ear) -> bool:
    """Return whether a command was answered in each way."""
    replies = [json.loads(text) for name, text in ear.heard if name == "reply"]
    return {reply["status"] for reply in replies} >= {200, 401, 403, 404, 422}


async def anything(ear: Ear) -> None:
    """Wait until something is heard; commands are lost until ivrd has subscribed, so not long."""
    ear.news.clear()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await ear.news.wait()


def tell_all(town: Town) -> None:
    """Let each kind of decision be told, and a case."""
    publisher = town.daemon._publisher
    assert publisher is not None
    case = PublishCase(system=PBX, case_id=1, call_id=a_call_id(1), rule="resolved-by-guide", at=AT)
    publisher.publish_case(case)
    for number, kind in enumerate(DecidedKind):
        publisher.publish_decision(a_decision(number, what=kind))


async def hand_over(town: Town) -> None:
    """Hand a case over by the broker, as a destination of kind mqtt does."""
    case = (await town.daemon._desk.case(1)).case
    by = Actor(who="anna", origin=Origin.PAGE)
    change = Change(case_id=1, version=2, at=AT, by=by, what="hand_over", before="{}", after="{}")
    message = CaseMessage(
        message_id=1,
        case_id=1,
        version=2,
        destination="tekniska",
        key=f"{case_key(case)}/2/tekniska",
        kind="handed_over",
        payload=json.dumps(payload(case, change, includes_note=True)),
        created_at=AT,
        attempts=1,
        external_id=None,
    )
    assert town.settings.mqtt is not None
    topic = Topic(town.settings.mqtt, name="tekniska", topic="handover/tekniska")
    assert await topic.send(message, caller_number="+46701740605") == Accepted()


async def command_all(town: Town, client: aiomqtt.Client) -> None:
    """Ask for what is done and for what is refused, each way that a command can be answered."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    close = {"do": "lines/avfall/close", "body": {"reason": "Storm", "until": until}}
    wishes = (
        ("sture", close),
        ("sture", {"do": "cases/1/acts", "body": {"do": "note", "text": "Läcka"}}),
        ("sture", {"do": "lines/avfall/close", "body": {}}),
        ("sture", {"do": "lines/nowhere/release", "body": {"reason": "Storm"}}),
        ("vera", close),
        ("nobody", close),
    )
    for number, (who, wish) in enumerate(wishes):
        told = {"id": f"c{number}", "token": town.tokens.get(who, who), **wish}
        await client.publish("ivrd/command", json.dumps(told), qos=1)


async def retained(client: aiomqtt.Client) -> set[str]:
    """Return the topics that a broker keeps a message of: those before our own."""
    await client.publish("ivrd/command", b"", qos=1)
    found: set[str] = set()
    async with asyncio.timeout(WITHIN_S):
        async for message in client.messages:
            if not message.retain:
                break
            found.add(str(message.topic))
    return found
