"""A line closed live is closed for callers, with ivrd, without it, and after it is back."""

import asyncio
import json
import shlex
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ivrd import config as ivrd_config
from ivrd.core.switches import ActOutcome, Origin
from ivrd.db.connection import open_engine
from ivrd.db.facts import ActFacts, acts_of
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import INCIDENT
from tests.lab.floor_plan import LINE_NUMBER, FloorPlan
from tests.lab.municipality import REPOSITORY, Municipality

pytestmark = pytest.mark.asyncio(loop_scope="module")

town = town_fixture(FloorPlan(more_ways_in=INCIDENT))

COMMAND_S_MAX = 120.0


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")


async def typed(town: Municipality, *words: str) -> tuple[int, str]:
    """Return the exit status of ivrd's own command line, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivrd", *words, "--config", str(town.config_path)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(COMMAND_S_MAX):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def met(town: Municipality) -> str:
    """Let somebody ring, and return the row of queue_log that tells what the caller met."""
    telling = ("|IVRDCLOSED|", "|IVRDCHOICE|")

    def rows() -> list[str]:
        lines = town.pbx.queue_log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if any(word in line for word in telling)]

    before = len(rows())
    await town.pbx.cli(f"channel originate Local/{LINE_NUMBER}@from-citizens application Wait 20")

    async def is_told() -> bool:
        return len(rows()) > before

    await town.until(is_told, what="queue_log tells what the caller met")
    return rows()[before].split("|", 4)[4]


async def acts(town: Municipality, count: int) -> list[ActFacts]:
    """Return the stored acts, oldest first, once there are so many."""
    engine = open_engine(ivrd_config.load(town.config_path).database)
    day = timedelta(days=1)
    now = datetime.now(UTC)
    found: list[ActFacts] = []

    async def are_there() -> bool:
        found[:] = reversed(await acts_of(engine, since=now - day, until=now + day))
        return len(found) >= count

    try:
        await town.until(are_there, what=f"{count} acts are stored")
    finally:
        await engine.dispose()
    return found


@pytest.mark.older_asterisk
async def test_a_line_is_closed_live_and_stays_so_without_ivrd(town: Municipality) -> None:
    assert (await met(town)).startswith("IVRDCHOICE")
    close = ("line", "close", "kommunen", "--until", in_an_hour(), "--reason", "Utrymning")
    status, said = await typed(town, *close)
    assert (status, said.split(" until")[0]) == (0, "line kommunen: closed")
    assert await met(town) == "IVRDCLOSED|kommunen|forced"
    await town.kill_daemon()
    assert await met(town) == "IVRDCLOSED|kommunen|forced"
    status, said = await typed(town, "line", "release", "kommunen")
    assert status == 1
    assert "ivrd is not running" in said
    program, option, command = shlex.split(said.splitlines()[-1])
    assert (program, option) == ("asterisk", "-rx")
    await town.pbx.cli(command)
    assert (await met(town)).startswith("IVRDCHOICE")
    await town.start_daemon()
    closed, freed = await acts(town, 2)
    assert (closed.act, closed.reason, closed.outcome) == (
        "line_close",
        "Utrymning",
        ActOutcome.DONE,
    )
    assert closed.from_where is Origin.CONTROL
    assert (freed.act, freed.who, freed.from_where) == (
        "line_release",
        "somebody on pbx1",
        Origin.HAND,
    )
    status, said = await typed(town, "switches", "--json")
    assert status == 0
    assert not any(each["is_in_force"] for each in json.loads(said)["switches"])


async def test_a_notice_that_a_reload_brings_can_be_switched_at_once(town: Municipality) -> None:
    off = ("notice", "off", "vattenlacka")
    status, said = await typed(town, *off)
    assert status == 2
    assert "did you mean" in said or "known: driftstorning" in said
    text = town.config_path.read_text(encoding="utf-8")
    more = '\n[[notices]]\nname = "vattenlacka"\nprompt = "otillganglig"\n'
    town.config_path.write_text(text + more, encoding="utf-8")
    try:
        status, said = await typed(town, "reload")
        assert status == 0, said
        assert "vattenlacka new" in said
        assert (await typed(town, *off))[0] == 0
        town.config_path.write_text(text + "\nnonsense = 1\n", encoding="utf-8")
        status, said = await typed(town, "reload")
        assert status == 2
        assert "nonsense" in said
        assert (await typed(town, *off))[0] == 0
    finally:
        town.config_path.write_text(text, encoding="utf-8")
