"""A case as it is now, and what each act makes of it.

Here: the record, its states, and one function per act. Not here: when a case opens (cases.py), and
keeping it (db/).

States
    draft        opened by the rule; its label is missing
    open         a call back is promised, or somebody took it up again; it waits for us
    handed_over  in the department's hands
    closed       nothing more to do here

    act          from                          to
    label        draft                         closed, or open when a call back is promised
                 any other                     unchanged
    promise      draft, open, closed           open
    hand_over    open, closed                  handed_over; needs a label first
    close        draft, open, handed_over      closed; needs a label first
    reopen       handed_over, closed           open
    set_class    any but open, handed_over     draft or closed; see cases.py

A contact is kept in the same form, closed from its beginning, because a guide's one act makes it a
case: it keeps its key, its history, and what was said of it before.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from ivrd.core.actors import Actor
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName

NOTE_CHARACTERS_MAX = 4_000
"""A note is a guide's few lines; more belongs into the department's own system."""

RECEIVER_CHARACTERS_MAX = 200

PROMISE_MAX = timedelta(days=90)
"""A call back later than this is no promise to a caller."""


class CaseState(StrEnum):
    """Where a case stands."""

    DRAFT = "draft"
    OPEN = "open"
    HANDED_OVER = "handed_over"
    CLOSED = "closed"


class CaseClass(StrEnum):
    """What a guide's call came to; see the rule in cases.py."""

    RESOLVED = "resolved"
    HALF_HELPED = "half_helped"
    CONTACT = "contact"
    """Handed on without help: no case."""


class FeedbackKind(StrEnum):
    """What a citizen said about the municipality (*Tyck till*)."""

    COMPLAINT = "complaint"
    PRAISE = "praise"
    IDEA = "idea"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case, or contact, as it is now."""

    case_id: int
    system: SystemName
    call_id: CallId
    rule: str
    line: LineName | None
    queue: QueueName
    agent: str
    interface: Interface
    answered_at: datetime
    opened_at: datetime
    is_from_journal: bool
    is_handed_on: bool
    """The guide handed the caller on: opened as a contact."""
    case_class: CaseClass
    is_case: bool
    """Counts, and is paid for, as a case."""
    state: CaseState
    label: str | None
    department: str | None
    """Of the label; before there is one, of the queue; None when neither says."""
    note: str
    deadline: datetime | None
    """By when a call back was promised; kept when it is done, as a fact. None: none ever was."""
    feedback_kind: FeedbackKind | None
    feedback_receiver: str
    """Who is to hear it; "" without feedback."""
    feedback_text: str
    linked_case_id: int | None
    """The same caller's case that was not closed when this one opened."""
    caller_key: str | None
    """A keyed hash of the caller's number; None when hidden, or forgotten."""
    external_id: str | None
    """In the department's own system."""
    external_status: str | None
    version: int
    """From 1; one more with each change."""
    updated_at: datetime
    is_protected: bool = False
    """The caller's identity is protected: nothing is written down about them."""
    external_status_at: datetime | None = None
    """By the department's own system, when that status came to be; None: it did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of a case's history."""

    case_id: int
    version: int
    """The case's, after it."""
    at: datetime
    by: Actor
    what: str
    """"opened", or the act's word."""
    before: str
    """JSON of the fields that changed, as they were."""
    after: str
    """The same fields as they are now."""
    act_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChanged:
    """A change that the database holds, with the case after it."""

    case: Case
    change: Change


