"""Every route that acts, as OpenAPI names them, refused to whoever may not: by HTTP and by MQTT.

No act without a token; a viewer cannot act; a supervisor of one line cannot touch another. A route
that is added and not put into ACTS fails the first test, so none is forgotten.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from ivrd import overflow_orders
from ivrd.config import MqttConfig
from ivrd.core.ids import LineName
from ivrd.core.switches import ActOutcome, Origin
from ivrd.db.migrate import migrate
from ivrd.mqtt import Publisher
from tests.integration.db.samples import a_case
from tests.integration.site import PBX, SHIFT, Town
from tests.integration.test_site import SIGNED
from tests.lab.mosquitto import Mosquitto

WITHIN_S = 60.0

SIGNING_IN = {"/login", "/logout"}
"""Act on nothing but the cookie of whoever asks."""

LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
WHY = {"reason": "Läcka"}
UNTIL = {**WHY, "until": LATER}
KIM = {"agent": "PJSIP/kim"}
CALLER = {"call": "1700000000.1"}


@dataclass(frozen=True, kw_only=True)
class Act:
    """One route, aimed at the line kommunen, with a body that is good."""

    path: str
    """Filled in."""
    body: Mapping[str, Any] = field(default_factory=lambda: WHY)
    elsewhere: int = HTTPStatus.FORBIDDEN
    """What a supervisor of another line is told."""
    is_for: str = "sture"
    """Who may: told neither 401 nor 403."""


ACTS: Mapping[str, Act] = {
    "/api/lines/{line}/close": Act(path="lines/kommunen/close", body=UNTIL),
    "/api/lines/{line}/open": Act(path="lines/kommunen/open", body=UNTIL),
    "/api/lines/{line}/release": Act(path="lines/kommunen/release"),
    "/api/lines/{line}/undo": Act(path="lines/kommunen/undo", body={}),
    "/api/notices/{notice}/on": Act(path="notices/driftstorning/on", body=UNTIL),
    "/api/notices/{notice}/off": Act(path="notices/driftstorning/off"),
    "/api/notices/{notice}/undo": Act(path="notices/driftstorning/undo", body={}),
    "/api/rules/{rule}/set/{stand}": Act(path="rules/vaxel-hog-last/set/off", body=UNTIL),
    "/api/rules/{rule}/release": Act(path="rules/vaxel-hog-last/release"),
    "/api/rules/{rule}/undo": Act(path="rules/vaxel-hog-last/undo", body={}),
    "/api/calls/move": Act(path="calls/move", body={**CALLER, **WHY, "to_queue": "vaxel"}),
    "/api/calls/rank": Act(path="calls/rank", body={**CALLER, **WHY, "is_urgent": True}),
    "/api/agents/pause": Act(path="agents/pause", body={**KIM, **WHY}),
    "/api/agents/unpause": Act(path="agents/unpause", body={**KIM, **WHY}),
    "/api/agents/log-in": Act(path="agents/log-in", body={**KIM, **WHY, "queues": ["vaxel"]}),
    "/api/agents/log-out": Act(path="agents/log-out", body={**KIM, **WHY}),
    "/api/agents/undo": Act(path="agents/undo", body=KIM),
    # What somebody may not see is not there: nobody learns that there is such a case.
    "/api/cases/{case_id}/acts": Act(
        path="cases/1/acts", body={"do": "note", "text": "Läcka"}, elsewhere=HTTPStatus.NOT_FOUND
    ),
    "/api/handover/messages/{number}/resend": Act(path="handover/messages/1/resend"),
    "/api/handover/messages/{number}/drop": Act(path="handover/messages/1/drop"),
    "/api/reload": Act(path="reload", body={}, is_for="adam"),
}

Ask = Callable[[str | None, Act], Awaitable[int]]
"""Sends an act with somebody's token, or without any, and returns the status."""


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(overflow_orders, "LANDING_S_MAX", 0.05)
    town = Town(tmp_path, shift=[{**SHIFT, "lines": ["avfall"]}])
    await migrate(town.daemon._store.engine)
    await town.daemon._store.save_batch([replace(a_case(), line=LineName("kommunen"))])
    town.fill()
    yield town
    await town.daemon._store.close()


