"""A gap filled from queue_log: cut the live stream anywhere, and the journal tells the rest."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from textwrap import dedent

import pytest

from ivrd.core.effects import (
    CountEntry,
    CountNotice,
    Effect,
    OpenCase,
    RecordCall,
    RecordEntry,
    RecordMove,
)
from ivrd.core.events import (
    CaseLabelled,
    CaseSaved,
    Event,
    JournalRead,
    MemberChanged,
    MoveRefused,
    OrderGiven,
    PeerLost,
    SnapshotTaken,
)
from ivrd.core.ids import CallId, Interface, QueueName
from ivrd.core.journal import JournalRow
from ivrd.core.overflow_state import RuleOrders
from ivrd.core.tracker import Tracker
from tests.unit.core.story import SYSTEM, at, cid, new_tracker, overflow_rule, read

SUBMENU = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  menu:va  digit=2
     4.9  chose      c1  say:hours  digit=1  in=va
    31.9  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE    NONE  IVRDCHOICE   main|chosen|menu:va|2|0|ivrd|sv
     4  c1  NONE    NONE  IVRDCHOICE   va|chosen|say:hours|1|0|ivrd|sv
    31  c1  NONE    NONE  IVRDEND
    """,
)

CLOSED_LINE = (
    """
     0.3  arrived    c1  main
     0.4  closed     c1  main  hours
     9.9  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     0  c1  NONE    NONE  IVRDCLOSED   main|hours
     9  c1  NONE    NONE  IVRDEND
    """,
)

NOTICE_HEARD = (
    """
     0.3  arrived    c1  main
     0.4  notice     c1  leak  began
     8.4  notice     c1  leak  ended
    12.2  chose      c1  guides
    12.3  exited     c1  guides  CLOSED
    12.4  joined     c1  switchboard
    20.1  left       c1  switchboard
    20.1  connected  c1  switchboard  olle  leg=a1
    60.5  completed  c1  switchboard  caller
    60.6  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     0  c1  NONE    NONE  IVRDNOTICE   leak|began
     8  c1  NONE    NONE  IVRDNOTICE   leak|ended
    12  c1  NONE    NONE  IVRDCHOICE   main|stayed|guides||0|ivrd|sv
    12  c1  guides  NONE  IVRDEXIT     CLOSED
    12  c1  switchboard  NONE  ENTERQUEUE   |0701740605|1
    20  c1  switchboard  olle  CONNECT      8|a1|2
    60  c1  switchboard  olle  COMPLETECALLER  8|40|1
    60  c1  NONE    NONE  IVRDEND
    """,
)

NOTICE_CUT = (
    """
     0.3  arrived    c1  main
     0.4  notice     c1  leak  began
     5.9  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     0  c1  NONE    NONE  IVRDNOTICE   leak|began
     5  c1  NONE    NONE  IVRDEND
    """,
)

CLOSING = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  guides
     4.4  joined     c1  guides
    31.7  left       c1  guides
    31.8  exited     c1  guides  CLOSING
    31.9  closed     c1  main  hours
    41.9  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE    NONE  IVRDCHOICE   main|stayed|guides||0|ivrd|sv
     4  c1  guides  NONE  ENTERQUEUE   |0701740605|1
    31  c1  guides  NONE  EXITWITHTIMEOUT  1|1|27
    31  c1  guides  NONE  IVRDEXIT     CLOSING
    31  c1  NONE    NONE  IVRDCLOSED   main|hours
    41  c1  NONE    NONE  IVRDEND
    """,
)

KEY_OUT = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  guides
     4.4  joined     c1  guides
    31.7  left       c1  guides
    31.8  exited     c1  guides  KEY
    31.9  chose      c1  number:0846500405  digit=9  in=guides  menu=static
    41.9  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE    NONE  IVRDCHOICE   main|stayed|guides||0|ivrd|sv
     4  c1  guides  NONE  ENTERQUEUE   |0701740605|1
    31  c1  guides  NONE  EXITWITHKEY  9|1|1|27
    31  c1  guides  NONE  IVRDEXIT     KEY
    31  c1  NONE    NONE  IVRDCHOICE   guides|chosen|number:0846500405|9|0|static|sv
    41  c1  NONE    NONE  IVRDEND
    """,
)

