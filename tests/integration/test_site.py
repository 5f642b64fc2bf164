"""The API on the whole daemon: what is seen, what is done, and what is refused to whom."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ivrd import overflow_orders
from ivrd.access import Deed, Grant, Person, Role
from ivrd.core import events as on
from ivrd.core.ids import Interface, LineName, QueueName
from ivrd.core.switches import ActOutcome
from ivrd.db.migrate import migrate
from ivrd.web import events
from ivrd.web.events import VIEWER_EVENTS_MAX, EventStream
from tests.integration.db.samples import a_case, a_recorded_call, an_entry
from tests.integration.site import PBX, ROLES, SHIFT, Town, a_member, arrivals

WITHIN_S = 60.0

ACTS: list[tuple[str, dict[str, Any]]] = [
    ("/api/lines/kommunen/close", {"until": "later"}),
    ("/api/lines/kommunen/open", {"until": "later"}),
    ("/api/lines/kommunen/release", {}),
    ("/api/notices/driftstorning/on", {"until": "later"}),
    ("/api/notices/driftstorning/off", {}),
    ("/api/rules/vaxel-hog-last/set/off", {"until": "later"}),
    ("/api/rules/vaxel-hog-last/release", {}),
    ("/api/agents/pause", {"agent": "PJSIP/kim"}),
    ("/api/agents/unpause", {"agent": "PJSIP/kim"}),
    ("/api/agents/log-in", {"agent": "PJSIP/kim", "queues": ["vaxel"]}),
    ("/api/agents/log-out", {"agent": "PJSIP/kim"}),
    ("/api/calls/rank", {"call": "1700000000.1", "is_urgent": True}),
    ("/api/calls/move", {"call": "1700000000.1", "to_queue": "vaxel"}),
]

SIGNED = {"/api/handover/{destination}/status"}
"""Asked by case systems, which sign what they say instead of showing a token."""

WITHOUT_PBX = 8
"""So many of them are done although no PBX is there."""


def body_of(form: dict[str, Any], **more: object) -> dict[str, Any]:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"reason": "Läcka"} | form | ({"until": later} if "until" in form else {}) | more


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    town.fill()
    yield town
    await town.daemon._store.close()


async def act(town: Town, who: str | None, path: str, form: dict[str, Any]) -> httpx.Response:
    async with town.client(who) as client:
        return await client.post(path, json=form)


async def test_every_post_and_get_of_the_api_wants_a_token(town: Town) -> None:
    async with town.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        asked = 0
        for path, routes in paths.items():
            if not path.startswith("/api/") or path in SIGNED:
                continue
            for method in routes:
                filled = path.replace("{stand}", "off").replace("{line}", "kommunen")
                filled = filled.replace("{system}", "pbx1").replace("{queue}", "kc")
                filled = filled.replace("{number}", "1")
                answer = await client.request(method, filled, json={})
                # Whoever has no token learns nothing, not even what a form lacks.
                assert answer.status_code == 401, (method, path)
                asked += 1
        assert asked > 15
    assert town.acts == []


@pytest.mark.parametrize("who", ["vera", "gun", "lena"])
async def test_viewers_and_guides_cannot_act_and_the_audit_knows_who_tried(
    town: Town, who: str
) -> None:
    before = town.daemon._switches.board.state
    for path, form in ACTS:
        answer = await act(town, who, path, body_of(form))
        assert answer.status_code == 403, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert town.daemon._switches.board.state == before
    assert [(one.who, one.outcome) for one in town.acts] == [(who, ActOutcome.REFUSED)] * len(ACTS)
    assert town.acts[0].reason == "Läcka"


async def test_a_supervisor_of_one_line_touches_no_other(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overflow_orders, "LANDING_S_MAX", 0.05)
    for path, form in ACTS:
        assert (await act(town, "ava", path, body_of(form))).status_code == 403, path
    answer = await act(town, "ava", "/api/lines/avfall/close", body_of({"until": ""}))
    assert (answer.status_code, answer.json()["outcome"]) == (200, "pending")
    move = body_of({"call": "1700000000.2", "to_queue": "nowhere"})
    assert (await act(town, "ava", "/api/calls/move", move)).status_code != 403


async def test_the_shift_lead_acts_while_the_shift_lasts_and_in_its_lines(tmp_path: Path) -> None:
    town = Town(tmp_path, shift=[SHIFT])
    town.fill()
    form = body_of({"until": ""})
    assert (await act(town, "lena", "/api/lines/kommunen/close", form)).status_code == 200
    assert (await act(town, "lena", "/api/lines/avfall/close", form)).status_code == 403
    over = {**SHIFT, "exceptions": [{"date": datetime.now(UTC).date(), "hours": "closed"}]}
    tomorrow = {"date": datetime.now(UTC).date() + timedelta(days=1), "hours": "closed"}
    over["exceptions"] = [*over["exceptions"], tomorrow]  # type: ignore[misc]
    section = town.settings.access.model_dump() | {"shift": [over]}
    changed = type(town.settings.access).model_validate(section)
    town.daemon._site.access.change(changed, zone="Europe/Stockholm")
    assert (await act(town, "lena", "/api/lines/kommunen/release", body_of({}))).status_code == 403
    await town.daemon._store.close()


async def test_supervisors_do_all_of_it_and_each_act_is_in_the_audit(town: Town) -> None:
    for path, form in ACTS[: WITHOUT_PBX - 1]:
        answer = await act(town, "sture", path, body_of(form))
        assert answer.status_code == 200, answer.text
    assert {one.who for one in town.acts} == {"sture"}
    assert len(town.acts) == WITHOUT_PBX - 1
    for path, form in ACTS[WITHOUT_PBX - 1 : -1]:
        answer = await act(town, "sture", path, body_of(form))
        assert (answer.status_code, "not connected" in answer.text) in ((422, True), (200, False))
    async with town.client("vera") as client:
        switches = (await client.get("/api/switches")).json()["switches"]
        [line] = [one for one in switches if (one["kind"], one["name"]) == ("line", "kommunen")]
        assert line["setting"]["who"] == "sture"
        assert (await client.get("/api/lines")).status_code == 200


async def test_of_two_who_act_at_once_the_second_is_told_of_the_first(town: Town) -> None:
    form = body_of({"until": ""})
    assert (await act(town, "sture", "/api/lines/kommunen/close", form)).status_code == 200
    answer = await act(town, "adam", "/api/lines/kommunen/open", form)
    assert answer.status_code == 409
    setting = answer.json()["setting"]
    assert (setting["who"], setting["stand"]) == ("sture", "closed")
    again = body_of({"until": ""}, seen=setting["version"])
    assert (await act(town, "adam", "/api/lines/kommunen/open", again)).status_code == 200
    answer = await act(town, "adam", "/api/lines/kommunen/undo", {})
    assert answer.json()["text"] == "line kommunen: closed"


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/api/lines/nowhere/release", {"reason": "x"}, 404),
        ("/api/lines/kommunen/release", {"reason": " "}, 422),
        ("/api/lines/kommunen/release", {"reason": "a\nb"}, 422),
        ("/api/lines/kommunen/release", {"reason": "x" * 201}, 422),
        ("/api/lines/kommunen/release", {"reason": "x", "untl": "x"}, 422),
        ("/api/lines/kommunen/close", {"reason": "x", "until": "2026-01-01T10:00:00"}, 422),
        ("/api/lines/kommunen/close", {"reason": "x", "until": "2020-01-01T10:00:00Z"}, 422),
        ("/api/rules/vaxel-hog-last/set/open", {"reason": "x", "until": ""}, 422),
        ("/api/calls/move", {"call": "1", "to_queue": "kc", "reason": "x"}, 404),
        ("/api/lines/kommunen/release", {"reason": "x" * 70_000}, 413),
    ],
)
async def test_what_is_wrong_is_told_as_a_problem(
    town: Town, path: str, form: dict[str, Any], status: int
) -> None:
    if form.get("until") == "":
        form = body_of(form)
    answer = await act(town, "sture", path, form)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_a_body_in_parts_that_is_too_long_is_told_so_too(town: Town) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 8_000

    async with town.client("sture") as client:
        answer = await client.post(
            "/api/lines/kommunen/release",
            content=parts(),
            headers={"content-type": "application/json"},
        )
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


async def test_who_must_sign_in_comes_back_to_the_very_page(town: Town) -> None:
    async with town.client() as client:
        answer = await client.get("/board?wall=1&lang=en", headers={"accept": "text/html"})
        assert answer.headers["location"] == "/login?next=/board%3Fwall%3D1%26lang%3Den"
        page = await client.get(answer.headers["location"])
    assert 'value="/board?wall=1&amp;lang=en"' in page.text


async def test_what_a_caller_rang_about_before_is_told_within_ones_lines(town: Town) -> None:
    store = town.daemon._store
    await migrate(store.engine)
    calls = [
        replace(a_case(number), line=LineName(line), caller_key="1-77aa")
        for number, line in ((1, "kommunen"), (2, "avfall"), (3, "avfall"))
    ]
    for call in calls:
        await store.save_batch([replace(call, at=datetime.now(UTC))])
    seen = {}
    for who in ("sture", "ava"):
        async with town.client(who) as client:
            newest, *_ = (await client.get("/api/cases")).json()["cases"]
            story = (await client.get(f"/api/cases/{newest['id']}")).json()
            seen[who] = [case["line"] for case in story["earlier"]]
    assert seen == {"sture": ["avfall", "kommunen"], "ava": ["avfall"]}


async def test_only_an_administrator_reloads(town: Town) -> None:
    assert (await act(town, "sture", "/api/reload", {})).status_code == 403
    # The sample as it stands differs in what needs a restart.
    assert (await act(town, "adam", "/api/reload", {})).status_code == 422


async def test_who_waits_and_who_serves_is_told_with_masked_numbers(town: Town) -> None:
    async with town.client("vera") as client:
        calls = (await client.get("/api/calls")).json()
        assert [(one["queue"], one["line"], one["number"]) for one in calls["calls"]] == [
            ("kc", "kommunen", "***12"),
            ("va", "avfall", "***12"),
        ]
        assert calls["calls"][0]["wait_s"] > 20
        assert (await client.get("/api/calls?limit=1")).json()["total"] == 2
        agents = (await client.get("/api/agents")).json()["agents"]
        assert [(one["agent"], one["state"]) for one in agents] == [
            ("PJSIP/gun", "available"),
            ("PJSIP/kim", "available"),
            ("PJSIP/vilma", "available"),
        ]
        assert (await client.get("/api/cases/count")).json()["counts"]
        assert (await client.get("/api/moves")).json() == {"moves": []}


async def test_what_is_seen_is_cut_to_the_lines(town: Town) -> None:
    async with town.client("ava") as client:
        calls = (await client.get("/api/calls")).json()["calls"]
        assert [one["line"] for one in calls] == ["avfall"]
        lines = (await client.get("/api/lines")).json()["lines"]
        assert [one["line"] for one in lines] == ["avfall"]
        queues = {one["queue"] for one in (await client.get("/api/queues")).json()["queues"]}
        assert "va" in queues
        assert "aldre" not in queues
        assert (await client.get("/api/queues/pbx1/aldre")).status_code == 404


RIGHTS: dict[str, dict[str, dict[str, bool]]] = {
    # What stands here is true of the sample configuration, where the line avfall reaches va alone.
    "sture": {
        "switch_line": {"kommunen": True, "avfall": True},
        "switch_rule": {"vaxel-hog-last": True},
        "switch_notice": {"driftstorning": True},
        "direct_agent": {"kc": True, "va": True},
        "move_caller": {"kommunen": True, "avfall": True},
    },
    "ava": {
        "switch_line": {"kommunen": False, "avfall": True},
        "switch_rule": {"vaxel-hog-last": False},
        "switch_notice": {"driftstorning": False},
        "direct_agent": {"kc": False},
        "move_caller": {"kommunen": False, "avfall": True},
    },
    "vera": {},
    "gun": {},
}


@pytest.mark.parametrize("who", RIGHTS)
async def test_a_page_is_told_what_may_be_done_and_that_is_what_acts_obey(
    town: Town, who: str
) -> None:
    async with town.client(who) as client:
        me = (await client.get("/api/me")).json()
    assert (me["name"], me["is_signed_in"]) == (who, True)
    assert set(RIGHTS[who]) <= set(me["may"])
    assert me["may"] == {} or RIGHTS[who]
    for deed, things in RIGHTS[who].items():
        told = {name for names in me["may"][deed].values() for name in names}
        assert {name: name in told for name in things} == things, deed
    for line in ("kommunen", "avfall"):
        answer = await act(town, who, f"/api/lines/{line}/close", body_of({"until": ""}))
        is_told = line in me["may"].get("switch_line", {"lines": []})["lines"]
        assert (answer.status_code == 200) == is_told, line


async def test_nobody_is_told_that_they_may_act_who_has_not_said_who_they_are(
    tmp_path: Path,
) -> None:
    town = Town(tmp_path, anonymous_role="viewer")
    async with town.client() as client:
        me = (await client.get("/api/me")).json()
    assert (me["is_signed_in"], me["may"]) == (False, {})
    await town.daemon._store.close()


# Changes as they happen.


class Viewer:
    """Somebody who watches, without HTTP between."""

    def __init__(self, stream: EventStream, town: Town, who: str, last_id: str | None) -> None:
        def look() -> Any:
            return town.daemon._site.access.by_token(town.tokens[who])

        self.events = stream.watch(look, last_id=last_id)
        self._texts: list[str] = []

    async def next(self) -> tuple[str, Any, str]:
        """Return the next event: its kind, its data and its id."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                while not self._texts:
                    piece = (await anext(self.events)).decode()
                    self._texts = piece.removesuffix("\n\n").split("\n\n")
                text = self._texts.pop(0)
                parts = dict(line.split(": ", 1) for line in text.splitlines() if line)
                if parts.get("event", "clock") != "clock":
                    return parts["event"], json.loads(parts["data"]), parts.get("id", "")

    async def until(self, kind: str) -> tuple[list[tuple[str, Any]], str]:
        """Return what came before an event of a kind, and its id."""
        found = []
        while True:
            event, told, event_id = await self.next()
            if event == kind:
                return found, event_id
            found.append((event, told))


