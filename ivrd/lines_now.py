"""Each line as callers meet it now: by its hours, by force, with its notices.

Here: hours and switches put together, as the dialplan does it at each call. Not here: what hours
mean (core/hours.py), what is switched (switches.py), and the page (web/lines.py).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ivrd.config import Config, LineConfig
from ivrd.core.days import DayMark
from ivrd.core.hours import Opening, OpeningState, Schedule, opening_at
from ivrd.core.switches import Stand, Switch, SwitchKind, SwitchState
from ivrd.red_days import marks
from ivrd.schedules import schedules
from ivrd.web.lines import LineStatus

ALWAYS = "always"
"""The reason of a line without hours."""

FORCED = "forced"

YEARS_AHEAD = 2
"""When a line opens again is looked for over a year from now."""


class LineBook:
    """The lines of a configuration, looked up at any moment."""

    def __init__(
        self, config: Config, *, switched: Callable[[], SwitchState], now: Callable[[], datetime]
    ) -> None:
        """Take the configuration.

        Args:
            config: Lines, notices and hours.
            switched: What people have switched.
            now: The PBX's time, which its dialplan goes by.
        """
        self._switched = switched
        self._now = now
        self._year = 0
        self._days: Mapping[date, DayMark] = {}
        self.change(config)

    def change(self, config: Config) -> None:
        """Take another configuration."""
        self._config = config
        self._zone = ZoneInfo(config.time_zone)
        self._schedules = schedules(config.hours)

    def statuses(self) -> list[LineStatus]:
        """Return every line as it is now."""
        now, state = self._now(), self._switched()
        return [self._status(line, state, now) for line in self._config.lines]

    def open_lines(self) -> dict[tuple[str, ...], float]:
        """Return 1 for each line that is open, and 0 for each that is closed."""
        return {(one.line,): float(one.state == "open") for one in self.statuses()}

    def goals(self) -> dict[tuple[str, ...], float]:
        """Return the share of callers that each line is to answer in time, of those with a goal."""
        return {
            (line.name,): line.goal_percent / 100
            for line in self._config.lines
            if line.goal_percent is not None
        }

    def goal_limits(self) -> dict[tuple[str, ...], float]:
        """Return within how many seconds each line is to answer, of those with a goal."""
        return {
            (line.name,): float(line.goal_within_s)
            for line in self._config.lines
            if line.goal_within_s is not None
        }

    def _status(self, line: LineConfig, state: SwitchState, now: datetime) -> LineStatus:
        forced = state.setting(Switch(kind=SwitchKind.LINE, name=line.name))
        opening = self._opening(line.hours, now)
        if forced is not None and forced.is_in_force(now):
            is_open, reason, text = forced.stand is Stand.OPEN, FORCED, forced.reason
            until = forced.until
        elif opening is None:
            is_open, reason, text, until = True, ALWAYS, "", None
        else:
            is_open = opening.state is not OpeningState.CLOSED
            reason, text = opening.reason.rule.value, opening.reason.text
            until = opening.closes_at if is_open else opening.until
        return LineStatus(
            line=line.name,
            number=line.number,
            is_internal=line.is_internal,
            state="open" if is_open else "closed",
            reason=reason,
            text=text,
            until=until,
            notices=list(self._heard(line, state, now)),
            goal_percent=line.goal_percent,
            goal_within_s=line.goal_within_s,
        )

    def _opening(self, hours: str | None, now: datetime) -> Opening | None:
        if hours is None:
            return None
        year = now.astimezone(self._zone).year
        if year != self._year:
            self._year, self._days = year, marks(year, year + YEARS_AHEAD)
        schedule: Schedule = self._schedules[hours]
        return opening_at(schedule, self._days, at=now, zone=self._zone)

    def _heard(self, line: LineConfig, state: SwitchState, now: datetime) -> Iterable[str]:
        for notice in self._config.notices:
            setting = state.setting(Switch(kind=SwitchKind.NOTICE, name=notice.name))
            is_on = setting is not None and setting.is_in_force(now)
            if is_on and (not notice.lines or line.name in notice.lines):
                yield notice.name
