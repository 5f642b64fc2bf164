"""A document for other programs: CSV, XLSX and JSON.

Here: plain numbers, one row each, with the formula's name. Durations are seconds, shares are parts
of 1, money is kronor; no value is empty, in JSON null.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from ivrd.reports.document import Before, Datum, Document, Grid, Value
from ivrd.sheets import Cell, Sheet, Shown, as_csv, as_xlsx

HEAD = ("period", "table", "subject", "part", "figure", "unit", "value")

HEAD_BEFORE = ("period_before", "value_before", "change", "change_formula")
"""Behind it where a report compares."""

SHARE_DIGITS, SECOND_DIGITS = 6, 3

FORMS = {"share": "0.0%", "s": "0.0", "kr": "#,##0.00", "count": "#,##0"}

CHANGE_FORMS = {
    "change_of_count": "+0.0%;-0.0%;0.0%",
    # Points of a share look like per cent of it, so they stay a part of 1.
    "change_of_share": "+0.000;-0.000;0.000",
    "change_of_time": "+0.0;-0.0;0.0",
}


def csv_of(document: Document) -> bytes:
    """Return all numbers as one table; what they rest on instead, where that was asked for."""
    return as_csv(document.listing or _sheet(document.data, "data"))


def xlsx_of(document: Document) -> bytes:
    """Return the tables as they are read, all numbers in one more, and the formulas."""
    grids = [block for block in document.blocks if isinstance(block, Grid)]
    facts = Sheet(
        title=document.title,
        head=[document.title, document.subtitle],
        rows=[list(pair) for pair in document.facts],
    )
    formulas = Sheet(
        title="Formler" if document.language == "sv" else "Formulas",
        head=["formula", "="],
        rows=[list(pair) for pair in document.formulas],
    )
    numbers = _sheet(document.data, "Siffror" if document.language == "sv" else "Numbers")
    listing = [] if document.listing is None else [document.listing]
    return as_xlsx([facts, *map(_grid, grids), *listing, numbers, formulas])


def json_of(document: Document) -> str:
    """Return everything as one JSON object."""
    return (
        json.dumps(
            {
                "title": document.title,
                "subtitle": document.subtitle,
                "facts": dict(document.facts),
                "formulas": dict(document.formulas),
                "numbers": [
                    {
                        "period": datum.period,
                        "table": datum.table,
                        "subject": datum.subject,
                        "part": datum.part,
                        "figure": datum.name,
                        "unit": datum.unit,
                        "value": _plain(datum.value),
                        **_before(datum.before),
                    }
                    for datum in document.data
                ],
                **({} if document.listing is None else {"calls": list(_listed(document.listing))}),
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n"
    )


def _before(before: Before | None) -> Mapping[str, object]:
    if before is None:
        return {}
    values = (before.period, _plain(before.value), _plain(before.change), before.formula)
    return dict(zip(HEAD_BEFORE, values, strict=True))


def _listed(listing: Sheet) -> Iterator[Mapping[str, object]]:
    for row in listing.rows:
        yield {name: _told(cell) for name, cell in zip(listing.head, row, strict=True)}


def _told(cell: Cell) -> object:
    value = cell.value if isinstance(cell, Shown) else cell
    match value:
        case Decimal():
            return float(value)
        case date():
            return value.isoformat()
        case _:
            return value


def _sheet(data: Sequence[Datum], title: str) -> Sheet:
    is_compared = any(datum.before for datum in data)
    head = HEAD + HEAD_BEFORE if is_compared else HEAD
    return Sheet(title=title, head=head, rows=list(_rows(data)))


def _rows(data: Sequence[Datum]) -> Iterator[Sequence[Cell]]:
    for datum in data:
        names = (datum.period, datum.table, datum.subject, datum.part, datum.name, datum.unit)
        row: list[Cell] = [*names, _shown(datum.value, FORMS.get(datum.unit))]
        if (before := datum.before) is not None:
            row += [
                before.period,
                _shown(before.value, FORMS.get(datum.unit)),
                _shown(before.change, CHANGE_FORMS.get(before.formula)),
                before.formula,
            ]
        yield row


def _shown(value: Value, form: str | None) -> Cell:
    # Kronor keep their two decimals.
    plain = value if isinstance(value, Decimal) else _plain(value)
    if isinstance(plain, int | float | Decimal) and form is not None:
        return Shown(value=plain, form=form)
    return plain


def _grid(grid: Grid) -> Sheet:
    """Return a table as it stands on the page, in text: the numbers are in their own table."""
    heads = [f"{each.title} ({each.note})" if each.note else each.title for each in grid.columns]
    return Sheet(
        title=grid.title,
        head=[grid.corner, "formula", *heads],
        rows=[[row.title, row.formula, *row.cells] for row in grid.rows],
        numbers_from=2,
    )


def _plain(value: Value) -> int | float | str | None:
    match value:
        case Fraction():
            return round(float(value), SHARE_DIGITS)
        case timedelta():
            return round(value / timedelta(seconds=1), SECOND_DIGITS)
        case Decimal():
            return float(value)
        case _:
            return value
