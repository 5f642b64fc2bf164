"""The price list: what a call, a minute and a case cost, and how fixed costs are split.

Here: which price holds, and öre. Not here: reading the list (config/prices.py), sums (account.py).

The rules
    1. What the list has any price for is charged, and then every call needs one: a price that is
       not known is a fault that names department, day and charge. It is never 0; free is "0.00".
    2. A price holds from its first day until a newer one begins. The more exact wins: department
       and class, then department, then class, then neither. Of equally exact ones, the newest.
    3. Öre are whole. Each charge of each call is rounded half up to whole öre by itself; every sum
       is a sum of these, so a sum can be checked call by call.
    4. A fixed cost is of a whole month. It is split by a key (directory entries, employees): whole
       öre each, what is left goes to the largest remainders, and the parts are exactly the whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import assert_never

from ivrd.core.case_record import CaseClass
from ivrd.core.usage import Usage

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)

SECONDS_IN_MINUTE = 60


class Charge(StrEnum):
    """What is charged for."""

    CALL = "call"
    """Each call that a guide answered."""
    STARTED_MINUTE = "started_minute"
    """Each minute of talk that was begun."""
    MINUTE = "minute"
    """Talk to the second that was begun, by the price of a minute."""
    CASE = "case"
    """Each case, by class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one thing costs."""

    charge: Charge
    ore: Decimal
    """May have decimals; an amount has none."""
    valid_from: date
    department: str | None = None
    """None: for all that have none of their own."""
    case_class: CaseClass | None = None
    """None: for every class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitKey:
    """By what fixed costs are split, from a month on."""

    name: str
    valid_from: date
    shares: Mapping[str, int]
    """By department, at least one above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCost:
    """What a month costs, whoever rings."""

    name: str
    ore: int
    key: str
    valid_from: date
    """The first of a month."""
    valid_to: date | None = None
    """The last day; None when it goes on."""

    def holds_in(self, month: date) -> bool:
        """Return whether the month that begins on a date has it."""
        return self.valid_from <= month and (self.valid_to is None or month <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """All that is decided about money."""

    prices: tuple[Price, ...] = ()
    fixed: tuple[FixedCost, ...] = ()
    keys: tuple[SplitKey, ...] = ()
    charges_internal: bool = False
    """Whether calls of the staff's own lines cost anything."""

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What is charged at all."""
        found = {price.charge for price in self.prices}
        return tuple(charge for charge in Charge if charge in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """One charge of one call."""

    charge: Charge
    price: Price
    quantity: int
    """Calls, started minutes, started seconds, or cases."""
    ore: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPrice:
    """What has no price."""

    charge: str
    """A charge, or the name of a key."""
    department: str | None
    """None where it is not about one."""
    day: date
    case_class: CaseClass | None = None


def price_of(prices: Iterable[Price], charge: Charge, usage: Usage) -> Price | None:
    """Return the price that holds for a call, or None."""
    holding = [
        price
        for price in prices
        if price.charge is charge
        and price.valid_from <= usage.day
        and price.department in (None, usage.department)
        and price.case_class in (None, usage.case_class)
    ]
    return max(
        holding,
        key=lambda price: (
            price.department is not None,
            price.case_class is not None,
            price.valid_from,
        ),
        default=None,
    )


def amounts_of(prices: PriceList, usage: Usage) -> Iterator[Amount | MissingPrice]:
    """Yield what a call costs, charge by charge; unknown minutes are not charged."""
    if usage.is_internal and not prices.charges_internal:
        return
    for charge in prices.charges:
        quantity = quantity_of(charge, usage)
        if quantity is None:
            continue
        price = price_of(prices.prices, charge, usage)
        if price is None:
            yield MissingPrice(
                charge=charge,
                department=usage.department,
                day=usage.day,
                case_class=usage.case_class if charge is Charge.CASE else None,
            )
        else:
            yield Amount(
                charge=charge, price=price, quantity=quantity, ore=_ore(charge, price, quantity)
            )


def quantity_of(charge: Charge, usage: Usage) -> int | None:
    """Return how much there is to charge; None when there is nothing, or nobody knows."""
    match charge:
        case Charge.CALL:
            return 1
        case Charge.CASE:
            return None if usage.case_class is None else 1
        case Charge.STARTED_MINUTE:
            return None if usage.talk is None else -(-usage.talk // _MINUTE)
        case Charge.MINUTE:
            return None if usage.talk is None else -(-usage.talk // _SECOND)
        case _:
            assert_never(charge)


def split(ore: int, shares: Mapping[str, int]) -> Mapping[str, int]:
    """Return a whole in parts of whole öre that are exactly the whole.

    >>> dict(split(100, {"a": 1, "b": 1, "c": 1}))
    {'a': 34, 'b': 33, 'c': 33}

    Args:
        ore: Not below 0.
        shares: By name, at least one above 0. Of equal remainders the first name has the öre.

    Source:
        Hamilton's method, the largest remainder.
    """
    whole = sum(shares.values())
    parts = {name: ore * share // whole for name, share in shares.items()}
    left = ore - sum(parts.values())
    by_remainder = sorted(shares, key=lambda name: (-(ore * shares[name] % whole), name))
    for name in by_remainder[:left]:
        parts[name] += 1
    return parts


def fixed_of(prices: PriceList, month: date) -> Iterator[tuple[FixedCost, SplitKey] | MissingPrice]:
    """Yield the fixed costs of the month that begins on a date, each with the key that holds."""
    for cost in prices.fixed:
        if not cost.holds_in(month):
            continue
        keys = [key for key in prices.keys if key.name == cost.key and key.valid_from <= month]
        if keys:
            yield cost, max(keys, key=lambda key: key.valid_from)
        else:
            yield MissingPrice(charge=cost.key, department=None, day=month)


def _ore(charge: Charge, price: Price, quantity: int) -> int:
    exact = price.ore * quantity
    if charge is Charge.MINUTE:
        exact /= SECONDS_IN_MINUTE
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