AFTER = 600
"""Seconds: everybody has hung up, and every deadline has passed."""

RESOLVED = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  guides
     4.4  joined     c1  guides
     9.1  left       c1  guides
     9.1  connected  c1  guides  anna  leg=a1
    60.5  completed  c1  guides  caller
    60.6  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE    NONE  IVRDCHOICE   main|stayed|guides||0|ivrd
     4  c1  guides  NONE  ENTERQUEUE   |0701740605|1
     9  c1  guides  anna  CONNECT      5|a1|2
    60  c1  guides  anna  COMPLETECALLER  5|51|1
    60  c1  NONE    NONE  IVRDEND
    """,
)

ABANDONED = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  guides
     4.4  joined     c1  guides
    31.7  hangup_asked  c1
    31.8  left       c1  guides
    31.9  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE    NONE  IVRDCHOICE   main|stayed|guides||0|ivrd
     4  c1  guides  NONE  ENTERQUEUE   |0701740605|1
    31  c1  guides  NONE  ABANDON      1|1|27
    31  c1  NONE    NONE  IVRDEND
    """,
)

MOVED = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  switchboard  digit=1
     4.4  joined     c1  switchboard
    20.4  left       c1  switchboard
    20.5  exited     c1  switchboard  WITHDRAW:relief
    20.6  joined     c1  guides
    40.1  left       c1  guides
    40.1  connected  c1  guides  anna  leg=a1
    60.5  blind  a1  8100
    60.5  completed  c1  guides  transfer
    70.6  hung_up    c1
    """,
    """
     0  c1  NONE         NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE         NONE  IVRDCHOICE   main|chosen|switchboard|1|0|ivrd
     4  c1  switchboard  NONE  ENTERQUEUE   |0701740605|1
    20  c1  switchboard  NONE  WITHDRAW     1|1|16|ivrd-move guides relief
    20  c1  switchboard  NONE  IVRDEXIT     WITHDRAW
    20  c1  guides       NONE  ENTERQUEUE   |0701740605|1
    40  c1  guides       anna  CONNECT      20|a1|2
    60  c1  guides       anna  BLINDTRANSFER  8100|from-agents|20|20|1
    70  c1  NONE         NONE  IVRDEND
    """,
)

HANDED_ON_INTO_A_QUEUE = (
    """
     0.3  arrived    c1  main
     4.4  joined     c1  guides
    20.1  left       c1  guides
    20.1  connected  c1  guides  anna  leg=a1
    40.5  blind      a1  7001
    40.5  completed  c1  guides  transfer
    40.5  joined     c1  switchboard
    50.1  left       c1  switchboard
    50.1  connected  c1  switchboard  olle  leg=o1
    60.5  completed  c1  switchboard  agent
    60.6  hung_up    c1
    """,
    """
     0  c1  NONE         NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  guides       NONE  ENTERQUEUE   |0701740605|1
    20  c1  guides       anna  CONNECT      16|a1|2
    40  c1  switchboard  NONE  ENTERQUEUE   |0701740605|1
    40  c1  guides       anna  BLINDTRANSFER  7001|from-agents|16|20|1
    50  c1  switchboard  olle  CONNECT      10|o1|2
    60  c1  switchboard  olle  COMPLETEAGENT  10|10|1
    60  c1  NONE         NONE  IVRDEND
    """,
)
"""Another thread than the caller's writes BLINDTRANSFER: here it was the later one."""

