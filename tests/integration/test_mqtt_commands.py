"""Commands over a real broker with names, passwords and TLS, and what the routes make of them."""

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import aiomqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI, Request
from pydantic import SecretStr

from ivrd.access import Deed, Person
from ivrd.access.book import AccessBook
from ivrd.access.sessions import Sessions
from ivrd.config import AccessConfig, MqttConfig
from ivrd.core.ids import SystemName
from ivrd.mqtt import Publisher, Take
from ivrd.web.bridge import Bridge
from ivrd.web.guard import Guard, origin_of, person_with
from ivrd.web.problems import add_problems
from tests.lab.mosquitto import Mosquitto
from tests.lab.ports import LOOPBACK

WITHIN_S = 60.0

TOKENS = {"anna": "supervisor", "bo": "viewer"}

PBX = SystemName("pbx1")


def token_of(name: str) -> str:
    return f"ivrd_{name}-of-the-lab"


class Desk:
    """An application of one route, which counts."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, str]] = []
        self.app = FastAPI()
        access = AccessConfig.model_validate(
            {
                "token": [
                    {
                        "name": name,
                        "role": role,
                        "sha256": hashlib.sha256(token_of(name).encode()).hexdigest(),
                    }
                    for name, role in TOKENS.items()
                ]
            }
        )
        book = AccessBook(access, zone="Europe/Stockholm", now=lambda: datetime.now(UTC))
        self.app.state.guard = Guard(book, Sessions(b"k" * 32))
        add_problems(self.app)

        @self.app.post("/api/lines/{line}/close")
        async def close(
            line: str,
            body: dict[str, Any],
            request: Request,
            person: Annotated[Person, person_with(Deed.SWITCH_LINE)],
        ) -> dict[str, str]:
            if line == "broken":
                raise RuntimeError("a fault of ours")
            self.done.append((person.name, line, origin_of(request)))
            return {"text": f"{line}: {body['reason']}"}


class Talk:
    """Somebody at the broker who asks, and hears everything."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.heard: dict[str, list[tuple[str, bool]]] = {}
        self._news = asyncio.Event()

    async def listen(self) -> None:
        await self._client.subscribe("ivrd/#", qos=1)
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            told = (message.payload.decode("utf-8", "replace"), message.retain)
            self.heard.setdefault(str(message.topic), []).append(told)
            self._news.set()

    async def say(self, payload: str | bytes, *, retain: bool = False) -> None:
        await self._client.publish("ivrd/command", payload, qos=1, retain=retain)

    async def told(self, topic: str, count: int = 1) -> None:
        async with asyncio.timeout(WITHIN_S):
            while len(self.heard.get(topic, [])) < count:
                self._news.clear()
                await self._news.wait()

    async def hear(self, topic: str, count: int = 1) -> list[Any]:
        await self.told(topic, count)
        return [json.loads(text) for text, _ in self.heard[topic]]


def certificates(directory: Path) -> Path:
    """Make a certificate of the broker, which vouches for itself; return its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker of the lab")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "broker.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "broker.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextlib.asynccontextmanager
async def talking(
    directory: Path, desk: Desk, take: Take | None = None
) -> AsyncIterator[tuple[Talk, Publisher]]:
    """Run a broker with TLS and passwords, ivrd's side, and somebody who asks."""
    ca = certificates(directory)
    passwords = directory / "passwords"
    passwords.touch()
    for name in ("ivrd", "guest"):
        command = ["mosquitto_passwd", "-b", str(passwords), name, f"{name}-password"]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    more = (
        f"allow_anonymous false\npassword_file {passwords}\n"
        f"certfile {ca}\nkeyfile {directory / 'broker.key'}\n"
    )
    async with Mosquitto.start(more=more) as broker:
        config = MqttConfig(
            port=broker.port,
            username="ivrd",
            password=SecretStr("ivrd-password"),
            tls_ca_file=ca,
        )
        publisher = Publisher(config, systems=[PBX], status=lambda *_: None)
        publisher.take_commands(take or Bridge(desk.app).take)
        tls = aiomqtt.TLSParameters(ca_certs=str(ca))
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            username="guest",
            password="guest-password",
            tls_params=tls,
            timeout=WITHIN_S,
        ) as client:
            talk = Talk(client)
            tasks = [asyncio.ensure_future(work) for work in (talk.listen(), publisher.run())]
            try:
                await talk.told("ivrd/pbx1/availability")
                yield talk, publisher
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


def command(number: str, who: str = "anna", line: str = "kommunen", **more: object) -> str:
    wish = {"id": number, "token": token_of(who), "do": f"lines/{line}/close"}
    return json.dumps({**wish, "body": {"reason": "Läcka"}, **more})


