"""Handing over, over HTTP: signed statuses from case systems, and acts of people with rights."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.access.book import AccessBook
from ivrd.access.sessions import Sessions
from ivrd.access.tokens import fingerprint, new_token
from ivrd.audit import Audit
from ivrd.config import AccessConfig, WebConfig
from ivrd.core.case_record import HandOverCase
from ivrd.handover.signing import sign
from ivrd.web.guard import Guard
from ivrd.web.handover import handover_router
from ivrd.web.problems import add_problems
from ivrd.web.server import serve
from tests.integration.db.handover_samples import write
from tests.integration.db.samples import AT, WITHIN_S
from tests.integration.db.test_handover_cases import ANNA, STATUS_SECRET, Hall, an_archive_table

pytestmark = pytest.mark.asyncio(loop_scope="session")


TOKENS = {name: new_token() for name in ("nobody", "viewer", "of-a-line", "lead")}


def a_guard() -> Guard:
    tokens = [
        {
            "name": name,
            "role": role,
            "lines": lines,
            "sha256": fingerprint(TOKENS[name]),
        }
        for name, role, lines in (
            ("lead", "supervisor", []),
            ("of-a-line", "supervisor", ["kommunen"]),
            ("viewer", "viewer", []),
        )
    ]
    config = AccessConfig.model_validate({"token": tokens})
    book = AccessBook(config, zone="Europe/Stockholm", now=lambda: AT)
    return Guard(book, Sessions(b"k" * 32))


@contextlib.asynccontextmanager
async def answering(hall: Hall) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the routes on a real socket, and return a client of them."""
    app = FastAPI()
    app.state.guard = a_guard()
    add_problems(app)
    audit = Audit(record=lambda act: None, now=lambda: AT)
    app.include_router(handover_router(hall.office.statuses, hall.office.desk, audit))
    place: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    work = serve(
        app,
        WebConfig(port=0),
        on_listening=lambda host, port: place.set_result(f"http://{host}:{port}"),
    )
    task = asyncio.create_task(work, name="web")
    try:
        async with httpx.AsyncClient(base_url=await place, timeout=WITHIN_S) as client:
            yield client
    finally:
        task.cancel()
        await asyncio.wait([task])


def of(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS[name]}"}


async def test_a_signed_status_is_taken_and_no_other(engine: AsyncEngine, tmp_path: Path) -> None:
    hall = Hall(engine, {**an_archive_table(tmp_path), "status_secret_files": ["x"]})
    case_id = await hall.a_labelled_case()
    await hall.cases.act(case_id, HandOverCase(), ANNA)
    body = json.dumps({"case": case_id, "status": "Åtgärdat", "is_closed": True}).encode()
    signed = dict(sign("m1", datetime.now(UTC), body, [STATUS_SECRET]))
    async with answering(hall) as client:
        told = [
            (await client.post(path, content=content, headers=headers)).status_code
            for path, content, headers in (
                ("/api/handover/arkiv/status", body, {}),
                ("/api/handover/arkiv/status", body + b" ", signed),
                ("/api/handover/nobody/status", body, signed),
                ("/api/handover/arkiv/status", body, signed),
                ("/api/handover/arkiv/status", body, signed),
            )
        ]
    assert told == [401, 401, 404, 204, 204]
    case = (await hall.cases.case(case_id)).case
    assert (case.external_status, case.state.value) == ("Åtgärdat", "closed")
    assert case.version == 5, "opened, labelled, handed over, told, closed: once each"


async def test_people_with_the_right_see_resend_and_drop(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    hall = Hall(engine, an_archive_table(tmp_path))
    await write(engine, 1, destination="arkiv")
    await write(engine, 2, destination="arkiv")
    async with answering(hall) as client:
        for name, status in (("nobody", 401), ("viewer", 403), ("of-a-line", 403)):
            assert (
                await client.get("/api/handover/messages", headers=of(name))
            ).status_code == status
        answer = await client.get("/api/handover/messages?case_id=1", headers=of("lead"))
        [message] = answer.json()["messages"]
        assert (message["case_id"], message["state"]) == (1, "waiting")
        assert "payload" not in message
        place = f"/api/handover/messages/{message['message_id']}"
        for act, why, name, status in (
            ("drop", {"reason": "För hand"}, "of-a-line", 403),
            ("drop", {}, "lead", 422),
            ("drop", {"reason": "För hand"}, "lead", 204),
            ("drop", {"reason": "Igen"}, "lead", 409),
            ("resend", {}, "lead", 204),
        ):
            told = await client.post(f"{place}/{act}", json=why, headers=of(name))
            assert told.status_code == status, (act, name)
        waiting = await client.get("/api/handover/messages?state=waiting", headers=of("lead"))
        assert len(waiting.json()["messages"]) == 2
