"""An explanation says what was decided, by whom, and by which figures."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from ivrd.core.decisions import DecidedKind, RecordDecision, figures_text
from ivrd.core.ids import CallId, LineName, QueueName, SystemName
from ivrd.core.overflow_conditions import Held
from ivrd.core.overflow_figures import CallerFigures, QueueFigures
from ivrd.core.overflow_rules import Figure
from ivrd.overflow_words import as_json, sentences

AT = datetime(2026, 11, 21, 13, 0, 3, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Stockholm")
CALL = CallId("pbx1/1772442000.1")


def a_queue(waiting: int, *, free: int = 0, longest_s: int | None = None) -> QueueFigures:
    return QueueFigures(
        at=AT,
        waiting=waiting,
        oldest_arrival_at=None if longest_s is None else AT - timedelta(seconds=longest_s),
        incoming=0,
        free_agents=free,
        serving_agents=4,
        expected_wait=None,
        counted_today=4 if waiting else 0,
        in_time_today=3 if waiting else 0,
    )


FIGURES = figures_text(
    held=(Held(figure=Figure.WAITING, level=12, limit=8),),
    source=a_queue(12, longest_s=200),
    target=a_queue(0, free=3),
    caller=CallerFigures(
        call_id=CALL,
        line=LineName("kommunen"),
        wait=timedelta(seconds=200),
        moves_asked=0,
        place_here=1,
        place_there=1,
        expected_here=timedelta(minutes=4),
        expected_there=None,
    ),
)


def a_decision(what: DecidedKind, **parts: object) -> RecordDecision:
    told: dict[str, object] = {
        "at": AT,
        "system": SystemName("pbx1"),
        "call_id": CALL,
        "what": what,
        "rule": "vaxel-kc",
        "from_queue": QueueName("vaxel"),
        "to_queue": QueueName("kc"),
        "is_dry_run": False,
        "is_by_hand": False,
        "who": "",
        "why": "",
        "figures": "{}",
    }
    return RecordDecision(**(told | parts))  # type: ignore[arg-type]


def told(*decisions: RecordDecision) -> list[str]:
    return list(sentences(CALL, decisions, ZONE))


def test_a_move_is_told_with_its_rule_and_figures() -> None:
    landed = a_decision(DecidedKind.LANDED, at=AT + timedelta(seconds=1))
    assert told(a_decision(DecidedKind.ASKED, figures=FIGURES), landed) == [
        "Samtal pbx1/1772442000.1, 2026-11-21",
        "14:00:03  Ska flyttas från vaxel till kc, av regeln vaxel-kc: väntande 12 (gräns 8).",
        "          Den som ringer: har väntat 3 min 20 s; plats 1 här, 1 där; beräknad väntan 4 min"
        " här, okänt där.",
        "          Regelns köer: 12 väntande, längst 3 min 20 s, 0 lediga av 4 i tjänst,"
        " svarsnivå i dag 75 %.",
        "          kc: 0 väntande, 3 lediga av 4 i tjänst.",
        "14:00:04  Framme i kc, på platsen som första ankomsten ger.",
    ]


def test_a_dry_run_says_that_nobody_was_moved() -> None:
    [_, line] = told(a_decision(DecidedKind.ASKED, is_dry_run=True))
    assert line.endswith(
        "Torrkörning: hade flyttats från vaxel till kc, av regeln vaxel-kc. Ingen flyttades."
    )


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"rule": "by-hand"}, "Ska flyttas från vaxel till kc, för hand av anna (skäl: Sjuk)."),
        (
            {},
            "Ska flyttas från vaxel till kc, av regeln vaxel-kc, för hand av anna (skäl: Sjuk).",
        ),
        ({"rule": "by-hand", "who": "", "why": ""}, "Ska flyttas från vaxel till kc, för hand."),
    ],
)
def test_by_hand_names_the_person_and_the_reason(parts: dict[str, object], sentence: str) -> None:
    by_hand = {"is_by_hand": True, "who": "anna", "why": "Sjuk", **parts}
    assert told(a_decision(DecidedKind.ASKED, **by_hand))[1] == f"14:00:03  {sentence}"


def test_nothing_decided_is_said() -> None:
    assert told() == [f"Samtal {CALL}: inget har beslutats om det; ingen regel har rört det."]


@pytest.mark.parametrize("what", DecidedKind)
def test_every_decision_has_its_sentence(what: DecidedKind) -> None:
    [_, line] = told(a_decision(what))
    assert line.endswith(".")


def test_json_tells_the_same_in_known_keys() -> None:
    document = json.loads(as_json(CALL, [a_decision(DecidedKind.ASKED, figures=FIGURES)]))
    [one] = document["decisions"]
    assert (document["call_id"], one["what"], one["rule"]) == (CALL, "asked", "vaxel-kc")
    assert one["figures"]["held"] == [{"figure": "waiting", "level": 12, "limit": 8}]
    assert one["figures"]["source"]["service_level"] == 0.75
    assert one["figures"]["caller"]["expected_there"] is None


@pytest.mark.parametrize("figure", Figure)
def test_every_figure_has_its_words(figure: Figure) -> None:
    level = Fraction(1, 3) if figure is Figure.SERVICE_LEVEL else 7
    held = figures_text(held=(Held(figure=figure, level=level, limit=level),))
    [_, line] = told(a_decision(DecidedKind.BEGAN, figures=held))
    assert "(gräns " in line
    assert "okänt" not in line
