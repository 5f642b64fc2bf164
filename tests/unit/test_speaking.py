"""Unit tests of what a caller hears of place and wait."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from ivrd.agi.waiting import WaitSpeaker
from ivrd.config.prompt_sheet import load_sheet
from ivrd.core.expected_wait import Expectation, WaitModel
from ivrd.core.floor import Prospect
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.speaking import Floor, QueueSpeaker
from tests.unit.core import story

SHEET = load_sheet(Path(__file__).resolve().parents[2] / "config" / "prompts.toml")
ONE, TWO = SystemName("pbx1"), SystemName("pbx2")


class AFloor:
    """A PBX where every caller has the same prospect."""

    def __init__(
        self,
        place: int = 3,
        wait_s: float | None = 150,
        *,
        model: WaitModel = WaitModel.AGENT_TIME,
        has_agents: bool = True,
        calls: Sequence[str] = (),
    ) -> None:
        expected = None
        if wait_s is not None:
            expected = Expectation(model=model, wait=timedelta(seconds=wait_s))
        self.prospect_told = Prospect(place=place, has_agents=has_agents, expected=expected)
        self.calls = calls

    def knows(self, call_id: CallId) -> bool:
        return call_id in self.calls

    def prospect(self, queue: QueueName, call_id: CallId) -> Prospect | None:
        return self.prospect_told if queue == "kc" else None


def said(floors: Mapping[SystemName, Floor], language: str = "sv", *, uniqueid: str = "1.1") -> str:
    speaker: WaitSpeaker = QueueSpeaker(floors, sheet=SHEET)
    words = speaker.words(queue=QueueName("kc"), uniqueid=uniqueid, language=language)
    assert all(word.startswith("ivrd/") for word in words)
    return " ".join(word.removeprefix("ivrd/") for word in words)


PLACE_3 = "plats-nummer tal-3 plats-i-kon"


def test_place_and_wait_are_said_in_the_callers_language() -> None:
    wait = "vantetid vantetid-ungefar tal-3 minuter"
    assert said({ONE: AFloor()}) == f"{PLACE_3} {wait}"
    assert said({ONE: AFloor()}, "fi") == f"plats-nummer tal-3 {wait}"
    assert said({ONE: AFloor()}, "sv_SE") == said({ONE: AFloor()})
    assert said({ONE: AFloor()}, "") == said({ONE: AFloor()}), "unknown: the sheet's first"


@pytest.mark.parametrize(
    "floor",
    [
        AFloor(1, 5, model=WaitModel.FREE_AGENT),
        AFloor(1, None, has_agents=False),
        AFloor(1_000_000),
    ],
    ids=["an agent is free", "nobody serves", "a place that cannot be said"],
)
def test_nothing_is_said_that_helps_nobody(floor: AFloor) -> None:
    assert said({ONE: floor}) == ""


def test_a_wait_that_is_unknown_or_absurd_leaves_the_place() -> None:
    assert said({ONE: AFloor(wait_s=None)}) == PLACE_3
    assert said({ONE: AFloor(wait_s=5 * 3600)}) == PLACE_3
    assert said({ONE: AFloor(1, None)}) == "plats-forst"


def test_an_unknown_queue_is_not_spoken_of() -> None:
    speaker = QueueSpeaker({ONE: AFloor()}, sheet=None)
    assert speaker.words(queue=QueueName("nowhere"), uniqueid="1.1", language="sv") == ()


def test_of_several_the_pbx_that_knows_the_call_is_asked() -> None:
    floors = {ONE: AFloor(1, None), TWO: AFloor(2, None, calls=["pbx2/1.1"])}
    assert said(floors) == "plats-nummer tal-2 plats-i-kon"
    assert said(floors, uniqueid="9.9") == "", "a guess could be another town's queue"


def test_a_tracker_is_such_a_floor_and_silent_before_its_first_snapshot() -> None:
    tracker = story.new_tracker()
    speaker = QueueSpeaker({story.SYSTEM: tracker}, sheet=SHEET)

    def heard() -> Sequence[str]:
        return speaker.words(queue=story.GUIDES, uniqueid="c9", language="sv")

    assert heard() == ()
    story.play(
        tracker,
        story.read(
            """
            0  snapshot  members=guides:anna:2
            1  arrived   c9  main
            2  joined    c1  guides
            3  joined    c2  guides
            """
        ),
    )
    assert heard() == ["ivrd/plats-nummer", "ivrd/tal-3", "ivrd/plats-i-kon"]
    story.play(tracker, story.read("4 lost"))
    assert heard() == ()


def test_whoever_comes_from_another_queue_keeps_the_place_of_the_first_arrival() -> None:
    tracker = story.new_tracker()
    story.play(
        tracker,
        story.read(
            """
            0  snapshot  members=guides:anna:2
            1  joined    c9  switchboard
            2  joined    c1  guides
            3  exited    c9  switchboard  KEY
            """
        ),
    )
    speaker = QueueSpeaker({story.SYSTEM: tracker}, sheet=SHEET)
    words = speaker.words(queue=story.GUIDES, uniqueid="c9", language="sv")
    assert words == ["ivrd/plats-forst"]
