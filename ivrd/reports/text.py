"""A document on a terminal.

Here: tables by rich. Plots are left out: their numbers are in the tables.
"""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ivrd.reports.document import Block, Document, Grid, Heading, Notes, Plot, Terms


def as_text(document: Document) -> RenderableType:
    """Return what to print."""
    return Group(*_parts(document))


def _parts(document: Document) -> Iterator[RenderableType]:
    yield Text(f"{document.title}, {document.subtitle}", style="bold")
    for word, value in document.facts:
        yield Text(f"{word}: {value}")
    for block in document.blocks:
        yield from _block(block)


def _block(block: Block | Heading) -> Iterator[RenderableType]:
    match block:
        case Heading():
            yield Text(f"\n{block.title}", style="bold")
            if block.text:
                yield Text(block.text)
        case Grid():
            yield Text("")
            yield _table(block)
        case Notes():
            for line in block.lines:
                yield Text(f"! {line}" if block.is_warning else line)
        case Plot() | Terms():
            pass


def _table(grid: Grid) -> Table:
    table = Table(title=escape(grid.title), title_justify="left")
    has_formulas = any(row.formula for row in grid.rows)
    table.add_column(escape(grid.corner), no_wrap=True)
    if has_formulas:
        table.add_column("", style="dim", no_wrap=True)
    for column in grid.columns:
        note = f"\n{column.note}" if column.note else ""
        table.add_column(escape(column.title + note), justify="right", no_wrap=True)
    for row in grid.rows:
        formula = [escape(row.formula)] if has_formulas else []
        style = "bold" if row.is_total or row.is_main else "dim" if row.is_beside else None
        table.add_row(escape(row.title), *formula, *map(escape, row.cells), style=style)
    return table
