"""What is seen before a dialplan is brought in, with an Asterisk that answers as it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivrd import dialplan_apply
from ivrd.ami.actions import AmiAction
from ivrd.ami.replies import Reply, reply
from ivrd.ami.running_dialplan import MODULES
from ivrd.config import PbxConfig
from ivrd.dialplan_apply import Aim, Applier, NotApplied
from ivrd.generations import Generations

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

FILES = {"ivrd.conf": "#include ivrd/ivrd-a.conf\n", "ivrd-a.conf": "[a]\nexten => s,1,NoOp()\n"}

COMMANDS = "".join(
    f"{name}: does it (Priv: all)\r\n"
    for name in ("Reload", "ModuleCheck", "ShowDialPlan", "Getvar")
)


class Pbx:
    """Answers as the real one does, and knows what it is asked."""

    def __init__(self) -> None:
        self.modules = set(MODULES)
        self.clock = "1400"
        self.asked: list[str] = []

    async def __call__(self, action: AmiAction, *, within_s: float) -> Reply:
        self.asked.append(action.name)
        headers = {header.name: header.value for header in action.headers}
        match action.name:
            case "ListCommands":
                text = f"Response: Success\r\n{COMMANDS}"
            case "ModuleCheck" if headers["Module"] not in self.modules:
                text = "Response: Error\r\nMessage: Module not loaded"
            case "Getvar":
                text = f"Response: Success\r\nVariable: x\r\nValue: {self.clock}\r\n"
            case "ShowDialPlan":
                text = "Response: Error\r\nMessage: Did not find context"
            case _:
                text = "Response: Success\r\n"
        return reply(text.encode())


@pytest.fixture
def pbx(monkeypatch: pytest.MonkeyPatch) -> Pbx:
    pbx = Pbx()

    @asynccontextmanager
    async def errand(settings: PbxConfig) -> AsyncIterator[Pbx]:
        yield pbx

    monkeypatch.setattr(dialplan_apply, "errand", errand)
    return pbx


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def faults(directory: Path, *, zone: str = "Europe/Stockholm") -> NotApplied:
    """Return why a dialplan was not brought in."""
    settings = PbxConfig(name="pbx1", secret_file=Path("ami-secret"))
    applier = Applier(Generations(directory / "ivrd"), settings, note=lambda text: None)
    with pytest.raises(NotApplied) as raised:
        await applier.apply(Aim(files=FILES, zone=ZoneInfo(zone)), now=NOW)
    return raised.value


async def test_a_zone_that_asterisk_lacks_is_told_and_nothing_is_touched(
    pbx: Pbx, tmp_path: Path
) -> None:
    pbx.clock = "1200"  # UTC, which Asterisk takes without a word.
    error = await faults(tmp_path)
    assert error.faults == [
        "Asterisk's machine does not know the zone Europe/Stockholm: it says 1200 where it is "
        "1400; install tzdata there"
    ]
    assert "Reload" not in pbx.asked
    assert names_in(tmp_path) == []


async def test_a_module_that_is_not_loaded_is_told_and_nothing_is_touched(
    pbx: Pbx, tmp_path: Path
) -> None:
    pbx.modules -= {"app_queue", "func_db"}
    error = await faults(tmp_path)
    assert [fault.split()[4] for fault in error.faults] == ["app_queue.so,", "func_db.so,"]
    assert "Reload" not in pbx.asked
    assert names_in(tmp_path) == []


async def test_what_asterisk_does_not_have_afterwards_is_taken_back(
    pbx: Pbx, tmp_path: Path
) -> None:
    error = await faults(tmp_path)
    assert error.faults == [
        "does extensions.conf say `#include ivrd/ivrd.conf`?",
        "[a] is not there",
    ]
    assert "there is none now" in str(error)
    assert names_in(tmp_path) == ["ivrd.undone"]
