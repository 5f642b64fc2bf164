"""Asterisk's clock, from event stamps and pings."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ivrd.clock import AHEAD_S_MAX, AsteriskClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Fake:
    """Our monotonic clock, and Asterisk's behind it."""

    def __init__(self) -> None:
        self.monotonic_s = 100.0

    def clock(self) -> AsteriskClock:
        return AsteriskClock(
            monotonic=lambda: self.monotonic_s, wall=lambda: START.timestamp() + 1000.0
        )


def test_before_any_stamp_it_is_the_machines_own_clock() -> None:
    clock = Fake().clock()
    assert clock.now() == START + timedelta(seconds=1000)
    assert not clock.is_synchronised


def test_the_first_stamp_sets_it_and_is_no_step() -> None:
    fake = Fake()
    clock = fake.clock()
    clock.observe_event(START, received_s=100.0)
    assert clock.now() == START
    assert clock.steps_count == 0


def test_the_smallest_delay_wins() -> None:
    clock = Fake().clock()
    clock.observe_event(START, received_s=100.3)
    clock.observe_event(START, received_s=100.1)
    clock.observe_event(START, received_s=100.2)
    assert abs((clock.now() - START).total_seconds() + 0.1) < 1e-6


def test_a_ping_finds_a_clock_that_stepped_back() -> None:
    clock = Fake().clock()
    clock.observe_ping(START, sent_s=99.9, received_s=100.0)
    clock.observe_ping(START - timedelta(hours=1), sent_s=99.9, received_s=100.0)
    assert abs((clock.now() - START).total_seconds() + 3600) < 0.2
    assert clock.steps_count == 1


def test_a_ping_within_its_bounds_changes_nothing() -> None:
    clock = Fake().clock()
    clock.observe_ping(START, sent_s=99.9, received_s=100.0)
    before = clock.now()
    clock.observe_ping(START, sent_s=99.0, received_s=101.0)
    assert clock.now() == before


def test_an_event_from_the_future_is_not_believed() -> None:
    clock = Fake().clock()
    clock.observe_ping(START, sent_s=100.0, received_s=100.0)
    assert not clock.observe_event(START + timedelta(seconds=AHEAD_S_MAX), received_s=100.0)
    assert clock.observe_event(START + timedelta(seconds=1), received_s=100.0)
    assert clock.now() == START


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)), min_size=1, max_size=20),
)
def test_pings_bound_the_error_by_their_round_trip(
    offset_s: float, delays: list[tuple[float, float]]
) -> None:
    fake = Fake()
    clock = fake.clock()
    for there_s, back_s in delays:
        sent_s = fake.monotonic_s
        stamp = START + timedelta(seconds=offset_s + sent_s + there_s)
        fake.monotonic_s += there_s + back_s
        clock.observe_ping(stamp, sent_s=sent_s, received_s=fake.monotonic_s)
    true = START + timedelta(seconds=offset_s + fake.monotonic_s)
    best_s = min(there_s + back_s for there_s, back_s in delays)
    assert abs((clock.now() - true).total_seconds()) <= best_s + 1e-3


def test_monotonic_at_is_the_inverse_of_now() -> None:
    clock = Fake().clock()
    assert abs(clock.monotonic_at(clock.now()) - 100.0) < 1e-5
