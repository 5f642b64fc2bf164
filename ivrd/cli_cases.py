"""The command line's part about cases: `ivrd cases list`, `show` and `export`.

Here: arguments and what is printed. Not here: queries (db/case_reads.py), forms of files
(case_files.py), and acts, which go to the running daemon.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from ivrd import config, private_file
from ivrd.case_errors import CaseUnknown
from ivrd.case_files import FileForm, as_json, exported, history_json
from ivrd.case_print import LISTED, Teller, case_page, list_page
from ivrd.case_words import ACTS, FIELDS, Language
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_period import period
from ivrd.config import Config
from ivrd.core.case_record import Case, CaseClass, CaseState
from ivrd.core.case_search import CaseFilter, CaseHistory
from ivrd.db import case_reads
from ivrd.db.connection import reading
from ivrd.errors import ConfigError
from ivrd.labels import label_tree

LOOKS_BACK = timedelta(days=30)
"""Without --from: what people ask about is not older."""

LISTED_MAX = 500

cli = typer.Typer(help="Cases: what guides did for citizens.", no_args_is_help=True)

Since = Annotated[
    str | None, typer.Option("--from", help="Opened from then on; else 30 days back.")
]
Until = Annotated[str | None, typer.Option("--to", help="Opened before then; else now.")]
Agent = Annotated[str | None, typer.Option(help="The guide, by name as in the queue.")]
Line = Annotated[str | None, typer.Option(help="The line, as in the configuration.")]
Department = Annotated[str | None, typer.Option(help="The department's code.")]
LabelCode = Annotated[str | None, typer.Option("--label", help="The label's code.")]
State = Annotated[CaseState | None, typer.Option(help="Where it stands.")]
Class = Annotated[CaseClass | None, typer.Option("--class", help="What it came to.")]
Unlabelled = Annotated[bool, typer.Option("--unlabelled", help="Only those without a label.")]
Words = Annotated[str | None, typer.Option(help="In its note, within 93 days.")]
English = Annotated[bool, typer.Option("--english", help="In English; else in Swedish.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Count = Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="At most so many.")]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write a page to print there.")]


@cli.callback()
def cases() -> None:
    """Cases: what guides did for citizens."""


@cli.command(name="list")
def list_cases(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    since: Since = None,
    until: Until = None,
    agent: Agent = None,
    line: Line = None,
    department: Department = None,
    label: LabelCode = None,
    state: State = None,
    case_class: Class = None,
    is_unlabelled: Unlabelled = False,
    words: Words = None,
    count: Count = 50,
    as_english: English = False,
    has_json: AsJson = False,
    html: HtmlFile = None,
) -> None:
    """List cases and contacts, newest first."""
    settings = config.load_for_reports(config_path)
    begin, end = _period(settings, since, until)
    wanted = CaseFilter(
        agent=agent,
        line=line,
        department=department,
        label=label,
        state=state,
        case_class=case_class,
        is_unlabelled=is_unlabelled,
        words=words,
        since=begin,
        until=end,
    )
    found = asyncio.run(_found(settings, wanted, count))
    if html is not None:
        page = list_page(
            found,
            title="Cases" if as_english else "Ärenden",
            labels=label_tree(settings.department),
            zone=ZoneInfo(settings.time_zone),
            now=datetime.now(UTC),
            language=_language(as_english),
        )
        private_file.replace(html, page.encode())
        typer.echo(f"{len(found)} cases in {html}")
    elif has_json:
        for case in found:
            typer.echo(json.dumps(as_json(case), ensure_ascii=False))
    else:
        _print(found, _teller(settings, as_english))


@cli.command()
def show(
    case_id: Annotated[int, typer.Argument(help="The case's number.", min=1)],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_english: English = False,
    has_json: AsJson = False,
    html: HtmlFile = None,
) -> None:
    """Show one case with every change of it."""
    settings = config.load_for_reports(config_path)
    history = asyncio.run(_history(settings, case_id))
    if html is not None:
        page = case_page(
            history,
            labels=label_tree(settings.department),
            zone=ZoneInfo(settings.time_zone),
            now=datetime.now(UTC),
            language=_language(as_english),
        )
        private_file.replace(html, page.encode())
        typer.echo(f"case {case_id} in {html}")
    elif has_json:
        typer.echo(json.dumps(history_json(history), ensure_ascii=False))
    else:
        _print_history(history, _teller(settings, as_english))


@cli.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    form: Annotated[FileForm, typer.Option("--format", help="Its form.")] = FileForm.CSV,
    since: Since = None,
    until: Until = None,
    line: Line = None,
    department: Department = None,
    state: State = None,
    case_class: Class = None,
) -> None:
    """Write cases and contacts to a file; CSV and JSON take any number of them."""
    settings = config.load_for_reports(config_path)
    begin, end = _period(settings, since, until)
    wanted = CaseFilter(
        line=line,
        department=department,
        state=state,
        case_class=case_class,
        since=begin,
        until=end,
    )
    if file.exists():
        raise ConfigError([f"{file}: is there already; it is not written over"])
    count = asyncio.run(_export(settings, wanted, form, file))
    typer.echo(f"{count} cases in {file}")


async def _found(settings: Config, wanted: CaseFilter, count: int) -> tuple[Case, ...]:
    async with reading(settings.database) as engine:
        return (await case_reads.search(engine, wanted, count_max=count)).cases


async def _history(settings: Config, case_id: int) -> CaseHistory:
    async with reading(settings.database) as engine:
        found = await case_reads.case_of(engine, case_id)
    if found is None:
        raise CaseUnknown(f"there is no case {case_id}")
    return found


async def _export(settings: Config, wanted: CaseFilter, form: FileForm, file: Path) -> int:
    """Write the file, whole or not at all; return how many cases are in it."""
    count = 0

    async def counted(cases: AsyncIterator[Case]) -> AsyncIterator[Case]:
        nonlocal count
        async for case in cases:
            count += 1
            yield case

    part = file.with_name(f"{file.name}.part")
    async with reading(settings.database) as engine:
        parts = exported(counted(case_reads.all_of(engine, wanted)), form)
        try:
            written = private_file.create(part)
        except FileExistsError as error:
            told = f"{part}: is of another export, which still goes on or was killed"
            raise ConfigError([told]) from error
        try:
            async with aclosing(parts):
                with written:
                    async for some in parts:
                        written.write(some)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    return count


def _period(settings: Config, since: str | None, until: str | None) -> tuple[datetime, datetime]:
    """Return the two ends; as `cli_period.period`, but for what is not said at all."""
    now = datetime.now(UTC)
    if since is None and until is None:
        return now - LOOKS_BACK, now
    begin, end = period(since, until, zone=ZoneInfo(settings.time_zone), now=now)
    return begin, now if until is None else end


def _language(as_english: bool) -> Language:
    return "en" if as_english else "sv"


def _teller(settings: Config, as_english: bool) -> Teller:
    zone = ZoneInfo(settings.time_zone)
    return Teller(label_tree(settings.department), zone, _language(as_english))


def _print(found: tuple[Case, ...], teller: Teller) -> None:
    table = Table(*(FIELDS[name][teller.language] for name in LISTED))
    for case in found:
        table.add_row(*(teller.told(name, getattr(case, name)) for name in LISTED))
    console = Console()
    console.print(table, markup=False)
    console.print(f"{len(found)}", markup=False)


def _print_history(history: CaseHistory, teller: Teller) -> None:
    for name, words in FIELDS.items():
        told = teller.told(name, getattr(history.case, name))
        typer.echo(f"{words[teller.language]}: {told}")
    typer.echo()
    for change in history.changes:
        what = ACTS.get(change.what, {}).get(teller.language, change.what)
        at = teller.told("at", change.at)
        typer.echo(f"{at}  {change.by.who} ({change.by.origin.value})  {what}")
        for line in teller.changes(change):
            typer.echo(f"    {line}")
