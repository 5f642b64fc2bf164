"""What people type to rehearse overflow rules: `ivrd overflow rehearse`.

Here: arguments, and what is printed. Not here: what a rehearsal is (rehearse.py) and its tables
(rehearsal_report.py).
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from ivrd import config, observed_days, rehearsal_plot, rehearsal_report, rules
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath, Since, Until, pbx_of
from ivrd.cli_period import period
from ivrd.config import Config
from ivrd.core.ids import QueueName, SystemName
from ivrd.errors import ConfigError, IvrdError
from ivrd.log import configure
from ivrd.observed_days import Observed
from ivrd.rehearse import DRAWS, Rehearsed, rehearse_days, rules_tried

WIDTH_MIN = 100
"""Tables that are narrower cannot be read; a pipe says nothing of its width."""

EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def rehearse(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    rule: Annotated[
        Path | None,
        typer.Option(help="TOML with overflow tables, to play instead of those in force."),
    ] = None,
    since: Since = None,
    until: Until = None,
    queue_log: Annotated[
        Path | None, typer.Option(help="Days from a queue_log, instead of the database.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option(help="Days from a recording of `ivrd record`.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw who waited when into this .svg or .png.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 1,
    draws: Annotated[
        int, typer.Option(min=1, max=100, help="So often what is uncertain is drawn.")
    ] = DRAWS,
    pbx: Annotated[str | None, typer.Option(help="The PBX's name; else the first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play stored days again: as they were, then by other overflow rules; side by side."""
    settings = config.load(config_path, with_secrets=queue_log is None and recording is None)
    if plot is not None:
        rehearsal_plot.check_plot(plot)
    tried = None if rule is None else rules_tried(config_path, rule)
    observed = _observed(
        settings,
        SystemName(pbx_of(settings, pbx).name),
        since=since,
        until=until,
        queue_log=queue_log,
        recording=recording,
    )
    if not observed.days:
        raise IvrdError("no call came into a queue in that time; see --from and --to")
    rehearsed = rehearse_days(
        observed.days, in_force=rules.floor_rules(settings), tried=tried, seed=seed, draws=draws
    )
    rule_name = None if rule is None else rule.name
    if plot is not None:
        svg = rehearsal_plot.plot(
            rehearsed,
            _titles(settings, is_short=True),
            rule_name=rule_name,
            zone=ZoneInfo(settings.time_zone),
        )
        rehearsal_plot.write_plot(plot, svg)
    if as_json:
        typer.echo(json.dumps(rehearsal_report.as_json(rehearsed, seed=seed), ensure_ascii=False))
    else:
        _print(rehearsed, observed, settings, rule_name)


def _observed(
    settings: Config,
    system: SystemName,
    *,
    since: str | None,
    until: str | None,
    queue_log: Path | None,
    recording: Path | None,
) -> Observed:
    """Return the days that were asked for; all of a file's, when none were."""
    if queue_log is not None and recording is not None:
        raise ConfigError(["--queue-log and --recording: take one of them"])
    zone = ZoneInfo(settings.time_zone)
    if recording is not None:
        if since is not None or until is not None:
            raise ConfigError(["--from and --to: a recording is taken whole"])
        # To standard error, and without a line per call: these calls were told long ago.
        configure(settings.log.model_copy(update={"level": "warning"}))
        floor = rules.floor_rules(settings)
        return observed_days.from_recording(recording, system=system, rules=floor, zone=zone)
    is_whole = queue_log is not None and since is None and until is None
    first, last = EVER if is_whole else period(since, until, zone=zone, now=datetime.now(UTC))
    if queue_log is not None:
        return observed_days.from_queue_log(
            queue_log, system=system, since=first, until=last, zone=zone
        )
    return asyncio.run(
        observed_days.from_database(
            settings.database, system=system, since=first, until=last, zone=zone
        )
    )


def _titles(settings: Config, *, is_short: bool) -> dict[QueueName, str]:
    titles = {}
    for queue in settings.queues:
        title = queue.title_sv or queue.name
        if queue.title_en and not is_short:
            title = f"{title} / {queue.title_en}"
        titles[QueueName(queue.name)] = title
    return titles


def _print(
    rehearsed: Rehearsed, observed: Observed, settings: Config, rule_name: str | None
) -> None:
    console = Console()
    if console.width < WIDTH_MIN:
        console = Console(width=WIDTH_MIN)
    titles = _titles(settings, is_short=False)
    for table in rehearsal_report.tables(rehearsed, titles, rule_name):
        console.print(table)
    typer.echo(
        f"{rehearsed.days} dagar / days, {len(rehearsed.happened.visits)} väntande / waits, "
        f"{rehearsed.agents} handläggare / agents"
    )
    for line in (*rehearsal_report.verdict(rehearsed), *rehearsal_report.remarks(rehearsed)):
        typer.echo(line)
    if observed.unfinished:
        typer.echo(f"ivrd: {observed.unfinished} unfinished calls are left out", err=True)