MOVED_HOME_AND_AWAY_AGAIN = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  switchboard  digit=1
     4.4  joined     c1  switchboard
    20.4  left       c1  switchboard
    20.5  exited     c1  switchboard  WITHDRAW:relief
    20.6  joined     c1  guides
    30.4  left       c1  guides
    30.5  exited     c1  guides  WITHDRAW:ivrd-move~switchboard~relief
    30.6  joined     c1  switchboard
    40.4  left       c1  switchboard
    40.5  exited     c1  switchboard  WITHDRAW:relief
    40.6  joined     c1  guides
    70.3  hangup_asked  c1
    70.4  left       c1  guides
    70.6  hung_up    c1
    """,
    """
     0  c1  NONE         NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE         NONE  IVRDCHOICE   main|chosen|switchboard|1|0|ivrd
     4  c1  switchboard  NONE  ENTERQUEUE   |0701740605|1
    20  c1  switchboard  NONE  WITHDRAW     1|1|16|ivrd-move guides relief
    20  c1  switchboard  NONE  IVRDEXIT     WITHDRAW
    20  c1  guides       NONE  ENTERQUEUE   |0701740605|1
    30  c1  guides       NONE  WITHDRAW     1|1|10|ivrd-move switchboard relief
    30  c1  guides       NONE  IVRDEXIT     WITHDRAW
    30  c1  switchboard  NONE  ENTERQUEUE   |0701740605|1
    40  c1  switchboard  NONE  WITHDRAW     1|1|10|ivrd-move guides relief
    40  c1  switchboard  NONE  IVRDEXIT     WITHDRAW
    40  c1  guides       NONE  ENTERQUEUE   |0701740605|1
    70  c1  guides       NONE  ABANDON      1|1|30
    70  c1  NONE         NONE  IVRDEND
    """,
)

REFUSED = (
    """
     0.3  arrived    c1  main
     4.2  chose      c1  switchboard  digit=1
     4.4  exited     c1  switchboard  JOINEMPTY
     4.6  joined     c1  guides
    10.0  left       c1  guides
    10.0  exited     c1  guides  TIMEOUT
    12.0  hung_up    c1
    """,
    """
     0  c1  NONE         NONE  IVRDARRIVED  main|PJSIP/c1
     4  c1  NONE         NONE  IVRDCHOICE   main|chosen|switchboard|1|0|ivrd
     4  c1  switchboard  NONE  IVRDEXIT     JOINEMPTY
     4  c1  guides       NONE  ENTERQUEUE   |0701740605|1
    10  c1  guides       NONE  EXITWITHTIMEOUT  1|1|6
    10  c1  guides       NONE  IVRDEXIT     TIMEOUT
    12  c1  NONE         NONE  IVRDEND
    """,
)

MENU = (
    """
     0.3  arrived    c1  main
     5.2  hung_up    c1
    """,
    """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     5  c1  NONE    NONE  IVRDEND
    """,
)


def rows(text: str) -> tuple[JournalRow, ...]:
    """Read queue_log rows of a story; fields of the data are separated by "|"."""
    read_rows = []
    for line in dedent(text).strip().splitlines():
        seconds, call, queue, agent, event, *data = line.split(None, 5)
        read_rows.append(
            JournalRow(
                at=at(int(seconds)),
                system=SYSTEM,
                call_id=CallId(cid(call)),
                queue=QueueName(queue),
                agent=agent,
                event=event,
                data=tuple(data[0].split("|")) if data else (),
            )
        )
    return tuple(read_rows)


def run(events: Sequence[Event], *, tracker: Tracker | None = None) -> list[Effect]:
    """Apply events as the engine does, and let everything end."""
    tracker = tracker or new_tracker(overflow_rule())
    effects: list[Effect] = []
    for event in events:
        if isinstance(event, JournalRead):
            for missed in tracker.catch_up(event):
                effects.extend(tracker.apply(missed))
        effects.extend(tracker.apply(event))
    assert tracker.live_calls == 0
    return effects


def ending(journal: Sequence[JournalRow]) -> list[Event]:
    """Return what comes after a gap in which everybody hung up."""
    gone = SnapshotTaken(
        at=at(AFTER), system=SYSTEM, queues=(), channels=frozenset(), can_withdraw=True
    )
    return [JournalRead(at=at(AFTER), system=SYSTEM, rows=tuple(journal)), gone]


def said(effects: Sequence[Effect]) -> list[object]:
    """Return what a call came to, without the stamps, which the journal cuts to seconds."""
    facts: list[object] = []
    for effect in effects:
        match effect:
            case RecordCall():
                facts.append((effect.outcome, effect.line, effect.choice, effect.moves))
                facts.append((effect.transfers, effect.last_queue, effect.is_static_menu))
                facts.append(("path", effect.path))
            case CountNotice():
                facts.append(("notice", effect.notice, effect.is_whole))
            case RecordEntry():
                facts.append((effect.number, effect.queue, effect.disposition, effect.agent))
            case CountEntry():
                facts.append((effect.queue, effect.disposition))
            case OpenCase():
                facts.append((effect.queue, effect.agent, effect.rule))
            case RecordMove():
                facts.append(("move", effect.to_queue, effect.end, effect.out_of))
            case _:
                pass
    return sorted(map(str, facts))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(RESOLVED, id="resolved"),
        pytest.param(ABANDONED, id="abandoned"),
        pytest.param(MOVED, id="moved and handed on"),
        pytest.param(HANDED_ON_INTO_A_QUEUE, id="handed on into a queue, written late"),
        pytest.param(MOVED_HOME_AND_AWAY_AGAIN, id="moved, home, and moved again"),
        pytest.param(REFUSED, id="refused, then timed out"),
        pytest.param(MENU, id="hung up in the menu"),
        pytest.param(SUBMENU, id="several choices, and informed"),
        pytest.param(CLOSED_LINE, id="closed line"),
        pytest.param(NOTICE_HEARD, id="notice heard, door closed, catch-all"),
        pytest.param(NOTICE_CUT, id="hung up during a notice"),
        pytest.param(CLOSING, id="line closes while waiting"),
        pytest.param(KEY_OUT, id="key out of a queue, to a number"),
    ],
)
def test_cut_anywhere_the_journal_tells_the_rest(story: tuple[str, str]) -> None:
    events = read(story[0])
    journal = rows(story[1])
    expected = said(run([*events, *ending(())]))
    for cut in range(len(events)):
        lost = PeerLost(at=events[cut].at, system=SYSTEM, reason="test")
        assert said(run([*events[:cut], lost, *ending(journal)])) == expected, f"cut at {cut}"


def test_calls_decided_before_are_not_opened_again() -> None:
    events = read(RESOLVED[0])
    tracker = new_tracker()
    first = run([*events, *ending(())], tracker=tracker)
    again = run(ending(rows(RESOLVED[1])), tracker=tracker)
    assert len([effect for effect in first if isinstance(effect, RecordCall)]) == 1
    assert said(again) == []


def test_an_earlier_trackers_decisions_are_taken_over() -> None:
    tracker = new_tracker()
    tracker.remember_finished([CallId(cid("c1"))])
    assert said(run(ending(rows(RESOLVED[1])), tracker=tracker)) == []


def test_what_the_journal_told_is_marked() -> None:
    [call] = [effect for effect in run(ending(rows(RESOLVED[1]))) if isinstance(effect, RecordCall)]
    assert call.is_from_journal
    live = run([*read(RESOLVED[0]), *ending(rows(RESOLVED[1]))])
    [call] = [effect for effect in live if isinstance(effect, RecordCall)]
    assert not call.is_from_journal


def test_half_a_story_is_left_to_the_snapshot() -> None:
    tail = rows(RESOLVED[1])[3:]
    assert said(run(ending(tail))) == []


def test_abandon_without_a_hang_up_was_a_redirect() -> None:
    story = rows(ABANDONED[1])
    late = [*story[:-1], *rows("99  c1  NONE  NONE  IVRDEND")]
    [entry] = [effect for effect in run(ending(late)) if isinstance(effect, RecordEntry)]
    assert entry.disposition.value == "redirected"


AT_ONCE = (
    """
     9.1  arrived    c1  main
     9.2  chose      c1  guides
     9.3  joined     c1  guides
     9.5  left       c1  guides
     9.5  connected  c1  guides  anna  leg=a1
    60.5  completed  c1  guides  caller
    60.6  hung_up    c1
    """,
    """
     9  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/c1
     9  c1  NONE    NONE  IVRDCHOICE   main|stayed|guides||0|ivrd
     9  c1  guides  NONE  ENTERQUEUE   |0701740605|1
     9  c1  guides  anna  CONNECT      5|a1|2
    """,
)


@pytest.mark.parametrize("count", range(5))
def test_events_told_by_both_in_the_same_second_count_once(count: int) -> None:
    """The journal is read just after the connection is made: it holds the first events too."""
    events = read(AT_ONCE[0])
    journal = JournalRead(at=events[count].at, system=SYSTEM, rows=rows(AT_ONCE[1]))
    snapshot = SnapshotTaken(
        at=events[count].at,
        system=SYSTEM,
        queues=(),
        channels=frozenset({cid("c1"), cid("a1")}),
        can_withdraw=True,
    )
    effects = run([journal, snapshot, *events[count:], *ending(())])
    assert said(effects) == said(run([*events, *ending(())]))


def test_many_choices_of_one_second_are_all_told() -> None:
    """A caller who types fast goes from menu to menu, and back, several times a second."""
    there = " 9  c1  NONE  NONE  IVRDCHOICE  main|chosen|menu:va|2|0|static|sv\n"
    back = " 9  c1  NONE  NONE  IVRDCHOICE  va|chosen|back|0|0|static|sv\n"
    story = rows(
        " 9  c1  NONE  NONE  IVRDARRIVED  main|PJSIP/c1\n"
        + (there + back) * 3
        + "10  c1  NONE  NONE  IVRDEND\n"
    )
    [call] = [effect for effect in run(ending(story)) if isinstance(effect, RecordCall)]
    assert call.path == ">".join(["main:2", "va:0"] * 3)


def test_after_a_restart_each_move_is_told_as_the_one_it_was() -> None:
    def moves(effects: Sequence[Effect]) -> list[tuple[str, int | None]]:
        return [(e.to_queue, e.out_of) for e in effects if isinstance(e, RecordMove)]

    live, journal = MOVED_HOME_AND_AWAY_AGAIN
    told = [("guides", 1), ("switchboard", 2), ("guides", 3)]
    assert moves(run([*read(live), *ending(())])) == told
    assert moves(run(ending(rows(journal)))) == told


def test_a_move_asked_before_a_restart_is_told_by_its_info() -> None:
    [call] = [effect for effect in run(ending(rows(MOVED[1]))) if isinstance(effect, RecordCall)]
    assert call.moves == 1


def test_a_member_of_the_journal_is_known_by_the_snapshot_that_follows() -> None:
    tracker = new_tracker()
    journal, gone = ending(rows(RESOLVED[1]))
    assert isinstance(journal, JournalRead)
    anna = MemberChanged(
        at=at(AFTER),
        system=SYSTEM,
        queue=QueueName("guides"),
        interface=Interface("PJSIP/anna"),
        member_name="anna",
        device_state=1,
        is_paused=False,
        is_in_call=False,
    )
    effects = run([replace(journal, members=(anna,)), gone], tracker=tracker)
    [entry] = [effect for effect in effects if isinstance(effect, RecordEntry)]
    assert entry.interface == "PJSIP/anna"


# What the journal cannot tell.


def left_by_agent(end: int) -> tuple[JournalRow, ...]:
    """Return the rows of a call whose agent was gone at 60 s, and whose caller later."""
    return (
        *rows(RESOLVED[1])[:4],
        *rows(f"""
        60  c1  guides  anna  COMPLETEAGENT  5|51|1
        {end}  c1  NONE  NONE  IVRDEND
        """),
    )


@pytest.mark.parametrize(
    ("end", "outcome", "cases"), [(60, "resolved", 1), (62, "resolved", 1), (63, "unknown", 0)]
)
@pytest.mark.parametrize("cut", [0, 5])
def test_who_lives_on_after_the_agent_was_perhaps_handed_on(
    end: int, outcome: str, cases: int, cut: int
) -> None:
    """Cut before the call, or in the talk."""
    seen = read(RESOLVED[0])[:cut]
    lost = PeerLost(at=at(10), system=SYSTEM, reason="test")
    effects = run([*seen, lost, *ending(left_by_agent(end))])
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert call.outcome.value == outcome
    assert len([effect for effect in effects if isinstance(effect, OpenCase)]) == cases
    [entry] = [effect for effect in effects if isinstance(effect, RecordEntry)]
    assert entry.disposition.value == "answered"


@pytest.mark.parametrize(("now", "outcome"), [(61, "resolved"), (80, "unknown")])
def test_who_lives_on_still_was_perhaps_handed_on(now: int, outcome: str) -> None:
    """The journal may be read between the agent's end and the caller's, a moment later."""
    journal = JournalRead(at=at(now), system=SYSTEM, rows=left_by_agent(99)[:-1])
    alive = SnapshotTaken(
        at=at(now),
        system=SYSTEM,
        queues=(),
        channels=frozenset({cid("c1")}),
        can_withdraw=True,
    )
    effects = run([journal, alive, *read("90  hung_up  c1"), *ending(())])
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert call.outcome.value == outcome


@pytest.mark.parametrize(
    ("interface", "outcome"),
    [
        ("Local/anna@mobiles/n", "unknown"),
        ("Local/anna@mobiles", "resolved"),
        ("PJSIP/anna", "resolved"),
    ],
)
def test_nobody_sees_what_an_agent_behind_a_local_channel_does(
    interface: str, outcome: str
) -> None:
    journal, gone = ending(rows(RESOLVED[1]))
    assert isinstance(journal, JournalRead)
    anna = MemberChanged(
        at=at(AFTER),
        system=SYSTEM,
        queue=QueueName("guides"),
        interface=Interface(interface),
        member_name="anna",
        device_state=1,
        is_paused=False,
        is_in_call=False,
    )
    effects = run([replace(journal, members=(anna,)), gone])
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert call.outcome.value == outcome


# An agent who asks in another queue.

TALKS = """
     0  c1  NONE    NONE  IVRDARRIVED  main|PJSIP/line-01
     4  c1  NONE    NONE  IVRDCHOICE   menu|stayed|guides||0|ivrd
     4  c1  guides  NONE  IVRDENTER    c1|PJSIP/line-01
     4  c1  guides  NONE  ENTERQUEUE   |0701740605|1
     9  c1  guides  anna  CONNECT      5|a1|2
