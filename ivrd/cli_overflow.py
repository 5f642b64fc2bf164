"""What people type about overflow: why a call was moved, and what another rule would do.

Here: arguments, and what is printed. Not here: the sentences (overflow_words.py), and rehearsals
(cli_rehearse.py).
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivrd import config, overflow_words
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_rehearse import rehearse
from ivrd.config import DatabaseConfig
from ivrd.core.decisions import RecordDecision
from ivrd.core.ids import CallId
from ivrd.db.connection import DATABASE_ERRORS, open_engine, reason_of
from ivrd.db.decisions import calls_named, decisions_about
from ivrd.errors import ConfigError, IvrdError

CallName = Annotated[str, typer.Argument(help="The call's id, or what stands after its slash.")]

cli = typer.Typer(help="Why calls move between queues.", no_args_is_help=True)


@cli.callback()
def overflow() -> None:
    """Why calls move between queues."""


cli.command()(rehearse)


@cli.command()
def explain(
    call: CallName,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print what was decided about a call: when, by which rule or whom, and by which figures."""
    settings = config.load(config_path)
    call_id, decisions = asyncio.run(_about(settings.database, call))
    if as_json:
        typer.echo(overflow_words.as_json(call_id, decisions))
        return
    for line in overflow_words.sentences(call_id, decisions, ZoneInfo(settings.time_zone)):
        typer.echo(line)


async def _about(database: DatabaseConfig, call: str) -> tuple[CallId, Sequence[RecordDecision]]:
    """Return which call is meant, and what was decided about it.

    Raises:
        ConfigError: None is, or several are.
        IvrdError: The database cannot be read.
    """
    engine = open_engine(database)
    try:
        found = await calls_named(engine, call)
        if len(found) > 1:
            raise ConfigError([f"{call!r} names several calls: {', '.join(found)}"])
        if not found:
            told = "no call that has ended has this id, and nothing was decided about one"
            raise ConfigError([f"{call!r}: {told}"])
        return found[0], await decisions_about(engine, found[0])
    except DATABASE_ERRORS as error:
        raise IvrdError(f"database: {reason_of(error)}") from error
    finally:
        await engine.dispose()
