"""Tables for other programs: CSV and XLSX, the only home of openpyxl.

Here: rows of plain values in, bytes out; the same rows give the same bytes. Not here: which rows,
and layout for people.

Text that a caller or an agent may have typed must never become a formula in the reader's
spreadsheet: in CSV it gets an apostrophe in front, in XLSX it is stored as text.

Source:
    OWASP, "CSV Injection": =, +, -, @, tab and carriage return at the beginning of a cell.
"""

import csv
import io
import re
import textwrap
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet.properties import PageSetupProperties

RISKY = ("=", "+", "-", "@", "\t", "\r")
"""At the beginning of a text: a spreadsheet would calculate it."""

TITLE_MAX = 31
"""Excel refuses longer names of sheets."""

TITLE_REFUSED = re.compile(r"[\[\]:*?/\\]")

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""XML 1.0 cannot hold them."""

WIDTH_MIN, WIDTH_MAX = 9, 60
"""Characters of a column."""

A4 = 9
"""By the number that ECMA-376 has for it."""

LINE_POINTS, HEAD_SPARE = 15.0, 1
"""The height of a line, and the characters of a column that bold letters take."""

LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - a workbook's own stamps have no zone
"""Stands for "made at" within the file, which must not differ between two runs."""

ZIP_TIME = (2000, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A number, and how a spreadsheet is to show it."""

    value: int | float | Decimal
    form: str
    """As in Excel: "0.0%"."""


Cell = str | int | float | Decimal | date | datetime | Shown | None
"""None is an empty cell: no value, which is neither 0 nor text. A moment is told with its zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table."""

    title: str
    head: Sequence[str]
    rows: Iterable[Sequence[Cell]] = field(default=())
    numbers_from: int | None = None
    """The first column, from 0, of numbers that are told as text, and stand to the right."""


def as_csv(sheet: Sheet) -> bytes:
    """Return a table as CSV: UTF-8, commas, CRLF, decimal points, dates as ISO 8601.

    >>> as_csv(Sheet(title="", head=["who", "s"], rows=[["=1+1", -2], [None, 0.5]]))
    b"who,s\\r\\n'=1+1,-2\\r\\n,0.5\\r\\n"

    Source:
        RFC 4180.
    """
    text = io.StringIO()
    # A text such as "=1" is quoted for people by the apostrophe, never by the writer.
    writer = csv.writer(text, delimiter=",", lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(map(_plain, sheet.head))
    writer.writerows(map(_plain, row) for row in sheet.rows)
    return text.getvalue().encode("utf-8", "replace")


def as_xlsx(sheets: Iterable[Sheet]) -> bytes:
    """Return tables as one workbook; titles are cut to what Excel takes, and kept apart."""
    book = Workbook(write_only=True)
    book.properties.created = LONG_AGO
    titles: list[str] = []
    for sheet in sheets:
        titles.append(_title(sheet.title, titles))
        page = book.create_sheet(titles[-1])
        page.freeze_panes = "A2"
        rows = [list(row) for row in sheet.rows]
        widths = _widths(sheet.head, rows)
        for number, width in enumerate(widths, start=1):
            page.column_dimensions[get_column_letter(number)].width = width
        lines = max(map(_lines, sheet.head, widths), default=1)
        page.row_dimensions[1].height = LINE_POINTS * lines
        _print_on_paper(page)
        page.append(
            [
                _head(page, text, is_number=_is_number(sheet, place))
                for place, text in enumerate(sheet.head)
            ]
        )
        for row in rows:
            cells = [_cell(page, value) for value in row]
            for place, cell in enumerate(cells):
                if _is_number(sheet, place):
                    cell.alignment = Alignment(horizontal="right")
            page.append(cells)
    made = io.BytesIO()
    book.save(made)
    return _without_time(made.getvalue())


def _plain(value: Cell) -> str:
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(RISKY) else value
        case Shown():
            return str(value.value)
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _cell(page: object, value: Cell) -> WriteOnlyCell:
    match value:
        case str():
            cell = WriteOnlyCell(page, value=CONTROL.sub("\N{REPLACEMENT CHARACTER}", value))
            # openpyxl makes a formula of every text that begins with "=".
            cell.data_type = "s"
        case datetime():
            # A spreadsheet knows no zones.
            cell = WriteOnlyCell(page, value=value.isoformat())
        case Shown():
            cell = WriteOnlyCell(page, value=value.value)
            cell.number_format = value.form
        case _:
            cell = WriteOnlyCell(page, value=value)
    return cell


def _is_number(sheet: Sheet, place: int) -> bool:
    return sheet.numbers_from is not None and place >= sheet.numbers_from


def _head(page: object, text: str, *, is_number: bool) -> WriteOnlyCell:
    cell = _cell(page, text)
    # Without a name some programs take a serif.
    cell.font = Font(name="Calibri", size=11, bold=True)
    side = "right" if is_number else None
    cell.alignment = Alignment(wrap_text=True, vertical="top", horizontal=side)
    return cell


def _lines(text: str, width: int) -> int:
    """Return how many lines a text takes in a column; programs do not find it out by themselves."""
    return max(1, len(textwrap.wrap(text, max(1, width - HEAD_SPARE))))


def _print_on_paper(page: WriteOnlyWorksheet) -> None:
    """Let a table be as wide as the paper, with its head on each sheet."""
    page.page_setup.orientation = "landscape"
    page.page_setup.paperSize = A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    page.print_title_rows = "1:1"


def _title(wanted: str, taken: Sequence[str]) -> str:
    clean = TITLE_REFUSED.sub("-", CONTROL.sub("", wanted)).strip("'")[:TITLE_MAX] or "1"
    title, number = clean, 1
    while title.lower() in {each.lower() for each in taken}:
        number += 1
        title = f"{clean[: TITLE_MAX - 4]} {number}"
    return title


def _widths(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    widths = []
    for number, text in enumerate(head):
        texts = (_plain(row[number]) for row in rows if number < len(row))
        longest = max((len(each) for each in texts), default=0)
        word = max(map(len, text.split()), default=0)
        widths.append(min(WIDTH_MAX, max(WIDTH_MIN, longest + 2, word + 3, len(text) // 2 + 2)))
    return widths


def _without_time(made: bytes) -> bytes:
    """Return a workbook without the moment at which it was made, which openpyxl writes twice."""
    same = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(made)) as old,
        zipfile.ZipFile(same, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            held = old.read(entry)
            if entry.filename == "docProps/core.xml":
                stamp = LONG_AGO.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                held = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, held)
            new.writestr(zipfile.ZipInfo(entry.filename, ZIP_TIME), held, zipfile.ZIP_DEFLATED)
    return same.getvalue()
