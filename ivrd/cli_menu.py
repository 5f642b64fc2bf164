"""The command line's part about menus: `ivrd menu check`, `try` and `show`.

Here: arguments, keys that a person types, what is printed. Not here: what is found (menu_check.py),
a call's way (core/route.py), the drawing (menu_tree.py, menu_svg.py), and exit codes (cli.py).
"""

import json
from collections import deque
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ivrd import config
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath
from ivrd.config import Config
from ivrd.core.menu_walk import PAUSE
from ivrd.core.route import SILENCE, TYPED, answer_from, walk
from ivrd.core.route_steps import HANG_UP, Ended, Forced, Listens, Step, Waits
from ivrd.core.switches import Stand
from ivrd.errors import ConfigError
from ivrd.menu_check import check_menus
from ivrd.menu_faults import Finding, Severity
from ivrd.menu_svg import menu_svg
from ivrd.menu_tree import menu_tree
from ivrd.menu_try import Call, Circumstances, as_json, call_at, tell

FAILED = 1

DEFAULT_SOUNDS = Path("/var/lib/asterisk/sounds")

FORCED_FOR = timedelta(hours=1)
"""A try ends long before."""


class ForcedTo(StrEnum):
    """What a supervisor can force a line to be."""

    OPEN = "open"
    CLOSED = "closed"


cli = typer.Typer(
    help="The menus: what is wrong with them, a call on paper, a drawing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

SoundsPath = Annotated[
    Path,
    typer.Option("--sounds", help="Asterisk's sounds (`core show settings`: astdatadir/sounds)."),
]


@cli.command()
def check(
    config_path: ConfigPath = DEFAULT_CONFIG,
    sounds: SoundsPath = DEFAULT_SOUNDS,
    *,
    has_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one finding a line.")
    ] = False,
) -> None:
    """Find dead keys, loops, prompts that do not fit, missing sounds; exit with 1 for a fault."""
    settings = config.load(config_path, with_secrets=False)
    found = check_menus(settings, sounds=sounds)
    for finding in found:
        typer.echo(_finding_json(finding) if has_json else _finding_text(finding))
    counts = {
        severity: sum(finding.severity is severity for finding in found) for severity in Severity
    }
    if not has_json:
        told = ", ".join(f"{count} {severity.value}s" for severity, count in counts.items())
        typer.echo(f"{config_path}: {len(settings.menus)} menus; {told}")
    if counts[Severity.FAULT]:
        raise typer.Exit(FAILED)


@cli.command(name="try")
def try_line(
    line: Annotated[str, typer.Argument(help="A line, by its name or number.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    sounds: SoundsPath = DEFAULT_SOUNDS,
    *,
    at: Annotated[
        str | None, typer.Option(help='Such as "2027-06-25 9.15", local time; else now.')
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(help='Typed beforehand: "2 1". Blank: a pause; -: silence; x: hang up.'),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Else the line's own.")] = None,
    slow: Annotated[bool, typer.Option("--slow", help="A caller in slow mode.")] = False,
    forced: Annotated[
        ForcedTo | None, typer.Option(help="As if a supervisor had set the line to it.")
    ] = None,
    notice: Annotated[
        list[str] | None, typer.Option(help="As if this notice were on; may be repeated.")
    ] = None,
    has_json: Annotated[bool, typer.Option("--json", help="Print JSON, one step a line.")] = False,
) -> None:
    """Walk a call to a line, key by key: what is heard, and where it ends."""
    settings = config.load(config_path, with_secrets=False)
    moment = _moment(at, settings)
    until = moment + FORCED_FOR
    but = Circumstances(
        language=language,
        is_slow=slow,
        forced=None if forced is None else Forced(stand=Stand(forced.value), until=until),
        notices=tuple(notice or ()),
    )
    unknown = sorted(set(keys or "") - set(TYPED))
    if unknown:
        raise ConfigError([f"--keys: no keys of a telephone: {' '.join(unknown)}"])
    call = call_at(settings, line, moment, sounds=sounds, but=but)
    _walk(call, keys, has_json=has_json)


@cli.command()
def show(
    line: Annotated[
        str | None, typer.Argument(help="A line, by its name or number; else all of them.")
    ] = None,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    svg: Annotated[Path | None, typer.Option(help="Draw a picture into this file instead.")] = None,
) -> None:
    """Draw the menu tree: as text, or as a picture."""
    settings = config.load(config_path, with_secrets=False)
    chosen = [one for one in settings.lines if line in (None, one.name, one.number)]
    if not chosen:
        known = ", ".join(one.name for one in settings.lines)
        raise ConfigError([f"no line is named or numbered {line!r}; known: {known}"])
    if svg is None:
        typer.echo(menu_tree(settings, chosen), nl=False)
        return
    svg.write_text(menu_svg(settings, chosen), encoding="utf-8")
    typer.echo(f"{svg}: {len(chosen)} lines")


def _finding_text(finding: Finding) -> str:
    head = f"{finding.severity.value}: {finding.place}: {finding.text}"
    return f"{head}\n    {finding.way_out}"


def _finding_json(finding: Finding) -> str:
    told = {
        "severity": finding.severity.value,
        "kind": finding.kind.value,
        "place": finding.place,
        "text": finding.text,
        "way_out": finding.way_out,
    }
    return json.dumps(told, ensure_ascii=False)


def _moment(text: str | None, settings: Config) -> datetime:
    """Return the moment of a try; "9.15" and "9:15" alike, by the wall clock of the lines."""
    zone = ZoneInfo(settings.time_zone)
    if text is None:
        return datetime.now(UTC).astimezone(zone)
    day, _, clock = text.strip().replace("T", " ").partition(" ")
    hour, _, rest = clock.replace(".", ":").partition(":")
    try:
        moment = datetime.fromisoformat(f"{day} {hour:0>2}:{rest or '00'}")
    except ValueError as error:
        raise ConfigError([f'--at: {text!r} is no time such as "2027-06-25 9.15"']) from error
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


# Walking.


def _walk(call: Call, keys: str | None, *, has_json: bool) -> None:
    """Print each step; without keys given, ask for them."""
    rest = deque(keys or "")
    walker = walk(call.way, call.line.name, call.moment)
    step = next(walker)
    _print(call, step, has_json=has_json)
    while not isinstance(step, Ended):
        if keys is None and not rest:
            rest.extend(_asked(step))
        step = walker.send(answer_from(step, rest))
        _print(call, step, has_json=has_json)


def _print(call: Call, step: Step, *, has_json: bool) -> None:
    if has_json:
        typer.echo(json.dumps(as_json(call, step), ensure_ascii=False))
        return
    for line in tell(call, step):
        typer.echo(line)


def _asked(step: Step) -> str:
    """Return what a person types at a step; nothing where no key is asked for."""
    match step:
        case Listens(typed=""):
            silence = f"Enter: {step.timeout.total_seconds():g} s of silence"
        case Waits():
            silence = "Enter: wait on"
        case _:
            return ""
    while True:
        try:
            # To standard error, so that --json stays JSON.
            typer.echo(f"  Key ({silence}; x: hang up) ", nl=False, err=True)
            typed = input().strip()
        except EOFError:
            return HANG_UP
        known = (*step.keys, HANG_UP) if isinstance(step, Waits) else TYPED
        unknown = sorted(set(typed) - set(known))
        if not unknown:
            # Whoever types Enter after the keys types no more: an unfinished key ends.
            return f"{typed}{PAUSE}" if typed else SILENCE
        where = "key here" if isinstance(step, Waits) else "key of a telephone"
        typer.echo(f"  No {where}: {' '.join(unknown)}", err=True)
