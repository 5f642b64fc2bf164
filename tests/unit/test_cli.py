"""The command line as a whole: all of it is there, and none of it is paid for unasked."""

import subprocess
import sys

from typer.testing import CliRunner

from ivrd.cli import PLACES, cli

DEAR = ("alembic", "asyncpg", "authlib", "fastapi", "holidays", "openpyxl", "sqlalchemy")
"""What `ivrd status`, which people and scripts ask often, has no use for."""

ASKS_FOR_STATUS = f"""
import sys
from ivrd.cli import cli
from ivrd.errors import ConfigError
try:
    cli(["status", "--config", "/nowhere/ivrd.toml"])
except ConfigError:
    print("ivrd.cli_status" in sys.modules, [name for name in {DEAR} if name in sys.modules])
"""


def test_every_command_is_in_the_help_and_has_help_of_its_own() -> None:
    told = CliRunner().invoke(cli, ["--help"], env={"COLUMNS": "100"}).output
    listed = [line.split()[1] for line in told.splitlines() if line.startswith("│ ")]
    assert [name for name in listed if name in PLACES] == list(PLACES)
    for name in PLACES:
        helped = CliRunner().invoke(cli, [name, "--help"])
        assert (helped.exit_code, f" {name} [" in helped.output) == (0, True), name


def test_a_command_that_is_none_is_told_with_the_nearest_that_is_one() -> None:
    told = CliRunner().invoke(cli, ["statsu"])
    assert (told.exit_code, "'status'" in told.output) == (2, True)


def test_a_command_imports_what_it_needs_and_not_what_others_need() -> None:
    command = [sys.executable, "-c", ASKS_FOR_STATUS]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.stdout == "True []\n", told.stderr
