"""Every way a call leaves a guide: who handed on, what became of it, and the case or none."""

from dataclasses import replace

import pytest

from ivrd.core.effects import RecordCall
from ivrd.core.tracker import Tracker
from tests.unit.core.story import (
    SYSTEM,
    floor_rules,
    lines,
    new_tracker,
    pass_deadlines,
    play,
    read,
    tell,
)

TALKS = """
     0  arrived    c1  main
     0  joined     c1  guides
     5  connected  c1  guides  anna  leg=a1
"""

ENDED = "\n90 hung_up c1"


def outcome(text: str) -> str:
    """Return what a call came to that a guide answered: outcome, hand-over, case."""
    [call] = [line for line in tell(TALKS + text).splitlines() if line.startswith("call c1")]
    case = "case" if "case c1" in tell(TALKS + text) else "none"
    return " ".join([*call.removeprefix("call c1 ").replace("waited 5", "").split(), case])


WAYS = {
    "caller hung up": ("90 hung_up c1", "resolved case"),
    "blind, answered": (
        "20 blind a1 8100\n25 dial_ended c1 d1 ANSWER",
        "handed_on transfers 1 ended reached none",
    ),
    "blind, busy": (
        "20 blind a1 8100\n25 dial_ended c1 d1 BUSY",
        "handed_on transfers 1 ended rang_out none",
    ),
    "blind, rang out and answered by a second phone": (
        "20 blind a1 8100\n25 dial_ended c1 d1 NOANSWER\n30 dial_ended c1 d2 ANSWER",
        "handed_on transfers 1 ended reached none",
    ),
    "blind, answered by one of two phones": (
        "20 blind a1 8100\n25 dial_ended c1 d1 ANSWER\n25 dial_ended c1 d2 CANCEL",
        "handed_on transfers 1 ended reached none",
    ),
    "blind, nobody dialled": ("20 blind a1 8100", "handed_on transfers 1 ended unknown none"),
    "blind, dialplan took over": (
        "20 blind a1 8100\n25 dial_ended c1 d1 GOTO",
        "handed_on transfers 1 ended unknown none",
    ),
    "blind, rang out, came back and gave up": (
        "20 blind a1 8100\n25 dial_ended c1 d1 NOANSWER\n25 joined c1 guides\n"
        "30 hangup_asked c1\n30 left c1 guides",
        "handed_on transfers 1 ended came_back none",
    ),
    "blind, rang out, came back and was resolved": (
        "20 blind a1 8100\n25 dial_ended c1 d1 NOANSWER\n25 joined c1 guides\n"
        "30 connected c1 guides bo leg=a2",
        "resolved transfers 1 ended came_back case",
    ),
    "blind, reached, then a queue again": (
        "20 blind a1 8100\n25 dial_ended c1 d1 ANSWER\n40 joined c1 guides\n"
        "41 hangup_asked c1\n41 left c1 guides",
        "handed_on transfers 1 ended reached none",
    ),
    "blind into another queue": (
        "20 blind a1 7001\n20 joined c1 switchboard\n25 connected c1 switchboard olle leg=o1",
        "handed_on transfers 1 ended queue none",
    ),
    "blind into a queue, told late": (
        "20 joined c1 switchboard\n20.1 blind a1 7001\n25 connected c1 switchboard olle leg=o1",
        "handed_on transfers 1 ended queue none",
    ),
    "blind, answered, told late": (
        "20 dial_ended c1 d1 ANSWER\n20 dial_ended c1 d2 CANCEL\n20.1 blind a1 8100",
        "handed_on transfers 1 ended reached none",
    ),
    "blind, busy, told late": (
        "20 dial_ended c1 d1 BUSY\n20.1 blind a1 8100",
        "handed_on transfers 1 ended rang_out none",
    ),
    "blind, busy, told late, answered by a second phone": (
        "20 dial_ended c1 d1 BUSY\n20.1 blind a1 8100\n25 dial_ended c1 d2 ANSWER",
        "handed_on transfers 1 ended reached none",
    ),
    "blind, busy, came back, told late": (
        "20 dial_ended c1 d1 BUSY\n20 joined c1 guides\n20.1 blind a1 8100\n"
        "30 connected c1 guides bo leg=a2",
        "resolved transfers 1 ended came_back case",
    ),
    "blind, after another was asked": (
        "10 dial_ended l2 d1 BUSY linked=c1\n20 blind a1 8100",
        "handed_on transfers 1 ended unknown none",
    ),
    "attended, target answered": (
        "20 attended a1 a2 target=d1",
        "handed_on transfers 1 ended reached none",
    ),
    "attended, target rings and answers": (
        "20 attended a1 a2 to=App\n25 dial_ended c1 d1 ANSWER",
        "handed_on transfers 1 ended reached none",
    ),
    "attended, target rings out": (
        "20 attended a1 a2 to=App\n25 dial_ended c1 d1 NOANSWER",
        "handed_on transfers 1 ended rang_out none",
    ),
    "by code, target answered": (
        "19 dial_ended l2 d1 ANSWER linked=c1\n19 dial_ended - l1 ANSWER linked=c1\n"
        "20 attended a1 a1 target=l1",
        "handed_on transfers 1 ended reached none",
    ),
    "by code, handed on just as the target answers": (
        "20 dial_ended l2 d1 ANSWER linked=c1\n20 attended a1 a1 target=l1\n"
        "20 dial_ended - l1 ANSWER linked=c1",
        "handed_on transfers 1 ended reached none",
    ),
    "by code, target answered and not named": (
        "19 dial_ended l2 d1 ANSWER linked=c1\n19 dial_ended - l1 ANSWER linked=c1\n"
        "20 attended a1 a1",
        "handed_on transfers 1 ended reached none",
    ),
    "by code, after another was asked, target rings and is not named": (
        "11 dial_ended l2 d1 ANSWER linked=c1\n11 dial_ended - l1 ANSWER linked=c1\n"
        "15 hung_up d1\n15 hung_up l1\n20 attended a1 a1",
        "handed_on transfers 1 ended unknown none",
    ),
    "by code, target rings and answers": (
        "20 attended a1 a1 target=l1\n25 dial_ended l2 d1 ANSWER linked=c1",
        "handed_on transfers 1 ended reached none",
    ),
    "by code, target rings out, and so does the guide": (
        "20 attended a1 a1 target=l1\n25 dial_ended l2 d1 NOANSWER linked=c1\n"
        "35 dial_ended - a9 NOANSWER device=anna",
        "handed_on transfers 1 ended rang_out none",
    ),
    "by code, target rings out, and the guide takes the caller back": (
        "20 attended a1 a1 target=l1\n25 dial_ended l2 d1 NOANSWER linked=c1\n"
        "27 dial_ended - a9 ANSWER device=anna",
        "resolved transfers 1 ended came_back case",
    ),
    "by code, taken back, then handed on by the new leg": (
        "20 attended a1 a1 target=l1\n25 dial_ended l2 d1 NOANSWER linked=c1\n"
        "27 dial_ended - a9 ANSWER device=anna\n40 blind a9 8100\n42 dial_ended c1 d2 ANSWER",
        "handed_on transfers 2 ended reached none",
    ),
    "by code, told after the end of the guide's part, and the guide takes the caller back": (
        "20 completed c1 guides agent\n20 attended a1 a1 target=l1\n"
        "25 dial_ended l2 d1 NOANSWER linked=c1\n27 dial_ended - a9 ANSWER device=anna",
        "resolved transfers 1 ended came_back case",
    ),
    "consultation abandoned": ("20 dial_ended a2 d1 CANCEL", "resolved case"),
    "consultation by code abandoned": (
        "20 dial_ended l2 d1 BUSY linked=c1\n20 dial_ended l2 d1 ANSWER linked=c1",
        "resolved case",
    ),
    "conference, the official leaves first": (
        "20 attended a1 a1 target=l1 to=Threeway\n22 replaced l1 d1\n30 hung_up d1\n40 hung_up a1",
        "resolved case",
    ),
    "conference, the guide leaves first": (
        "20 attended a1 a1 target=l1 to=Threeway\n22 replaced l1 d1\n22 hung_up l1\n"
        "30 completed c1 guides agent\n30 hung_up a1\n50 hung_up d1",
        "handed_on transfers 1 ended conference none",
    ),
    "conference, the caller leaves first": (
        "20 attended a1 a1 target=l1 to=Threeway\n30 hung_up c1\n31 hung_up a1\n31.5 hung_up l1",
        "resolved case",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_a_call_leaves_a_guide(way: str) -> None:
    text, expected = WAYS[way]
    assert outcome(text + ENDED) == expected


def test_transfer_behind_a_local_channel_is_the_agents() -> None:
    told = tell("""
         0  arrived     c1  main
         0  joined      c1  guides
         4  dial_ended  l2  m1  ANSWER  linked=c1
         4  connected   c1  guides  anna  leg=l1  at=Local/anna@mobiles/n
        20  blind       m1  8100  l2
        25  dial_ended  l2  d1  ANSWER  linked=c1
        40  completed   c1  guides  agent
        40  hung_up     l1
        40  hung_up     c1
    """)
    assert told == lines("""
        entry c1 1 guides answered waited 4 total 4 talked 36 by anna
        call  c1 handed_on waited 4 transfers 1 ended reached
    """)


def test_end_of_a_transfer_belongs_to_the_stay_handed_on() -> None:
    told = tell(
        TALKS
        + """
        20  blind      a1  7002
        20  joined     c1  guides
        20  completed  c1  guides  transfer
        30  connected  c1  guides  bo  leg=a2
        50  hung_up    c1
    """
    )
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 15 by anna
        entry c1 2 guides answered waited 10 total 10 talked 20 by bo
        call  c1 resolved waited 5 transfers 1 ended queue
        case  c1 guides bo
    """)


@pytest.mark.parametrize(
    ("way", "handed_to"),
    [
        ("20 blind a1 8100", "8100"),
        ("20 blind a1 0701740605", ""),
        ("20 attended a1 a2 exten=8100", "8100"),
        ("20 blind a1 8100\n25 joined c1 guides\n30 connected c1 guides bo leg=a2", "8100"),
        ("", ""),
    ],
)
def test_where_to_is_kept_only_if_a_label_knows_the_extension(way: str, handed_to: str) -> None:
    rules = replace(floor_rules(), numbers=frozenset({"8100"}))
    tracker = Tracker(system=SYSTEM, rules=rules)
    effects = [*play(tracker, read(TALKS + way + ENDED)), *pass_deadlines(tracker)]
    [record] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert record.handed_to == handed_to


def test_nothing_is_left_of_hand_overs_when_calls_have_ended() -> None:
    for text, _ in WAYS.values():
        tracker = new_tracker()
        play(tracker, read(TALKS + text + ENDED + "\n95 hung_up a1\n95 hung_up a9"))
        book = tracker._book
        assert not any(
            (book.calls, book.legs, book.aliases, book.thirds, book.recalls, book.answered)
        )
        assert not book.talkers
