"""What messages to subscribers say of cases and decisions, as JSON.

Here: their form and text. Not here: topics and sending (mqtt.py), a queue's and a line's status
(web/), and the description of it all (asyncapi.py).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    WithJsonSchema,
)

from ivrd.core.actors import Origin
from ivrd.core.case_record import CaseChanged, CaseClass, CaseState
from ivrd.core.decisions import DecidedKind, RecordDecision
from ivrd.core.effects import PublishCase

Moment = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""As +00:00, which every reader of ISO 8601 knows; some know no Z."""


class _Message(BaseModel):
    """Nothing is sent that is not described."""

    model_config = ConfigDict(extra="forbid")


class CaseOpenedMessage(_Message):
    """A case was opened and is stored."""

    system: str
    case_id: int
    call_id: str
    rule: str = Field(description="Which rule of ours opened it.")
    at: Moment


class CaseChangedMessage(_Message):
    """A case, or a contact, was changed; without what anybody wrote."""

    system: str
    case_id: int
    call_id: str
    version: int = Field(description="Of the case, after the change; it grows by one.")
    at: Moment
    what: str = Field(description="opened, label, note, set_class, promise, close, ...")
    who: str
    from_where: Origin = Field(description="Which way it came.")
    case_class: CaseClass = Field(serialization_alias="class")
    is_case: bool = Field(description="False: a contact, which nobody pays for.")
    state: CaseState
    label: str | None = Field(description="Null while nobody has said.")
    department: str | None = Field(description="Null while nobody knows.")


class DecisionMessage(_Message):
    """What overflow decided, or what came of it."""

    system: str
    at: Moment
    call_id: str | None = Field(description="Null for one about a rule or a door.")
    what: DecidedKind
    rule: str
    from_queue: str | None
    to_queue: str | None
    is_dry_run: bool
    is_by_hand: bool
    who: str | None = Field(description="Whose word it was; null for a rule.")
    why: str | None
    figures: Mapping[str, JsonValue] = Field(
        description="At that moment: held, source, target, caller; or because."
    )


def case_json(case: PublishCase | CaseChanged) -> str:
    """Return a new case, or a change of one without what somebody wrote."""
    if isinstance(case, PublishCase):
        opened = CaseOpenedMessage(
            system=case.system,
            case_id=case.case_id,
            call_id=case.call_id,
            rule=case.rule,
            at=case.at,
        )
        return opened.model_dump_json()
    now, change = case.case, case.change
    changed = CaseChangedMessage(
        system=now.system,
        case_id=now.case_id,
        call_id=now.call_id,
        version=change.version,
        at=change.at,
        what=change.what,
        who=change.by.who,
        from_where=change.by.origin,
        case_class=now.case_class,
        is_case=now.is_case,
        state=now.state,
        label=now.label,
        department=now.department,
    )
    return changed.model_dump_json(by_alias=True)


def decision_json(decision: RecordDecision) -> str:
    """Return a decision of overflow with its figures."""
    message = DecisionMessage(
        system=decision.system,
        at=decision.at,
        call_id=decision.call_id or None,
        what=decision.what,
        rule=decision.rule,
        from_queue=decision.from_queue or None,
        to_queue=decision.to_queue or None,
        is_dry_run=decision.is_dry_run,
        is_by_hand=decision.is_by_hand,
        who=decision.who or None,
        why=decision.why or None,
        figures=json.loads(decision.figures),
    )
    return message.model_dump_json()


def topic_level(name: str) -> str:
    """Return a name as one level of a topic, to which nobody may publish with a wildcard in it.

    Example:
        >>> topic_level("IT+stöd #2")
        'IT%2Bstöd %232'

    Source:
        MQTT 3.1.1, section 4.7.1.1. Queues of others on the same Asterisk may be named so.
    """
    return name.replace("+", "%2B").replace("#", "%23")
