"""Live switches against a real Asterisk: its database says what was switched, whoever was away."""

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from ivrd import switches
from ivrd.ami.client import AmiClient
from ivrd.ami.database import AsteriskDatabase
from ivrd.ami.surroundings import Deadlines
from ivrd.cli import cli
from ivrd.clock import AsteriskClock
from ivrd.core.switches import (
    ActOutcome,
    LineForced,
    LineReleased,
    NoticeOff,
    NoticeOn,
    Origin,
    Stand,
    Switch,
    SwitchKind,
)
from ivrd.errors import PeerRefused, RightMissing
from ivrd.retry import Backoff
from tests.integration.test_ami_asterisk import Settings
from tests.lab.pbx import Pbx, PbxPlan
from tests.lab.processes import POLL_S
from tests.unit.boards import ANNA, EPOCH, PBX1, UNTIL, Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_S = 60.0

PATIENT = Deadlines(
    login_s=SOON_S, booted_s=SOON_S, action_s=SOON_S, ping_s=SOON_S, list_s=SOON_S, pulse_s=0.2
)

ON = NoticeOn(notice="driftstorning", until=UNTIL, reason="Vattenläcka")
CLOSED = LineForced(line="kommunen", state=Stand.CLOSED, until=UNTIL, reason="Utrymning")
LINE = Switch(kind=SwitchKind.LINE, name="kommunen")

