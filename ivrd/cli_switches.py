"""What people type to switch while calls go on: notices, lines, and the configuration itself.

Here: arguments, times, what is printed. Not here: the way to the daemon (control.py) and what comes
of it (switches.py).

Of the configuration's file only two keys are read, and leniently: a file with a fault in it, which
the daemon does not use yet, must keep nobody from closing a line.
"""

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ivrd import config
from ivrd.config import Config
from ivrd.control import SOCKET_NAME, act_of, ask
from ivrd.control_agents import BadQuestion
from ivrd.core.switch_entries import value_entry, value_of
from ivrd.core.switches import (
    Act,
    LineForced,
    Meaning,
    Names,
    NoticeOn,
    Stand,
    faults,
    switch_of,
    whole_seconds,
)
from ivrd.errors import ConfigError, IvrdError
from ivrd.live_switches import names_of

ANSWER_S_MAX = 15.0
"""An act waits some seconds for the PBXs (switches.CONFIRM_S_MAX)."""

RELOAD_S_MAX = 120.0
"""A new configuration is read, checked and taken into use; several may wait for each other."""

DEFAULT_CONFIG = Path("/etc/ivrd/ivrd.toml")

Json = Mapping[str, object]

ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)
]
Until = Annotated[
    str, typer.Option(help='Its end: "2026-11-21 18:00", or 18:00 for today; local time.')
]
Reason = Annotated[str, typer.Option(help="Why; whoever finds it switched must know.")]
WhyNot = Annotated[str, typer.Option(help="Why, if it needs to be said.")]
Seen = Annotated[
    int | None,
    typer.Option(help="Only if the switch still has this version (`ivrd switches --json`)."),
]
Whom = Annotated[
    str | None,
    typer.Option("--for", envvar="SUDO_USER", help="For whom root acts; sudo says it by itself."),
]
NoticeName = Annotated[str, typer.Argument(help="The notice, as in the configuration.")]
LineName = Annotated[str, typer.Argument(help="The line, as in the configuration.")]

notice = typer.Typer(help="Switch a notice on or off, live.", no_args_is_help=True)
line = typer.Typer(help="Force a line open or closed, live, or release it.", no_args_is_help=True)


