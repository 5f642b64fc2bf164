"""After a gap: what is known stays, what can still be learnt is waited for, the rest is unknown."""

from collections import Counter

import pytest

from ivrd.core import resync
from ivrd.core.effects import Effect, PublishQueueState
from ivrd.core.events import SnapshotTaken
from tests.unit.core.story import (
    GUIDES,
    SWITCHBOARD,
    lines,
    new_tracker,
    overflow_rule,
    play,
    read,
    tell,
)


def test_call_first_seen_in_a_snapshot_has_its_wait_from_there() -> None:
    assert tell("""
       60    snapshot   waiting=c1:guides:20  alive=c1
       65    left       c1  guides
       65    connected  c1  guides  anna  leg=a1
       90    completed  c1  guides  agent
       90    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 25 total 25 talked 25 by anna
        call  c1 resolved waited 25
        case  c1 guides anna
    """)


def test_joins_held_back_behind_the_snapshot_are_not_counted_again() -> None:
    tracker = new_tracker()
    play(tracker, read("60 snapshot waiting=c1:guides:0 alive=c1\n60.1 joined c1 guides"))
    view = tracker.view(GUIDES)
    assert view is not None
    assert (view.waiting, view.counts.joined) == (1, 1)


def test_waiting_caller_who_is_gone_is_unknown_without_a_wait() -> None:
    assert tell("""
        0    joined     c1  guides
       10    lost
       60    snapshot
    """) == lines("""
        entry c1 1 guides unknown
        call  c1 unknown
    """)


def test_talking_caller_who_is_gone_has_no_talk_time_and_no_case() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 by anna
        call  c1 unknown waited 5
    """)


def test_talk_that_goes_on_is_kept() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot   alive=c1,a1
       70    completed  c1  guides  agent
       70    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 65 by anna
        call  c1 resolved waited 5
        case  c1 guides anna
    """)


def test_talk_whose_guide_is_gone_opens_no_case() -> None:
    """The guide may have handed the caller on while we were not looking."""
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot   alive=c1,x1
       90    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 by anna
        call  c1 unknown waited 5
    """)


def test_hand_over_held_back_behind_the_snapshot_still_counts() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot   alive=c1,x1
       60.1  blind      a1  3210
       60.2  completed  c1  guides  transfer
       90    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 by anna
        call  c1 handed_on waited 5 transfers 1 ended unknown
    """)


def test_guides_hang_up_held_back_behind_the_snapshot_still_resolves() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot   alive=c1
       60.1  completed  c1  guides  agent
       60.1  hung_up    a1
       61    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 55.1 by anna
        call  c1 resolved waited 5
        case  c1 guides anna
    """)


def test_completion_of_a_later_talk_that_was_not_seen_does_not_resolve_the_first() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot   alive=c1,b1
       70    attended   b1  b2
       70    completed  c1  guides  transfer
       90    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 by anna
        call  c1 unknown waited 5
    """)


def test_answer_held_back_behind_the_snapshot_is_not_lost() -> None:
    assert tell("""
        0    joined     c1  guides
       10    lost
       60    snapshot   alive=c1,a1
       60.1  left       c1  guides
       60.1  connected  c1  guides  anna  leg=a1
       90    completed  c1  guides  agent
       90    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 60.1 total 60.1 talked 29.9 by anna
        call  c1 resolved waited 60.1
        case  c1 guides anna
    """)


def test_gap_between_leave_and_answer_loses_nothing() -> None:
    assert "resolved" in tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    snapshot   alive=c1
        5    connected  c1  guides  anna  leg=a1
       90    hung_up    c1
    """)


def test_gap_between_leave_and_hang_up_is_still_an_abandon() -> None:
    assert tell("""
        0    joined       c1  guides
        9    hangup_asked c1
        9    left         c1  guides
        9    snapshot     alive=c1
        9    hung_up      c1
    """) == lines("""
        entry c1 1 guides abandoned waited 9 total 9
        call  c1 abandoned
    """)


def test_caller_who_left_in_the_gap_and_hangs_up_later_is_unknown() -> None:
    assert tell("""
        0    joined       c1  guides
       10    lost
       60    snapshot     alive=c1
       80    hangup_asked c1
       80    hung_up      c1
    """) == lines("""
        entry c1 1 guides unknown
        call  c1 unknown
    """)


def test_caller_who_was_seen_leaving_before_the_gap_and_hangs_up_after_it_is_unknown() -> None:
    """An answer, or somebody's redirect: neither can be told from the other any more."""
    assert tell("""
        0    joined       c1  guides
       10    left         c1  guides
       10    lost
       60    snapshot     alive=c1
       80    hangup_asked c1
       80    hung_up      c1
    """) == lines("""
        entry c1 1 guides unknown
        call  c1 unknown
    """)


