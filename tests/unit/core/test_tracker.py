"""The live picture: restarts, faults in one call, odd orders, and nothing left behind."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ivrd.core import tracker as tracker_module
from ivrd.core.effects import Outcome, RecordCall
from ivrd.core.ids import CallId
from ivrd.core.service_level import Counts, added
from ivrd.core.tracker import Tracker
from tests.unit.core.story import (
    GUIDES,
    START,
    SYSTEM,
    at,
    cid,
    floor_rules,
    lines,
    new_tracker,
    overflow_rule,
    pass_deadlines,
    play,
    read,
    tell,
)

WHOLE = """
    0    snapshot   members=guides:anna:1
    0    joined     c1  switchboard
    5    joined     c2  switchboard
    6    left       c1  switchboard
    6    exited     c1  switchboard  WITHDRAW:relief
    6    joined     c1  guides
    9    connected  c1  guides  anna  leg=local1
   10    replaced   local1  a1
   30    hung_up    a1
   30    hung_up    c1
   31    hung_up    c2
"""


def test_counts_go_on_from_what_is_stored_of_the_day() -> None:
    tracker = new_tracker(overflow_rule())
    play(tracker, read(WHOLE))
    live = tracker.view(GUIDES)
    assert live is not None
    since = live.counted_since
    assert since is not None
    midnight = since - timedelta(hours=8)
    tracker.count_on({GUIDES: Counts(joined=4, answered=3)}, midnight)
    view = tracker.view(GUIDES)
    assert view is not None
    assert view.counts == added(live.counts, Counts(joined=4, answered=3))
    assert view.counted_since == midnight
    early = new_tracker(overflow_rule())
    early.count_on({GUIDES: Counts(joined=4)}, midnight)
    play(early, read(WHOLE))
    view = early.view(GUIDES)
    assert view is not None
    assert (view.counts.joined, view.counted_since) == (live.counts.joined + 4, midnight)


DAY_S = 14 * 3600
"""When the day ends: the story begins at 10 o'clock in Stockholm, and in winter."""

YESTERDAY = START - timedelta(hours=10)


def counted_at(tracker: Tracker) -> tuple[int, int, datetime | None]:
    """Return who joined the guides' queue in all, and today, and since when all were counted."""
    floor, view = tracker.book.floor(GUIDES), tracker.view(GUIDES)
    assert view is not None
    joined = view.counts.joined
    return joined, joined - floor.counts_before_today.joined, view.counted_since


def in_stockholm() -> Tracker:
    rules = replace(floor_rules(overflow_rule()), zone=ZoneInfo("Europe/Stockholm"))
    return Tracker(system=SYSTEM, rules=rules)


def test_counts_read_before_midnight_are_not_of_the_day_after() -> None:
    before, late = {GUIDES: Counts(joined=40)}, f"{DAY_S - 2} joined c1 guides\n"
    early = f"{DAY_S + 2} joined c2 guides"
    in_time, after, without_event = in_stockholm(), in_stockholm(), in_stockholm()
    play(in_time, read(late))
    in_time.count_on(before, YESTERDAY)
    play(in_time, read(early))
    play(after, read(late + early))
    after.count_on(before, YESTERDAY)
    assert counted_at(in_time) == counted_at(after) == (42, 1, YESTERDAY)
    without_event.count_on(before, YESTERDAY)
    play(without_event, read(early))
    assert counted_at(without_event) == (41, 1, YESTERDAY)


def test_a_gap_over_midnight_is_counted_on_the_day_on_which_it_happened() -> None:
    today = YESTERDAY + timedelta(days=1)
    told = f"{DAY_S - 2} joined c1 guides\n{DAY_S + 2} joined c2 guides"
    tracker, quiet = in_stockholm(), in_stockholm()
    play(tracker, read(told))
    assert counted_at(tracker) == (2, 1, at(DAY_S - 2)), "without the database"
    tracker.count_on({GUIDES: Counts(joined=7)}, today)
    assert counted_at(tracker) == (8, 8, today)
    play(quiet, read(told)[:1])
    quiet.count_on({GUIDES: Counts(joined=7)}, today)
    assert counted_at(quiet) == (7, 7, today), "nothing has come today"


def test_nothing_is_left_when_all_calls_have_ended() -> None:
    tracker = new_tracker(overflow_rule())
    play(tracker, read(WHOLE))
    book = tracker._book
    assert tracker.live_calls == 0
    assert not book.legs
    assert not book.deadlines
    assert not any(floor.waiting for floor in book.queues.values())


def test_state_is_the_same_after_dump_and_restore() -> None:
    for cut in range(len(read(WHOLE)) + 1):
        tracker = new_tracker(overflow_rule())
        for event in read(WHOLE)[:cut]:
            tracker.apply(event)
        other = new_tracker(overflow_rule())
        other.restore(tracker.state())
        assert other.state() == tracker.state()
        assert other._book.legs == tracker._book.legs
        assert not other.is_synced


