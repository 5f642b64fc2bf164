"""The command line's part about prompts.

Here: arguments and output of `ivrd prompts`. Not here: what its commands do (ivrd/sounds/), and
exit codes (cli.py).
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivrd import config
from ivrd.config.prompt_sheet import PromptSheet
from ivrd.errors import ConfigError
from ivrd.sounds.importing import import_recordings
from ivrd.sounds.installing import Installed
from ivrd.sounds.installing import install as install_sounds
from ivrd.sounds.lacking import missing
from ivrd.sounds.manuscript import manuscript

DEFAULT_CONFIG = Path("/etc/ivrd/ivrd.toml")
DEFAULT_SOUNDS = Path("/var/lib/asterisk/sounds")

cli = typer.Typer(
    help="What callers hear: what is missing, the manuscript, recordings, placeholders.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)
]
SoundsPath = Annotated[
    Path,
    typer.Option("--sounds", help="Asterisk's sounds (`core show settings`: astdatadir/sounds)."),
]


@cli.callback()
def list_missing(
    context: typer.Context,
    config_path: ConfigPath = DEFAULT_CONFIG,
    sounds: SoundsPath = DEFAULT_SOUNDS,
    *,
    language: Annotated[
        str | None,
        typer.Option("--manuscript", help="Print what the voice actor of this language reads."),
    ] = None,
) -> None:
    """List which prompts lack a text, a recording or a sound file, and what is heard instead."""
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    sheet = _sheet(config_path)
    if language is not None:
        typer.echo(manuscript(sheet, language), nl=False)
        return
    _print_missing(sheet, sounds)


@cli.command(name="import")
def import_directory(
    directory: Annotated[Path, typer.Argument(help="Holds LANGUAGE/ID.wav and the like.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    sounds: SoundsPath = DEFAULT_SOUNDS,
) -> None:
    """Take recordings: convert, trim, make equally loud; then install the rest."""
    sheet = _sheet(config_path)
    for taken in import_recordings(sheet, directory, sounds):
        typer.echo(
            f"{taken.language}/{taken.prompt}\t{taken.sound.seconds:.1f} s\t"
            f"{taken.sound.loudness_db:.1f} dB\tpeak {taken.sound.peak_db:.1f} dB"
        )
    _print_installed(install_sounds(sheet, sounds), sounds)


@cli.command()
def install(config_path: ConfigPath = DEFAULT_CONFIG, sounds: SoundsPath = DEFAULT_SOUNDS) -> None:
    """Put a sound for every prompt and language where Asterisk finds it."""
    _print_installed(install_sounds(_sheet(config_path), sounds), sounds)


def _refuse_options_before(context: typer.Context) -> None:
    """Refuse what the command would not see: it would take another configuration silently."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"write options after {context.invoked_subcommand}")


def _sheet(config_path: Path) -> PromptSheet:
    settings = config.load(config_path, with_secrets=False)
    if settings.sheet is None:
        raise ConfigError([f"{config_path}: prompt_sheet is missing, so there are no prompts"])
    return settings.sheet


def _print_missing(sheet: PromptSheet, sounds: Path) -> None:
    found = missing(sheet, sounds)
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in found:
        alike.setdefault((each.language, each.lack.value, each.heard), []).append(each.prompt)
    table = Table("language", "missing", "callers hear", "prompts")
    for (language, lack, heard), prompts in alike.items():
        table.add_row(language, lack, heard, ", ".join(prompts))
    if found:
        Console().print(table)
    counts = Counter(each.language for each in found)
    text = ", ".join(f"{language} {counts[language]}" for language in sheet.languages)
    typer.echo(f"{len(sheet.prompts)} prompts; missing or not recorded: {text}")


def _print_installed(done: Installed, sounds: Path) -> None:
    for name in done.gone:
        typer.echo(f"removed {name}: the sheet no longer has it")
    for name in done.silent:
        typer.echo(f"nothing to be heard: {name} has neither recording, voice nor fallback")
    typer.echo(f"{sounds}: {len(done.made)} sounds made, {len(done.kept)} kept")
