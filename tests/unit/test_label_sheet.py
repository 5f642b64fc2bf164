"""`ivrd labels`: every code is on the sheet once, in one card of its department."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from ivrd import config
from ivrd.cli import cli
from ivrd.label_sheet import LETTERS_MAX, label_sheet
from ivrd.labels import label_tree

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "config" / "ivrd.toml"
SETTINGS = config.load(SAMPLE, with_secrets=False)
TREE = label_tree(SETTINGS.department)


def test_every_code_is_on_the_sheet_once_with_its_whole_name() -> None:
    sheet = label_sheet(TREE, SETTINGS.labels)
    codes = re.findall(r'class="code"[^>]*>(\d+)<', sheet)
    assert sorted(codes) == sorted(TREE.phone_codes)
    assert all(len(subject.name_sv) <= LETTERS_MAX for subject, _ in TREE), "none is cut"
    assert "*5 och koden" in sheet
    assert "*5 and the code" in label_sheet(TREE, SETTINGS.labels, language="en")


def test_no_card_lies_on_another() -> None:
    cards = [
        tuple(map(float, found))
        for found in re.findall(
            r'class="card"[^>]* x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"',
            label_sheet(TREE, SETTINGS.labels),
        )
    ]
    assert len(cards) == 9
    for number, (x, y, width, height) in enumerate(cards):
        for other_x, other_y, other_width, other_height in cards[number + 1 :]:
            is_beside = x + width <= other_x or other_x + other_width <= x
            is_above = y + height <= other_y or other_y + other_height <= y
            assert is_beside or is_above


def test_the_picture_in_the_docs_is_the_sheet_of_the_sample() -> None:
    shown = (REPOSITORY / "docs" / "pictures" / "label-sheet.svg").read_text(encoding="utf-8")
    assert shown == label_sheet(TREE, SETTINGS.labels)


def test_labels_are_printed_and_a_tree_is_needed(tmp_path: Path) -> None:
    told = CliRunner().invoke(cli, ["labels", "-c", str(SAMPLE), "--json"])
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert {"department": "teknisk", "label": "avfall", "phone_code": "52"}.items() <= rows[
        [row["label"] for row in rows].index("avfall")
    ].items()
    told = CliRunner().invoke(cli, ["labels", "-c", str(SAMPLE)])
    assert "Tekniska" in told.stdout