class HalfHelped(StrEnum):
    """What a half-helped call is."""

    CASE = "case"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRules:
    """What the municipality has decided about cases."""

    half_helped: HalfHelped = HalfHelped.CASE
    repeat: timedelta = timedelta(days=14)
    """A caller's case that is not closed, and no older, is linked to the next; zero links none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Say what it was about."""

    code: str
    department: str | None
    """Whose the label is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write the note anew; "" takes it away."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClass:
    """Say whether the caller was helped."""

    case_class: CaseClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Promise to call back."""

    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Keep what the citizen thinks; None takes it away."""

    kind: FeedbackKind | None
    receiver: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverCase:
    """Say that the department has it."""

    external_id: str | None = None
    """In their system; None leaves what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellStatus:
    """Keep what the department's system says; changes no state.

    One that is older than what is kept came late, and is not taken.
    """

    status: str
    external_id: str | None = None
    said_at: datetime | None = None
    """By their clock, when it came to be; None: unknown, and so it counts as it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Say that it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """Take it up again."""


CaseAct = Label | Note | SetClass | Promise | Feedback | HandOverCase | TellStatus | Close | Reopen


class RefusalCode(StrEnum):
    """Why an act is not done, for programs: a code never changes what it means."""

    PROTECTED = "protected"
    TOO_LONG = "too_long"
    NO_LABEL = "no_label"
    NO_SUCH_LABEL = "no_such_label"
    NO_DEPARTMENT = "no_department"
    CONTACT = "contact"
    WITH_DEPARTMENT = "with_department"
    """It is handed over; take it up again first."""
    HANDED_ON = "handed_on"
    """So it is half helped at most."""
    NOT_HANDED_ON = "not_handed_on"
    UNDER_WAY = "under_way"
    PROMISE_TIME = "promise_time"
    NO_RECEIVER = "no_receiver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an act cannot be done."""

    code: RefusalCode
    because: str
    """The same in English."""


OPENED = "opened"

LINKED = "linked"


LABELLED = "label"
"""The word of the act that every other waits for."""


def word_of(act: CaseAct) -> str:
    """Return the act's word in a history."""
    match act:
        case Label():
            return LABELLED
        case Note():
            return "note"
        case SetClass():
            return "set_class"
        case Promise():
            return "promise"
        case Feedback():
            return "feedback"
        case HandOverCase():
            return "hand_over"
        case TellStatus():
            return "tell_status"
        case Close():
            return "close"
        case Reopen():
            return "reopen"
        case _:
            assert_never(act)


def apply(case: Case, act: CaseAct, *, rules: CaseRules, at: datetime) -> Case | Refusal:
    """Return the case after an act, with its version as it was; or why it cannot be done."""
    if case.is_protected and isinstance(act, Note | Feedback) and act.text:
        return Refusal(
            code=RefusalCode.PROTECTED,
            because="the caller's identity is protected: nothing is written down",
        )
    match act:
        case Label():
            return _label(case, act)
        case Note():
            if len(act.text) > NOTE_CHARACTERS_MAX:
                return Refusal(
                    code=RefusalCode.TOO_LONG,
                    because=f"a note has at most {NOTE_CHARACTERS_MAX} characters",
                )
            return replace(case, note=act.text)
        case SetClass():
            return _set_class(case, act, rules)
        case Promise():
            return _promise(case, act, at)
        case Feedback():
            return _feedback(case, act)
        case HandOverCase():
            return _hand_over(case, act)
        case TellStatus():
            return _tell_status(case, act)
        case Close():
            if case.label is None and case.is_case and case.state is not CaseState.CLOSED:
                return Refusal(
                    code=RefusalCode.NO_LABEL,
                    because="it has no label; without one no department has it",
                )
            return replace(case, state=CaseState.CLOSED)
        case Reopen():
            if not case.is_case:
                return Refusal(code=RefusalCode.CONTACT, because="it is a contact, and no case")
            is_done = case.state in (CaseState.CLOSED, CaseState.HANDED_OVER)
            return replace(case, state=CaseState.OPEN) if is_done else case
        case _:
            assert_never(act)


def changed_fields(before: Case, after: Case) -> tuple[str, ...]:
    """Return the names of the fields in which two states of a case differ."""
    return tuple(
        field.name
        for field in fields(Case)
        if getattr(before, field.name) != getattr(after, field.name)
    )


