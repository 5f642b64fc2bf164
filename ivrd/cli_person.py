"""What is typed about personal data: keys for callers' numbers.

Here: arguments, and what is printed. Not here: what is done (ivrd/privacy).
"""

from datetime import UTC, datetime

import typer

from ivrd.privacy.sealing import new_key_line

key = typer.Typer(help="Keys that callers' numbers are sealed with.", no_args_is_help=True)


def register(cli: typer.Typer) -> None:
    """Add these commands to ivrd's command line."""
    cli.add_typer(key, name="key")


@key.command(name="new")
def key_new() -> None:
    """Print a line with a new key; the newest stands first in the key file."""
    typer.echo(new_key_line(datetime.now(UTC)))
