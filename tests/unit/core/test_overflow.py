"""The overflow policy at work in a tracker: what it looks at, and when."""

from tests.unit.core.story import GUIDES, SWITCHBOARD, new_tracker, overflow_rule, play, read, tell


def test_the_first_agent_of_the_target_sets_waiting_moves_going() -> None:
    told = tell(
        """
        0    snapshot
        1    joined   c1  switchboard
        2    joined   c2  switchboard
        9    member   guides  anna
        10   hung_up  c1
        10   hung_up  c2
        """,
        overflow_rule(),
    )
    assert told.startswith("move c1")


def test_an_unreachable_phone_is_no_agent() -> None:
    told = tell(
        """
        0    snapshot  members=guides:anna:5
        1    joined    c1  switchboard
        2    joined    c2  switchboard
        """,
        overflow_rule(),
    )
    assert told == ""


def test_caller_who_is_offered_to_an_agent_is_moved_only_after_the_ringing() -> None:
    told = tell(
        """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        1    rang        c1  switchboard  olle
        2    joined      c2  switchboard
        9    ring_ended  c1  switchboard  olle
        10   hung_up     c1
        10   hung_up     c2
        """,
        overflow_rule(start=2, stop=0),
    )
    assert told.splitlines()[:2] == ["move c2 switchboard guides", "move c1 switchboard guides"]
    assert "move c1" not in tell(
        """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        1    rang        c1  switchboard  olle
        2    joined      c2  switchboard
        """,
        overflow_rule(start=2, stop=0),
    )


def test_two_rules_that_want_the_same_caller_ask_once() -> None:
    rule = overflow_rule()
    told = tell(
        """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        2    joined      c2  switchboard
        """,
        rule,
        overflow_rule(name="second"),
    )
    assert told.count("move c1") == 1


def test_two_queues_that_relieve_each_other_do_not_play_with_a_caller() -> None:
    there = overflow_rule(1, 0, from_queue=SWITCHBOARD)
    back = overflow_rule(1, 0, name="back", from_queue=GUIDES, to_queue=SWITCHBOARD)
    told = tell(
        """
        0    snapshot    members=guides:anna:1,switchboard:olle:1
        1    joined      c1  switchboard
        2    left        c1  switchboard
        2    exited      c1  switchboard  WITHDRAW:relief
        2    joined      c1  guides
        9    hung_up     c1
        """,
        there,
        back,
    )
    assert told.count("move c1") == 1


def test_a_late_timer_and_no_timer_ask_for_the_same_moves() -> None:
    story = """
        0    snapshot    members=guides:anna:1
        1    joined      c1  switchboard
        2    joined      c2  switchboard
        {timer}
        33   left        c1  switchboard
        33   exited      c1  switchboard  WITHDRAW:relief
        33   joined      c1  guides
        35   hung_up     c1
        35   hung_up     c2
        """
    rule = overflow_rule(moves_per_call=2)
    with_timer = tell(story.format(timer="32 passed"), rule)
    assert with_timer == tell(story.format(timer=""), rule)
    assert "moved c1 landed" in with_timer


def test_a_late_timer_is_not_a_clock_that_stepped() -> None:
    tracker = new_tracker()
    play(tracker, read("5 joined c1 guides\n4 passed\n4 case_saved c1\n4 move_refused c1"))
    assert tracker.clamps == 0
    play(tracker, read("4 left c1 guides"))
    assert tracker.clamps == 1
