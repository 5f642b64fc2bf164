"""Counts stored calls into figures: each stay on its queue, each call on its line and department.

Here: what is counted where, and when. Not here: what it comes to (period_figures.py).

The rules
    1. A call and all its stays belong to the day on which the call arrived, by the clock on the
       wall. So every part of a call is in one day, and days add up to the month.
    2. Stays count on the queue where they were; waits are since the first arrival in any queue, as
       in the live figures.
    3. Guidance and switchboard are never one figure: a line has one set for each.
    4. Calls of internal lines are counted apart, in all tables.
    5. A stay in a queue that the configuration does not name is left out of the queues' figures,
       and told.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import TypeVar

from ivrd.core.case_record import CaseClass
from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import LineName, QueueName
from ivrd.core.period_figures import Figures, Happening, Slot, Talk, merged
from ivrd.core.rules import QueueRules, Role
from ivrd.core.service_level import Counts, counted
from ivrd.core.stored_calls import StoredCall, StoredStay, belonging_of, guided_stays

Part = TypeVar("Part")

AT_THE_DOOR = frozenset(
    {Disposition.FULL, Disposition.JOIN_EMPTY, Disposition.CLOSED, Disposition.DIVERTED}
)
"""Of a caller who never joined, unless they waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the municipality has decided that figures go by."""

    queues: Mapping[QueueName, QueueRules]
    internal_lines: frozenset[LineName]
    zone: tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePart:
    """What is counted together at the least: a queue's callers of one line, on one day."""

    queue: QueueName
    line: LineName | None
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePart:
    """A line's whole calls on one day."""

    line: LineName | None
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentPart:
    """A department's calls of one line on one day; None is for the unlabelled."""

    department: str | None
    line: LineName | None
    day: date


@dataclass(slots=True)
class _Tally:
    """Figures while they are counted."""

    counts: Counts = field(default_factory=Counts)
    joined: int = 0
    moved_in: int = 0
    waits: list[timedelta] = field(default_factory=list)
    left: list[timedelta] = field(default_factory=list)
    talk: timedelta = timedelta(0)
    talks: int = 0
    talks_unknown: int = 0
    hand_overs: list[timedelta] = field(default_factory=list)
    guided: int = 0
    ended_known: int = 0
    solved: int = 0
    classes: Counter[CaseClass] = field(default_factory=Counter)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    known_callers: int = 0
    repeated: int = 0
    slots: Counter[Slot] = field(default_factory=Counter)

    def figures(self) -> Figures:
        return Figures(
            counts=replace(self.counts, joined=self.joined, moved_in=self.moved_in),
            waits=sorted(self.waits),
            left=sorted(self.left),
            talk=Talk(total=self.talk, stays=self.talks, unknown=self.talks_unknown),
            hand_overs=sorted(self.hand_overs),
            guided=self.guided,
            ended_known=self.ended_known,
            solved=self.solved,
            classes=dict(self.classes),
            outcomes=dict(self.outcomes),
            known_callers=self.known_callers,
            repeated=self.repeated,
            slots=dict(self.slots),
        )

    def note_talk(self, stay: StoredStay) -> None:
        if stay.talk is None:
            self.talks_unknown += 1
        else:
            self.talk += stay.talk
            self.talks += 1

    def note_caller(self, call: StoredCall) -> None:
        if call.is_repeated is not None:
            self.known_callers += 1
            self.repeated += call.is_repeated


