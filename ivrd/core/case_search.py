"""Which cases somebody seeks, and what they get: plain values.

Here: filters, pages, and who may see what. Not here: queries (db/case_reads.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.case_record import Case, CaseClass, CaseState, Change, FeedbackKind

WORDS_PERIOD_MAX = timedelta(days=93)
"""No index helps with words in a note, so they are sought within a quarter at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose cases somebody may see; an empty set is no limit.

    A case whose line or department is not known is nobody's but theirs who see all.
    """

    lines: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases are sought; None is any."""

    since: datetime | None = None
    """Opened from then on."""
    until: datetime | None = None
    """Opened before then."""
    agent: str | None = None
    line: str | None = None
    department: str | None = None
    label: str | None = None
    state: CaseState | None = None
    case_class: CaseClass | None = None
    is_case: bool | None = None
    """False: contacts only."""
    is_unlabelled: bool = False
    """Only those that wait for their label."""
    is_not_closed: bool = False
    caller_key: str | None = None
    feedback_kind: FeedbackKind | None = None
    due_before: datetime | None = None
    """Open, with a call back promised before then."""
    external_id: str | None = None
    call_id: str | None = None
    words: str | None = None
    """In the note or the feedback, whatever their case; needs a period."""
    scope: Scope = EVERYTHING

    def fault(self) -> str | None:
        """Return why nobody can seek so; None when it is in order."""
        if self.words is None:
            return None
        if self.since is None or self.until is None:
            return "words are sought within a period: say from when and until when"
        if self.until - self.since > WORDS_PERIOD_MAX:
            return f"words are sought within {WORDS_PERIOD_MAX.days} days at most"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ended."""

    opened_at: datetime
    case_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some cases, newest first, and where the next page begins."""

    cases: tuple[Case, ...]
    next: Place | None
    """None on the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHistory:
    """One case with every change, oldest first."""

    case: Case
    changes: tuple[Change, ...]
