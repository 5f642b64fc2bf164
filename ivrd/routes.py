"""From the configuration, and a time, to what a caller's way in follows.

Here: the translation, name by name, and what the hours say at a moment. Not here: the walk itself
(core/route.py), checks (menu_check.py).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ivrd.config import Config
from ivrd.config.base import UNAVAILABLE_PROMPT
from ivrd.config.way_in import LineConfig
from ivrd.core.hours import Opening, OpeningState, opening_at
from ivrd.core.route_steps import (
    Forced,
    LineWay,
    Moment,
    NoticePlace,
    NoticeWay,
    QueueWay,
    WayIn,
    line_state,
)
from ivrd.core.targets import ToMenu, ToQueue
from ivrd.dialplan.menus import MENUS_MAX
from ivrd.red_days import marks
from ivrd.rules import menus
from ivrd.schedules import schedules


def way_in(config: Config) -> WayIn:
    """Return every way in of a configuration."""
    prompts = {menu.name: (menu.prompt, menu.invalid_prompt) for menu in config.menus}
    return WayIn(
        lines={line.name: _line(line) for line in config.lines},
        menus={
            name: replace(menu, prompt=prompts[name][0], invalid_prompt=prompts[name][1])
            for name, menu in menus(config).items()
        },
        queues={
            queue.name: QueueWay(
                name=queue.name,
                catch_all=queue.catch_all,
                fallback=queue.fallback,
                keys={key: target.target for key, target in queue.exit_keys.items()},
            )
            for queue in config.queues
        },
        notices=tuple(
            NoticeWay(
                name=notice.name,
                prompt=notice.prompt,
                lines=notice.lines,
                place=NoticePlace(notice.place),
            )
            for notice in config.notices
        ),
        unavailable_prompt=UNAVAILABLE_PROMPT,
        menus_max=MENUS_MAX,
    )


def _line(line: LineConfig) -> LineWay:
    return LineWay(
        name=line.name,
        first=ToQueue(line.queue) if line.queue is not None else ToMenu(line.menu or ""),
        language=line.language,
        is_slow=line.is_slow,
        closed_prompt=line.closed_prompt,
        closed_choice=None if line.closed_choice is None else line.closed_choice.target,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """What each table of hours says at one moment."""

    at: datetime
    openings: dict[str, Opening]


def hours_at(config: Config, at: datetime) -> Hours:
    """Return what the tables of hours say; the moment may have any offset."""
    zone = ZoneInfo(config.time_zone)
    days = marks(at.year - 1, at.year + 2)
    return Hours(
        at=at,
        openings={
            name: opening_at(schedule, days, at=at, zone=zone)
            for name, schedule in schedules(config.hours).items()
        },
    )


def moment_of(
    config: Config,
    line: LineConfig,
    hours: Hours,
    *,
    forced: Forced | None = None,
    notices: Collection[str] = (),
) -> Moment:
    """Return what holds for a caller of a line.

    Args:
        config: The configuration.
        line: One of its lines.
        hours: At the moment of the call.
        forced: What a supervisor has set the line to.
        notices: Those switched on.
    """
    states = {name: opening.state for name, opening in hours.openings.items()}
    by_hours = OpeningState.OPEN if line.hours is None else states[line.hours]
    return Moment(
        line_state=line_state(by_hours, forced, at=hours.at),
        queue_states={
            queue.name: states[queue.hours] for queue in config.queues if queue.hours is not None
        },
        notices=frozenset(notices),
    )
