"""What a whole call comes to: outcomes, hand-overs, and the case or none."""

from tests.unit.core.story import lines, new_tracker, play, read, tell


def test_attended_transfer_after_the_target_took_the_guides_place_opens_no_case() -> None:
    assert tell("""
        0    arrived    c1  main
        2    chose      c1  guides
        3    joined     c1  guides
        9    left       c1  guides
        9    connected  c1  guides  anna  leg=a1
       40    replaced   a1  x9
       40    attended   a1  a2
       41    completed  c1  guides  transfer
       80    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 6 total 6 talked 32 by anna
        call  c1 handed_on waited 6 transfers 1
    """)


def test_leg_replaced_after_the_talk_ended_is_still_followed() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=local1
        6    completed  c1  guides  agent
        6    replaced   local1  mobile1
       30    blind      mobile1  3210
       60    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 1 by anna
        call  c1 handed_on waited 5 transfers 1
    """)


def test_replaced_leg_ends_the_talk_and_the_old_one_does_not() -> None:
    assert tell("""
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=local1
        6    replaced   local1  mobile1
        7    hung_up    local1
       20    hung_up    mobile1
       20    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 15 by anna
        call  c1 resolved waited 5
        case  c1 guides anna
    """)


def test_all_legs_of_an_ended_call_are_forgotten() -> None:
    tracker = new_tracker()
    play(
        tracker,
        read("""
            0  joined     c1  guides
            5  connected  c1  guides  anna  leg=local1
            6  replaced   local1  mobile1
            9  hung_up    c1
        """),
    )
    assert not tracker._book.legs


def test_hand_over_told_twice_counts_once() -> None:
    assert "handed_on waited 5 transfers 1" in tell("""
        0    joined     c1  guides
        5    connected  c1  guides  anna  leg=a1
        9    blind      a1  3210
        9    blind      a1  3210
       60    hung_up    c1
    """)
