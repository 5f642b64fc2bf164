"""Sections for personal data: the key, protected identity, and how long each field is kept.

Here: models and the checks of one section alone. Not here: reading the key (key_file.py), and what
is done with it (ivrd/privacy, ivrd/retention.py).
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from ivrd.config.base import Name, Section


class PrivacyConfig(Section):
    """Callers' numbers: without a key none is kept, and repeat calls are not found."""

    key_file: Path | None = Field(
        default=None, description="File of `ivrd key new`; none: no number is kept at all."
    )
    keys: SkipJsonSchema[tuple[SecretStr, ...]] = Field(
        default=(), description="Never in the file: read from key_file.", exclude=True
    )
    country_code: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}$")] = Field(
        default="46", description="Of numbers that come without one."
    )
    key_period_days: int = Field(
        default=30, ge=7, le=400, description="Caller keys change after so many days."
    )
    protected_lines: tuple[Name, ...] = Field(
        default=(), description="Lines whose callers' numbers never come to ivrd."
    )


class RetentionConfig(Section):
    """How long each field is kept; `ivrd purge` takes away what is older."""

    caller_number_days: int = Field(
        default=30, ge=0, le=3660, description="Sealed numbers; 0 keeps none over a purge."
    )
    caller_key_days: int = Field(default=90, ge=0, le=3660, description="Hashes of numbers.")
    note_months: int = Field(default=3, ge=0, le=120, description="Notes of closed cases.")
    agent_months: int = Field(default=24, ge=1, le=120, description="Who answered.")
    case_years: int = Field(default=7, ge=1, le=100, description="Cases, as figures.")
    call_years: int = Field(default=7, ge=1, le=100, description="Calls, as figures.")
    entry_years: int = Field(default=7, ge=1, le=100, description="Stays in queues, and moves.")
    decision_months: int = Field(default=12, ge=1, le=1200, description="Overflow's decisions.")
    act_years: int = Field(default=2, ge=1, le=100, description="What people switched.")
    access_log_years: int = Field(default=2, ge=1, le=100, description="Who read a number.")
    aside_days: int = Field(
        default=30, ge=1, le=3660, description="What the journal has set aside for a person."
    )
