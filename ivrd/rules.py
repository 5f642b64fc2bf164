"""From the configuration to the core's rules.

Here: the translation, name by name. Not here: checks (config/) and meaning (core).
"""

from datetime import timedelta

from ivrd.config import Config, MenuConfig
from ivrd.config.base import sound
from ivrd.core.ids import MenuName, QueueName
from ivrd.core.menu import ChoiceName, Menu
from ivrd.core.rules import FloorRules, OverflowRule, QueueRules, Role


def floor_rules(config: Config) -> FloorRules:
    """Return the rules for queues, overflow and cases."""
    queues = (
        QueueRules(
            name=QueueName(queue.name),
            role=Role(queue.role),
            service_level_threshold=timedelta(seconds=queue.service_level_threshold_s),
            short_abandon=timedelta(seconds=queue.short_abandon_s),
            department=queue.department,
        )
        for queue in config.queues
    )
    overflow = (
        OverflowRule(
            name=rule.name,
            from_queue=QueueName(rule.from_queue),
            to_queue=QueueName(rule.to_queue),
            start_waiting=rule.start_waiting,
            stop_waiting=rule.stop_waiting,
            moves_per_call=rule.moves_per_call,
        )
        for rule in config.overflow
    )
    return FloorRules(
        queues={queue.name: queue for queue in queues},
        overflow=tuple(overflow),
        case_rule=config.cases.rule,
    )


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
