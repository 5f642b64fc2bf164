"""A morning counted by hand, and counted by the book."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from ivrd.core import service_level
from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.period_book import House, PeriodBook
from ivrd.core.period_figures import FIGURES, Figures, Happening, Slot, Talk, Value, sl_within
from ivrd.core.rules import QueueRules, Role
from ivrd.core.stored_calls import (
    Basis,
    CallerSeen,
    StoredCall,
    StoredCase,
    StoredStay,
    belonging_of,
    repeated,
)

AT = datetime(2026, 11, 2, 8, 10, tzinfo=UTC)
"""A Monday, 9.10 in Stockholm."""

KC, VAXEL, ALDRE = QueueName("kc"), QueueName("vaxel"), QueueName("aldre")


def rules(name: QueueName, role: Role, threshold: int, department: str | None) -> QueueRules:
    return QueueRules(
        name=name,
        role=role,
        service_level_threshold=timedelta(seconds=threshold),
        short_abandon=timedelta(seconds=5),
        department=department,
    )


QUEUES = {
    KC: rules(KC, Role.GUIDE, 60, None),
    VAXEL: rules(VAXEL, Role.SWITCHBOARD, 25, None),
    ALDRE: rules(ALDRE, Role.GUIDE, 60, "aldre"),
}
HOUSE = House(
    queues=QUEUES,
    internal_lines=frozenset({LineName("internt")}),
    zone=ZoneInfo("Europe/Stockholm"),
)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def a_stay(
    queue: QueueName,
    disposition: Disposition,
    *,
    wait: float | None = None,
    own: float | None = None,
    talk: float | None = None,
    after: float = 0,
) -> StoredStay:
    spent = wait if own is None else own
    return StoredStay(
        queue=queue,
        joined_at=AT + s(after),
        disposition=disposition,
        entry_wait=None if spent is None else s(spent),
        wait=None if wait is None else s(wait),
        talk=None if talk is None else s(talk),
    )


def a_call(
    number: int,
    outcome: Outcome,
    *stays: StoredStay,
    line: str = "kommunen",
    case: StoredCase | None = None,
    transfers: int = 0,
) -> StoredCall:
    return StoredCall(
        call_id=CallId(f"pbx1/{number}"),
        line=LineName(line),
        arrived_at=AT + s(number),
        ended_at=AT + s(900 + number),
        outcome=outcome,
        transfers=transfers,
        stays=stays,
        case=case,
    )


def a_case(
    department: str | None = None, *, label: str | None = None, is_solved: bool = True
) -> StoredCase:
    return StoredCase(
        case_class=CaseClass.RESOLVED if is_solved else CaseClass.HALF_HELPED,
        is_case=True,
        is_solved=is_solved,
        label=label,
        department=department,
    )


def answered(queue: QueueName, wait: float, talk: float | None = 100) -> StoredStay:
    return a_stay(queue, Disposition.ANSWERED, wait=wait, talk=talk)


MORNING = [
    a_call(1, Outcome.RESOLVED, answered(KC, 10), case=a_case("bygg", label="bygglov")),
    a_call(2, Outcome.RESOLVED, answered(KC, 60, talk=200), case=a_case()),
    # Moved: a minute in the switchboard's queue, then 30.5 s more.
    a_call(
        3,
        Outcome.HANDED_ON,
        a_stay(VAXEL, Disposition.MOVED, wait=60),
        a_stay(KC, Disposition.ANSWERED, wait=90.5, own=30.5, talk=45, after=60),
        transfers=1,
    ),
    a_call(4, Outcome.ABANDONED, a_stay(KC, Disposition.ABANDONED, wait=4.9)),
    a_call(5, Outcome.ABANDONED, a_stay(KC, Disposition.ABANDONED, wait=700)),
    a_call(6, Outcome.SWITCHBOARD, answered(VAXEL, 25, talk=20), transfers=1),
    a_call(7, Outcome.SWITCHBOARD, answered(VAXEL, 26, talk=40), transfers=1),
    a_call(8, Outcome.SWITCHBOARD, answered(VAXEL, 1, talk=300)),
    a_call(9, Outcome.UNSERVED, a_stay(KC, Disposition.FULL)),
    a_call(10, Outcome.CLOSED),
    a_call(11, Outcome.CLOSED, a_stay(KC, Disposition.CLOSED)),
    a_call(12, Outcome.MENU_HANGUP),
    a_call(13, Outcome.SWITCHBOARD, answered(VAXEL, 3, talk=10), line="internt", transfers=1),
    a_call(14, Outcome.RESOLVED, answered(ALDRE, 61, talk=None), case=a_case(is_solved=False)),
]


def the_book(calls: list[StoredCall] = MORNING) -> PeriodBook:
    book = PeriodBook(HOUSE)
    for call in calls:
        book.add(call)
    return book


def of_queue(queue: QueueName, *, is_internal: bool = False) -> Figures:
    book = the_book()
    return book.queues(
        lambda part: part.queue == queue and book.is_internal(part.line) is is_internal
    )


def value(name: str, figures: Figures) -> Value:
    return next(each for each in FIGURES if each.name == name).of(figures)


def test_a_guides_queue_by_hand() -> None:
    kc = of_queue(KC)
    assert value("offered", kc) == 6, "three answered, two who hung up, one refused"
    assert value("joined", kc) == 5
    assert value("refused", kc) == 1
    assert value("closed", kc) == 1
    assert value("answered", kc) == 3
    assert value("abandoned", kc) == 2
    assert value("short_abandons", kc) == 1
    assert value("abandon_rate", kc) == Fraction(2, 6)
    # 10 and 60 s are in time, inclusive; 90.5 s is not; one short abandon counts for nothing.
    assert value("sl", kc) == Fraction(2, 3 + 2 - 1)
    assert value("sl_answered", kc) == Fraction(2, 3)
    assert value("sl_all_ended", kc) == Fraction(2 + 1, 5)
    assert value("sl_offered", kc) == Fraction(2, 5)
    assert value("sl_queued", kc) == Fraction(3, 5)
    assert value("wait_p50", kc) == s(60)
    assert value("wait_p90", kc) == value("wait_p95", kc) == value("wait_longest", kc) == s(90.5)
    assert value("wait_over_25s", kc) == Fraction(2, 3)
    assert value("wait_over_60s", kc) == Fraction(1, 3)
    assert value("wait_over_10min", kc) == 0
    assert value("asa", kc) == s(160.5) / 3
    assert value("abandoned_wait_longest", kc) == s(700)
    assert value("talk_total", kc) == s(345)
    assert value("aht_without_wrap_up", kc) == s(115)
    assert value("moved_in", kc) == 1
    assert value("guided", kc) == 3
    assert value("cases", kc) == 2
    assert value("fcr", kc) == Fraction(2, 3)


def test_the_switchboard_by_hand() -> None:
    vaxel = of_queue(VAXEL)
    assert value("offered", vaxel) == 4, "the internal caller is not among them"
    assert value("answered", vaxel) == 3
    assert value("moved_out", vaxel) == 1
    assert value("sl", vaxel) == Fraction(2, 3)
    assert value("sl_queued", vaxel) == Fraction(2, 4)
    # 300 s of talk were no hand-over, and are no handling time.
    assert value("hand_overs", vaxel) == 2
    assert value("handling_mean", vaxel) == s(30)
    assert value("handling_over_30s", vaxel) == Fraction(1, 2)
    assert vaxel.guided == 0


def test_internal_callers_stand_apart() -> None:
    inside = of_queue(VAXEL, is_internal=True)
    assert (inside.counts.answered, inside.hand_overs) == (1, [s(10)])


def test_whole_calls_by_hand() -> None:
    book = the_book()
    calls = book.lines(lambda part: part.line == "kommunen")
    assert value("calls", calls) == 13
    assert value("calls_offered", calls) == 11
    assert value("calls_resolved", calls) == 3
    assert value("calls_abandoned", calls) == 2
    assert value("calls_menu_hangup", calls) == 1
    assert book.facts_until == AT + s(914)


def test_departments_by_hand() -> None:
    book = the_book()
    of = {
        name: book.departments(lambda part, name=name: part.department == name)
        for name in ("bygg", "aldre", None)
    }
    assert {name: figures.guided for name, figures in of.items()} == {
        "bygg": 1,
        "aldre": 1,
        None: 2,
    }
    assert sum(figures.guided for figures in of.values()) == 4, "each call of a guide is in one"
    assert value("fcr", of["aldre"]) == 0
    assert of["aldre"].classes == {CaseClass.HALF_HELPED: 1}
    assert of["aldre"].talk == Talk(total=s(0), stays=0, unknown=1)
    assert value("talk_total", of["aldre"]) is None, "unknown is not 0 s"
    assert value("fcr", of[None]) == Fraction(1, 2), "one of two was handed on"


def test_no_traffic_has_no_ratio_and_no_wait() -> None:
    nobody = Figures()
    for figure in FIGURES:
        if figure.unit.name == "COUNT":
            assert figure.of(nobody) == 0, figure.name
        else:
            assert figure.of(nobody) is None, figure.name
    assert sl_within(nobody, s(60)) is None


def test_the_goals_own_time_gives_its_own_level() -> None:
    kc = of_queue(KC)
    assert sl_within(kc, s(60)) == service_level.sl(kc.counts)
    assert sl_within(kc, s(10)) == Fraction(1, 4)
    assert sl_within(kc, s(9.999)) == 0


def test_a_call_counts_on_the_day_it_arrived_by_the_clock_on_the_wall() -> None:
    # 23.59.30 in Stockholm on a day of 25 hours; answered after midnight.
    late = datetime(2026, 10, 25, 22, 59, 30, tzinfo=UTC)
    stay = replace(answered(KC, 45), joined_at=late + s(1))
    call = replace(a_call(1, Outcome.RESOLVED, stay), arrived_at=late)
    book = the_book([call])
    assert {part.day for part in book.queue_parts} == {date(2026, 10, 25)}
    assert (
        Slot(weekday=6, half_hour=47, what=Happening.ANSWERED) in book.queues(lambda _: True).slots
    )


def test_the_hour_that_comes_twice_is_counted_twice() -> None:
    twice = [
        replace(a_call(n, Outcome.MENU_HANGUP), arrived_at=datetime(2026, 10, 25, h, tzinfo=UTC))
        for n, h in ((1, 0), (2, 1))
    ]
    slots = the_book(twice).lines(lambda _: True).slots
    assert slots == {Slot(weekday=6, half_hour=4, what=Happening.OFFERED): 2}


def test_a_queue_that_nobody_configured_is_told_and_not_guessed() -> None:
    book = the_book([a_call(1, Outcome.RESOLVED, answered(QueueName("gammal"), 10))])
    assert book.unknown_queues == {"gammal": 1}
    assert not list(book.queue_parts)
    assert not list(book.department_parts)


def test_a_label_is_stronger_than_the_queue() -> None:
    labelled = a_call(1, Outcome.RESOLVED, answered(ALDRE, 1), case=a_case("bygg", label="lov"))
    found = belonging_of(labelled, QUEUES)
    assert found is not None
    assert (found.department, found.basis) == ("bygg", Basis.LABEL)
    bare = belonging_of(a_call(2, Outcome.HANDED_ON, answered(ALDRE, 1)), QUEUES)
    assert bare is not None
    assert (bare.department, bare.basis) == ("aldre", Basis.QUEUE)
    nobody = belonging_of(a_call(3, Outcome.HANDED_ON, answered(KC, 1)), QUEUES)
    assert nobody is not None
    assert (nobody.department, nobody.basis) == (None, Basis.NOTHING)
    assert belonging_of(a_call(4, Outcome.SWITCHBOARD, answered(VAXEL, 1)), QUEUES) is None


def test_repeats_are_counted_forward_for_a_week() -> None:
    def seen(number: int, caller: str | None, days: float) -> CallerSeen:
        return CallerSeen(
            caller=caller, arrived_at=AT + timedelta(days=days), call_id=CallId(str(number))
        )

    found = repeated(
        [
            seen(1, "anna", 0),
            seen(2, None, 0),
            seen(3, "bo", 1),
            seen(4, "anna", 7),
            seen(5, "anna", 14.001),
            seen(6, None, 15),
        ]
    )
    assert found == {"1": True, "3": False, "4": False, "5": False}
