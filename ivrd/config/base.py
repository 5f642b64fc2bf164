"""What every section of the configuration is made of.

Here: the base class, and the kinds of names and numbers. Not here: any section.
"""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,29}$")]
"""Safe in a dialplan, an AMI header, an MQTT topic and a metric label alike."""

PromptId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""A prompt of the sheet; its sound file is `ivrd/ID`, below Asterisk's sounds by language."""

UNAVAILABLE_PROMPT = "otillganglig"
"""Heard by a caller for whom there is no way on."""

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""An ISO 639-1 code, which is also the sounds' directory."""

Digit = Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]

Number = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{1,15}$")]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone of this machine") from error
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""A name of the tz database, such as Europe/Stockholm."""


class Section(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_true_as_number(cls, value: object, field: ValidationInfo) -> object:
        if isinstance(value, bool) and cls.model_fields[str(field.field_name)].annotation is int:
            raise ValueError("must be a whole number")
        return value


def sound(prompt: str) -> str:
    """Return the sound file of a prompt, as Asterisk finds it for the channel's language.

    >>> sound("huvudmeny")
    'ivrd/huvudmeny'
    """
    return f"ivrd/{prompt}"
