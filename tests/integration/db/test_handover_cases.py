"""From a guide's act to the case system and back, through the desk where everybody acts."""

import asyncio
import contextlib
import json
import tomllib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.case_desk import CaseConflict, CaseDesk
from ivrd.config import HandoverConfig, check
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_messages import MessageState, StatusFaultKind
from ivrd.core.case_record import CaseState, HandOverCase, Note, Reopen, TellStatus
from ivrd.core.labels import Department, LabelTree, Subject
from ivrd.db.case_message_desk import MessageDesk
from ivrd.db.store import Store
from ivrd.handover.office import HandoverOffice
from ivrd.handover.signing import new_secret, sign
from tests.integration.db.handover_samples import SECRET, a_case_key, all_are
from tests.integration.db.samples import AT, WITHIN_S, a_case
from tests.lab.case_systems import Receiver, SupportManagementLab
from tests.lab.http_server import HttpServer
from tests.unit.test_config import MINIMAL

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANNA = Actor(who="Anna Åkesson", origin=Origin.PAGE)
STATUS_SECRET = new_secret()
SECRETS = {"secrets": (SecretStr(SECRET),), "status_secrets": (SecretStr(STATUS_SECRET),)}
LEAK = Subject(code="va-lacka", name_sv="Vattenläcka", name_en="Water leak", phone_code="")
SCHOOL = Subject(code="skolval", name_sv="Skolval", name_en="School choice", phone_code="")
LABELS = LabelTree(
    (
        Department(code="teknisk", name_sv="Teknik", name_en="Technical", subjects=(LEAK,)),
        Department(code="utbildning", name_sv="Skola", name_en="Education", subjects=(SCHOOL,)),
    )
)


class Hall:
    """A store with its desk and everything of handing over, as the daemon has them."""

    def __init__(self, engine: AsyncEngine, *tables: Mapping[str, object]) -> None:
        self.engine = engine
        self.store = Store(engine)
        self.cases = CaseDesk(
            self.store,
            now=lambda: AT + timedelta(minutes=5),
            labels=LABELS,
            record=lambda _: None,
        )
        config = check(tomllib.loads(MINIMAL) | {"handover": list(tables)})
        known = tuple(with_secrets(one) for one in config.handover)
        self.office = HandoverOffice(
            config.model_copy(update={"handover": known}), store=self.store, cases=self.cases
        )

    async def a_labelled_case(self, call: int = 1, label: str = "va-lacka") -> int:
        saved = await self.store.save_batch([a_case(call)])
        case_id = next(iter(saved.case_ids.values()))
        await self.cases.label(case_id, label, ANNA)
        return case_id

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.office.run(), name="office")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def ask(self) -> None:
        """Ask for statuses, as is done every so often."""
        [poll] = self.office._polls.values()
        await poll.ask(datetime.now(UTC))

    async def push(
        self, body: object, *, secret: str = STATUS_SECRET, key: str = "m1"
    ) -> StatusFaultKind | None:
        now = datetime.now(UTC)
        sent = json.dumps(body).encode()
        headers = sign(key, now, sent, [secret])
        fault = await self.office.statuses.take("tekniska", headers, sent, now=now)
        return None if fault is None else fault.kind


def with_secrets(table: HandoverConfig) -> HandoverConfig:
    known = {name: value for name, value in SECRETS.items() if name in type(table).model_fields}
    return table.model_copy(update=known)


def a_webhook_table(server: HttpServer, **more: object) -> dict[str, object]:
    url = f"{server.url}/arenden"
    table = {"name": "tekniska", "kind": "webhook", "url": url, "secret_files": ["x"]}
    return {**table, "departments": ["teknisk"], **more}


def an_archive_table(directory: Path) -> dict[str, object]:
    return {"name": "arkiv", "kind": "file", "directory": str(directory)}


def files_in(directory: Path) -> int:
    return len(list(directory.glob("case-*.json")))


