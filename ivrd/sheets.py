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
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

RISKY = ("=", "+", "-", "@", "\t", "\r")
"""At the beginning of a text: a spreadsheet would calculate it."""

TITLE_MAX = 31
"""Excel refuses longer names of sheets."""

TITLE_REFUSED = re.compile(r"[\[\]:*?/\\]")

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""XML 1.0 cannot hold them."""

WIDTH_MIN, WIDTH_MAX = 9, 60
"""Characters of a column."""

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
        for number, width in enumerate(_widths(sheet.head, rows), start=1):
            page.column_dimensions[get_column_letter(number)].width = width
        page.append([_head(page, text) for text in sheet.head])
        for row in rows:
            page.append([_cell(page, value) for value in row])
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


def _head(page: object, text: str) -> WriteOnlyCell:
    cell = _cell(page, text)
    cell.font = Font(bold=True)
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


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
        widths.append(min(WIDTH_MAX, max(WIDTH_MIN, longest + 2, len(text) // 2 + 2)))
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
