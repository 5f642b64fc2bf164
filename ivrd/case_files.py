"""Cases as files for other programs: CSV and JSON page by page, XLSX as one workbook.

Here: which columns, and their form. Not here: the file formats (sheets.py), and who may have them.

The same columns everywhere, by stable English names; the caller's key is in none of them. Moments
are UTC in ISO 8601.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from datetime import datetime
from enum import Enum, StrEnum

from ivrd.case_errors import CaseRefused
from ivrd.case_words import FIELDS
from ivrd.core.case_record import Case, Change
from ivrd.core.case_search import CaseHistory
from ivrd.sheets import Cell, Sheet, as_csv, as_xlsx

ROWS_PER_PART = 500

XLSX_ROWS_MAX = 100_000
"""A workbook is made in memory, some 2 kB a row; who needs more takes CSV."""

COLUMNS = ("system", "call_id", *FIELDS, "is_handed_on", "is_from_journal", "answered_at")
"""Of an export, in this order."""


class FileForm(StrEnum):
    """What cases can be exported as."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"
    """One object a line."""


async def exported(cases: AsyncIterator[Case], form: FileForm) -> AsyncGenerator[bytes, None]:
    """Yield a file in parts, the first at once; only a workbook waits for the last case.

    Raises:
        CaseRefused: More cases than a workbook can hold here.
    """
    match form:
        case FileForm.CSV:
            async for part in _csv(cases):
                yield part
        case FileForm.JSON:
            async for case in cases:
                yield (json.dumps(as_json(case), ensure_ascii=False) + "\n").encode()
        case FileForm.XLSX:
            rows = []
            async for case in cases:
                rows.append(_row(case))
                if len(rows) > XLSX_ROWS_MAX:
                    raise CaseRefused(
                        f"more than {XLSX_ROWS_MAX} cases: narrow the search, or take CSV"
                    )
            yield as_xlsx([Sheet(title="Ärenden", head=COLUMNS, rows=rows)])


def as_json(case: Case) -> dict[str, object]:
    """Return a case as an object for JSON."""
    return {name: _plain(getattr(case, name)) for name in COLUMNS}


def history_json(history: CaseHistory) -> dict[str, object]:
    """Return a case and its changes as an object for JSON."""
    return {
        **as_json(history.case),
        "changes": [_change_json(change) for change in history.changes],
    }


async def _csv(cases: AsyncIterator[Case]) -> AsyncIterator[bytes]:
    yield as_csv(Sheet(title="", head=COLUMNS))
    rows: list[list[Cell]] = []
    async for case in cases:
        rows.append(_row(case))
        if len(rows) == ROWS_PER_PART:
            yield _without_head(rows)
            rows = []
    if rows:
        yield _without_head(rows)


def _without_head(rows: list[list[Cell]]) -> bytes:
    _, _, rest = as_csv(Sheet(title="", head=("",), rows=rows)).partition(b"\r\n")
    return rest


def _row(case: Case) -> list[Cell]:
    return [_cell(getattr(case, name)) for name in COLUMNS]


def _cell(value: object) -> Cell:
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return plain if isinstance(plain, str | int) else None


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _change_json(change: Change) -> dict[str, object]:
    told = {name: _plain(value) for name, value in asdict(change).items()}
    told |= {"by": change.by.who, "from_where": change.by.origin.value}
    return told | {"before": json.loads(change.before), "after": json.loads(change.after)}
