"""A month's account: what each department used, and what it pays.

Here: sums, and the call behind each öre. Not here: single prices (prices.py), looks (reports/).

The departments' sums are the whole, exactly, because all of them are sums of whole öre.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from ivrd.core.case_record import CaseClass
from ivrd.core.prices import (
    Amount,
    Charge,
    FixedCost,
    MissingPrice,
    Price,
    PriceList,
    SplitKey,
    amounts_of,
    fixed_of,
    split,
)
from ivrd.core.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledCall:
    """One call, and what it costs."""

    usage: Usage
    amounts: tuple[Amount, ...]

    @property
    def ore(self) -> int:
        """All its charges."""
        return sum(amount.ore for amount in self.amounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one department used and pays."""

    calls: int = 0
    talk: timedelta = timedelta(0)
    talk_unknown: int = 0
    """Calls whose minutes nobody knows; they are in `calls`, and no minute of them is paid."""
    classes: Mapping[CaseClass, int] = field(default_factory=dict)
    charged: Mapping[Charge, int] = field(default_factory=dict)
    """Öre."""
    fixed: Mapping[str, int] = field(default_factory=dict)
    """Öre, by the name of the cost."""

    @property
    def ore(self) -> int:
        """All that it pays."""
        return sum(self.charged.values()) + sum(self.fixed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One month."""

    month: date
    """Its first day."""
    departments: Mapping[str, Share]
    """In order of name."""
    calls: Sequence[BilledCall]
    """Those behind it, in order of arrival."""
    fixed: Sequence[tuple[FixedCost, SplitKey]]
    prices: Sequence[Price]
    """Those that were used, in the list's order."""
    internal: int
    """Calls of the staff's own lines that a guide answered and nobody pays for."""
    missing: Sequence[MissingPrice]
    """When there is any, the rest is not to be used."""
    facts_until: datetime | None
    """The last end of a call that counts; None without calls."""

    @property
    def whole(self) -> Share:
        """All departments together."""
        return total(self.departments.values())


def total(shares: Iterable[Share]) -> Share:
    """Return several shares as one."""
    every = list(shares)
    classes: Counter[CaseClass] = Counter()
    charged: Counter[Charge] = Counter()
    fixed: Counter[str] = Counter()
    for share in every:
        classes.update(share.classes)
        charged.update(share.charged)
        fixed.update(share.fixed)
    return Share(
        calls=sum(share.calls for share in every),
        talk=sum((share.talk for share in every), timedelta(0)),
        talk_unknown=sum(share.talk_unknown for share in every),
        classes=dict(classes),
        charged=dict(charged),
        fixed=dict(fixed),
    )


def account_of(usages: Iterable[Usage], prices: PriceList, month: date) -> Account:
    """Return a month's account.

    Args:
        usages: The month's, in order of arrival.
        month: Its first day.
    """
    shares: dict[str, list[Share]] = {}
    calls: list[BilledCall] = []
    missing: dict[MissingPrice, None] = {}
    internal = 0
    facts_until: datetime | None = None
    for usage in usages:
        if usage.is_internal and not prices.charges_internal:
            internal += 1
            continue
        facts_until = max(facts_until or usage.ended_at, usage.ended_at)
        found = list(amounts_of(prices, usage))
        missing |= dict.fromkeys(one for one in found if isinstance(one, MissingPrice))
        amounts = tuple(one for one in found if isinstance(one, Amount))
        calls.append(BilledCall(usage=usage, amounts=amounts))
        shares.setdefault(usage.department, []).append(_share_of(usage, amounts))
    fixed: list[tuple[FixedCost, SplitKey]] = []
    for each in fixed_of(prices, month):
        if isinstance(each, MissingPrice):
            missing[each] = None
            continue
        fixed.append(each)
        cost, key = each
        for department, ore in split(cost.ore, key.shares).items():
            shares.setdefault(department, []).append(Share(fixed={cost.name: ore}))
    used = {amount.price for call in calls for amount in call.amounts}
    return Account(
        month=month,
        departments={name: total(shares[name]) for name in sorted(shares)},
        calls=calls,
        fixed=fixed,
        prices=[price for price in prices.prices if price in used],
        internal=internal,
        missing=list(missing),
        facts_until=facts_until,
    )


def _share_of(usage: Usage, amounts: Sequence[Amount]) -> Share:
    return Share(
        calls=1,
        talk=usage.talk or timedelta(0),
        talk_unknown=int(usage.talk is None),
        classes={} if usage.case_class is None else {usage.case_class: 1},
        charged={amount.charge: amount.ore for amount in amounts},
    )
