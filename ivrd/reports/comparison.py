"""The main figures beside those of the period before, and how they changed.

Here: whose figures of the other period belong beside a column, as rows and as plain data, and what
the reader must know of it. Not here: which period that is, what is known of it, and the arithmetic
of a change (core/period_change.py).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ivrd.config import Config
from ivrd.core.hours import day_hours
from ivrd.core.period_book import PeriodBook
from ivrd.core.period_change import (
    CHANGES,
    Coverage,
    change,
    coverage_of,
    has_facts,
    period_before,
)
from ivrd.core.period_figures import Figures, Kind, Unit, Value
from ivrd.core.periods import Period, length_of
from ivrd.core.stored_calls import REPEAT_WITHIN
from ivrd.red_days import marks
from ivrd.reports import numbers
from ivrd.reports.document import Before, Language, Row
from ivrd.reports.subjects import Subject, Subjects, Wanted
from ivrd.schedules import schedules

Reckoned = Callable[[Subject, Figures], Value]
"""One figure of somebody, of one period's counts or the other's."""

COMPARED = frozenset(
    {
        "calls",
        "calls_resolved",
        "calls_abandoned",
        "offered",
        "answered",
        "abandon_rate",
        "sl",
        "sl_goal",
        "wait_p50",
        "wait_p90",
        "wait_longest",
        "aht_without_wrap_up",
        "handling_mean",
        "guided",
        "cases",
        "fcr",
    }
)
"""The figures with rows of the period before; as plain data all have it."""

LATE = frozenset({"repeat_rate"})
"""Figures that are final only a week after the period."""

SATURDAY = 5

NAMED_MAX = 5
"""So many silent days are named; more are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored of two periods."""

    book: PeriodBook
    before: PeriodBook
    known_since: datetime | None
    """When the first stored call came; None: there is none."""


class Comparison:
    """One period against the one before."""

    def __init__(
        self,
        settings: Config,
        stored: Stored,
        period: Period,
        *,
        language: Language,
        now: datetime,
    ) -> None:
        """Take what was counted of both."""
        self._settings = settings
        self._language: Language = language
        self._now = now
        self._period = period
        self._stored = stored
        self.before = period_before(period)
        """The period that this one is compared with."""
        self._own = self._coverage(period, stored.book)
        self._theirs = self._coverage(self.before, stored.before)
        self._figures: Mapping[tuple[Kind, str, str, str], Figures] = {}

    @property
    def departments(self) -> Collection[str]:
        """Departments that had calls then: they are told of though none came since."""
        if not self._theirs.is_whole:
            return ()
        return {part.department or "" for part in self._stored.before.department_parts}

    def look_up(self, wanted: Wanted) -> None:
        """Find the other period's figures of those who are asked for."""
        if not self._theirs.is_whole:
            return
        theirs = Subjects(self._settings, self._stored.before, self._language)
        self._figures = {
            _key(section.kind, subject): subject.figures
            for section in theirs.sections(wanted)
            for subject in section.subjects
            if has_facts(subject.figures)
        }

    def rows(
        self, name: str, unit: Unit, of: Reckoned, subjects: Sequence[Subject], kind: Kind
    ) -> Iterator[Row]:
        """Yield what stands below a main figure: what it was, and the change.

        Args:
            name: The figure's; nothing is yielded for one that is no main figure.
            unit: Of the figure.
            of: Reckons it.
            subjects: Whose columns.
            kind: Of their table.
        """
        if name not in COMPARED:
            return
        both = [self.beside(name, unit, of, each, kind) for each in subjects]
        yield Row(
            title=f"  {self.before.name}",
            cells=[numbers.figure(unit, each.value, self._language) for each in both],
            is_beside=True,
        )
        yield Row(
            title=self._say("  förändring", "  change"),
            formula=CHANGES[unit],
            cells=[numbers.changed(unit, each.change, self._language) for each in both],
            is_beside=True,
        )

    def beside(self, name: str, unit: Unit, of: Reckoned, subject: Subject, kind: Kind) -> Before:
        """Return the same of one column as plain data, of any figure."""
        figures = self._figures.get(_key(kind, subject))
        was = None if figures is None else of(subject, figures)
        is_final = self._is_over if name not in LATE else self._is_final
        is_known = is_final and self._own.is_whole
        return Before(
            period=self.before.name,
            value=was,
            change=change(unit, of(subject, subject.figures), was) if is_known else None,
            formula=CHANGES[unit],
        )

    def fact(self) -> tuple[str, str]:
        """Return with what is compared, as a word and a value."""
        zone = self.before.zone
        first, last = self.before.since.astimezone(zone), self.before.until.astimezone(zone)
        hours = length_of(self.before) // timedelta(hours=1)
        return (
            self._say("Jämförs med", "Compared with"),
            f"{first:%Y-%m-%d %H.%M} {numbers.NO_VALUE} {last:%Y-%m-%d %H.%M}, {hours} h",
        )

    def warnings(self) -> Iterator[str]:
        """Yield why figures and changes are not to be relied on."""
        if not self._own.is_whole:
            words = self._say("Fakta saknas för", "Facts are lacking of")
            lacking = ", ".join(self._lacking(self._period, self._own))
            yield f"{words} {self._period.name}: {lacking}."
        if not self._theirs.is_whole:
            words = self._say("Ingen jämförelse med", "No comparison with")
            lacking = ", ".join(self._lacking(self.before, self._theirs))
            yield f"{words} {self.before.name}: {lacking}."

    def note(self) -> str:
        """Return how the comparison is to be read."""
        return self._say(
            "Under huvudmåtten står perioden före och förändringen. Utan lagrade fakta då finns "
            "inget värde, aldrig noll, och ingen förändring; inte heller när perioden pågår. "
            "Antal räknas inte om när perioderna är olika långa.",
            "Below the main figures stand the period before and the change. No stored facts then "
            "is no value, never zero, and makes no change; nor does a period that is not over. "
            "Counts are not scaled when the periods differ in length.",
        )

    @property
    def _is_over(self) -> bool:
        return self._period.until <= self._now

    @property
    def _is_final(self) -> bool:
        return self._period.until + REPEAT_WITHIN <= self._now

    def _coverage(self, period: Period, book: PeriodBook) -> Coverage:
        return coverage_of(
            period,
            days_with_calls={part.day for part in book.line_parts},
            known_since=self._stored.known_since,
            is_working_day=_working_days(self._settings, period),
            now=self._now,
        )

    def _lacking(self, period: Period, coverage: Coverage) -> Iterator[str]:
        since = coverage.known_since
        if since is None or since >= period.until:
            yield self._say("inga samtal är lagrade", "no calls are stored")
            return
        if not coverage.is_begun:
            first = f"{since.astimezone(period.zone):%Y-%m-%d %H.%M}"
            yield self._say(f"det första lagrade samtalet kom {first}", f"facts begin at {first}")
        silent = [day for day in coverage.silent_days if day > period.day_of(since)]
        if silent:
            named = ", ".join(day.isoformat() for day in silent[:NAMED_MAX])
            more = len(silent) - NAMED_MAX
            if more > 0:
                named += self._say(f" och {more} till", f" and {more} more")
            yield self._say(
                f"inga samtal är lagrade av arbetsdagarna {named}",
                f"no calls are stored of the working days {named}",
            )

    def _say(self, swedish: str, english: str) -> str:
        return swedish if self._language == "sv" else english


def _key(kind: Kind, subject: Subject) -> tuple[Kind, str, str, str]:
    return kind, subject.table, subject.name, subject.part


def _working_days(settings: Config, period: Period) -> Callable[[date], bool]:
    """Return whether a day without any call is not to be believed.

    Monday to Friday, no public holiday, and some line open by the hours that are configured now.
    """
    hours = schedules(settings.hours)
    days = marks(period.first.year, period.last.year)

    def is_working(day: date) -> bool:
        mark = days.get(day)
        if day.weekday() >= SATURDAY or (mark is not None and mark.public_holiday is not None):
            return False
        return any(
            line.hours is None or day_hours(hours[line.hours], days, day).intervals
            for line in settings.lines
            if not line.is_internal
        )

    return is_working
