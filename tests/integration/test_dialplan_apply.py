"""`ivrd dialplan apply`, `rollback`, `diff` on a real Asterisk: all of it, or what was before."""

import dataclasses
import fcntl
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.floor_plan import FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.terminal import Typed, type_ivrd

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOURS = """
[[hours]]
name = "kc"
week = { mon-fri = "8.00-16.30" }

[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = { 1 = "vaxel" }
stay_choice = "kc"

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"
hours = "kc"
closed_prompt = "otillganglig"
"""

VA = """
[[menus]]
name = "va"
prompt = "huvudmeny"
choices = { 1 = "vaxel" }
stay_choice = "kc"
"""


@dataclasses.dataclass
class Desk:
    """An administrator at the PBX's own machine."""

    town: Municipality

    @property
    def directory(self) -> Path:
        return self.town.pbx.etc_dir / "ivrd"

    async def type(self, command: str, *options: str) -> Typed:
        config = str(self.town.config_path)
        words = ["dialplan", command, "--config", config, "--directory", str(self.directory)]
        return await type_ivrd(*words, *options)

    async def succeeds(self, command: str, *options: str) -> str:
        typed = await self.type(command, *options)
        assert typed.status == 0, typed
        return typed.output

    async def fails(self, command: str, *options: str) -> str:
        typed = await self.type(command, *options)
        assert typed.status == 1, typed
        return typed.complaints

    def edit(self, change: Callable[[str], str]) -> None:
        before = self.town.config_path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before
        self.town.config_path.write_text(after, encoding="utf-8")

    async def runs(self, context: str) -> str:
        return await self.town.pbx.cli(f"dialplan show {context}")


