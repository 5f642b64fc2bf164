"""What people type about messages to case systems: look, send again, drop; and a new secret.

Here: arguments, and what is printed. Not here: what is done (db/case_message_desk.py).

These act on the database and not on the daemon: they work while it is down too, and a daemon that
runs looks for messages every few seconds.
"""

import asyncio
import json
import os
import pwd
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivrd import config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.config import Config
from ivrd.core.case_messages import OPEN_STATES, MessageState
from ivrd.core.switches import Actor, Origin
from ivrd.db.case_message_desk import MessageDesk, MessageLine
from ivrd.db.connection import open_engine
from ivrd.errors import ConfigError, IvrdError
from ivrd.handover.signing import new_secret

Result = TypeVar("Result")


class Shown(StrEnum):
    """Which messages a list shows."""

    OPEN = "open"
    WAITING = "waiting"
    DEAD = "dead"
    DROPPED = "dropped"
    SENT = "sent"
    ALL = "all"


STATES = {
    Shown.OPEN: OPEN_STATES,
    Shown.ALL: tuple(MessageState),
    **{Shown(state.value): (state,) for state in MessageState},
}

Numbers = Annotated[list[int], typer.Argument(help="Messages, by the number in the list.")]
MaybeNumbers = Annotated[
    list[int] | None, typer.Argument(help="Messages, by the number in the list.")
]
Whom = Annotated[
    str | None,
    typer.Option("--for", envvar="SUDO_USER", help="For whom root acts; sudo says it by itself."),
]
DestinationName = Annotated[
    str | None, typer.Option("--destination", help="Only to this one, as in the configuration.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

cli = typer.Typer(help="Messages to the case systems.", no_args_is_help=True)


@cli.command(name="list")
def show_list(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    state: Annotated[
        Shown, typer.Option(help="open: waiting or dead; or one state; or all.")
    ] = Shown.OPEN,
    destination: DestinationName = None,
    case: Annotated[int | None, typer.Option(help="Only about this case.")] = None,
    as_json: AsJson = False,
) -> None:
    """List messages in the order in which they were written; the first thousand."""
    settings = config.load_for_reports(config_path)
    found = _ask(
        settings,
        lambda desk: desk.messages(states=STATES[state], destination=destination, case_id=case),
    )
    if as_json:
        for one in found:
            typer.echo(json.dumps(asdict(one), ensure_ascii=False, default=_plain))
        return
    _print(found, ZoneInfo(settings.time_zone))


@cli.command()
def show(
    number: Annotated[int, typer.Argument(help="The message, by the number in the list.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Print one message as JSON, with what it tells of its case."""
    settings = config.load_for_reports(config_path)
    found = _ask(settings, lambda desk: desk.message(number))
    if found is None:
        raise ConfigError([f"{number}: there is no message of this number"])
    line, payload = found
    told = asdict(line) | {"payload": json.loads(payload)}
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2, default=_plain))


@cli.command()
def resend(
    numbers: MaybeNumbers = None,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead message.")] = False,
    destination: DestinationName = None,
    reason: Annotated[str, typer.Option(help="Why, if it needs to be said.")] = "",
    whom: Whom = None,
) -> None:
    """Let messages be sent again, as soon as their turn comes; with the same key as before."""
    if bool(numbers) == all_dead:
        raise ConfigError(["say which messages, by their numbers or by --all-dead"])
    settings = config.load_for_reports(config_path)

    async def act(desk: MessageDesk) -> tuple[int, ...]:
        wanted = numbers or [
            one.message_id
            for one in await desk.messages(states=[MessageState.DEAD], destination=destination)
        ]
        done = await desk.resend(wanted, _actor(whom), at=datetime.now(UTC), reason=reason)
        return _said(wanted, done, "is sent as soon as its turn comes")

    _complain_of(_ask(settings, act), "was sent already, or is not there")


@cli.command()
def drop(
    numbers: Numbers,
    reason: Annotated[str, typer.Option(help="Why; whoever misses the case must know.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    whom: Whom = None,
) -> None:
    """Let messages never be sent; the later ones of their cases then go on."""
    if not reason.strip():
        raise ConfigError(["--reason: say why"])
    settings = config.load_for_reports(config_path)

    async def act(desk: MessageDesk) -> tuple[int, ...]:
        done = await desk.drop(numbers, _actor(whom), at=datetime.now(UTC), reason=reason)
        return _said(numbers, done, "is dropped")

    _complain_of(_ask(settings, act), "neither waits nor is dead")


@cli.command()
def secret() -> None:
    """Print a new secret for signatures; it goes into a file on both sides."""
    typer.echo(new_secret())


def _ask(settings: Config, question: Callable[[MessageDesk], Awaitable[Result]]) -> Result:
    """Return what the database says.

    Raises:
        DatabaseError: It cannot be used.
    """

    async def asked() -> Result:
        desk = MessageDesk(open_engine(settings.database))
        try:
            return await question(desk)
        finally:
            await desk.close()

    return asyncio.run(asked())


def _said(wanted: Sequence[int], done: Sequence[int], what: str) -> tuple[int, ...]:
    """Tell of what was done, and return what was not."""
    for number in done:
        typer.echo(f"{number}: {what}")
    return tuple(number for number in wanted if number not in done)


def _complain_of(numbers: Sequence[int], what: str) -> None:
    if numbers:
        raise IvrdError("\n".join(f"{number}: {what}" for number in numbers))


def _actor(whom: str | None) -> Actor:
    """Return who acts: the kernel's word, and for root whom it acts for by its own word."""
    uid = os.getuid()
    name = pwd.getpwuid(uid).pw_name
    is_for = uid == 0 and whom is not None and whom.isprintable()
    return Actor(who=f"{whom} as {name}" if is_for else name, origin=Origin.CONTROL)


def _print(found: Sequence[MessageLine], zone: ZoneInfo) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("number", "to", "case", "what", "state", "since", "tries", "why"):
        table.add_column(heading)
    for one in found:
        since = one.created_at.astimezone(zone)
        why = one.settled_why or one.last_error or ""
        table.add_row(
            str(one.message_id),
            one.destination,
            f"{one.case_id} v{one.version}",
            one.kind,
            one.state.value,
            f"{since:%Y-%m-%d %H:%M:%S}",
            str(one.attempts),
            escape(why),
        )
    Console(soft_wrap=True).print(table if found else "no messages")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
