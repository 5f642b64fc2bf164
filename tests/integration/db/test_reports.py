"""Reports of a made-up month on real SQLite and real PostgreSQL, to every kind of file."""

import asyncio
import csv
import io
import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from ivrd.cli import cli
from ivrd.core.effects import Disposition, Outcome
from ivrd.db.store import Store
from tests.integration.db.samples import REPOSITORY, Database
from tests.lab.made_up_month import ZONE, Told, calls

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST, LAST = date(2026, 10, 19), date(2026, 11, 3)
PER_WEEK = 400
"""Enough for every kind of call; a Sunday of 25 hours is within."""


@pytest.fixture(scope="module")
def told() -> Sequence[Told]:
    return list(calls(FIRST, LAST, per_week=PER_WEEK))


@pytest_asyncio.fixture(loop_scope="session")
async def config_path(
    engine: AsyncEngine, database: Database, told: Sequence[Told], tmp_path: Path
) -> Path:
    """Return a configuration whose database holds the made-up calls."""
    await Store(engine).save_batch([fact for each in told for fact in each.all()])
    text = (REPOSITORY / "config" / "ivrd.toml").read_text(encoding="utf-8")
    place = f'url = "{database.config.url}"'
    if database.config.password is not None:
        (tmp_path / "database-password").write_text(database.config.password.get_secret_value())
        place += '\npassword_file = "database-password"'
    text = re.sub(r'^url = ".*$', lambda _: place, text, flags=re.M)
    (tmp_path / "prompts.toml").write_bytes((REPOSITORY / "config/prompts.toml").read_bytes())
    path = tmp_path / "ivrd.toml"
    path.write_text(text, encoding="utf-8")
    assert tomllib.loads(text)["database"]["url"] == database.config.url
    return path


def report(config_path: Path, *words: str) -> None:
    """Run the command as it is typed."""
    result = CliRunner().invoke(cli, ["report", *words, "--config", str(config_path)])
    assert result.exit_code == 0, result.output or result.exception


def numbers(path: Path) -> Mapping[tuple[str, str, str, str], str]:
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return {(r["table"], r["subject"], r["part"], r["figure"]): r["value"] for r in rows}


async def in_thread(config_path: Path, *words: str) -> None:
    await asyncio.to_thread(report, config_path, *words)


async def test_a_week_says_what_was_stored(
    config_path: Path, told: Sequence[Told], tmp_path: Path
) -> None:
    made = tmp_path / "week.csv"
    await in_thread(config_path, "week", "--date", "2026-W43", "-o", str(made))
    week = [
        each
        for each in told
        if date(2026, 10, 19) <= each.call.arrived_at.astimezone(ZONE).date() <= date(2026, 10, 25)
    ]
    outside = [each for each in week if each.call.line != "internt"]
    found = numbers(made)
    outcomes = Counter(each.call.outcome for each in outside)
    assert found["calls/all", "", "external", "calls"] == str(len(outside))
    for outcome in (Outcome.RESOLVED, Outcome.ABANDONED, Outcome.SWITCHBOARD, Outcome.CLOSED):
        assert found["calls/all", "", "external", f"calls_{outcome}"] == str(outcomes[outcome])
    kc = [entry for each in outside for entry in each.entries if entry.queue == "kc"]
    answered = sorted(
        entry.wait for entry in kc if entry.disposition is Disposition.ANSWERED and entry.wait
    )
    assert found["guide/queue", "kc", "external", "offered"] == str(len(kc))
    assert found["guide/queue", "kc", "external", "answered"] == str(len(answered))
    longest = found["guide/queue", "kc", "external", "wait_longest"]
    assert float(longest) == answered[-1].total_seconds()
    cases = sum(each.case is not None for each in outside)
    assert found["department/all", "", "external", "cases"] == str(cases)
    inside = sum(each.call.line == "internt" for each in week)
    assert found["calls/line", "internt", "internal", "calls"] == str(inside)


async def test_every_kind_of_file_holds_the_same_month(config_path: Path, tmp_path: Path) -> None:
    month = ("month", "--date", "2026-10")
    files = {kind: tmp_path / f"month.{kind}" for kind in ("csv", "json", "xlsx", "html", "pdf")}
    for path in files.values():
        await in_thread(config_path, *month, "-o", str(path))
    found = numbers(files["csv"])
    whole = found["calls/all", "", "external", "calls"]
    told = json.loads(files["json"].read_text(encoding="utf-8"))
    by_name = [
        one["value"]
        for one in told["numbers"]
        if (one["table"], one["figure"]) == ("calls/all", "calls")
    ]
    assert by_name == [int(whole)]
    book = load_workbook(io.BytesIO(files["xlsx"].read_bytes()))
    assert {"Samtal per linje", "Vägledning", "Växel", "Siffror", "Formler"} <= set(book.sheetnames)
    rows = book["Siffror"].iter_rows(values_only=True)
    assert int(whole) in [row[6] for row in rows if row[1] == "calls/all" and row[4] == "calls"]
    page = files["html"].read_text(encoding="utf-8")
    assert "sön 2026-10-25 (25 h)" in page
    printed = PdfReader(files["pdf"])
    assert "Månadsrapport 2026-10" in printed.pages[0].extract_text()
    assert printed.pages[0].mediabox.width < printed.pages[0].mediabox.height, "A4, upright"


async def test_the_same_week_twice_is_the_same_file(config_path: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in (1, 2)]
    for path in files:
        await in_thread(config_path, "week", "--date", "2026-W43", "-o", str(path))
    assert files[0].read_bytes() == files[1].read_bytes()