def _label(case: Case, act: Label) -> Case | Refusal:
    if not act.code:
        return Refusal(code=RefusalCode.NO_SUCH_LABEL, because="a label has a code")
    if case.state is CaseState.HANDED_OVER and act.department != case.department:
        return Refusal(
            code=RefusalCode.WITH_DEPARTMENT,
            because="another department has it already: take it up again first",
        )
    state = case.state
    if state is CaseState.DRAFT:
        state = CaseState.CLOSED
    return replace(case, label=act.code, department=act.department, state=state)


def _set_class(case: Case, act: SetClass, rules: CaseRules) -> Case | Refusal:
    if act.case_class is case.case_class:
        return case
    if act.case_class is CaseClass.RESOLVED and case.is_handed_on:
        return Refusal(
            code=RefusalCode.HANDED_ON,
            because="the caller was handed on, so it is half helped at most",
        )
    if act.case_class is CaseClass.CONTACT and not case.is_handed_on:
        return Refusal(
            code=RefusalCode.NOT_HANDED_ON, because="the caller was not handed on, so it is a case"
        )
    if case.state in (CaseState.OPEN, CaseState.HANDED_OVER):
        return Refusal(code=RefusalCode.UNDER_WAY, because="it is under way: close it first")
    is_case = act.case_class is CaseClass.RESOLVED or (
        act.case_class is CaseClass.HALF_HELPED and rules.half_helped is HalfHelped.CASE
    )
    is_draft = is_case and case.label is None
    return replace(
        case,
        case_class=act.case_class,
        is_case=is_case,
        state=CaseState.DRAFT if is_draft else CaseState.CLOSED,
    )


def _promise(case: Case, act: Promise, at: datetime) -> Case | Refusal:
    if not case.is_case:
        return Refusal(
            code=RefusalCode.CONTACT,
            because="it is a contact, and no case: say first that you half helped",
        )
    if case.state is CaseState.HANDED_OVER:
        return Refusal(
            code=RefusalCode.WITH_DEPARTMENT,
            because="the department has it: take it up again first",
        )
    if not at < act.deadline <= at + PROMISE_MAX:
        return Refusal(
            code=RefusalCode.PROMISE_TIME,
            because=f"a call back is within {PROMISE_MAX.days} days from now",
        )
    return replace(case, deadline=act.deadline, state=CaseState.OPEN)


def _feedback(case: Case, act: Feedback) -> Case | Refusal:
    if act.kind is None:
        return replace(case, feedback_kind=None, feedback_receiver="", feedback_text="")
    if not act.receiver.strip():
        return Refusal(code=RefusalCode.NO_RECEIVER, because="say who is to hear it")
    if len(act.receiver) > RECEIVER_CHARACTERS_MAX or len(act.text) > NOTE_CHARACTERS_MAX:
        return Refusal(
            code=RefusalCode.TOO_LONG,
            because=f"a receiver has at most {RECEIVER_CHARACTERS_MAX} characters, "
            f"a text {NOTE_CHARACTERS_MAX}",
        )
    return replace(
        case,
        feedback_kind=act.kind,
        feedback_receiver=act.receiver.strip(),
        feedback_text=act.text,
    )


def is_late(said_at: datetime | None, *, known_at: datetime | None) -> bool:
    """Return whether a status is older than the one that is kept."""
    return said_at is not None and known_at is not None and said_at < known_at


def _tell_status(case: Case, act: TellStatus) -> Case:
    if is_late(act.said_at, known_at=case.external_status_at):
        return case
    return replace(
        case,
        external_status=act.status,
        external_status_at=act.said_at or case.external_status_at,
        external_id=case.external_id if act.external_id is None else act.external_id,
    )


def _hand_over(case: Case, act: HandOverCase) -> Case | Refusal:
    if not case.is_case:
        return Refusal(code=RefusalCode.CONTACT, because="it is a contact, and no case")
    if case.label is None:
        return Refusal(
            code=RefusalCode.NO_LABEL, because="it has no label; without one no department has it"
        )
    if case.department is None:
        return Refusal(code=RefusalCode.NO_DEPARTMENT, because="its label has no department")
    external_id = case.external_id if act.external_id is None else act.external_id
    return replace(case, state=CaseState.HANDED_OVER, external_id=external_id)
