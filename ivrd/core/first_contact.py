"""First-contact resolution: which calls of guides were solved at once.

Here: arithmetic on counts, one definition. Not here: counting rows (db/case_reads.py).

Formula
    solved at first contact / all calls answered by a guide

Solved at first contact is a case of class *resolved* that is neither the repeat of a case that was
not closed, nor one for which a call back was promised: there somebody had to act twice. A call that
a guide answered and whose end is unknown is in neither number.

Source:
    METRICS.md (FCR); Stockholm's goal is 80 %.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ivrd.core.case_record import Case, CaseClass


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredCalls:
    """Calls that guides answered, each counted once.

    Example:
        >>> may = AnsweredCalls(first_contact=16, resolved_later=1, half_helped=1, handed_on=2)
        >>> may.answered, first_contact_resolution(may)
        (20, Fraction(4, 5))
        >>> first_contact_resolution(AnsweredCalls()) is None
        True
    """

    first_contact: int = 0
    """Solved at first contact."""
    resolved_later: int = 0
    """Resolved, but a repeat, or with a call back promised."""
    half_helped: int = 0
    handed_on: int = 0
    """Contacts: handed on without help."""

    @property
    def answered(self) -> int:
        """All of them."""
        return self.first_contact + self.resolved_later + self.half_helped + self.handed_on

    def __add__(self, other: "AnsweredCalls") -> "AnsweredCalls":
        """Return the counts of both together.

        Example:
            >>> (AnsweredCalls(handed_on=1) + AnsweredCalls(first_contact=3)).answered
            4
        """
        return AnsweredCalls(
            first_contact=self.first_contact + other.first_contact,
            resolved_later=self.resolved_later + other.resolved_later,
            half_helped=self.half_helped + other.half_helped,
            handed_on=self.handed_on + other.handed_on,
        )


def first_contact_resolution(calls: AnsweredCalls) -> Fraction | None:
    """Return the share solved at first contact; None when no guide answered any call.

    Example:
        >>> first_contact_resolution(AnsweredCalls(first_contact=1, half_helped=2))
        Fraction(1, 3)
    """
    return Fraction(calls.first_contact, calls.answered) if calls.answered else None


def counted(case_class: CaseClass, *, is_second: bool, calls: int = 1) -> AnsweredCalls:
    """Return so many calls of one class.

    Args:
        case_class: What they came to.
        is_second: A repeat, or with a call back promised.
        calls: How many.

    Example:
        >>> counted(CaseClass.RESOLVED, is_second=True, calls=3).resolved_later
        3
    """
    match case_class:
        case CaseClass.RESOLVED if is_second:
            return AnsweredCalls(resolved_later=calls)
        case CaseClass.RESOLVED:
            return AnsweredCalls(first_contact=calls)
        case CaseClass.HALF_HELPED:
            return AnsweredCalls(half_helped=calls)
        case CaseClass.CONTACT:
            return AnsweredCalls(handed_on=calls)


def by_department(cases: Iterable[Case]) -> Mapping[str | None, AnsweredCalls]:
    """Return the counts of each department; None is the key of calls without one.

    They add up to the whole: `total(by_department(cases))` counts each once.
    """
    counts: dict[str | None, AnsweredCalls] = {}
    for case in cases:
        is_second = case.linked_case_id is not None or case.deadline is not None
        before = counts.get(case.department, AnsweredCalls())
        counts[case.department] = before + counted(case.case_class, is_second=is_second)
    return counts


def total(counts: Mapping[str | None, AnsweredCalls]) -> AnsweredCalls:
    """Return the counts of all departments together.

    Example:
        >>> total({"va": AnsweredCalls(first_contact=1), None: AnsweredCalls(handed_on=2)}).answered
        3
    """
    return sum(counts.values(), AnsweredCalls())
