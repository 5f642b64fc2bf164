"""From what people switched to what the overflow rules obey.

Here: the translation. Not here: the switches (switches.py) and the rules (overflow.py).
"""

from datetime import datetime

from ivrd.core.overflow_rules import RuleMode
from ivrd.core.overflow_state import Order, RuleOrders
from ivrd.core.switches import Setting, Stand, SwitchKind, SwitchState

MODES = {
    Stand.ON: RuleMode.ON,
    Stand.FORCED: RuleMode.ON,
    Stand.OFF: RuleMode.OFF,
    Stand.DRY_RUN: RuleMode.DRY_RUN,
}
"""What a rule does by each stand."""


def orders_of(state: SwitchState, now: datetime) -> RuleOrders:
    """Return what people say of rules now."""
    return RuleOrders(
        orders={
            switch.name: _order(setting)
            for switch, setting in state.in_force(now).items()
            if switch.kind is SwitchKind.RULE
        }
    )


def _order(setting: Setting) -> Order:
    return Order(
        mode=MODES[setting.stand],
        is_forced=setting.stand is Stand.FORCED,
        who=setting.by.who,
        why=setting.reason,
    )