def test_caller_who_went_to_another_queue_in_the_gap_is_known_there_only() -> None:
    assert tell("""
        0    joined     c1  switchboard
       10    lost
       60    snapshot   waiting=c1:guides:20  alive=c1
       65    left       c1  guides
       65    connected  c1  guides  anna  leg=a1
       90    hung_up    c1
    """) == lines("""
        entry c1 1 switchboard unknown
        entry c1 2 guides answered waited 25 total 65 talked 25 by anna
        call  c1 resolved waited 65
        case  c1 guides anna
    """)


def test_talking_caller_who_waits_again_after_the_gap_has_two_closed_entries() -> None:
    assert tell("""
        0    joined     c1  guides
        5    connected  c1  guides  anna  leg=a1
       10    lost
       60    snapshot   waiting=c1:switchboard:20  alive=c1
       80    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 by anna
        entry c1 2 switchboard abandoned waited 40 total 40
        call  c1 unknown waited 5
    """)


def test_caller_who_hangs_up_in_the_new_queue_after_an_unseen_stay_is_unknown_as_a_call() -> None:
    assert "call c1 unknown" in tell("""
        0    joined     c1  switchboard
       10    lost
       60    snapshot   alive=c1
       61    joined     c1  guides
       70    exited     c1  guides  TIMEOUT
       80    hung_up    c1
    """)


def test_move_that_lands_in_the_gap_has_landed() -> None:
    told = tell(
        """
        0    snapshot   members=guides:anna:1
        0    joined     c1  switchboard
        1    joined     c2  switchboard
        2    left       c1  switchboard
        2    exited     c1  switchboard  WITHDRAW:relief
        2    lost
        5    snapshot   waiting=c1:guides:3,c2:switchboard:4  alive=c1,c2  members=guides:anna:1
        9    hung_up    c1
        9    hung_up    c2
        """,
        overflow_rule(),
    )
    assert "moved c1 landed" in told
    assert "call c1 abandoned moves 1" in told


def test_move_of_a_call_that_ended_in_the_gap_has_ended() -> None:
    told = tell(
        """
        0    snapshot   members=guides:anna:1
        0    joined     c1  switchboard
        1    joined     c2  switchboard
        2    left       c1  switchboard
        2    exited     c1  switchboard  WITHDRAW:relief
        2    lost
        5    snapshot   waiting=c2:switchboard:4  alive=c2
        9    hung_up    c2
        """,
        overflow_rule(),
    )
    assert "moved c1 lapsed" in told


def test_offer_that_ended_in_the_gap_does_not_keep_a_caller_from_being_moved() -> None:
    told = tell(
        """
        0    joined     c1  switchboard
        1    rang       c1  switchboard  olle
        2    lost
        9    joined     c2  switchboard
       10    snapshot   waiting=c1:switchboard:10,c2:switchboard:1  alive=c1,c2  members=guides:a:1
       """,
        overflow_rule(),
    )
    assert told.startswith("move c1")


def test_offer_whose_phone_still_rings_keeps_a_caller_from_being_moved() -> None:
    told = tell(
        """
        0    joined     c1  switchboard
        1    rang       c1  switchboard  olle
        2    lost
        9    joined     c2  switchboard
        10 snapshot waiting=c1:switchboard:9,c2:switchboard:1 members=guides:a:1,switchboard:olle:6
       """,
        overflow_rule(),
    )
    assert told.startswith("move c2")


def test_nothing_is_moved_after_a_loss_until_the_next_snapshot() -> None:
    told = tell(
        """
        0    snapshot   members=guides:anna:1
        0    lost
        1    joined     c1  switchboard
        2    joined     c2  switchboard
        """,
        overflow_rule(),
    )
    assert told == ""


