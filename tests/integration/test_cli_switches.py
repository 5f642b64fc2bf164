"""What people type to switch, against a daemon's control socket, and without one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from ivrd import cli_switches
from ivrd.cli import cli
from ivrd.control import ControlServer
from ivrd.errors import ConfigError, IvrdError
from ivrd.switches import Reloaded
from tests.unit.boards import PBX1, Bench, FakeDatabase

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Desk:
    """Somebody at a terminal, on the host of a daemon that may run."""

    bench: Bench
    config: Path

    async def type(self, *words: str, **environment: str) -> Result:
        arguments = [*words, "--config", str(self.config)]
        return await asyncio.to_thread(
            CliRunner().invoke, cli, arguments, env={"SUDO_USER": None, **environment}
        )

    async def told(self, *words: str) -> str:
        """Return what a command that works prints."""
        result = await self.type(*words)
        assert result.exit_code == 0, result
        return result.output

    async def refusal(self, *words: str) -> IvrdError:
        """Return what a command that does not work raises."""
        result = await self.type(*words)
        assert isinstance(result.exception, IvrdError), result
        return result.exception


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    sample = (REPOSITORY / "config" / "ivrd.toml").read_text(encoding="utf-8")
    state = f'state_directory = "{tmp_path}"'
    text = sample.replace('state_directory = "/var/lib/ivrd"', state, 1)
    assert state in text
    config = tmp_path / "ivrd.toml"
    config.write_text(text, encoding="utf-8")
    for sheet in (REPOSITORY / "config").glob("prompts*.toml"):
        (tmp_path / sheet.name).write_bytes(sheet.read_bytes())
    bench = Bench(tmp_path)
    bench.at = datetime.now(UTC)
    return Desk(bench, config)


@contextlib.asynccontextmanager
async def daemon(desk: Desk) -> AsyncIterator[FakeDatabase]:
    """Let a daemon run, with a PBX."""
    database = FakeDatabase()
    server = ControlServer(desk.bench.directory, desk.bench.board)
    task = asyncio.create_task(server.serve())
    try:
        # Kept from the terminal, which here is the daemon's too.
        with structlog.testing.capture_logs():
            async with asyncio.timeout(30), desk.bench.connected(database):
                await server.started.wait()
                yield database
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def tomorrow() -> datetime:
    return (datetime.now(UTC) + timedelta(days=1)).replace(
        hour=18, minute=0, second=0, microsecond=0
    )


AT = tomorrow()
"""Once: it may be midnight before a test begins, and then it is today."""

TOMORROW = AT.replace(tzinfo=None).isoformat(sep=" ", timespec="minutes")


async def test_a_notice_goes_on_and_off_at_local_times(desk: Desk) -> None:
    async with daemon(desk) as database:
        told = await desk.told(
            "notice", "on", "driftstorning", "--until", TOMORROW, "--reason", "Läcka [/x]"
        )
        assert told == f"notice driftstorning: on until {TOMORROW}\n"
        value = database.value("ivrd-notice", "driftstorning")
        assert value is not None
        until = datetime.fromtimestamp(int(value), UTC)
        # Swedish wall time: one or two hours ahead.
        assert AT - until in (timedelta(hours=1), timedelta(hours=2))
        told = await desk.told("switches")
        for part in ("notice", "driftstorning", "on", TOMORROW, "Läcka [/x]"):
            assert part in told
        assert await desk.told("notice", "off", "driftstorning") == "notice driftstorning: off\n"
        assert database.value("ivrd-notice", "driftstorning") is None
        assert "nothing is switched" in await desk.told("switches")


async def test_a_line_is_closed_opened_released_and_undone(desk: Desk) -> None:
    forced = ("--until", TOMORROW, "--reason", "Utrymning")
    async with daemon(desk) as database:
        told = await desk.told("line", "close", "kommunen", *forced)
        assert told == f"line kommunen: closed until {TOMORROW}\n"
        assert "already" in await desk.told("line", "close", "kommunen", *forced)
        await desk.told("line", "open", "kommunen", *forced)
        assert str(database.value("ivrd-line", "kommunen")).startswith("open ")
        assert "closed" in await desk.told("line", "undo", "kommunen")
        told = await desk.told("line", "release", "kommunen")
        assert told == "line kommunen: follows its hours\n"
        assert database.value("ivrd-line", "kommunen") is None
        assert "closed" in await desk.told("line", "undo", "kommunen")
        await desk.told("notice", "on", "driftstorning", *forced)
        assert "off" in await desk.told("notice", "undo", "driftstorning")


async def test_switches_as_json_hold_the_version_that_an_act_may_name(desk: Desk) -> None:
    forced = ("--until", TOMORROW, "--reason", "x")
    async with daemon(desk):
        await desk.told("line", "close", "kommunen", *forced, "--seen", "0")
        status = json.loads(await desk.told("switches", "--json"))
        [found] = [each for each in status["switches"] if each["is_in_force"]]
        error = await desk.refusal("line", "open", "kommunen", *forced, "--seen", "0")
        assert not isinstance(error, ConfigError)
        assert "has set it to closed" in str(error)
        assert f"add --seen {found['version']}" in str(error)
        await desk.told("line", "release", "kommunen", "--seen", str(found["version"]))


async def test_sudo_says_for_whom(desk: Desk) -> None:
    async with daemon(desk):
        result = await desk.type("notice", "off", "driftstorning", SUDO_USER="anna")
        assert result.exit_code == 0
    assert "anna" in desk.bench.rows[0].who


async def test_a_pbx_that_has_it_not_yet_is_named(desk: Desk) -> None:
    server = ControlServer(desk.bench.directory, desk.bench.board)
    task = asyncio.create_task(server.serve())
    await server.started.wait()
    told = await desk.told("notice", "off", "driftstorning")
    assert f"not yet on {PBX1}: not connected" in told
    task.cancel()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("notice", "off", "drifstorning"), "did you mean driftstorning?"),
        (("notice", "off", "Drift Störning"), "name: small letters"),
        (("line", "close", "kommunen", "--until", "snart", "--reason", "x"), "no time such as"),
        (
            ("line", "close", "kommunen", "--until", "2020-01-01 12:00", "--reason", "x"),
            "not in the future",
        ),
        (("line", "close", "kommunen", "--until", TOMORROW, "--reason", " "), "say why"),
    ],
)
async def test_what_is_typed_wrong_is_told_with_and_without_a_daemon(
    words: tuple[str, ...], told: str, desk: Desk
) -> None:
    async with daemon(desk):
        error = await desk.refusal(*words)
    assert isinstance(error, ConfigError)
    assert told in str(error)
    assert told in str(await desk.refusal(*words))


async def test_without_a_daemon_the_way_by_hand_is_told(desk: Desk) -> None:
    until = ("--until", TOMORROW + "+00:00", "--reason", "x")
    epoch = int(AT.timestamp())
    for words, command in (
        (
            ("line", "close", "kommunen", *until),
            f"asterisk -rx 'database put ivrd-line kommunen \"closed {epoch}\"'",
        ),
        (
            ("notice", "on", "driftstorning", *until),
            f"asterisk -rx 'database put ivrd-notice driftstorning \"{epoch}\"'",
        ),
        (("line", "release", "kommunen"), "asterisk -rx 'database del ivrd-line kommunen'"),
    ):
        error = await desk.refusal(*words)
        assert not isinstance(error, ConfigError)
        assert "ivrd is not running" in str(error)
        assert command in str(error)
    assert "when it starts" in str(await desk.refusal("reload"))
    assert "is not running" in str(await desk.refusal("switches"))
    assert "nobody knows" in str(await desk.refusal("line", "undo", "kommunen"))


async def test_a_faulty_configuration_keeps_nobody_from_switching(desk: Desk) -> None:
    text = desk.config.read_text(encoding="utf-8")
    desk.config.write_text(text + "\n[nonsense]\nx = 1\n", encoding="utf-8")
    assert "database del ivrd-line kommunen" in str(
        await desk.refusal("line", "release", "kommunen")
    )
    async with daemon(desk):
        assert "off" in await desk.told("notice", "off", "driftstorning")
        desk.bench.reloads = [Reloaded(faults=("nonsense: is not a key we know",))]
        error = await desk.refusal("reload")
        assert isinstance(error, ConfigError)
        assert error.faults == ("nonsense: is not a key we know",)


async def test_a_reload_says_what_is_in_use(desk: Desk) -> None:
    async with daemon(desk):
        desk.bench.reloads = [Reloaded(summary="2 lines, 3 menus")]
        assert await desk.told("reload") == "2 lines, 3 menus\n"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-11-21 18:00", "2026-11-21T18:00:00+01:00"),
        ("2026-07-01T18:00", "2026-07-01T18:00:00+02:00"),
        ("2026-11-21T18:00+00:00", "2026-11-21T18:00:00+00:00"),
    ],
)
def test_a_time_without_a_zone_is_local(typed: str, expected: str, desk: Desk) -> None:
    assert cli_switches.place_of(desk.config).moment(typed).isoformat() == expected


def test_an_hour_alone_is_todays(desk: Desk) -> None:
    place = cli_switches.place_of(desk.config)
    before = datetime.now(place.zone).date()
    moment = place.moment("23.59")
    assert (moment.hour, moment.minute) == (23, 59)
    assert moment.date() in (before, datetime.now(place.zone).date())