async def until(hall: Hall, case_id: int, **wanted: object) -> None:
    """Wait until a case's fields are so."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            case = (await hall.cases.case(case_id)).case
            if all(getattr(case, name) == value for name, value in wanted.items()):
                return
            await asyncio.sleep(0.02)


async def test_a_case_is_told_from_its_hand_over_to_its_end(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    """And not before, nor to whom it does not concern; what they call it comes back to us."""
    receiver = Receiver([SECRET])
    async with HttpServer.start(receiver) as server:
        hall = Hall(engine, a_webhook_table(server), an_archive_table(tmp_path))
        async with hall.running():
            case_id = await hall.a_labelled_case(1)
            other_id = await hall.a_labelled_case(2, "skolval")
            await hall.cases.act(case_id, Note(text="Vattenläcka vid Storgatan"), ANNA)
            await hall.cases.act(case_id, HandOverCase(), ANNA)
            await hall.cases.act(other_id, HandOverCase(), ANNA)
            await until(hall, case_id, external_id=f"K-{case_id}", external_status="received")
            await hall.cases.act(case_id, Note(text="Nu sprutar det"), ANNA)
            await hall.cases.act(case_id, Reopen(), ANNA)
            await hall.cases.act(case_id, Note(text="Bara för oss"), ANNA)
            await all_are(engine, MessageState.SENT)
    first, noted, reopened = receiver.kept
    assert [event["type"] for event in receiver.kept] == [
        "ivrd.case.handed_over",
        "ivrd.case.noted",
        "ivrd.case.reopened",
    ]
    assert {event["subject"] for event in receiver.kept} == {a_case_key(1)}
    told: Any = first["data"]["case"]
    assert (told["department"], told["label"], told["state"]) == (
        "teknisk",
        "va-lacka",
        "handed_over",
    )
    assert told["note"] == "Vattenläcka vid Storgatan"
    assert noted["data"]["case"]["note"] == "Nu sprutar det"
    assert noted["data"]["change"] | {"at": ""} == {
        "kind": "noted",
        "version": noted["data"]["change"]["version"],
        "at": "",
        "who": "Anna Åkesson",
        "from_where": "page",
        "fields": ["note"],
    }
    assert reopened["data"]["case"]["external_id"] == f"K-{case_id}"
    assert files_in(tmp_path) == 4, "the archive hears of both cases"
    assert not any("caller" in name for name in told)


async def test_a_change_that_comes_to_nothing_tells_nobody(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    hall = Hall(engine, an_archive_table(tmp_path))
    case_id = await hall.a_labelled_case()
    with pytest.raises(CaseConflict):
        await hall.cases.act(case_id, HandOverCase(), ANNA, expected_version=1)
    await hall.cases.act(case_id, HandOverCase(), ANNA, act_id="one")
    await hall.cases.act(case_id, HandOverCase(), ANNA, act_id="one")

    async def refuse(*_: object) -> None:
        raise RuntimeError("the transaction fails after the message was written")

    hall.store.change_hooks.append(refuse)
    with pytest.raises(RuntimeError):
        await hall.cases.act(case_id, Note(text="Syns aldrig"), ANNA)
    [message] = await MessageDesk(engine).messages()
    assert (message.kind, message.case_id) == ("handed_over", case_id)
    assert (await hall.cases.case(case_id)).case.note == ""


async def test_a_status_that_is_pushed_closes_the_case_once_by_the_systems_name(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    receiver = Receiver([SECRET])
    async with HttpServer.start(receiver) as server:
        hall = Hall(engine, a_webhook_table(server), an_archive_table(tmp_path))
        async with hall.running():
            case_id = await hall.a_labelled_case()
            await hall.cases.act(case_id, HandOverCase(), ANNA)
            await until(hall, case_id, external_status="received")
            told = {"case": case_id, "status": "Pågår", "external_id": "D 17"}
            assert await hall.push(told) is None
            told = {"case": a_case_key(1), "status": "Åtgärdat", "is_closed": True}
            for key in ("m2", "m2", "m3"):
                assert await hall.push({"specversion": "1.0", "data": told}, key=key) is None
            await all_are(engine, MessageState.SENT)
    history = await hall.cases.case(case_id)
    assert history.case.state is CaseState.CLOSED
    assert (history.case.external_id, history.case.external_status) == ("D 17", "Åtgärdat")
    theirs = [change for change in history.changes if change.by.who == "tekniska"]
    assert [change.what for change in theirs] == [
        "tell_status",
        "tell_status",
        "tell_status",
        "close",
    ]
    assert {change.by.origin for change in theirs} == {Origin.CASE_SYSTEM}
    assert [event["type"] for event in receiver.kept] == ["ivrd.case.handed_over"]
    assert files_in(tmp_path) == 2, "the archive hears that it was closed"


async def test_a_status_that_comes_late_overwrites_no_later_one(engine: AsyncEngine) -> None:
    async with HttpServer.start(Receiver([SECRET])) as server:
        hall = Hall(engine, a_webhook_table(server))
        case_id = await hall.a_labelled_case()
        await hall.cases.act(case_id, HandOverCase(), ANNA)

        async def push(
            key: str, status: str, at: datetime, **more: object
        ) -> StatusFaultKind | None:
            told = {"case": case_id, "status": status, **more}
            return await hall.push(
                {"specversion": "1.0", "time": at.isoformat(), "data": told}, key=key
            )

        one, two, three = (AT + timedelta(minutes=minute) for minute in (1, 2, 3))
        assert await push("m2", "Återöppnat", two) is None
        assert await push("m1", "Åtgärdat", one, is_closed=True) is None
        told = (await hall.cases.case(case_id)).case
        assert (told.external_status, told.state) == ("Återöppnat", CaseState.HANDED_OVER)
        assert await push("m3", "Återöppnat", three) is None
        assert await push("m4", "Vilar", two + timedelta(seconds=1)) is None
        # Whoever does not say when is taken as it comes.
        assert await hall.push({"case": case_id, "status": "Pågår"}, key="m5") is None
        told = (await hall.cases.case(case_id)).case
        assert (told.external_status, told.external_status_at) == ("Pågår", three)
        # The core has the last word, for two that come at once.
        late = TellStatus(status="Vilar", said_at=two)
        assert (await hall.cases.act(case_id, late, ANNA)).external_status == "Pågår"
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for at in ("2026-03-02T10:00:00", "i går", 17, tomorrow):
            body = {"case": case_id, "status": "x", "at": at}
            assert await hall.push(body, key="m6") is StatusFaultKind.MISUNDERSTOOD


async def test_a_status_of_somebody_else_changes_nothing(engine: AsyncEngine) -> None:
    async with HttpServer.start(Receiver([SECRET])) as server:
        hall = Hall(engine, a_webhook_table(server))
        not_theirs = await hall.a_labelled_case(2, "skolval")
        await hall.cases.act(not_theirs, HandOverCase(), ANNA)
        right = {"case": not_theirs, "status": "Klart", "is_closed": True}
        for body, secret, kind in (
            (right, STATUS_SECRET, StatusFaultKind.UNKNOWN),
            (right, new_secret(), StatusFaultKind.UNSIGNED),
            (right, SECRET, StatusFaultKind.UNSIGNED),
            ({"status": "Klart"}, STATUS_SECRET, StatusFaultKind.MISUNDERSTOOD),
            ({"case": True, "status": "x"}, STATUS_SECRET, StatusFaultKind.MISUNDERSTOOD),
            ({"case": 2**70, "status": "x"}, STATUS_SECRET, StatusFaultKind.MISUNDERSTOOD),
            ({"case": 1, "status": "a\nb"}, STATUS_SECRET, StatusFaultKind.MISUNDERSTOOD),
            ({"case": 1, "status": "x" * 201}, STATUS_SECRET, StatusFaultKind.MISUNDERSTOOD),
            ([], STATUS_SECRET, StatusFaultKind.MISUNDERSTOOD),
        ):
            assert await hall.push(body, secret=secret) is kind
        fault = await hall.office.statuses.take("nobody", {}, b"", now=AT)
        assert fault is not None
        assert fault.because == "no statuses are taken from there"
    assert hall.office.statuses.refused == 10
    assert (await hall.cases.case(not_theirs)).case.external_status is None


async def test_an_errand_that_the_department_solves_closes_our_case(engine: AsyncEngine) -> None:
    lab = SupportManagementLab(needs_token=False)
    async with HttpServer.start(lab) as server:
        errands = {
            "name": "kontaktcenter",
            "kind": "support_management",
            "url": server.url,
            "municipality_id": "2281",
            "namespace": "CONTACTCENTER",
            "classification": {"category": "OTHER", "type": "OTHER"},
            "poll_s": 86_400,
        }
        hall = Hall(engine, errands)
        async with hall.running():
            case_id = await hall.a_labelled_case()
            await hall.cases.act(case_id, HandOverCase(), ANNA)
            await until(hall, case_id, external_status="received")
            errand = lab.errand_of(a_case_key(1))
            assert errand["title"] == "Vattenläcka"
            lab.touch(errand["id"], status="ONGOING")
            await hall.ask()
            await until(hall, case_id, external_status="ONGOING", state=CaseState.HANDED_OVER)
            lab.touch(errand["id"], status="SOLVED")
            await hall.ask()
            await until(hall, case_id, external_status="SOLVED", state=CaseState.CLOSED)
            version = (await hall.cases.case(case_id)).case.version
            await hall.ask()
    assert (await hall.cases.case(case_id)).case.version == version, "heard twice, told once"
    assert (lab.posts, lab.patches) == (1, 0)
