"""Who was there when, and how long they wrote, told from who answered when."""

from datetime import timedelta

from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, Interface
from ivrd.core.staffing import DutyMark, Staffing, staffing_of
from ivrd.core.visits import Visit, VisitStay
from tests.unit.core.story import GUIDES, at

ANNA, BO = Interface("anna"), Interface("bo")


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def answered(name: str, by: Interface, *, came: float, rung: float, talk: float) -> Visit:
    """Return a visit that was rung for at `rung`, for four seconds."""
    stay = VisitStay(
        queue=GUIDES,
        joined_at=at(came),
        left_at=at(rung + 4),
        disposition=Disposition.ANSWERED,
        interface=by,
        talk=s(talk),
        ring=s(4),
    )
    return Visit(call_id=CallId(name), stays=(stay,))


def mark(by: Interface, seconds: float, *, there: bool) -> DutyMark:
    return DutyMark(at=at(seconds), interface=by, queue=GUIDES, is_there=there)


def staffing(visits: list[Visit], *marks: DutyMark) -> Staffing:
    return staffing_of(visits, marks, ring=s(4), draw=lambda: 0.5)


def spans(found: Staffing, who: Interface) -> list[tuple[float, float]]:
    agent = next(agent for agent in found.agents if agent.interface == who)
    return [
        ((shift.begins_at - at(0)).total_seconds(), (shift.ends_at - at(0)).total_seconds())
        for shift in agent.shifts
    ]


def test_writing_is_seen_where_somebody_waited_all_the_time() -> None:
    found = staffing(
        [
            answered("a", ANNA, came=0, rung=0, talk=96),
            answered("b", ANNA, came=50, rung=120.5, talk=30),
        ]
    )
    assert found.wrap_ups["a"] == s(20)
    assert found.seen[GUIDES] == [s(20)]


def test_writing_is_not_seen_where_the_agent_was_idle() -> None:
    found = staffing(
        [
            answered("a", ANNA, came=0, rung=0, talk=96),
            answered("b", ANNA, came=150, rung=150, talk=30),
        ]
    )
    assert found.wrap_ups == {"a": s(0), "b": s(0)}
    assert not found.seen[GUIDES]


def test_an_agent_for_whom_somebody_waited_long_was_not_there() -> None:
    found = staffing(
        [
            answered("a", ANNA, came=0, rung=0, talk=96),
            answered("b", ANNA, came=110, rung=900, talk=30),
        ]
    )
    # Until somebody waited there is no telling: it does no harm to take her for idle.
    assert spans(found, ANNA) == [(0, 110), (900, 934)]


def test_an_agent_whose_turn_it_would_have_been_often_was_not_there() -> None:
    others = [
        answered(f"o{n}", BO, came=200 + 20 * n, rung=200 + 20 * n, talk=5) for n in range(12)
    ]
    anna = [
        answered("a", ANNA, came=0, rung=0, talk=96),
        answered("b", ANNA, came=600, rung=600, talk=30),
    ]
    (first, second) = spans(staffing(sorted([*anna, *others], key=lambda v: v.wait)), ANNA)
    assert first[0] == 0
    assert first[1] <= second[0] <= 600


def test_rows_say_when_an_agent_came_and_went() -> None:
    visits = [answered("a", ANNA, came=100, rung=100, talk=20)]
    found = staffing(visits, mark(ANNA, 10, there=True), mark(ANNA, 500, there=False))
    assert spans(found, ANNA) == [(10, 500)]


def test_whoever_goes_first_was_there_before() -> None:
    visits = [
        answered("a", ANNA, came=0, rung=0, talk=20),
        answered("b", ANNA, came=800, rung=800, talk=20),
    ]
    found = staffing(visits, mark(ANNA, 300, there=False), mark(ANNA, 700, there=True))
    assert spans(found, ANNA) == [(0, 300), (700, 824)]


def test_a_short_pause_after_a_talk_is_writing_and_no_absence() -> None:
    visits = [
        answered("a", ANNA, came=0, rung=0, talk=96),
        answered("b", ANNA, came=400, rung=400, talk=20),
    ]
    marks = (
        mark(ANNA, 0, there=True),
        mark(ANNA, 101, there=False),
        mark(ANNA, 140, there=True),
        mark(ANNA, 900, there=False),
    )
    found = staffing(visits, *marks)
    assert spans(found, ANNA) == [(0, 900)]
    assert found.wrap_ups["a"] == s(40)


def test_an_agent_of_whom_rows_tell_but_who_answered_nobody_counts_too() -> None:
    visits = [answered("a", ANNA, came=100, rung=100, talk=20)]
    found = staffing(visits, mark(BO, 50, there=True), mark(BO, 80, there=False))
    assert spans(found, BO) == [(50, 80)]
