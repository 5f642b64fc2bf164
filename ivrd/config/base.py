"""What every section of the configuration is made of.

Here: the base class, and the kinds of names and numbers. Not here: any section.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationInfo, field_validator

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