@contextlib.asynccontextmanager
async def telling(town: Town) -> AsyncIterator[EventStream]:
    task = asyncio.create_task(town.daemon._site.tell())
    try:
        yield town.daemon._site.stream
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_viewer_gets_the_present_then_changes_and_after_a_break_what_was_missed(
    town: Town,
) -> None:
    async with telling(town) as stream:
        async with asyncio.timeout(WITHIN_S):
            while "pbx1/kc" not in stream.keys("queue"):  # noqa: ASYNC110 - with a deadline.
                await asyncio.sleep(0.01)
        viewer = Viewer(stream, town, "vera", None)
        assert (await viewer.next())[0] == "reset"
        present, last_id = await viewer.until("present")
        kinds = {kind for kind, _ in present}
        assert kinds == {"queue", "line", "agent", "switch"}
        now = datetime.now(UTC)
        town.apply(*arrivals("kommunen", "1700000000.3", "kc", now))
        seen = [await viewer.next()]
        # A line may open or close in this very second.
        while seen[-1][0] != "queue":
            seen.append(await viewer.next())
        _, told, _ = seen[-1]
        assert (told["queue"], told["waiting"]) == ("kc", 2)
        await viewer.events.aclose()  # type: ignore[attr-defined]
        again = Viewer(stream, town, "vera", last_id)
        assert [(await again.next())[2] for _ in seen] == [event_id for _, _, event_id in seen]
        stranger = Viewer(stream, town, "vera", "deadbeef-1")
        assert (await stranger.next())[0] == "reset"
        scoped = Viewer(stream, town, "ava", None)
        present, _ = await scoped.until("present")
        assert {told["line"] for kind, told in present if kind == "line"} == {"avfall"}


