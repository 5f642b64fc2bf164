"""`ivrd hours`: a year of opening hours.

Here: arguments, and whose hours are meant. Not here: the year (core/hours_preview.py) and its words
(hours_report.py).
"""

from datetime import datetime
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo

import typer

from ivrd import config, hours_report
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.config import Config
from ivrd.core import hours_preview
from ivrd.errors import ConfigError
from ivrd.red_days import marks
from ivrd.schedules import schedules


def hours(
    name: Annotated[str, typer.Argument(help="A line, a queue, or a table of hours.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    year: Annotated[
        int | None, typer.Option(min=2020, max=2099, help="Which year; else this one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a year of opening hours: what differs from the week, and what makes no sense."""
    settings = config.load(config_path, with_secrets=False)
    schedule = schedules(settings.hours)[_hours_of(settings, name)]
    zone = ZoneInfo(settings.time_zone)
    shown = year or datetime.now(zone).year
    # A day of the years beside it may make a bridge day of the first or the last.
    days = marks(shown - 1, shown + 1)
    preview = hours_preview.preview(schedule, days, year=shown, zone=zone)
    as_words = hours_report.as_json if as_json else hours_report.as_text
    typer.echo(as_words(preview), nl=as_json)


def _hours_of(settings: Config, name: str) -> str:
    """Return the table of hours that a line or a queue follows, or the name itself."""
    followed = {queue.name: queue.hours for queue in settings.queues}
    followed.update({line.name: line.hours for line in settings.lines})
    known = [one.name for one in settings.hours]
    if name in followed and followed[name] is None and name not in known:
        _fail(f"{name}: has no hours, and is always open")
    found = followed.get(name) or name
    if found not in known:
        _fail(f"no line, queue or hours are named {name!r}; hours: {', '.join(known) or 'none'}")
    return found


def _fail(text: str) -> NoReturn:
    raise ConfigError([text])
