"""Recording and replaying: by `ivrd record`, by an unfiltered user, and by what ivrd stored."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from ivrd.replay import Json
from tests.e2e import shelf
from tests.e2e.replaying import as_json, replayed
from tests.e2e.scene import Watch, check_replay_of, recording, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import REPOSITORY, Municipality
from tests.lab.phone import Ring, Talk
from tests.lab.processes import Child

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.2))

town = town_fixture(FloorPlan(desks=(GUIDE,)))


async def replay_command(town: Municipality, path: Path) -> list[Json]:
    """Return what `ivrd replay FILE --json` prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivrd", "replay", str(path), "--json"),
        *("--config", str(town.config_path)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return [json.loads(line) for line in said.decode().splitlines()]


async def test_every_recorder_and_the_daemon_tell_the_same(
    town: Municipality, tmp_path: Path
) -> None:
    by_command, unfiltered = tmp_path / "by-command.ami", tmp_path / "unfiltered.ami"
    recorder = await Child.start(
        [sys.executable, "-m", "ivrd", "record", by_command, "--config", town.config_path],
        name="ivrd record",
        log_path=tmp_path / "record.log",
        cwd=REPOSITORY,
    )
    try:
        await recorder.wait_until(
            lambda: "ami_connected" in recorder.log_tail(), what="connected", within_s=60
        )
        async with (
            recording(town, unfiltered, Watch(), is_unfiltered=True),
            scene(town, "one_call") as played,
        ):
            caller = await played.ring(name="Åsa Öberg")
            await caller.gone()
        recorder.send_signal(signal.SIGINT)
        assert await recorder.wait(within_s=60) == 0
    finally:
        await recorder.stop()
    assert "messages in" in recorder.log_tail()
    for path in (by_command, unfiltered, played.path):
        check_replay_of(path, played)
        assert "Åsa" not in path.read_text(encoding="utf-8"), "names are masked"
    assert await replay_command(town, by_command) == replayed(by_command, town.config_path)
    assert len(unfiltered.read_bytes()) > 2 * len(played.path.read_bytes())
    assert as_json(played.of(caller))["outcome"] == "resolved"
    shelf.put(by_command, "one_call_by_ivrd_record", town)
    shelf.put(unfiltered, "one_call_unfiltered", town)
