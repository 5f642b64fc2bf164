"""Cases of real calls, handed over by the running daemon to a receiver that misbehaves.

The receiver keeps what came, knows a repeat by its key, and checks signatures by code of its own.
An hour away is as many tries as an hour has at the usual back-off; how long each waits is shown by
the sender's own clock in tests/integration/db/test_handover.py.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from itertools import accumulate, takewhile

import httpx
import pytest
import pytest_asyncio

from ivrd import config as ivrd_config
from ivrd.config.handover import DestinationConfig
from ivrd.core.ids import CallId
from ivrd.db import case_reads
from ivrd.db.case_reads import CaseFilter
from ivrd.db.connection import open_engine
from ivrd.handover.building import FIRST_DELAY
from ivrd.handover.signing import new_secret
from ivrd.retry import Backoff
from tests.e2e.scene import Caller, Scene, metrics, scene
from tests.e2e.towns import hosted
from tests.lab.case_systems import Json, Mood, Receiver
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.http_server import HttpServer, Manner, Reply
from tests.lab.municipality import ONE_REQUEST, REPOSITORY, Municipality
from tests.lab.phone import Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "ivrd_lead-of-the-lab"

DEPARTMENT = """
[[department]]
code = "teknisk"
name_sv = "Tekniska"
name_en = "Technical"
subject = [{ code = "vatten", name_sv = "Vatten", name_en = "Water", phone_code = "52" }]
"""

SETTLED_S_MAX = 60.0
"""Everything comes to an end within seconds; a busy machine may take longer."""


def tries_of_an_hour() -> int:
    """Return how often an hour's silence is met at most, at the usual back-off without jitter."""
    slowest_s = DestinationConfig.model_fields["slowest_s"].default
    delays = Backoff(lambda: 0.0, first_s=FIRST_DELAY.total_seconds(), slowest_s=slowest_s)
    hour_s = timedelta(hours=1).total_seconds()
    return 1 + len(list(takewhile(lambda at: at < hour_s, accumulate(delays))))


class Moods:
    """How the receiver answers: once each of a list, then always the same."""

    def __init__(self) -> None:
        """Begin content."""
        self.next: list[Reply] = []
        self.then: Mood = lambda _: None

    def __call__(self, number: int) -> Reply | None:
        """Answer one request."""
        return self.next.pop(0) if self.next else self.then(number)


@dataclass
class Office:
    """A municipality, and the case system that its cases go to."""

    town: Municipality
    server: HttpServer
    receiver: Receiver
    moods: Moods
    http: httpx.AsyncClient
    cases: dict[CallId, int] = field(default_factory=dict)
    """Those that were handed over, by call."""

    async def act(self, caller: Caller, do: str, **more: str) -> None:
        """Let the supervisor act on a caller's case."""
        number = self.cases[caller.call_id]
        answer = await self.http.post(f"/api/cases/{number}/acts", json={"do": do, **more})
        assert answer.status_code == httpx.codes.OK, answer.text

    async def find(self, callers: Sequence[Caller]) -> None:
        """Wait until these callers' cases have opened."""
        wanted = {caller.call_id for caller in callers}

        async def have_opened() -> bool:
            engine = open_engine(ivrd_config.load(self.town.config_path).database)
            try:
                async for case in case_reads.all_of(engine, CaseFilter()):
                    self.cases[case.call_id] = case.case_id
            finally:
                await engine.dispose()
            return wanted <= set(self.cases)

        await self.town.until(have_opened, what="the cases are there", within_s=SETTLED_S_MAX)

    async def asked(self, path: str, **query: str | list[str]) -> Json:
        """Return what the API answers."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        told: Json = answer.json()
        return told

    async def messages(self, *states: str) -> list[Json]:
        """Return the messages in these states, in the order in which they were written."""
        told = await self.asked("/api/handover/messages", state=list(states))
        found: list[Json] = told["messages"]
        return found

    async def figure(self, name: str) -> float:
        """Return one of the destination's figures."""
        figures = await metrics(self.town)
        return next(value for series, value in figures.items() if series.startswith(name))

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something that is at hand."""

        async def is_so() -> bool:
            return bool(condition())

        await self.town.until(is_so, what=what, within_s=SETTLED_S_MAX)

    async def all_is_sent(self) -> list[Json]:
        """Wait until no message waits, and return them all."""

        async def is_so() -> bool:
            return not await self.messages("waiting", "dead")

        await self.town.until(is_so, what="all is sent", within_s=SETTLED_S_MAX)
        return await self.messages("sent")

    def key_of(self, caller: Caller) -> str:
        """Return what a caller's case is called outside."""
        return f"{caller.call_id}/resolved-by-guide"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    secret_file = tmp_path_factory.mktemp("handover") / "secret"
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret := new_secret(), encoding="ascii")
    moods = Moods()
    receiver = Receiver([secret], mood=moods)
    async with HttpServer.start(receiver) as server:
        handover = (
            f'[[handover]]\nname = "tekniska"\nkind = "webhook"\nurl = "{server.url}/arenden"\n'
            f'secret_files = ["{secret_file}"]\nstatus_secret_files = ["{secret_file}"]\n'
            "timeout_s = 1\nslowest_s = 1\n"
        )
        access = (
            'anonymous_role = "viewer"\n[[access.token]]\nname = "lead"\nrole = "supervisor"\n'
            f'sha256 = "{sha256(TOKEN.encode()).hexdigest()}"\n'
        )
        plan = FloorPlan(
            desks=(Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.2)),),
            access=access,
            labels=DEPARTMENT + handover,
        )
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            hosted(plan) as town,
            httpx.AsyncClient(
                base_url=town.web, headers=headers, timeout=30.0, limits=ONE_REQUEST
            ) as http,
        ):
            yield Office(town=town, server=server, receiver=receiver, moods=moods, http=http)


