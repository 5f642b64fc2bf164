"""Overflow rules as they are configured: what is refused, and what becomes of what is not."""

import tomllib
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from ivrd.config import check
from ivrd.core.overflow_rules import Condition, Figure, First, Needs, RuleMode, TargetGuard
from ivrd.errors import ConfigError
from ivrd.rules import floor_rules

SAMPLE = Path(__file__).parents[2] / "config" / "ivrd.toml"


def with_rule(text: str) -> dict[str, object]:
    """Return the sample with one overflow rule instead of its own."""
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    document["overflow"] = [{"name": "relief", **tomllib.loads(text)}]
    return document


def rule_of(text: str):
    [rule] = floor_rules(check(with_rule(text))).overflow
    return rule


ENDS = 'from_queue = "vaxel"\nto_queue = "kc"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('to_queue = "kc"', "overflow[0]: must have from_queue, or from_queues instead"),
        (
            ENDS + 'from_queues = ["va"]',
            "overflow[0]: must have from_queue, or from_queues instead",
        ),
        ('from_queue = "vaxel"', "overflow[0]: must have to_queue, or to_queues instead"),
        (
            'from_queues = ["vaxel", "kc"]\nto_queue = "kc"',
            "overflow[0]: to_queue must differ from from_queue, and each be named once",
        ),
        (ENDS + "start_waiting = 3", "overflow[0]: start_waiting and stop_waiting go together"),
        (
            ENDS + "start_longest_wait_s = 60\nstop_longest_wait_s = 60",
            "overflow[0]: stop_longest_wait_s must be lower than start_longest_wait_s",
        ),
        (
            ENDS + "start_free_agents = 1\nstop_free_agents = 1",
            "overflow[0]: stop_free_agents must be higher than start_free_agents",
        ),
        (ENDS + 'closing_hours = "kc"', "overflow[0]: closing_hours needs start_closes_in_s"),
        (
            ENDS + "moves_waiting = false",
            "overflow[0]: moves_waiting or diverts_at_entry must be true; mode turns it off",
        ),
        (
            ENDS + "moves_waiting = false\ndiverts_at_entry = true\nreturns_home = true",
            "overflow[0]: returns_home needs moves_waiting",
        ),
        (
            'from_queue = "vaxel"\nto_queues = ["kc", "kcc"]',
            "overflow[0].to_queues[1]: no queue is named 'kcc'; did you mean kc?",
        ),
        (
            ENDS + 'urgent_lines = ["akut"]',
            "overflow[0].urgent_lines[0]: no line is named 'akut'; did you mean",
        ),
        (
            ENDS + 'start_closes_in_s = 900\nclosing_hours = "kcc"',
            "overflow[0].closing_hours: no hours are named 'kcc'; did you mean kc?",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_in_words(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(with_rule(text))
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(fault.split("; did you mean")[0])


def test_a_rule_of_before_means_what_it_meant() -> None:
    rule = rule_of(ENDS + "start_waiting = 6\nstop_waiting = 3")
    assert rule.conditions == (Condition(figure=Figure.WAITING, start=6, stop=3),)
    assert (rule.leave_waiting, rule.moves_per_call, rule.mode) == (3, 1, RuleMode.ON)
    assert (rule.needs, rule.first, rule.moves_at_once) == (Needs.ANY, First.LONGEST_WAIT, None)
    assert (rule.guard, rule.dwell, rule.start_after) == (TargetGuard(), *[timedelta(0)] * 2)
    assert (rule.moves_waiting, rule.diverts_at_entry, rule.returns_home) == (True, False, False)


def test_every_figure_becomes_a_condition_of_its_kind() -> None:
    rule = rule_of(
        ENDS
        + """
        start_waiting = 6
        stop_waiting = 3
        start_longest_wait_s = 180
        stop_longest_wait_s = 90
        start_waiting_per_free_agent = 2.5
        stop_waiting_per_free_agent = 1
        start_free_agents = 0
        stop_free_agents = 2
        start_serving_agents = 1
        stop_serving_agents = 3
        start_expected_wait_s = 300
        stop_expected_wait_s = 120
        start_service_level_percent = 70
        stop_service_level_percent = 80
        start_closes_in_s = 900
        closing_hours = "kc"
        """
    )
    second = timedelta(seconds=1)
    assert {one.figure: (one.start, one.stop) for one in rule.conditions} == {
        Figure.WAITING: (6, 3),
        Figure.LONGEST_WAIT: (180 * second, 90 * second),
        Figure.WAITING_PER_FREE_AGENT: (Fraction(5, 2), 1),
        Figure.FREE_AGENTS: (0, 2),
        Figure.SERVING_AGENTS: (1, 3),
        Figure.EXPECTED_WAIT: (300 * second, 120 * second),
        Figure.SERVICE_LEVEL: (Fraction(7, 10), Fraction(4, 5)),
        Figure.CLOSES_IN: (900 * second, 901 * second),
    }
    assert set(Figure) == {one.figure for one in rule.conditions}
    assert rule.closing_hours is not None
    assert rule.closing_hours.name == "kc"
