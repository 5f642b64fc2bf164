"""What each act makes of a case, and what no order of acts can bring about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.case_record import (
    NOTE_CHARACTERS_MAX,
    PROMISE_MAX,
    Case,
    CaseAct,
    CaseClass,
    CaseRules,
    CaseState,
    Close,
    Feedback,
    FeedbackKind,
    HalfHelped,
    HandOverCase,
    Label,
    Note,
    Promise,
    Refusal,
    Reopen,
    SetClass,
    TellStatus,
    apply,
    changed_fields,
    word_of,
)
from ivrd.core.ids import CallId, Interface, LineName, QueueName, SystemName

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

DRAFT = Case(
    case_id=1,
    system=SystemName("pbx1"),
    call_id=CallId("pbx1/1.1"),
    rule="resolved",
    line=LineName("main"),
    queue=QueueName("kc"),
    agent="anna",
    interface=Interface("PJSIP/anna"),
    answered_at=AT - HOUR,
    opened_at=AT,
    is_from_journal=False,
    is_handed_on=False,
    case_class=CaseClass.RESOLVED,
    is_case=True,
    state=CaseState.DRAFT,
    label=None,
    department=None,
    note="",
    deadline=None,
    feedback_kind=None,
    feedback_receiver="",
    feedback_text="",
    linked_case_id=None,
    caller_key=None,
    external_id=None,
    external_status=None,
    version=1,
    updated_at=AT,
)
CONTACT = replace(
    DRAFT,
    is_handed_on=True,
    case_class=CaseClass.CONTACT,
    is_case=False,
    state=CaseState.CLOSED,
)
LABEL = Label(code="va.lacka", department="teknisk")
PROMISE = Promise(deadline=AT + HOUR)
HALF = SetClass(case_class=CaseClass.HALF_HELPED)

ACTS: dict[str, CaseAct] = {
    "label": LABEL,
    "note": Note(text="Läcka på Å-gatan"),
    "promise": PROMISE,
    "hand_over": HandOverCase(external_id="KC-1"),
    "tell_status": TellStatus(status="ONGOING"),
    "close": Close(),
    "reopen": Reopen(),
    "half": HALF,
    "contact": SetClass(case_class=CaseClass.CONTACT),
    "resolved": SetClass(case_class=CaseClass.RESOLVED),
    "praise": Feedback(kind=FeedbackKind.PRAISE, receiver="Chefen", text="Tack"),
    "label_other": Label(code="skola.plats", department="barn"),
}


def story(case: Case, words: str, rules: CaseRules | None = None) -> str:
    """Return what acts make of a case: its state, "-" where one is refused."""
    states = []
    for word in words.split():
        after = apply(case, ACTS[word], rules=rules or CaseRules(), at=AT)
        if isinstance(after, Refusal):
            states.append("-")
            continue
        case = after
        states.append(case.state.value + ("" if case.is_case else "(no case)"))
    return " ".join(states)


@pytest.mark.parametrize(
    ("acts", "states"),
    [
        ("label note", "closed closed"),
        ("note close label", "draft - closed"),
        ("hand_over label hand_over tell_status close", "- closed handed_over handed_over closed"),
        ("promise label close reopen close", "open open closed open closed"),
        ("label promise hand_over promise reopen", "closed open handed_over - open"),
        ("label hand_over label_other reopen label_other", "closed handed_over - open open"),
        ("half label resolved", "draft closed closed"),
        ("contact", "-"),
        ("promise half close label half", "open - - open -"),
        ("praise label", "draft closed"),
    ],
)
def test_the_life_of_a_case(acts: str, states: str) -> None:
    assert story(DRAFT, acts) == states


@pytest.mark.parametrize(
    ("acts", "states"),
    [
        ("half label", "draft closed"),
        ("label half", "closed(no case) closed"),
        ("half contact", "draft closed(no case)"),
        ("resolved promise reopen hand_over", "- - - -"),
        ("note praise close", "closed(no case) closed(no case) closed(no case)"),
    ],
)
def test_a_contact_is_no_case_until_the_guide_half_helped(acts: str, states: str) -> None:
    assert story(CONTACT, acts) == states


def test_half_helped_may_be_a_contact_only() -> None:
    rules = CaseRules(half_helped=HalfHelped.CONTACT)
    assert story(CONTACT, "half promise label", rules) == "closed(no case) - closed(no case)"
    assert story(DRAFT, "half resolved", rules) == "closed(no case) draft"


@pytest.mark.parametrize(
    ("act", "because"),
    [
        (Promise(deadline=AT), "within 90 days"),
        (Promise(deadline=AT + PROMISE_MAX + HOUR), "within 90 days"),
        (Note(text="x" * (NOTE_CHARACTERS_MAX + 1)), "at most 4000 characters"),
        (Feedback(kind=FeedbackKind.IDEA, receiver="x" * 201), "at most 200 characters"),
        (Feedback(kind=FeedbackKind.IDEA, receiver=" "), "who is to hear it"),
        (Label(code="", department=None), "has a code"),
    ],
)
def test_a_refusal_says_why(act: CaseAct, because: str) -> None:
    after = apply(DRAFT, act, rules=CaseRules(), at=AT)
    assert isinstance(after, Refusal)
    assert because in after.because


def test_every_act_has_a_word_of_its_own() -> None:
    assert {word_of(act) for act in ACTS.values()} == {
        "label",
        "note",
        "promise",
        "hand_over",
        "tell_status",
        "close",
        "reopen",
        "set_class",
        "feedback",
    }


@given(
    st.sampled_from([DRAFT, CONTACT]),
    st.lists(st.sampled_from(list(ACTS.values())), max_size=12),
    st.sampled_from(HalfHelped),
)
def test_whatever_is_done_in_whatever_order(
    case: Case, acts: list[CaseAct], half_helped: HalfHelped
) -> None:
    rules = CaseRules(half_helped=half_helped)
    for act in acts:
        after = apply(case, act, rules=rules, at=AT)
        if isinstance(after, Refusal):
            continue
        assert "version" not in changed_fields(case, after), "the database counts versions"
        case = after
        assert (case.state is CaseState.DRAFT) <= (case.label is None)
        assert case.is_case or case.state is CaseState.CLOSED
        assert (case.is_case and case.state is CaseState.CLOSED) <= (case.label is not None)
        assert (case.state is CaseState.HANDED_OVER) <= (case.department is not None)
        assert (case.case_class is CaseClass.RESOLVED) <= (case.is_case and not case.is_handed_on)
        assert (case.case_class is CaseClass.CONTACT) <= (not case.is_case and case.is_handed_on)
        again = apply(case, act, rules=rules, at=AT)
        assert again == case or isinstance(again, Refusal), "the same act twice is one act"
