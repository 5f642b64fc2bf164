"""The section for access: who may see and do what, over HTTP, on the page and by MQTT.

Here: models, and the checks of this section alone. Not here: what a role may do
(access/rights.py), and whether its lines exist (references.py).

Tokens stand here as their SHA-256 only. That is enough: a token is 256 random bits, so nobody
finds it by trying, and a slow hash, made for passwords that people choose, would gain nothing.
"""

import datetime
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from ivrd.config.base import Name, Section
from ivrd.config.hours import HoursText, ReasonText, WeekTable

RoleName = Literal["guide", "viewer", "supervisor", "administrator"]


def _is_somebody(name: str) -> str:
    if name == "anonymous":
        raise ValueError("is the name of those without a token")
    return name


PersonName = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f|,:]{1,60}$"),
    AfterValidator(_is_somebody),
]
"""As the audit shows it: a person, or a program."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#]+$")]

LOOPBACK_URL = r"^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/|$)"


class TokenConfig(Section):
    """One person's or program's token; `ivrd token new` prints an entry."""

    name: PersonName = Field(description="Who it is, as the audit shows it.")
    role: RoleName = Field(description="guide, viewer, supervisor or administrator.")
    lines: tuple[Name, ...] = Field(default=(), description="Only these lines; none: all.")
    agent: str | None = Field(
        default=None, min_length=1, max_length=80, description="The person's member name in queues."
    )
    sha256: Sha256 = Field(description="Of the token; the token itself stands nowhere.")


class ShiftExceptionConfig(Section):
    """Who leads on one date, or that nobody does."""

    date: datetime.date = Field(description="The date, by the wall clock of time_zone.")
    person: PersonName | None = Field(default=None, description="None: whose turn it is.")
    hours: HoursText | None = Field(default=None, description="None: as the week says; or closed.")
    reason: ReasonText = Field(default="", description="For people.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.person is None and self.hours is None:
            raise ValueError("must hold a person, or hours, or both")
        return self


class ShiftConfig(Section):
    """Rotating shift lead: who is a supervisor, and when."""

    name: Name
    people: tuple[PersonName, ...] = Field(
        min_length=1, description="In turn, week by week, from first_week on; by their names."
    )
    first_week: datetime.date = Field(description="A Monday: the first person's first week.")
    weeks_each: int = Field(default=1, ge=1, le=52, description="Weeks that one turn lasts.")
    week: WeekTable = Field(description="When the lead has the rights: mon-thu = 7.30-16.45.")
    lines: tuple[Name, ...] = Field(default=(), description="Only these lines; none: all.")
    exceptions: tuple[ShiftExceptionConfig, ...] = ()

    @field_validator("first_week")
    @classmethod
    def _check_monday(cls, day: datetime.date) -> datetime.date:
        if day.weekday() != 0:
            monday = day - datetime.timedelta(days=day.weekday())
            raise ValueError(f"{day} is no Monday; its week begins on {monday}")
        return day

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        dates = sorted(each.date for each in self.exceptions)
        for one, following in itertools.pairwise(dates):
            if one == following:
                raise ValueError(f"exceptions hold {one} twice")
        return self


class OidcRoleConfig(Section):
    """What a value of the claim makes of a person."""

    value: str = Field(min_length=1, max_length=200, description="As the provider sends it.")
    role: RoleName
    lines: tuple[Name, ...] = Field(default=(), description="Only these lines; none: all.")


class OidcConfig(Section):
    """Signing in by the municipality's own OpenID Connect."""

    issuer: Url = Field(description="The provider; its discovery document is looked up below it.")
    client_id: str = Field(min_length=1, max_length=200)
    client_secret_file: Path = Field(description="File with the client's secret.")
    client_secret: SkipJsonSchema[SecretStr] = Field(
        default=SecretStr(""), description="Never in the file.", exclude=True
    )
    scopes: tuple[str, ...] = Field(default=("openid", "profile"), min_length=1)
    name_claim: str = Field(default="preferred_username", description="Who it is, in the audit.")
    role_claim: str = Field(default="roles", description="Holds one value, or a list of them.")
    agent_claim: str | None = Field(default=None, description="Holds the member name in queues.")
    roles: tuple[OidcRoleConfig, ...] = Field(min_length=1, description="From value to role.")

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        return _secure(issuer).rstrip("/")

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("must hold openid")
        return scopes


class AccessConfig(Section):
    """Who may see and do what; metrics and health are open to whoever reaches the address."""

    anonymous_role: Literal["none", "viewer"] = Field(
        default="none", description="What is seen without a token: nothing, or what viewers see."
    )
    public_url: Url | None = Field(
        default=None, description="How browsers reach ivrd, when a proxy stands between."
    )
    session_hours: int = Field(default=10, ge=1, le=168, description="So long a sign-in lasts.")
    requests_per_minute: int = Field(
        default=600, ge=10, le=100_000, description="Of one token or person; above: 429."
    )
    address_requests_per_minute: int = Field(
        default=1200, ge=10, le=100_000, description="Of one address, all together."
    )
    token: tuple[TokenConfig, ...] = ()
    shift: tuple[ShiftConfig, ...] = ()
    oidc: OidcConfig | None = None

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str | None) -> str | None:
        return None if url is None else url.rstrip("/")

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = list(_doubles("token", "sha256", [each.sha256 for each in self.token]))
        faults += _doubles("shift", "name", [each.name for each in self.shift])
        if self.oidc is not None and self.public_url is None:
            faults.append("public_url is needed with oidc: the provider sends browsers back there")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _secure(url: str) -> str:
    """Return an address that is https, or stays on this machine.

    Raises:
        ValueError: It is neither.
    """
    if not url.startswith("https://") and not re.match(LOOPBACK_URL, url):
        raise ValueError("must begin with https://, unless it is on this machine")
    return url


def _doubles(place: str, key: str, values: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield f"{place}[{number}].{key} stands twice"
        seen.add(value)
