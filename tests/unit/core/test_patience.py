"""How long callers stay, from those who left and those who were answered first."""

from datetime import timedelta
from random import Random
from statistics import fmean

import pytest

from ivrd.core.patience import Patience, Watched


def watched(seconds: float, *, left: bool) -> Watched:
    return Watched(wait=timedelta(seconds=seconds), has_left=left)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_the_curve_is_kaplan_and_meiers() -> None:
    # Of four, one leaves at 10; one is answered at 20; of the two left, one leaves at 30.
    told = [watched(10, left=True), watched(20, left=False), watched(30, left=True)]
    curve = Patience([*told, watched(40, left=False)])
    assert [curve.staying(s(n)) for n in (9, 10, 25, 29)] == [1.0, 0.75, 0.75, 0.75]
    assert curve.staying(s(30)) == pytest.approx(0.375)


def test_beyond_the_last_hang_up_callers_leave_at_the_pace_of_the_day() -> None:
    curve = Patience([watched(10, left=True), watched(90, left=False)])
    assert curve.staying(s(110)) == pytest.approx(0.5 * 2.718281828 ** (-1.0), rel=1e-6)


def test_nobody_left_so_nobody_ever_does() -> None:
    curve = Patience([watched(500, left=False)])
    assert curve.draw(over=s(0), chance=0.99) is None
    assert Patience([]).draw(over=s(0), chance=0.5) is None


def test_everybody_left_so_all_are_gone_by_the_last_wait() -> None:
    curve = Patience([watched(n, left=True) for n in (10, 20, 30)])
    assert curve.draw(over=s(0), chance=0.999) <= s(30)


@pytest.mark.parametrize("over", [0, 5, 10, 15, 29, 30, 500])
@pytest.mark.parametrize("chance", [0.0, 0.3, 0.7, 0.999])
def test_whoever_stayed_so_long_stays_longer(over: float, chance: float) -> None:
    curve = Patience([*(watched(n, left=True) for n in (10, 20, 30)), watched(40, left=False)])
    drawn = curve.draw(over=s(over), chance=chance)
    assert drawn is not None
    assert drawn >= s(over)


def test_patience_that_answers_hide_is_found_again() -> None:
    # Half of all are answered before their patience ends; the mean of the hang-ups is far off.
    chance = Random(5)
    told, left = [], []
    for _ in range(4000):
        patience, answer = chance.expovariate(1 / 300), chance.expovariate(1 / 300)
        told.append(watched(min(patience, answer), left=patience < answer))
        left += [patience] if patience < answer else []
    curve = Patience(told)
    drawn = [curve.draw(over=s(0), chance=chance.random()) for _ in range(4000)]
    assert fmean(left) < 170
    assert fmean(each.total_seconds() for each in drawn if each is not None) == pytest.approx(
        300, rel=0.06
    )
