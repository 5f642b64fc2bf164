"""CSV and XLSX: no formulas from strangers, no value stays no value, same rows same bytes."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from ivrd.sheets import Cell, Sheet, Shown, as_csv, as_xlsx

FORMULAS = ["=1+1", "+46", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://a")']


def a_sheet(*rows: list[Cell], title: str = "Köer") -> Sheet:
    return Sheet(title=title, head=["vad", "värde"], rows=rows)


def cells_of(made: bytes, title: str = "Köer") -> list[tuple[object, ...]]:
    return list(load_workbook(io.BytesIO(made))[title].iter_rows(min_row=2, values_only=True))


@pytest.mark.parametrize("text", FORMULAS)
def test_text_never_becomes_a_formula(text: str) -> None:
    row = a_sheet([text, 1])
    read = list(csv.reader(io.StringIO(as_csv(row).decode(), newline="")))
    assert read[1] == [f"'{text}", "1"]
    found = load_workbook(io.BytesIO(as_xlsx([row])))["Köer"]["A2"]
    assert found.data_type == "s"


def test_a_negative_number_stays_a_number() -> None:
    assert as_csv(a_sheet(["x", -2])).endswith(b"x,-2\r\n")
    assert cells_of(as_xlsx([a_sheet(["x", -2])])) == [("x", -2)]


def test_no_value_is_an_empty_cell() -> None:
    assert as_csv(a_sheet(["x", None])).endswith(b"x,\r\n")
    assert cells_of(as_xlsx([a_sheet(["x", None])])) == [("x", None)]


def test_numbers_dates_and_forms_are_kept() -> None:
    row = a_sheet(["a", Shown(value=0.855, form="0.0%")], ["b", Decimal("12.50")])
    found = load_workbook(io.BytesIO(as_xlsx([row])))["Köer"]
    assert found["B2"].value == 0.855
    assert found["B2"].number_format == "0.0%"
    assert found["B3"].value == 12.5
    made = as_csv(a_sheet(["d", date(2026, 11, 2)], ["t", datetime(2026, 11, 2, 8, tzinfo=UTC)]))
    assert made.decode().splitlines()[1:] == ["d,2026-11-02", "t,2026-11-02T08:00:00+00:00"]


def test_the_same_rows_give_the_same_bytes() -> None:
    rows = [a_sheet(["å", 1.5]), a_sheet(["b", None], title="Linjer")]
    assert as_xlsx(rows) == as_xlsx(rows)


def test_titles_fit_excel_and_stay_apart() -> None:
    long = "Förvaltningen för vatten / avfall: och mer"
    made = load_workbook(io.BytesIO(as_xlsx([a_sheet(title=long), a_sheet(title=long)])))
    first, second = made.sheetnames
    assert len(first) <= 31
    assert len(second) <= 31
    assert first != second


def test_characters_that_xml_cannot_hold_do_not_stop_a_workbook() -> None:
    assert cells_of(as_xlsx([a_sheet(["a\x00b\x1f", 1])])) == [("a\ufffdb\ufffd", 1)]
