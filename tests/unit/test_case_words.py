"""What people read of cases: every word is there, and the rule on the page is the rule."""

from datetime import timedelta
from pathlib import Path

import pytest

from ivrd.case_words import ACTS, CLASSES, FEEDBACK, FIELDS, STATES, Language, rule_text
from ivrd.core.case_record import (
    Case,
    CaseClass,
    CaseRules,
    CaseState,
    FeedbackKind,
    HalfHelped,
    word_of,
)
from tests.unit.core.test_case_record import ACTS as EVERY_ACT

PAGE = Path(__file__).parents[2] / "docs" / "cases.md"


def test_every_value_and_act_has_words_in_both_languages() -> None:
    assert set(STATES) == set(CaseState)
    assert set(CLASSES) == set(CaseClass)
    assert set(FEEDBACK) == set(FeedbackKind)
    assert {word_of(act) for act in EVERY_ACT.values()} <= set(ACTS)
    for table in (STATES, CLASSES, FEEDBACK, ACTS, FIELDS):
        assert all(words["sv"] and words["en"] for words in table.values())


def test_all_of_a_case_is_shown_but_what_says_who_rang() -> None:
    shown = set(FIELDS) | {"system", "call_id", "rule", "interface", "answered_at"}
    shown |= {"is_from_journal", "is_handed_on"}
    assert set(Case.__dataclass_fields__) - shown == {"caller_key", "is_protected"}


@pytest.mark.parametrize("language", ["sv", "en"])
def test_the_page_says_the_rule_in_the_very_words(language: Language) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for line in rule_text(CaseRules(), language):
        assert f"- {line}\n" in page


def test_the_rule_says_what_is_configured() -> None:
    rules = CaseRules(half_helped=HalfHelped.CONTACT, repeat=timedelta())
    swedish, english = rule_text(rules), rule_text(rules, "en")
    assert "en kontakt, inget ärende" in swedish[1]
    assert swedish[5] == "Upprepade samtal länkas inte."
    assert "and no case" in english[1]
    assert english[5] == "Repeated calls are not linked."
    assert "30 dagar" in rule_text(CaseRules(repeat=timedelta(days=30)))[5]
