"""An agent who asks in another queue of ours: no call of its own, and the caller's next stay."""

import pytest

from ivrd.core.ids import CallId, QueueName
from ivrd.core.stay import Waiting
from tests.unit.core.story import cid, lines, new_tracker, pass_deadlines, play, read, tell

TALKS = """
     0  arrived    c1  main
     0  joined     c1  guides
     5  connected  c1  guides  anna  leg=a1
"""

ASKS = "20  joined  k1  switchboard  channel=anna-01\n"


def test_asking_in_a_queue_and_giving_up_is_no_abandoned_call() -> None:
    told = tell(
        TALKS
        + ASKS
        + """
        30  hangup_asked k1
        30  abandon      k1  switchboard
        30  left         k1  switchboard
        30  hung_up      k1
        60  hung_up      c1
    """
    )
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 55 by anna
        call  c1 resolved waited 5
        case  c1 guides anna
    """)


def test_asking_in_a_full_queue_is_no_refused_call() -> None:
    told = tell(
        TALKS
        + """
        30  exited   k1  switchboard  FULL  channel=anna-01
        30  hung_up  k1
        60  hung_up  c1
    """
    )
    assert told.splitlines()[1:] == ["call c1 resolved waited 5", "case c1 guides anna"]


def test_blind_transfer_by_a_mobile_carries_the_caller_in_a_local_channel() -> None:
    told = tell("""
         0  arrived     c1  main
         0  joined      c1  guides
         4  dial_ended  l2  m1  ANSWER  linked=c1
         4  connected   c1  guides  anna  leg=l1  at=Local/anna@mobiles/n
        20  blind       m1  7001  l2
        20  hung_up     m1
        20  joined      l2  switchboard  linked=c1  channel=Local/anna@mobiles-01;2
        25  left        l2  switchboard
        25  connected   l2  switchboard  olle  leg=o1
        40  completed   l2  switchboard  agent
        40  completed   c1  guides  agent
        40  hung_up     l1
        40  hung_up     c1
        40  hung_up     l2
    """)
    assert told == lines("""
        entry c1 1 guides answered waited 4 total 4 talked 16 by anna
        entry c1 2 switchboard answered waited 5 total 5 talked 15 by olle joined_by l2
        call  c1 handed_on waited 4 transfers 1 ended queue
    """)


MOBILE_TALKS = """
     0  arrived     c1  main
     0  joined      c1  guides
     4  dial_ended  l2  m1  ANSWER  linked=c1
     4  connected   c1  guides  anna  leg=l1  at=Local/anna@mobiles/n
"""

CARRIED = {
    "in a queue": (
        """
        20  joined      l2  switchboard  linked=c1  channel=Local/anna@mobiles-01;2
        {}
        25  left        l2  switchboard
        25  connected   l2  switchboard  olle  leg=o1
        """,
        "entry c1 2 switchboard answered waited 5 total 5 talked 15 by olle joined_by l2",
    ),
    "in talk": (
        """
        20  joined      l2  switchboard  linked=c1  channel=Local/anna@mobiles-01;2
        25  left        l2  switchboard
        25  connected   l2  switchboard  olle  leg=o1
        {}
        """,
        "entry c1 2 switchboard answered waited 5 total 5 talked 15 by olle joined_by l2",
    ),
    "out of a talk": (
        """
        20  joined      l2  switchboard  linked=c1  channel=Local/anna@mobiles-01;2
        25  left        l2  switchboard
        25  connected   l2  switchboard  olle  leg=o1
        40  completed   l2  switchboard  agent
        {}
        """,
        "entry c1 2 switchboard answered waited 5 total 5 talked 15 by olle joined_by l2",
    ),
    "refused": (
        "20 exited l2 switchboard FULL linked=c1 channel=Local/anna@mobiles-01;2\n{}",
        "entry c1 2 switchboard full joined_by l2",
    ),
}


@pytest.mark.parametrize("where", CARRIED)
def test_blind_transfer_of_a_mobile_told_when_the_caller_is_carried_on(where: str) -> None:
    """As above, but Asterisk's thread that transferred was the last to speak."""
    story, carried = CARRIED[where]
    ended = """
        40  completed   l2  switchboard  agent
        40  completed   c1  guides  agent
        40  hung_up     l1
        40  hung_up     c1
        40  hung_up     l2
    """
    told = tell(MOBILE_TALKS + story.format("20 blind m1 7001 l2") + ended).splitlines()
    entries = sorted(line for line in told if line.startswith("entry"))
    assert entries[1] == carried
    assert told[-1] == "call c1 handed_on waited 4 transfers 1 ended queue"
    assert len([line for line in told if line.startswith("call")]) == 1


def test_asking_an_operator_and_coming_back_is_no_answered_call() -> None:
    told = tell(
        TALKS
        + ASKS
        + """
        25  connected  k1  switchboard  olle  leg=o1
        30  completed  k1  switchboard  caller
        30  hung_up    o1
        30  hung_up    k1
        60  hung_up    c1
    """
    )
    assert told.splitlines()[1:] == ["call c1 resolved waited 5", "case c1 guides anna"]


