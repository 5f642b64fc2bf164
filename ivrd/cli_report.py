"""What people type for reports: `ivrd report day`, `week`, `month`.

Here: arguments, and which period they mean. Not here: what is in a report (reports/).
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from ivrd import cli_account, config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_report_options import (
    DateOption,
    DepartmentOption,
    FormatOption,
    GroupOption,
    LanguageOption,
    LineOption,
    OutputOption,
    QueueOption,
    Tongue,
    period_typed,
)
from ivrd.config import Config
from ivrd.core.period_change import period_before
from ivrd.core.periods import Period, Span
from ivrd.errors import ConfigError
from ivrd.reports import output
from ivrd.reports.comparison import Stored
from ivrd.reports.document import Language
from ivrd.reports.history import History
from ivrd.reports.output import Format
from ivrd.reports.reading import known_since, read_book
from ivrd.reports.subjects import Wanted

cli = typer.Typer(
    help="Reports of stored calls: history, and what departments pay.", no_args_is_help=True
)

cli.command()(cli_account.account)


def _add(span: Span, word: str, told_as: str) -> None:
    @cli.command(name=word, help=told_as)
    def command(
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
        wanted = _wanted(queue, line, group, department)
        _report(config_path, span, when, wanted, form=form, path=path, language=language)


_add(Span.DAY, "day", "Report a day: each figure with its formula.")
_add(Span.WEEK, "week", "Report a week, Monday to Sunday, as `day` does.")
_add(Span.MONTH, "month", "Report a month, as `day` does.")


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
    period = period_typed(span, when, zone, now)
    stored = asyncio.run(_stored(settings, period))
    tongue: Language = "sv" if language is Tongue.SV else "en"
    history = History(settings, stored, period, language=tongue, now=now)
    output.write(history.document(wanted), found, path)


async def _stored(settings: Config, period: Period) -> Stored:
    return Stored(
        book=await read_book(settings, period),
        before=await read_book(settings, period_before(period)),
        known_since=await known_since(settings),
    )


def _wanted(
    queue: str | None, line: str | None, group: str | None, department: str | None
) -> Wanted:
    if sum(each is not None for each in (queue, line, group, department)) > 1:
        raise ConfigError(["--queue, --line, --group, --department: take one of them"])
    return Wanted(queue=queue, line=line, group=group, department=department)
