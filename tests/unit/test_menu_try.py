"""`ivrd menu try` and `show` on the sample: a call on paper, the tree, the picture."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from ivrd import config
from ivrd.cli_menu import cli
from ivrd.config import Config
from ivrd.errors import ConfigError
from ivrd.menu_svg import menu_svg
from ivrd.menu_tree import menu_tree

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "config" / "ivrd.toml"

WORKDAY = "2027-06-23 10.15"
"""A Wednesday in summer, after the weekly meeting."""
MEETING = "2027-06-23 9.15"
MIDSUMMER_EVE = "2027-06-25 10.15"

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def settings() -> Config:
    return config.load(SAMPLE, with_secrets=False)


def menu(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, [*words, "--config", str(SAMPLE)], input=typed)


def tried(line: str, at: str, keys: str | None, *more: str, typed: str = "") -> Result:
    row = [] if keys is None else ["--keys", keys]
    return menu("try", line, "--at", at, "--sounds", "/nowhere", *row, *more, typed=typed)


def steps(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


ENDS = {
    ("kommunen", WORKDAY, ""): ("queue", "kc", "sv"),
    ("kommunen", WORKDAY, "1"): ("queue", "vaxel", "sv"),
    ("kommunen", WORKDAY, "2 1"): ("queue", "va", "sv"),
    ("kommunen", WORKDAY, "2 2 0"): ("queue", "kc", "sv"),
    ("kommunen", WORKDAY, "9 3 2 1"): ("queue", "va", "fi"),
    ("kommunen", WORKDAY, "-1"): ("queue", "vaxel", "sv"),
    ("kommunen", WORKDAY, "9x"): ("hung_up", "sprak", "sv"),
    ("kommunen", MEETING, ""): ("queue", "uppsamling", "sv"),
    ("kommunen", MIDSUMMER_EVE, ""): ("closed", "kommunen", "sv"),
    ("kommunen", "2027-06-23 7.59:59", ""): ("closed", "kommunen", "sv"),
    ("kommunen", "2027-06-23 8.00", ""): ("queue", "kc", "sv"),
    ("kommunen", "2027-06-23 15.59:59", ""): ("queue", "kc", "sv"),
    ("kommunen", "2027-06-23T16:00:00", ""): ("closed", "kommunen", "sv"),
    ("internt", MIDSUMMER_EVE, ""): ("queue", "uppsamling", "sv"),
    ("internt", MIDSUMMER_EVE, "1"): ("queue", "vaxel", "sv"),
    ("0846500420", "2027-06-26 11", ""): ("closed", "aldre-direkt", "sv"),
    ("0846500420", "2027-06-27 11", ""): ("queue", "aldre", "sv"),
}


@pytest.mark.parametrize(("line", "at", "keys"), ENDS)
def test_a_row_of_keys_ends_there(line: str, at: str, keys: str) -> None:
    end = steps(tried(line, at, keys, "--json"))[-1]
    assert (end["end"], end["name"], end["language"]) == ENDS[line, at, keys]


def heard(result: Result) -> list[tuple[object, object]]:
    return [(one["prompt"], one["text_language"]) for one in steps(result) if "prompt" in one]


def test_json_says_what_is_heard_and_where_the_sound_is() -> None:
    result = tried("kommunen", WORKDAY, "9 4 2 2 1", "--json")
    assert heard(result) == [
        ("huvudmeny", "sv"),
        ("sprakval", "all"),
        ("huvudmeny", "so"),
        ("va-meny", "so"),
        ("oppettider-atervinning", "en"),
        ("va-meny", "so"),
    ]
    first = next(one for one in steps(result) if "prompt" in one)
    assert first["sound"] == "/nowhere/sv/ivrd/huvudmeny.wav"
    assert str(first["text"]).startswith("Välkommen till kommunen.")


def test_what_is_otherwise_for_a_try() -> None:
    result = tried(
        "avfall",
        MIDSUMMER_EVE,
        "",
        "--json",
        "--forced",
        "open",
        "--notice",
        "driftstorning",
        "--language",
        "fi",
        "--slow",
    )
    assert heard(result) == [("driftstorning", "fi"), ("va-meny", "fi")]
    assert steps(result)[-1]["is_slow"] is True
    closed = tried("avfall", WORKDAY, "", "--json", "--forced", "closed")
    assert steps(closed)[-1]["end"] == "closed"


def test_a_person_reads_a_whole_call() -> None:
    result = tried("kommunen", MEETING, "2 7 0 -")
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "kommunen, 0846500400: Wednesday 23 June 2027, 9.15",
        "  The line is open, its group in a meeting (Arbetsplatsträff), until 10.00.",
        "  Queue kc is in a meeting (Arbetsplatsträff), until 10.00.",
        "♪ huvudmeny (menu, sv, about 22 s)",
    ]
    assert "→ Key 2: menu va" in lines
    assert "♪ fel-knapp (wrong key, sv, about 2 s)" in lines
    assert "→ Key 0: back" in lines
    assert "→ Silence: queue kc (Kontaktcenter)" in lines
    assert lines[-1] == "■ Waits in queue uppsamling (Uppsamling). Language sv."
    assert max(map(len, lines)) <= 100


def test_a_person_types_key_by_key() -> None:
    result = tried("kommunen", WORKDAY, None, typed="a\n9\n2\n\n7\n1\n\n")
    assert result.exit_code == 0
    told = [line for line in result.stdout.splitlines() if line[:1] in "→■"]
    assert told == [
        "→ Key 9: menu sprak",
        "→ Key 2: speaks en from now on",
        "→ Silence: queue kc (Kontaktcenter)",
        "→ Key 1 while waiting: queue vaxel (Växel)",
        "■ Waits in queue vaxel (Växel). Language en.",
    ]
    assert "No key of a telephone: a" in result.stderr
    assert "No key here: 7" in result.stderr


def test_the_end_of_what_is_typed_is_a_hang_up() -> None:
    assert "■ The caller hung up in huvudmeny." in tried("internt", WORKDAY, None).stdout


def test_an_unfinished_key_is_ended_by_enter(tmp_path: Path) -> None:
    document = SAMPLE.read_text(encoding="utf-8").replace(
        "choices = { 1 = ", 'choices = { 112 = "kc", 1 = ', 1
    )
    (tmp_path / "prompts.toml").write_bytes((SAMPLE.parent / "prompts.toml").read_bytes())
    (tmp_path / "ivrd.toml").write_text(document, encoding="utf-8")
    words = ["try", "internt", "--at", WORKDAY, "--config", str(tmp_path / "ivrd.toml")]
    result = CliRunner().invoke(cli, words, input="1\n\n")
    assert "  1 so far; 3 s of silence end it" in result.stdout
    assert result.stdout.splitlines()[-1] == "■ Waits in queue vaxel (Växel). Language sv."


WRONG = {
    "no line is named or numbered 'komunen'": ("komunen", WORKDAY, ""),
    "--at: 'i morgon' is no time": ("kommunen", "i morgon", ""),
    "--at: '2027-06-25 25.00' is no time": ("kommunen", "2027-06-25 25.00", ""),
    "--keys: no keys of a telephone: a": ("kommunen", WORKDAY, "a"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_cannot_be_tried_is_said(fault: str) -> None:
    result = tried(*WRONG[fault])
    assert isinstance(result.exception, ConfigError)
    assert fault in str(result.exception)


@pytest.mark.parametrize("option", ["--notice", "--language"])
def test_an_unknown_circumstance_is_said(option: str) -> None:
    result = tried("kommunen", WORKDAY, "", option, "xx")
    assert isinstance(result.exception, ConfigError)
    assert option in str(result.exception)


# Check.


def test_the_check_of_the_sample_passes() -> None:
    result = menu("check", "--sounds", "/nowhere")
    assert result.exit_code == 0
    assert "0 faults" in result.stdout


def test_the_check_fails_for_a_fault(tmp_path: Path) -> None:
    document = SAMPLE.read_text(encoding="utf-8").replace("slow_factor = 2 ", "slow_factor = 1 ")
    (tmp_path / "prompts.toml").write_bytes((SAMPLE.parent / "prompts.toml").read_bytes())
    (tmp_path / "ivrd.toml").write_text(document, encoding="utf-8")
    words = ["check", "--sounds", "/nowhere", "--config", str(tmp_path / "ivrd.toml")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 1
    assert result.stdout.startswith("fault: menus[0].choices.8: key 8 of menu huvudmeny asks for")
    told = [
        json.loads(line) for line in CliRunner().invoke(cli, [*words, "--json"]).stdout.splitlines()
    ]
    assert (told[0]["severity"], told[0]["place"]) == ("fault", "menus[0].choices.8")


# Show.


def test_the_tree_shows_each_key_and_each_menu_once(settings: Config) -> None:
    tree = menu_tree(settings, settings.lines)
    assert (
        "    ├── 2 → menu va, says va-meny\n    │   ├── 1 → queue va (Vatten och avfall)\n" in tree
    )
    assert "└── open (avfall) → menu va (above)" in tree
    for one in settings.menus:
        assert tree.count(f"says {one.prompt}\n") == 1
    for queue in settings.queues:
        assert f"\nqueue {queue.name} (" in tree


def test_one_line_is_shown_alone() -> None:
    result = menu("show", "avfall")
    assert result.stdout.startswith("line avfall: 0846500410, sv\n")
    assert "huvudmeny" not in result.stdout
    assert "kommunen" not in result.stdout
    assert isinstance(menu("show", "nobody").exception, ConfigError)


def cards(root: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    return [
        (x, y, x + width, y + height)
        for one in root.iter(f"{SVG}rect")
        if one.get("class") in ("line", "menu", "queue")
        for x, y, width, height in [
            [float(one.attrib[key]) for key in ("x", "y", "width", "height")]
        ]
    ]


@pytest.mark.parametrize("names", [(), ("avfall",), ("aldre-direkt",), ("internt", "avfall")])
def test_no_card_of_the_picture_lies_on_another(settings: Config, names: Sequence[str]) -> None:
    lines = [line for line in settings.lines if not names or line.name in names]
    root = ElementTree.fromstring(menu_svg(settings, lines))
    found = cards(root)
    assert len(found) >= 2
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
            assert apart, (one, other)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert all(right < width and bottom < height for _, _, right, bottom in found)


def test_texts_of_the_picture_stay_in_their_cards(settings: Config) -> None:
    root = ElementTree.fromstring(menu_svg(settings, settings.lines))
    found = cards(root)
    rows = [
        (float(one.attrib["x"]), float(one.attrib["y"]), one.text or "")
        for one in root.iter(f"{SVG}text")
    ]
    for x, y, text in rows:
        (inside,) = (card for card in found if card[0] < x < card[2] and card[1] < y < card[3])
        assert x + 7.9 * len(text) < inside[2], text
    for (x, y, text), (next_x, next_y, _) in pairwise(rows):
        assert y != next_y or x + 7.9 * len(text) < next_x, text


def test_an_edge_leads_from_each_row_to_a_menu_beside_it(settings: Config) -> None:
    edges = re.findall('class="edge"', menu_svg(settings, settings.lines))
    assert len(edges) == 4, "kommunen and internt to huvudmeny; huvudmeny to va and sprak"


def test_the_picture_is_written(tmp_path: Path) -> None:
    result = menu("show", "--svg", str(tmp_path / "tree.svg"))
    assert result.exit_code == 0
    assert (tmp_path / "tree.svg").read_text(encoding="utf-8").startswith("<svg ")
