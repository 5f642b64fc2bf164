"""The command line.

Here: arguments, output, exit codes. Not here: what a command does.

Exit codes: 0 done; 1 it could not be done (peer trouble, file), or `reconcile` found
differences; 2 wrong use or configuration; 70 a bug of ours (sysexits.h, EX_SOFTWARE).
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
import typer
from rich.console import Console
from rich.table import Table

from ivrd import (
    __version__,
    cli_access,
    cli_agents,
    cli_cases,
    cli_dialplan,
    cli_handover,
    cli_menu,
    cli_overflow,
    cli_person,
    cli_prompts,
    cli_report,
    cli_status,
    cli_switches,
    config,
    hours_report,
    reconciliation,
    rules,
)
from ivrd.ami import record
from ivrd.ami.client import AmiClient
from ivrd.app import App
from ivrd.cli_labels import labels
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath, pbx_of
from ivrd.cli_period import period
from ivrd.clock import AsteriskClock
from ivrd.config import Config, PbxConfig
from ivrd.core import hours_preview
from ivrd.core.ids import SystemName
from ivrd.core.reconcile import Difference
from ivrd.errors import ConfigError, IvrdError
from ivrd.log import configure
from ivrd.long_lived import LongLived
from ivrd.loop_turns import LoopTurns
from ivrd.privacy.callers import NO_KEY
from ivrd.red_days import marks
from ivrd.replay import Json, replay
from ivrd.schedules import schedules

FAILED = 1
MISUSED = 2
BUG = 70

cli = typer.Typer(
    help="Tone choice, overflow, cases and live queue figures beside Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

cli.add_typer(cli_prompts.cli, name="prompts")
cli.add_typer(cli_cases.cli, name="cases")
cli.add_typer(cli_dialplan.cli, name="dialplan")
cli.add_typer(cli_menu.cli, name="menu")
cli.add_typer(cli_overflow.cli, name="overflow")
cli.add_typer(cli_report.cli, name="report")
cli.command()(labels)
cli_status.register(cli)
cli.add_typer(cli_handover.cli, name="handover")
cli_switches.register(cli)
cli_person.register(cli)
cli_access.register(cli)
cli_agents.register(cli)

log: structlog.stdlib.BoundLogger = structlog.get_logger()


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
    turns = LoopTurns()
    app = App(settings, path=config_path, supervision=config.supervision())
    app.watch_turns(turns)
    long_lived = LongLived()
    long_lived.begin()
    with asyncio.Runner(loop_factory=turns.new_loop) as runner:
        long_lived.keep(runner.get_loop())
        runner.run(app.run())


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
    if settings.price_list is not None:
        departments = [each.code for each in settings.department]
        config.load_prices(config_path.parent / settings.price_list, departments=departments)
    typer.echo(
        f"{config_path}: in order ({len(settings.lines)} lines, {len(settings.menus)} menus, "
        f"{len(settings.queues)} queues, {len(settings.overflow)} overflow rules)"
    )
    if settings.privacy.key_file is None:
        typer.echo(f"{config_path}: {NO_KEY}")


@cli.command()
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
    frames = asyncio.run(_record(pbx_of(settings, pbx), file, seconds))
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
    system = SystemName(pbx_of(settings, pbx).name)
    refused: list[str] = []
    events = record.replay(record.read_frames(file), system, note_refused=refused.append)
    ledger = replay(events, system=system, rules=rules.floor_rules(settings))
    if refused:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(refused).items()))
        _complain(f"{file}: {len(refused)} messages are broken, and left out: {kinds}")
    if not ledger.events:
        raise IvrdError(f"{file}: holds no event of {system}; is it a recording of `ivrd record`?")
    calls = ledger.ended_calls()
    if as_json:
        for call in calls:
            typer.echo(json.dumps(call, ensure_ascii=False))
    else:
        _print_calls(calls, unexpected=ledger.unexpected)


@cli.command(name="reconcile")
def reconcile_facts(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    since: Annotated[
        str | None, typer.Option("--from", help="Calls that arrived from then on; else yesterday.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Calls that arrived before then; else a day.")
    ] = None,
    zone: Annotated[
        str, typer.Option(help="Of times without one, and of what a day is.")
    ] = "Europe/Stockholm",
    queue_log: Annotated[
        Path | None, typer.Option(help="A copy; else the configured file. Rotated ones are found.")
    ] = None,
    pbx: Annotated[str | None, typer.Option(help="The PBX's name; else each.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Compare the stored facts with Asterisk's queue_log; exit with 1 when they differ."""
    settings = config.load(config_path)
    now = datetime.now(UTC)
    place = _zone(zone)
    begin, end = period(since, until, zone=place, now=now)
    ends = (begin.astimezone(place), end.astimezone(place))
    chosen = settings.pbx if pbx is None else (pbx_of(settings, pbx),)
    if queue_log is not None and len(chosen) > 1:
        _fail("--queue-log: say with --pbx whose it is")
    differences = 0
    for one in chosen:
        result = _reconcile(settings, one, ends, queue_log=queue_log, now=now, as_json=as_json)
        differences += result.differences
    if differences:
        raise typer.Exit(FAILED)


@cli.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _reconcile(
    settings: Config,
    pbx: PbxConfig,
    ends: tuple[datetime, datetime],
    *,
    queue_log: Path | None,
    now: datetime,
    as_json: bool,
) -> reconciliation.Result:
    """Compare one PBX, print what differs, and leave the result for the metrics."""
    system = SystemName(pbx.name)
    history = reconciliation.History(queue_log or pbx.queue_log_file, system=system)
    begins_at = history.begins_at or now
    if begins_at > ends[0]:
        _complain(f"{system}: queue_log begins at {begins_at.isoformat()}; earlier is left out")
    interval = reconciliation.Interval(
        since=max(ends[0], begins_at),
        until=ends[1],
        known_until=now if queue_log is None else min(now, history.until),
    )

    def report(difference: Difference) -> None:
        told = {"system": system, **reconciliation.as_json(difference)}
        typer.echo(
            json.dumps(told, ensure_ascii=False) if as_json else reconciliation.describe(difference)
        )

    tally = asyncio.run(
        reconciliation.reconcile(
            settings.database,
            history,
            interval,
            system=system,
            roles={name: rule.role for name, rule in rules.floor_rules(settings).queues.items()},
            report=report,
        )
    )
    result = reconciliation.Result(
        finished_at=datetime.now(UTC),
        since=ends[0],
        until=ends[1],
        calls=tally.calls,
        open=tally.open,
        differences=tally.differences,
    )
    _print_result(result, system, tally, history, as_json=as_json)
    if queue_log is None:
        try:
            reconciliation.ResultFile(settings.state_directory, system).save(result)
        except OSError as error:
            _complain(f"{system}: the metrics do not learn of it: {error}")
    return result


def _print_result(
    result: reconciliation.Result,
    system: SystemName,
    tally: reconciliation.Tally,
    history: reconciliation.History,
    *,
    as_json: bool,
) -> None:
    if history.unreadable:
        _complain(f"{system}: cannot be read: {', '.join(history.unreadable)}")
    if as_json:
        kinds = {kind.value: count for kind, count in sorted(tally.kinds.items())}
        typer.echo(json.dumps({**result.as_json(system), "kinds": kinds}))
        return
    typer.echo(
        f"{system}: {tally.differences} differences of {tally.calls} calls, "
        f"{result.since.isoformat()} to {result.until.isoformat()}; "
        f"{tally.open} open calls left out, {history.parser.broken} broken lines"
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError([f"--zone: {name!r} is not a time zone of this machine"]) from error


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
