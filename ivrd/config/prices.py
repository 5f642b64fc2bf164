"""The price list: its model, its checks, and the reader of its file.

Here: what may stand in it. Not here: which price holds when (core/prices.py).

It is a file of its own: whoever decides about money need not touch what callers meet, and a fault
in it stops an account, never the daemon.
"""

import difflib
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ivrd.config.base import Name, Section
from ivrd.config.document import read_document
from ivrd.core.case_record import CaseClass
from ivrd.core.prices import Charge, FixedCost, Price, PriceList, SplitKey
from ivrd.errors import ConfigError

Kronor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}([.][0-9]{1,4})?$")]
"""As a text, because TOML's numbers with a point are binary and lose öre."""

WholeOre = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}([.][0-9]{1,2})?$")]

ORE_IN_KRONA = 100


class PriceConfig(Section):
    """What one thing costs from a day on."""

    charge: Literal["call", "started_minute", "minute", "case"]
    kr: Kronor = Field(description='Kronor, as "24.50"; up to four decimals.')
    valid_from: date
    department: Name | None = Field(default=None, description="None: all without one of their own.")
    case_class: Literal["resolved", "half_helped"] | None = Field(
        default=None, description="With charge = case; none: every class."
    )

    @model_validator(mode="after")
    def _check(self) -> "PriceConfig":
        if self.case_class is not None and self.charge != "case":
            raise ValueError("case_class belongs to charge = case alone")
        return self


class SplitKeyConfig(Section):
    """By what fixed costs are split."""

    name: Name
    valid_from: date
    shares: dict[Name, Annotated[int, Field(ge=0, le=10_000_000)]]


class FixedConfig(Section):
    """What a month costs, whoever rings."""

    name: Name
    kr: WholeOre = Field(description="Kronor a month, to the öre.")
    key: Name
    valid_from: date
    valid_to: date | None = Field(default=None, description="The last day; none: it goes on.")


class PriceListConfig(Section):
    """The whole file."""

    charges_internal: bool = Field(
        default=False, description="Whether calls of internal lines are paid for."
    )
    price: tuple[PriceConfig, ...] = ()
    key: tuple[SplitKeyConfig, ...] = ()
    fixed: tuple[FixedConfig, ...] = ()


def load_prices(path: Path, *, departments: Collection[str]) -> PriceList:
    """Return the checked price list of a TOML file.

    Args:
        departments: The codes that there are; empty when the configuration names none.

    Raises:
        ConfigError: With one line per fault: path, what is wrong, the nearest known name.
    """
    document = read_document(path)
    try:
        found = PriceListConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(
            f"{path}: {_place(fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ) from error
    faults = list(_faults(found, departments))
    if faults:
        raise ConfigError(f"{path}: {fault}" for fault in faults)
    return PriceList(
        prices=tuple(
            Price(
                charge=Charge(each.charge),
                ore=Decimal(each.kr) * ORE_IN_KRONA,
                valid_from=each.valid_from,
                department=each.department,
                case_class=None if each.case_class is None else CaseClass(each.case_class),
            )
            for each in found.price
        ),
        keys=tuple(
            SplitKey(name=each.name, valid_from=each.valid_from, shares=each.shares)
            for each in found.key
        ),
        fixed=tuple(
            FixedCost(
                name=each.name,
                ore=int(Decimal(each.kr) * ORE_IN_KRONA),
                key=each.key,
                valid_from=each.valid_from,
                valid_to=each.valid_to,
            )
            for each in found.fixed
        ),
        charges_internal=found.charges_internal,
    )


def _faults(found: PriceListConfig, departments: Collection[str]) -> Iterator[str]:
    if not found.price and not found.fixed:
        yield "has neither [[price]] nor [[fixed]]: what is anybody to pay?"
    charges = {each.charge for each in found.price}
    if {"minute", "started_minute"} <= charges:
        yield "price: minutes are charged either as minute or as started_minute, not as both"
    seen: set[tuple[object, ...]] = set()
    for number, price in enumerate(found.price):
        mark = (price.charge, price.valid_from, price.department, price.case_class)
        if mark in seen:
            yield f"price[{number}]: stands twice, for the same from the same day"
        seen.add(mark)
        if price.department is not None:
            yield from _unknown(price.department, departments, f"price[{number}].department")
    keys: set[tuple[str, date]] = set()
    for number, key in enumerate(found.key):
        if (key.name, key.valid_from) in keys:
            yield f"key[{number}]: {key.name!r} stands twice from the same day"
        keys.add((key.name, key.valid_from))
        if not any(key.shares.values()):
            yield f"key[{number}].shares: at least one must be above 0"
        for department in key.shares:
            yield from _unknown(department, departments, f"key[{number}].shares")
    yield from _fixed_faults(found)


def _fixed_faults(found: PriceListConfig) -> Iterator[str]:
    names = {key.name for key in found.key}
    for number, cost in enumerate(found.fixed):
        place = f"fixed[{number}]"
        if cost.key not in names:
            known = ", ".join(sorted(names)) or "none"
            yield f"{place}.key: no [[key]] is named {cost.key!r}; known: {known}"
        if cost.valid_from.day != 1:
            yield f"{place}.valid_from: a fixed cost is of whole months; begin on the first"
        for other in found.fixed[:number]:
            if other.name == cost.name and _overlap(other, cost):
                yield f"{place}: {cost.name!r} holds twice at the same time; end one by valid_to"


def _overlap(one: FixedConfig, other: FixedConfig) -> bool:
    last = date.max
    return one.valid_from <= (other.valid_to or last) and other.valid_from <= (one.valid_to or last)


def _unknown(name: str, known: Collection[str], place: str) -> Iterator[str]:
    if known and name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
        yield f"{place}: no department has the code {name!r}; {hint}"


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"
