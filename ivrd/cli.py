"""The command line.

Here: arguments, output, exit codes. Not here: what a command does.

Exit codes: 0 done; 1 it could not be done (peer trouble, file); 2 wrong use or configuration; 70 a
bug of ours (sysexits.h, EX_SOFTWARE).
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from rich.console import Console
from rich.table import Table

from ivrd import __version__, config, dialplan, rules
from ivrd.ami import record
from ivrd.ami.client import AmiClient
from ivrd.ami.filters import event_filter_lines
from ivrd.app import App
from ivrd.clock import AsteriskClock
from ivrd.config import Config, PbxConfig
from ivrd.core.ids import SystemName
from ivrd.errors import ConfigError, IvrdError
from ivrd.log import configure
from ivrd.replay import Json, replay

FAILED = 1
MISUSED = 2
BUG = 70

DEFAULT_CONFIG = Path("/etc/ivrd/ivrd.toml")

cli = typer.Typer(
    help="Tone choice, overflow, cases and live queue figures beside Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)
]


def main() -> None:
    """Run the command line; the last of the three places that catch everything."""
    try:
        cli()
    except ConfigError as error:
        _complain(*error.faults)
        sys.exit(MISUSED)
    except (IvrdError, OSError) as error:
        _complain(str(error))
        sys.exit(FAILED)
    except BaseExceptionGroup as group:
        sys.exit(_end_of(group))
    except Exception:
        log.exception("ivrd_failed")
        sys.exit(BUG)


@cli.command()
def run(config_path: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    settings = config.load(config_path)
    configure(settings.log)
    asyncio.run(App(settings, supervision=config.supervision()).run())


@cli.command()
def check(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema.")] = False,
) -> None:
    """Check the configuration: path, what is wrong, and the nearest known name."""
    if schema:
        typer.echo(json.dumps(config.json_schema(), indent=2, ensure_ascii=False))
        return
    settings = config.load(config_path)
    typer.echo(
        f"{config_path}: in order ({len(settings.lines)} lines, {len(settings.menus)} menus, "
        f"{len(settings.queues)} queues, {len(settings.overflow)} overflow rules)"
    )


@cli.command(name="dialplan")
def render_dialplan(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files into this directory.")
    ] = None,
    manager: Annotated[
        bool, typer.Option("--manager", help="Print our section of manager.conf instead.")
    ] = False,
    pbx: Annotated[str | None, typer.Option(help="With --manager: the PBX's name.")] = None,
    asterisk: Annotated[
        str, typer.Option(help="With --manager: the Asterisk version it is for.")
    ] = "22.10",
) -> None:
    """Render the dialplan, or our AMI user, from the configuration."""
    settings = config.load(config_path, with_secrets=False)
    if manager:
        version = tuple(int(part) for part in asterisk.split(".") if part.isdigit())
        if len(version) < 2:
            _fail(f"--asterisk: {asterisk!r} is not a version such as 22.10")
        lines = event_filter_lines(version)
        typer.echo(dialplan.render_manager(_pbx(settings, pbx), event_filters=lines), nl=False)
        return
    files = dialplan.render(settings)
    if output is None:
        for name, text in files.items():
            typer.echo(f";;; {name}\n{text}")
        return
    output.mkdir(parents=True, exist_ok=True)
    for stale in sorted(output.glob("ivrd*.conf")):
        if stale.name not in files:
            stale.unlink()
    for name, text in files.items():
        (output / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(files)} files in {output}")


@cli.command(name="record")
def record_stream(
    file: Annotated[Path, typer.Argument(help="The recording to make.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so long; else at Ctrl-C.")
    ] = None,
    pbx: Annotated[str | None, typer.Option(help="The PBX's name; else the first.")] = None,
) -> None:
    """Save a raw AMI stream with numbers and names masked."""
    settings = config.load(config_path)
    configure(settings.log)
    frames = asyncio.run(_record(_pbx(settings, pbx), file, seconds))
    typer.echo(f"{frames} messages in {file}")


@cli.command(name="replay")
def replay_recording(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per call.")
    ] = False,
    pbx: Annotated[str | None, typer.Option(help="The PBX's name; else the first.")] = None,
) -> None:
    """Run a recording through the production path and print what each call came to."""
    settings = config.load(config_path, with_secrets=False)
    # To standard error, and without the line per call: what a call came to is printed below.
    configure(settings.log.model_copy(update={"level": "warning"}))
    system = SystemName(_pbx(settings, pbx).name)
    events = record.replay(record.read_frames(file), system)
    ledger = replay(events, system=system, rules=rules.floor_rules(settings))
    if not ledger.events:
        raise IvrdError(f"{file}: holds no event of {system}; is it a recording of `ivrd record`?")
    calls = ledger.ended_calls()
    if as_json:
        for call in calls:
            typer.echo(json.dumps(call, ensure_ascii=False))
    else:
        _print_calls(calls, unexpected=ledger.unexpected)


@cli.command()
def prompts(config_path: ConfigPath = DEFAULT_CONFIG) -> None:
    """List the sounds that Asterisk must have, and what each says."""
    settings = config.load(config_path, with_secrets=False)
    for name, text in dialplan.prompts(settings).items():
        typer.echo(f"{name}\t{text or '(no text in the configuration)'}")


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


async def _record(pbx: PbxConfig, file: Path, seconds: float | None) -> int:
    """Record until the time is up or somebody stops us; return how many messages came."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with record.Recorder(file) as recorder:
        client = AmiClient(
            pbx, lambda event: None, AsteriskClock(), tap=recorder.tap, is_observer=True
        )
        task = asyncio.create_task(client.run(), name="record")
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            pass
        finally:
            task.cancel()
            await asyncio.wait([task])
    if recorder.error is not None:
        raise recorder.error
    return recorder.frames_count


def _end_of(group: BaseExceptionGroup[BaseException]) -> int:
    """Tell what ended the daemon's tasks, and return the exit code."""
    bugs = group.subgroup(lambda error: not isinstance(error, IvrdError | OSError))
    if bugs is not None:
        log.error("ivrd_failed", exc_info=bugs)
        return BUG
    _complain(*(str(error) for error in _leaves(group)))
    return FAILED


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return leaves


def _pbx(settings: Config, name: str | None) -> PbxConfig:
    """Return the named PBX, or the first."""
    for pbx in settings.pbx:
        if name in (None, pbx.name):
            return pbx
    known = ", ".join(pbx.name for pbx in settings.pbx)
    raise ConfigError([f"--pbx: no PBX is named {name!r}; known: {known}"])


def _print_calls(calls: list[Json], *, unexpected: int) -> None:
    table = Table("call", "line", "choice", "entries", "outcome", "case")
    for call in calls:
        entries = call["entries"]
        assert isinstance(entries, list), "a call's entries are a list"
        steps = " → ".join(f"{entry['queue']} {entry['disposition']}" for entry in entries)
        table.add_row(
            str(call["call_id"]),
            str(call["line"] or "?"),
            str(call["choice"] or "-"),
            steps or "-",
            str(call["outcome"]),
            "case" if call["case"] else "-",
        )
    console = Console()
    console.print(table)
    outcomes = Counter(str(call["outcome"]) for call in calls)
    text = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
    console.print(f"{len(calls)} calls: {text or 'none'}; {unexpected} unexpected events")


def _fail(text: str) -> NoReturn:
    raise ConfigError([text])


def _complain(*lines: str) -> None:
    for line in lines:
        typer.echo(f"ivrd: {line}", err=True)
