"""From the configuration to the core's rules.

Here: the translation, name by name. Not here: checks (config/) and meaning (core).
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from ivrd.config import Config, MenuConfig, OverflowConfig
from ivrd.config.base import sound
from ivrd.core.case_record import CaseRules, HalfHelped
from ivrd.core.hours import Schedule
from ivrd.core.ids import LineName, MenuName, QueueName
from ivrd.core.menu import ChoiceName, Menu
from ivrd.core.overflow_rules import (
    Condition,
    Figure,
    First,
    Needs,
    OverflowRule,
    RuleMode,
    TargetGuard,
)
from ivrd.core.rules import FloorRules, QueueRules, Role
from ivrd.red_days import marks
from ivrd.schedules import schedules

FIRST_YEAR, LAST_YEAR = 2023, 2038
"""The dialplan's formula for a caller's place holds from 2023 to 2037 (dialplan/queues.py); what
closes next may lie a year further on. Recordings are played with the days of their own time."""

CLOSING_STOP = timedelta(seconds=1)
"""A closing that comes nearer never eases, so any stop beyond the start does."""

_WHOLE = {
    Figure.WAITING: "waiting",
    Figure.FREE_AGENTS: "free_agents",
    Figure.SERVING_AGENTS: "serving_agents",
}
_TIMES = {
    Figure.LONGEST_WAIT: "longest_wait_s",
    Figure.EXPECTED_WAIT: "expected_wait_s",
}


def floor_rules(config: Config) -> FloorRules:
    """Return the rules for queues, overflow and cases."""
    queues = (
        QueueRules(
            name=QueueName(queue.name),
            role=Role(queue.role),
            service_level_threshold=timedelta(seconds=queue.service_level_threshold_s),
            short_abandon=timedelta(seconds=queue.short_abandon_s),
            department=queue.department,
            hold=timedelta(seconds=queue.hold_until_labelled_s),
        )
        for queue in config.queues
    )
    hours = schedules(config.hours)
    return FloorRules(
        queues={queue.name: queue for queue in queues},
        overflow=tuple(overflow_rule(rule, hours) for rule in config.overflow),
        case_rule=config.cases.rule,
        labels={
            subject.code: department.code
            for department in config.department
            for subject in department.subject
        },
        numbers=frozenset(
            number
            for department in config.department
            for one in (department, *department.subject)
            for number in one.numbers
        ),
        hours={
            QueueName(queue.name): hours[queue.hours]
            for queue in config.queues
            if queue.hours is not None
        },
        days=marks(FIRST_YEAR, LAST_YEAR) if hours else {},
        zone=ZoneInfo(config.time_zone),
    )


def case_rules(config: Config) -> CaseRules:
    """Return what is decided about cases once they are opened."""
    return CaseRules(
        half_helped=HalfHelped(config.cases.half_helped),
        repeat=timedelta(days=config.cases.repeat_days),
    )


def overflow_rule(rule: OverflowConfig, hours: Mapping[str, Schedule]) -> OverflowRule:
    """Return one overflow rule as the core knows it."""
    leave = rule.leave_waiting
    closing = rule.closing_hours
    return OverflowRule(
        name=rule.name,
        from_queues=tuple(map(QueueName, rule.sources)),
        to_queues=tuple(map(QueueName, rule.targets)),
        conditions=tuple(_conditions(rule)),
        needs=Needs(rule.needs),
        mode=RuleMode(rule.mode),
        start_after=timedelta(seconds=rule.start_after_s),
        dwell=timedelta(seconds=rule.dwell_s),
        leave_waiting=(rule.stop_waiting or 0) if leave is None else leave,
        moves_at_once=rule.moves_at_once,
        first=First(rule.first),
        moves_per_call=rule.moves_per_call,
        urgent_lines=frozenset(map(LineName, rule.urgent_lines)),
        guard=TargetGuard(
            serving_min=rule.target_serving_agents_min,
            free_min=rule.target_free_agents_min,
            waiting_max=rule.target_waiting_max,
            expected_wait_max=_seconds(rule.target_expected_wait_s_max),
            longer_wait_max=_seconds(rule.longer_wait_s_max),
        ),
        moves_waiting=rule.moves_waiting,
        diverts_at_entry=rule.diverts_at_entry,
        returns_home=rule.returns_home,
        closing_hours=None if closing is None else hours[closing],
    )


def _conditions(rule: OverflowConfig) -> Iterator[Condition]:
    for figure, name in _WHOLE.items():
        start, stop = getattr(rule, f"start_{name}"), getattr(rule, f"stop_{name}")
        if start is not None:
            yield Condition(figure=figure, start=start, stop=stop)
    for figure, name in _TIMES.items():
        start, stop = getattr(rule, f"start_{name}"), getattr(rule, f"stop_{name}")
        if start is not None:
            yield Condition(
                figure=figure, start=timedelta(seconds=start), stop=timedelta(seconds=stop)
            )
    per_agent = rule.start_waiting_per_free_agent, rule.stop_waiting_per_free_agent
    if per_agent[0] is not None:
        start, stop = (Fraction(str(number)) for number in per_agent)
        yield Condition(figure=Figure.WAITING_PER_FREE_AGENT, start=start, stop=stop)
    level = rule.start_service_level_percent, rule.stop_service_level_percent
    if level[0] is not None and level[1] is not None:
        start, stop = Fraction(level[0], 100), Fraction(level[1], 100)
        yield Condition(figure=Figure.SERVICE_LEVEL, start=start, stop=stop)
    if rule.start_closes_in_s is not None:
        start = timedelta(seconds=rule.start_closes_in_s)
        yield Condition(figure=Figure.CLOSES_IN, start=start, stop=start + CLOSING_STOP)


def _seconds(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def menus(config: Config) -> dict[MenuName, Menu]:
    """Return the tone menus by name."""
    return {MenuName(menu.name): _menu(menu) for menu in config.menus}


def _menu(menu: MenuConfig) -> Menu:
    failure = menu.failure_choice
    return Menu(
        name=MenuName(menu.name),
        prompt=sound(menu.prompt),
        invalid_prompt=None if menu.invalid_prompt is None else sound(menu.invalid_prompt),
        choices={keys: ChoiceName(target.label) for keys, target in menu.choices.items()},
        stay_choice=ChoiceName(menu.stay_choice.label),
        stay_after=timedelta(seconds=menu.stay_after_s),
        tries=menu.tries,
        failure_choice=None if failure is None else ChoiceName(failure.label),
        digit_after=timedelta(seconds=menu.digit_s),
        repeat_key=menu.repeat_key,
        back_key=menu.back_key,
        slow_factor=menu.slow_factor,
    )
