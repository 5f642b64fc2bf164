"""What goes over MQTT, as an AsyncAPI 3.0 document made of the models that messages are made of.

Here: topics, directions, quality of service, and which model is where. Not here: the models, and
sending (mqtt.py). After a change: `python -m ivrd.asyncapi > docs/asyncapi.json`.

Source:
    AsyncAPI 3.0.0; its bindings for MQTT, version 0.2.0.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ivrd import __version__
from ivrd.config import Config, TopicConfig
from ivrd.handover.cloud_event import CONTENT_TYPE, CaseEvent
from ivrd.mqtt_session import QOS
from ivrd.mqtt_texts import CaseChangedMessage, CaseOpenedMessage, DecisionMessage
from ivrd.web.bridge import Command, Reply
from ivrd.web.lines import LineStatus
from ivrd.web.status import QueueStatus

Document = dict[str, Any]

PREFIX = "ivrd"
"""The default of `topic_prefix`."""

HANDOVER_TOPIC = "handover"
"""The default of a destination's `topic`."""

PARAMETERS = {
    "system": "The PBX, by its name in [[pbx]].",
    "queue": "The queue, as in queues.conf.",
    "line": "The line, by its name in [[lines]].",
    "id": "Of the command.",
}

AVAILABILITY = {"type": "string", "enum": ["online", "offline"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One kind of topic."""

    name: str
    topic: str
    """Below the prefix."""
    told: str
    model: type[BaseModel] | None
    """None: availability, which is no JSON."""
    is_retained: bool = False
    content_type: str = "application/json"


CHANNELS = (
    Channel(
        name="availability",
        topic="{system}/availability",
        told="Whether ivrd is there; the broker says offline by itself when it is gone.",
        model=None,
        is_retained=True,
        content_type="text/plain",
    ),
    Channel(
        name="queueStatus",
        topic="{system}/queue/{queue}/status",
        told="A queue as it is now, at most five times a second; as GET /api/queues tells it.",
        model=QueueStatus,
        is_retained=True,
    ),
    Channel(
        name="lineStatus",
        topic="line/{line}/status",
        told="A line as it is now: open or closed, why, until when, notices.",
        model=LineStatus,
        is_retained=True,
    ),
    Channel(
        name="caseOpened",
        topic="{system}/case",
        told="A case was opened and is stored.",
        model=CaseOpenedMessage,
    ),
    Channel(
        name="caseChanged",
        topic="{system}/case/changed",
        told="A case, or a contact, was changed; never what anybody wrote.",
        model=CaseChangedMessage,
    ),
    Channel(
        name="decision",
        topic="{system}/decision",
        told="What overflow decided, by which figures, and what came of it.",
        model=DecisionMessage,
    ),
)

COMMAND = Channel(
    name="command",
    topic="command",
    told="An act, by the routes of HTTP: `do` is a route of POST without /api/. Not retained.",
    model=Command,
)

REPLY = Channel(
    name="reply", topic="reply/{id}", told="What came of the command of that id.", model=Reply
)

DESCRIPTION = """What ivrd tells by MQTT, and what it can be told.

Every message is at quality of service 1, so it may come twice. Numbers of callers are in none, but
for handing over to a destination with `includes_number`. Errors in a reply are those of HTTP, see
/openapi.json, where each route that a command names is described."""


def document(
    *, prefix: str = PREFIX, handover_topics: Iterable[str] = (HANDOVER_TOPIC,)
) -> Document:
    """Return the document.

    Args:
        prefix: First level of every topic.
        handover_topics: Where cases are handed over to, below the prefix.
    """
    handovers = [
        Channel(
            name=f"handover_{topic}".replace("/", "_").replace("-", "_"),
            topic=topic,
            told="A change of a case that is handed over, as a CloudEvent.",
            model=CaseEvent,
            content_type=CONTENT_TYPE,
        )
        for topic in sorted(set(handover_topics))
    ]
    sent = [*CHANNELS, *handovers]
    every = [*sent, COMMAND, REPLY]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "ivrd over MQTT", "version": __version__, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {one.name: _channel(one, prefix) for one in every},
        "operations": {**{f"tell_{one.name}": _send(one) for one in sent}, "obey": _obey()},
        "components": {
            "messages": {one.name: _message(one) for one in every},
            "schemas": _schemas(every),
        },
    }


def document_of(config: Config) -> Document:
    """Return the document of an installation."""
    return document(
        prefix=PREFIX if config.mqtt is None else config.mqtt.topic_prefix,
        handover_topics=[one.topic for one in config.handover if isinstance(one, TopicConfig)],
    )


def text_of(document: Document) -> str:
    """Return the document as it is kept in docs/."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _channel(one: Channel, prefix: str) -> Document:
    names = [name for name in PARAMETERS if f"{{{name}}}" in one.topic]
    told: Document = {
        "address": f"{prefix}/{one.topic}",
        "description": one.told,
        "messages": {one.name: {"$ref": f"#/components/messages/{one.name}"}},
    }
    if names:
        told["parameters"] = {name: {"description": PARAMETERS[name]} for name in names}
    return told


def _message(one: Channel) -> Document:
    payload: Mapping[str, Any] = AVAILABILITY
    if one.model is not None:
        payload = {"$ref": f"#/components/schemas/{one.model.__name__}"}
    return {
        "name": one.name,
        "summary": one.told,
        "contentType": one.content_type,
        "payload": payload,
    }


def _send(one: Channel) -> Document:
    binding = {"qos": QOS, "retain": one.is_retained, "bindingVersion": "0.2.0"}
    return {"action": "send", **_place(one), "bindings": {"mqtt": binding}}


def _obey() -> Document:
    binding = {"qos": QOS, "bindingVersion": "0.2.0"}
    return {
        "action": "receive",
        **_place(COMMAND),
        "bindings": {"mqtt": binding},
        "reply": _place(REPLY),
    }


def _place(one: Channel) -> Document:
    channel = f"#/channels/{one.name}"
    return {
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{one.name}"}],
    }


def _schemas(every: Sequence[Channel]) -> Mapping[str, Any]:
    """Return the schema of each model: of commands as they are taken, of the rest as it is sent."""
    models = [one.model for one in every if one.model is not None]
    unique = dict.fromkeys(models)
    _, told = models_json_schema(
        [
            (model, "validation" if model in (Command, CaseEvent) else "serialization")
            for model in unique
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas: Mapping[str, Any] = told["$defs"]
    return schemas


if __name__ == "__main__":
    print(text_of(document()), end="")
