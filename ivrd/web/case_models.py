"""Cases as the API tells of them, and the acts that it takes.

Here: shapes. Not here: routes (cases.py), and what an act makes of a case (core/case_record.py).
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ivrd.core.case_record import (
    NOTE_CHARACTERS_MAX,
    RECEIVER_CHARACTERS_MAX,
    Case,
    CaseClass,
    CaseState,
    Change,
    FeedbackKind,
)
from ivrd.core.labels import LabelTree, Suggestion

CODE_CHARACTERS_MAX = 64

ACT_ID_CHARACTERS_MAX = 100

VERSION_MAX = 2**31 - 1


class FeedbackView(BaseModel):
    """What a citizen said about the municipality (*Tyck till*)."""

    kind: FeedbackKind
    receiver: str = Field(description="Who is to hear it.")
    text: str


class CaseView(BaseModel):
    """One case, or contact, as it is now."""

    id: int
    version: int = Field(description="One more with each change; send it back with an act.")
    state: CaseState
    case_class: CaseClass = Field(serialization_alias="class")
    is_case: bool = Field(description="False: a contact, which counts as no case.")
    line: str | None
    queue: str
    agent: str
    answered_at: datetime
    opened_at: datetime
    updated_at: datetime
    label: str | None = Field(description="A subject's code; null while it is missing.")
    label_sv: str | None
    label_en: str | None
    department: str | None
    department_sv: str | None
    department_en: str | None
    note: str
    deadline: datetime | None = Field(description="By when a call back was promised.")
    feedback: FeedbackView | None
    linked_case_id: int | None = Field(description="The same caller's case, open at the time.")
    caller: str | None = Field(description="A pseudonym, alike for calls of the same number.")
    external_id: str | None
    external_status: str | None


class SuggestionView(BaseModel):
    """A label that may be the right one."""

    code: str
    phone_code: str
    name_sv: str
    name_en: str
    department_sv: str
    department_en: str
    points: int
    because: list[str] = Field(description="Which clues speak for it, strongest first.")


class DraftView(CaseView):
    """A case that waits for its label."""

    suggestions: list[SuggestionView]


class MyCases(BaseModel):
    """A guide's own cases, newest first."""

    agent: str | None = Field(description="Null: this token belongs to nobody who takes calls.")
    drafts: list[DraftView]
    promised: list[CaseView] = Field(description="Open: somebody is to be called back.")
    recent: list[CaseView] = Field(description="Of the last day, contacts too.")


class ChangeView(BaseModel):
    """One row of a case's history."""

    version: int
    at: datetime
    who: str
    origin: str
    what: str
    before: str = Field(description="JSON of the fields that changed.")
    after: str = Field(description="JSON of the fields that changed.")


class CaseStory(BaseModel):
    """One case with its history, and what the same caller rang about before."""

    case: CaseView
    changes: list[ChangeView]
    earlier: list[CaseView] = Field(description="Of the same caller, newest first.")


class CasePage(BaseModel):
    """Some cases, newest first."""

    cases: list[CaseView]
    next: str | None = Field(description="Send as `after` for the next page; null on the last.")


class SubjectView(BaseModel):
    """What a case can be about."""

    code: str
    phone_code: str
    name_sv: str
    name_en: str


class DepartmentView(BaseModel):
    """A department and its subjects."""

    code: str
    name_sv: str
    name_en: str
    subjects: list[SubjectView]


class LabelsView(BaseModel):
    """The whole tree."""

    departments: list[DepartmentView]


class _Act(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(
        default=None, ge=1, le=VERSION_MAX, description="The version that was seen; else any."
    )
    act_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=ACT_ID_CHARACTERS_MAX,
        pattern=r"^[!-~]+$",
        description="Made up by whoever asks: the same act a second time changes nothing.",
    )


class LabelAct(_Act):
    """Say what it is about."""

    do: Literal["label"]
    code: str = Field(min_length=1, max_length=CODE_CHARACTERS_MAX)


