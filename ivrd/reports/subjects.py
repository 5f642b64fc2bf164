"""Whose figures a history shows: queues, answer groups, lines, departments, and the staff's own.

Here: which parts of a period's book stand together in one column. Not here: the columns' looks
(history.py).

Guidance and switchboard never stand in one column, and callers of internal lines stand apart.
"""

import difflib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from ivrd.config import Config, LineConfig, QueueConfig
from ivrd.core.ids import LineName, QueueName
from ivrd.core.period_book import PeriodBook, QueuePart
from ivrd.core.period_figures import Figures, Kind
from ivrd.errors import ConfigError
from ivrd.reports.document import Language

ROLE_OF = {Kind.GUIDANCE: "guide", Kind.SWITCHBOARD: "switchboard"}

EXTERNAL, INTERNAL = "external", "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose figures; at most one of them. All None is everybody's."""

    queue: str | None = None
    line: str | None = None
    group: str | None = None
    department: str | None = None

    @property
    def is_all(self) -> bool:
        """Return whether nobody in particular was named."""
        return self == Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a line is to reach."""

    share: Fraction
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose figures stand in one column."""

    table: str
    """"all", "queue", "group", "line" or "department"."""
    name: str
    """By the configuration; "" for all together, or for the unlabelled."""
    title: str
    figures: Figures
    threshold: timedelta | None = None
    """T of its service levels; None where several differ, or there is none."""
    part: str = EXTERNAL
    goal: Goal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of figures."""

    title: str
    kind: Kind
    subjects: Sequence[Subject]


class Subjects:
    """Finds them in a book."""

    def __init__(
        self,
        settings: Config,
        book: PeriodBook,
        language: Language,
        *,
        departments: Collection[str] = (),
    ) -> None:
        """Take what was counted, and departments to tell of though they had no calls."""
        self._queues = {QueueName(queue.name): queue for queue in settings.queues}
        self._lines = {LineName(line.name): line for line in settings.lines}
        self._departments = {
            each.code: each.name_sv if language == "sv" else each.name_en
            for each in settings.department
        }
        self._book = book
        self._language = language
        self._others = departments

    def check(self, wanted: Wanted) -> None:
        """Refuse a name that nobody has.

        Raises:
            ConfigError: With the nearest known name.
        """
        groups = {group_of(queue) for queue in self._queues.values()}
        for option, name, known in (
            ("--queue", wanted.queue, [str(name) for name in self._queues]),
            ("--line", wanted.line, [str(name) for name in self._lines]),
            ("--group", wanted.group, sorted(groups)),
            ("--department", wanted.department, self._known_departments()),
        ):
            if name is not None and name not in known:
                close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
                raise ConfigError([f"{option}: none is named {name!r}; {hint}"])

    def sections(self, wanted: Wanted) -> Iterator[Section]:
        """Yield the tables in the order in which they are read."""
        if wanted.is_all or wanted.line is not None:
            yield self._calls(wanted.line)
        for kind in ROLE_OF:
            if wanted.is_all or wanted.queue is not None or wanted.group is not None:
                yield from self._of_queues(wanted, kind)
        for kind in ROLE_OF:
            if wanted.is_all or wanted.line is not None:
                yield from self._of_lines(wanted.line, kind)
        if wanted.is_all or wanted.department is not None:
            yield from self._of_departments(wanted.department)
        if wanted.is_all:
            yield from self._internal()

    def of_day(self, wanted: Wanted, kind: Kind, day: date) -> Figures:
        """Return what those who are asked for came to on one day; external callers only."""
        if kind is Kind.CALLS:
            return self._book.lines(
                lambda part: part.day == day and self._is_line(part.line, wanted.line)
            )
        if kind is Kind.DEPARTMENT:
            return self._book.departments(
                lambda part: (
                    part.day == day
                    and (part.department or "") == wanted.department
                    and self._is_line(part.line, None)
                )
            )
        is_queue = self._queue_test(wanted, kind)
        return self._book.queues(
            lambda part: (
                part.day == day and is_queue(part.queue) and self._is_line(part.line, wanted.line)
            )
        )

    def all_of(self, wanted: Wanted, kind: Kind) -> Figures:
        """Return what those who are asked for came to; external callers only."""
        if kind is Kind.CALLS:
            return self._book.lines(lambda part: self._is_line(part.line, wanted.line))
        if kind is Kind.DEPARTMENT:
            return self._department(wanted.department or "")
        is_queue = self._queue_test(wanted, kind)
        return self._book.queues(
            lambda part: is_queue(part.queue) and self._is_line(part.line, wanted.line)
        )

    def kinds(self, wanted: Wanted) -> Sequence[Kind]:
        """Return of which kinds those who are asked for have queues."""
        return [
            kind
            for kind in ROLE_OF
            if any(map(self._queue_test(wanted, kind), self._queues))
            and (wanted.line is None or self.all_of(wanted, kind).counts.offered)
        ]

    def _queue_test(self, wanted: Wanted, kind: Kind) -> Callable[[QueueName], bool]:
        names = {
            name
            for name, queue in self._queues.items()
            if queue.role == ROLE_OF[kind]
            and wanted.queue in (None, name)
            and wanted.group in (None, group_of(queue))
        }
        return names.__contains__

    def _is_line(self, line: LineName | None, wanted: str | None) -> bool:
        """Return whether a line counts: the one asked for, or any that is not the staff's own."""
        return line == wanted if wanted is not None else not self._book.is_internal(line)

    def _calls(self, wanted: str | None) -> Section:
        shown = [
            name
            for name, line in self._lines.items()
            if (name == wanted if wanted is not None else not line.is_internal)
        ]
        subjects = []
        if wanted is None:
            figures = self._book.lines(lambda part: self._is_line(part.line, None))
            title = self._say("Alla externa", "All external")
            subjects.append(Subject(table="all", name="", title=title, figures=figures))
        subjects += [self._line_calls(name) for name in shown]
        unknown = self._book.lines(lambda part: part.line not in self._lines)
        if wanted is None and unknown.calls:
            title = self._say("Okänd linje", "Unknown line")
            subjects.append(Subject(table="line", name="?", title=title, figures=unknown))
        title = self._say("Samtal per linje", "Calls by line")
        return Section(title=title, kind=Kind.CALLS, subjects=subjects)

    def _line_calls(self, name: LineName) -> Subject:
        part = INTERNAL if self._book.is_internal(name) else EXTERNAL
        figures = self._book.lines(lambda each: each.line == name)
        return Subject(table="line", name=name, title=name, figures=figures, part=part)

    def _of_queues(self, wanted: Wanted, kind: Kind) -> Iterator[Section]:
        queues = [queue for queue in self._queues.values() if queue.role == ROLE_OF[kind]]
        groups: dict[str, list[QueueConfig]] = {}
        for queue in queues:
            groups.setdefault(group_of(queue), []).append(queue)
        subjects: list[Subject] = []
        if wanted.is_all and len(queues) > 1:
            subjects.append(self._queues_together("all", "", self._all_title(kind), queues))
        for group, members in groups.items():
            is_asked = wanted.group == group
            if is_asked or (wanted.is_all and len(members) > 1):
                title = self._say(f"Grupp {group}", f"Group {group}")
                subjects.append(self._queues_together("group", group, title, members))
        for queue in queues:
            if wanted.is_all or wanted.queue == queue.name:
                subjects.append(
                    self._queues_together("queue", queue.name, self._title(queue), [queue])
                )
            elif wanted.group == group_of(queue) and len(groups[group_of(queue)]) > 1:
                subjects.append(
                    self._queues_together("queue", queue.name, self._title(queue), [queue])
                )
        if subjects:
            yield Section(title=self._kind_title(kind), kind=kind, subjects=subjects)

    def _queues_together(
        self,
        table: str,
        name: str,
        title: str,
        queues: Collection[QueueConfig],
        *,
        part: str = EXTERNAL,
    ) -> Subject:
        names = {QueueName(queue.name) for queue in queues}
        is_internal = part == INTERNAL
        figures = self._book.queues(
            lambda each: each.queue in names and self._book.is_internal(each.line) is is_internal
        )
        return Subject(
            table=table,
            name=name,
            title=title,
            figures=figures,
            threshold=_threshold(queues),
            part=part,
        )

    def _of_lines(self, wanted: str | None, kind: Kind) -> Iterator[Section]:
        queues = {name for name, queue in self._queues.items() if queue.role == ROLE_OF[kind]}
        subjects = []
        for name, line in self._lines.items():
            if name != wanted if wanted is not None else line.is_internal:
                continue
            found = [part for part in self._book.queue_parts if part.line == name]
            mine = {part.queue for part in found} & queues
            if not mine:
                continue
            figures = self._book.queues(_of_line(name, mine))
            subjects.append(
                Subject(
                    table="line",
                    name=name,
                    title=name,
                    figures=figures,
                    threshold=_threshold([self._queues[queue] for queue in mine]),
                    part=INTERNAL if line.is_internal else EXTERNAL,
                    goal=goal_of(line),
                )
            )
        if subjects:
            what = self._kind_title(kind)
            yield Section(
                title=self._say(f"{what}, per linje", f"{what}, by line"),
                kind=kind,
                subjects=subjects,
            )

    def _of_departments(self, wanted: str | None) -> Iterator[Section]:
        names = sorted(
            {*self._others, *(part.department or "" for part in self._book.department_parts)}
        )
        subjects = []
        if wanted is None and names:
            figures = self._book.departments(lambda part: not self._book.is_internal(part.line))
            title = self._say("Alla", "All")
            subjects.append(Subject(table="all", name="", title=title, figures=figures))
        for name in names if wanted is None else [wanted]:
            unlabelled = self._say("utan etikett", "unlabelled")
            title = self._departments.get(name, name) or unlabelled
            subjects.append(
                Subject(
                    table="department",
                    name=name,
                    title=title,
                    figures=self._department(name),
                )
            )
        if subjects:
            title = self._say("Förvaltningar", "Departments")
            yield Section(title=title, kind=Kind.DEPARTMENT, subjects=subjects)

    def _known_departments(self) -> list[str]:
        """Return those of the configuration, and older ones that still have calls."""
        counted = {part.department for part in self._book.department_parts if part.department}
        counted |= set(self._others) - {""}
        return [*self._departments, *sorted(counted - set(self._departments))]

    def _department(self, name: str) -> Figures:
        return self._book.departments(
            lambda part: (part.department or "") == name and not self._book.is_internal(part.line)
        )

    def _internal(self) -> Iterator[Section]:
        lines = [name for name, line in self._lines.items() if line.is_internal]
        if not lines:
            return
        calls = [self._line_calls(name) for name in lines]
        title = self._say("Interna linjer", "Internal lines")
        yield Section(title=title, kind=Kind.CALLS, subjects=calls)
        for kind, role in ROLE_OF.items():
            subjects = [
                self._queues_together(
                    "queue", queue.name, self._title(queue), [queue], part=INTERNAL
                )
                for queue in self._queues.values()
                if queue.role == role
            ]
            some = [each for each in subjects if each.figures.counts.offered]
            if some:
                what = self._kind_title(kind)
                title = self._say(f"Interna linjer: {what}", f"Internal lines: {what}")
                yield Section(title=title, kind=kind, subjects=some)

    def _title(self, queue: QueueConfig) -> str:
        titles = (queue.title_sv, queue.title_en)
        return (titles[0] if self._language == "sv" else titles[1] or titles[0]) or queue.name

    def _all_title(self, kind: Kind) -> str:
        if kind is Kind.GUIDANCE:
            return self._say("All vägledning", "All guidance")
        return self._say("All växel", "All switchboard")

    def _kind_title(self, kind: Kind) -> str:
        if kind is Kind.GUIDANCE:
            return self._say("Vägledning", "Guidance")
        return self._say("Växel", "Switchboard")

    def _say(self, swedish: str, english: str) -> str:
        return swedish if self._language == "sv" else english


def group_of(queue: QueueConfig) -> str:
    """Return a queue's answer group; its own name when none is configured."""
    return queue.group or queue.name


def goal_of(line: LineConfig) -> Goal | None:
    """Return what a line is to reach, or None."""
    if line.goal_percent is None or line.goal_within_s is None:
        return None
    return Goal(
        share=Fraction(line.goal_percent, 100), within=timedelta(seconds=line.goal_within_s)
    )


def _threshold(queues: Collection[QueueConfig]) -> timedelta | None:
    found = {queue.service_level_threshold_s for queue in queues}
    return timedelta(seconds=found.pop()) if len(found) == 1 else None


def _of_line(line: LineName, queues: Collection[QueueName]) -> Callable[[QueuePart], bool]:
    return lambda part: part.line == line and part.queue in queues
