"""What is typed about personal data: keys, what is held of a caller, erasing, purging.

Here: arguments, and what is printed. Not here: what is done (person_file.py, retention.py).

Who asks is the user of this machine, or whom root acts for; whoever can read the key file is an
administrator. Numbers may be written as people write them.
"""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from ivrd import config, person_file, private_file, retention
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.config import Config
from ivrd.db.purge import Gone
from ivrd.errors import ConfigError, IvrdError
from ivrd.person_file import PersonDesk, Reader
from ivrd.privacy.sealing import new_key_line
from ivrd.protected_file import ProtectedFile

T = TypeVar("T")

Number = Annotated[str, typer.Argument(help="The telephone number, in any form.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with your name.")]
Whom = Annotated[
    str | None,
    typer.Option("--for", envvar="SUDO_USER", help="For whom root acts; sudo says it by itself."),
]
Rewrite = Annotated[
    bool, typer.Option("--rewrite", help="Rewrite the tables' files too; locks them meanwhile.")
]

key = typer.Typer(help="Keys that callers' numbers are sealed with.", no_args_is_help=True)
person = typer.Typer(help="What is held of one caller.", no_args_is_help=True)


@key.command(name="new")
def key_new() -> None:
    """Print a line with a new key; the newest stands first in the key file."""
    typer.echo(new_key_line(datetime.now(UTC)))


@person.command(name="export")
def export(
    number: Number,
    reason: Why,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    page: Annotated[
        Path | None, typer.Option(help="Write a page for the person there, instead of JSON.")
    ] = None,
    whom: Whom = None,
) -> None:
    """Print all that is held of a number, as JSON."""
    settings = config.load(config_path)
    by = _reader(reason, whom)
    file = _at_desk(settings, lambda desk: desk.export(number, by, at=datetime.now(UTC)))
    if page is None:
        typer.echo(person_file.as_json(file))
        return
    write_private(page, person_file.as_page(file))
    rows = sum(len(each) for each in file.rows.values())
    typer.echo(f"{page}: {rows} rows of {len(file.rows)} tables")


@person.command(name="erase")
def erase(
    number: Number,
    reason: Why,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    whom: Whom = None,
) -> None:
    """Clear number, keys and notes of all that is held of a number; figures stay."""
    settings = config.load(config_path)
    by = _reader(reason, whom)
    done = _at_desk(settings, lambda desk: desk.erase(number, by, at=datetime.now(UTC)))
    rows = ", ".join(f"{count} {table}" for table, count in sorted(done.rows.items()))
    typer.echo(f"cleared: {rows or 'nothing was held'}; {done.wiped}")
    if not done.is_journal_clean:
        directory = settings.journal.directory
        raise IvrdError(f"{directory}: still holds facts of it; start ivrd, and erase again")


@person.command(name="number")
def show_number(
    call_id: Annotated[str, typer.Argument(help="The call, such as pbx1/1772442000.1.")],
    reason: Why,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    whom: Whom = None,
) -> None:
    """Print the number of one call in clear; who asked, and why, is kept."""
    settings = config.load(config_path)
    by = _reader(reason, whom)
    number = _at_desk(settings, lambda desk: desk.number_of(call_id, by, at=datetime.now(UTC)))
    if number is None:
        raise IvrdError(f"{call_id}: no number is held of it")
    typer.echo(number)


@person.command(name="protect")
def protect(
    number: Number,
    reason: Why,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Protect it no more.")] = False,
    whom: Whom = None,
) -> None:
    """Keep nothing of calls from a number but that there was one (skyddad identitet)."""
    settings = config.load(config_path)
    by = _reader(reason, whom)
    what = "unprotect" if undo else "protect"

    async def change(desk: PersonDesk) -> bool:
        hashes = desk.hashes(number)
        await desk.note(what, by, at=datetime.now(UTC))
        file = ProtectedFile(settings.state_directory)
        # Undone by every secret; added by the newest one.
        return file.change(remove=hashes) if undo else file.change(add=hashes[:1])

    is_new = _at_desk(settings, change)
    typer.echo(f"{what}ed" if is_new else "nothing has changed")


def purge(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    rewrite: Rewrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take away what is older than its retention lets it be kept, field by field."""
    settings = config.load(config_path)
    purged = asyncio.run(
        retention.run(settings, now=datetime.now(UTC), is_dry_run=dry_run, is_rewritten=rewrite)
    )
    if as_json:
        rows = [_plain(one) for one in purged.gone]
        document = {"is_dry_run": dry_run, "gone": rows, "wiped": purged.wiped}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    table = Table("table", "field", "older than", "would go" if dry_run else "gone")
    for one in purged.gone:
        table.add_row(one.table, one.field, f"{one.before:%Y-%m-%d}", str(one.rows))
    Console().print(table)
    if purged.wiped:
        typer.echo(purged.wiped)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read.

    Raises:
        ConfigError: It is there already, perhaps with other readers.
    """
    try:
        file = private_file.create(path)
    except FileExistsError as error:
        raise ConfigError([f"{path}: is there already; it is not written over"]) from error
    with file:
        file.write(text.encode())


def _plain(one: Gone) -> dict[str, str | int]:
    return {
        "table": one.table,
        "field": one.field,
        "rows": one.rows,
        "before": one.before.isoformat(),
    }


def _reader(why: str, whom: str | None) -> Reader:
    user = getpass.getuser()
    who = user if whom is None or whom == user else f"{whom} as {user}"
    return Reader(who=who, role="administrator", why=why)


def _at_desk(settings: Config, work: Callable[[PersonDesk], Awaitable[T]]) -> T:
    async def run() -> T:
        desk = PersonDesk(settings)
        try:
            return await work(desk)
        finally:
            await desk.close()

    return asyncio.run(run())
