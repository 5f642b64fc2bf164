"""A real call's number in no file of ivrd's, a protected line, and a recording that is told."""

from pathlib import Path

import pytest

from ivrd.core.ids import CallId
from tests.e2e.scene import Caller, metrics, scene, until_true
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.municipality import SYSTEM, Municipality
from tests.lab.phone import Ring

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.older_asterisk]

SHELTER = "0846500472"
NUMBER, OTHER = "0701740688", "0701740699"

WAY_IN = f"""
[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = {{ 1 = "vaxel" }}
stay_choice = "kc"
stay_after_s = 1
[[lines]]
name = "kommunen"
number = "{LINE_NUMBER}"
queue = "kc"
[[lines]]
name = "skyddad"
number = "{SHELTER}"
queue = "kc"
[privacy]
key_file = "privacy-key"
protected_lines = ["skyddad"]
"""

GUIDES = tuple(
    Desk(name=name, queue="kc", answer=Ring(after_s=0.1)) for name in ("guide1", "guide2")
)

town = town_fixture(FloorPlan(desks=GUIDES, way_in=WAY_IN))


def traces(directory: Path, number: str) -> list[str]:
    """Return the files below a directory in which a number stands, in whatever form.

    Without the scene's own recordings: their masking leaves numbers of fiction as they are.
    """
    tail = number[1:]
    forms = [form.encode(code) for form in (tail, tail[::-1]) for code in ("ascii", "utf-16-le")]
    files = [path for path in directory.rglob("*") if path.is_file() and path.suffix != ".ami"]
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


async def recorded(town: Municipality, line: str) -> float:
    """Return how many channels of a line are recorded, as /metrics tells."""
    return (await metrics(town))[f'ivrd_recorded_channels{{line="{line}",system="{SYSTEM}"}}']


async def recorded_is(town: Municipality, count: int) -> None:
    async def is_so() -> bool:
        return await recorded(town, "kommunen") == count

    await town.until(is_so, what=f"{count} channels are recorded")


async def channel_of(town: Municipality, caller: Caller) -> str:
    """Return the name of a caller's channel."""
    unique = caller.call_id.partition("/")[2]
    rows = (await town.pbx.cli("core show channels concise")).splitlines()
    [name] = [row.split("!")[0] for row in rows if row.endswith(f"!{unique}")]
    return name


async def test_no_file_of_ours_holds_a_callers_number(town: Municipality) -> None:
    async with scene(town) as played:
        caller = await played.ring_as(NUMBER)
        await caller.talking("kc")
        protected = await played.ring_as(OTHER, is_only_one=True, line=SHELTER)
        await protected.talking("kc")
        shown = {call.caller for phone in town.phones.values() for call in phone.live_calls}
        assert NUMBER in shown
        assert OTHER not in shown
        unique = protected.call_id.partition("/")[2]

        def is_written() -> bool:
            rows = town.pbx.queue_log.read_text(encoding="utf-8").splitlines()
            return any(f"|{unique}|kc|" in row and "|ENTERQUEUE|" in row for row in rows)

        await until_true(is_written, what="queue_log tells of both")
        journal = town.pbx.queue_log.read_text(encoding="utf-8")
        assert NUMBER in journal
        assert OTHER not in journal
    assert played.of(caller).outcome.value == "resolved"
    assert played.of(protected).outcome.value == "resolved"
    assert traces(town.directory, NUMBER) == []
    assert traces(town.directory, OTHER) == []
    calls = {facts.call_id for facts in await town.facts()}
    assert calls >= {CallId(caller.call_id), CallId(protected.call_id)}


async def test_a_recording_is_told_by_line(town: Municipality) -> None:
    await town.pbx.cli("module load format_wav.so")
    await town.pbx.cli("module load app_mixmonitor.so")
    assert await recorded(town, "kommunen") == 0
    async with scene(town, is_orderly=False) as played:
        caller = await played.ring_as(NUMBER)
        leg = await caller.talking("kc")
        channel = await channel_of(town, caller)
        await town.pbx.cli(f"mixmonitor start {channel} ivrd-lab.wav")
        await recorded_is(town, 1)
        assert (await metrics(town))["ivrd_recordings_total"] == 1
        await until_true(
            lambda: '"event": "recording_noticed"' in town.daemon_log.read_text(encoding="utf-8"),
            what="the log tells of it",
        )
        await town.pbx.cli(f"mixmonitor stop {channel}")
        await recorded_is(town, 0)
        rows = (await town.pbx.cli("core show channels concise")).splitlines()
        [agent] = [row.split("!")[0] for row in rows if row.startswith(f"{leg.interface}-")]
        await town.pbx.cli(f"mixmonitor start {agent} ivrd-lab.wav")
        await recorded_is(town, 1)
        assert await recorded(town, "skyddad") == 0
        await caller.hang_up()
        await recorded_is(town, 0)
