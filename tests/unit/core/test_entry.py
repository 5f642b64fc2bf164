"""One stay in one queue: a scenario per disposition, and the table in the header of entry.py."""

from typing import get_args

import pytest

from ivrd.core import entry as entries
from ivrd.core.effects import Disposition, ReportUnexpected
from ivrd.core.exits import DISPOSITION_BY_STATUS, REFUSALS
from ivrd.core.ids import CallId, Interface
from ivrd.core.stay import Closed, EntryState, Leaving, Stay, Talking, Waiting
from tests.unit.core.story import GUIDES, SYSTEM, at, cid, lines, overflow_rule, read, tell


def test_answered_caller() -> None:
    assert tell("""
        0    arrived    c1  main
        2    chose      c1  guides
        3    joined     c1  guides
        4    rang       c1  guides  anna
        9    left       c1  guides
        9    connected  c1  guides  anna  leg=a1
       40    completed  c1  guides  agent
       40    hung_up    a1
       41    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 6 total 6 talked 31 by anna
        call  c1 resolved waited 6
        case  c1 guides anna
    """)


def test_caller_who_hangs_up_waiting_has_abandoned() -> None:
    assert tell("""
        0    joined       c1  guides
       30    hangup_asked c1
       30    abandon      c1  guides
       30    left         c1  guides
       30.1  hung_up      c1
    """) == lines("""
        entry c1 1 guides abandoned waited 30 total 30
        call  c1 abandoned
    """)


def test_hang_up_asked_just_after_the_caller_left_is_an_abandon() -> None:
    """An AMI Hangup raises its event after it has woken the queue."""
    assert "abandoned waited 30" in tell("""
        0    joined       c1  guides
       30    abandon      c1  guides
       30    left         c1  guides
       30.4  hangup_asked c1
       30.5  hung_up      c1
    """)


def test_hang_up_without_a_leave_is_an_abandon() -> None:
    assert "abandoned waited 30" in tell("""
        0    joined       c1  guides
       30    hung_up      c1
    """)


def test_timed_out_caller_has_not_abandoned_although_asterisk_says_so() -> None:
    assert tell("""
        0    joined       c1  guides
       60    abandon      c1  guides
       60    left         c1  guides
       60    exited       c1  guides  TIMEOUT
       65    hangup_asked c1
       65    hung_up      c1
    """) == lines("""
        entry c1 1 guides timed_out waited 60 total 60
        call  c1 unserved
    """)


def test_caller_of_a_queue_that_emptied() -> None:
    assert "1 guides empty waited 20" in tell("""
        0    joined       c1  guides
       20    abandon      c1  guides
       20    left         c1  guides
       20    exited       c1  guides  LEAVEEMPTY
       21    hung_up      c1
    """)


@pytest.mark.parametrize(
    ("status", "disposition"),
    [("FULL", "full"), ("JOINEMPTY", "join_empty"), ("UNKNOWN", "join_empty")],
)
def test_caller_refused_at_the_door_never_joined(status: str, disposition: str) -> None:
    assert tell(f"""
        0    arrived      c1  main
        2    chose        c1  guides
        3    exited       c1  guides  {status}
        5    hung_up      c1
    """) == lines(f"""
        entry c1 1 guides {disposition}
        call  c1 unserved
    """)


def test_refusal_told_twice_is_one_entry() -> None:
    assert tell("3 exited c1 guides FULL\n3 exited c1 guides FULL\n5 hung_up c1") == lines("""
        entry c1 1 guides full
        call  c1 unserved
    """)


@pytest.mark.parametrize("queue", ["guides", "switchboard"])
def test_refusal_after_a_stay_that_ended_without_a_word_is_an_entry_of_its_own(queue: str) -> None:
    assert tell(f"""
        0    joined       c1  guides
       15    left         c1  guides
       15    exited       c1  {queue}  FULL
       20    hung_up      c1
    """) == lines(f"""
        entry c1 1 guides redirected waited 15 total 15
        entry c1 2 {queue} full
        call  c1 unserved
    """)


def test_key_exit_raises_no_abandon_and_is_none() -> None:
    assert "1 guides key_exit waited 15" in tell("""
        0    joined       c1  guides
       15    left         c1  guides
       15    exited       c1  guides  KEY
       20    hung_up      c1
    """)


def test_caller_withdrawn_by_somebody_else() -> None:
    assert "1 guides withdrawn waited 15" in tell("""
        0    joined       c1  guides
       15    abandon      c1  guides
       15    left         c1  guides
       15    exited       c1  guides  WITHDRAW:byhand
       20    hung_up      c1
    """)


