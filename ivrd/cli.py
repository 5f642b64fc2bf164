"""The command line.

Here: which commands there are, what ends one, exit codes. Not here: their arguments, which stand in
the module that PLACES names, and what they do.

A command's module is imported when the command is chosen, and all of them for the whole help: what
one command needs, such as a web server, costs another nothing.

Exit codes: 0 done; 1 it could not be done (peer trouble, file), or `reconcile` found
differences; 2 wrong use or configuration; 70 a bug of ours (sysexits.h, EX_SOFTWARE).
"""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import structlog
import typer
from typer.core import TyperGroup
from typer.main import get_group

from ivrd import __version__
from ivrd.cli_options import complain
from ivrd.errors import ConfigError, IvrdError

FAILED = 1
MISUSED = 2
BUG = 70

PLACES: Mapping[str, str] = {
    "labels": "ivrd.cli_labels:labels",
    "status": "ivrd.cli_status:status",
    "switches": "ivrd.cli_switches:show_switches",
    "reload": "ivrd.cli_switches:reload_configuration",
    "purge": "ivrd.cli_person:purge",
    "shift": "ivrd.cli_access:shift",
    "run": "ivrd.cli_run:run",
    "check": "ivrd.cli_check:check",
    "hours": "ivrd.cli_hours:hours",
    "record": "ivrd.cli_recordings:record_stream",
    "replay": "ivrd.cli_recordings:replay_recording",
    "reconcile": "ivrd.cli_reconcile:reconcile_facts",
    "version": "ivrd.cli:version",
    "prompts": "ivrd.cli_prompts:cli",
    "cases": "ivrd.cli_cases:cli",
    "dialplan": "ivrd.cli_dialplan:cli",
    "menu": "ivrd.cli_menu:cli",
    "overflow": "ivrd.cli_overflow:cli",
    "report": "ivrd.cli_report:cli",
    "handover": "ivrd.cli_handover:cli",
    "notice": "ivrd.cli_switches:notice",
    "line": "ivrd.cli_switches:line",
    "key": "ivrd.cli_person:key",
    "person": "ivrd.cli_person:person",
    "token": "ivrd.cli_access:token",
    "agent": "ivrd.cli_agents:agent",
    "caller": "ivrd.cli_agents:caller",
}
"""Where each command is, as "module:name", in the order of the help. The name is a function, or a
group of commands of its own."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class _Commands(MutableMapping[str, Any]):
    """Every command by its name, each loaded when it is asked for.

    Any, because typer has no public name for what a command is: some versions of it bring a click
    of their own.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, PLACES[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name}: a command stays")

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class _Group(TyperGroup):
    """The command line itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()


def _load(name: str, place: str) -> Any:
    """Import a command's module, and return the command."""
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    shelf = typer.Typer()
    if isinstance(found, typer.Typer):
        shelf.add_typer(found, name=name)
    else:
        shelf.command(name=name)(found)
    return get_group(shelf).commands[name]


cli = typer.Typer(
    cls=_Group,
    help="Tone choice, overflow, cases and live queue figures beside Asterisk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@cli.callback()
def ivrd() -> None:
    """Take no argument; without this typer sees no group of commands."""


def main() -> None:
    """Run the command line; the last of the three places that catch everything."""
    try:
        cli()
    except ConfigError as error:
        complain(*error.faults)
        sys.exit(MISUSED)
    except (IvrdError, OSError) as error:
        complain(str(error))
        sys.exit(FAILED)
    except BaseExceptionGroup as group:
        sys.exit(_end_of(group))
    except Exception:
        _hide_locals()
        log.exception("ivrd_failed")
        sys.exit(BUG)


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _hide_locals() -> None:
    """Let a bug be told masked, where no command has set up the log.

    By itself structlog prints every local variable: callers' numbers, and what they rang about.
    """
    if structlog.is_configured():
        return
    # Here and not above: no command that does what it should needs them.
    from ivrd.config import LogConfig
    from ivrd.log import configure

    configure(LogConfig(form="console"))


def _end_of(group: BaseExceptionGroup[BaseException]) -> int:
    """Tell what ended the daemon's tasks, and return the exit code."""
    bugs = group.subgroup(lambda error: not isinstance(error, IvrdError | OSError))
    if bugs is not None:
        _hide_locals()
        log.error("ivrd_failed", exc_info=bugs)
        return BUG
    complain(*(str(error) for error in _leaves(group)))
    return FAILED


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return leaves
