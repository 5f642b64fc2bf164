"""Back-off: growth, ceiling, jitter, slow-down."""

from hypothesis import given
from hypothesis import strategies as st

from ivrd.retry import JITTER, Backoff


def test_delays_grow_to_the_ceiling_and_stay() -> None:
    backoff = Backoff(lambda: 0.0, first_s=0.5, slowest_s=3.0)
    assert [next(backoff) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_bad_credentials_slow_down_at_once() -> None:
    backoff = Backoff(lambda: 0.0, first_s=0.5, slowest_s=30.0)
    backoff.slow_down()
    assert next(backoff) == 30.0


def test_a_well_peer_begins_again() -> None:
    backoff = Backoff(lambda: 0.0, first_s=0.5, slowest_s=30.0)
    backoff.slow_down()
    backoff.reset()
    assert next(backoff) == 0.5


@given(st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1), st.floats(0.01, 100.0))
def test_a_delay_is_never_zero_and_never_above_the_ceiling(
    draws: list[float], slowest_s: float
) -> None:
    source = iter(draws)
    backoff = Backoff(lambda: next(source), first_s=0.5, slowest_s=slowest_s)
    for _ in draws:
        assert min(0.5, slowest_s) * (1 - JITTER) <= next(backoff) <= slowest_s
