"""The text of a tracker's state: read back as it was, or refused as a whole."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ivrd import config, rules
from ivrd.ami import record
from ivrd.core.ids import SystemName
from ivrd.core.tracker import Tracker
from ivrd.state_file import StateRefused, dumps, loads

SYSTEM = SystemName("pbx1")

BUSY = sorted(Path(__file__).with_name("logs").glob("*/overflow.ami"))[0]

Document = dict[str, object]


def states() -> list[str]:
    """Return a state as text after each event of a recording with moves."""
    floor_rules = rules.floor_rules(config.load(BUSY.with_suffix(".toml"), with_secrets=False))
    tracker = Tracker(system=SYSTEM, rules=floor_rules)
    texts = []
    for event in record.replay(record.read_frames(BUSY), SYSTEM):
        tracker.apply(event)
        texts.append(dumps(tracker.state()))
    return texts


def fullest() -> Document:
    """Return the longest state of them, as a document."""
    document: Document = json.loads(max(states(), key=len))
    return document


def test_every_state_is_read_back_as_it_was() -> None:
    for text in states():
        assert dumps(loads(text)) == text
    kinds = {
        kind for kind in ("Waiting", "Leaving", "Talking", "Closed") if kind in "".join(states())
    }
    assert kinds == {"Waiting", "Leaving", "Talking", "Closed"}


def another_version(document: Document) -> None:
    document["version"] = 0


def no_state(document: Document) -> None:
    del document["state"]


def unknown_field(document: Document) -> None:
    state(document)["colour"] = "red"


def missing_field(document: Document) -> None:
    del state(document)["queues"]


def no_list(document: Document) -> None:
    state(document)["calls"] = {}


def unknown_record(document: Document) -> None:
    first_entry(document)["type"] = "Dreaming"


def naive_moment(document: Document) -> None:
    state(document)["last_at"] = "2026-03-02T09:00:00"


def no_moment(document: Document) -> None:
    state(document)["last_at"] = "yesterday"


def truth_for_a_number(document: Document) -> None:
    call(document)["moves_asked"] = True


@pytest.mark.parametrize(
    "spoil",
    [
        another_version,
        no_state,
        unknown_field,
        missing_field,
        no_list,
        unknown_record,
        naive_moment,
        no_moment,
        truth_for_a_number,
    ],
)
def test_what_is_not_understood_is_refused(spoil: Callable[[Document], None]) -> None:
    document = fullest()
    spoil(document)
    with pytest.raises(StateRefused):
        loads(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(StateRefused):
        loads(text)


def state(document: Document) -> Document:
    """Return the state of a document."""
    found = document["state"]
    assert isinstance(found, dict)
    return found


def call(document: Document) -> Document:
    """Return a call that has entered a queue."""
    calls = state(document)["calls"]
    assert isinstance(calls, list)
    return next(each for each in calls if each["entries"])


def first_entry(document: Document) -> Document:
    """Return an entry of a call."""
    entries = call(document)["entries"]
    assert isinstance(entries, list)
    found: Document = entries[0]
    return found
