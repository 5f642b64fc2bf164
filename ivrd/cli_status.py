"""`ivrd status`: the queues as they are now, for people and for scripts.

Here: arguments, asking again, the exit code. Not here: the table (status_table.py) and the way to
the daemon (control.py).

Who watches goes on watching: an ivrd that ends, as at each upgrade, is told as such and asked for
until it is back. Its last figures are not shown meanwhile, because they are no longer known.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.cli_switches import ANSWER_S_MAX, NotRunning, Place, place_of, raise_faults
from ivrd.errors import ConfigError, IvrdError
from ivrd.status_table import Json, away, is_late, objects, table, texts

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one look found."""

    told: Told
    floor: Json
    """Where ivrd could not be asked: no queue, and the reason among its faults."""
    is_there: bool


def _watch(place: Place, queue: str | None, every: float) -> Told:
    """Show it until somebody has seen enough; return how it was at the end."""
    told = Told.UNSURE
    looks = _looks(place, queue, every)
    try:
        first = next(looks)
        with Live(_shown(first, place), auto_refresh=False, screen=True) as live:
            told = first.told
            for look in looks:
                told = look.told
                live.update(_shown(look, place), refresh=True)
    except KeyboardInterrupt:
        pass
    return told


def _stream(place: Place, queue: str | None, every: float) -> Told:
    """Print one JSON object a line until somebody has seen enough."""
    told = Told.UNSURE
    try:
        for look in _looks(place, queue, every):
            told = look.told
            _print(look.floor, place, as_json=True)
    except KeyboardInterrupt:
        pass
    return told


def _looks(place: Place, queue: str | None, every: float) -> Iterator[_Look]:
    """Yield how it is, without end.

    Raises:
        IvrdError: It could never be asked, for a reason that no waiting cures, such as a queue's
            name that is none. Once it has answered, that is told as well, and asked again.
    """
    has_answered = False
    while True:
        try:
            floor = _ask(place, queue)
            has_answered = True
            yield _Look(told=_judge(floor), floor=floor, is_there=True)
        except IvrdError as error:
            is_gone = isinstance(error, NotRunning)
            if not (has_answered or is_gone):
                raise
            told = Told.NOT_RUNNING if is_gone else Told.UNSURE
            yield _Look(told=told, floor=_without(str(error)), is_there=False)
        time.sleep(every)


def _without(fault: str) -> Json:
    return {"queues": [], "lines": [], "faults": [fault]}


def _shown(look: _Look, place: Place) -> RenderableType:
    if look.is_there:
        return table(look.floor, place.zone)
    return away(texts(look.floor["faults"]), datetime.now(place.zone))


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
        IvrdError: It did not answer.
    """
    answer = place.ask({"do": "floor"}, within_s=ANSWER_S_MAX)
    # Without this a daemon that has no time would look like one without queues.
    raise_faults(answer)
    floor = {key: value for key, value in answer.items() if key != "ok"}
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