def test_caller_pulled_away_by_redirect_who_hangs_up_later_has_not_abandoned() -> None:
    assert tell("""
        0    joined       c1  guides
       15    abandon      c1  guides
       15    left         c1  guides
       45    hangup_asked c1
       45    hung_up      c1
    """) == lines("""
        entry c1 1 guides redirected waited 15 total 15
        call  c1 unserved
    """)


def test_caller_who_joins_elsewhere_without_a_reason_was_redirected() -> None:
    assert tell("""
        0    joined       c1  guides
       15    left         c1  guides
       16    joined       c1  switchboard
       20    hung_up      c1
    """) == lines("""
        entry c1 1 guides redirected waited 15 total 15
        entry c1 2 switchboard abandoned waited 4 total 20
        call  c1 abandoned
    """)


RUSH = """
        0    snapshot     members=guides:anna:1
        0    joined       c1  switchboard
        5    joined       c2  switchboard
"""
"""Two callers, of whom the rule wants one moved: at 5 s the one who came first."""


def test_moved_caller_who_lands_and_is_answered() -> None:
    told = tell(
        RUSH
        + """
        6    abandon      c1  switchboard
        6    left         c1  switchboard
        6    exited       c1  switchboard  WITHDRAW:relief
        6    joined       c1  guides
        9    left         c1  guides
        9    connected    c1  guides  anna  leg=a1
       30    completed    c1  guides  caller
       30    hung_up      c1
       31    hung_up      c2
    """,
        overflow_rule(),
    )
    assert told == lines("""
        move  c1 switchboard guides
        entry c1 1 switchboard moved waited 6 total 6
        moved c1 landed
        entry c1 2 guides answered waited 3 total 9 talked 21 by anna
        entry c2 1 switchboard abandoned waited 26 total 26
        call  c1 resolved waited 9 moves 1
        case  c1 guides anna
        call  c2 abandoned
    """)


def test_caller_answered_before_the_move_took_hold() -> None:
    told = tell(
        RUSH
        + """
        6    left         c1  switchboard
        6    connected    c1  switchboard  olle  leg=a1
       30    hung_up      c1
       30    hung_up      c2
    """,
        overflow_rule(),
    )
    assert "moved c1 answered_first" in told
    assert "call c1 switchboard waited 6\n" in told


def test_caller_who_hangs_up_before_the_move_took_hold() -> None:
    told = tell(
        RUSH
        + """
        6    hangup_asked c1
        6    left         c1  switchboard
        6    hung_up      c1
        6    hung_up      c2
    """,
        overflow_rule(),
    )
    assert "moved c1 hung_up_first" in told
    assert "entry c1 1 switchboard abandoned" in told


def test_caller_who_hangs_up_between_two_queues_has_abandoned_as_a_call() -> None:
    told = tell(
        RUSH
        + """
        6    left         c1  switchboard
        6    exited       c1  switchboard  WITHDRAW:relief
        6    hung_up      c1
        6    hung_up      c2
    """,
        overflow_rule(),
    )
    assert "entry c1 1 switchboard moved" in told
    assert "moved c1 hung_up_first" in told
    assert "call c1 abandoned\n" in told


def test_move_that_asterisk_refuses() -> None:
    told = tell(RUSH + "6 move_refused c1 asked=5\n9 hung_up c1\n9 hung_up c2", overflow_rule())
    assert "moved c1 refused" in told
    assert told.count("move c1") == 1


def test_move_that_the_target_refuses() -> None:
    told = tell(
        RUSH
        + """
        6    left         c1  switchboard
        6    exited       c1  switchboard  WITHDRAW:relief
        6    exited       c1  guides  JOINEMPTY
        6    joined       c1  switchboard
        9    hung_up      c1
        9    hung_up      c2
    """,
        overflow_rule(),
    )
    assert "moved c1 refused" in told
    assert "entry c1 2 guides join_empty" in told
    assert "entry c1 3 switchboard abandoned waited 3 total 9" in told


def test_move_without_proof_lapses_and_is_not_asked_again_beyond_the_limit() -> None:
    told = tell(RUSH + "40 hung_up c1\n40 hung_up c2", overflow_rule())
    assert told.count("move c1") == 1
    assert "moved c1 lapsed" in told


def test_move_taken_over_by_somebody_elses_withdraw_is_refused() -> None:
    told = tell(
        RUSH
        + """
        6    left         c1  switchboard
        6    exited       c1  switchboard  WITHDRAW:byhand
        9    hung_up      c1
        9    hung_up      c2
    """,
        overflow_rule(),
    )
    assert "entry c1 1 switchboard withdrawn" in told
    assert "moved c1 refused" in told


