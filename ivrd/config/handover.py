"""Sections for the case systems that cases are handed over to.

Here: models and the checks of one section alone. Not here: how each is spoken to (ivrd/handover).
"""

import base64
import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from ivrd.config.base import Name, Section

SECRET_PREFIX = "whsec_"

SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
"""As Standard Webhooks has it."""

SECRETS_MAX = 3
"""The old, the new, and one more for whoever forgot to take the old away."""


def _safe_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be https://HOST/PATH")
    if parts.username is not None or parts.fragment:
        raise ValueError("must hold no user, password or fragment")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ValueError("must be https: what is said of citizens does not go in clear")
    return text


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Url = Annotated[str, AfterValidator(_safe_url)]
"""https; http to this machine only."""

Secrets = SkipJsonSchema[tuple[SecretStr, ...]]

SecretFiles = Annotated[tuple[Path, ...], Field(max_length=SECRETS_MAX)]

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9ÅÄÖåäö _.-]{1,128}$")]
"""A word of the other system's, such as a category."""


class DestinationConfig(Section):
    """What every kind of case system has."""

    name: Name = Field(description="In messages' keys, lists and metrics; not to be changed.")
    departments: tuple[Name, ...] = Field(
        default=(), description="Whose cases it takes; none named: every department's."
    )
    classes: tuple[Literal["resolved", "half_helped"], ...] = Field(
        default=(), description="Of which class; none named: every class."
    )
    includes_note: bool = Field(default=True, description="Whether the guide's note goes there.")
    includes_number: bool = Field(
        default=False, description="Whether the caller's number goes there, while it is kept."
    )
    timeout_s: int = Field(default=20, ge=1, le=120, description="Sending takes at most so long.")
    attempts_max: int = Field(
        default=1000, ge=1, le=100_000, description="Then a person must look at it."
    )
    slowest_s: int = Field(
        default=300, ge=1, le=3600, description="At most so long between two tries."
    )
    status_secret_files: SecretFiles = Field(
        default=(), description="Of statuses that come back signed; none: they are not taken."
    )
    status_secrets: Secrets = Field(default=(), exclude=True)


class WebhookConfig(DestinationConfig):
    """A receiver of signed CloudEvents by HTTP."""

    kind: Literal["webhook"]
    url: Url = Field(description="Where to POST.")
    secret_files: SecretFiles = Field(
        min_length=1, description="Files with secrets; each signs, so that one can be changed."
    )
    secrets: Secrets = Field(default=(), exclude=True)
    ca_file: Path | None = Field(default=None, description="Certificates to trust instead.")


class TopicConfig(DestinationConfig):
    """A listener at the MQTT broker."""

    kind: Literal["mqtt"]
    topic: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")] = Field(
        default="handover", description="Below topic_prefix of [mqtt]."
    )


class FileDropConfig(DestinationConfig):
    """A directory that somebody fetches files from."""

    kind: Literal["file"]
    directory: Path = Field(description="It must be there, and writable.")


class Classified(Section):
    """How the other system sorts an errand."""

    category: Word = Field(description="Of its metadata.")
    type: Word = Field(description="Of that category.")


class SupportManagementConfig(DestinationConfig):
    """Sundsvall's SupportManagement, an errand for each case."""

    kind: Literal["support_management"]
    url: Url = Field(description="Without municipality, such as https://HOST/supportmanagement/15")
    token_url: Url | None = Field(
        default=None, description="Of the API gateway (OAuth 2 client credentials); none: no token."
    )
    client_id: Annotated[str, StringConstraints(pattern=r"^[!-9;-~]{0,200}$")] = Field(
        default="", description="At the gateway."
    )
    client_secret_file: Path | None = Field(default=None, description="File with its secret.")
    client_secret: SkipJsonSchema[SecretStr | None] = Field(default=None, exclude=True)
    ca_file: Path | None = Field(default=None, description="Certificates to trust instead.")
    municipality_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = Field(
        description="Such as 2281."
    )
    namespace: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = Field(
        description="Such as CONTACTCENTER."
    )
    classification: Classified = Field(description="Where no label or department says else.")
    classifications: dict[Name, Classified] = Field(
        default={}, description="By label or department; the label's goes first."
    )
    status_new: Word = Field(default="NEW", description="Of a new errand.")
    status_closed: Word | None = Field(
        default=None, description="Set when a guide closes the case; none: nothing is set."
    )
    closed_statuses: tuple[Word, ...] = Field(
        default=("SOLVED",), description="In which the department has closed it."
    )
    priority: Literal["LOW", "MEDIUM", "HIGH"] = Field(default="MEDIUM")
    channel: Word = Field(default="PHONE", description="From where errands come.")
    reporter: Word = Field(default="ivrd", description="Who reports them (reporterUserId).")
    poll_s: int = Field(
        default=300, ge=0, le=86_400, description="How often to ask for statuses; 0 never."
    )

    @model_validator(mode="after")
    def _check_token(self) -> Self:
        given = (self.token_url is not None, self.client_secret_file is not None, self.client_id)
        if any(given) != all(given):
            raise ValueError("token_url, client_id and client_secret_file belong together")
        return self


def signing_fault(text: str) -> str | None:
    """Return what is wrong with a secret that signs, without quoting it; None when nothing is.

    >>> signing_fault("hush")
    'must begin with whsec_; make one with `ivrd handover secret`'
    """
    if not text.startswith(SECRET_PREFIX):
        return f"must begin with {SECRET_PREFIX}; make one with `ivrd handover secret`"
    try:
        size = len(base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True))
    except ValueError:
        return f"must be base64 after {SECRET_PREFIX}; make one with `ivrd handover secret`"
    if not SECRET_BYTES_MIN <= size <= SECRET_BYTES_MAX:
        return f"must be of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, and is of {size}"
    return None


def _kind_of(value: object) -> object:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


HandoverConfig = Annotated[
    Annotated[WebhookConfig, Tag("webhook")]
    | Annotated[TopicConfig, Tag("mqtt")]
    | Annotated[FileDropConfig, Tag("file")]
    | Annotated[SupportManagementConfig, Tag("support_management")],
    # By a function, because pydantic wants no check before the field of a discriminator.
    Discriminator(
        _kind_of,
        custom_error_type="handover_kind",
        custom_error_message="kind must be webhook, mqtt, file or support_management",
    ),
]
"""One case system; `kind` says which."""
