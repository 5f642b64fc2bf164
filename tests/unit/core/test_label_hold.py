"""Guides held until the case has a label: who is paused, until when, and whose pause it is."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from ivrd.core import effects as do
from ivrd.core import events as on
from ivrd.core.ids import CallId, Interface, QueueName
from ivrd.core.label_hold import REASON
from ivrd.core.tracker import Tracker
from tests.unit.core.story import GUIDES, SWITCHBOARD, SYSTEM, at, cid, floor_rules, member, read
from tests.unit.core.test_labelling import ANSWERED, pressed

ANNA = Interface("anna")

HOLDING = replace(
    floor_rules(),
    queues={
        name: replace(rules, hold=timedelta(seconds=30) if name == GUIDES else timedelta(0))
        for name, rules in floor_rules().queues.items()
    },
    labels={"waste": "technical"},
)

TALKED = f"""
    0    snapshot   members=guides:anna:1,switchboard:anna:1
    {ANSWERED}
    30   hung_up    c1
"""


class Floor:
    """A tracker, with what was asked of Asterisk, which does it at once or later."""

    def __init__(self, text: str = TALKED) -> None:
        self.tracker = Tracker(system=SYSTEM, rules=HOLDING)
        self.asked: list[str] = []
        self.play(text)

    def play(self, text: str) -> None:
        for event in read(text):
            self.take(event)

    def take(self, event: on.Event) -> None:
        self.note(self.tracker.apply(event))

    def note(self, effects: Iterable[do.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, do.PauseMember):
                assert (effect.interface, effect.reason) == (ANNA, REASON)
                self.asked.append(f"{'pause' if effect.is_paused else 'release'} {effect.queue}")

    def told(self, seconds: float, *, reason: str | None, queue: QueueName = GUIDES) -> None:
        """Let Asterisk say how the guide is paused; None when not."""
        self.take(
            replace(
                member(queue, "anna", when=at(seconds)),
                is_paused=reason is not None,
                pause_reason=reason or "",
            )
        )

    def news(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


def held() -> Floor:
    """Return a floor where the guide is paused everywhere, and Asterisk has said so."""
    floor = Floor()
    assert floor.news() == ["pause guides", "pause switchboard"]
    for queue in (GUIDES, SWITCHBOARD):
        floor.told(30.1, reason=REASON, queue=queue)
    assert floor.news() == []
    return floor


def test_a_label_by_phone_releases_where_we_paused() -> None:
    floor = held()
    floor.take(pressed(36, is_after=True))
    assert floor.news() == ["release guides", "release switchboard"]
    for queue in (GUIDES, SWITCHBOARD):
        floor.told(36.1, reason=None, queue=queue)
    floor.play("100 passed")
    assert floor.news() == []


def test_a_label_by_any_other_way_releases_too() -> None:
    floor = held()
    floor.take(on.CaseLabelled(at=at(40), system=SYSTEM, call_id=CallId(cid("c1"))))
    assert floor.news() == ["release guides", "release switchboard"]


def test_the_time_limit_releases() -> None:
    floor = held()
    assert floor.tracker.next_deadline() == at(32), "the call is decided first"
    floor.play("59.9 passed")
    assert floor.news() == []
    assert floor.tracker.next_deadline() == at(60)
    floor.play("60 passed")
    assert floor.news() == ["release guides", "release switchboard"]
    for queue in (GUIDES, SWITCHBOARD):
        floor.told(60.1, reason=None, queue=queue)
    assert floor.tracker.next_deadline() is None


def test_at_the_end_who_is_held_is_let_go_and_nobody_else() -> None:
    floor = held()
    floor.note(floor.tracker.let_go())
    assert floor.news() == ["release guides", "release switchboard"]
    floor = held()
    floor.told(40, reason="Rast")
    floor.told(40.1, reason=None, queue=SWITCHBOARD)
    floor.news()
    floor.note(floor.tracker.let_go())
    assert floor.news() == []


def test_at_the_end_who_was_asked_to_be_paused_a_moment_ago_is_let_go_too() -> None:
    floor = Floor()
    assert floor.news() == ["pause guides", "pause switchboard"]
    floor.told(30.1, reason=REASON)
    floor.note(floor.tracker.let_go())
    assert floor.news() == ["release guides", "release switchboard"]


def test_at_the_end_who_took_a_pause_before_ours_came_keeps_it() -> None:
    floor = Floor()
    floor.told(30.1, reason="Rast")
    floor.news()
    floor.note(floor.tracker.let_go())
    assert floor.news() == ["release switchboard"]


def test_a_label_during_the_call_holds_nobody() -> None:
    floor = Floor(TALKED.replace("30   hung_up    c1", ""))
    floor.take(pressed(20))
    floor.play("30 hung_up c1")
    assert floor.news() == []


@pytest.mark.parametrize("way", ["28 blind a1 8100 c1", "30.5 blind a1 8100 c1"])
def test_a_call_that_was_handed_on_holds_nobody_for_long(way: str) -> None:
    floor = Floor(TALKED.replace("30   hung_up    c1", ""))
    before = float(way.split()[0]) < 30
    floor.play(f"{way}\n30 hung_up c1" if before else f"30 hung_up c1\n{way}")
    if not before:
        for queue in (GUIDES, SWITCHBOARD):
            floor.told(30.6, reason=REASON, queue=queue)
    floor.play("33 passed")
    assert floor.news() == (
        []
        if before
        else ["pause guides", "pause switchboard", "release guides", "release switchboard"]
    )


def test_a_pause_of_somebody_else_is_never_touched() -> None:
    floor = Floor(TALKED.replace("30   hung_up    c1", ""))
    floor.told(20, reason="Rast", queue=SWITCHBOARD)
    floor.play("30 hung_up c1")
    assert floor.news() == ["pause guides"]
    floor.told(30.1, reason=REASON)
    floor.play("60 passed")
    assert floor.news() == ["release guides"]


def test_who_is_paused_for_another_reason_meanwhile_stays_so() -> None:
    floor = held()
    floor.told(40, reason="Rast")
    assert floor.news() == ["release switchboard"], "the hold is over, theirs is in force"
    floor.told(40.1, reason=None, queue=SWITCHBOARD)
    floor.play("60 passed")
    assert floor.news() == []


def test_who_was_let_go_by_somebody_else_is_not_paused_again() -> None:
    floor = held()
    floor.told(40, reason=None)
    assert floor.news() == ["release switchboard"]


def test_a_pause_that_comes_true_after_the_label_is_undone_once() -> None:
    floor = Floor()
    floor.take(pressed(30.5, is_after=True))
    assert floor.news() == ["pause guides", "pause switchboard"], "nothing to release yet"
    floor.told(30.6, reason=REASON)
    floor.told(30.7, reason=REASON)
    assert floor.news() == ["release guides"]
    floor.told(30.8, reason=None)
    floor.told(50, reason=REASON)
    assert floor.news() == ["release guides"], "nobody is ever held by our reason alone"


def test_a_release_that_does_not_come_true_is_asked_for_again_less_and_less_often() -> None:
    floor = held()
    floor.play("60 passed")
    assert floor.news() == ["release guides", "release switchboard"]
    floor.told(60.1, reason=None, queue=SWITCHBOARD)
    asked = []
    while (deadline := floor.tracker.next_deadline()) is not None and deadline <= at(2000):
        floor.note(floor.tracker.apply(on.DeadlinePassed(at=deadline, system=SYSTEM)))
        asked += [((deadline - at(60)).total_seconds(), what) for what in floor.news()]
    assert asked[:4] == [(s, "release guides") for s in (10, 30, 70, 150)]
    gaps = {later[0] - one[0] for one, later in pairwise(asked[5:])}
    assert gaps == {300}, "every five minutes, for as long as it takes"
    floor.told(2001, reason=None)
    assert floor.tracker.next_deadline() is None
    assert floor.news() == []


@pytest.mark.parametrize("why", ["paused by somebody else", "logged out", "another snapshot"])
def test_who_need_not_be_released_any_more_is_not(why: str) -> None:
    floor = held()
    floor.play("60 passed")
    floor.news()
    for queue in (GUIDES, SWITCHBOARD):
        if why == "paused by somebody else":
            floor.told(61, reason="Rast", queue=queue)
        elif why == "logged out":
            floor.play(f"61 member_gone {queue} anna")
    if why == "another snapshot":
        floor.play("61 snapshot members=guides:anna:1,switchboard:anna:1")
    floor.play("200 passed")
    assert floor.news() == []
    assert floor.tracker.next_deadline() is None


def test_at_the_end_a_release_that_was_not_heard_of_is_asked_for_once_more() -> None:
    floor = held()
    floor.play("60 passed")
    floor.told(60.1, reason=None, queue=SWITCHBOARD)
    floor.news()
    floor.note(floor.tracker.let_go())
    assert floor.news() == ["release guides"]


def test_after_a_restart_who_is_paused_by_us_is_released() -> None:
    floor = Floor("")
    paused = replace(member("guides", "anna"), is_paused=True, pause_reason=REASON)
    other = replace(member("guides", "olle"), is_paused=True, pause_reason="Rast")
    [snapshot] = read("0 snapshot")
    assert isinstance(snapshot, on.SnapshotTaken)
    queues = tuple(
        replace(queue, members=(paused, other) if queue.queue == GUIDES else ())
        for queue in snapshot.queues
    )
    floor.take(replace(snapshot, queues=queues))
    assert floor.news() == ["release guides"]


def test_nobody_is_held_for_what_the_journal_tells_of_the_past() -> None:
    floor = Floor(TALKED.replace("0    snapshot", "0    lost #").replace("#", ""))
    assert floor.news() == []


def test_queues_that_want_no_label_hold_nobody() -> None:
    floor = Floor(
        TALKED.replace("guides  anna", "switchboard  anna").replace("c1  guides", "c1  switchboard")
    )
    assert floor.news() == []
