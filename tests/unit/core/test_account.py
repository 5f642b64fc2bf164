"""What departments pay, by hand: prices by day, department and class; öre; keys."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ivrd.core.account import Account, account_of
from ivrd.core.case_record import CaseClass
from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.prices import (
    Charge,
    FixedCost,
    MissingPrice,
    Price,
    PriceList,
    SplitKey,
    price_of,
    split,
)
from ivrd.core.stored_calls import Basis
from ivrd.core.usage import UNLABELLED, Usage

NOVEMBER = date(2026, 11, 1)
NEW_YEAR = date(2026, 1, 1)


def a_usage(
    number: int = 1,
    *,
    department: str = "bygg",
    seconds: float | None = 61,
    case_class: CaseClass | None = CaseClass.RESOLVED,
    day: date = date(2026, 11, 2),
    is_internal: bool = False,
) -> Usage:
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC) + timedelta(seconds=number)
    return Usage(
        call_id=CallId(f"pbx1/{number}"),
        arrived_at=at,
        ended_at=at + timedelta(minutes=5),
        day=day,
        line=LineName("kommunen"),
        queue=QueueName("kc"),
        department=department,
        basis=Basis.LABEL,
        talk=None if seconds is None else timedelta(seconds=seconds),
        case_class=case_class,
        is_internal=is_internal,
    )


def a_price(
    charge: Charge,
    kr: str,
    *,
    since: date = NEW_YEAR,
    department: str | None = None,
    case_class: CaseClass | None = None,
) -> Price:
    return Price(
        charge=charge,
        ore=Decimal(kr) * 100,
        valid_from=since,
        department=department,
        case_class=case_class,
    )


def charged(prices: list[Price], *usages: Usage) -> Account:
    return account_of(usages, PriceList(prices=tuple(prices)), NOVEMBER)


def test_a_month_by_hand() -> None:
    prices = PriceList(
        prices=(
            a_price(Charge.CALL, "18"),
            a_price(Charge.MINUTE, "7.50"),
            a_price(Charge.CASE, "22", case_class=CaseClass.RESOLVED),
            a_price(Charge.CASE, "11", case_class=CaseClass.HALF_HELPED),
        ),
        fixed=(FixedCost(name="vaxel", ore=1001, key="poster", valid_from=NEW_YEAR),),
        keys=(SplitKey(name="poster", valid_from=NEW_YEAR, shares={"bygg": 1, "skola": 1}),),
    )
    made = account_of(
        [
            a_usage(1, seconds=61),  # 18.00 + 7.625 -> 7.63 + 22.00
            a_usage(2, seconds=0.4, case_class=CaseClass.HALF_HELPED),  # 18 + 0.125 -> 0.13 + 11
            a_usage(3, department="skola", seconds=600, case_class=None),  # 18 + 75
            a_usage(4, department=UNLABELLED, seconds=None, case_class=None),  # 18
        ],
        prices,
        NOVEMBER,
    )
    assert [call.ore for call in made.calls] == [4763, 2913, 9300, 1800]
    assert {name: share.ore for name, share in made.departments.items()} == {
        UNLABELLED: 1800,
        "bygg": 4763 + 2913 + 501,
        "skola": 9300 + 500,
    }
    assert made.whole.ore == 1800 + 4763 + 2913 + 9300 + 1001
    assert made.whole.calls == 4
    assert made.whole.talk_unknown == 1
    assert made.whole.classes == {CaseClass.RESOLVED: 1, CaseClass.HALF_HELPED: 1}
    assert made.departments["bygg"].charged == {
        Charge.CALL: 3600,
        Charge.MINUTE: 776,
        Charge.CASE: 3300,
    }
    assert not made.missing


@pytest.mark.parametrize(
    ("seconds", "ore"), [(0, 0), (0.001, 750), (60, 750), (60.001, 1500), (119, 1500)]
)
def test_a_started_minute_is_a_whole_one(seconds: float, ore: int) -> None:
    made = charged([a_price(Charge.STARTED_MINUTE, "7.50")], a_usage(seconds=seconds))
    assert made.whole.ore == ore


def test_a_price_holds_from_its_day_until_the_next() -> None:
    prices = [a_price(Charge.CALL, "18"), a_price(Charge.CALL, "20", since=date(2026, 11, 16))]
    made = charged(prices, a_usage(1, day=date(2026, 11, 15)), a_usage(2, day=date(2026, 11, 16)))
    assert [call.ore for call in made.calls] == [1800, 2000]
    assert made.prices == prices, "both held, and both are shown"


def test_the_more_exact_price_wins_also_when_it_is_older() -> None:
    general = a_price(Charge.CASE, "22", since=date(2026, 6, 1))
    of_class = a_price(Charge.CASE, "11", case_class=CaseClass.HALF_HELPED)
    own = a_price(Charge.CASE, "5", department="bygg")
    both = a_price(Charge.CASE, "3", department="bygg", case_class=CaseClass.HALF_HELPED)
    half = a_usage(case_class=CaseClass.HALF_HELPED)
    for prices, expected in (
        ([general], general),
        ([general, of_class], of_class),
        ([general, of_class, own], own),
        ([both, own, of_class, general], both),
    ):
        assert price_of(prices, Charge.CASE, half) is expected


def test_an_unknown_price_names_department_day_and_what() -> None:
    late = a_price(Charge.CALL, "18", since=date(2026, 11, 3))
    made = charged([late], a_usage(1), a_usage(2), a_usage(3, day=date(2026, 11, 3)))
    assert made.missing == [MissingPrice(charge="call", department="bygg", day=date(2026, 11, 2))]
    only_resolved = a_price(Charge.CASE, "22", case_class=CaseClass.RESOLVED)
    made = charged([only_resolved], a_usage(case_class=CaseClass.HALF_HELPED))
    (missing,) = made.missing
    assert missing.case_class is CaseClass.HALF_HELPED
    only_skola = a_price(Charge.CALL, "18", department="skola")
    assert charged([only_skola], a_usage(department=UNLABELLED)).missing


def test_free_is_a_price_and_no_case_needs_none() -> None:
    assert not charged([a_price(Charge.CALL, "0.00")], a_usage()).missing
    assert not charged(
        [a_price(Charge.CASE, "22", since=date(2027, 1, 1))], a_usage(case_class=None)
    ).missing


def test_internal_calls_cost_nothing_unless_the_list_says_so() -> None:
    prices = (a_price(Charge.CALL, "18"),)
    inside = a_usage(is_internal=True)
    free = account_of([inside], PriceList(prices=prices), NOVEMBER)
    assert (free.internal, free.whole.calls, free.whole.ore) == (1, 0, 0)
    paid = account_of([inside], PriceList(prices=prices, charges_internal=True), NOVEMBER)
    assert (paid.internal, paid.whole.calls, paid.whole.ore) == (0, 1, 1800)


def test_a_fixed_cost_and_its_key_change_from_month_to_month() -> None:
    prices = PriceList(
        fixed=(
            FixedCost(
                name="vaxel",
                ore=100,
                key="poster",
                valid_from=NEW_YEAR,
                valid_to=date(2026, 10, 31),
            ),
            FixedCost(name="vaxel", ore=300, key="poster", valid_from=NOVEMBER),
        ),
        keys=(
            SplitKey(name="poster", valid_from=NEW_YEAR, shares={"bygg": 1}),
            SplitKey(name="poster", valid_from=NOVEMBER, shares={"bygg": 1, "skola": 2}),
        ),
    )
    october = account_of([], prices, date(2026, 10, 1))
    november = account_of([], prices, NOVEMBER)
    assert {name: share.ore for name, share in october.departments.items()} == {"bygg": 100}
    assert {name: share.ore for name, share in november.departments.items()} == {
        "bygg": 100,
        "skola": 200,
    }


def test_a_fixed_cost_without_a_key_that_holds_is_missing() -> None:
    prices = PriceList(
        fixed=(FixedCost(name="vaxel", ore=1, key="poster", valid_from=NEW_YEAR),),
        keys=(SplitKey(name="poster", valid_from=date(2027, 1, 1), shares={"bygg": 1}),),
    )
    (missing,) = account_of([], prices, NOVEMBER).missing
    assert (missing.charge, missing.department) == ("poster", None)


def test_what_is_left_goes_to_the_largest_remainders() -> None:
    # 100 by 7, 5 and 2 of 14: 50, 35.71, 14.29.
    assert split(100, {"a": 7, "b": 5, "c": 2}) == {"a": 50, "b": 36, "c": 14}
    assert split(1, {"b": 1, "a": 1}) == {"a": 1, "b": 0}
    assert split(0, {"a": 3}) == {"a": 0}
