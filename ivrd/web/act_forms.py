"""What acts bring with them, and what comes of them, as HTTP says it.

Here: the shapes. Not here: the routes (acts.py) and carrying out (switches.py, overflow_orders.py).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from ivrd.core.ids import SystemName
from ivrd.core.switches import REASON_CHARACTERS_MAX, ActOutcome, Setting, Switch, SwitchState

Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=REASON_CHARACTERS_MAX,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
    Field(description="Why; whoever asks later must know."),
]

Seen = Annotated[
    int | None,
    Field(ge=0, le=2**53, description="The version that was seen; none: whatever it is."),
]

AgentSeen = Annotated[
    str | None,
    Field(max_length=64, description="The agent's version that was seen; none: whatever it is."),
]

OneLine = StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")


class _Form(BaseModel):
    """An unknown key is an error: a misspelt `until` must not be passed over."""

    model_config = ConfigDict(extra="forbid")


class WhyForm(_Form):
    """An act that needs nothing but a reason."""

    reason: Reason
    seen: Seen = None


class UntilForm(WhyForm):
    """An act that ends by itself."""

    until: AwareDatetime = Field(description="When it ends by itself.")


class UndoForm(_Form):
    """The act before is to be taken back."""

    seen: Seen = None


class MoveForm(_Form):
    """One caller is to be moved."""

    call: Annotated[str, OneLine] = Field(description="The call's id, or what is after its slash.")
    to_queue: Annotated[str, OneLine]
    reason: Reason


class AgentForm(_Form):
    """Something is done with one agent."""

    agent: Annotated[str, StringConstraints(max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")] = Field(
        description="The member's name, as in /api/agents."
    )
    queues: Annotated[list[Annotated[str, OneLine]], Field(max_length=100)] = Field(
        default_factory=list, description="Only these; none: all that the agent serves, or served."
    )
    reason: Reason
    seen: AgentSeen = None


class AgentUndoForm(_Form):
    """The last act on an agent is to be taken back."""

    agent: Annotated[str, StringConstraints(max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
    seen: AgentSeen = None


class RankForm(_Form):
    """One caller is to go first, or by arrival again."""

    call: Annotated[str, OneLine] = Field(description="The call's id, or what is after its slash.")
    is_urgent: bool = Field(description="False: by arrival again.")
    reason: Reason


class SettingStatus(BaseModel):
    """What somebody has set a switch to."""

    stand: str = Field(description="on, open, closed, off, dry_run, forced or free.")
    until: datetime | None
    reason: str
    who: str
    origin: str
    at: datetime
    version: int


class SwitchStatus(BaseModel):
    """One notice, line or rule."""

    kind: Literal["notice", "line", "rule"]
    name: str
    version: int = Field(description="For `seen`; 0: never switched.")
    is_in_force: bool
    setting: SettingStatus | None = Field(description="The last; null: never switched.")
    pending: Mapping[str, str] = Field(description="PBXs that have not got it yet, and why.")


class SwitchList(BaseModel):
    """Every switch that somebody may see."""

    at: datetime
    switches: list[SwitchStatus]


class ActAnswer(BaseModel):
    """What came of an act."""

    outcome: Annotated[
        ActOutcome,
        Field(description="pending: taken, and on its way; already: it was so before."),
        WithJsonSchema({"type": "string", "enum": ["done", "pending", "already"]}),
    ]
    text: str = Field(description="The same for people, in English.")
    version: int | str | None = Field(description="For the next `seen`.")
    pending: Mapping[str, str] = Field(description="PBXs that have not got it yet, and why.")


def switch_status(
    switch: Switch, state: SwitchState, *, now: datetime, pending: Mapping[SystemName, str]
) -> SwitchStatus:
    """Return a switch as it is told."""
    setting = state.setting(switch)
    return SwitchStatus(
        kind=switch.kind.value,
        name=switch.name,
        version=state.version(switch),
        is_in_force=setting is not None and setting.is_in_force(now),
        setting=None if setting is None else setting_status(setting),
        pending={str(system): why for system, why in pending.items()},
    )


def setting_status(setting: Setting) -> SettingStatus:
    """Return a setting as it is told."""
    return SettingStatus(
        stand=setting.stand.value,
        until=setting.until,
        reason=setting.reason,
        who=setting.by.who,
        origin=setting.by.origin.value,
        at=setting.at,
        version=setting.version,
    )
