"""What people type for reports: `ivrd report day`, `week`, `month`.

Here: arguments, and which period they mean. Not here: what is in a report (reports/).
"""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivrd import config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.core.periods import Period, Span, period_of
from ivrd.errors import ConfigError
from ivrd.reports import output
from ivrd.reports.document import Language
from ivrd.reports.history import History
from ivrd.reports.output import Format
from ivrd.reports.reading import read_book
from ivrd.reports.subjects import Wanted

cli = typer.Typer(
    help="Reports of stored calls: history, and what departments pay.", no_args_is_help=True
)


class Tongue(StrEnum):
    """In which language a report is."""

    SV = "sv"
    EN = "en"


DateOption = Annotated[
    str | None,
    typer.Option("--date", help="A date, 2026-W45 or 2026-11 in it; else the last whole one."),
]
QueueOption = Annotated[str | None, typer.Option("--queue", help="Of one queue.")]
LineOption = Annotated[str | None, typer.Option("--line", help="Of one line.")]
GroupOption = Annotated[str | None, typer.Option("--group", help="Of one answer group.")]
DepartmentOption = Annotated[str | None, typer.Option("--department", help="Of one department.")]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Else as the file's name ends, or a table.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="The file to write; else standard output.")
]
LanguageOption = Annotated[Tongue, typer.Option("--language", help="Of words and decimals.")]


@cli.command()
def day(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    when: DateOption = None,
    queue: QueueOption = None,
    line: LineOption = None,
    group: GroupOption = None,
    department: DepartmentOption = None,
    form: FormatOption = None,
    path: OutputOption = None,
    language: LanguageOption = Tongue.SV,
) -> None:
    """Report a day: each figure with its formula."""
    wanted = _wanted(queue, line, group, department)
    _report(config_path, Span.DAY, when, wanted, form=form, path=path, language=language)


@cli.command()
def week(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    when: DateOption = None,
    queue: QueueOption = None,
    line: LineOption = None,
    group: GroupOption = None,
    department: DepartmentOption = None,
    form: FormatOption = None,
    path: OutputOption = None,
    language: LanguageOption = Tongue.SV,
) -> None:
    """Report a week, Monday to Sunday, as `day` does."""
    wanted = _wanted(queue, line, group, department)
    _report(config_path, Span.WEEK, when, wanted, form=form, path=path, language=language)


@cli.command()
def month(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    when: DateOption = None,
    queue: QueueOption = None,
    line: LineOption = None,
    group: GroupOption = None,
    department: DepartmentOption = None,
    form: FormatOption = None,
    path: OutputOption = None,
    language: LanguageOption = Tongue.SV,
) -> None:
    """Report a month, as `day` does."""
    wanted = _wanted(queue, line, group, department)
    _report(config_path, Span.MONTH, when, wanted, form=form, path=path, language=language)


def _report(
    config_path: Path,
    span: Span,
    when: str | None,
    wanted: Wanted,
    *,
    form: Format | None,
    path: Path | None,
    language: Tongue,
) -> None:
    settings = config.load_for_reports(config_path)
    found = output.chosen(form, path)
    zone = ZoneInfo(settings.time_zone)
    now = datetime.now(UTC)
    period = _period(span, when, zone, now)
    book = asyncio.run(read_book(settings, period))
    tongue: Language = "sv" if language is Tongue.SV else "en"
    history = History(settings, book, period, language=tongue, now=now)
    output.write(history.document(wanted), found, path)


def _wanted(
    queue: str | None, line: str | None, group: str | None, department: str | None
) -> Wanted:
    if sum(each is not None for each in (queue, line, group, department)) > 1:
        raise ConfigError(["--queue, --line, --group, --department: take one of them"])
    return Wanted(queue=queue, line=line, group=group, department=department)


def _period(span: Span, when: str | None, zone: ZoneInfo, now: datetime) -> Period:
    """Return the period that was asked for, or the last one that is over."""
    if when is not None:
        return period_of(span, _date(when), zone)
    this = period_of(span, now.astimezone(zone).date(), zone)
    return period_of(span, this.first - timedelta(days=1), zone)


def _date(text: str) -> date:
    """Return a date within what was typed."""
    try:
        if match := re.fullmatch(r"(\d{4})-W(\d{1,2})", text):
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return date.fromisoformat(f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text)
    except ValueError as error:
        raise ConfigError(
            [f"--date: {text!r} is no date such as 2026-11-02, 2026-W45 or 2026-11"]
        ) from error
