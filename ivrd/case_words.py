"""What people read of cases, in Swedish and English: the rule, states, classes, and a history.

Here: words. Not here: pages (case_print.py and the web's own), and what they mean (core).
"""

from collections.abc import Mapping
from typing import Literal

from ivrd.core.case_record import (
    LINKED,
    OPENED,
    CaseClass,
    CaseRules,
    CaseState,
    FeedbackKind,
    HalfHelped,
)

Language = Literal["sv", "en"]

Words = Mapping[Language, str]

STATES: Mapping[CaseState, Words] = {
    CaseState.DRAFT: {"sv": "Utkast", "en": "Draft"},
    CaseState.OPEN: {"sv": "Öppet", "en": "Open"},
    CaseState.HANDED_OVER: {"sv": "Överlämnat", "en": "Handed over"},
    CaseState.CLOSED: {"sv": "Avslutat", "en": "Closed"},
}

CLASSES: Mapping[CaseClass, Words] = {
    CaseClass.RESOLVED: {"sv": "Löst", "en": "Resolved"},
    CaseClass.HALF_HELPED: {"sv": "Halvt hjälpt", "en": "Half helped"},
    CaseClass.CONTACT: {"sv": "Kontakt, inget ärende", "en": "Contact, no case"},
}

FEEDBACK: Mapping[FeedbackKind, Words] = {
    FeedbackKind.COMPLAINT: {"sv": "Klagomål", "en": "Complaint"},
    FeedbackKind.PRAISE: {"sv": "Beröm", "en": "Praise"},
    FeedbackKind.IDEA: {"sv": "Idé", "en": "Idea"},
}

ACTS: Mapping[str, Words] = {
    OPENED: {"sv": "Skapat", "en": "Opened"},
    LINKED: {"sv": "Länkat", "en": "Linked"},
    "label": {"sv": "Etikett", "en": "Label"},
    "note": {"sv": "Anteckning", "en": "Note"},
    "set_class": {"sv": "Klass", "en": "Class"},
    "promise": {"sv": "Lovat att ringa upp", "en": "Call back promised"},
    "feedback": {"sv": "Tyck till", "en": "Feedback"},
    "hand_over": {"sv": "Överlämnat", "en": "Handed over"},
    "tell_status": {"sv": "Besked från förvaltningen", "en": "Word from the department"},
    "close": {"sv": "Avslutat", "en": "Closed"},
    "reopen": {"sv": "Återöppnat", "en": "Taken up again"},
}
"""By the word of a change; a word of somebody else's is shown as it is."""

FIELDS: Mapping[str, Words] = {
    "case_id": {"sv": "Ärende", "en": "Case"},
    "opened_at": {"sv": "Skapat", "en": "Opened"},
    "state": {"sv": "Läge", "en": "State"},
    "case_class": {"sv": "Klass", "en": "Class"},
    "is_case": {"sv": "Räknas som ärende", "en": "Counts as a case"},
    "label": {"sv": "Etikett", "en": "Label"},
    "department": {"sv": "Förvaltning", "en": "Department"},
    "agent": {"sv": "Kommunvägledare", "en": "Guide"},
    "line": {"sv": "Linje", "en": "Line"},
    "queue": {"sv": "Kö", "en": "Queue"},
    "note": {"sv": "Anteckning", "en": "Note"},
    "deadline": {"sv": "Ring upp senast", "en": "Call back by"},
    "feedback_kind": {"sv": "Tyck till", "en": "Feedback"},
    "feedback_receiver": {"sv": "Mottagare", "en": "Receiver"},
    "feedback_text": {"sv": "Synpunkt", "en": "What was said"},
    "linked_case_id": {"sv": "Fortsätter ärende", "en": "Continues case"},
    "external_id": {"sv": "Förvaltningens nummer", "en": "The department's number"},
    "external_status": {"sv": "Förvaltningens besked", "en": "The department's word"},
    "external_status_at": {"sv": "Beskedets tid", "en": "When they said it"},
    "version": {"sv": "Version", "en": "Version"},
    "updated_at": {"sv": "Ändrat", "en": "Changed"},
}
"""What is shown and exported of a case, in this order. Not the caller's key, which is a person's,
nor whether their identity is protected."""


def said(value: object, language: Language) -> str:
    """Return the word of a state, a class or a kind of feedback, or another text as it is."""
    match value:
        case CaseState():
            return STATES[value][language]
        case CaseClass():
            return CLASSES[value][language]
        case FeedbackKind():
            return FEEDBACK[value][language]
        case _:
            return "" if value is None else str(value)


def rule_text(rules: CaseRules, language: Language = "sv") -> tuple[str, ...]:
    """Return the rule as guides and department heads read it, one sentence group a line.

    docs/cases.md shows the same lines for the default configuration; a test compares them.
    """
    days = rules.repeat.days
    as_case = rules.half_helped is HalfHelped.CASE
    if language == "sv":
        half = "ett eget ärende" if as_case else "en kontakt, inget ärende"
        repeat = (
            "Ringer samma person igen inom "
            f"{days} dagar medan ärendet inte är avslutat, länkas det nya till det."
            if days
            else "Upprepade samtal länkas inte."
        )
        return (
            "Du svarar och kopplar inte vidare: ett ärende, löst.",
            f"Du hjälper till och kopplar sedan vidare: halvt hjälpt, om du säger det; {half}.",
            "Du kopplar vidare utan att hjälpa: en kontakt, inget ärende.",
            "Växeln kopplar: inget ärende. Okänt utfall: inget ärende; vi gissar aldrig.",
            "Lovar du att ringa upp står ärendet öppet, med en tid.",
            repeat,
            "Ett ärende utan etikett är ett utkast och ligger kvar på din lista.",
        )
    half = "a case of its own" if as_case else "a contact, and no case"
    repeat = (
        f"If the same person rings again within {days} days and the case is not closed, "
        "the new one is linked to it."
        if days
        else "Repeated calls are not linked."
    )
    return (
        "You answer and do not hand on: a case, resolved.",
        f"You help and then hand on: half helped, if you say so; {half}.",
        "You hand on without helping: a contact, no case.",
        "The switchboard connects: no case. Unknown outcome: no case; we never guess.",
        "If you promise to call back the case stays open, with a time.",
        repeat,
        "A case without a label is a draft and stays on your list.",
    )