@notice.command(name="on")
def notice_on(
    name: NoticeName,
    until: Until,
    reason: Reason,
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Play a notice from now on, until its end."""
    place = place_of(config_path)
    parts = {"until": place.moment(until).isoformat(), "reason": reason}
    act(place, {"do": "notice_on", "name": name, **parts}, seen=seen, whom=whom)


@notice.command(name="off")
def notice_off(
    name: NoticeName,
    config_path: ConfigPath = DEFAULT_CONFIG,
    reason: WhyNot = "",
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Play a notice no more."""
    question = {"do": "notice_off", "name": name, "reason": reason}
    act(place_of(config_path), question, seen=seen, whom=whom)


@notice.command(name="undo")
def notice_undo(
    name: NoticeName,
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Set a notice to what it was before the last act."""
    question = {"do": "undo", "kind": "notice", "name": name}
    act(place_of(config_path), question, seen=seen, whom=whom)


@line.command(name="close")
def line_close(
    name: LineName,
    until: Until,
    reason: Reason,
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Hold a line closed until then, whatever its hours say."""
    place = place_of(config_path)
    parts = {"until": place.moment(until).isoformat(), "reason": reason}
    act(place, {"do": "line_close", "name": name, **parts}, seen=seen, whom=whom)


@line.command(name="open")
def line_open(
    name: LineName,
    until: Until,
    reason: Reason,
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Hold a line open until then, whatever its hours say."""
    place = place_of(config_path)
    parts = {"until": place.moment(until).isoformat(), "reason": reason}
    act(place, {"do": "line_open", "name": name, **parts}, seen=seen, whom=whom)


@line.command(name="release")
def line_release(
    name: LineName,
    config_path: ConfigPath = DEFAULT_CONFIG,
    reason: WhyNot = "",
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Let a line follow its hours again."""
    question = {"do": "line_release", "name": name, "reason": reason}
    act(place_of(config_path), question, seen=seen, whom=whom)


@line.command(name="undo")
def line_undo(
    name: LineName,
    config_path: ConfigPath = DEFAULT_CONFIG,
    seen: Seen = None,
    whom: Whom = None,
) -> None:
    """Set a line to what it was before the last act."""
    question = {"do": "undo", "kind": "line", "name": name}
    act(place_of(config_path), question, seen=seen, whom=whom)


def show_switches(
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show what is switched now: by whom, why, and until when."""
    place = place_of(config_path)
    status = place.ask({"do": "status"}, within_s=ANSWER_S_MAX)
    if as_json:
        typer.echo(json.dumps(status, ensure_ascii=False))
        return
    table = Table("switch", "is", "until", "by", "why", "not yet on")
    rows = [row for row in _objects(status.get("switches")) if row["is_in_force"] or row["pending"]]
    for row in rows:
        setting = _object(row["setting"])
        table.add_row(
            f"{row['kind']} {row['name']}",
            str(setting["stand"]) if row["is_in_force"] else "free",
            place.local(setting["until"]) if row["is_in_force"] else "",
            escape(str(setting["who"])),
            escape(str(setting["reason"])),
            ", ".join(_object(row["pending"])),
        )
    if rows:
        Console().print(table)
    else:
        typer.echo("nothing is switched; notices are off, and lines follow their hours")
    for trouble in _texts(status.get("troubles")):
        typer.echo(f"ivrd: {trouble}", err=True)


def reload_configuration(
    config_path: ConfigPath = DEFAULT_CONFIG,
    whom: Whom = None,
) -> None:
    """Let the running ivrd take its configuration anew; a bad one changes nothing."""
    place = place_of(config_path)
    question = {"do": "reload"} if whom is None else {"do": "reload", "for": whom}
    try:
        answer = place.ask(question, within_s=RELOAD_S_MAX)
    except NotRunning as error:
        raise IvrdError(f"{error}; it reads its configuration when it starts") from error
    raise_faults(answer)
    typer.echo(str(answer.get("summary") or "the configuration is in use"))


class NotRunning(IvrdError):
    """Nobody listens at the control socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the daemon is, and which time counts there."""

    config_path: Path
    directory: Path
    zone: ZoneInfo

    def ask(self, question: Json, *, within_s: float) -> Json:
        """Return the daemon's answer.

        Raises:
            NotRunning: There is no daemon.
            IvrdError: It does not answer, or not us.
        """
        path = self.directory / SOCKET_NAME
        try:
            return ask(self.directory, question, within_s=within_s)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(f"ivrd is not running: nobody listens at {path}") from error
        except PermissionError as error:
            user = "root or as ivrd's own user"
            raise IvrdError(f"{path}: may be used by {user} only; try it with sudo") from error
        except TimeoutError as error:
            told = f"no answer within {within_s:g} s; what was asked may still be done"
            raise IvrdError(f"{path}: {told}; see `ivrd switches`") from error
        except (OSError, ValueError) as error:
            raise IvrdError(f"{path}: no answer that can be used: {error}") from error

    def moment(self, text: str) -> datetime:
        """Return the moment that somebody has typed.

        Raises:
            ConfigError: It is none.
        """
        try:
            today = datetime.now(UTC).astimezone(self.zone).date()
            if len(text) <= len("18:00"):
                moment = datetime.combine(today, time.fromisoformat(text.replace(".", ":")))
            else:
                moment = datetime.fromisoformat(text)
        except ValueError as error:
            told = f'{text!r} is no time such as "2026-11-21 18:00" or 18:00'
            raise ConfigError([f"--until: {told}"]) from error
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=self.zone)

    def local(self, text: object) -> str:
        """Return a moment of an answer as people here read it."""
        return f"{datetime.fromisoformat(str(text)).astimezone(self.zone):%Y-%m-%d %H:%M}"


def act(place: Place, question: Json, *, seen: int | None, whom: str | None) -> None:
    """Ask for an act, and tell what came of it; without a daemon, tell how to do it by hand."""
    more: dict[str, object] = {} if seen is None else {"seen": seen}
    if whom is not None:
        more["for"] = whom
    try:
        answer = place.ask({**question, **more}, within_s=ANSWER_S_MAX)
    except NotRunning as error:
        raise IvrdError(f"{error}\n{_by_hand(place, question)}") from error
    raise_faults(answer)
    switch, setting = _object(answer["switch"]), _object(answer["setting"])
    until = "" if setting["until"] is None else f" until {place.local(setting['until'])}"
    stand = FREE_WORDS[str(switch["kind"])] if setting["stand"] == Stand.FREE else setting["stand"]
    already = " already" if answer["outcome"] == "already" else ""
    typer.echo(f"{switch['kind']} {switch['name']}: {stand}{until}{already}")
    for system, why in _object(answer["pending"]).items():
        typer.echo(f"ivrd: not yet on {system}: {why}", err=True)


FREE_WORDS = {"notice": "off", "line": "follows its hours", "rule": "follows its configuration"}
"""What FREE means to people."""


def raise_faults(answer: Json) -> None:
    """Raise what is wrong with an act, as everything that is wrong is told.

    Raises:
        ConfigError: Whoever typed must type something else.
        IvrdError: Somebody else was first, or the daemon has no time.
    """
    if answer.get("ok"):
        return
    text = str(answer.get("text"))
    match answer.get("error"):
        case "refused":
            raise ConfigError(_texts(answer.get("faults")))
        case "bad":
            raise ConfigError([text])
        case "conflict":
            setting = answer.get("setting")
            version = _object(setting)["version"] if setting is not None else 0
            raise IvrdError(f"{text}\nivrd: to do it all the same, add --seen {version}")
        case _:
            raise IvrdError(text)


def _by_hand(place: Place, question: Json) -> str:
    """Return how to do an act without a daemon: Asterisk's dialplan obeys its own database."""
    if str(question["do"]).startswith("rule_") or question.get("kind") == "rule":
        return "ivrd: without it no rule moves anybody"
    if question["do"] == "undo":
        return "ivrd: without it nobody knows what was set before; set it with on, off, close, ..."
    try:
        wish = act_of(question)
    except BadQuestion as error:
        raise ConfigError([str(error)]) from error
    found = faults(wish, _names(place, wish), now=datetime.now(UTC))
    if found:
        raise ConfigError(found)
    entry = value_entry(switch_of(wish))
    if isinstance(wish, NoticeOn | LineForced):
        stand = wish.state if isinstance(wish, LineForced) else Stand.ON
        value = value_of(switch_of(wish).kind, Meaning(stand, whole_seconds(wish.until)))
        command = f'database put {entry.family} {entry.key} "{value}"'
    else:
        command = f"database del {entry.family} {entry.key}"
    return (
        "ivrd: by hand, on each PBX; ivrd takes it over when it is back:\n"
        f"    asterisk -rx {shlex.quote(command)}"
    )


def _names(place: Place, act: Act) -> Names:
    """Return what is configured; with a faulty configuration any name goes."""
    try:
        settings = config.load(place.config_path, with_secrets=False)
    except ConfigError:
        name = frozenset({switch_of(act).name})
        return Names(notices=name, lines=name)
    return names_of(settings)


def place_of(config_path: Path) -> Place:
    """Return where the daemon of a configuration is.

    Raises:
        ConfigError: The file cannot be read at all, or names no place.
    """
    try:
        document = tomllib.loads(config_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"{config_path}: {error}"]) from error
    fields = Config.model_fields
    directory = document.get("state_directory", fields["state_directory"].default)
    zone = document.get("time_zone", fields["time_zone"].default)
    try:
        found = ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError([f"time_zone: {zone!r} is not a time zone of this machine"]) from error
    return Place(config_path=config_path, directory=Path(str(directory)), zone=found)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Json]:
    return [_object(item) for item in value] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