def test_nothing_is_moved_by_a_pbx_that_cannot_withdraw() -> None:
    told = tell(
        """
        0    snapshot   members=guides:anna:1  withdraw=no
        1    joined     c1  switchboard
        2    joined     c2  switchboard
        """,
        overflow_rule(),
    )
    assert told == ""


def test_views_say_when_they_are_not_sure() -> None:
    tracker = new_tracker()
    assert not tracker.is_synced
    play(tracker, read("0 snapshot members=guides:anna:1,guides:bo:5 waiting=c1:guides:3 alive=c1"))
    view = tracker.view(GUIDES)
    assert view is not None
    assert (view.is_synced, view.waiting) == (True, 1)
    assert (view.members_available, view.members_unavailable) == (1, 1)
    play(tracker, read("4 lost"))
    assert [view.is_synced for view in tracker.views()] == [False, False]


def test_members_of_a_queue_that_is_gone_from_the_pbx_are_forgotten() -> None:
    tracker = new_tracker()
    play(tracker, read("0 member old anna\n1 snapshot members=guides:anna:1"))
    views = {view.queue: view.members_available for view in tracker.views()}
    assert views == {GUIDES: 1, SWITCHBOARD: 0, "old": 0}


def test_caller_listed_in_two_queues_is_in_the_one_listed_later() -> None:
    tracker = new_tracker()
    play(tracker, read("9 snapshot waiting=c1:guides:9,c1:switchboard:1 alive=c1"))
    assert [(view.queue, view.waiting) for view in tracker.views()] == [
        (GUIDES, 0),
        (SWITCHBOARD, 1),
    ]


def test_hung_up_call_in_an_older_list_is_not_opened_again() -> None:
    assert tell("""
        0    joined       c1  guides
        9    hangup_asked c1
        9    left         c1  guides
        9    hung_up      c1
        9    snapshot     waiting=c1:guides:9  alive=c1
    """) == lines("""
        entry c1 1 guides abandoned waited 9 total 9
        call  c1 abandoned
    """)


GAP = """
    0    joined     c1  guides
    1    joined     c2  switchboard
    2    joined     c3  guides
    3    joined     c4  guides
    5    left       c3  guides
    5    connected  c3  guides  anna  leg=a3
   10    lost
"""
AFTER_GAP = (
    "60 snapshot  members=guides:anna:1,switchboard:olle:1  alive=c1,c2,c3,a3,n1,n2,n3,n4,n5"
    "  waiting=c1:guides:60,c2:guides:5,n1:guides:40,n2:switchboard:30,n3:guides:2,n3:switchboard:1"
    ",n4:switchboard:0,n5:guides:70"
)


def test_callers_let_in_before_a_snapshot_make_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resync, "CALLERS_PER_PART", 2)
    [snapshot] = read(AFTER_GAP)
    assert isinstance(snapshot, SnapshotTaken)
    whole, parted = new_tracker(overflow_rule()), new_tracker(overflow_rule())
    for tracker in (whole, parted):
        for event in read(GAP):
            tracker.apply(event)
    parts = resync.parts(parted.book, snapshot)
    assert [sum(len(queue.callers) for queue in part.queues) for part in parts] == [2, 2, 1]
    told: list[Effect] = []
    for part in parts:
        told += parted.apply(part)
        assert not parted.is_synced
    told += parted.apply(snapshot)
    wanted = list(whole.apply(snapshot))
    assert parted.state() == whole.state()
    assert parted.views() == whole.views()
    assert _counted(told) == _counted(wanted)
    assert resync.parts(whole.book, snapshot) == (), "nothing comes before what we are sure of"
    later = read("61 left n1 guides\n61 connected n1 guides anna leg=a1\n70 hung_up n1")
    assert play(parted, later) == play(whole, later)


def _counted(effects: list[Effect]) -> Counter[str]:
    """Return effects in any order; that a queue looks different may be said more often."""
    return Counter(repr(each) for each in effects if not isinstance(each, PublishQueueState))


def test_few_callers_come_with_the_snapshot() -> None:
    tracker = new_tracker()
    [snapshot] = read(AFTER_GAP)
    assert isinstance(snapshot, SnapshotTaken)
    assert resync.parts(tracker.book, snapshot) == ()
