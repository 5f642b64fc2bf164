"""The overflow policy, and what it is asked to look at."""

from ivrd.core.ids import CallId
from ivrd.core.line import Candidate, Line
from ivrd.core.overflow import Plan, plan
from tests.unit.core.story import at, cid, new_tracker, overflow_rule, play, read, tell

RULE = overflow_rule(start=3, stop=1)


def caller(
    name: str, joined: float, *, offered: bool = False, moving: bool = False, asked: int = 0
) -> Candidate:
    return Candidate(
        call_id=CallId(cid(name)),
        first_joined_at=at(joined),
        is_offered=offered,
        is_moving=moving,
        moves_asked=asked,
    )


LINE = [caller("c3", 3), caller("c1", 1), caller("c2", 2)]


def test_rule_begins_at_its_start_and_moves_the_longest_waiting_down_to_its_stop() -> None:
    planned = plan(RULE, was_active=False, line=Line(LINE), has_target_agents=True)
    assert planned == Plan(is_active=False, moves=(CallId(cid("c1")), CallId(cid("c2"))))


def test_equal_arrivals_move_in_the_same_order_however_they_are_listed() -> None:
    line = [caller("c1", 1), caller("c2", 1), caller("c3", 1)]
    plans = [
        plan(RULE, was_active=False, line=Line(listed), has_target_agents=True)
        for listed in (line, line[::-1])
    ]
    assert plans[0] == plans[1]


def test_rule_does_not_begin_below_its_start() -> None:
    planned = plan(RULE, was_active=False, line=Line(LINE[:2]), has_target_agents=True)
    assert planned == Plan(is_active=False)


def test_rule_in_force_goes_on_until_its_stop() -> None:
    planned = plan(RULE, was_active=True, line=Line(LINE[:2]), has_target_agents=True)
    assert planned.moves == (CallId(cid("c1")),)


def test_rule_stays_in_force_while_it_may_move_nobody() -> None:
    line = [caller("c1", 1, offered=True), caller("c2", 2, asked=1), caller("c3", 3, offered=True)]
    planned = plan(RULE, was_active=False, line=Line(line), has_target_agents=True)
    assert planned == Plan(is_active=True)


def test_nobody_is_moved_to_a_queue_without_agents() -> None:
    planned = plan(RULE, was_active=False, line=Line(LINE), has_target_agents=False)
    assert planned == Plan(is_active=True)


def test_callers_on_their_way_out_count_as_gone() -> None:
    line = [caller("c1", 1, moving=True), caller("c2", 2, moving=True), caller("c3", 3)]
    planned = plan(RULE, was_active=True, line=Line(line), has_target_agents=True)
    assert planned == Plan(is_active=False)


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
        rule,
    )
    assert told.count("move c1") == 1


def test_two_queues_that_relieve_each_other_do_not_play_with_a_caller() -> None:
    there = overflow_rule(1, 0, from_queue=overflow_rule().from_queue)
    back = overflow_rule(1, 0, from_queue=there.to_queue, to_queue=there.from_queue)
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