class PeriodBook:
    """Takes calls one by one, and keeps no call."""

    def __init__(self, house: House) -> None:
        """Begin with nothing."""
        self._house = house
        self._queues: dict[QueuePart, _Tally] = {}
        self._lines: dict[LinePart, _Tally] = {}
        self._departments: dict[DepartmentPart, _Tally] = {}
        self.unknown_queues: Counter[QueueName] = Counter()
        """Stays that were left out, by a queue that the configuration does not name."""
        self.facts_until: datetime | None = None
        """The last end of a call that was counted; None before the first."""

    def add(self, call: StoredCall) -> None:
        """Count one call."""
        arrived = call.arrived_at.astimezone(self._house.zone)
        if self.facts_until is None or call.ended_at > self.facts_until:
            self.facts_until = call.ended_at
        self._add_whole(call, arrived)
        before: Disposition | None = None
        for stay in call.stays:
            rules = self._house.queues.get(stay.queue)
            if rules is None:
                self.unknown_queues[stay.queue] += 1
            else:
                self._add_stay(call, stay, rules, arrived.date(), was=before)
            before = stay.disposition
        self._add_guided(call, arrived)

    def queues(self, wanted: Callable[[QueuePart], bool]) -> Figures:
        """Return the figures of those parts together."""
        return _of(self._queues, wanted)

    def lines(self, wanted: Callable[[LinePart], bool]) -> Figures:
        """Return the figures of those lines' whole calls together."""
        return _of(self._lines, wanted)

    def departments(self, wanted: Callable[[DepartmentPart], bool]) -> Figures:
        """Return the figures of those departments together."""
        return _of(self._departments, wanted)

    @property
    def queue_parts(self) -> Iterable[QueuePart]:
        """What there is of queues."""
        return self._queues.keys()

    @property
    def line_parts(self) -> Iterable[LinePart]:
        """What there is of lines."""
        return self._lines.keys()

    @property
    def department_parts(self) -> Iterable[DepartmentPart]:
        """What there is of departments."""
        return self._departments.keys()

    def is_internal(self, line: LineName | None) -> bool:
        """Return whether a line is the staff's own."""
        return line in self._house.internal_lines

    def _add_whole(self, call: StoredCall, arrived: datetime) -> None:
        part = LinePart(line=call.line, day=arrived.date())
        tally = self._lines.setdefault(part, _Tally())
        tally.outcomes[call.outcome] += 1
        tally.note_caller(call)
        if call.outcome is not Outcome.CLOSED:
            tally.slots[_slot(arrived, Happening.OFFERED)] += 1
        if any(stay.disposition is Disposition.ANSWERED for stay in call.stays):
            tally.slots[_slot(arrived, Happening.ANSWERED)] += 1
        elif call.outcome is Outcome.ABANDONED:
            tally.slots[_slot(arrived, Happening.ABANDONED)] += 1

    def _add_stay(
        self,
        call: StoredCall,
        stay: StoredStay,
        rules: QueueRules,
        day: date,
        *,
        was: Disposition | None,
    ) -> None:
        part = QueuePart(queue=stay.queue, line=call.line, day=day)
        tally = self._queues.setdefault(part, _Tally())
        tally.counts = counted(
            tally.counts,
            stay.disposition,
            stay.wait,
            threshold=rules.service_level_threshold,
            short_abandon=rules.short_abandon,
        )
        is_joined = stay.entry_wait is not None or stay.disposition not in AT_THE_DOOR
        tally.joined += is_joined
        tally.moved_in += is_joined and was is Disposition.MOVED
        came = stay.joined_at.astimezone(self._house.zone)
        is_refused = stay.disposition in (Disposition.FULL, Disposition.JOIN_EMPTY)
        if is_joined or is_refused:
            tally.slots[_slot(came, Happening.OFFERED)] += 1
        if stay.disposition is Disposition.ANSWERED:
            tally.slots[_slot(came, Happening.ANSWERED)] += 1
            tally.note_talk(stay)
            if stay.wait is not None:
                tally.waits.append(stay.wait)
            if rules.role is Role.SWITCHBOARD and call.transfers and stay.talk is not None:
                tally.hand_overs.append(stay.talk)
        elif stay.disposition is Disposition.ABANDONED:
            tally.slots[_slot(came, Happening.ABANDONED)] += 1
            if stay.wait is not None:
                tally.left.append(stay.wait)

    def _add_guided(self, call: StoredCall, arrived: datetime) -> None:
        """Count a call that a guide answered on the queue's guide, and on the department."""
        mine = belonging_of(call, self._house.queues)
        if mine is None:
            return
        queue_part = QueuePart(queue=mine.queue, line=call.line, day=arrived.date())
        department_part = DepartmentPart(
            department=mine.department, line=call.line, day=arrived.date()
        )
        tally = self._departments.setdefault(department_part, _Tally())
        for each in (self._queues[queue_part], tally):
            each.guided += 1
            each.ended_known += call.outcome is not Outcome.UNKNOWN
            each.note_caller(call)
            if call.case is not None:
                if call.case.is_case:
                    each.classes[call.case.case_class] += 1
                each.solved += call.case.is_solved
        stays = guided_stays(call, self._house.queues)
        last = stays[-1]
        tally.counts = counted(
            tally.counts,
            Disposition.ANSWERED,
            last.wait,
            threshold=self._house.queues[last.queue].service_level_threshold,
            short_abandon=self._house.queues[last.queue].short_abandon,
        )
        if last.wait is not None:
            tally.waits.append(last.wait)
        for stay in stays:
            tally.note_talk(stay)
        for what in (Happening.OFFERED, Happening.ANSWERED):
            tally.slots[_slot(arrived, what)] += 1


def _of(tallies: Mapping[Part, _Tally], wanted: Callable[[Part], bool]) -> Figures:
    return merged(tally.figures() for part, tally in tallies.items() if wanted(part))


def _slot(moment: datetime, what: Happening) -> Slot:
    """Return the half hour that a moment of the place's clock lies in."""
    half_hour = 2 * moment.hour + moment.minute // 30
    return Slot(weekday=moment.weekday(), half_hour=half_hour, what=what)