async def test_a_command_is_carried_out_once_and_answered(tmp_path: Path) -> None:
    desk = Desk()
    async with talking(tmp_path, desk) as (talk, _):
        for _ in range(2):  # A broker may deliver a message twice.
            await talk.say(command("one"))
        answers = await talk.hear("ivrd/reply/one", 2)
        assert answers == 2 * [{"id": "one", "status": 200, "body": {"text": "kommunen: Läcka"}}]
        assert desk.done == [("anna", "kommunen", "mqtt")]
        assert [is_retained for _, is_retained in talk.heard["ivrd/reply/one"]] == [False, False]


async def test_nobody_acts_without_the_right_to(tmp_path: Path) -> None:
    desk = Desk()
    async with talking(tmp_path, desk) as (talk, _):
        await talk.say(command("viewer", "bo"))
        await talk.say(command("nobody", "eve"))
        await talk.say(command("elsewhere", do="../metrics"))
        await talk.say(command("unknown", do="lines/kommunen/paint"))
        for number, status in (
            ("viewer", 403),
            ("nobody", 401),
            ("elsewhere", 404),
            ("unknown", 404),
        ):
            [answer] = await talk.hear(f"ivrd/reply/{number}")
            assert answer["status"] == status, answer
    assert desk.done == []


NO_COMMANDS = (
    b"",
    b"\xff",
    b"[]",
    b"{",
    b"{}",
    b'{"id": "#", "token": "x", "do": "a/b"}',
    b"x" * 20_000,
)


async def test_what_is_no_command_disturbs_nobody(tmp_path: Path) -> None:
    desk = Desk()
    async with talking(tmp_path, desk) as (talk, _):
        for payload in NO_COMMANDS:
            await talk.say(payload)
        await talk.say(command("broken", line="broken"))
        await talk.say(command("next"))
        assert (await talk.hear("ivrd/reply/broken"))[0]["status"] == 500
        assert (await talk.hear("ivrd/reply/next"))[0]["status"] == 200
    assert len(desk.done) == 1


async def test_a_command_that_the_broker_kept_is_too_old_to_be_obeyed(tmp_path: Path) -> None:
    desk = Desk()
    async with talking(tmp_path, desk) as (talk, publisher):
        await talk.say(command("kept"), retain=True)
        await talk.hear("ivrd/reply/kept")
        other = Publisher(publisher.config, systems=[PBX], status=lambda *_: None)
        taken: list[bytes] = []

        async def take(payload: bytes) -> None:
            taken.append(payload)

        other.take_commands(take)
        running = asyncio.ensure_future(other.run())
        try:
            await talk.hear("ivrd/reply/kept")
            await talk.say(command("fresh"))
            async with asyncio.timeout(WITHIN_S):
                while not taken:
                    await talk.say(command("fresh"))
                    await asyncio.sleep(0.1)
        finally:
            running.cancel()
            await asyncio.wait([running])
        assert {json.loads(each)["id"] for each in taken} == {"fresh"}


async def test_an_act_under_way_is_not_torn_when_the_broker_is_lost(tmp_path: Path) -> None:
    begun: list[bytes] = []
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def take(payload: bytes) -> tuple[str, str]:
        begun.append(payload)
        has_begun.set()
        await may_end.wait()
        return "slow", "{}"

    async with talking(tmp_path, Desk(), take) as (talk, publisher):
        await talk.say(command("slow"))
        async with asyncio.timeout(WITHIN_S):
            await has_begun.wait()
        config, lives = publisher.config, talk.heard["ivrd/pbx1/availability"]
        known = len(lives)
        # Whoever comes with our name takes our place at the broker, until ivrd takes it back.
        with contextlib.suppress(aiomqtt.MqttError):
            async with aiomqtt.Client(
                config.host,
                config.port,
                username="ivrd",
                password="ivrd-password",
                identifier="ivrd-ivrd-pbx1",
                tls_params=aiomqtt.TLSParameters(ca_certs=str(config.tls_ca_file)),
                timeout=WITHIN_S,
            ):
                pass
        await talk.told("ivrd/pbx1/availability", known + 1)
        may_end.set()
        assert await talk.hear("ivrd/reply/slow") == [{}]
    assert len(begun) == 1


async def test_a_line_is_told_when_it_changes(tmp_path: Path) -> None:
    async with talking(tmp_path, Desk()) as (talk, publisher):
        publisher.publish_state("line/kommunen/status", '{"state": "open"}')
        assert await talk.hear("ivrd/line/kommunen/status") == [{"state": "open"}]
        publisher.publish_state("line/kommunen/status", '{"state": "open"}')
        publisher.publish_state("line/kommunen/status", '{"state": "closed"}')
        assert (await talk.hear("ivrd/line/kommunen/status", 2))[1] == {"state": "closed"}
