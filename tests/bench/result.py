"""What a measurement gives: rows of figures, a ratio or difference, and the goal beside it.

Here: plain values and their text. Not here: measuring.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

NAME_WIDTH = 46
COLUMN_WIDTH = 11


class BenchError(Exception):
    """A measurement is worth nothing: calls were lost, or the numbers do not add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table."""

    name: str
    unit: str
    figures: Mapping[str, float]
    """By column, such as min, median and max."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one measurement came to."""

    key: str
    title: str
    rows: Sequence[Row]
    """Both sides, what is between them, and more where it helps."""
    figure: float
    """The one that the goal is about."""
    goal: str
    is_met: bool
    notes: Sequence[str] = ()
    """What was measured, in which way, and how much of it."""

    def lines(self) -> list[str]:
        """Return the text for people."""
        verdict = "met" if self.is_met else "NOT met"
        head = [f"({self.key}) {self.title}", f"    goal {self.goal}: {self.figure:.2f}, {verdict}"]
        table: list[str] = []
        columns: tuple[str, ...] = ()
        for row in self.rows:
            if tuple(row.figures) != columns:
                columns = tuple(row.figures)
                names = "".join(column.rjust(COLUMN_WIDTH) for column in columns)
                table.append(f"    {'':{NAME_WIDTH}}{names}")
            cells = "".join(_number(figure).rjust(COLUMN_WIDTH) for figure in row.figures.values())
            table.append(f"    {row.name:{NAME_WIDTH}}{cells}  {row.unit}")
        return [*head, *table, *(f"    - {note}" for note in self.notes)]

    def as_json(self) -> dict[str, object]:
        """Return the same for programs."""
        return asdict(self)


def spread_row(name: str, unit: str, values: Sequence[float]) -> Row:
    """Return the row of a figure that was measured several times."""
    figures = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return Row(name=name, unit=unit, figures=figures)


def tail_row(name: str, unit: str, values: Sequence[float]) -> Row:
    """Return the row of a time that each of many calls took."""
    figures = {
        "median": statistics.median(values),
        "p99": percentile(values, 99),
        "max": max(values),
    }
    return Row(name=name, unit=unit, figures=figures)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent of the values do not exceed.

    >>> percentile(range(1, 101), 99), percentile([3.0], 99)
    (99, 3.0)
    """
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.2f}"
