"""Reports of a made-up month on real SQLite and real PostgreSQL, to every kind of file."""

import asyncio
import csv
import io
import json
import math
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.sync_playwright import Axe
from openpyxl import load_workbook
from playwright.sync_api import sync_playwright
from pypdf import PdfReader
from typer.testing import CliRunner

from ivrd.cli import cli
from ivrd.config import DatabaseConfig
from ivrd.core.effects import Disposition, OpenCase, Outcome
from ivrd.db.migrate import migrate
from ivrd.db.store import Store
from ivrd.reports.exports import HEAD_BEFORE
from tests.integration.db.samples import REPOSITORY, a_postgres_config, an_engine
from tests.lab.made_up_month import ZONE, Told, calls
from tests.lab.postgres import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST, LAST = date(2026, 10, 16), date(2026, 11, 3)
PER_WEEK = 250
"""Enough for every kind of call; a Sunday of 25 hours is within. Facts begin on a Friday."""


@pytest.fixture(scope="module")
def told() -> Sequence[Told]:
    return list(calls(FIRST, LAST, per_week=PER_WEEK))


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["sqlite", "postgresql"])
async def config_path(
    request: pytest.FixtureRequest,
    told: Sequence[Told],
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return a configuration whose database holds the made-up calls; nobody changes them."""
    place = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        database = DatabaseConfig(url=f"sqlite+aiosqlite:///{place}/ivrd.sqlite")
    else:
        database = await a_postgres_config(postgres)
    async with an_engine(database) as engine:
        await migrate(engine)
        await Store(engine).save_batch([fact for each in told for fact in each.all()])
    url = f'url = "{database.url}"'
    if database.password is not None:
        (place / "database-password").write_text(database.password.get_secret_value())
        url += '\npassword_file = "database-password"'
    text = (REPOSITORY / "config" / "ivrd.toml").read_text(encoding="utf-8")
    text = re.sub(r'^url = ".*$', lambda _: url, text, count=1, flags=re.M)
    assert tomllib.loads(text)["database"]["url"] == database.url
    for name in ("prompts.toml", "prices.toml"):
        (place / name).write_bytes((REPOSITORY / "config" / name).read_bytes())
    path = place / "ivrd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def report(config_path: Path, *words: str) -> None:
    """Run the command as it is typed."""
    result = CliRunner().invoke(cli, ["report", *words, "--config", str(config_path)])
    assert result.exit_code == 0, result.output or result.exception


def numbers(path: Path, column: str = "value") -> Mapping[tuple[str, str, str, str], str]:
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return {(r["table"], r["subject"], r["part"], r["figure"]): r[column] for r in rows}


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
    cases = sum(isinstance(each.case, OpenCase) for each in outside)
    assert found["department/all", "", "external", "cases"] == str(cases)
    inside = sum(each.call.line == "internt" for each in week)
    assert found["calls/line", "internt", "internal", "calls"] == str(inside)
    # Facts begin in the week before, so nobody knows its figures.
    assert set(numbers(made, "value_before").values()) == {""}
    assert set(numbers(made, "change").values()) == {""}
    after = tmp_path / "after.csv"
    await in_thread(config_path, "week", "--date", "2026-W44", "-o", str(after))
    assert_beside(after, found)


def assert_beside(after: Path, then: Mapping[tuple[str, str, str, str], str]) -> None:
    """Check that a report's figures of the period before are those of that period's own."""
    now, was, change = (numbers(after, each) for each in ("value", "value_before", "change"))
    silent = "guide/queue", "uppsamling", "external"
    for name in now:
        assert was[name] == ("" if name[:3] == silent else then.get(name, was[name]))
    calls_in = "calls/all", "", "external", "calls"
    expected = int(now[calls_in]) / int(then[calls_in]) - 1
    assert float(change[calls_in]) == pytest.approx(expected, abs=1e-6)


def faults_of(page: Path) -> list[str]:
    """Return what axe finds on a page, and what the page's own policy had to forbid."""
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        # The page forbids all scripts, and so axe's.
        shown = browser.new_context(bypass_csp=True).new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.goto(page.as_uri())
        found = Axe().run(shown).response["violations"]
        browser.close()
    return [*said, *(f"{one['id']}: {one['nodes'][0]['html']}" for one in found)]


async def test_every_kind_of_file_holds_the_same_month(config_path: Path, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"month.{kind}" for kind in ("csv", "json", "xlsx")}
    for path in files.values():
        await in_thread(config_path, "month", "--date", "2026-10", "-o", str(path))
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
    assert [cell.value for cell in book["Siffror"][1]][7:] == list(HEAD_BEFORE)
    rows = book["Siffror"].iter_rows(values_only=True)
    assert int(whole) in [row[6] for row in rows if row[1] == "calls/all" and row[4] == "calls"]


@pytest.mark.parametrize("config_path", ["sqlite"], indirect=True)
async def test_a_page_can_be_read_by_everybody_and_printed(
    config_path: Path, tmp_path: Path
) -> None:
    page, printed = tmp_path / "month.html", tmp_path / "queue.pdf"
    await in_thread(config_path, "month", "--date", "2026-10", "-o", str(page))
    await in_thread(config_path, "month", "--date", "2026-10", "--queue", "kc", "-o", str(printed))
    told = page.read_text(encoding="utf-8")
    assert "sön 2026-10-25 (25\u00a0h)" in told
    assert "Ingen jämförelse med 2026-09: inga samtal är lagrade." in told
    assert await asyncio.to_thread(faults_of, page) == []
    first = PdfReader(printed).pages[0]
    assert "Månadsrapport 2026-10" in first.extract_text()
    assert first.mediabox.width < first.mediabox.height, "A4, upright"


def listed(path: Path) -> Sequence[Mapping[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


async def test_departments_pay_for_exactly_the_calls_that_guides_answered(
    config_path: Path, told: Sequence[Told], tmp_path: Path
) -> None:
    sums, calls_path, one = (tmp_path / name for name in ("sums.csv", "calls.csv", "one.csv"))
    month = ("account", "--month", "2026-10")
    await in_thread(config_path, *month, "-o", str(sums))
    calls_path.touch(mode=0o644)
    await in_thread(config_path, *month, "--calls", "-o", str(calls_path))
    # A call's row is of people.
    assert stat.S_IMODE(calls_path.stat().st_mode) == 0o600
    await in_thread(config_path, *month, "--calls", "--department", "teknisk", "-o", str(one))
    guided = {
        each.call.call_id: each
        for each in told
        if each.case is not None and each.call.arrived_at.astimezone(ZONE).month == 10
    }
    rows = {row["call"]: row for row in listed(calls_path)}
    assert rows.keys() == guided.keys()
    for call_id, row in rows.items():
        label = guided[call_id].label
        case = guided[call_id].case
        assert case is not None
        department = label.department if label is not None else case.department
        assert row["department"] == (department or "")
        # 18 kr a call, 7.50 kr a minute by started seconds, 22 kr a case that was resolved.
        seconds = math.ceil(Decimal(row["talk_s"]))
        minutes = (seconds * Decimal("7.50") / 60).quantize(Decimal("0.01"), ROUND_HALF_UP)
        case_kr = Decimal("22.00") if isinstance(case, OpenCase) else Decimal(0)
        assert Decimal(row["kr"]) == Decimal("18.00") + minutes + case_kr
    found = numbers(sums)
    whole = Decimal(found["account/all", "", "all", "cost"])
    departments = {key[1] for key in found if key[0] == "account/department"}
    costs = {name: found["account/department", name, "all", "cost"] for name in departments}
    assert sum(map(Decimal, costs.values())) == whole
    fixed = Decimal("175000.00") + Decimal("216666.67")
    assert whole == fixed + sum(Decimal(row["kr"]) for row in rows.values())
    mine = [row for row in rows.values() if row["department"] == "teknisk"]
    assert listed(one) == mine


def a_late_price(config_path: Path) -> Path:
    """Return a configuration like this one, whose first price holds from 20 October."""
    prices = (config_path.parent / "prices.toml").read_text(encoding="utf-8")
    prices = prices.replace("valid_from = 2026-01-01", "valid_from = 2026-10-20", 1)
    config_path.with_name("late-prices.toml").write_text(prices, encoding="utf-8")
    text = config_path.read_text(encoding="utf-8").replace('"prices.toml"', '"late-prices.toml"')
    late = config_path.with_name("late.toml")
    late.write_text(text, encoding="utf-8")
    return late


async def test_an_account_shows_its_seal_and_stops_without_a_price(
    config_path: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.json" for number in (1, 2)]
    for path in files:
        await in_thread(config_path, "account", "--month", "2026-10", "-o", str(path))
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(json.loads(files[0].read_text(encoding="utf-8"))["facts"]["Sigill"]) == 16
    late = a_late_price(config_path)
    words = ["report", "account", "--month", "2026-10", "--config", str(late)]
    result = await asyncio.to_thread(CliRunner().invoke, cli, words)
    assert result.exit_code != 0
    assert "no price for call holds for" in str(result.exception)
    assert "2026-10-16" in str(result.exception)
