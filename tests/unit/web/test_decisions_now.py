"""Decisions are told in the order they were taken, in parts, each once."""

from ivrd.core.effects import DivertCallers
from ivrd.core.ids import QueueName
from ivrd.web.decisions_now import LATEST_MAX, LatestDecisions
from tests.unit.core.story import SYSTEM, at


def decisions(count: int) -> LatestDecisions:
    latest = LatestDecisions()
    for number in range(count):
        latest.observe(
            DivertCallers(
                at=at(number / 1000),
                system=SYSTEM,
                queue=QueueName("switchboard"),
                to_queue=QueueName("guides"),
                reason=f"rule{number}",
            )
        )
    return latest


def test_each_is_told_once_in_order_in_parts() -> None:
    latest = decisions(45)
    rules, told = [], 0
    while told < latest.count:
        part, told = latest.after(told, most=20)
        assert len(part) <= 20
        rules += [decision.rule for decision in part]
    assert rules == [f"rule{number}" for number in range(45)]
    assert latest.after(told, most=20) == ([], 45)


def test_who_comes_late_goes_on_with_what_is_still_kept() -> None:
    latest = decisions(LATEST_MAX + 30)
    part, told = latest.after(10, most=5)
    assert [decision.rule for decision in part] == [f"rule{number}" for number in range(30, 35)]
    assert told == 35
    assert latest.latest()[0].rule == f"rule{LATEST_MAX + 29}"
