"""What people type for what departments pay: `ivrd report account`.

Here: arguments. Not here: prices and sums (core/), looks (reports/account.py).
"""

import asyncio
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivrd import config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_report_options import (
    DepartmentOption,
    FormatOption,
    LanguageOption,
    OutputOption,
    Tongue,
    period_typed,
)
from ivrd.config import Config
from ivrd.core.account import account_of
from ivrd.core.periods import Period, Span
from ivrd.core.usage import Usage, usage_of
from ivrd.errors import ConfigError
from ivrd.reports import output
from ivrd.reports.account import AccountReport
from ivrd.reports.account_exports import missing_words, seal_of_bytes
from ivrd.reports.document import Language
from ivrd.reports.reading import house_of, stored_calls

MISSING_SHOWN = 20
"""Missing prices that are named; the rest is counted."""


def account(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    month: Annotated[
        str | None, typer.Option("--month", help="As 2026-11; else the last whole one.")
    ] = None,
    department: DepartmentOption = None,
    calls: Annotated[bool, typer.Option("--calls", help="List each call behind the sums.")] = False,
    form: FormatOption = None,
    path: OutputOption = None,
    language: LanguageOption = Tongue.SV,
) -> None:
    """Account a month: what each department used and pays, down to the call."""
    settings = config.load_for_reports(config_path)
    if settings.price_list is None:
        raise ConfigError([f"{config_path}: price_list is not set; what is anybody to pay?"])
    price_path = config_path.parent / settings.price_list
    names = department_names(settings, language)
    prices = config.load_prices(price_path, departments=list(names))
    found = output.chosen(form, path)
    now = datetime.now(UTC)
    period = period_typed(Span.MONTH, month, ZoneInfo(settings.time_zone), now, option="--month")
    usages = asyncio.run(_usages(settings, period))
    made = account_of(usages, prices, period.first)
    if made.missing:
        words = [f"{price_path}: {missing_words(each)}" for each in made.missing[:MISSING_SHOWN]]
        more = len(made.missing) - MISSING_SHOWN
        raise ConfigError([*words, f"and {more} more"] if more > 0 else words)
    if department is not None and department not in {*names, *made.departments}:
        known = ", ".join(names or made.departments)
        raise ConfigError([f"--department: none has the code {department!r}; known: {known}"])
    tongue: Language = "sv" if language is Tongue.SV else "en"
    report = AccountReport(
        made,
        period,
        names=names,
        prices_seal=seal_of_bytes(price_path.read_bytes()),
        is_over=now >= period.until,
        language=tongue,
    )
    output.write(report.document(department, with_calls=calls), found, path)


def department_names(settings: Config, language: Tongue) -> dict[str, str]:
    """Return the departments' names by code."""
    return {
        each.code: each.name_sv if language is Tongue.SV else each.name_en or each.name_sv
        for each in settings.department
    }


async def _usages(settings: Config, period: Period) -> list[Usage]:
    house = house_of(settings)
    found = [usage_of(call, house) async for call in stored_calls(settings, period)]
    return [usage for usage in found if usage is not None]
