"""`ivrd reconcile`: what is stored, held against Asterisk's queue_log.

Here: arguments, the period, what is printed, the exit code. Not here: the comparison
(reconciliation.py).
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from ivrd import config, reconciliation, rules
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath, Since, Until, complain, pbx_of
from ivrd.cli_period import period
from ivrd.config import Config, PbxConfig
from ivrd.core.ids import SystemName
from ivrd.core.reconcile import Difference
from ivrd.errors import ConfigError

DIFFERS = 1
"""Exit code."""


def reconcile_facts(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    since: Since = None,
    until: Until = None,
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
        raise ConfigError(["--queue-log: say with --pbx whose it is"])
    differences = 0
    for one in chosen:
        result = _reconcile(settings, one, ends, queue_log=queue_log, now=now, as_json=as_json)
        differences += result.differences
    if differences:
        raise typer.Exit(DIFFERS)


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
        complain(f"{system}: queue_log begins at {begins_at.isoformat()}; earlier is left out")
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
            complain(f"{system}: the metrics do not learn of it: {error}")
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
        complain(f"{system}: cannot be read: {', '.join(history.unreadable)}")
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
