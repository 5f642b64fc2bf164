"""Sections for the daemon's neighbours: PBX, AGI, web, database, journal, broker and log.

Here: models and the checks of one section alone. Not here: what a part does with its section.
"""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic.json_schema import SkipJsonSchema

from ivrd.config.base import Name, Section


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
    tls_ca_file: Path | None = Field(
        default=None, description="Who vouches for the broker, in PEM; none: no TLS."
    )
    topic_prefix: Name = Field(default="ivrd", description="First level of every topic.")


class LogConfig(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info")
    form: Literal["json", "console"] = Field(default="json", description="One line per event.")
