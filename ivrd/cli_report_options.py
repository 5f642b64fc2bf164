"""Options that the commands of reports share, and what they mean.

Here: which period, whose figures, which file. Not here: any command.
"""

import re
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivrd.core.periods import Period, Span, period_of
from ivrd.errors import ConfigError
from ivrd.reports.output import Format


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


def period_typed(
    span: Span, when: str | None, zone: ZoneInfo, now: datetime, *, option: str = "--date"
) -> Period:
    """Return the period that was asked for, or the last one that is over.

    Raises:
        ConfigError: What was typed is no date.
    """
    if when is not None:
        return period_of(span, _date(when, option), zone)
    this = period_of(span, now.astimezone(zone).date(), zone)
    return period_of(span, this.first - timedelta(days=1), zone)


def _date(text: str, option: str) -> date:
    """Return a date within what was typed."""
    try:
        if match := re.fullmatch(r"(\d{4})-W(\d{1,2})", text):
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return date.fromisoformat(f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text)
    except ValueError as error:
        raise ConfigError(
            [f"{option}: {text!r} is no date such as 2026-11-02, 2026-W45 or 2026-11"]
        ) from error
