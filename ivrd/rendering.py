"""The whole dialplan of a configuration, with the red days of some years.

Here: putting together what the dialplan is rendered from. Not here: the rendering (dialplan/), the
hours' meaning (core/hours.py), and the disk.
"""

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from ivrd import dialplan
from ivrd.config import Config
from ivrd.labels import label_tree
from ivrd.red_days import marks
from ivrd.schedules import schedules

YEARS = 3
"""Rendered at once: this year and two to come. From then on red days would be forgotten, and the
dialplan says so at its top."""


def pauses_members(config: Config) -> bool:
    """Return whether our AMI user must be allowed to pause members."""
    return any(queue.hold_until_labelled_s for queue in config.queues)


def dialplan_files(config: Config, *, first_year: int) -> Mapping[str, str]:
    """Return the dialplan's files by name: same configuration and year, same bytes.

    Args:
        first_year: The first of YEARS whose red days are rendered.
    """
    first, last = date(first_year, 1, 1), date(first_year + YEARS - 1, 12, 31)
    days = marks(first.year, last.year)
    zone = ZoneInfo(config.time_zone)
    hours = {
        name: dialplan.render_hours(schedule, days, first=first, last=last, zone=zone)
        for name, schedule in schedules(config.hours).items()
    }
    return dialplan.render(config, hours=hours, tree=label_tree(config.department))
