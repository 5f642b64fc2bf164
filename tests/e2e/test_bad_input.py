"""What must not disturb: hostile names, port scans, wrong secrets, missing rights, wrong names."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.scene import metrics, scene, troubles
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import REPOSITORY, Municipality, desks
from tests.lab.phone import Ring, Talk
from tests.lab.ports import LOOPBACK

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Desk(name="guide", queue="kc", answer=Ring(), talk=Talk(s=0.1))

town = town_fixture(FloorPlan(desks=desks(6, "kc", prefix="guide", like=GUIDE)))

GUIDES = re.compile(r"guide\d")

RESOLVED = "stayed kc | kc answered by guide | resolved | case for guide"

INJECTED = Path("/ivrd-lab-was-injected")

NAMES = {
    "AMI syntax": "x%0d%0aEvent: Hangup%0d%0aUniqueid: 1",
    "dialplan syntax": f"${{SHELL(touch {INJECTED})}},1,Hangup()|${{EXTEN}}",
    "quotes and commas": 'a"b,c;d\\e=f&g',
    "Swedish": "Åsa Öberg",
    "broken UTF-8": "\udcff\udcfe\udcc3 kaputt",
    "long": "ö" * 300,
}

NUMBERS = {
    "AMI frame": "07017406%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0aPrivilege%3a%20system%2call",
    "AMI header": "07017406%0d%0aQueue%3a%20vaxel%0d%0aUniqueid%3a%201",
    "dialplan syntax": f"$%7bSHELL(touch%20{INJECTED})%7d",
    "hidden": "anonymous",
    "empty": "%20",
}


async def test_a_hostile_name_is_only_a_name(town: Municipality) -> None:
    async with nothing_injected(town), scene(town) as played:
        callers = await asyncio.gather(*(played.ring(name=name) for name in NAMES.values()))
        await asyncio.gather(*(caller.gone() for caller in callers))
    told = {kind: played.told(each) for kind, each in zip(NAMES, callers, strict=True)}
    assert {kind: GUIDES.sub("guide", line) for kind, line in told.items()} == dict.fromkeys(
        NAMES, RESOLVED
    )


async def test_a_hostile_number_is_only_a_number(town: Municipality) -> None:
    async with nothing_injected(town), scene(town) as played:
        callers = [await played.ring_as(each, is_only_one=True) for each in NUMBERS.values()]
        await asyncio.gather(*(caller.gone() for caller in callers))
    told = {kind: played.told(each) for kind, each in zip(NUMBERS, callers, strict=True)}
    assert {kind: GUIDES.sub("guide", line) for kind, line in told.items()} == dict.fromkeys(
        NUMBERS, RESOLVED
    )


@contextlib.asynccontextmanager
async def nothing_injected(town: Municipality) -> AsyncIterator[None]:
    """See that nothing was carried out, and that the AMI connection stood, without a resync."""
    names = ("connects", "snapshots")
    before = await metrics(town)
    yield
    after = await metrics(town)
    for name in names:
        series = f'ivrd_ami_{name}_total{{system="pbx1"}}'
        assert after[series] == before[series]
    assert not town.pbx.asterisk.outside(INJECTED).exists()


async def test_a_scanned_agi_port_serves_on(town: Municipality) -> None:
    port = agi_port(town)
    async with contextlib.AsyncExitStack() as stack:
        # Half-open ones stay until the end.
        for _ in range(20):
            await stack.enter_async_context(connected(port))
        async with scene(town) as played:
            caller = await played.ring()
            await asyncio.gather(*(scan(port, request) for request in SCANS * 5))
            await caller.gone()
    assert GUIDES.sub("guide", played.told(caller)) == RESOLVED
    figures = await metrics(town)
    assert figures['ivrd_agi_sessions_total{end="garbage"}'] >= 15
    assert figures['ivrd_agi_sessions_total{end="probed"}'] >= 5


SCANS = (
    b"",
    b"GET / HTTP/1.0\r\n\r\n",
    bytes(range(256)) * 40,
    b"agi_network: yes\n" + b"agi_x: y\n" * 10_000 + b"\n",
)


def agi_port(town: Municipality) -> int:
    text = town.config_path.read_text(encoding="utf-8")
    return int(text.partition("[agi]\nport = ")[2].partition("\n")[0])


@contextlib.asynccontextmanager
async def connected(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def scan(port: int, request: bytes) -> None:
    """Send garbage and see the connection closed by the other side."""
    async with connected(port) as (reader, writer):
        with contextlib.suppress(OSError):
            writer.write(request)
            await writer.drain()
            if not request:
                writer.write_eof()
            async with asyncio.timeout(30):
                await reader.read()


async def faults(town: Municipality) -> str:
    """Return what /readyz says."""
    async with httpx.AsyncClient(base_url=town.web, timeout=30) as client:
        try:
            answer = await client.get("/readyz")
        except httpx.TransportError:
            return ""
    return "" if answer.is_success else answer.text


@contextlib.asynccontextmanager
async def restarted(town: Municipality) -> AsyncIterator[None]:
    """Run the daemon anew with what was changed; at the end there is none."""
    if town.daemon is not None:
        await town.stop_daemon()
    await town.start_daemon(is_ready=False)
    try:
        yield
    finally:
        await town.stop_daemon()


async def check_fault(town: Municipality, word: str) -> None:
    """See that log and /readyz name a fault, and that callers are served all the same."""

    async def is_told() -> bool:
        return word in await faults(town)

    await town.until(is_told, what=f"/readyz names {word}", within_s=60)
    assert any(word in line for line in troubles(town))
    before = stays_with_guides(town)
    line = await town.ring(town.phones["guide1"], caller="0701740606")
    await line.answered(30)

    async def is_served() -> bool:
        return stays_with_guides(town) > before

    await town.until(is_served, what="the static menu leads to the guides")
    await line.hang_up()


def stays_with_guides(town: Municipality) -> int:
    """Return how many times somebody came into the guides' queue, by Asterisk's journal."""
    return sum(stay.queue == "kc" for story in town.journal().values() for stay in story.stays)


async def test_a_wrong_secret_is_named(town: Municipality) -> None:
    secret_path = town.directory / "ami-secret"
    right = secret_path.read_text(encoding="utf-8")
    secret_path.write_text("wrong-secret-7\n", encoding="utf-8")
    try:
        async with restarted(town):
            await check_fault(town, "check secret, permit and deny")
        assert "wrong-secret-7" not in town.daemon_log.read_text(encoding="utf-8")
    finally:
        secret_path.write_text(right, encoding="utf-8")


async def test_a_missing_right_is_named(town: Municipality) -> None:
    manager = town.pbx.etc_dir / "manager.conf"
    right = manager.read_text(encoding="utf-8")
    without = right.replace("write = system,call,reporting", "write = system,reporting")
    assert without != right
    manager.write_text(without, encoding="utf-8")
    await town.pbx.cli("manager reload")
    try:
        async with restarted(town):
            await check_fault(town, "write=call")
    finally:
        manager.write_text(right, encoding="utf-8")
        await town.pbx.cli("manager reload")


async def test_an_unknown_queue_is_named(town: Municipality) -> None:
    path = town.directory / "wrong.toml"
    text = town.config_path.read_text(encoding="utf-8")
    path.write_text(text.replace('stay_choice = "kc"', 'stay_choice = "kd"'), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivrd", "check", "--config", str(path)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert "kd" in said.decode()
    assert "kc" in said.decode(), "the nearest known name"
