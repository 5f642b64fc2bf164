"""The parts of an account are exactly the whole, for any calls, prices and keys."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.account import account_of
from ivrd.core.case_record import CaseClass
from ivrd.core.ids import CallId, QueueName
from ivrd.core.prices import Charge, FixedCost, Price, PriceList, SplitKey, split
from ivrd.core.stored_calls import Basis
from ivrd.core.usage import UNLABELLED, Usage

MONTH = date(2026, 11, 1)
DEPARTMENTS = [UNLABELLED, "aldre", "bygg", "skola"]

days = st.integers(0, 29).map(lambda number: MONTH + timedelta(days=number))
usages = st.builds(
    Usage,
    call_id=st.uuids().map(lambda one: CallId(str(one))),
    arrived_at=st.just(datetime(2026, 11, 2, tzinfo=UTC)),
    ended_at=st.just(datetime(2026, 11, 3, tzinfo=UTC)),
    day=days,
    line=st.none(),
    queue=st.just(QueueName("kc")),
    department=st.sampled_from(DEPARTMENTS),
    basis=st.sampled_from(Basis),
    talk=st.none() | st.integers(0, 4_000_000).map(lambda ms: timedelta(milliseconds=ms)),
    case_class=st.sampled_from([None, CaseClass.RESOLVED, CaseClass.HALF_HELPED]),
    is_internal=st.booleans(),
)
prices = st.builds(
    Price,
    charge=st.sampled_from(Charge),
    ore=st.decimals(0, 100_000, places=2),
    valid_from=st.sampled_from([date(2026, 1, 1), date(2026, 11, 10)]),
    department=st.none() | st.sampled_from(DEPARTMENTS[1:]),
    case_class=st.none() | st.just(CaseClass.HALF_HELPED),
)
shares = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(0, 10_000), min_size=1
).filter(lambda found: any(found.values()))
lists = st.builds(
    PriceList,
    prices=st.lists(prices, max_size=6).map(tuple),
    fixed=st.lists(
        st.builds(
            FixedCost,
            name=st.sampled_from(["vaxel", "telefoni"]),
            ore=st.integers(0, 10**9),
            key=st.just("poster"),
            valid_from=st.just(date(2026, 1, 1)),
        ),
        max_size=2,
        unique_by=lambda cost: cost.name,
    ).map(tuple),
    keys=st.builds(
        SplitKey, name=st.just("poster"), valid_from=st.just(date(2026, 1, 1)), shares=shares
    ).map(lambda key: (key,)),
    charges_internal=st.booleans(),
)


@settings(deadline=None)
@given(st.integers(0, 10**12), shares)
def test_a_split_is_exactly_the_whole_and_fair_to_an_ore(ore: int, parts: dict[str, int]) -> None:
    found = split(ore, parts)
    assert sum(found.values()) == ore
    whole = sum(parts.values())
    for name, share in parts.items():
        assert abs(found[name] * whole - ore * share) < whole
        if share == 0:
            assert found[name] == 0


@settings(deadline=None)
@given(st.lists(usages, max_size=15), lists)
def test_departments_and_calls_add_up_to_the_whole(used: list[Usage], money: PriceList) -> None:
    made = account_of(used, money, MONTH)
    whole = made.whole
    by_calls = sum(call.ore for call in made.calls)
    fixed = sum(cost.ore for cost, _ in made.fixed)
    assert whole.ore == by_calls + fixed == sum(each.ore for each in made.departments.values())
    assert whole.calls + made.internal == len(used)
    assert whole.calls == len(made.calls)
    assert sum(whole.classes.values()) == sum(
        call.usage.case_class is not None for call in made.calls
    )
    charged = [amount for call in made.calls for amount in call.amounts]
    for amount in charged:
        exact = amount.price.ore * amount.quantity
        if amount.charge is Charge.MINUTE:
            exact /= 60
        assert abs(exact - amount.ore) <= Decimal("0.5")


@settings(deadline=None)
@given(st.lists(usages, max_size=10), lists)
def test_the_order_of_calls_changes_no_sum(used: list[Usage], money: PriceList) -> None:
    one = account_of(used, money, MONTH)
    other = account_of(list(reversed(used)), money, MONTH)
    assert one.departments == other.departments
