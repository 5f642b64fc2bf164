"""An account as plain data, its seal, and what keeps it from being made.

Here: numbers, one each, and the list of calls. Not here: what people read (account.py).

The seal is a hash over every call, its department, minutes, class and öre, and over the fixed
parts: two accounts with the same seal are the same account. No caller's number is in it, or shown.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta, tzinfo
from decimal import Decimal

from ivrd.core.account import Account, BilledCall, Share
from ivrd.core.prices import Charge, MissingPrice
from ivrd.reports.document import Datum
from ivrd.reports.figure_words import CLASSES
from ivrd.sheets import Cell, Sheet, Shown

SEAL_CHARACTERS = 16

KR_FORM = "#,##0.00"

HEAD = ("call", "arrived_at", "line", "queue", "department", "basis", "talk_s", "case_class")


def data_of(
    account: Account, shares: Mapping[str, Share], charges: Sequence[Charge], *, period: str
) -> Iterator[Datum]:
    """Yield every number of some departments, and of all together."""
    for name, share in shares.items():
        for figure, unit, value in _numbers(account, share, charges):
            yield Datum(
                table="account/department",
                subject=name,
                part="all",
                period=period,
                name=figure,
                unit=unit,
                value=value,
            )
    for figure, unit, value in _numbers(account, account.whole, charges):
        yield Datum(
            table="account/all",
            subject="",
            part="all",
            period=period,
            name=figure,
            unit=unit,
            value=value,
        )


def listing_of(
    calls: Sequence[BilledCall], charges: Sequence[Charge], *, zone: tzinfo, title: str
) -> Sheet:
    """Return the calls behind an account, one a row; an empty amount is no charge."""
    rows: list[Sequence[Cell]] = []
    for call in calls:
        usage = call.usage
        by_charge = {amount.charge: amount.ore for amount in call.amounts}
        amounts = [
            Shown(value=kronor(by_charge[charge]), form=KR_FORM) if charge in by_charge else None
            for charge in charges
        ]
        rows.append(
            [
                usage.call_id,
                usage.arrived_at.astimezone(zone),
                usage.line,
                usage.queue,
                usage.department,
                usage.basis.value,
                None if usage.talk is None else usage.talk / timedelta(seconds=1),
                None if usage.case_class is None else usage.case_class.value,
                *amounts,
                Shown(value=kronor(call.ore), form=KR_FORM),
            ]
        )
    money = [f"kr_{charge}" for charge in charges]
    return Sheet(title=title, head=[*HEAD, *money, "kr"], rows=rows)


def seal_of(account: Account) -> str:
    """Return the account's seal: the same for the same calls, departments, öre and fixed parts."""
    lines = sorted(
        "\t".join(
            (
                call.usage.call_id,
                call.usage.department,
                "" if call.usage.talk is None else str(call.usage.talk / timedelta(milliseconds=1)),
                call.usage.case_class or "",
                *(f"{amount.charge}={amount.ore}" for amount in call.amounts),
            )
        )
        for call in account.calls
    )
    fixed = [
        f"{name}\t{cost}\t{ore}"
        for name, share in account.departments.items()
        for cost, ore in sorted(share.fixed.items())
    ]
    return seal_of_bytes("\n".join([*lines, *fixed]).encode())


def seal_of_bytes(held: bytes) -> str:
    """Return the seal of a file."""
    return hashlib.sha256(held).hexdigest()[:SEAL_CHARACTERS]


def missing_words(missing: MissingPrice) -> str:
    """Return what has no price, for whom and when."""
    day = missing.day.isoformat()
    if missing.department is None:
        return f"no [[key]] {missing.charge!r} holds on {day}; the fixed cost cannot be split"
    whose = missing.department or "unlabelled calls"
    what = missing.charge
    if missing.case_class is not None:
        what = f"{what} ({missing.case_class})"
    return f"no price for {what} holds for {whose} on {day}; add a [[price]], or one of 0.00"


def kronor(ore: int) -> Decimal:
    """Return an amount of whole öre as kronor, exactly."""
    return Decimal(ore).scaleb(-2)


def _numbers(
    account: Account, share: Share, charges: Sequence[Charge]
) -> Iterator[tuple[str, str, int | timedelta | Decimal]]:
    yield "calls", "count", share.calls
    yield "talk_total", "s", share.talk
    yield "talk_unknown", "count", share.talk_unknown
    for case_class in CLASSES:
        if case_class in account.whole.classes:
            yield f"cases_{case_class}", "count", share.classes.get(case_class, 0)
    for charge in charges:
        yield f"cost_{charge}", "kr", kronor(share.charged.get(charge, 0))
    for cost, _ in account.fixed:
        yield f"cost_fixed_{cost.name}", "kr", kronor(share.fixed.get(cost.name, 0))
    yield "cost", "kr", kronor(share.ore)