@pytest.mark.parametrize(
    "end",
    [
        "30 completed c1 guides caller\n30.5 hung_up c1",
        "30 hung_up c1\n30.9 completed c1 guides caller",
        "30 hung_up c1",
        "30 hung_up a1\n31 completed c1 guides caller\n32 hung_up c1",
    ],
    ids=["in_order", "after_hangup", "missing", "after_the_agents_hangup"],
)
def test_agent_complete_may_be_late_or_missing(end: str) -> None:
    told = tell("0 joined c1 guides\n5 left c1 guides\n5 connected c1 guides anna leg=a1\n" + end)
    assert told == lines("""
        entry c1 1 guides answered waited 5 total 5 talked 25 by anna
        call  c1 resolved waited 5
        case  c1 guides anna
    """)


def test_agent_complete_after_the_call_was_forgotten_is_reported() -> None:
    assert tell("""
        0    joined       c1  guides
        5    connected    c1  guides  anna  leg=a1
       30    hung_up      c1
       33    completed    c1  guides
    """).endswith("odd c1 no entry AgentCompleted")


def test_agent_who_answers_before_the_leave_was_told() -> None:
    assert "answered waited 5 total 5 talked 4" in tell("""
        0    joined       c1  guides
        5    connected    c1  guides  anna  leg=a1
        5    left         c1  guides
        9    hung_up      c1
    """)


STAY = Stay(
    system=SYSTEM,
    call_id=CallId(cid("c1")),
    queue=GUIDES,
    number=1,
    joined_at=at(0),
    first_joined_at=at(0),
)
STATES: dict[str, EntryState] = {
    "Waiting": Waiting(stay=STAY),
    "Leaving": Leaving(stay=STAY, left_at=at(5), hangup_asked_at=None, move=None),
    "Talking": Talking(
        stay=STAY,
        answered_at=at(5),
        interface=Interface("anna"),
        agent="anna",
        agent_leg=cid("a1"),
    ),
    "Closed": Closed(
        stay=STAY,
        disposition=Disposition.TIMED_OUT,
        ended_at=at(5),
        entry_wait=at(5) - at(0),
        wait=at(5) - at(0),
    ),
}
EVENTS = {
    type(event).__name__: event
    for event in read("""
        6  joined        c1  guides
        6  left          c1  guides
        6  abandon       c1  guides
        6  exited        c1  guides  TIMEOUT
        6  rang          c1  guides  anna
        6  ring_ended    c1  guides  anna
        6  connected     c1  guides  anna  leg=a1
        6  completed     c1  guides
        6  hangup_asked  c1
        6  hung_up       c1
        6  replaced      a1  x1
        6  move_refused  c1
    """)
}


def table(text: str) -> dict[tuple[str, str], str]:
    """Return the cells of the table in the header of entry.py, by state and event."""
    rows = text.partition("The table")[2].splitlines()[1:]
    header, *body = [row.split() for row in rows[: rows.index("")]]
    return {
        (state, row[0]): cell
        for row in body
        for state, cell in zip(header[1:], row[1:], strict=True)
    }


def outcome(state: EntryState, event: entries.EntryEvent) -> str:
    """Return what the code does with a pair, as the table says it."""
    step = entries.apply(state, event)
    if any(isinstance(effect, ReportUnexpected) for effect in step.effects):
        assert step.state is state
        return "!"
    return "=" if type(step.state) is type(state) else type(step.state).__name__


def test_the_table_in_the_header_is_what_the_code_does() -> None:
    assert table(entries.__doc__ or "") == {
        (name, event_name): outcome(state, event)
        for event_name, event in EVENTS.items()
        for name, state in STATES.items()
    }


def test_every_event_and_state_has_its_place_in_the_table() -> None:
    assert {type(event) for event in EVENTS.values()} == set(get_args(entries.EntryEvent))
    assert {type(state) for state in STATES.values()} == set(get_args(EntryState))


def test_a_wrong_table_is_noticed() -> None:
    text = (entries.__doc__ or "").replace("Talking   Talking   =         !", "Talking = = =")
    assert table(text) != table(entries.__doc__ or "")


def test_closed_entry_is_not_changed_by_anything_but_a_swap_of_legs() -> None:
    closed = STATES["Closed"]
    for event in EVENTS.values():
        assert entries.apply(closed, event).state is closed


def test_refusals_and_exits_have_a_disposition_each() -> None:
    assert set(DISPOSITION_BY_STATUS) > REFUSALS