async def test_what_today_has_come_to_is_told_when_it_is_read_though_nothing_happens(
    town: Town,
) -> None:
    store, now = town.daemon._store, datetime.now(UTC)
    await migrate(store.engine)
    call = a_recorded_call(arrived_at=now)
    await store.save_batch([replace(an_entry(), joined_at=now, answered_at=now), call])
    async with telling(town) as stream:
        async with asyncio.timeout(WITHIN_S):
            while "pbx1/kc" not in stream.keys("queue"):  # noqa: ASYNC110 - with a deadline.
                await asyncio.sleep(0.01)
        viewer = Viewer(stream, town, "vera", None)
        await viewer.until("present")
        await town.daemon._restore_day()
        kind, told, _ = await viewer.next()
        while (kind, told.get("queue")) != ("queue", "kc"):
            kind, told, _ = await viewer.next()
        assert told["counts"]["answered"] == 1


async def test_who_gets_other_rights_while_watching_comes_back_for_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.01)
    vera = Person(name="vera", grants=(Grant(role=Role.VIEWER),))
    lead = Person(name="vera", grants=(*vera.grants, Grant(role=Role.SUPERVISOR)))
    stream, present = EventStream(start="x", now=lambda: datetime.now(UTC)), [vera]
    watched = stream.watch(lambda: present[0], last_id=None)
    assert b"reset" in [await anext(watched) for _ in range(3)][1]
    present[0] = lead
    # The empty id lets a browser forget the last one, so that it gets the present, not the news.
    last = [part async for part in watched][-1]
    assert last.splitlines()[0] == b"id"


