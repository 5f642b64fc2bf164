"""What people type to render the dialplan, and to bring it into a running Asterisk.

Here: arguments, what is printed, exit codes. Not here: rendering (rendering.py), bringing it into
use (dialplan_apply.py).

`ivrd dialplan diff` exits with 0 only when the directory holds what the configuration says.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ivrd import config, dialplan
from ivrd.ami.filters import event_filter_lines
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath, pbx_of
from ivrd.errors import ConfigError
from ivrd.rendering import dialplan_files

cli = typer.Typer(help="Render the dialplan, and bring it into use.")

Year = Annotated[
    int | None,
    typer.Option("--year", min=2020, max=2099, help="Red days from then on; else this year."),
]


@cli.callback(invoke_without_command=True)
def render_dialplan(
    context: typer.Context,
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files into this directory.")
    ] = None,
    manager: Annotated[
        bool, typer.Option("--manager", help="Print our section of manager.conf instead.")
    ] = False,
    queues: Annotated[
        bool, typer.Option("--queues", help="Print templates for queues.conf instead.")
    ] = False,
    first_year: Year = None,
    pbx: Annotated[str | None, typer.Option(help="With --manager: the PBX's name.")] = None,
    asterisk: Annotated[
        str, typer.Option(help="With --manager: the Asterisk version it is for.")
    ] = "22.10",
) -> None:
    """Render the dialplan, or our AMI user, from the configuration; or bring it into use."""
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    settings = config.load(config_path, with_secrets=False)
    if manager:
        version = tuple(int(part) for part in asterisk.split(".") if part.isdigit())
        if len(version) < 2:
            raise ConfigError([f"--asterisk: {asterisk!r} is not a version such as 22.10"])
        lines = event_filter_lines(version)
        typer.echo(dialplan.render_manager(pbx_of(settings, pbx), event_filters=lines), nl=False)
        return
    if queues:
        typer.echo(dialplan.render_queues(settings.queues), nl=False)
        return
    files = dialplan_files(settings, first_year=first_year or datetime.now(UTC).year)
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


def _refuse_options_before(context: typer.Context) -> None:
    """Let no option be lost that was meant for the command after it."""
    sources = {
        parameter.opts[0]: context.get_parameter_source(str(parameter.name))
        for parameter in context.command.params
    }
    given = [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    if given:
        raise ConfigError([f"{given[0]}: goes after `ivrd dialplan {context.invoked_subcommand}`"])
