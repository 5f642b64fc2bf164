"""Options that several groups of commands share, what they mean, and how a fault is told.

Here: the configuration's path, which PBX, and which calls. Not here: any command.
"""

from pathlib import Path
from typing import Annotated

import typer

from ivrd.config import Config, PbxConfig
from ivrd.errors import ConfigError

DEFAULT_CONFIG = Path("/etc/ivrd/ivrd.toml")

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)
]

Since = Annotated[
    str | None, typer.Option("--from", help="Calls that arrived from then on; else yesterday.")
]

Until = Annotated[
    str | None, typer.Option("--to", help="Calls that arrived before then; else a day.")
]


def pbx_of(settings: Config, name: str | None) -> PbxConfig:
    """Return the named PBX, or the first.

    Raises:
        ConfigError: None has that name.
    """
    for pbx in settings.pbx:
        if name in (None, pbx.name):
            return pbx
    known = ", ".join(pbx.name for pbx in settings.pbx)
    raise ConfigError([f"--pbx: no PBX is named {name!r}; known: {known}"])


def complain(*lines: str) -> None:
    """Tell what is wrong, where it mixes with no result."""
    for line in lines:
        typer.echo(f"ivrd: {line}", err=True)
