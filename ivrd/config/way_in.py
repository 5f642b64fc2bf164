"""Sections for the caller's way in: lines, their tone menus, and notices.

Here: models and the checks of one section alone. Not here: what a menu does (core/menu.py), when
a line is open (hours.py), what a prompt says (prompt_sheet.py).
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from ivrd.config.base import Digit, Language, Name, Number, PromptId, Section
from ivrd.core import targets

Keys = Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,6}$")]
"""One telephone key, or several in a row."""


class TargetConfig(Section):
    """Where a key, silence or failure leads; exactly one of the keys."""

    queue: Name | None = Field(default=None, description="Waits there; a plain text is a queue.")
    menu: Name | None = Field(default=None, description="Another menu.")
    announcement: PromptId | None = Field(
        default=None, description="A prompt; then the same menu again."
    )
    number: Number | None = Field(default=None, description="Rung by the site's dialplan.")
    language: Language | None = Field(
        default=None, description="Speaks so from then on, in the queue too."
    )
    slow: bool = Field(default=False, description="Longer time-outs from then on.")
    callback: bool = Field(default=False, description="Reserved: not built yet.")

    @model_validator(mode="after")
    def _check(self) -> "TargetConfig":
        given = [key for key in type(self).model_fields if getattr(self, key)]
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"must hold exactly one of {known}")
        if self.callback:
            raise ValueError("callback is reserved, and not built yet")
        return self

    @property
    def target(self) -> targets.Target:
        """The same as the core knows it."""
        match self:
            case TargetConfig(queue=str(name)):
                return targets.ToQueue(name)
            case TargetConfig(menu=str(name)):
                return targets.ToMenu(name)
            case TargetConfig(announcement=str(prompt)):
                return targets.ToAnnouncement(prompt)
            case TargetConfig(number=str(number)):
                return targets.ToNumber(number)
            case TargetConfig(language=str(language)):
                return targets.InLanguage(language)
        return targets.Slowly()

    @property
    def label(self) -> str:
        """How the target is named on the wire, in facts and in figures."""
        return targets.label_of(self.target)


def _as_target(value: object) -> object:
    return {"queue": value} if isinstance(value, str) else value


Target = Annotated[TargetConfig, BeforeValidator(_as_target)]
"""A table with one key, or a plain text for a queue."""


class MenuConfig(Section):
    """One tone menu. Staying on the line is a real choice."""

    name: Name
    prompt: PromptId = Field(description="What the caller hears first; a key may interrupt it.")
    invalid_prompt: PromptId | None = Field(
        default=None, description="Played after a wrong key, before the prompt again."
    )
    choices: dict[Keys, Target] = Field(description="Where each key leads.")
    stay_choice: Target = Field(description="Where a caller goes who stays on the line.")
    failure_choice: Target | None = Field(
        default=None, description="Where too many wrong keys lead; none: stay_choice."
    )
    stay_after_s: int = Field(
        default=5, ge=1, le=60, description="Seconds of silence after the prompt."
    )
    digit_s: int = Field(
        default=3, ge=1, le=20, description="Seconds between the keys of a longer choice."
    )
    tries: int = Field(
        default=3, ge=1, le=9, description="Wrong keys before the caller gets failure_choice."
    )
    repeat_key: Digit | None = Field(default=None, description="Plays the prompt again.")
    back_key: Digit | None = Field(default=None, description="Leads to the menu before.")
    slow_factor: int = Field(
        default=2, ge=1, le=5, description="Times both time-outs, for callers in slow mode."
    )

    @model_validator(mode="after")
    def _check(self) -> "MenuConfig":
        for name in ("repeat_key", "back_key"):
            key = getattr(self, name)
            taken = [choice for choice in self.choices if key is not None and choice[0] == key]
            if taken:
                raise ValueError(f"{name} {key!r} is the beginning of choice {taken[0]!r}")
        if self.repeat_key is not None and self.repeat_key == self.back_key:
            raise ValueError(f"repeat_key and back_key are both {self.back_key!r}")
        for name in ("stay_choice", "failure_choice"):
            target = getattr(self, name)
            if target is not None and (target.language or target.slow):
                raise ValueError(f"{name} must lead somewhere: a queue, menu, number, announcement")
        return self


class LineConfig(Section):
    """One dialled number."""

    name: Name
    number: Number = Field(description="As the dialplan's extension meets it.")
    menu: Name | None = Field(default=None, description="What callers meet; or a queue at once.")
    queue: Name | None = Field(default=None, description="Instead of a menu.")
    is_internal: bool = Field(default=False, description="The short number for our own staff.")
    language: Language = Field(default="sv", description="Until the caller chooses another.")
    is_slow: bool = Field(default=False, description="Longer time-outs for everybody here.")
    hours: Name | None = Field(default=None, description="Opening hours; none: always open.")
    closed_prompt: PromptId | None = Field(
        default=None, description="Heard when the line is closed."
    )
    closed_choice: Target | None = Field(
        default=None, description="Where callers go then; none: hang up."
    )
    at_closing: Literal["serve", "close"] = Field(
        default="serve",
        description="Callers who wait at closing are served, or meet the closed line.",
    )
    goal_percent: int | None = Field(
        default=None, ge=1, le=100, description="So many of 100 callers are to be answered ..."
    )
    goal_within_s: int | None = Field(
        default=None, ge=1, le=3600, description="... within so many seconds."
    )

    @model_validator(mode="after")
    def _check(self) -> "LineConfig":
        if self.closed_choice is not None and (
            self.closed_choice.language or self.closed_choice.slow
        ):
            raise ValueError("closed_choice must lead somewhere: queue, menu, number, announcement")
        if (self.menu is None) == (self.queue is None):
            raise ValueError("must name a menu, or a queue instead")
        if self.hours is not None and self.closed_prompt is None and self.closed_choice is None:
            raise ValueError("hours needs closed_prompt or closed_choice: what callers meet then")
        if (self.goal_percent is None) != (self.goal_within_s is None):
            raise ValueError("goal_percent and goal_within_s belong together")
        return self


class NoticeConfig(Section):
    """A message that is switched on and off live, such as an incident (driftstörning)."""

    name: Name
    prompt: PromptId = Field(description="What callers hear.")
    lines: tuple[Name, ...] = Field(default=(), description="Where it is heard; none: everywhere.")
    place: Literal["before_menu", "before_queue"] = Field(
        default="before_menu", description="When it is heard."
    )
