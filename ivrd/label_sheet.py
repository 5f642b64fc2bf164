"""The labels on a sheet for the guide's desk: one card per department, and how to press a code.

Here: where each card stands, and the SVG, which prints on one page. Not here: the tree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from ivrd.config import LabelsConfig
from ivrd.core.labels import HALF_HELPED_KEY, Department, LabelTree

Language = Literal["sv", "en"]

COLUMNS = 3
WIDTH = 380
GAP = 16
MARGIN = 28
TOP = 128
HEAD = 36
ROW = 24
LETTERS_MAX = 40
"""So many of the 13 px font stand beside a code in a card."""

STYLE = """
    text { font: 13px "DejaVu Sans", Verdana, sans-serif; fill: #1b1f24; }
    .title { font-size: 24px; font-weight: bold; }
    .how { font-size: 15px; }
    .head { font-weight: bold; fill: #ffffff; }
    .code { font: bold 15px "DejaVu Sans Mono", monospace; fill: #0b3d75; }
    .page { fill: #ffffff; }
    .card { fill: #ffffff; stroke: #57606a; stroke-width: 1.2; }
    .band { fill: #0b3d75; }
    .odd { fill: #eef2f6; }
"""


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    how: str
    half: str
    desc: str


def _words(labels: LabelsConfig, language: Language) -> _Words:
    code, seconds = labels.feature_code, labels.after_call_s
    if language == "en":
        return _Words(
            title="Labels by telephone",
            how=f"During the call: {code} and the code. "
            f"After the call: the code, within {seconds} seconds of the tone.",
            half=f"Half helped, handed on: {HALF_HELPED_KEY} before the code.",
            desc="Each department's subjects with their codes on the telephone.",
        )
    return _Words(
        title="Etiketter på telefonen",
        how=f"Under samtalet: {code} och koden. "
        f"Efter samtalet: koden, inom {seconds} sekunder efter tonen.",
        half=f"Halvt hjälpt och kopplad vidare: {HALF_HELPED_KEY} före koden.",
        desc="Varje förvaltnings ämnen med deras koder på telefonen.",
    )


def label_sheet(tree: LabelTree, labels: LabelsConfig, *, language: Language = "sv") -> str:
    """Return the sheet as SVG: the subjects that have a code on the telephone."""
    words = _words(labels, language)
    columns = _columns([each for each in tree.departments if _rows(each, language)], language)
    height = max((bottom for _, _, bottom in _placed(columns, language)), default=TOP) + MARGIN
    width = 2 * MARGIN + COLUMNS * WIDTH + (COLUMNS - 1) * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="title desc" lang="{language}">',
        f'<title id="title">{escape(words.title)}</title>',
        f'<desc id="desc">{escape(words.desc)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text class="title" x="{MARGIN}" y="46">{escape(words.title)}</text>',
        f'<text class="how" x="{MARGIN}" y="76">{escape(words.how)}</text>',
        f'<text class="how" x="{MARGIN}" y="102">{escape(words.half)}</text>',
    ]
    for number, (department, top, _) in enumerate(_placed(columns, language)):
        x = MARGIN + _column_of(columns, number) * (WIDTH + GAP)
        parts += _card(department, x=x, y=top, language=language)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(department: Department, language: Language) -> list[tuple[str, str]]:
    return [
        (subject.phone_code, subject.name_sv if language == "sv" else subject.name_en)
        for subject in department.subjects
        if subject.phone_code
    ]


def _height(department: Department, language: Language) -> int:
    return HEAD + ROW * len(_rows(department, language)) + 6


def _columns(departments: Sequence[Department], language: Language) -> list[list[Department]]:
    """Return the departments by column, in order from top to bottom, about equally high."""
    rest = sum(_height(each, language) for each in departments)
    columns: list[list[Department]] = [[] for _ in range(COLUMNS)]
    column, filled = 0, 0
    for each in departments:
        height = _height(each, language)
        share = rest / (COLUMNS - column)
        if columns[column] and column < COLUMNS - 1 and filled + height / 2 > share:
            rest -= filled
            column, filled = column + 1, 0
        columns[column].append(each)
        filled += height
    return columns


def _placed(
    columns: Sequence[Sequence[Department]], language: Language
) -> Iterator[tuple[Department, int, int]]:
    """Yield each department with the top and the bottom of its card."""
    for column in columns:
        top = TOP
        for each in column:
            bottom = top + _height(each, language)
            yield each, top, bottom
            top = bottom + GAP


def _column_of(columns: Sequence[Sequence[Department]], number: int) -> int:
    for column, departments in enumerate(columns):
        if number < len(departments):
            return column
        number -= len(departments)
    raise AssertionError("each card stands in a column")


def _card(department: Department, *, x: int, y: int, language: Language) -> Iterator[str]:
    name = department.name_sv if language == "sv" else department.name_en
    rows = _rows(department, language)
    yield f'<rect class="band" x="{x}" y="{y}" width="{WIDTH}" height="{HEAD - 6}"/>'
    yield f'<text class="head" x="{x + 12}" y="{y + 20}">{escape(name)}</text>'
    for number, (code, text) in enumerate(rows):
        top = y + HEAD - 6 + ROW * number
        if number % 2:
            yield f'<rect class="odd" x="{x}" y="{top}" width="{WIDTH}" height="{ROW}"/>'
        yield f'<text class="code" x="{x + 12}" y="{top + 17}">{code}</text>'
        short = text if len(text) <= LETTERS_MAX else text[: LETTERS_MAX - 1] + "…"
        yield f'<text x="{x + 56}" y="{top + 17}">{escape(short)}</text>'
    height = _height(department, language) - 6
    yield (
        f'<rect class="card" fill-opacity="0" x="{x}" y="{y}" width="{WIDTH}" height="{height}"/>'
    )
