"""What people type about messages to case systems, on a real database."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ivrd.cli import cli
from ivrd.config import DatabaseConfig
from ivrd.config.handover import signing_fault
from ivrd.db.migrate import migrate
from ivrd.db.models import ActRow
from ivrd.errors import IvrdError
from tests.integration.db.handover_samples import write
from tests.integration.db.samples import an_engine, rows_in
from tests.unit.test_config import MINIMAL


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a configuration whose database holds three messages."""
    database = DatabaseConfig(url=f"sqlite+aiosqlite:///{tmp_path}/ivrd.sqlite")

    async def fill() -> None:
        async with an_engine(database) as engine:
            await migrate(engine)
            for case_id in (1, 2, 3):
                await write(engine, case_id)

    asyncio.run(fill())
    file = tmp_path / "ivrd.toml"
    section = f'[database]\nurl = "{database.url}"\n'
    file.write_text(section + MINIMAL, encoding="utf-8")
    return file


def run(place: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["handover", *words, "--config", str(place)])


def states(place: Path) -> list[str]:
    told = run(place, "list", "--state", "all", "--json").output
    return [json.loads(line)["state"] for line in told.splitlines()]


def test_messages_are_listed_dropped_and_sent_again_with_who_did_it(place: Path) -> None:
    assert states(place) == ["waiting"] * 3
    assert "tekniska" in run(place, "list", "--case", "2").output
    assert run(place, "drop", "2", "3", "--reason", "För hand").output == (
        "2: is dropped\n3: is dropped\n"
    )
    assert states(place) == ["waiting", "dropped", "dropped"]
    shown = json.loads(run(place, "show", "2").output)
    assert (shown["settled_why"], shown["payload"]["case"]["case_id"]) == ("För hand", 2)
    again = run(place, "resend", "3", "17")
    assert again.output == "3: is sent as soon as its turn comes\n"
    assert isinstance(again.exception, IvrdError)
    assert str(again.exception) == "17: was sent already, or is not there"
    assert states(place) == ["waiting", "dropped", "waiting"]
    database = DatabaseConfig(url=f"sqlite+aiosqlite:///{place.parent}/ivrd.sqlite")

    async def acts() -> int:
        async with an_engine(database) as engine:
            return await rows_in(engine, ActRow)

    assert asyncio.run(acts()) == 3


def test_a_wrong_use_changes_nothing(place: Path) -> None:
    for words in (("resend",), ("resend", "1", "--all-dead"), ("drop", "1", "--reason", " ")):
        assert run(place, *words).exit_code != 0
    assert run(place, "show", "17").exit_code != 0
    assert states(place) == ["waiting"] * 3


def test_a_new_secret_is_one_that_signs() -> None:
    told = CliRunner().invoke(cli, ["handover", "secret"]).output.strip()
    assert signing_fault(told) is None