def by_http(town: Town) -> Ask:
    async def ask(who: str | None, act: Act) -> int:
        async with town.client(who) as client:
            answer = await client.post(f"/api/{act.path}", json=act.body)
        return answer.status_code

    return ask


@contextlib.asynccontextmanager
async def by_mqtt(town: Town) -> AsyncIterator[Ask]:
    """Connect the daemon's commands to a real broker, and somebody who sends some."""
    heard: dict[str, asyncio.Future[int]] = {}

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            answer = json.loads(message.payload)
            if not heard[answer["id"]].done():
                heard[answer["id"]].set_result(answer["status"])

    async with Mosquitto.start() as broker:
        publisher = Publisher(MqttConfig(port=broker.port), systems=[PBX], status=lambda *_: None)
        town.daemon._site.publish_to(publisher)
        running = asyncio.create_task(publisher.run())
        async with aiomqtt.Client(broker.host, broker.port, timeout=WITHIN_S) as client:
            await client.subscribe("ivrd/reply/#", qos=1)
            listening = asyncio.create_task(listen(client))

            async def ask(who: str | None, act: Act) -> int:
                number = str(len(heard))
                heard[number] = asyncio.get_running_loop().create_future()
                token = "nobody" if who is None else town.tokens[who]
                wish = {"id": number, "token": token, "do": act.path, "body": act.body}
                await client.publish("ivrd/command", json.dumps(wish), qos=1)
                async with asyncio.timeout(WITHIN_S):
                    return await heard[number]

            try:
                await taking(client, heard)
                yield ask
            finally:
                for task in (running, listening):
                    task.cancel()
                await asyncio.wait([running, listening])


async def taking(client: aiomqtt.Client, heard: dict[str, asyncio.Future[int]]) -> None:
    """Return when commands are taken: those sent before ivrd has subscribed are lost."""
    heard["first"] = asyncio.get_running_loop().create_future()
    wish = json.dumps({"id": "first", "token": "nobody", "do": "lines/x/close"})
    async with asyncio.timeout(WITHIN_S):
        while not heard["first"].done():
            await client.publish("ivrd/command", wish, qos=1)
            await asyncio.wait([heard["first"]], timeout=0.2)


async def test_every_act_of_the_document_is_in_the_table(town: Town) -> None:
    async with town.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    acting = {path for path, routes in paths.items() if set(routes) - {"get", "head"}}
    assert acting - SIGNED - SIGNING_IN == set(ACTS)
    assert {method for path in acting for method in paths[path]} <= {"get", "post"}


async def all_of(ask: Ask, who: str | None, acts: Mapping[str, Act] = ACTS) -> list[int]:
    return await asyncio.gather(*(ask(who, act) for act in acts.values()))


@pytest.mark.parametrize("way", [Origin.API, Origin.MQTT])
async def test_no_act_without_a_token_by_a_viewer_or_on_another_line(
    town: Town, way: Origin
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if way is Origin.MQTT:
            ask = await stack.enter_async_context(by_mqtt(town))
        else:
            ask = by_http(town)
        before = town.daemon._switches.board.state
        assert set(await all_of(ask, None)) == {HTTPStatus.UNAUTHORIZED}
        assert set(await all_of(ask, "vera")) == {HTTPStatus.FORBIDDEN}
        # Ava has that other line for good, Lena as long as she leads its shift.
        for who in ("ava", "lena"):
            assert await all_of(ask, who) == [act.elsewhere for act in ACTS.values()], who
        assert town.daemon._switches.board.state == before
        # Cases have a history of their own; all else that was tried stands in the audit.
        told = len([route for route in ACTS if "/cases/" not in route])
        assert Counter(one.who for one in town.acts) == dict.fromkeys(("vera", "ava", "lena"), told)
        assert {one.outcome for one in town.acts} == {ActOutcome.REFUSED}
        assert {one.from_where for one in town.acts} == {way}
        assert (await town.daemon._desk.case(1)).case.version == 1
        # The same wishes are refused to nobody who may: it was the right that was lacking.
        for who in ("sture", "adam"):
            mine = {route: act for route, act in ACTS.items() if act.is_for == who}
            for route, status in zip(mine, await all_of(ask, who, mine), strict=True):
                assert status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN), route
        assert town.daemon._switches.board.state != before
        assert (await town.daemon._desk.case(1)).case.version == 2