def test_handing_on_to_the_operator_who_was_asked() -> None:
    told = tell(
        TALKS
        + ASKS
        + """
        25    connected  k1  switchboard  olle  leg=o1
        30    replaced   a1  l1
        30    completed  k1  switchboard  caller
        30    attended   a1  k1  target=o1  to=Link
        30    completed  c1  guides  transfer
        30    hung_up    a1
        30    hung_up    k1
        60    hung_up    o1
        60    hung_up    c1
    """
    )
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 25 by anna
        entry c1 2 switchboard answered waited 5 total 5 talked 35 by olle joined_by k1
        call  c1 handed_on waited 5 transfers 1 ended queue
    """)


@pytest.mark.parametrize("is_late", [False, True], ids=["told_first", "told_last"])
def test_handing_on_into_the_queue_where_the_agent_waits(is_late: bool) -> None:
    """The vector of asterisk#759: later events of the queue carry the caller's id.

    By the time that Asterisk tells of the transfer the agent's channels may be gone.
    """
    transfer, gone = "30 attended a1 k1 to=App\n", "30 hung_up a1\n30 hung_up k1\n"
    told = tell(
        TALKS
        + ASKS
        + (gone + transfer if is_late else transfer + gone)
        + """
        30    completed  c1  guides  transfer
        45    left       c1  switchboard
        45    connected  c1  switchboard  olle  leg=o1
        60    completed  c1  switchboard  agent
        60    hung_up    c1
    """
    )
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 25 by anna
        entry c1 2 switchboard answered waited 25 total 25 talked 15 by olle joined_by k1
        call  c1 handed_on waited 5 transfers 1 ended queue
    """)


def test_end_of_the_talk_may_come_under_the_name_of_the_asking_channel() -> None:
    told = tell(
        TALKS
        + """
        30  attended   a1  k1  to=App
        30  completed  k1  guides  transfer
        30  hung_up    k1
        31  joined     c1  switchboard
        45  connected  c1  switchboard  olle  leg=o1
        60  hung_up    c1
    """
    )
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 25 by anna
        entry c1 2 switchboard answered waited 14 total 14 talked 15 by olle
        call  c1 handed_on waited 5 transfers 1 ended queue
    """)


BY_CODE = """
        20    joined     k2  guides  linked=c1  channel=Local/7002@x-01;2
        30    attended   a1  a1  target=k1
        30    completed  c1  guides  transfer
"""


def test_handing_on_by_a_feature_code_leaves_the_channel_in_the_queue() -> None:
    told = tell(
        TALKS
        + BY_CODE
        + """
        45    left       k2  guides
        45    connected  k2  guides  bo  leg=a2
        60    hung_up    k2
        60    hung_up    a2
        60    hung_up    c1
    """
    )
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 25 by anna
        entry c1 2 guides answered waited 25 total 25 talked 15 by bo joined_by k2
        call  c1 resolved waited 5 transfers 1 ended queue
        case  c1 guides bo
    """)


def test_caller_who_gives_up_behind_a_feature_codes_channel_abandons() -> None:
    told = tell(
        TALKS
        + BY_CODE
        + """
        45    hangup_asked k2
        45    left         k2  guides
        45    hung_up      k2
        45    hung_up      c1
    """
    )
    assert "entry c1 2 guides abandoned waited 25 total 25 joined_by k2" in told
    assert "call c1 handed_on waited 5 transfers 1 ended queue" in told


def test_asking_agent_is_not_shown_among_the_waiting_and_not_moved() -> None:
    tracker = new_tracker()
    play(tracker, read(TALKS + ASKS))
    view = tracker.view(QueueName("switchboard"))
    assert view is not None
    assert not view.waiting
    assert view.counts.joined == 0


def test_snapshot_names_the_channel_that_stands_for_the_caller() -> None:
    tracker = new_tracker()
    play(tracker, read(TALKS + BY_CODE))
    play(tracker, read("40 snapshot waiting=k2:guides:20 alive=c1,k2"))
    [call] = tracker.state().calls
    assert call.call_id == CallId(cid("c1"))
    assert isinstance(call.entries[-1], Waiting)


def test_agent_with_no_caller_who_rings_a_queue_is_a_caller() -> None:
    told = tell(ASKS + "30 hangup_asked k1\n30 left k1 switchboard\n30 hung_up k1")
    assert "call k1 abandoned" in told


def test_stay_counts_when_the_transfer_tells_of_an_unknown_phone() -> None:
    told = tell(
        TALKS
        + """
        20    joined     k1  switchboard
        25    connected  k1  switchboard  olle  leg=o1
        30    attended   a1  k1  target=o1  to=Link
        30    hung_up    k1
        60    hung_up    c1
    """
    )
    assert "entry c1 2 switchboard answered waited 5 total 5 talked 35 by olle" in told
    assert "call k1" not in told


def test_nothing_is_left_of_a_consultation() -> None:
    tracker = new_tracker()
    play(tracker, read(TALKS + BY_CODE + "60 hung_up k2\n60 hung_up c1"))
    pass_deadlines(tracker)
    book = tracker._book
    assert not any((book.calls, book.legs, book.aliases, book.recalls, book.talkers))
    assert not any(floor.waiting for floor in book.queues.values())
