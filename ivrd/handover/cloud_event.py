"""A case's message as a CloudEvent in structured JSON, for webhook, MQTT and file alike.

Here: the envelope. Not here: what it holds of a case (the payload, written with the case's change).

The same message gives the same bytes at each repeat, but for the caller's number, which is not kept
with the message and may have been purged meanwhile.

Source:
    CloudEvents 1.0.2, JSON event format; extension "sequence" (order within one subject).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypedDict

from pydantic import BaseModel, Field

from ivrd.core.case_messages import CaseMessage

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

TYPE_PREFIX = "ivrd.case."

SEQUENCE_DIGITS = 10
"""Text of one length, so that its order is the numbers' order."""

CaseFields = Mapping[str, object]


class CaseTold(BaseModel, extra="forbid"):
    """What is told of a case (db/case_message_writes.py); the form, for whoever receives it."""

    key: str = Field(description="What the case is called outside, for ever.")
    case_id: int
    version: int
    system: str
    call_id: str
    line: str | None
    queue: str
    agent: str
    answered_at: datetime
    opened_at: datetime
    case_class: str = Field(alias="class", description="resolved, half_helped or contact.")
    state: str
    department: str | None
    label: str | None
    deadline: datetime | None = Field(description="Of a promise to call back.")
    feedback_kind: str | None
    feedback_receiver: str | None
    linked_case_id: int | None
    external_id: str | None = Field(description="What the department calls it.")
    note: str = Field(default="", description="Only with includes_note.")
    feedback_text: str = Field(default="", description="Only with includes_note.")
    caller_number: str = Field(default="", description="Only with includes_number, while kept.")


class ChangeTold(BaseModel, extra="forbid"):
    """What has changed."""

    kind: str
    version: int
    at: datetime
    who: str
    from_where: str
    fields: list[str] = Field(description="Which fields of the case.")


class DataTold(BaseModel, extra="forbid"):
    """A case, and its change."""

    case: CaseTold
    change: ChangeTold


class CaseEvent(BaseModel, extra="forbid"):
    """A CloudEvent 1.0.2 about one change of one case."""

    specversion: Literal["1.0"]
    id: str = Field(description="The same at each repeat.")
    source: str
    type: str = Field(description="ivrd.case.handed_over, ivrd.case.closed, ...")
    subject: str = Field(description="The case's key.")
    time: datetime
    sequence: str = Field(description="Order within one subject, as text.")
    datacontenttype: Literal["application/json"]
    data: DataTold


class Payload(TypedDict):
    """What a message holds of its case."""

    case: CaseFields
    change: CaseFields


def payload_of(message: CaseMessage) -> Payload:
    """Return what a message holds; ours, and so of known form."""
    payload: Payload = json.loads(message.payload)
    return payload


def cloud_event(message: CaseMessage, *, caller_number: str | None = None) -> bytes:
    """Return a message as bytes to send.

    Args:
        message: What is told.
        caller_number: Added to the case when not None; see the destination's `includes_number`.
    """
    payload = payload_of(message)
    case = dict(payload["case"])
    if caller_number is not None:
        case["caller_number"] = caller_number
    event = {
        "specversion": "1.0",
        "id": message.key,
        "source": f"urn:ivrd:{case['system']}",
        "type": f"{TYPE_PREFIX}{message.kind}",
        "subject": str(case["key"]),
        "time": message.created_at.isoformat(),
        "sequence": str(message.version).zfill(SEQUENCE_DIGITS),
        "datacontenttype": "application/json",
        "data": {"case": case, "change": payload["change"]},
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
