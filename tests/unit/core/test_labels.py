"""The tree of labels, codes on the telephone, and what is suggested first."""

import pytest

from ivrd.core.labels import (
    Clue,
    Clues,
    Department,
    LabelTree,
    Signs,
    Subject,
    dead_ends,
    suggest,
)


def subject(code: str, phone_code: str = "", signs: Signs | None = None) -> Subject:
    return Subject(
        code=code, name_sv=code, name_en=code, phone_code=phone_code, signs=signs or Signs()
    )


WASTE = subject("waste", "51", Signs(lines=frozenset({"refuse"}), choices=frozenset({"va:2"})))
WATER = subject("water", "52", Signs(numbers=frozenset({"8100"})))
ROADS = subject("roads", "53")
PERMIT = subject("permit", "61")

TREE = LabelTree(
    (
        Department(
            code="technical",
            name_sv="Tekniska",
            name_en="Technical",
            subjects=(WASTE, WATER, ROADS),
            signs=Signs(choices=frozenset({"main:2"}), queues=frozenset({"va"})),
        ),
        Department(
            code="planning", name_sv="Bygg", name_en="Planning", subjects=(PERMIT, subject("map"))
        ),
    )
)


def test_a_label_leads_to_its_department_and_a_phone_code_to_its_label() -> None:
    assert TREE.department_of("roads") == TREE.departments[0]
    assert TREE.by_phone("61") == PERMIT
    assert TREE.by_phone("6") is None
    assert TREE.by_phone("") is None, "a subject without a code on the telephone has none"
    assert TREE.department_of("no such label") is None


@pytest.mark.parametrize(
    ("clues", "told"),
    [
        (Clues(), []),
        (Clues(line="refuse"), ["waste 20 line refuse"]),
        (
            Clues(path=("main:2",)),
            [f"{code} 20 choice main:2" for code in ("waste", "water", "roads")],
        ),
        (
            Clues(path=("main:2", "va:2"), line="refuse"),
            [
                "waste 60 choice va:2, line refuse",
                "water 20 choice main:2",
                "roads 20 choice main:2",
            ],
        ),
        (
            Clues(queue="va", transfers=("8100",)),
            [
                "water 65 transfer 8100, queue va",
                "waste 5 queue va",
                "roads 5 queue va",
            ],
        ),
        (
            Clues(guide_lately=("permit", "roads", "permit"), caller_lately=("roads",)),
            ["roads 41 caller, guide", "permit 12 guide"],
        ),
        (Clues(caller_lately=("gone from the tree",)), []),
        (Clues(guide_lately=("a", "b", "c", "d", "e", "permit")), []),
    ],
)
def test_each_suggestion_says_what_speaks_for_it(clues: Clues, told: list[str]) -> None:
    assert [
        f"{found.subject.code} {found.points} "
        + ", ".join(f"{reason.clue} {reason.what}".strip() for reason in found.reasons)
        for found in suggest(TREE, clues)
    ] == told


def test_no_more_are_suggested_than_asked_for() -> None:
    assert [each.subject.code for each in suggest(TREE, Clues(queue="va"), at_most=1)] == ["waste"]


def test_a_transfer_says_more_than_what_anybody_had_lately() -> None:
    best, *_ = suggest(
        TREE,
        Clues(transfers=("8100",), guide_lately=("permit",), caller_lately=("permit",)),
    )
    assert [reason.clue for reason in best.reasons] == [Clue.TRANSFER]


def test_every_key_begins_a_code_is_one_or_leads_nowhere() -> None:
    codes = {"51", "52", "53", "61"}
    wrong = dead_ends(codes)
    for keys in (f"{number:02}" for number in range(100)):
        ends = [length for length in (1, 2) if keys[:length] in wrong]
        assert (keys in codes) == (not ends), keys
        assert len(ends) <= 1, "one is told once that it was wrong"
