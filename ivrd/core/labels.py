"""What cases can be about: the tree of departments and subjects, and what is suggested first.

Here: the tree as values, codes on a telephone, and the arithmetic of suggestions. Not here: the
configuration (config/labels.py), and who puts a label on a case.

The rules
    1. A case is labelled with a subject's code. The department follows from the tree; a code never
       changes its meaning, while names and phone codes may.
    2. No phone code is the beginning of another, so a code is complete with its last key, and
       nobody has to press a key that says so.
    3. A suggestion has points, and says where each of them comes from (`POINTS`). What names the
       subject counts in full; what names its department only counts half, rounded down.
    4. What was set lately fades: the newest counts in full, each older one a point less. Equal
       points stand as in the tree.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

HALF_HELPED_KEY = "*"
"""Before a code: the caller was helped with a part, and goes on to somebody else."""

KEYS = "0123456789"

SUGGESTIONS_MAX = 5
"""As many as one sees at a glance, and as there are easy keys."""

LATELY_MAX = 5
"""Older labels of a guide or of a caller say nothing any more."""


class Clue(StrEnum):
    """What a suggestion is taken from."""

    TRANSFER = "transfer"
    """Where the guide handed the caller on to."""
    CHOICE = "choice"
    """A key in a tone menu."""
    CALLER = "caller"
    """What this caller rang about lately."""
    LINE = "line"
    GUIDE = "guide"
    """What this guide set lately."""
    QUEUE = "queue"


POINTS: Mapping[Clue, int] = {
    Clue.TRANSFER: 60,
    Clue.CHOICE: 40,
    Clue.CALLER: 30,
    Clue.LINE: 20,
    Clue.GUIDE: 12,
    Clue.QUEUE: 10,
}
"""The more a clue is about this very question, the more it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What hints at a subject, or at any subject of a department."""

    lines: frozenset[str] = frozenset()
    choices: frozenset[str] = frozenset()
    """As "MENU:KEY"."""
    queues: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    """Extensions that callers are handed on to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a case is about: a label."""

    code: str
    name_sv: str
    name_en: str
    phone_code: str
    """Keys on a telephone; "" for one that has none."""
    signs: Signs = Signs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """Who owns the question, and pays for the case."""

    code: str
    name_sv: str
    name_en: str
    subjects: tuple[Subject, ...]
    signs: Signs = Signs()


@dataclass(frozen=True, slots=True)
class LabelTree:
    """Every department with its subjects, in the order of the configuration."""

    departments: tuple[Department, ...] = ()
    _subjects: dict[str, tuple[Subject, Department]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _phone: dict[str, Subject] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the subjects."""
        for department in self.departments:
            for subject in department.subjects:
                self._subjects[subject.code] = (subject, department)
                if subject.phone_code:
                    self._phone[subject.phone_code] = subject

    def __bool__(self) -> bool:
        """Return whether there is anything to choose from."""
        return bool(self._subjects)

    def __iter__(self) -> Iterator[tuple[Subject, Department]]:
        """Return every subject with its department, in order."""
        return iter(self._subjects.values())

    def subject(self, code: str) -> Subject | None:
        """Return the subject of a label; None for one that the tree has not."""
        found = self._subjects.get(code)
        return None if found is None else found[0]

    def department_of(self, code: str) -> Department | None:
        """Return the department of a label; None for one that the tree has not."""
        found = self._subjects.get(code)
        return None if found is None else found[1]

    def department(self, code: str) -> Department | None:
        """Return a department by its own code; None for one that the tree has not."""
        return next((each for each in self.departments if each.code == code), None)

    def by_phone(self, keys: str) -> Subject | None:
        """Return the subject of a code on the telephone; None for a wrong one."""
        return self._phone.get(keys)

    @property
    def phone_codes(self) -> Mapping[str, Subject]:
        """Every code on the telephone."""
        return self._phone


def dead_ends(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the shortest keys that begin no code: whoever pressed them has pressed wrong.

    >>> dead_ends(["1", "21", "22"])[:4]
    ('0', '20', '23', '24')
    """
    whole = set(codes)
    beginnings = {code[:length] for code in whole for length in range(len(code))}
    return tuple(
        sorted(
            beginning + key
            for beginning in beginnings
            for key in KEYS
            if beginning + key not in whole and beginning + key not in beginnings
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """What is known of a call, and of whoever labels its case."""

    line: str | None = None
    path: tuple[str, ...] = ()
    """Every choice, as "MENU:KEY"."""
    queue: str | None = None
    transfers: tuple[str, ...] = ()
    """Extensions that the caller was handed on to."""
    guide_lately: Sequence[str] = ()
    """Labels that this guide set, newest first."""
    caller_lately: Sequence[str] = ()
    """Labels of this caller's cases, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something is suggested."""

    clue: Clue
    points: int
    what: str
    """The line, choice, queue or extension; "" for what was set lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A label that may be the right one."""

    subject: Subject
    department: Department
    reasons: tuple[Reason, ...]
    """Strongest first; never empty."""

    @property
    def points(self) -> int:
        """All reasons together."""
        return sum(reason.points for reason in self.reasons)


def suggest(
    tree: LabelTree, clues: Clues, *, at_most: int = SUGGESTIONS_MAX
) -> tuple[Suggestion, ...]:
    """Return the labels that the clues speak for, best first; empty when none does."""
    found = [
        Suggestion(subject=subject, department=department, reasons=reasons)
        for subject, department in tree
        if (reasons := tuple(_reasons(subject, department, clues)))
    ]
    found.sort(key=lambda suggestion: -suggestion.points)
    return tuple(found[:at_most])


def _reasons(subject: Subject, department: Department, clues: Clues) -> Iterator[Reason]:
    """Yield each reason for one subject, strongest first; at most one for each clue."""
    for clue in Clue:
        reason = (
            _lately(clue, subject, _codes(clue, clues))
            if clue in (Clue.CALLER, Clue.GUIDE)
            else _sign(clue, subject, department, clues)
        )
        if reason is not None:
            yield reason


def _codes(clue: Clue, clues: Clues) -> Sequence[str]:
    return clues.caller_lately if clue is Clue.CALLER else clues.guide_lately


def _lately(clue: Clue, subject: Subject, codes: Sequence[str]) -> Reason | None:
    for age, code in enumerate(codes[:LATELY_MAX]):
        if code == subject.code:
            return Reason(clue=clue, points=POINTS[clue] - age, what="")
    return None


def _sign(clue: Clue, subject: Subject, department: Department, clues: Clues) -> Reason | None:
    given = _given(clue, clues)
    for signs, part in ((subject.signs, 1), (department.signs, 2)):
        for what in given:
            if what in _wanted(clue, signs):
                return Reason(clue=clue, points=POINTS[clue] // part, what=what)
    return None


def _given(clue: Clue, clues: Clues) -> tuple[str, ...]:
    match clue:
        case Clue.TRANSFER:
            return clues.transfers
        case Clue.CHOICE:
            return clues.path
        case Clue.LINE:
            return () if clues.line is None else (clues.line,)
        case _:
            return () if clues.queue is None else (clues.queue,)


def _wanted(clue: Clue, signs: Signs) -> frozenset[str]:
    match clue:
        case Clue.TRANSFER:
            return signs.numbers
        case Clue.CHOICE:
            return signs.choices
        case Clue.LINE:
            return signs.lines
        case _:
            return signs.queues
