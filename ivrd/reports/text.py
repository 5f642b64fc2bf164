"""A document on a terminal.

Here: tables by rich. Plots are left out: their numbers are in the tables. A number is never cut: a
table that is wider than the terminal goes on below with its other columns, as on paper.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ivrd.reports.document import Block, Document, Grid, Heading, Notes, Plot, Terms

WIDTH_MAX = 250
"""Characters of a line that tables are measured in."""


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
            yield FittingGrid(block)
        case Notes():
            for line in block.lines:
                yield Text(f"! {line}" if block.is_warning else line)
        case Plot() | Terms():
            pass


class FittingGrid:
    """One grid in as many tables as the terminal's width asks for."""

    def __init__(self, grid: Grid) -> None:
        """Take it; its width is known when it is printed."""
        self._grid = grid

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return how wide it is in one table."""
        return console.measure(self._table(range(len(self._grid.columns))), options=options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yield its tables."""
        wide = options.update(width=WIDTH_MAX)
        shown: list[int] = []
        for place in range(len(self._grid.columns)):
            wider = [*shown, place]
            needed = console.measure(self._table(wider), options=wide).maximum
            if shown and needed > options.max_width:
                yield self._table(shown)
                wider = [place]
            shown = wider
        yield self._table(shown)

    def _table(self, places: Sequence[int]) -> Table:
        """Return a table with some of the columns."""
        grid = self._grid
        title = grid.title if not places or places[0] == 0 else None
        table = Table(title=None if title is None else escape(title), title_justify="left")
        has_formulas = any(row.formula for row in grid.rows)
        table.add_column(escape(grid.corner), no_wrap=True)
        if has_formulas:
            table.add_column("", style="dim", no_wrap=True)
        for place in places:
            column = grid.columns[place]
            note = f"\n{column.note}" if column.note else ""
            # A head may take another line; a number may not.
            width = max((len(row.cells[place]) for row in grid.rows), default=0)
            table.add_column(escape(column.title + note), justify="right", min_width=width)
        for row in grid.rows:
            formula = [escape(row.formula)] if has_formulas else []
            style = "bold" if row.is_total or row.is_main else "dim" if row.is_beside else None
            cells = [escape(row.cells[place]) for place in places]
            table.add_row(escape(row.title), *formula, *cells, style=style)
        return table
