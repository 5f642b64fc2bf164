"""`ivrd cases` on a database with cases in it."""

import asyncio
import csv
import io
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ivrd.cli_cases import cli
from ivrd.config import DatabaseConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import CaseRules, Label
from ivrd.db.migrate import migrate
from ivrd.db.store import Store
from ivrd.errors import IvrdError
from tests.integration.db.samples import a_case, a_contact, an_engine

CONFIGURATION = """
[[pbx]]
name = "pbx1"
secret_file = "ami-secret"

[database]
url = "sqlite+aiosqlite:///{directory}/ivrd.sqlite"

[[queues]]
name = "kc"
role = "guide"
service_level_threshold_s = 60

[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = {{ 1 = "kc" }}
stay_choice = "kc"

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"

[[department]]
code = "teknisk"
name_sv = "Tekniska förvaltningen"
name_en = "Technical services"
subject = [ {{ code = "lacka", name_sv = "Vattenläcka", name_en = "Water leak" }} ]
"""

NOW = datetime.now(UTC)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with a configuration, and a database of three calls and an old one."""
    (tmp_path / "ivrd.toml").write_text(CONFIGURATION.format(directory=tmp_path), encoding="utf-8")
    asyncio.run(_fill(DatabaseConfig(url=f"sqlite+aiosqlite:///{tmp_path}/ivrd.sqlite")))
    return tmp_path


async def _fill(config: DatabaseConfig) -> None:
    async with an_engine(config) as engine:
        await migrate(engine)
        store = Store(engine, case_rules=CaseRules())
        ages = (timedelta(hours=3), timedelta(hours=2), timedelta(days=40))
        cases = [replace(a_case(n), at=NOW - age) for n, age in enumerate(ages, start=1)]
        contact = replace(a_contact(4), at=NOW - timedelta(hours=1))
        await store.save_batch([*cases, contact])
        anna = Actor(who="anna", origin=Origin.PAGE)
        act = Label(code="lacka", department="teknisk")
        await store.change_case(1, act, anna, at=NOW, expected_version=1)


def run(directory: Path, *words: str | Path) -> str:
    arguments = [*map(str, words), "--config", str(directory / "ivrd.toml")]
    result = CliRunner().invoke(cli, arguments, env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_list_is_newest_first_and_of_the_last_month(directory: Path) -> None:
    listed = run(directory, "list")
    assert [word for word in ("Vattenläcka", "Tekniska", "Avslutat") if word not in listed] == []
    found = [json.loads(line) for line in run(directory, "list", "--json").splitlines()]
    assert [case["case_class"] for case in found] == ["contact", "resolved", "resolved"]
    waiting = run(directory, "list", "--unlabelled", "--json").splitlines()
    assert [json.loads(line)["state"] for line in waiting] == ["draft"]
    assert "Leak" not in listed
    assert "Water leak" in run(directory, "list", "--english", "--label", "lacka")
    long_ago = (NOW - timedelta(days=50)).date().isoformat()
    assert len(run(directory, "list", "--from", long_ago, "--json").splitlines()) == 4


def test_one_case_is_shown_with_its_history(directory: Path, tmp_path: Path) -> None:
    shown = run(directory, "show", "1")
    assert "anna (page)  Etikett" in shown
    assert "Läge: Utkast → Avslutat" in shown
    told = json.loads(run(directory, "show", "1", "--json"))
    assert [change["what"] for change in told["changes"]] == ["opened", "label"]
    assert told["changes"][1]["after"]["label"] == "lacka"
    assert (told["changes"][1]["by"], told["changes"][1]["from_where"]) == ("anna", "page")
    page = tmp_path / "case.html"
    page.touch(mode=0o644)
    run(directory, "show", "1", "--html", page)
    assert "Vattenläcka" in page.read_text(encoding="utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    run(directory, "list", "--html", page.with_name("list.html"))
    assert stat.S_IMODE(page.with_name("list.html").stat().st_mode) == 0o600
    with pytest.raises(IvrdError, match="there is no case 99"):
        run(directory, "show", "99")


@pytest.mark.parametrize("form", ["csv", "json", "xlsx"])
def test_an_export_is_whole_and_writes_over_nothing(directory: Path, form: str) -> None:
    file = directory / f"cases.{form}"
    assert run(directory, "export", file, "--format", form) == f"3 cases in {file}\n"
    assert sorted(path.name for path in directory.glob("cases*")) == [file.name]
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
        assert [row["label"] for row in rows] == ["", "", "lacka"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(IvrdError, match="it is not written over"):
        run(directory, "export", file, "--format", form)
    assert file.read_bytes() == before


def test_an_export_leaves_the_part_of_another_alone(directory: Path) -> None:
    file, part = directory / "cases.csv", directory / "cases.csv.part"
    part.write_bytes(b"of another")
    with pytest.raises(IvrdError, match="another export"):
        run(directory, "export", file)
    assert (part.read_bytes(), file.exists()) == (b"of another", False)


def test_a_database_that_is_away_is_named(directory: Path) -> None:
    (directory / "ivrd.sqlite").write_bytes(b"this is a text and no database" * 100)
    with pytest.raises(IvrdError, match="not a database"):
        run(directory, "list")


def test_words_need_a_period_that_is_not_too_long(directory: Path) -> None:
    assert run(directory, "list", "--words", "läcka", "--json") == ""
    with pytest.raises(IvrdError, match="within 93 days at most"):
        run(directory, "list", "--words", "x", "--from", "2020-01-01")