def test_deadlines_are_taken_over_by_a_restore() -> None:
    tracker = new_tracker()
    for event in read("0 joined c1 guides\n9 hung_up c1"):
        tracker.apply(event)
    other = new_tracker()
    other.restore(tracker.state())
    assert [e.outcome for e in pass_deadlines(other) if isinstance(e, RecordCall)] == [
        Outcome.ABANDONED
    ]


def test_a_fault_in_one_call_does_not_lose_what_another_came_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracker = new_tracker()
    for event in read("""
        0    joined     c1  guides
        0    joined     c2  guides
        5    connected  c1  guides  anna  leg=a1
        9    hung_up    c1
        9.1  hung_up    c2
    """):
        tracker.apply(event)
    works = tracker_module.record_of

    def breaks_for_c2(call: object, *args: object, **options: object) -> RecordCall:
        if getattr(call, "call_id", None) == cid("c2"):
            raise AssertionError("planted")
        return works(call, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tracker_module, "record_of", breaks_for_c2)
    [late] = read("20 passed")
    with pytest.raises(AssertionError, match="planted"):
        tracker.apply(late)
    assert tracker.drop(late) == CallId(cid("c2"))
    assert tracker.live_calls == 0
    kept = tracker.apply(late)
    assert [e.outcome for e in kept if isinstance(e, RecordCall)] == [Outcome.RESOLVED]


def test_drop_without_a_call_forgets_nothing() -> None:
    tracker = new_tracker()
    play(tracker, read("0 joined c1 guides"))
    assert tracker.drop(read("1 member guides anna")[0]) is None
    assert tracker.drop(read("1 hung_up nobody")[0]) is None
    assert tracker.live_calls == 1
    assert tracker.drop(read("1 left c1 guides")[0]) == cid("c1")
    view = tracker.view(GUIDES)
    assert view is not None
    assert (tracker.live_calls, view.waiting) == (0, 0)


def test_join_after_the_hang_up_is_reported_and_opens_nothing() -> None:
    assert tell("""
        0    arrived    c1  main
        5    hung_up    c1
        5.1  joined     c1  guides
        5.2  left       c1  guides
    """) == lines("""
        odd  c1 hung up CallerJoined
        odd  c1 no entry CallerLeft
        call c1 menu_hangup
    """)


def test_older_stamp_is_lifted_and_no_wait_is_negative() -> None:
    assert tell("""
       10    joined     c1  guides
        5    left       c1  guides
        5    connected  c1  guides  anna  leg=a1
        4    hung_up    c1
    """) == lines("""
        entry c1 1 guides answered waited 0 total 0 talked 0 by anna
        call  c1 resolved waited 0
        case  c1 guides anna
    """)


def test_events_of_unknown_calls_are_reported_or_harmless() -> None:
    assert tell("""
        0    left         c9  guides
        0    connected    c9  guides  anna  leg=a1
        0    completed    c9  guides
        0    exited       c9  guides  TIMEOUT
        0    hangup_asked c9
        0    hung_up      c9
        0    blind        a9  3210
        0    attended     a9  a8
        0    replaced     a9  a8
        0    move_refused c9
        0    member_gone  guides  nobody
    """) == lines("""
        odd c9 no entry CallerLeft
        odd c9 no entry AgentConnected
        odd c9 no entry AgentCompleted
        odd c9 no entry QueueExited
    """)


def test_line_told_after_the_choice_is_still_the_calls_line() -> None:
    effects = play(
        new_tracker(),
        read("0 chose c1 guides\n0 arrived c1 main\n1 arrived c1 other\n9 hung_up c1"),
    )
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert call.line == "main"


def test_longest_wait_is_since_the_first_arrival_in_any_queue() -> None:
    tracker = new_tracker(overflow_rule())
    for event in read(WHOLE)[:6]:
        tracker.apply(event)
    view = tracker.view(GUIDES)
    assert view is not None
    assert view.oldest_arrival_at == read(WHOLE)[0].at
    assert tracker.view(GUIDES.__class__("nowhere")) is None
    assert cid("c1") in [call.call_id for call in tracker.state().calls]


def test_members_are_counted_by_what_they_can_do() -> None:
    tracker = new_tracker()
    play(
        tracker,
        read("""
        0  member  guides  free   state=1
        0  member  guides  busy   state=2
        0  member  guides  rings  state=6
        0  member  guides  away   state=5
        0  member  guides  gone   state=1
        1  member_gone  guides  gone
        """),
    )
    view = tracker.view(GUIDES)
    assert view is not None
    assert (view.members_available, view.members_busy, view.members_unavailable) == (1, 2, 1)
