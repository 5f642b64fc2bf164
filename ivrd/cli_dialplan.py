"""What people type to render the dialplan, and to bring it into a running Asterisk.

Here: arguments, what is printed, exit codes. Not here: rendering (rendering.py), bringing it into
use (dialplan_apply.py).

`ivrd dialplan diff` exits with 0 only when the directory holds what the configuration says.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ivrd import config, dialplan
from ivrd.ami.filters import event_filter_lines
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath, pbx_of
from ivrd.config import PbxConfig
from ivrd.dialplan.retiring import plain
from ivrd.dialplan_apply import Aim, Applied, Applier, aim_of
from ivrd.dialplan_apply import diff as diff_of
from ivrd.errors import ConfigError, IvrdError
from ivrd.generations import NAME, Generations
from ivrd.labels import label_tree
from ivrd.rendering import dialplan_files, pauses_members

cli = typer.Typer(help="Render the dialplan, and bring it into use.")

Year = Annotated[
    int | None,
    typer.Option("--year", min=2020, max=2099, help="Red days from then on; else this year."),
]

Directory = Annotated[
    Path, typer.Option(help="Where Asterisk reads our files; its name must be ivrd.")
]
Pbx = Annotated[str | None, typer.Option(help="The PBX's name; else the first.")]

DEFAULT_DIRECTORY = Path("/etc/asterisk/ivrd")

DIFFERS = 1


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
    features: Annotated[
        bool, typer.Option("--features", help="Print our part of features.conf instead.")
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
        typer.echo(
            dialplan.render_manager(
                pbx_of(settings, pbx), event_filters=lines, pauses_members=pauses_members(settings)
            ),
            nl=False,
        )
        return
    if queues:
        typer.echo(dialplan.render_queues(settings.queues), nl=False)
        return
    if features:
        tree = label_tree(settings.department)
        typer.echo(dialplan.render_features(tree, settings.labels), nl=False)
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


@cli.command()
def apply(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    directory: Directory = DEFAULT_DIRECTORY,
    first_year: Year = None,
    pbx: Pbx = None,
) -> None:
    """Bring the configuration's dialplan into the running Asterisk, checked; or change nothing."""
    settings = config.load(config_path)
    generations = _generations(directory)
    files = dialplan_files(settings, first_year=first_year or datetime.now(UTC).year)
    with generations.lock():
        for line in diff_of(generations.in_use(), files):
            typer.echo(line)
        aim = aim_of(settings, files)
        done = _bring(generations, pbx_of(settings, pbx), aim)
    _tell(done)
    if done.is_changed:
        typer.echo("the menus of a running ivrd are as before until `ivrd reload`")


@cli.command()
def rollback(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    directory: Directory = DEFAULT_DIRECTORY,
    pbx: Pbx = None,
) -> None:
    """Go back to the dialplan before the last apply, one step; the configuration stays as it is."""
    settings = config.load(config_path)
    generations = _generations(directory)
    with generations.lock():
        before = generations.previous()
        if before is None:
            raise IvrdError(f"{directory}: there is no step back from {generations.told()}")
        files = plain(before)
        for line in diff_of(generations.in_use(), files):
            typer.echo(line)
        done = _bring(generations, pbx_of(settings, pbx), Aim(files=files), is_step_back=True)
    _tell(done)
    typer.echo("the configuration is as before: the next `ivrd dialplan apply` brings it back")


@cli.command()
def diff(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    directory: Directory = DEFAULT_DIRECTORY,
    first_year: Year = None,
) -> None:
    """Show what `apply` would change; exit with 0 when that is nothing, else with 1."""
    settings = config.load(config_path, with_secrets=False)
    files = dialplan_files(settings, first_year=first_year or datetime.now(UTC).year)
    lines = diff_of(_generations(directory).in_use(), files)
    for line in lines:
        typer.echo(line)
    if lines:
        raise typer.Exit(DIFFERS)
    typer.echo(f"{directory}: as the configuration says")


def _generations(directory: Path) -> Generations:
    if directory.resolve().name != NAME:
        told = f"must be named {NAME}, because the files include each other by it"
        raise ConfigError([f"--directory: {directory} {told}"])
    return Generations(directory)


def _bring(
    generations: Generations, pbx: PbxConfig, aim: Aim, *, is_step_back: bool = False
) -> Applied:
    applier = Applier(generations, pbx, note=lambda text: typer.echo(f"ivrd: {text}", err=True))
    return asyncio.run(applier.apply(aim, now=datetime.now(UTC), is_step_back=is_step_back))


def _tell(done: Applied) -> None:
    if not done.is_changed:
        typer.echo(f"nothing to change: Asterisk runs it already, {done.told}")
        return
    typer.echo(
        f"Asterisk runs {done.contexts} contexts with {done.steps} steps, each asked back; "
        f"{done.told}"
    )
    if done.retired:
        typer.echo(f"{done.retired} contexts are kept for a day, for calls that are still in them")
