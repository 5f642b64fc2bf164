"""What people type about access: a new token, and who leads the shift.

Here: arguments, and what is printed. Not here: rights (access/rights.py) and rotas (shifts.py).
"""

import json
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivrd import config
from ivrd.access.book import shifts_of
from ivrd.access.rights import Role
from ivrd.access.shifts import LeadDay, leads_at, week_of
from ivrd.access.tokens import fingerprint, new_token
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.config import TokenConfig
from ivrd.config.faults import readable
from ivrd.config.hours import WEEKDAYS, shown
from ivrd.errors import ConfigError

token = typer.Typer(help="Tokens of people and programs.", no_args_is_help=True)


class RoleName(StrEnum):
    """As in the configuration."""

    GUIDE = Role.GUIDE.value
    VIEWER = Role.VIEWER.value
    SUPERVISOR = Role.SUPERVISOR.value
    ADMINISTRATOR = Role.ADMINISTRATOR.value


@token.callback()
def tokens() -> None:
    """Tokens of people and programs."""


@token.command(name="new")
def token_new(
    name: Annotated[str, typer.Option(help="Who it is for, as the audit shows it.")],
    role: Annotated[RoleName, typer.Option(help="What they may do.")],
    line: Annotated[
        list[str] | None, typer.Option(help="Only this line; may be given several times.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="The member name in queues, of somebody who takes calls.")
    ] = None,
) -> None:
    """Print a new token, once, and the entry that the configuration needs for it."""
    text = new_token()
    try:
        entry = TokenConfig(
            name=name,
            role=role.value,
            lines=tuple(line or ()),
            agent=agent,
            sha256=fingerprint(text),
        )
    except ValidationError as error:
        raise ConfigError([f"--{fault}" for fault in readable(error)]) from error
    typer.echo("# The token, for its owner only; it is shown this once:", err=True)
    typer.echo(text)
    typer.echo("# For the configuration; then `ivrd reload`:", err=True)
    typer.echo(_entry_text(entry))


def _entry_text(entry: TokenConfig) -> str:
    lines = ["[[access.token]]", f"name = {_quoted(entry.name)}", f'role = "{entry.role}"']
    if entry.lines:
        lines.append(f"lines = [{', '.join(_quoted(name) for name in entry.lines)}]")
    if entry.agent is not None:
        lines.append(f"agent = {_quoted(entry.agent)}")
    return "\n".join([*lines, f'sha256 = "{entry.sha256}"'])


def _quoted(text: str) -> str:
    """Return a text as TOML's basic string, of which JSON's is a part."""
    return json.dumps(text, ensure_ascii=False)


def shift(
    week: Annotated[
        str | None, typer.Option(help="A week such as 2026-W48, or a date in it; none: this one.")
    ] = None,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Print who leads the shift, day by day, and who does now."""
    settings = config.load(config_path, with_secrets=False)
    zone = ZoneInfo(settings.time_zone)
    now = datetime.now(UTC)
    monday = _monday_of(week, now.astimezone(zone).date())
    shifts = shifts_of(settings.access.shift)
    if not shifts:
        raise ConfigError([f"{config_path}: there is no [[access.shift]]"])
    days = list(week_of(shifts, monday))
    leads = leads_at(shifts, now, zone)
    if as_json:
        typer.echo(json.dumps({"now": leads, "days": [_told(day) for day in days]}))
        return
    table = Table("shift", "day", "date", "lead", "hours", "why")
    for day in days:
        table.add_row(
            day.shift,
            WEEKDAYS[day.day.weekday()],
            day.day.isoformat(),
            escape(day.person or "nobody") if day.hours else "",
            ", ".join(shown(each) for each in day.hours),
            escape(day.reason),
        )
    Console().print(table)
    for each in shifts:
        typer.echo(f"{each.name}: {leads.get(each.name, 'nobody')} leads now")


def _told(day: LeadDay) -> dict[str, object]:
    return {
        "shift": day.shift,
        "date": day.day.isoformat(),
        "person": day.person if day.hours else None,
        "hours": [shown(each) for each in day.hours],
        "reason": day.reason,
    }


def _monday_of(week: str | None, today: date) -> date:
    """Return the Monday of a week.

    Raises:
        ConfigError: The text names none.
    """
    try:
        day = today if week is None else date.fromisoformat(week)
    except ValueError as error:
        told = f"--week: {week!r} is no week such as 2026-W48, and no date such as 2026-11-23"
        raise ConfigError([told]) from error
    return day - timedelta(days=day.weekday())
