"""A document for other programs: CSV, XLSX and JSON.

Here: plain numbers, one row each, with the formula's name. Durations are seconds, shares are parts
of 1, money is kronor; no value is empty, in JSON null.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from ivrd.reports.document import Datum, Document, Grid, Value
from ivrd.sheets import Cell, Sheet, Shown, as_csv, as_xlsx

HEAD = ("period", "table", "subject", "part", "figure", "unit", "value")

SHARE_DIGITS, SECOND_DIGITS = 6, 3

FORMS = {"share": "0.0%", "s": "0.0", "kr": "#,##0.00", "count": "#,##0"}


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
    return Sheet(title=title, head=HEAD, rows=list(_rows(data)))


def _rows(data: Sequence[Datum]) -> Iterator[Sequence[Cell]]:
    for datum in data:
        # Kronor keep their two decimals.
        value = datum.value if isinstance(datum.value, Decimal) else _plain(datum.value)
        shown: Cell = value
        if isinstance(value, int | float | Decimal) and datum.unit in FORMS:
            shown = Shown(value=value, form=FORMS[datum.unit])
        names = (datum.period, datum.table, datum.subject, datum.part, datum.name, datum.unit)
        yield [*names, shown]


def _grid(grid: Grid) -> Sheet:
    """Return a table as it stands on the page, in text: the numbers are in their own table."""
    heads = [f"{each.title} ({each.note})" if each.note else each.title for each in grid.columns]
    return Sheet(
        title=grid.title,
        head=[grid.corner, "formula", *heads],
        rows=[[row.title, row.formula, *row.cells] for row in grid.rows],
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
