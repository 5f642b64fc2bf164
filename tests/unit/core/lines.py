"""Queues made up for the overflow policy: who stands in line, and the figures beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ivrd.core.ids import CallId, LineName, QueueName
from ivrd.core.line import Candidate, Line
from ivrd.core.overflow import decide
from ivrd.core.overflow_figures import QueueFigures, QueueLook
from ivrd.core.overflow_rules import Condition, Figure, Level, OverflowRule
from ivrd.core.overflow_state import Decision, OverflowState, Plan
from tests.unit.core.story import GUIDES, SWITCHBOARD, at, cid, overflow_rule

NOW = at(100)


def condition(figure: Figure, start: Level, stop: Level) -> Condition:
    return Condition(figure=figure, start=start, stop=stop)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def caller(
    name: str,
    joined: float,
    *,
    offered: bool = False,
    moving: bool = False,
    asked: int = 0,
    line: str | None = None,
    moved_from: tuple[QueueName, ...] = (),
    rule: str = "relief",
) -> Candidate:
    return Candidate(
        call_id=CallId(cid(name)),
        first_joined_at=at(joined),
        is_offered=offered,
        is_moving=moving,
        moves_asked=asked,
        line=None if line is None else LineName(line),
        moving_by=rule if moving else "",
        moving_to=GUIDES if moving else None,
        moved_from=moved_from,
        moved_by=rule if moved_from else "",
    )


def look(
    queue: QueueName,
    callers: Iterable[Candidate] = (),
    *,
    waits: Mapping[float, float] | None = None,
    when: datetime = NOW,
    **more: object,
) -> QueueLook:
    """Return one queue in which one agent serves, and is busy.

    Args:
        queue: Its name.
        callers: Who stands there.
        waits: How long callers will wait there, by their arrival; others cannot be told.
        when: The present.
        more: Figures that are otherwise.
    """
    line = Line(callers)
    oldest = next(line.staying_in_order(), None)
    figures = QueueFigures(
        at=when,
        waiting=line.staying,
        oldest_arrival_at=None if oldest is None else oldest.first_joined_at,
        incoming=0,
        free_agents=0,
        serving_agents=1,
        expected_wait=None,
        counted_today=0,
        in_time_today=0,
    )
    expected = {at(arrived): seconds(wait) for arrived, wait in (waits or {}).items()}
    return QueueLook(
        queue=queue,
        figures=replace(figures, **more),  # type: ignore[arg-type]
        line=line,
        expect=lambda arrived_at, ahead: expected.get(arrived_at),
    )


def plan(
    *looks: QueueLook, rules: Iterable[OverflowRule] = (), state: OverflowState | None = None
) -> Plan:
    """Return what rules want of a switchboard and a guides' queue, unless other ones are given."""
    usual = (look(SWITCHBOARD), look(GUIDES))
    given = {one.queue: one for one in (*usual, *looks)}
    when = (looks or usual)[0].figures.at
    return decide(given, state or OverflowState(), tuple(rules) or (overflow_rule(),), when)


def moves(planned: Plan) -> list[str]:
    """Return whom a plan moves, in order, and where to."""
    return [f"{_name(one)} {one.from_queue} {one.to_queue}" for one in planned.decisions]


def moved(planned: Plan) -> list[str]:
    """Return whom a plan moves, in order."""
    return [_name(one) for one in planned.decisions]


def is_active(planned: Plan, rule: str = "relief") -> bool:
    """Return whether a rule is in force after a plan."""
    return planned.state.rules[rule].is_active


def _name(decision: Decision) -> str:
    return decision.call_id.rpartition("/")[2]
