"""The history of a day, week or month as a document: tables, plots, formulas, and plain data.

Here: what stands where, in which words. Not here: whose figures there are (subjects.py), counting
(core/period_book.py), drawing (plots.py), and how a document looks on paper.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from ivrd.config import Config
from ivrd.core.case_record import CaseClass
from ivrd.core.period_change import CHANGES
from ivrd.core.period_figures import FIGURES, Figure, Figures, Kind, Unit, sl_within
from ivrd.core.period_figures import Value as FigureValue
from ivrd.core.periods import USUAL_DAY, Period, Span, length_of
from ivrd.core.stored_calls import REPEAT_WITHIN
from ivrd.reports import numbers, plots
from ivrd.reports.comparison import Comparison, Reckoned, Stored
from ivrd.reports.document import (
    Block,
    Column,
    Datum,
    Document,
    Grid,
    Heading,
    Language,
    Notes,
    Plot,
    Row,
    Terms,
)
from ivrd.reports.figure_words import CLASSES, WORDS, class_words
from ivrd.reports.subjects import ROLE_OF, Section, Subject, Subjects, Wanted

COLUMNS_MAX = 6
"""So many fit beside each other on a page of A4."""

MAIN = frozenset({"sl", "calls", "guided"})

WEEKDAYS = (
    ("måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"),
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
)

UNITS = {Unit.COUNT: "count", Unit.SHARE: "share", Unit.DURATION: "s"}


class History:
    """Makes the document of one period."""

    def __init__(
        self,
        settings: Config,
        stored: Stored,
        period: Period,
        *,
        language: Language,
        now: datetime,
    ) -> None:
        """Take what was counted; `now` tells what is not final yet."""
        self._book = stored.book
        self._period = period
        self._language: Language = language
        self._now = now
        self._comparison = Comparison(settings, stored, period, language=language, now=now)
        self._subjects = Subjects(
            settings, stored.book, language, departments=self._comparison.departments
        )

    def document(self, wanted: Wanted) -> Document:
        """Return the whole report, or that of whom it was asked for.

        Raises:
            ConfigError: Nobody has that name.
        """
        self._subjects.check(wanted)
        self._comparison.look_up(wanted)
        sections = list(self._subjects.sections(wanted))
        blocks: list[Block | Heading] = [*self._warnings(), *self._plots(wanted)]
        used: dict[str, None] = {}
        for section in sections:
            blocks += self._grids(section)
            used |= dict.fromkeys(figure.name for figure in _figures(section))
            if any(subject.goal for subject in section.subjects):
                used["sl_goal"] = None
        used |= dict.fromkeys(CHANGES.values())
        blocks += self._by_day(wanted)
        formulas = [
            (name, f"{WORDS[name].title(self._language)}: {WORDS[name].formula(self._language)}")
            for name in used
        ]
        blocks.append(Terms(title=self._say("Så räknas", "How it is reckoned"), pairs=formulas))
        blocks.append(Notes(lines=list(self._notes())))
        return Document(
            title=self._title(),
            subtitle=self._whose(wanted),
            facts=self._facts(),
            language=self._language,
            blocks=blocks,
            data=[datum for section in sections for datum in self._data(section)],
            formulas=formulas,
        )

    # Tables.

    def _grids(self, section: Section) -> Iterator[Grid]:
        """Yield a section's table, in as many as its columns need."""
        figures = _figures(section)
        for start in range(0, len(section.subjects), COLUMNS_MAX):
            shown = section.subjects[start : start + COLUMNS_MAX]
            rows: list[Row] = []
            for figure in figures:
                rows += self._rows(figure, shown, section.kind)
                if figure.name == "sl" and any(each.goal for each in section.subjects):
                    rows += self._goal_rows(shown, section.kind)
                if figure.name == "cases":
                    rows += self._class_rows(shown)
            more = "" if start == 0 else self._say(" (forts.)", " (cont.)")
            yield Grid(
                title=section.title + more,
                corner=self._say("Mått och formel", "Figure and formula"),
                columns=[Column(title=each.title, note=self._note(each)) for each in shown],
                rows=rows,
            )

    def _rows(self, figure: Figure, subjects: Sequence[Subject], kind: Kind) -> Iterator[Row]:
        yield Row(
            title=WORDS[figure.name].title(self._language),
            formula=figure.name,
            cells=[self._text(figure.unit, figure.of(each.figures)) for each in subjects],
            is_main=figure.name in MAIN,
        )
        yield from self._comparison.rows(
            figure.name, figure.unit, _of_figure(figure), subjects, kind
        )

    def _goal_rows(self, subjects: Sequence[Subject], kind: Kind) -> Iterator[Row]:
        yield Row(
            title=WORDS["sl_goal"].title(self._language),
            formula="sl_goal",
            cells=[
                numbers.share(_by_goal(each, each.figures), self._language) for each in subjects
            ],
        )
        yield from self._comparison.rows("sl_goal", Unit.SHARE, _by_goal, subjects, kind)

    def _class_rows(self, subjects: Sequence[Subject]) -> Iterator[Row]:
        found = {name for each in subjects for name in each.figures.classes}
        for name in (each for each in CLASSES if each in found):
            yield Row(
                title="  " + class_words(name, self._language),
                formula=f"cases_{name}",
                cells=[
                    numbers.count(each.figures.classes.get(name, 0), self._language)
                    for each in subjects
                ],
            )

    def _note(self, subject: Subject) -> str:
        notes = []
        if subject.threshold is not None:
            notes.append(f"T = {int(subject.threshold.total_seconds())} s")
        if subject.goal is not None:
            goal = numbers.decimal(subject.goal.share * 100, 0, self._language)
            within = int(subject.goal.within.total_seconds())
            words = self._say("mål {} % inom {} s", "goal {} % within {} s")
            notes.append(words.format(goal, within))
        return "; ".join(notes)

    def _by_day(self, wanted: Wanted) -> Iterator[Block]:
        """Yield a line for each day of a week or month."""
        if self._period.span is Span.DAY:
            return
        if wanted.department is not None:
            yield self._days_of(wanted, Kind.DEPARTMENT, self._say("Dag för dag", "Day by day"))
            return
        for kind in self._subjects.kinds(wanted):
            what = (
                self._say("Vägledning", "Guidance")
                if kind is Kind.GUIDANCE
                else self._say("Växel", "Switchboard")
            )
            yield self._days_of(wanted, kind, what + self._say(", dag för dag", ", day by day"))

    def _days_of(self, wanted: Wanted, kind: Kind, title: str) -> Grid:
        names: Sequence[str] = (
            "offered",
            "answered",
            "abandoned",
            "sl",
            "wait_p50",
            "wait_p90",
            "wait_longest",
        )
        if kind is Kind.DEPARTMENT:
            names = ("guided", "cases", "fcr", "wait_p50", "wait_p90", "wait_longest")
        figures = [next(each for each in FIGURES if each.name == name) for name in names]
        rows = []
        for day in self._period.days():
            mine = self._subjects.of_day(wanted, kind, day.first)
            rows.append(
                Row(
                    title=self._day_title(day),
                    cells=[self._text(figure.unit, figure.of(mine)) for figure in figures],
                )
            )
        whole = self._subjects.all_of(wanted, kind)
        rows.append(
            Row(
                title=self._say("Hela perioden", "Whole period"),
                cells=[self._text(figure.unit, figure.of(whole)) for figure in figures],
                is_total=True,
            )
        )
        columns = [Column(title=WORDS[name].title(self._language), note=name) for name in names]
        return Grid(title=title, corner=self._say("Dag", "Day"), columns=columns, rows=rows)

    def _day_title(self, day: Period) -> str:
        names = WEEKDAYS[0] if self._language == "sv" else WEEKDAYS[1]
        title = f"{names[day.first.weekday()][:3]} {day.first.isoformat()}"
        hours = length_of(day)
        if hours == USUAL_DAY:
            return title
        return f"{title} ({hours // timedelta(hours=1)}{numbers.SPACE}h)"

    # Plots.

    def _plots(self, wanted: Wanted) -> Iterator[Plot]:
        if wanted.department is not None:
            kinds: Sequence[Kind] = [Kind.DEPARTMENT]
        else:
            kinds = self._subjects.kinds(wanted)
        dates = [day.first for day in self._period.days()]
        heat_kinds = [Kind.CALLS] if wanted.is_all or wanted.line is not None else kinds
        for kind in heat_kinds:
            slots = self._subjects.all_of(wanted, kind).slots
            if slots and self._period.span is not Span.DAY:
                yield plots.heat_map(slots, dates, language=self._language)
        for kind in kinds:
            figures = self._subjects.all_of(wanted, kind)
            title = self._kind_title(kind)
            if figures.slots:
                yield plots.day_curve(figures.slots, dates, title, language=self._language)
            if figures.waits or figures.left:
                yield plots.waits(figures.waits, figures.left, title, language=self._language)

    def _kind_title(self, kind: Kind) -> str:
        if kind is Kind.SWITCHBOARD:
            return self._say("växel", "switchboard")
        return self._say("vägledning", "guidance")

    # Words around them.

    def _title(self) -> str:
        names = WEEKDAYS[0] if self._language == "sv" else WEEKDAYS[1]
        match self._period.span:
            case Span.DAY:
                day = f"{names[self._period.first.weekday()]} {self._period.first.isoformat()}"
                return self._say(f"Dagsrapport {day}", f"Report of {day}")
            case Span.WEEK:
                year, week, _ = self._period.first.isocalendar()
                return self._say(f"Veckorapport {year}, vecka {week}", f"Week {week} of {year}")
            case Span.MONTH:
                name = self._period.name
                return self._say(f"Månadsrapport {name}", f"Report of {name}")

    def _whose(self, wanted: Wanted) -> str:
        if wanted.queue is not None:
            return self._say(f"kö {wanted.queue}", f"queue {wanted.queue}")
        if wanted.line is not None:
            return self._say(f"linje {wanted.line}", f"line {wanted.line}")
        if wanted.group is not None:
            return self._say(f"svarsgrupp {wanted.group}", f"answer group {wanted.group}")
        if wanted.department is not None:
            return self._say(f"förvaltning {wanted.department}", f"department {wanted.department}")
        return self._say("alla köer, linjer och förvaltningar", "all queues, lines, departments")

    def _facts(self) -> Sequence[tuple[str, str]]:
        zone = self._period.zone
        first, last = self._period.since.astimezone(zone), self._period.until.astimezone(zone)
        hours = length_of(self._period) // timedelta(hours=1)
        until = self._book.facts_until
        known = (
            self._say("inga samtal", "no calls")
            if until is None
            else until.astimezone(zone).isoformat(sep=" ", timespec="seconds")
        )
        return (
            (
                self._say("Period", "Period"),
                f"{first:%Y-%m-%d %H.%M} {numbers.NO_VALUE} {last:%Y-%m-%d %H.%M}, {hours} h, "
                f"{zone}",
            ),
            self._comparison.fact(),
            (self._say("Fakta till", "Facts until"), known),
        )

    def _warnings(self) -> Iterator[Notes]:
        lines = []
        if self._now < self._period.until:
            lines.append(
                self._say(
                    "Perioden pågår: siffrorna ändras.", "The period is not over: figures change."
                )
            )
        elif self._now < self._period.until + REPEAT_WITHIN:
            final = self._period.day_of(self._period.until + REPEAT_WITHIN)
            lines.append(
                self._say(
                    f"Återkomna samtal (repeat_rate) är slutliga den {final.isoformat()}.",
                    f"Repeated calls (repeat_rate) are final on {final.isoformat()}.",
                )
            )
        lines += self._comparison.warnings()
        for queue, count in sorted(self._book.unknown_queues.items()):
            lines.append(
                self._say(
                    f"Kön {queue} finns inte i konfigurationen: {count} stopp där räknas inte.",
                    f"Queue {queue} is not configured: {count} stays there are not counted.",
                )
            )
        if lines:
            yield Notes(lines=lines, is_warning=True)

    def _notes(self) -> Iterator[str]:
        yield self._say(
            "Ett samtal hör till den dag då det kom. Väntan räknas från första kön: en flytt "
            "börjar inte om den. Percentiler är väntan som någon hade (närmaste rang).",
            "A call belongs to the day on which it arrived. Waits begin in the first queue: a move "
            "does not restart them. Percentiles are waits that somebody had (nearest rank).",
        )
        yield self._say(
            f"T är köns gräns för svar i tid, gränsen inräknad. {numbers.NO_VALUE} betyder att "
            "inget värde finns: ingen trafik är varken 0 % eller 100 %.",
            f"T is the queue's limit for an answer in time, inclusive. {numbers.NO_VALUE} is no "
            "value: no traffic is neither 0 % nor 100 %.",
        )
        yield self._say(
            "Vägledning och växel blandas aldrig; interna linjer räknas för sig. Den som flyttas "
            "mellan två köer är inkommen i båda.",
            "Guidance and switchboard are never mixed; internal lines are counted apart. Who is "
            "moved between two queues is offered to both.",
        )
        yield self._comparison.note()

    # For other programs.

    def _data(self, section: Section) -> Iterator[Datum]:
        for subject in section.subjects:
            for figure in _figures(section):
                yield self._datum(
                    section.kind, subject, figure.name, figure.unit, _of_figure(figure)
                )
                if figure.name == "cases":
                    for name in sorted(subject.figures.classes):
                        yield self._datum(
                            section.kind, subject, f"cases_{name}", Unit.COUNT, _of_class(name)
                        )
            if subject.goal is not None:
                yield self._datum(section.kind, subject, "sl_goal", Unit.SHARE, _by_goal)

    def _datum(self, kind: Kind, subject: Subject, name: str, unit: Unit, of: Reckoned) -> Datum:
        role = ROLE_OF.get(kind, kind.name.lower())
        return Datum(
            table=f"{role}/{subject.table}",
            subject=subject.name,
            part=subject.part,
            period=self._period.name,
            name=name,
            unit=UNITS[unit],
            value=of(subject, subject.figures),
            before=self._comparison.beside(name, unit, of, subject, kind),
        )

    def _text(self, unit: Unit, value: FigureValue) -> str:
        return numbers.figure(unit, value, self._language)

    def _say(self, swedish: str, english: str) -> str:
        return swedish if self._language == "sv" else english


def _of_figure(figure: Figure) -> Reckoned:
    return lambda _, figures: figure.of(figures)


def _of_class(name: CaseClass) -> Reckoned:
    return lambda _, figures: figures.classes.get(name, 0)


def _by_goal(subject: Subject, figures: Figures) -> Fraction | None:
    return None if subject.goal is None else sl_within(figures, subject.goal.within)


def _figures(section: Section) -> Sequence[Figure]:
    """Return the figures that a section's kind has; a rare one only where somebody has any."""
    return [
        figure
        for figure in FIGURES
        if section.kind in figure.kinds
        and not (figure.is_rare and not any(figure.of(each.figures) for each in section.subjects))
    ]
