"""The floor in terminals of every width: a figure stands there whole, or not at all."""

import io
from collections.abc import Mapping
from datetime import UTC

import pytest
from rich.console import Console

from ivrd.status_table import LEAST_FIRST, table


def a_queue(title: str, *, waiting: int) -> Mapping[str, object]:
    return {
        "queue": title.lower(),
        "title_sv": title,
        "is_synced": True,
        "waiting": waiting,
        "longest_wait_s": 734.0,
        "service_level_threshold_s": 60.0,
        "expected_wait_s": 1035.0,
        "members": {"available": 1, "busy": 23, "paused": 12},
        "counts": {
            "offered": 1234,
            "answered": 1101,
            "abandoned": 97,
            "moved_in": 12,
            "moved_out": 34,
            "cases": 801,
        },
        "service_levels": {"sl": {"value": 1.0, "formula": "answered within T / answered"}},
        "at": "2026-11-22T08:00:00+00:00",
        "counted_since": None,
    }


def printed(width: int) -> str:
    queues = [a_queue("Vatten och avfall", waiting=12), a_queue("Växel", waiting=3)]
    console = Console(width=width, file=io.StringIO())
    console.print(table({"queues": queues, "lines": [], "faults": []}, UTC))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [120, 80, 72, 60, 50, 40])
def test_who_waits_how_long_and_the_agents_are_never_cut(width: int) -> None:
    shown = printed(width)
    assert "…" not in shown
    row = next(line for line in shown.splitlines() if line.startswith("Växel"))
    figures = row.split()
    assert figures[1:4] == ["3", "12:14", "!"]
    assert "1/23/12" in figures
    whole = {"17:15", "1234", "1101", "97", "12/34", "801", "100%"}
    assert set(figures[4:]) - {"1/23/12"} <= whole
    hidden = "för smalt för" in shown
    assert hidden == (set(figures[4:]) - {"1/23/12"} < whole)


def test_a_terminal_of_80_characters_has_room_for_all_though_a_name_is_long() -> None:
    assert "för smalt" not in printed(80)
    assert len(LEAST_FIRST) == len(set(LEAST_FIRST))
