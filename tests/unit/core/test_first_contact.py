"""First-contact resolution: by department and total, from the classes of cases."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.case_record import Case, CaseClass
from ivrd.core.first_contact import (
    AnsweredCalls,
    by_department,
    first_contact_resolution,
    total,
)
from tests.unit.core.test_case_record import AT, CONTACT, DRAFT

HALF = replace(CONTACT, case_class=CaseClass.HALF_HELPED, is_case=True)


def test_only_what_was_solved_at_once_counts_and_all_that_a_guide_answered_divides() -> None:
    water = [
        DRAFT,
        DRAFT,
        DRAFT,
        replace(DRAFT, linked_case_id=7),
        replace(DRAFT, deadline=AT),
        HALF,
    ]
    cases = [*(replace(case, department="va") for case in water), CONTACT, CONTACT]
    counts = by_department(cases)
    assert counts == {
        "va": AnsweredCalls(first_contact=3, resolved_later=2, half_helped=1),
        None: AnsweredCalls(handed_on=2),
    }
    assert first_contact_resolution(counts["va"]) == Fraction(1, 2)
    assert first_contact_resolution(counts[None]) == 0
    assert first_contact_resolution(total(counts)) == Fraction(3, 8)


def test_without_a_call_there_is_no_value() -> None:
    assert first_contact_resolution(total({})) is None


@given(
    st.lists(
        st.builds(
            replace,
            st.sampled_from([DRAFT, HALF, CONTACT]),
            department=st.sampled_from(["va", "skola", None]),
            linked_case_id=st.sampled_from([None, 3]),
            deadline=st.sampled_from([None, AT]),
        )
    )
)
def test_departments_add_up_to_the_whole(cases: list[Case]) -> None:
    whole = total(by_department(cases))
    assert whole.answered == len(cases)
    share = first_contact_resolution(whole)
    assert share is None if not cases else share is not None and 0 <= share <= 1
