"""The audit and callers' numbers over HTTP on the whole daemon, and acts as they happen."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from ivrd.core.ids import LineName
from ivrd.core.switches import ActOutcome
from ivrd.db.migrate import migrate
from ivrd.db.models import NumberReadRow
from tests.integration.db.samples import a_call_id, a_case, a_recorded_call
from tests.integration.site import Town
from tests.integration.test_site import Viewer, telling

WITHIN_S = 60.0

NUMBER = "+46701740605"

WHY = "reason=hot mot handläggare"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A town whose acts are stored at once, with a call and its case."""
    town = Town(tmp_path)
    store = town.daemon._store
    await migrate(store.engine)
    call = replace(a_recorded_call(number=NUMBER), line=LineName("kommunen"))
    await store.save_call(town.daemon._personal.callers.closed(call))
    await store.save_batch([replace(a_case(), line=LineName("kommunen"))])
    town.fill()
    yield town
    await store.close()


async def stored(town: Town) -> None:
    """Bring what the audit was told to the database, as the outbox does."""
    for act in town.acts:
        await town.daemon._store.save_act(act)


async def get(town: Town, who: str | None, path: str) -> httpx.Response:
    async with town.client(who) as client:
        return await client.get(path)


async def close(town: Town, who: str, line: str, reason: str) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with town.client(who) as client:
        await client.post(f"/api/lines/{line}/close", json={"until": until, "reason": reason})


async def test_who_did_what_is_told_page_by_page_to_whoever_may_see_it(town: Town) -> None:
    await close(town, "sture", "kommunen", "Läcka")
    await close(town, "sture", "avfall", "Storm")
    await close(town, "vera", "avfall", "Nyfiken")
    await stored(town)
    page = (await get(town, "adam", "/api/audit?count=2")).json()
    told = [(one["who"], one["subject"], one["outcome"]) for one in page["acts"]]
    assert told == [("vera", "line avfall", "refused"), ("sture", "line avfall", "pending")]
    assert (page["acts"][1]["reason"], page["acts"][1]["origin"]) == ("Storm", "api")
    async with town.client("adam") as client:
        rest = await client.get("/api/audit", params={"after": page["next"]})
    assert [one["subject"] for one in rest.json()["acts"]] == ["line kommunen"]
    assert rest.json()["next"] is None
    mine = (await get(town, "ava", "/api/audit")).json()["acts"]
    assert [one["subject"] for one in mine] == ["line avfall", "line avfall"]
    assert len((await get(town, "adam", "/api/audit?who=vera")).json()["acts"]) == 1
    for path in ("?after=1", "?since=2026-03-02T09:00:00", "?since=0001-01-01T00:00:00Z"):
        assert (await get(town, "adam", f"/api/audit{path}")).status_code == 422
    for who, status in ((None, 401), ("gun", 403), ("vera", 403)):
        assert (await get(town, who, "/api/audit")).status_code == status


async def looks(town: Town) -> int:
    async with town.daemon._store.engine.connect() as connection:
        query = select(func.count()).select_from(NumberReadRow)
        return await connection.scalar(query) or 0


@pytest.mark.parametrize("place", [f"calls/{a_call_id(1)}", "cases/1"])
async def test_a_number_is_shown_to_administrators_alone_and_each_look_is_kept(
    town: Town, place: str
) -> None:
    for who, status in ((None, 401), ("gun", 403), ("vera", 403), ("sture", 403), ("ava", 403)):
        answer = await get(town, who, f"/api/{place}/number?{WHY}")
        assert (answer.status_code, NUMBER[3:] in answer.text) == (status, False), who
    assert await looks(town) == 0
    assert [one.who for one in town.acts] == ["gun", "vera", "sture", "ava"]
    assert {(one.act, one.outcome) for one in town.acts} == {("number_read", ActOutcome.REFUSED)}
    for without in ("", "?reason=hot"):
        assert (await get(town, "adam", f"/api/{place}/number{without}")).status_code == 422
    for times in (1, 2):
        answer = await get(town, "adam", f"/api/{place}/number?{WHY}")
        assert answer.json() == {"call_id": a_call_id(1), "number": NUMBER}
        assert await looks(town) == times
    seen = (await get(town, "adam", "/api/audit?act=number_read")).json()["acts"]
    assert [(one["who"], one["subject"]) for one in seen] == 2 * [("adam", f"call {a_call_id(1)}")]


async def test_what_has_no_number_is_not_there_and_a_foreign_page_gets_none(town: Town) -> None:
    for place in ("calls/pbx1/nobody", "cases/99"):
        answer = await get(town, "adam", f"/api/{place}/number?{WHY}")
        assert answer.status_code == 404
    async with town.client() as client:
        form = {"token": town.tokens["adam"]}
        site = {"sec-fetch-site": "same-origin"}
        assert (await client.post("/login", data=form, headers=site)).status_code == 303
        path = f"/api/cases/1/number?{WHY}"
        foreign = {"sec-fetch-site": "cross-site"}
        assert (await client.get(path, headers=site)).status_code == 200
        assert (await client.get(path, headers=foreign)).status_code == 403
    assert await looks(town) == 1


async def test_what_people_switch_is_told_to_those_who_watch(town: Town) -> None:
    async with telling(town) as stream:
        async with asyncio.timeout(WITHIN_S):
            while "line/kommunen" not in stream.keys("switch"):  # noqa: ASYNC110 - with a deadline.
                await asyncio.sleep(0.01)
        viewers = {who: Viewer(stream, town, who, None) for who in ("sture", "ava", "vera")}
        for viewer in viewers.values():
            await viewer.until("present")
        await close(town, "sture", "kommunen", "Läcka")
        act = await found(viewers["sture"], "act")
        assert (act["who"], act["subject"], act["reason"]) == ("sture", "line kommunen", "Läcka")
        switch = await found(viewers["vera"], "switch")
        assert (switch["name"], switch["setting"]["who"]) == ("kommunen", "sture")
        await close(town, "sture", "avfall", "Storm")
        # Ava hears of her line alone, and Vera, who may not see the audit, of no act.
        assert (await found(viewers["ava"], "act"))["subject"] == "line avfall"
        assert (await found(viewers["vera"], "switch", refuse="act"))["name"] == "avfall"


async def found(viewer: Viewer, kind: str, *, refuse: str = "") -> Any:
    """Return the next event of a kind."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            event, told, _ = await viewer.next()
            assert event != refuse
            if event == kind:
                return told
