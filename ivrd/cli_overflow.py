"""What people type about overflow: why a call was moved, orders by hand, and rehearsals.

Here: arguments, and what is printed. Not here: the sentences (overflow_words.py), and rehearsals
(cli_rehearse.py).
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivrd import config, overflow_words
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_rehearse import rehearse
from ivrd.cli_switches import Reason, Seen, Whom, WhyNot, act, place_of
from ivrd.config import DatabaseConfig
from ivrd.core.decisions import RecordDecision
from ivrd.core.ids import CallId
from ivrd.db.connection import DATABASE_ERRORS, open_engine, reason_of
from ivrd.db.decisions import calls_named, decisions_about
from ivrd.errors import ConfigError, IvrdError

MOVE_S_MAX = 15.0
"""A move is waited for some seconds (overflow_orders.LANDING_S_MAX)."""


class Stands(StrEnum):
    """What a rule can be switched to."""

    ON = "on"
    OFF = "off"
    DRY_RUN = "dry-run"
    FORCED = "forced"
    RELEASE = "release"
    UNDO = "undo"


RuleName = Annotated[str, typer.Argument(help="The rule, as in the configuration.")]
StandName = Annotated[
    Stands,
    typer.Argument(
        help="on, off, dry-run (decides, and moves nobody), forced (in force whatever the figures"
        " say); release: as configured; undo: as before."
    ),
]
MaybeUntil = Annotated[
    str, typer.Option(help='Its end: "2026-11-21 18:00", or 18:00 for today; local time.')
]
ToQueue = Annotated[str, typer.Option("--to", help="The queue, as in the configuration.")]

CallName = Annotated[str, typer.Argument(help="The call's id, or what stands after its slash.")]

cli = typer.Typer(help="Why calls move between queues, and moves by hand.", no_args_is_help=True)


@cli.callback()
def overflow() -> None:
    """Why calls move between queues, and moves by hand."""


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


@cli.command()
def move(
    call: CallName,
    to: ToQueue,
    reason: Reason,
    config_path: ConfigPath = DEFAULT_CONFIG,
    whom: Whom = None,
) -> None:
    """Move one waiting caller to another queue, to the place that the first arrival gives there."""
    question: dict[str, object] = {"do": "move", "call": call, "to": to, "reason": reason}
    if whom is not None:
        question["for"] = whom
    answer = place_of(config_path).ask(question, within_s=MOVE_S_MAX)
    if not answer.get("ok"):
        raise IvrdError(f"{call}: {answer.get('text')}")
    typer.echo(f"{call}: {answer['text']}")


@cli.command()
def rule(
    name: RuleName,
    stand: StandName,
    until: MaybeUntil = "",
    reason: WhyNot = "",
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Switch a rule until then; after that it follows its configuration again."""
    place = place_of(config_path)
    question: dict[str, object] = {"name": name}
    match stand:
        case Stands.UNDO:
            question |= {"do": "undo", "kind": "rule"}
        case Stands.RELEASE:
            question |= {"do": "rule_release", "reason": reason}
        case _:
            if not until:
                raise ConfigError(["--until: say when it ends; what lasts is configured"])
            word = stand.value.replace("-", "_")
            end = place.moment(until).isoformat()
            question |= {"do": "rule_set", "stand": word, "until": end, "reason": reason}
    act(place, question, seen=seen, whom=whom)


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