USERS = """[ivrd]
secret = sesame
read = system,call,agent,user
write = system,call,reporting

[older]
secret = sesame
read = system,call,agent,user
write = call,reporting
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    async with Pbx.start(PbxPlan(manager_text=USERS)) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def bench(pbx: Pbx, tmp_path: Path) -> Bench:
    for family in ("ivrd-notice", "ivrd-line", "ivrd-notice-act", "ivrd-line-act"):
        await pbx.cli(f"database deltree {family}")
    return Bench(tmp_path)


@contextlib.asynccontextmanager
async def connected(pbx: Pbx, bench: Bench, username: str = "ivrd") -> AsyncIterator[AmiClient]:
    client = AmiClient(
        Settings(pbx.ami_port, username, "sesame"),
        lambda event: None,
        AsteriskClock(),
        deadlines=PATIENT,
        backoff=Backoff(lambda: 0.0, first_s=0.05, slowest_s=0.1),
        keep_database=partial(bench.board.keep, PBX1),
    )
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: client.is_connected)
        yield client
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - a condition of many parts, with a deadline.
            await asyncio.sleep(POLL_S)


async def until_so(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON_S):
        while not await condition():  # noqa: ASYNC110 - as above.
            await asyncio.sleep(POLL_S)


async def shown(pbx: Pbx) -> dict[str, str]:
    """Return what `database show` tells of our switches, by key."""
    lines = (await pbx.cli("database show")).splitlines()
    pairs = [line.partition(":") for line in lines if line.startswith("/ivrd-")]
    return {key.strip(): value.strip() for key, _, value in pairs}


async def values(pbx: Pbx) -> dict[str, str]:
    """Return what the dialplan reads."""
    return {key: value for key, value in (await shown(pbx)).items() if "-act/" not in key}


async def test_what_is_switched_is_in_asterisks_database(pbx: Pbx, bench: Bench) -> None:
    async with connected(pbx, bench):
        assert (await bench.board.act(ON, ANNA)).outcome is ActOutcome.DONE
        assert (await bench.board.act(CLOSED, ANNA)).outcome is ActOutcome.DONE
        found = await shown(pbx)
        assert found["/ivrd-notice/driftstorning"] == EPOCH
        assert found["/ivrd-line/kommunen"] == f"closed {EPOCH}"
        assert found["/ivrd-line-act/kommunen"].endswith(f"/closed/{EPOCH}/control/anna")
        assert "Utrymning" not in str(found)
        await bench.board.act(NoticeOff(notice="driftstorning"), ANNA)
        await bench.board.act(LineReleased(line="kommunen"), ANNA)
        assert await values(pbx) == {}


async def test_it_survives_a_restart_of_asterisk_and_of_ivrd(
    pbx: Pbx, bench: Bench, tmp_path: Path
) -> None:
    async with connected(pbx, bench) as client:
        await bench.board.act(CLOSED, ANNA)
        connects = client.counters.connects
        await pbx.restart()
        await until(lambda: client.is_connected and client.counters.connects > connects)
        assert await values(pbx) == {"/ivrd-line/kommunen": f"closed {EPOCH}"}
    again = Bench(tmp_path)
    async with connected(pbx, again):
        await until(lambda: again.board.waiting() == {PBX1: 0})
        assert await values(pbx) == {"/ivrd-line/kommunen": f"closed {EPOCH}"}
        assert again.rows == []


async def test_a_pbx_that_was_away_gets_what_was_switched_meanwhile(pbx: Pbx, bench: Bench) -> None:
    async with connected(pbx, bench):
        await bench.board.act(ON, ANNA)
        await pbx.stop()
        bench.pass_time(seconds=1)
        result = await bench.board.act(NoticeOff(notice="driftstorning"), ANNA)
        assert result.outcome is ActOutcome.PENDING
        await pbx.resume()

        async def is_gone() -> bool:
            return await values(pbx) == {}

        await until_so(is_gone)


async def test_what_has_ended_is_removed(
    pbx: Pbx, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switches, "LOOK_S", 0.1)
    async with connected(pbx, bench):
        await bench.board.act(ON, ANNA)
        await bench.board.act(CLOSED, ANNA)
        assert len(await values(pbx)) == 2
        bench.at = UNTIL

        async def is_gone() -> bool:
            return await values(pbx) == {}

        await until_so(is_gone)


async def test_a_line_closed_by_hand_while_ivrd_was_down_stays_closed(
    pbx: Pbx, bench: Bench, tmp_path: Path
) -> None:
    """By the words that the command line gives to whoever finds no daemon."""
    config = tmp_path / "ivrd.toml"
    config.write_text(f'state_directory = "{tmp_path}"\n', encoding="utf-8")
    until_then = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    words = ["line", "close", "kommunen", "--reason", "Utrymning", "--config", str(config)]
    result = CliRunner().invoke(cli, [*words, "--until", until_then.isoformat()])
    program, option, command = shlex.split(str(result.exception).splitlines()[-1])
    assert (program, option) == ("asterisk", "-rx")
    await pbx.cli(command)
    bench.at = datetime.now(UTC)
    async with connected(pbx, bench):
        await until(lambda: bool(bench.rows))
        await until(lambda: bench.board.waiting() == {PBX1: 0})
    setting = bench.board.state.setting(LINE)
    assert setting is not None
    assert (setting.stand, setting.until) == (Stand.CLOSED, until_then)
    assert setting.by.origin is Origin.HAND
    expected = f"closed {int(until_then.timestamp())}"
    assert await values(pbx) == {"/ivrd-line/kommunen": expected}


async def test_an_ami_user_of_before_works_on_and_is_told_what_it_lacks(
    pbx: Pbx, bench: Bench
) -> None:
    async with connected(pbx, bench, "older") as client:
        await until(lambda: bool(bench.board.troubles()))
        [trouble] = bench.board.troubles()
        assert "needs write=system in manager.conf" in trouble
        result = await bench.board.act(ON, ANNA)
        assert result.outcome is ActOutcome.PENDING
        assert client.is_connected
        assert client.counters.failures == 0


@contextlib.asynccontextmanager
async def database_of(pbx: Pbx, username: str) -> AsyncIterator[AsteriskDatabase]:
    """Lend the database of a connection until the body ends."""
    lent: asyncio.Future[AsteriskDatabase] = asyncio.get_running_loop().create_future()

    async def lend(database: AsteriskDatabase) -> None:
        lent.set_result(database)
        await asyncio.Event().wait()

    client = AmiClient(
        Settings(pbx.ami_port, username, "sesame"),
        lambda event: None,
        AsteriskClock(),
        deadlines=PATIENT,
        keep_database=lend,
    )
    task = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(SOON_S):
            yield await lent
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_values_come_back_as_they_were_put(pbx: Pbx) -> None:
    async with database_of(pbx, "ivrd") as database:
        for text in ("1", "closed 1795284000", "a" * 200, 'åäö ${EVAL(x)},b|c; "q"'):
            await database.put("ivrd-test", "key", text)
            assert await database.get("ivrd-test", "key") == text
        await database.delete("ivrd-test", "key")
        assert await database.get("ivrd-test", "key") == ""
        await database.delete("ivrd-test", "key")
        with pytest.raises(PeerRefused, match="control character"):
            await database.put("ivrd-test", "key", "1\r\nAction: Logoff")
        assert "ivrd-test" not in await pbx.cli("database show")


async def test_the_right_that_is_missing_is_named(pbx: Pbx) -> None:
    async with database_of(pbx, "older") as database:
        assert await database.get("ivrd-test", "key") == ""
        with pytest.raises(RightMissing, match=r"write=system in manager\.conf, for DBPut"):
            await database.put("ivrd-test", "key", "1")
        with pytest.raises(RightMissing, match=r"for DBDel"):
            await database.delete("ivrd-test", "key")
