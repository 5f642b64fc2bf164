"""A report in a terminal: a table that is too wide goes on below, and no number is cut."""

import io

import pytest
from rich.console import Console

from ivrd.reports.document import Column, Document, Grid, Row
from ivrd.reports.text import as_text

AMOUNTS = [f"{number} 119 761,34" for number in range(6)]
GRID = Grid(
    title="Kostnad",
    corner="Förvaltning",
    columns=[
        Column(title=f"Post {number}", note="fast, efter 2026 års nyckel") for number in range(6)
    ],
    rows=[Row(title="Kultur- och fritidsförvaltningen", formula="cost", cells=AMOUNTS)],
)


def printed(width: int) -> str:
    document = Document(
        title="t", subtitle="s", facts=[], language="sv", blocks=[GRID], data=[], formulas=[]
    )
    console = Console(width=width, file=io.StringIO())
    console.print(as_text(document))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "tables"), [(250, 1), (80, 6), (60, 6)])
def test_every_number_stands_there_whole_once(width: int, tables: int) -> None:
    shown = printed(width)
    assert "…" not in shown
    assert [shown.count(amount) for amount in AMOUNTS] == [1] * len(AMOUNTS)
    assert shown.count("Kultur- och fritidsförvaltningen") == tables
    assert shown.count("Kostnad") == 1
