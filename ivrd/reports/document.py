"""A report as it will be read, before anybody knows on what: its blocks, and its plain data.

Here: records. Not here: how they look on a terminal (text.py), on a page (html.py, pdf.py), or in
other programs (exports.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ivrd.core.period_figures import Value as FigureValue
from ivrd.sheets import Sheet

Language = Literal["sv", "en"]

Value = int | Fraction | timedelta | Decimal | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The head of a column."""

    title: str
    note: str = ""
    """Small print below it, such as the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table."""

    title: str
    cells: Sequence[str]
    formula: str = ""
    """The name of the formula; "" where the row is no figure."""
    is_total: bool = False
    is_main: bool = False
    """To be seen first."""
    is_beside: bool = False
    """Belongs to the row above: its figure in another period, or how it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One table."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    corner: str = ""
    """Above the titles of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One picture."""

    title: str
    svg: str
    """Without a head of its own; its words are for a screen reader too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the names of formulas mean."""

    title: str
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What the reader must know."""

    lines: Sequence[str]
    is_warning: bool = False


Block = Grid | Plot | Terms | Notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """Begins a part of the report."""

    title: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A number's own in the period before, and the change since."""

    period: str
    value: FigureValue
    """None: no value, or nobody knows."""
    change: FigureValue
    formula: str
    """The change's, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """One number for other programs."""

    table: str
    """Such as "queue"."""
    subject: str
    """Whose it is, by the configuration's name; "" for all together."""
    part: str
    """"external", "internal", or "all"."""
    period: str
    name: str
    """Of the figure, which is the formula's."""
    unit: str
    """"count", "share", "s", "kr"."""
    value: Value
    before: Before | None = None
    """None: not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    """What it rests on, as pairs of a word and a value."""
    language: Language
    blocks: Sequence[Block | Heading]
    data: Sequence[Datum]
    formulas: Sequence[tuple[str, str]] = field(default=())
    listing: Sheet | None = None
    """What the data rest on, one a row; None when nobody asked for it."""