"""


def enters(linked: str, channel: str) -> str:
    return f"""
    20  k1  switchboard  NONE  IVRDENTER   {linked}|{channel}
    20  k1  switchboard  NONE  ENTERQUEUE  |0701740606|1
    """


COMES_BACK = """
    30  k1  switchboard  NONE  ABANDON     1|1|10
    60  c1  guides  anna  COMPLETECALLER  5|51|1
    60  c1  NONE    NONE  IVRDEND
"""

HANDS_ON = """
    25  k1  switchboard  olle  CONNECT     5|o1|2
    30  c1  guides  anna  ATTENDEDTRANSFER  BRIDGE|b1|5|21|1
    60  k1  switchboard  olle  COMPLETECALLER  5|35|1
    60  c1  NONE    NONE  IVRDEND
"""

BY_CODE = pytest.param("c1", "Local/7001@from-agents-01;2", id="by code")
BY_PHONE = pytest.param("k1", "anna-02", id="by a second SIP call")
"""Whose Linkedid is its own, and whose phone is that of an agent in talk."""


@pytest.mark.parametrize(("linked", "channel"), [BY_CODE, BY_PHONE])
def test_an_agent_who_asked_in_a_gap_is_no_caller(linked: str, channel: str) -> None:
    journal = rows(TALKS) + rows(enters(linked, channel)) + rows(COMES_BACK)
    effects = run(ending(journal))
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert (call.call_id, call.outcome.value) == (cid("c1"), "resolved")
    assert [effect.queue for effect in effects if isinstance(effect, CountEntry)] == ["guides"]


@pytest.mark.parametrize("cut", range(6))
def test_an_agent_who_asks_when_the_gap_ends_is_no_caller_either(cut: int) -> None:
    """The snapshot, too, lists the channel among the waiting."""
    seen = read("""
         0  arrived    c1  main
         4  chose      c1  guides
         4  joined     c1  guides
         9  left       c1  guides
         9  connected  c1  guides  anna  leg=a1
    """)[:cut]
    lost = PeerLost(at=at(9), system=SYSTEM, reason="test")
    told = rows(TALKS) + rows(enters("c1", "anna-02"))
    journal = JournalRead(at=at(25), system=SYSTEM, rows=told)
    later = read("""
        25  snapshot   waiting=k1:switchboard:5  alive=c1,a1,k1
        30  left       k1  switchboard
        30  hung_up    k1
        60  completed  c1  guides  caller
        60  hung_up    c1
    """)
    effects = run([*seen, lost, journal, *later, *ending(())])
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert (call.call_id, call.outcome.value) == (cid("c1"), "resolved")
    assert [effect.queue for effect in effects if isinstance(effect, CountEntry)] == ["guides"]


@pytest.mark.parametrize(("linked", "channel"), [BY_CODE, BY_PHONE])
def test_a_caller_handed_on_there_in_a_gap_is_one_call_of_two_stays(
    linked: str, channel: str
) -> None:
    journal = rows(TALKS) + rows(enters(linked, channel)) + rows(HANDS_ON)
    effects = run(ending(journal))
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert (call.outcome.value, call.transfers, call.last_queue) == ("handed_on", 1, "switchboard")
    entries = [effect for effect in effects if isinstance(effect, RecordEntry)]
    assert [(entry.queue, entry.agent, entry.joined_by) for entry in entries] == [
        ("guides", "anna", None),
        ("switchboard", "olle", cid("k1")),
    ]


def test_an_agent_who_asked_in_a_full_queue_in_a_gap_was_not_refused() -> None:
    asked = """
    20  k1  switchboard  NONE  IVRDENTER  c1|anna-02
    20  k1  switchboard  NONE  IVRDEXIT   FULL
    60  c1  guides  anna  COMPLETECALLER  5|51|1
    60  c1  NONE    NONE  IVRDEND
    """
    effects = run(ending(rows(TALKS) + rows(asked)))
    assert [effect.queue for effect in effects if isinstance(effect, CountEntry)] == ["guides"]


def test_a_transfer_between_two_talks_of_ours_is_told_by_both_and_counted_once() -> None:
    link = "ATTENDEDTRANSFER  LINK|Local/_attended@transfer-0;1|Local/_attended@transfer-0;2|5|21|1"
    twice = f"""
    25  k1  switchboard  olle  CONNECT     5|o1|2
    30  c1  guides  anna  {link}
    30  k1  switchboard  olle  {link}
    30  k1  switchboard  olle  COMPLETECALLER  5|5|1
    60  c1  NONE    NONE  IVRDEND
    """
    effects = run(ending(rows(TALKS) + rows(enters("k1", "anna-02")) + rows(twice)))
    [call] = [effect for effect in effects if isinstance(effect, RecordCall)]
    assert (call.outcome.value, call.transfers, call.last_queue) == ("handed_on", 1, "switchboard")


LATE = at(50)
"""When a gap is noticed, and when our own side says something in it."""

OWN_REPORTS = [
    OrderGiven(at=LATE, system=SYSTEM, order=RuleOrders(orders={})),
    CaseLabelled(at=LATE, system=SYSTEM, call_id=CallId(cid("c0"))),
    CaseSaved(at=LATE, system=SYSTEM, call_id=CallId(cid("c0")), rule="resolved", case_id=1),
    MoveRefused(
        at=LATE,
        system=SYSTEM,
        call_id=CallId(cid("c1")),
        asked_at=at(2),
        reason="connection_lost",
        was_sent=True,
    ),
]


@pytest.mark.parametrize("told", OWN_REPORTS, ids=lambda event: type(event).__name__)
def test_what_our_own_side_says_before_the_gap_is_read_lifts_no_stamp(told: Event) -> None:
    [call] = [
        effect
        for effect in run([told, *ending(rows(RESOLVED[1]))])
        if isinstance(effect, RecordCall)
    ]
    assert (call.arrived_at, call.wait) == (at(0), timedelta(seconds=5))


@pytest.mark.parametrize("told", OWN_REPORTS, ids=lambda event: type(event).__name__)
def test_nor_in_a_gap_that_was_noticed_late(told: Event) -> None:
    synced = SnapshotTaken(
        at=at(0), system=SYSTEM, queues=(), channels=frozenset(), can_withdraw=True
    )
    lost = PeerLost(at=LATE, system=SYSTEM, reason="no answer within 10 s")
    before = [synced, *read(RESOLVED[0])[:3], lost, told]
    [call] = [
        effect
        for effect in run([*before, *ending(rows(RESOLVED[1]))])
        if isinstance(effect, RecordCall)
    ]
    assert call.wait == timedelta(seconds=4.6), "from our own stamp to that of the journal"


def test_no_timer_decides_in_a_gap_what_the_journal_has_still_to_tell() -> None:
    tracker = new_tracker(overflow_rule())
    for event in [*read("0 snapshot members=guides:anna:1"), *read(RESOLVED[0])]:
        tracker.apply(event)
    assert tracker.next_deadline() == at(62.6)
    tracker.apply(PeerLost(at=at(61), system=SYSTEM, reason="test"))
    assert tracker.next_deadline() is None
    [call] = [
        effect
        for effect in run(ending(rows(RESOLVED[1])), tracker=tracker)
        if isinstance(effect, RecordCall)
    ]
    assert (call.at, call.outcome.value) == (at(60.6), "resolved")
