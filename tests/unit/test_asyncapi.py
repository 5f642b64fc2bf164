"""The description of MQTT: the file in docs/ is what the code says, and all of it is there."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ivrd import asyncapi, config
from ivrd.handover.cloud_event import CaseEvent

DOCS = Path(__file__).parents[2] / "docs"
SAMPLE = Path(__file__).parents[2] / "config" / "ivrd.toml"


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        part = list(part.values())
    for one in part if isinstance(part, list) else []:
        yield from references(one)


def test_the_file_is_what_the_code_says() -> None:
    kept = (DOCS / "asyncapi.json").read_text(encoding="utf-8")
    said = "run: python -m ivrd.asyncapi > docs/asyncapi.json"
    assert kept == asyncapi.text_of(asyncapi.document()), said


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi.document()
    found = set(references(document))
    assert len(found) > 30
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_every_topic_of_the_page_is_described_and_no_other() -> None:
    addresses = {one["address"] for one in asyncapi.document()["channels"].values()}
    page = (DOCS / "mqtt.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(ivrd/[^`]+)` \|", page, re.M)
    named = [
        re.sub(r"\b(QUEUE|LINE|ID)\b", lambda name: f"{{{name[1].lower()}}}", row) for row in rows
    ]
    assert {row.replace("PBX", "{system}") for row in named} == addresses


def test_an_installation_has_its_own_prefix_and_topics() -> None:
    sample = config.check(tomllib.loads(SAMPLE.read_text(encoding="utf-8")))
    handover = config.TopicConfig(name="tekniska", kind="mqtt", topic="till/tekniska")
    broker = config.MqttConfig(topic_prefix="tele")
    settings = sample.model_copy(update={"mqtt": broker, "handover": (handover,)})
    channels = asyncapi.document_of(settings)["channels"]
    addresses = {one["address"] for one in channels.values()}
    assert {"tele/command", "tele/till/tekniska"} < addresses
    assert not any(address.startswith("ivrd/") for address in addresses)
    assert asyncapi.document_of(sample)["channels"]["command"]["address"] == "ivrd/command"


def test_a_number_is_in_no_message_but_for_those_that_are_to_have_it() -> None:
    schemas = asyncapi.document()["components"]["schemas"]
    holders = [name for name, schema in schemas.items() if "number" in json.dumps(schema)]
    fields = [
        f"{name}.{field}"
        for name in holders
        for field in schemas[name].get("properties", {})
        if "number" in field
    ]
    # A line's number is that which is dialled.
    assert sorted(fields) == ["CaseTold.caller_number", "LineStatus.number"]
    assert CaseEvent.__name__ in schemas
