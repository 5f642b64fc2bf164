"""A new configuration is taken whole, or not at all and with every reason."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivrd import config
from ivrd.config import Config
from ivrd.privacy.sealing import new_key_line
from ivrd.reload import FIXED, Reloader, changes
from ivrd.switches import Reloaded

REPOSITORY = Path(__file__).resolve().parents[2]


class Desk:
    """A file that can be changed, and what was put to use."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "ivrd.toml"
        for name in ("ivrd.toml", "prompts.toml"):
            text = (REPOSITORY / "config" / name).read_text(encoding="utf-8")
            (directory / name).write_text(text, encoding="utf-8")
        (directory / "ami-secret").write_text("sesame\n", encoding="utf-8")
        key = directory / "privacy-key"
        key.write_text(new_key_line(datetime.now(UTC)) + "\n", encoding="ascii")
        key.chmod(0o600)
        self.used: list[Config] = []
        self.first = config.load(self.path)
        self.reloader = Reloader(self.path, self.first, apply=self.used.append)

    def edit(self, old: str, new: str) -> None:
        text = self.path.read_text(encoding="utf-8")
        assert old in text
        self.path.write_text(text.replace(old, new, 1), encoding="utf-8")

    async def reload(self) -> Reloaded:
        return await self.reloader.reload()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_what_is_right_is_used_and_told(desk: Desk) -> None:
    desk.edit("start_waiting = 6", "start_waiting = 7")
    desk.edit('title_sv = "Växel"', 'title_sv = "Växeln"')
    done = await desk.reload()
    assert done == Reloaded(summary="queues: vaxel changed, overflow: vaxel-hog-last changed")
    [used] = desk.used
    assert used.queues[0].title_sv == "Växeln"
    assert desk.reloader.config is used
    assert desk.reloader.refused == 0
    assert await desk.reload() == Reloaded(summary="nothing has changed")


async def test_what_is_wrong_is_told_whole_and_nothing_is_used(desk: Desk) -> None:
    desk.edit("stay_after_s = 5", "stay_after_s = 0")
    desk.edit('from_queue = "vaxel"', 'from_queue = "vaxl"')
    done = await desk.reload()
    assert [fault.partition(":")[0] for fault in done.faults] == ["menus[0].stay_after_s"]
    desk.edit("stay_after_s = 0", "stay_after_s = 6")
    done = await desk.reload()
    assert "vaxl" in " ".join(done.faults)
    assert (desk.used, desk.reloader.refused) == ([], 2)
    assert desk.reloader.config is desk.first


@pytest.mark.parametrize("name", ["ivrd.toml", "prompts.toml", "ami-secret", "privacy-key"])
async def test_a_file_that_is_away_is_told(desk: Desk, name: str) -> None:
    (desk.path.parent / name).unlink()
    done = await desk.reload()
    assert name in " ".join(done.faults)
    assert desk.used == []


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("port = 4573", "port = 4574", "agi"),
        ("port = 5038", "port = 5039", "pbx"),
        ("port = 9573", "port = 9574", "web"),
        ("size_mb_max = 256", "size_mb_max = 257", "journal"),
        ('level = "info"', 'level = "debug"', "log"),
        (
            'url = "sqlite+aiosqlite:////var/lib/ivrd/ivrd.',
            'url = "sqlite+aiosqlite:///',
            "database",
        ),
        ('state_directory = "/var/lib/ivrd"', 'state_directory = "/srv"', "state_directory"),
        ("[log]", "[mqtt]\n[log]", "mqtt"),
        ("key_period_days = 30", "key_period_days = 31", "privacy"),
    ],
)
async def test_what_needs_a_restart_is_refused_by_its_name_with_all_the_rest(
    desk: Desk, old: str, new: str, key: str
) -> None:
    desk.edit(old, new)
    desk.edit('title_sv = "Växel"', 'title_sv = "Växeln"')
    done = await desk.reload()
    assert done.faults == (
        f"{key}: has changed, which needs a restart of ivrd; nothing else was changed either",
    )
    assert desk.used == []


def test_every_key_can_be_changed_or_is_refused_by_its_name(desk: Desk) -> None:
    """A key that is in neither list would be taken without a word, and perhaps not be used."""
    told = {"queues", "menus", "lines", "notices", "hours", "overflow", "access"}
    told |= {"time_zone", "cases", "retention", "prompt_sheet", "sheet", "department", "labels"}
    # Read by `ivrd report account` alone, each time.
    told |= {"price_list"}
    assert set(Config.model_fields) == told | set(FIXED)


def test_what_is_new_gone_or_different_is_told(desk: Desk) -> None:
    before = desk.first
    menu = before.menus[1].model_copy(update={"name": "ny"})
    line = before.lines[0].model_copy(update={"number": "0846500499"})
    after = before.model_copy(
        update={
            "menus": (before.menus[0], menu, before.menus[2]),
            "lines": (line, *before.lines[1:]),
            "time_zone": "Europe/Helsinki",
            "sheet": None,
        }
    )
    assert list(changes(before, after)) == [
        "menus: va gone",
        "menus: ny new",
        "lines: kommunen changed",
        "time_zone changed",
        "prompt_sheet changed",
    ]
    assert list(changes(before, before)) == []
