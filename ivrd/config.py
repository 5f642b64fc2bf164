"""The configuration: frozen models, the TOML loader, and every check.

Here: the only reader of files and environment. Not here: what the rules mean (core), nor how a
part uses its section. Read once at start; each part gets only its own section.

An unknown key is an error that names its path and the nearest known name. Keys carry their unit.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from ivrd.errors import ConfigError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,29}$")]
"""Safe in a dialplan, an AMI header, an MQTT topic and a metric label alike."""

Prompt = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_/-]{0,79}$")]
"""A sound file's name without its ending, relative to Asterisk's sounds directory."""

Digit = Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]

Number = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,15}$")]


class Section(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_true_as_number(cls, value: object, field: ValidationInfo) -> object:
        if isinstance(value, bool) and cls.model_fields[str(field.field_name)].annotation is int:
            raise ValueError("must be a whole number")
        return value


class PbxConfig(Section):
    """One Asterisk, reached over AMI on the same machine (AMI is not encrypted here)."""

    name: Name = Field(description="The PBX's name; prefix of every id, label of every figure.")
    host: str = Field(default="127.0.0.1", description="AMI's address.")
    port: int = Field(default=5038, ge=1, le=65535, description="AMI's TCP port.")
    username: str = Field(default="ivrd", description="AMI user, see `ivrd dialplan --manager`.")
    secret_file: Path = Field(
        description="File with the AMI secret; relative to the credentials directory or this file."
    )
    secret: SkipJsonSchema[SecretStr] = Field(
        default=SecretStr(""), description="Never in the file: read from secret_file.", exclude=True
    )
    queue_log_file: Path = Field(
        default=Path("/var/log/asterisk/queue_log"), description="Asterisk's own queue journal."
    )


class AgiConfig(Section):
    """Where the tone menus listen for Asterisk."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on, and where Asterisk finds us; loopback.",
    )
    port: int = Field(default=4573, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    sessions_max: int = Field(default=500, ge=1, le=10_000, description="Callers in menus at once.")
    session_s_max: int = Field(
        default=300, ge=10, le=3600, description="Seconds a caller may be in a menu."
    )

    @field_validator("host")
    @classmethod
    def _refuse_any_address(cls, host: str) -> str:
        if host in ("0.0.0.0", "::", ""):
            raise ValueError("must be one address: the dialplan tells Asterisk to connect to it")
        return host


class WebConfig(Section):
    """Metrics, health and JSON."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=9573, ge=0, le=65535, description="TCP port; 0 takes a free one.")


DATABASE_URLS = (
    r"sqlite\+aiosqlite:///[^?:]+",
    r"postgresql\+asyncpg://([^/@:?]+@)?(\[[0-9A-Fa-f:]+\]|[^/@:?]*)(:[0-9]{1,5})?/[^/?]+(\?.+)?",
)
"""A file, not SQLite's memory, which would keep nothing; a named database, host or socket."""


class DatabaseConfig(Section):
    """Where calls and cases are kept."""

    url: str = Field(
        default="sqlite+aiosqlite:////var/lib/ivrd/ivrd.sqlite",
        description="sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER@HOST/NAME.",
    )
    password_file: Path | None = Field(
        default=None, description="File with the database password; none for SQLite."
    )
    password: SkipJsonSchema[SecretStr | None] = Field(
        default=None, description="Never in the file: read from password_file.", exclude=True
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if re.match(r"[^:]+://[^/@]*:[^/@]*@|.*[?&]password=", url):
            raise ValueError("must not hold a password; put it in the file named by password_file")
        if not any(re.fullmatch(form, url) for form in DATABASE_URLS):
            raise ValueError(
                "must be sqlite+aiosqlite:///PATH, or postgresql+asyncpg://USER@HOST/NAME"
            )
        return url


class JournalConfig(Section):
    """Where facts wait until the database has them; 256 MB is a county's calls of over ten days."""

    directory: Path = Field(default=Path("/var/lib/ivrd/journal"), description="Of one ivrd only.")
    size_mb_max: int = Field(default=256, ge=32, le=65_536, description="MB; above, facts drop.")


class MqttConfig(Section):
    """The broker that supervisors' tools listen to; leave the section out for none."""

    host: str = Field(default="127.0.0.1", description="The broker's address.")
    port: int = Field(default=1883, ge=1, le=65535, description="The broker's TCP port.")
    username: str | None = Field(default=None, description="None for an open broker.")
    password_file: Path | None = Field(default=None, description="File with the broker password.")
    password: SkipJsonSchema[SecretStr | None] = Field(
        default=None, description="Never in the file: read from password_file.", exclude=True
    )
    topic_prefix: Name = Field(default="ivrd", description="First level of every topic.")


class LogConfig(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info")
    form: Literal["json", "console"] = Field(default="json", description="One line per event.")


class QueueConfig(Section):
    """One Asterisk queue that ivrd counts and sends callers to."""

    name: Name = Field(description="As in Asterisk's queues.conf.")
    role: Literal["guide", "switchboard"] = Field(
        description="Who serves it: guides resolve cases, the switchboard connects."
    )
    title_sv: str = Field(default="", max_length=60, description="Name on screens, Swedish.")
    title_en: str = Field(default="", max_length=60, description="Name on screens, English.")
    service_level_threshold_s: int = Field(
        ge=1, le=3600, description="Answered within this many seconds is answered in time."
    )
    short_abandon_s: int = Field(
        default=5, ge=0, le=60, description="Hung up before this is neither hit nor miss."
    )
    timeout_s: int = Field(
        default=0, ge=0, le=86400, description="Leave the queue unanswered after this; 0 never."
    )
    fallback: Name | None = Field(
        default=None, description="Queue for callers that this one refuses or sends on."
    )
    department: Name | None = Field(
        default=None, description="Department that its cases are for; none: label by hand."
    )
    options: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{0,12}$")] = Field(
        default="t", description="Asterisk's Queue() options; t lets the agent transfer by keys."
    )


class MenuConfig(Section):
    """One tone menu. Staying on the line is a real choice."""

    name: Name
    prompt: Prompt = Field(description="What the caller hears first; a key may interrupt it.")
    prompt_text_sv: str = Field(default="", max_length=400, description="What the prompt says.")
    invalid_prompt: Prompt | None = Field(
        default=None, description="Played after a wrong key, before the prompt again."
    )
    invalid_prompt_text_sv: str = Field(default="", max_length=400)
    choices: dict[Digit, Name] = Field(description="Key to queue.")
    stay_choice: Name = Field(description="Queue for a caller who stays on the line.")
    stay_after_s: int = Field(
        default=5, ge=1, le=60, description="Seconds of silence after the prompt."
    )
    tries: int = Field(
        default=3, ge=1, le=9, description="Wrong keys before the caller gets stay_choice."
    )


class LineConfig(Section):
    """One dialled number."""

    name: Name
    number: Number = Field(description="As the dialplan's extension meets it.")
    menu: Name
    is_internal: bool = Field(default=False, description="The short number for our own staff.")


class OverflowConfig(Section):
    """One rule that moves waiting callers."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,14}$")] = Field(
        description="At most 15 characters: it travels in queue_log."
    )
    from_queue: Name
    to_queue: Name
    start_waiting: int = Field(ge=1, le=10_000, description="Begins when so many wait.")
    stop_waiting: int = Field(ge=0, le=10_000, description="Ends when so few wait.")
    moves_per_call: int = Field(default=1, ge=1, le=5, description="A caller is moved so often.")

    @model_validator(mode="after")
    def _check(self) -> "OverflowConfig":
        if self.stop_waiting >= self.start_waiting:
            raise ValueError("stop_waiting must be lower than start_waiting")
        if self.from_queue == self.to_queue:
            raise ValueError("to_queue must differ from from_queue")
        return self


class CasesConfig(Section):
    """When a case opens."""

    rule: Name = Field(default="resolved-by-guide", description="Part of each case's unique key.")


class Config(Section):
    """The whole configuration of one daemon."""

    state_directory: Path = Field(
        default=Path("/var/lib/ivrd"),
        description="Ours to write: the place in queue_log, the last reconcile.",
    )
    pbx: tuple[PbxConfig, ...] = Field(min_length=1)
    agi: AgiConfig = AgiConfig()
    web: WebConfig = WebConfig()
    database: DatabaseConfig = DatabaseConfig()
    journal: JournalConfig = JournalConfig()
    mqtt: MqttConfig | None = None
    log: LogConfig = LogConfig()
    queues: tuple[QueueConfig, ...] = Field(min_length=1)
    menus: tuple[MenuConfig, ...] = Field(min_length=1)
    lines: tuple[LineConfig, ...] = Field(min_length=1)
    overflow: tuple[OverflowConfig, ...] = ()
    cases: CasesConfig = CasesConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What systemd has told us about watching over us."""

    notify_socket: str | None
    """Where to say READY and WATCHDOG; None when nobody listens."""
    watchdog_s: float | None
    """A sign of life is wanted at least this often; None when nobody waits for one."""


def supervision(environment: Mapping[str, str] = os.environ) -> Supervision:
    """Return how systemd watches over this process.

    Source:
        sd_notify(3), sd_watchdog_enabled(3): WATCHDOG_PID, when set, names whom it is for.
    """
    microseconds = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    has_watchdog = microseconds.isdigit() and int(microseconds) > 0 and is_ours
    return Supervision(
        notify_socket=environment.get("NOTIFY_SOCKET") or None,
        watchdog_s=int(microseconds) / 1e6 if has_watchdog else None,
    )


def load(path: Path, *, with_secrets: bool = True) -> Config:
    """Return the checked configuration of a TOML file.

    Args:
        path: The file. Relative paths inside it are relative to its directory.
        with_secrets: False leaves secrets empty, for commands that need none.

    Raises:
        ConfigError: With one line per fault: path, what is wrong, the nearest known name.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error
    config = check(document)
    return _with_secrets(config, path.parent) if with_secrets else config


def check(document: Mapping[str, object]) -> Config:
    """Return the configuration of a parsed document.

    Raises:
        ConfigError: With every fault found, not only the first.
    """
    faults = list(_secret_faults(document))
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError([*faults, *_readable(error)]) from error
    faults.extend(_reference_faults(config))
    if faults:
        raise ConfigError(faults)
    return config


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of the file, for editors."""
    return Config.model_json_schema()


def _secret_faults(document: Mapping[str, object]) -> Iterator[str]:
    """Yield a fault for each secret written into the file itself."""
    pbxes = document.get("pbx")
    for number, pbx in enumerate(pbxes if isinstance(pbxes, list) else []):
        if isinstance(pbx, dict) and "secret" in pbx:
            yield f"pbx[{number}].secret: secrets do not belong here; name a file in secret_file"
    for section in ("database", "mqtt"):
        table = document.get(section)
        if isinstance(table, dict) and "password" in table:
            yield f"{section}.password: secrets do not belong here; name a file in password_file"


def _readable(error: ValidationError) -> Iterator[str]:
    faults = error.errors(include_url=False, include_input=False)
    inner = {_place(fault["loc"][:depth]) for fault in faults for depth in range(len(fault["loc"]))}
    for fault in faults:
        place = _place(fault["loc"])
        if fault["type"] == "too_short" and place in inner:
            # Pydantic counts broken items as missing ones, although they are named already.
            continue
        if fault["type"] == "extra_forbidden":
            yield f"{place}: is not a key we know{_nearest(fault['loc'])}"
        elif fault["type"] == "missing":
            yield f"{place}: is missing"
        else:
            yield f"{place}: {fault['msg'].removeprefix('Value error, ')}"


def _place(location: Iterable[int | str]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _nearest(location: tuple[int | str, ...]) -> str:
    known = _keys_at(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known here: {', '.join(known)}" if known else ""


_SECTIONS: Mapping[str, type[Section]] = {
    "pbx": PbxConfig,
    "agi": AgiConfig,
    "web": WebConfig,
    "database": DatabaseConfig,
    "journal": JournalConfig,
    "mqtt": MqttConfig,
    "log": LogConfig,
    "queues": QueueConfig,
    "menus": MenuConfig,
    "lines": LineConfig,
    "overflow": OverflowConfig,
    "cases": CasesConfig,
}


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    if not location:
        return list(Config.model_fields)
    section = _SECTIONS.get(str(location[0]))
    hidden = {"secret", "password"}
    return [key for key in section.model_fields if key not in hidden] if section else []


def _reference_faults(config: Config) -> Iterator[str]:
    """Yield a fault for each name that points nowhere, or stands twice."""
    queues = [queue.name for queue in config.queues]
    menus = [menu.name for menu in config.menus]
    yield from _doubles("pbx", [pbx.name for pbx in config.pbx])
    yield from _doubles("queues", queues)
    yield from _doubles("menus", menus)
    yield from _doubles("lines", [line.name for line in config.lines])
    yield from _doubles("lines", [line.number for line in config.lines], key="number")
    yield from _doubles("overflow", [rule.name for rule in config.overflow])
    for place, name in _queue_references(config):
        if name not in queues:
            yield f"{place}: no queue is named {name!r}{_suggest(name, queues)}"
    for number, line in enumerate(config.lines):
        if line.menu not in menus:
            suggestion = _suggest(line.menu, menus)
            yield f"lines[{number}].menu: no menu is named {line.menu!r}{suggestion}"
    yield from _fallback_loops(config)


def _queue_references(config: Config) -> Iterator[tuple[str, str]]:
    for number, queue in enumerate(config.queues):
        if queue.fallback is not None:
            yield f"queues[{number}].fallback", queue.fallback
    for number, menu in enumerate(config.menus):
        yield f"menus[{number}].stay_choice", menu.stay_choice
        for digit, name in menu.choices.items():
            yield f"menus[{number}].choices.{digit}", name
    for number, rule in enumerate(config.overflow):
        yield f"overflow[{number}].from_queue", rule.from_queue
        yield f"overflow[{number}].to_queue", rule.to_queue


def _doubles(section: str, names: list[str], key: str = "name") -> Iterator[str]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"{section}[{number}].{key}: {name!r} stands twice; each must be its own"


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def _fallback_loops(config: Config) -> Iterator[str]:
    """Yield a fault for each queue whose fallbacks lead back to it: callers would go in circles."""
    fallback = {queue.name: queue.fallback for queue in config.queues}
    for number, queue in enumerate(config.queues):
        seen = {queue.name}
        following = queue.fallback
        while following is not None and following not in seen:
            seen.add(following)
            following = fallback.get(following)
        if following == queue.name:
            yield f"queues[{number}].fallback: leads back to {queue.name!r}; break the circle"


def _with_secrets(config: Config, base: Path) -> Config:
    pbxes = tuple(
        pbx.model_copy(
            update={"secret": _read_secret(pbx.secret_file, base, f"pbx[{number}].secret_file")}
        )
        for number, pbx in enumerate(config.pbx)
    )
    database, mqtt = config.database, config.mqtt
    if database.password_file is not None:
        secret = _read_secret(database.password_file, base, "database.password_file")
        database = database.model_copy(update={"password": secret})
    if mqtt is not None and mqtt.password_file is not None:
        secret = _read_secret(mqtt.password_file, base, "mqtt.password_file")
        mqtt = mqtt.model_copy(update={"password": secret})
    return config.model_copy(update={"pbx": pbxes, "database": database, "mqtt": mqtt})


def _read_secret(file: Path, base: Path, place: str) -> SecretStr:
    """Return a secret from systemd's credentials directory, or from beside the configuration.

    Source:
        systemd.exec(5), LoadCredential=: CREDENTIALS_DIRECTORY names a directory only we can read.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    candidates = [Path(credentials) / file] if credentials else []
    candidates.append(base / file)
    for candidate in candidates:
        try:
            text = candidate.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ConfigError([f"{place}: {candidate} cannot be read: {error}"]) from error
        if not text or not text.isprintable():
            raise ConfigError([f"{place}: {candidate} must hold one printable line"])
        return SecretStr(text)
    looked = " or ".join(str(candidate) for candidate in candidates)
    raise ConfigError([f"{place}: there is no {looked}; create it, readable by ivrd only"])
