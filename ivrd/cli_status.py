"""`ivrd status`: the queues as they are now, for people and for scripts.

Here: arguments, asking again, the exit code. Not here: the table (status_table.py) and the way to
the daemon (control.py).
"""

import json
import time
from enum import IntEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_switches import ANSWER_S_MAX, NotRunning, Place, place_of
from ivrd.errors import ConfigError
from ivrd.status_table import Json, is_late, objects, table, texts

WATCH_S_MIN = 0.2


class Told(IntEnum):
    """Exit codes, for scripts; the higher one wins."""

    WELL = 0
    LATE = 10
    """Somebody waits past a queue's goal."""
    UNSURE = 11
    """Some figures are unknown, or something keeps ivrd from its work."""
    NOT_RUNNING = 12


def status(
    queue: Annotated[
        str | None, typer.Argument(help="One queue, by its name; else all of them.")
    ] = None,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it until Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option(min=WATCH_S_MIN, help="Seconds between two looks with --watch.")
    ] = 1.0,
) -> None:
    """Show the queues now. Exit: 0 well, 10 a wait past its goal, 11 unsure, 12 not running."""
    place = place_of(config_path)
    try:
        if watch and not as_json:
            told = _watch(place, queue, every)
        elif watch:
            told = _stream(place, queue, every)
        else:
            floor = _ask(place, queue)
            _print(floor, place, as_json=as_json)
            told = _judge(floor)
    except NotRunning as error:
        typer.echo(f"ivrd: {error}", err=True)
        told = Told.NOT_RUNNING
    raise typer.Exit(told)


def _watch(place: Place, queue: str | None, every: float) -> Told:
    """Show it until somebody has seen enough; return how it was at the end."""
    floor = _ask(place, queue)
    try:
        with Live(table(floor, place.zone), auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(every)
                floor = _ask(place, queue)
                live.update(table(floor, place.zone), refresh=True)
    except KeyboardInterrupt:
        return _judge(floor)


def _stream(place: Place, queue: str | None, every: float) -> Told:
    """Print one JSON object a line until somebody has seen enough."""
    floor: Json = {}
    try:
        while True:
            floor = _ask(place, queue)
            _print(floor, place, as_json=True)
            time.sleep(every)
    except KeyboardInterrupt:
        return _judge(floor)


def _print(floor: Json, place: Place, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(floor, ensure_ascii=False))
    else:
        Console().print(table(floor, place.zone))


def _ask(place: Place, queue: str | None) -> Json:
    """Return the floor; only one queue of it, where that is wished.

    Raises:
        ConfigError: There is no such queue.
        NotRunning: There is no daemon.
    """
    floor = dict(place.ask({"do": "floor"}, within_s=ANSWER_S_MAX))
    del floor["ok"]
    if queue is None:
        return floor
    queues = objects(floor["queues"])
    found = [each for each in queues if each["queue"] == queue]
    if not found:
        known = ", ".join(dict.fromkeys(str(each["queue"]) for each in queues)) or "none"
        raise ConfigError([f"queue: there is no queue {queue!r}; known: {known}"])
    return {**floor, "queues": found}


def _judge(floor: Json) -> Told:
    queues = objects(floor.get("queues"))
    if texts(floor.get("faults")) or not all(each["is_synced"] for each in queues):
        return Told.UNSURE
    return Told.LATE if any(is_late(each) for each in queues) else Told.WELL


def register(cli: typer.Typer) -> None:
    """Add the command to ivrd's command line."""
    cli.command(name="status")(status)
