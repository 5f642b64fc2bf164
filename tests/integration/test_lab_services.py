"""The lab's broker, database and prompts."""

import asyncio
import wave
from pathlib import Path

import aiomqtt
import asyncpg
import pytest

from tests.lab.mosquitto import Mosquitto
from tests.lab.ports import LOOPBACK
from tests.lab.postgres import Postgres
from tests.lab.processes import is_gone
from tests.lab.prompts import Prompt, make_prompts

SOON_S = 60.0


async def test_broker_delivers_and_is_gone_at_the_end() -> None:
    async with Mosquitto.start() as broker:
        async with aiomqtt.Client(broker.host, broker.port, timeout=SOON_S) as client:
            await client.subscribe("lab/#")
            await client.publish("lab/greeting", b"hej", qos=1)
            async with asyncio.timeout(SOON_S):
                message = await anext(aiter(client.messages))
            assert message.payload == b"hej"
        port = broker.port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, port)


async def test_two_brokers_run_side_by_side() -> None:
    async with Mosquitto.start() as one, Mosquitto.start() as two:
        assert one.port != two.port
        await one.kill()
        async with aiomqtt.Client(two.host, two.port, timeout=SOON_S):
            await one.resume()
        async with aiomqtt.Client(one.host, one.port, timeout=SOON_S):
            pass


async def test_database_keeps_what_was_written_over_a_crash() -> None:
    async with Postgres.start() as server:
        url = await server.create_database("cases")
        assert url == server.url("cases")
        plain = server.url("cases", scheme="postgresql")
        connection = await asyncpg.connect(plain)
        await connection.execute("CREATE TABLE kept (number integer)")
        await connection.execute("INSERT INTO kept VALUES (7)")
        await connection.close()
        await server.kill()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, server.port)
        await server.resume()
        connection = await asyncpg.connect(plain)
        assert await connection.fetchval("SELECT number FROM kept") == 7
        await connection.close()
        pid = server.pid
    assert is_gone(pid)


async def test_database_refuses_a_wrong_password() -> None:
    async with Postgres.start() as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=LOOPBACK,
                port=server.port,
                user=server.user,
                password="wrong",
                database="ivrd",
            )


async def test_prompts_are_telephone_sound_by_language_and_name(tmp_path: Path) -> None:
    prompts = {
        "ivrd/menu": Prompt(language="sv", text="Tryck ett för växeln."),
        "ivrd/closed": Prompt(language="en", text="We are closed."),
    }
    await make_prompts(prompts, tmp_path)
    for path in (tmp_path / "sv/ivrd/menu.wav", tmp_path / "en/ivrd/closed.wav"):
        with wave.open(str(path)) as sound:
            assert sound.getparams()[:3] == (1, 2, 8000)
            assert sound.getnframes() > 4000
