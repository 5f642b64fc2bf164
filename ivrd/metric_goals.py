"""What an ended entry is for the goals: in time or not, and told rightly or not.

Here: the steps that it counts for. Not here: counting (metrics.py), and the formulas that divide
what was counted.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from ivrd.core.effects import CountEntry, Disposition
from ivrd.core.expected_wait import Expectation
from ivrd.core.rules import QueueRules
from ivrd.counts_file import Step
from ivrd.metric_families import LINE_SERVICE, LINE_WAITS, SERVICE, WAIT_ERRORS

RESULTS = ("in_time", "late", "abandoned", "short_abandon")
"""What an entry is for a goal: sl = in_time / (in_time + late + abandoned)."""


def judged(
    effect: CountEntry,
    wait: timedelta,
    rules: QueueRules,
    line_limits: Mapping[str, timedelta],
    wait_s: float,
) -> Iterator[Step]:
    """Yield what an answered or abandoned entry is for its queue's and its line's goal."""
    if effect.disposition not in (Disposition.ANSWERED, Disposition.ABANDONED):
        return
    result = _result(effect.disposition, wait, rules.service_level_threshold, rules)
    yield (SERVICE, (effect.system, effect.queue, result), None)
    if effect.line is None or not effect.is_first:
        return  # Who was answered once was answered, whatever came after.
    yield (LINE_WAITS, (effect.system, effect.line, effect.disposition.value), wait_s)
    if (limit := line_limits.get(effect.line)) is not None:
        result = _result(effect.disposition, wait, limit, rules)
        yield (LINE_SERVICE, (effect.system, effect.line, result), None)


def _result(disposition: Disposition, wait: timedelta, limit: timedelta, rules: QueueRules) -> str:
    if disposition is Disposition.ANSWERED:
        return "in_time" if wait <= limit else "late"
    return "short_abandon" if wait < rules.short_abandon else "abandoned"


def error_of(effect: CountEntry, expected: Expectation) -> Step:
    """Return by how much the wait of an answered entry was told wrong."""
    assert effect.entry_wait is not None, "an answered entry has a wait"
    error_s = (expected.wait - effect.entry_wait).total_seconds()
    told = "too_long" if error_s >= 0 else "too_short"
    return (WAIT_ERRORS, (effect.system, effect.queue, expected.model.value, told), abs(error_s))
