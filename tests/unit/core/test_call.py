"""What a whole call comes to: outcomes, hand-overs, and the case or none."""

from ivrd.core.effects import CountChoice, RecordCall
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
        call  c1 handed_on waited 6 transfers 1 ended reached
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
        call  c1 handed_on waited 5 transfers 1 ended unknown
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


def test_caller_who_hangs_up_in_the_menu() -> None:
    assert tell("""
        0    arrived      c1  main
        9    hangup_asked c1
        9    hung_up      c1
    """) == lines("call c1 menu_hangup")


def test_choice_by_the_static_menu_is_kept_as_such() -> None:
    effects = play(
        new_tracker(),
        read("""
            0    arrived    c1  main
            5    chose      c1  guides  digit=2  tries=1  menu=static
            6    joined     c1  guides
            9    hung_up    c1
        """),
    )
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert (call.choice, call.digit, call.tries) == ("guides", "2", 1)
    assert call.is_static_menu
    assert [e.is_static for e in effects if isinstance(e, CountChoice)] == [True]


def test_answer_by_the_switchboard_opens_no_case() -> None:
    assert tell("""
        0    joined     c1  switchboard
        5    left       c1  switchboard
        5    connected  c1  switchboard  olle  leg=o1
       20    blind      o1  3210
       20    completed  c1  switchboard  transfer
       90    hung_up    c1
    """) == lines("""
        entry c1 1 switchboard answered waited 5 total 5 talked 15 by olle
        call  c1 switchboard waited 5 transfers 1 ended unknown
    """)


GUIDE_TALKS = """
        0    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
"""


def test_blind_transfer_by_the_guide_opens_no_case() -> None:
    told = tell(GUIDE_TALKS + "20 blind a1 3210\n20 completed c1 guides transfer\n90 hung_up c1")
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 15 by anna
        call  c1 handed_on waited 5 transfers 1 ended unknown
    """)


def test_attended_transfer_by_the_first_leg_or_the_second_opens_no_case() -> None:
    for who in ("a1 a2", "a2 a1"):
        told = tell(GUIDE_TALKS + f"20 attended {who}\n90 hung_up c1")
        assert "call c1 handed_on waited 5 transfers 1" in told
        assert "case" not in told


def test_transfer_that_failed_is_none() -> None:
    for line in ("blind a1 3210 result=Fail", "attended a1 a2 result=Fail"):
        assert "call c1 resolved waited 5\n" in tell(GUIDE_TALKS + f"20 {line}\n90 hung_up c1")


def test_transfer_by_the_caller_leaves_the_call_resolved() -> None:
    for line in ("blind c1 3210", "attended c1 c2"):
        assert "call c1 resolved waited 5\n" in tell(GUIDE_TALKS + f"20 {line}\n90 hung_up c1")


def test_transfer_told_after_the_hang_up_still_counts() -> None:
    told = tell(GUIDE_TALKS + "20 hung_up c1\n20.9 completed c1 guides\n21.5 blind a1 3210")
    assert "handed_on" in told


def test_operator_who_hands_the_caller_to_the_guides_makes_a_second_entry() -> None:
    assert tell("""
        0    joined     c1  switchboard
        5    left       c1  switchboard
        5    connected  c1  switchboard  olle  leg=o1
       20    blind      o1  guides
       20    completed  c1  switchboard  transfer
       20    joined     c1  guides
       50    left       c1  guides
       50    connected  c1  guides  anna  leg=a1
       90    completed  c1  guides  caller
       90    hung_up    c1
    """) == lines("""
        entry c1 1 switchboard answered waited 5 total 5 talked 15 by olle
        entry c1 2 guides answered waited 30 total 30 talked 40 by anna
        call  c1 resolved waited 5 transfers 1 ended queue
        case  c1 guides anna
    """)


def test_guide_who_hands_the_caller_to_the_switchboard_has_handed_on() -> None:
    assert tell(
        GUIDE_TALKS
        + """
       20    blind      a1  switchboard
       20    joined     c1  switchboard
       21    completed  c1  guides  transfer
       25    connected  c1  switchboard  olle  leg=o1
       90    hung_up    c1
    """
    ) == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 15 by anna
        entry c1 2 switchboard answered waited 5 total 5 talked 65 by olle
        call  c1 handed_on waited 5 transfers 1 ended queue
    """)


def test_caller_handed_to_other_guides_who_gives_up_there_was_handed_on() -> None:
    told = tell(
        GUIDE_TALKS + "20 blind a1 guides\n20 joined c1 guides\n40 hangup_asked c1\n40 hung_up c1"
    )
    assert "entry c1 2 guides abandoned waited 20 total 20" in told
    assert "call c1 handed_on" in told


def test_answer_in_a_queue_that_is_not_configured_never_opens_a_case() -> None:
    assert "call c1 switchboard" in tell("0 joined c1 x\n5 connected c1 x bo leg=b1\n9 hung_up c1")


def test_channel_that_is_an_agents_leg_and_a_caller_ends_as_both() -> None:
    told = tell("""
        0    joined     c1  switchboard
        5    connected  c1  switchboard  olle  leg=o1
        9    joined     o1  guides
       20    hung_up    o1
       30    hung_up    c1
    """)
    assert "entry c1 1 switchboard answered waited 5 total 5 talked 15" in told
    assert "call o1 abandoned" in told
