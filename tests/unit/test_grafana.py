"""The dashboards are what the code makes, and look as people can read them."""

import json
from pathlib import Path

import pytest

from grafana.boards import BOARDS
from grafana.make import DIRECTORY, text_of
from grafana.panels import Board, Panel

WIDTH = 24
"""Grafana's grid."""


def panels() -> list[tuple[Board, Panel]]:
    return [(board, panel) for board in BOARDS for row in board.rows for panel in row.panels]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_file_is_what_the_code_makes(board: Board) -> None:
    path = DIRECTORY / f"{board.uid}.json"
    assert path.read_text(encoding="utf-8") == text_of(board), "run: python -m grafana.make"


def test_no_other_file_lies_there() -> None:
    files = {path.name for path in Path(DIRECTORY).iterdir()}
    assert files == {f"{board.uid}.json" for board in BOARDS}


def test_every_panel_says_its_formula_and_what_no_value_means() -> None:
    for board, panel in panels():
        assert panel.formula, (board.title, panel.title)
        assert panel.no_value not in ("", "0"), (board.title, panel.title)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_neither_overlap_nor_leave_the_grid(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(text_of(board))["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len(set(board.variables)) == len(board.variables)


def test_titles_are_all_different_on_a_board() -> None:
    for board in BOARDS:
        titles = [panel.title for row in board.rows for panel in row.panels]
        assert len(set(titles)) == len(titles)