async def test_an_agent_who_logs_out_is_told_to_those_who_may_see_it(town: Town) -> None:
    async with telling(town) as stream:
        async with asyncio.timeout(WITHIN_S):
            while "pbx1/PJSIP/kim" not in stream.keys("agent"):  # noqa: ASYNC110 - with a deadline.
                await asyncio.sleep(0.01)
        vera, ava = (Viewer(stream, town, who, None) for who in ("vera", "ava"))
        for viewer in (vera, ava):
            await viewer.until("present")
        gone, later = datetime.now(UTC), datetime.now(UTC)
        queue, interface = QueueName("kc"), Interface("PJSIP/kim")
        town.apply(on.MemberRemoved(at=gone, system=PBX, queue=queue, interface=interface))
        before, _ = await vera.until("gone")
        assert {kind for kind, _ in before} == {"queue"}
        town.apply(a_member("va", "PJSIP/vilma", later, is_paused=True, pause_reason="Lunch"))
        async with asyncio.timeout(WITHIN_S):
            while (told := await ava.next())[0] != "agent":
                assert told[0] == "queue", "kim served no line of hers"
        assert told[1]["queues"][0]["pause_reason"] == "Lunch"


async def test_a_viewer_who_takes_nothing_is_let_go_and_the_others_get_all() -> None:
    stream = EventStream(start="x", now=lambda: datetime.now(UTC))
    vera = Person(name="vera", grants=(Grant(role=Role.VIEWER),))
    slow, quick = (stream.watch(lambda: vera, last_id=None) for _ in range(2))
    for viewer in (slow, quick):
        assert (await anext(viewer)).startswith(b"retry")
        assert b"reset" in await anext(viewer)
        assert b"present" in await anext(viewer)
    for number in range(VIEWER_EVENTS_MAX + 1):
        stream.publish("queue", "kc", str(number), deed=Deed.SEE_FLOOR, lines=None)
        assert f"data: {number}\n".encode() in await anext(quick)
    assert b"lagged" in await anext(slow)
    assert [part async for part in slow] == []
    assert (stream.lagged, stream.viewers) == (1, 1)
    assert not stream.publish("queue", "kc", str(number), deed=Deed.SEE_FLOOR, lines=None)


async def test_the_stream_is_served_and_ends_with_the_server(town: Town) -> None:
    serving = asyncio.create_task(town.daemon._site.serve())
    try:
        async with asyncio.timeout(WITHIN_S):
            await town.daemon._site.is_open.wait()
            bearer = {"authorization": f"Bearer {town.tokens['vera']}"}
            async with (
                httpx.AsyncClient(
                    base_url=town.daemon._site.place, headers=bearer, timeout=WITHIN_S
                ) as client,
                client.stream("GET", "/api/events") as answer,
            ):
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                chunks = answer.aiter_bytes()
                while b"event: present" not in await anext(chunks):
                    pass
                serving.cancel()
                assert [chunk async for chunk in chunks] == []
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def test_everybody_of_the_test_has_a_role() -> None:
    assert {role for role, _ in ROLES.values()} == {
        "guide",
        "viewer",
        "supervisor",
        "administrator",
    }
