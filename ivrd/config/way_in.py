"""Sections for the caller's way in: lines and their tone menus.

Here: models and the checks of one section alone. Not here: what a menu does (core/menu.py).
"""

from pydantic import Field

from ivrd.config.base import Digit, Name, Number, Prompt, Section


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