def files_in(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[Municipality]:
    async with Municipality.start(FloorPlan(way_in=HOURS), with_daemon=False) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def desk(town: Municipality) -> AsyncIterator[Desk]:
    """Lend a desk, and put everything back afterwards."""
    etc = town.pbx.etc_dir
    kept = {path: path.read_bytes() for path in [town.config_path, *etc.rglob("*.conf")]}
    yield Desk(town)
    for path in etc.glob("ivrd*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path, text in kept.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    await town.pbx.cli("manager reload")
    await town.pbx.cli("dialplan reload")


@pytest.mark.older_asterisk
async def test_changed_hours_are_brought_in_and_back_and_each_step_is_asked_back(
    desk: Desk,
) -> None:
    assert await desk.succeeds("apply") == (
        "nothing to change: Asterisk runs it already, generation 0\n"
    )
    (desk.directory / "site.txt").write_text("not ours", encoding="utf-8")
    before = files_in(desk.directory)
    desk.edit(lambda text: text.replace("8.00-16.30", "8.00-15.00"))
    assert (await desk.type("diff")).status == 1
    assert "closed54000" not in await desk.runs("ivrd-hours-kc")
    told = await desk.succeeds("apply")
    assert "-; Until 16.30.\n" in told
    assert "+; Until 15.00.\n" in told
    assert "generation 1, in use since " in told
    assert "open54000" in await desk.runs("ivrd-hours-kc")
    assert (await desk.type("diff")).status == 0
    assert (desk.directory / "site.txt").read_text(encoding="utf-8") == "not ours"
    told = await desk.succeeds("rollback")
    assert "+; Until 16.30.\n" in told
    assert "open54000" not in await desk.runs("ivrd-hours-kc")
    assert {**files_in(desk.directory), "ivrd-generation": ""} == {**before, "ivrd-generation": ""}
    assert (await desk.type("diff")).status == 1
    assert "no step back from generation 2" in await desk.fails("rollback")


async def test_what_asterisk_runs_otherwise_is_taken_back_and_said(desk: Desk) -> None:
    """The site has a context of our name, so Asterisk mixes the two."""
    site = desk.town.pbx.etc_dir / "site.conf"
    text = site.read_text(encoding="utf-8")
    site.write_text(text + "\n[ivrd-menu-va]\nexten => s,2,NoOp(ours)\n", encoding="utf-8")
    before = files_in(desk.directory)
    desk.edit(lambda text: text + VA)
    told = await desk.fails("apply")
    assert "[ivrd-menu-va] s: step 2 is NoOp(ours) in place of GotoIf(" in told
    assert "the dialplan before is back, and Asterisk runs it" in told
    assert files_in(desk.directory) == before
    assert "There is no existence" in await desk.runs("ivrd-static-va")
    assert "ivrd-menu-va" in str(files_in(desk.directory.with_name("ivrd.undone")))
    site.write_text(text, encoding="utf-8")
    await desk.succeeds("apply")
    assert "AGI" in await desk.runs("ivrd-menu-va")


async def test_a_directory_that_nobody_includes_is_told(desk: Desk) -> None:
    main = desk.town.pbx.etc_dir / "extensions.conf"
    main.write_text('#include "site.conf"\n', encoding="utf-8")
    desk.edit(lambda text: text + VA)
    told = await desk.fails("apply")
    assert "does extensions.conf say `#include ivrd/ivrd.conf`?" in told
    assert "Asterisk does not run it" in told


async def test_a_dialplan_that_asterisk_cannot_read_is_told(desk: Desk) -> None:
    main = desk.town.pbx.etc_dir / "extensions.conf"
    main.write_text(main.read_text(encoding="utf-8") + '#include "gone.conf"\n', encoding="utf-8")
    before = files_in(desk.directory)
    desk.edit(lambda text: text + VA)
    told = await desk.fails("apply")
    assert "Asterisk does not take its dialplan" in told
    assert files_in(desk.directory) == before
    # It went on with what it had, so callers noticed nothing.
    assert "AGI" in await desk.runs("ivrd-menu-huvudmeny")


async def test_two_at_once_cannot_be(desk: Desk) -> None:
    desk.edit(lambda text: text + VA)
    with desk.directory.with_name("ivrd.lock").open("w", encoding="utf-8") as file:
        file.write("process 4711\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        told = await desk.fails("apply")
        assert "process 4711 is changing the dialplan just now; nothing was done" in told
        assert "process 4711" in await desk.fails("rollback")
    await desk.succeeds("apply")


async def test_a_right_that_is_missing_is_named_and_nothing_is_touched(desk: Desk) -> None:
    manager = desk.town.pbx.etc_dir / "manager.conf"
    text = manager.read_text(encoding="utf-8")
    manager.write_text(
        text.replace("write = system,call,reporting", "write = call,reporting"), encoding="utf-8"
    )
    await desk.town.pbx.cli("manager reload")
    before = files_in(desk.directory)
    desk.edit(lambda text: text + VA)
    told = await desk.fails("apply")
    assert "needs write=system in manager.conf, for Reload" in told
    assert files_in(desk.directory) == before


async def test_a_number_that_nobody_rings_and_a_queue_that_is_not_there(desk: Desk) -> None:
    desk.edit(lambda text: text.replace('1 = "vaxel" }', '1 = { number = "0846500405" } }'))
    told = await desk.fails("apply")
    assert "[ivrd-site-numbers], which is to ring it, is not in extensions.conf" in told
    assert told.endswith("nothing was changed\n")
    site = desk.town.pbx.etc_dir / "site.conf"
    text = site.read_text(encoding="utf-8")
    ways = "\n[ivrd-site-numbers]\nexten => 0846500405,1,Hangup()\n"
    site.write_text(text + ways, encoding="utf-8")
    await desk.town.pbx.cli("dialplan reload")
    desk.edit(
        lambda text: (
            text + '\n[[queues]]\nname = "ny"\nrole = "guide"\nservice_level_threshold_s = 60\n'
        )
    )
    typed = await desk.type("apply")
    assert typed.status == 0, typed
    assert "Asterisk has no queue ny" in typed.complaints


async def test_a_reload_that_somebody_forgot_is_made_up_for(desk: Desk) -> None:
    desk.edit(lambda text: text.replace("8.00-16.30", "8.00-15.00"))
    config = str(desk.town.config_path)
    await type_ivrd("dialplan", "--config", config, "--output", str(desk.directory))
    typed = await desk.type("apply")
    assert typed.status == 0, typed
    assert "Asterisk did not run what its files said" in typed.complaints
    assert "open54000" in await desk.runs("ivrd-hours-kc")


async def test_an_asterisk_that_is_not_there_is_told_and_nothing_is_touched(desk: Desk) -> None:
    before = files_in(desk.directory)
    desk.edit(lambda text: text + VA)
    await desk.town.pbx.stop()
    try:
        told = await desk.fails("apply")
    finally:
        await desk.town.pbx.resume()
    assert "no connection to 127.0.0.1:" in told
    assert files_in(desk.directory) == before


async def test_wrong_use_is_told(desk: Desk) -> None:
    config = str(desk.town.config_path)
    typed = await type_ivrd("dialplan", "--config", config, "apply")
    assert (typed.status, typed.complaints) == (
        2,
        "ivrd: --config: goes after `ivrd dialplan apply`\n",
    )
    typed = await desk.type("diff", "--directory", "/etc/asterisk/extensions")
    assert typed.status == 2
    assert "must be named ivrd" in typed.complaints
