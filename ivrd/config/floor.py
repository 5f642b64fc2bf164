"""Sections for the floor: queues and cases.

Here: models and the checks of one section alone. Not here: what the rules mean (core).
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ivrd.config.base import Digit, Name, PromptId, Section
from ivrd.config.way_in import Target


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
    hours: Name | None = Field(default=None, description="When its agents are there; none: always.")
    catch_all: Name | None = Field(
        default=None, description="Queue that takes its calls while closed or in a meeting."
    )
    exit_keys: dict[Digit, Target] = Field(
        default={}, description="Where keys lead a caller who waits; see `ivrd dialplan --queues`."
    )
    speaks_wait: bool = Field(
        default=False, description="Callers hear their place and the expected wait as they enter."
    )
    offer_prompt: PromptId | None = Field(
        default=None, description="Heard again and again while waiting: what exit_keys offer."
    )
    offer_every_s: int = Field(default=60, ge=15, le=3600, description="Seconds between two.")
    department: Name | None = Field(
        default=None, description="Of its cases until they are labelled; none: unknown until then."
    )
    labels_by_phone: bool = Field(
        default=False, description="Its guides may label by codes on the telephone."
    )
    group: Name | None = Field(
        default=None, description="Answer group that serves it; none: a group of its own."
    )
    hold_until_labelled_s: int = Field(
        default=0,
        ge=0,
        le=600,
        description="A guide is paused until the case has a label, at most so long; 0 never.",
    )
    options: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{0,12}$")] = Field(
        default="t", description="Asterisk's Queue() options; t lets the agent transfer by keys."
    )


class CasesConfig(Section):
    """When a case opens."""

    rule: Name = Field(default="resolved-by-guide", description="Part of each case's unique key.")
    half_helped: Literal["case", "contact"] = Field(
        default="case", description="What a call is that a guide helped with and then handed on."
    )
    repeat_days: int = Field(
        default=14,
        ge=0,
        le=365,
        description="The same caller's case that is not closed, and no older, is linked; 0 never.",
    )
