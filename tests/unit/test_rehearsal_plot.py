"""The plot of a rehearsal: what a screen reader, a browser and rsvg-convert make of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ivrd.core.effects import Disposition
from ivrd.core.ids import CallId, Interface, QueueName, SystemName
from ivrd.core.rehearsal_day import ObservedDay
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.core.visits import Visit, VisitStay
from ivrd.errors import ConfigError, PeerUnreachable
from ivrd.rehearsal_plot import check_plot, plot, write_plot
from ivrd.rehearse import Rehearsed, rehearse_days

KC, VAXEL = QueueName("kc"), QueueName("vaxel")
NINE = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def visit(number: int) -> Visit:
    """Return a visit that is moved after two minutes, and answered after three."""
    came = NINE + timedelta(minutes=number)
    moved, answered = came + timedelta(minutes=2), came + timedelta(minutes=3)
    return Visit(
        call_id=CallId(f"pbx1/{number}"),
        stays=(
            VisitStay(queue=VAXEL, joined_at=came, left_at=moved, disposition=Disposition.MOVED),
            VisitStay(
                queue=KC,
                joined_at=moved,
                left_at=answered,
                disposition=Disposition.ANSWERED,
                interface=Interface("anna"),
                talk=timedelta(seconds=20),
            ),
        ),
    )


@pytest.fixture
def rehearsed() -> Rehearsed:
    queues = {
        name: QueueRules(
            name=name,
            role=Role.GUIDE,
            service_level_threshold=timedelta(seconds=60),
            short_abandon=timedelta(seconds=5),
            department=None,
        )
        for name in (VAXEL, KC)
    }
    floor = FloorRules(queues=queues, overflow=(), case_rule="resolved")
    day = ObservedDay(system=SystemName("pbx1"), visits=tuple(visit(n) for n in range(9)))
    return rehearse_days([day], in_force=floor, tried=floor, seed=1, draws=1)


def drawn(rehearsed: Rehearsed) -> str:
    titles = {VAXEL: "Växel <1>", KC: "Kontaktcenter"}
    return plot(rehearsed, titles, rule_name="a&b.toml", zone=UTC)


def test_a_plot_speaks_to_a_screen_reader(rehearsed: Rehearsed) -> None:
    root = ElementTree.fromstring(drawn(rehearsed))
    assert root.get("role") == "img"
    description = root.findtext(f"{SVG}desc")
    assert description is not None
    assert "Växel <1> 2" in description
    assert "9 moves" in description


def test_what_happened_and_both_models_have_a_panel_each(rehearsed: Rehearsed) -> None:
    texts = [text.text for text in ElementTree.fromstring(drawn(rehearsed)).iter(f"{SVG}text")]
    heads = [text for text in texts if text is not None and " / " in text and "moved" not in text]
    assert len(heads) == 3
    assert heads[-1].endswith("a&b.toml")
    assert "08.00" in texts


def test_a_plot_has_a_mark_for_the_moves_that_happened(rehearsed: Rehearsed) -> None:
    marks = ElementTree.fromstring(drawn(rehearsed)).findall(f"{SVG}path[@class='move c0']")
    # The rules that the models play move nobody.
    assert [mark.get("d", "").count("M") for mark in marks] == [9]


def test_a_plot_is_of_a_kind_we_can_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_plot(tmp_path / "a.svg")
    with pytest.raises(ConfigError, match=r"\.svg or \.png"):
        check_plot(tmp_path / "a.jpg")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PeerUnreachable, match="librsvg2-bin"):
        check_plot(tmp_path / "a.png")


def test_a_png_is_made_of_the_svg_by_rsvg_convert(
    rehearsed: Rehearsed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stand-in: what it is given comes out again, after a PNG's first bytes.
    converter = tmp_path / "rsvg-convert"
    converter.write_text("#!/bin/sh\nprintf '\\211PNG'\n/bin/cat\n", encoding="utf-8")
    converter.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    svg = drawn(rehearsed)
    write_plot(tmp_path / "a.png", svg)
    assert (tmp_path / "a.png").read_bytes() == b"\x89PNG" + svg.encode()
