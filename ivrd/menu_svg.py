"""The menu tree as a picture: cards from left to right, lines first, then menus by depth.

Here: where each card stands, and the SVG. Not here: what stands in the cards (menu_tree.py).

Each menu is drawn once, where it is met first, and has a band of its own from its column to the
right, so no card lies on another and no edge crosses a card. Where a menu is met again, its row
only names it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ivrd.config import Config, LineConfig
from ivrd.menu_tree import (
    Row,
    line_rows,
    menu_rows,
    menus_of,
    queue_name,
    queue_rows,
    queues_seen,
)

MARGIN = 24
GUTTER = 64
"""Between columns; the edges run there."""
GAP = 22
"""Between cards."""
HEAD = 34
ROW = 26
PADDING = 12
LETTER = 7.9
"""Wider than the average letter of the 13 px font, so that texts stay in their cards."""

STYLE = """
    text { font: 13px "DejaVu Sans", Verdana, sans-serif; fill: #1b1f24; }
    .head { font-weight: bold; }
    .key { fill: #ffffff; stroke: #8c959f; }
    .page { fill: #ffffff; stroke: #d0d7de; }
    .line { fill: #eef2f6; stroke: #57606a; stroke-width: 1.5; }
    .menu { fill: #dcebff; stroke: #0b57a4; stroke-width: 1.5; }
    .queue { fill: #def3e1; stroke: #1a6b2c; stroke-width: 1.5; }
    .edge { fill: none; stroke: #0b57a4; stroke-width: 1.8; }
    .tip { fill: #0b57a4; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    kind: str
    title: str
    rows: tuple[Row, ...]
    column: int
    y: float

    @property
    def height(self) -> float:
        return HEAD + ROW * len(self.rows) + PADDING / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def key_width(self) -> float:
        return max((len(row.key) for row in self.rows), default=0) * LETTER + 2 * PADDING

    @property
    def width(self) -> float:
        rows = max((len(row.text) for row in self.rows), default=0) * LETTER
        head = len(self.title) * (LETTER + 1)
        return max(self.key_width + rows + 2 * PADDING, head) + 2 * PADDING

    def row_y(self, number: int) -> float:
        return self.y + HEAD + ROW * number + ROW / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """From a row to a card one column further."""

    source: _Card
    row: int
    target: _Card


class _Drawing:
    """The cards and edges, as they are placed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._menus = menus_of(config)
        self._placed: dict[str, _Card] = {}
        self.cards: list[_Card] = []
        self.edges: list[_Edge] = []

    def put_lines(self, lines: Sequence[LineConfig]) -> None:
        """Place every line: those of one menu beside it, and then those that need no more room."""
        below_lines = below_menus = float(MARGIN)
        rest = list(lines)
        while beginning := [line for line in rest if self._is_new(line)]:
            alike = [line for line in beginning if line.menu == beginning[0].menu]
            rest = [line for line in rest if line not in alike]
            y = max(below_lines, below_menus)
            below_lines, below_menus = self._put_band(alike, y)
        for line in rest:
            y = max(below_lines, below_menus) if line.closed_choice else below_lines
            below_lines, below = self._put_band([line], y)
            below_menus = max(below_menus, below)

    def _is_new(self, line: LineConfig) -> bool:
        return line.menu is not None and line.menu not in self._placed

    def put_queues(self, lines: Sequence[LineConfig]) -> None:
        """Place every queue in a column of its own at the right."""
        column = max(card.column for card in self.cards) + 1
        y = float(MARGIN)
        for queue in queues_seen(self._config, lines):
            rows = tuple(queue_rows(self._config, queue))
            title = queue_name(self._config, queue.name)
            y = self._put("queue", title, rows, column=column, y=y).bottom + GAP

    def _put_band(self, lines: Sequence[LineConfig], y: float) -> tuple[float, float]:
        """Place lines, and all that follows; return where next lines and menus may begin."""
        cards = []
        below_lines = below_menus = y
        for line in lines:
            rows = tuple(line_rows(self._config, line))
            title = f"line {line.name}, {line.number}"
            cards.append(self._put("line", title, rows, column=0, y=below_lines))
            below_lines = cards[-1].bottom + GAP
        for card in cards:
            below_menus = self._put_menus(card, below_menus)
        return below_lines, below_menus

    def _put_menus(self, card: _Card, y: float) -> float:
        """Place the menus that a card's rows lead to; return where the next one may begin."""
        for number, row in enumerate(card.rows):
            if row.menu is None:
                continue
            known = self._placed.get(row.menu)
            if known is None:
                menu = self._menus[row.menu]
                rows = tuple(menu_rows(self._config, menu))
                title = f"menu {menu.name}"
                known = self._put("menu", title, rows, column=card.column + 1, y=y)
                self._placed[menu.name] = known
                y = max(known.bottom + GAP, self._put_menus(known, y))
            if known.column == card.column + 1:
                self.edges.append(_Edge(source=card, row=number, target=known))
        return y

    def _put(self, kind: str, title: str, rows: tuple[Row, ...], *, column: int, y: float) -> _Card:
        card = _Card(kind=kind, title=title, rows=rows, column=column, y=y)
        self.cards.append(card)
        return card


def menu_svg(config: Config, lines: Sequence[LineConfig]) -> str:
    """Return the picture of some lines: same configuration, same bytes."""
    drawing = _Drawing(config)
    drawing.put_lines(lines)
    drawing.put_queues(lines)
    widths = [
        max((card.width for card in drawing.cards if card.column == column), default=0.0)
        for column in range(max(card.column for card in drawing.cards) + 1)
    ]
    lefts = [MARGIN + sum(widths[:number]) + GUTTER * number for number in range(len(widths))]
    width = lefts[-1] + widths[-1] + MARGIN
    height = max(card.bottom for card in drawing.cards) + MARGIN
    parts = [
        *_opening(width, height, lines),
        *(part for edge in drawing.edges for part in _edge(edge, lefts, widths)),
        *(part for card in drawing.cards for part in _card(card, lefts, widths)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _opening(width: float, height: float, lines: Sequence[LineConfig]) -> Iterator[str]:
    names = ", ".join(line.name for line in lines)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        ' role="img" aria-labelledby="title desc">'
    )
    yield '  <title id="title">The menus, line by line</title>'
    yield (
        f'  <desc id="desc">Lines {escape(names)}: where each key, silence and failure leads. '
        "The same as text: ivrd menu show.</desc>"
    )
    yield f"  <style>{STYLE}  </style>"
    yield (
        '  <defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path class="tip" d="M0 0 L10 5 L0 10 z"/></marker></defs>'
    )
    yield f'  <rect class="page" x="1" y="1" width="{width - 2:.0f}" height="{height - 2:.0f}"/>'


def _edge(edge: _Edge, lefts: Sequence[float], widths: Sequence[float]) -> Iterator[str]:
    column = edge.source.column
    x, y = lefts[column] + widths[column], edge.source.row_y(edge.row)
    to_x, to_y = lefts[column + 1], edge.target.y + HEAD / 2
    middle = (x + to_x) / 2
    yield (
        f'  <path class="edge" marker-end="url(#tip)" d="M{x:.0f} {y:.0f} '
        f'C{middle:.0f} {y:.0f} {middle:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"/>'
    )


def _card(card: _Card, lefts: Sequence[float], widths: Sequence[float]) -> Iterator[str]:
    x, width = lefts[card.column], widths[card.column]
    yield (
        f'  <rect class="{card.kind}" x="{x:.0f}" y="{card.y:.0f}" width="{width:.0f}"'
        f' height="{card.height:.0f}" rx="6"/>'
    )
    yield _text("head", x + PADDING, card.y + HEAD / 2, card.title)
    key_width = card.key_width
    for number, row in enumerate(card.rows):
        y = card.row_y(number)
        yield (
            f'  <rect class="key" x="{x + PADDING:.0f}" y="{y - ROW / 2 + 2:.0f}"'
            f' width="{key_width:.0f}" height="{ROW - 4}" rx="4"/>'
        )
        yield _text("", x + 2 * PADDING, y, row.key)
        yield _text("", x + key_width + 2 * PADDING, y, row.text)


def _text(kind: str, x: float, y: float, text: str) -> str:
    words = f' class="{kind}"' if kind else ""
    return f'  <text{words} x="{x:.0f}" y="{y + 4.5:.1f}">{escape(text)}</text>'