async def handed_over(played: Scene, office: Office, count: int) -> list[Caller]:
    """Let citizens be helped, and hand their cases over; nobody waits for the case system."""
    callers = await asyncio.gather(*(played.ring() for _ in range(count)))
    await asyncio.gather(*(caller.gone() for caller in callers))
    await office.find(callers)
    for caller in callers:
        await office.act(caller, "label", code="vatten")
        await office.act(caller, "hand_over")
        await office.act(caller, "note", text="Vattenläcka")
    return callers


def assert_each_once_and_in_order(office: Office, sent: list[Json], *callers: Caller) -> None:
    """See that what the receiver keeps is what was sent: each key once, each case in order."""
    receiver = office.receiver
    assert sorted(receiver.keys) == sorted(message["key"] for message in sent)
    assert receiver.refused == []
    for caller in callers:
        versions = [m["version"] for m in sent if m["case_id"] == office.cases[caller.call_id]]
        told = [int(sequence) for sequence in receiver.order(office.key_of(caller))]
        assert told == versions == sorted(versions)


async def test_down_for_an_hour_then_500_then_lost_double_and_slow_answers(office: Office) -> None:
    receiver, town = office.receiver, office.town
    await office.server.stop()
    async with scene(town, is_orderly=False) as played:
        callers = await handed_over(played, office, 3)

        async def is_an_hour_later() -> bool:
            return await office.figure("ivrd_handover_failures_total") >= tries_of_an_hour()

        await town.until(is_an_hour_later, what="an hour of tries", within_s=SETTLED_S_MAX)
        assert receiver.count == 0
        assert len(await office.messages("waiting")) == 6
        assert await office.messages("dead") == [], "who is away has refused nothing"
        assert await office.figure("ivrd_handover_reached") == 0
        office.moods.next = [
            *[Reply(status=500)] * 2,
            Reply(manner=Manner.CUT),
            Reply(manner=Manner.SILENT),
            Reply(manner=Manner.TWICE),
            Reply(status=503, headers={"retry-after": "1"}),
            Reply(after_s=0.5),
            Reply(after_s=1.2),
        ]
        await office.server.resume()
        await office.until(lambda: receiver.count >= 2, "it answers, with 500")
        # Life goes on meanwhile.
        callers += await handed_over(played, office, 1)
        for caller in callers[:2]:
            await office.act(caller, "note", text="Tekniska har ringt")
        await office.until(lambda: not office.moods.next, "all troubles are over")
        sent = await office.all_is_sent()
    assert len(sent) == 10
    assert_each_once_and_in_order(office, sent, *callers)
    repeats = [key for key, arrivals in receiver.arrivals.items() if arrivals > 1]
    assert repeats, "the same key came again after its answer was lost"
    assert await office.figure("ivrd_handover_reached") == 1
    for caller in callers:
        number = office.cases[caller.call_id]
        case = (await office.asked(f"/api/cases/{number}"))["case"]
        assert (case["state"], case["external_id"]) == ("handed_over", f"K-{number}")


async def test_dead_letters_are_listed_and_sent_again_by_command_and_api(office: Office) -> None:
    receiver, town, moods = office.receiver, office.town, office.moods
    async with scene(town, is_orderly=False) as played:
        one, other = await handed_over(played, office, 2)
        await office.all_is_sent()
        moods.then = lambda _: Reply(status=422, body={"title": "Okänd kategori"})
        for caller, text in ((one, "Läckan är"), (other, "Ledningen är"), (one, "lagad")):
            await office.act(caller, "note", text=text)
        dead: list[Json] = []

        async def are_dead() -> bool:
            dead[:] = await office.messages("dead")
            return len(dead) == 2

        await town.until(are_dead, what="two are dead", within_s=SETTLED_S_MAX)
        assert [message["case_id"] for message in dead] == [
            office.cases[caller.call_id] for caller in (one, other)
        ]
        assert all("Okänd kategori" in message["last_error"] for message in dead)
        assert len(await office.messages("waiting")) == 1, "the case's next waits for it"
        arrived = len(receiver.kept)
        # What a person does works while ivrd is down too, and outlives its crash.
        await town.kill_daemon()
        listed = [json.loads(line) for line in await command(town, "list", "--state", "dead")]
        assert [message["key"] for message in listed] == [message["key"] for message in dead]
        await command(town, "resend", str(dead[0]["message_id"]), "--reason", "Kategorin finns")
        moods.then = lambda _: None
        await town.start_daemon()
        await office.until(lambda: len(receiver.kept) == arrived + 2, "the case has gone on")
        [left] = await office.messages("dead")
        answer = await office.http.post(
            f"/api/handover/messages/{left['message_id']}/resend", json={"reason": "Den med"}
        )
        assert answer.status_code == httpx.codes.NO_CONTENT
        sent = await office.all_is_sent()
    assert_each_once_and_in_order(office, sent, one, other)
    assert {message["key"] for message in dead} <= set(receiver.keys)


async def command(town: Municipality, *words: str) -> list[str]:
    """Return the lines that `ivrd handover ...` prints."""
    more = ["--json"] if words[0] == "list" else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivrd", "handover", *words, *more, "-c", town.config_path,
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), SETTLED_S_MAX)
    assert process.returncode == 0
    return output.decode().splitlines()
