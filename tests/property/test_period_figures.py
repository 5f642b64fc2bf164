"""Parts add up to the whole, however they are cut; each call of a guide is in one department."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.period_book import House, PeriodBook
from ivrd.core.period_figures import Figures, merged
from ivrd.core.rules import QueueRules, Role
from ivrd.core.stored_calls import StoredCall, StoredCase, StoredStay, belonging_of

SINCE = datetime(2026, 10, 23, 22, tzinfo=UTC)

QUEUES = {
    QueueName(name): QueueRules(
        name=QueueName(name),
        role=role,
        service_level_threshold=timedelta(seconds=60),
        short_abandon=timedelta(seconds=5),
        department=department,
    )
    for name, role, department in (
        ("kc", Role.GUIDE, None),
        ("aldre", Role.GUIDE, "aldre"),
        ("vaxel", Role.SWITCHBOARD, None),
    )
}
HOUSE = House(
    queues=QUEUES,
    internal_lines=frozenset({LineName("internt")}),
    zone=ZoneInfo("Europe/Stockholm"),
)

times = st.none() | st.integers(0, 900_000).map(lambda ms: timedelta(milliseconds=ms))

stays = st.builds(
    StoredStay,
    queue=st.sampled_from([*QUEUES, QueueName("okänd")]),
    joined_at=st.integers(0, 4 * 86_400).map(lambda s: SINCE + timedelta(seconds=s)),
    disposition=st.sampled_from(Disposition),
    entry_wait=times,
    wait=times,
    talk=times,
)

calls = st.builds(
    StoredCall,
    call_id=st.uuids().map(lambda one: CallId(str(one))),
    line=st.sampled_from([None, LineName("kommunen"), LineName("internt")]),
    arrived_at=st.integers(0, 4 * 86_400).map(lambda s: SINCE + timedelta(seconds=s)),
    ended_at=st.just(SINCE + timedelta(days=5)),
    outcome=st.sampled_from(Outcome),
    transfers=st.integers(0, 2),
    stays=st.lists(stays, max_size=3).map(tuple),
    case=st.none()
    | st.builds(
        StoredCase,
        case_class=st.sampled_from(CaseClass),
        is_case=st.booleans(),
        is_solved=st.booleans(),
        label=st.sampled_from([None, "lov"]),
        department=st.sampled_from([None, "bygg"]),
    ),
    is_repeated=st.sampled_from([None, True, False]),
)


def plain(figures: Figures) -> Figures:
    """Return the same in lists of one kind, to compare."""
    return merged([figures, Figures()])


@settings(deadline=None)
@given(st.lists(calls, max_size=12))
def test_parts_add_up_to_the_whole(told: list[StoredCall]) -> None:
    book = PeriodBook(HOUSE)
    for call in told:
        book.add(call)
    for of, parts in (
        (book.queues, book.queue_parts),
        (book.lines, book.line_parts),
        (book.departments, book.department_parts),
    ):
        days = {part.day for part in parts}  # type: ignore[attr-defined]
        whole = of(lambda _: True)
        by_day = [of(lambda part, day=day: part.day == day) for day in days]  # type: ignore[arg-type, misc]
        assert plain(merged(by_day)) == plain(whole)


@settings(deadline=None)
@given(st.lists(calls, max_size=12))
def test_a_guides_call_is_in_one_department_and_on_one_queue(told: list[StoredCall]) -> None:
    book = PeriodBook(HOUSE)
    for call in told:
        book.add(call)
    guided = sum(belonging_of(call, QUEUES) is not None for call in told)
    assert book.departments(lambda _: True).guided == guided
    assert book.queues(lambda _: True).guided == guided
    assert book.lines(lambda _: True).calls == len(told)


@settings(deadline=None)
@given(st.lists(calls, max_size=12))
def test_the_order_of_calls_does_not_matter(told: list[StoredCall]) -> None:
    one, other = PeriodBook(HOUSE), PeriodBook(HOUSE)
    for call in told:
        one.add(call)
    for call in reversed(told):
        other.add(call)
    assert plain(one.queues(lambda _: True)) == plain(other.queues(lambda _: True))
