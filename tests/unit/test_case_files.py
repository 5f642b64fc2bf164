"""Cases as files: the same columns everywhere, and no formula in any of them."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import openpyxl
import pytest

from ivrd import case_files
from ivrd.case_errors import CaseRefused
from ivrd.case_files import COLUMNS, FileForm, exported
from ivrd.core.case_record import Case, FeedbackKind
from tests.unit.core.test_case_record import AT, CONTACT, DRAFT

NASTY = '=HYPERLINK("http://x";"Å")'
CASES = [
    replace(DRAFT, note=NASTY, caller_key="5f2c", deadline=AT),
    replace(CONTACT, case_id=2, note='två "rader"\nhär', feedback_kind=FeedbackKind.IDEA),
    *(replace(DRAFT, case_id=number) for number in range(3, 1_203)),
]


def made(form: FileForm, cases: list[Case] = CASES) -> bytes:
    async def some() -> AsyncIterator[Case]:
        for case in cases:
            yield case

    async def whole() -> bytes:
        return b"".join([part async for part in exported(some(), form)])

    return asyncio.run(whole())


def test_csv_comes_in_parts_and_is_one_table() -> None:
    rows = list(csv.DictReader(io.StringIO(made(FileForm.CSV).decode(), newline="")))
    assert len(rows) == len(CASES)
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["note"] == f"'{NASTY}"
    assert rows[0]["deadline"] == "2026-03-02T09:00:00+00:00"
    assert (rows[1]["note"], rows[1]["case_class"], rows[1]["is_case"]) == (
        'två "rader"\nhär',
        "contact",
        "false",
    )
    assert [row["case_id"] for row in rows] == [str(number) for number in range(1, 1_203)]


def test_json_is_one_object_a_line() -> None:
    objects = [json.loads(line) for line in made(FileForm.JSON).decode().splitlines()]
    assert len(objects) == len(CASES)
    assert tuple(objects[0]) == COLUMNS
    assert (objects[0]["note"], objects[0]["label"], objects[1]["is_case"]) == (NASTY, None, False)


def test_a_workbook_holds_text_and_no_formula() -> None:
    book = openpyxl.load_workbook(io.BytesIO(made(FileForm.XLSX)))
    [sheet] = book.worksheets
    head = [cell.value for cell in sheet[1]]
    assert tuple(head) == COLUMNS
    note = sheet[2][head.index("note")]
    assert (note.value, note.data_type) == (NASTY, "s")
    assert sheet.max_row == len(CASES) + 1


def test_no_file_holds_the_callers_key() -> None:
    assert "caller_key" not in COLUMNS
    assert b"5f2c" not in made(FileForm.CSV) + made(FileForm.JSON)


@pytest.mark.parametrize("form", FileForm)
def test_no_case_is_a_file_with_a_head_at_most(form: FileForm) -> None:
    assert (made(form, []) == b"") == (form is FileForm.JSON)


def test_more_than_a_workbook_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case_files, "XLSX_ROWS_MAX", 10)
    with pytest.raises(CaseRefused, match="more than 10 cases: narrow the search, or take CSV"):
        made(FileForm.XLSX)
