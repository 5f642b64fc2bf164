"""A case's message as a CloudEvent in structured JSON, for webhook, MQTT and file alike.

Here: the envelope. Not here: what it holds of a case (the payload, written with the case's change).

The same message gives the same bytes at each repeat, but for the caller's number, which is not kept
with the message and may have been purged meanwhile.

Source:
    CloudEvents 1.0.2, JSON event format; extension "sequence" (order within one subject).
"""

import json
from collections.abc import Mapping
from typing import TypedDict

from ivrd.core.case_messages import CaseMessage

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

TYPE_PREFIX = "ivrd.case."

SEQUENCE_DIGITS = 10
"""Text of one length, so that its order is the numbers' order."""

CaseFields = Mapping[str, object]


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