class NoteAct(_Act):
    """Write the note anew."""

    do: Literal["note"]
    text: str = Field(max_length=NOTE_CHARACTERS_MAX)


class ClassAct(_Act):
    """Say whether the caller was helped."""

    do: Literal["set_class"]
    case_class: CaseClass = Field(alias="class")


class PromiseAct(_Act):
    """Promise to call back."""

    do: Literal["promise"]
    deadline: datetime = Field(description="With its offset from UTC.")


class FeedbackAct(_Act):
    """Keep a complaint, praise or idea; kind null takes it away."""

    do: Literal["feedback"]
    kind: FeedbackKind | None
    receiver: str = Field(default="", max_length=RECEIVER_CHARACTERS_MAX)
    text: str = Field(default="", max_length=NOTE_CHARACTERS_MAX)


class PlainAct(_Act):
    """Hand over, close, or take up again."""

    do: Literal["hand_over", "close", "reopen"]


ActBody = Annotated[
    LabelAct | NoteAct | ClassAct | PromiseAct | FeedbackAct | PlainAct,
    Field(discriminator="do"),
]


def view_of(case: Case, labels: LabelTree) -> CaseView:
    """Return a case as it is told."""
    return CaseView.model_validate(_fields(case, labels))


def draft_of(case: Case, labels: LabelTree, suggestions: tuple[Suggestion, ...]) -> DraftView:
    """Return a draft with what it may be about."""
    told = [
        SuggestionView(
            code=each.subject.code,
            phone_code=each.subject.phone_code,
            name_sv=each.subject.name_sv,
            name_en=each.subject.name_en,
            department_sv=each.department.name_sv,
            department_en=each.department.name_en,
            points=each.points,
            because=[reason.clue.value for reason in each.reasons],
        )
        for each in suggestions
    ]
    return DraftView.model_validate({**_fields(case, labels), "suggestions": told})


def change_view(change: Change) -> ChangeView:
    """Return a row of the history as it is told."""
    return ChangeView(
        version=change.version,
        at=change.at,
        who=change.by.who,
        origin=change.by.origin.value,
        what=change.what,
        before=change.before,
        after=change.after,
    )


def labels_view(labels: LabelTree) -> LabelsView:
    """Return the tree as it is told."""
    return LabelsView(
        departments=[
            DepartmentView(
                code=department.code,
                name_sv=department.name_sv,
                name_en=department.name_en,
                subjects=[
                    SubjectView(
                        code=subject.code,
                        phone_code=subject.phone_code,
                        name_sv=subject.name_sv,
                        name_en=subject.name_en,
                    )
                    for subject in department.subjects
                ],
            )
            for department in labels.departments
        ]
    )


PSEUDONYM_CHARACTERS = 8
"""Enough to tell a day's callers apart, too few to be tried against a list of numbers."""


def _fields(case: Case, labels: LabelTree) -> dict[str, object]:
    subject = None if case.label is None else labels.subject(case.label)
    department = None if case.department is None else labels.department(case.department)
    feedback = None
    if case.feedback_kind is not None:
        feedback = FeedbackView(
            kind=case.feedback_kind, receiver=case.feedback_receiver, text=case.feedback_text
        )
    return {
        "id": case.case_id,
        "version": case.version,
        "state": case.state,
        "case_class": case.case_class,
        "is_case": case.is_case,
        "line": case.line,
        "queue": case.queue,
        "agent": case.agent,
        "answered_at": case.answered_at,
        "opened_at": case.opened_at,
        "updated_at": case.updated_at,
        "label": case.label,
        "label_sv": None if subject is None else subject.name_sv,
        "label_en": None if subject is None else subject.name_en,
        "department": case.department,
        "department_en": None if department is None else department.name_en,
        "department_sv": None if department is None else department.name_sv,
        "note": case.note,
        "deadline": case.deadline,
        "feedback": feedback,
        "linked_case_id": case.linked_case_id,
        "caller": None if case.caller_key is None else case.caller_key[-PSEUDONYM_CHARACTERS:],
        "external_id": case.external_id,
        "external_status": case.external_status,
    }
