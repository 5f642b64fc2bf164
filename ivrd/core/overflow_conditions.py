"""Whether an overflow rule's conditions hold, and when time alone could change that.

Here: figures against thresholds. Not here: the state of a rule over time, and moves (overflow.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.overflow_figures import QueueFigures
from ivrd.core.overflow_rules import Condition, Figure, Level, Needs, OverflowRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A condition that held, with the figure of that moment."""

    figure: Figure
    level: Level
    limit: Level
    """The threshold that it was held against."""


def begun_by(rule: OverflowRule, figures: QueueFigures) -> tuple[Held, ...]:
    """Return the conditions that make a rule begin; empty when it does not."""
    held = []
    for condition in rule.conditions:
        level = figures.level(condition.figure)
        if level is not None and not _is_below(condition, level, condition.start):
            held.append(Held(figure=condition.figure, level=level, limit=condition.start))
    return _needed(rule, held)


def kept_by(rule: OverflowRule, figures: QueueFigures) -> tuple[Held, ...]:
    """Return the conditions that keep a rule that has begun; empty when it may end."""
    held = []
    for condition in rule.conditions:
        level = figures.level(condition.figure)
        if level is not None and _is_below(condition, condition.stop, level):
            held.append(Held(figure=condition.figure, level=level, limit=condition.stop))
    return _needed(rule, held)


def moments(rule: OverflowRule, figures: QueueFigures) -> Iterator[datetime]:
    """Yield when a condition could change by time alone: no event tells of these."""
    for condition in rule.conditions:
        if condition.figure is Figure.LONGEST_WAIT and figures.oldest_arrival_at is not None:
            assert isinstance(condition.start, timedelta), "a wait is held against a time"
            yield figures.oldest_arrival_at + condition.start
        if condition.figure is Figure.CLOSES_IN and figures.closes_at is not None:
            assert isinstance(condition.start, timedelta), "a closing is held against a time"
            yield figures.closes_at - condition.start
            yield figures.closes_at
    if figures.changes_at is not None:
        yield figures.changes_at


def _needed(rule: OverflowRule, held: list[Held]) -> tuple[Held, ...]:
    if rule.needs is Needs.ALL and len(held) < len(rule.conditions):
        return ()
    return tuple(held)


def _is_below(condition: Condition, one: Level, other: Level) -> bool:
    """Return whether one level means less load than another."""
    if isinstance(one, timedelta) or isinstance(other, timedelta):
        assert isinstance(one, timedelta), "levels of a figure are of a kind"
        assert isinstance(other, timedelta), "levels of a figure are of a kind"
        return one < other if condition.figure.is_high_bad else one > other
    return one < other if condition.figure.is_high_bad else one > other
