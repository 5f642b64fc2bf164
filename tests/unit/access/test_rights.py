"""Who may do what: the table, the scope, and that the page shows the same table."""

import re
from pathlib import Path

import pytest

from ivrd.access import ANONYMOUS, Deed, Grant, Person, Role, refusal
from ivrd.access.rights import ALLOWED

PAGE = Path(__file__).resolve().parents[3] / "docs" / "access.md"

ACTS = frozenset(
    {
        Deed.SWITCH_LINE,
        Deed.SWITCH_NOTICE,
        Deed.SWITCH_RULE,
        Deed.MOVE_CALLER,
        Deed.RANK_CALLER,
        Deed.DIRECT_AGENT,
        Deed.CHANGE_CASES,
        Deed.RELOAD,
    }
)


def person(role: Role, *lines: str) -> Person:
    return Person(name="anna", grants=(Grant(role=role, lines=frozenset(lines)),))


@pytest.mark.parametrize("deed", Deed)
def test_nobody_may_do_nothing(deed: Deed) -> None:
    assert refusal(ANONYMOUS, deed) is not None


@pytest.mark.parametrize("deed", sorted(ACTS))
@pytest.mark.parametrize("role", [Role.VIEWER, Role.GUIDE])
def test_viewers_and_guides_act_on_nobody(role: Role, deed: Deed) -> None:
    assert "it takes a" in str(refusal(person(role), deed, ["kommunen"]))


def test_a_supervisor_of_one_line_touches_no_other() -> None:
    anna = person(Role.SUPERVISOR, "avfall")
    assert refusal(anna, Deed.SWITCH_LINE, ["avfall"]) is None
    for lines in (["kommunen"], ["avfall", "kommunen"], []):
        assert refusal(anna, Deed.SWITCH_LINE, lines) is not None
    assert refusal(anna, Deed.SWITCH_NOTICE, ["avfall", "kommunen"]) == (
        "anna may do switch_notice on avfall only; this touches kommunen"
    )


def test_a_supervisor_of_all_lines_touches_what_belongs_to_none() -> None:
    assert refusal(person(Role.SUPERVISOR), Deed.MOVE_CALLER, []) is None


def test_two_grants_add_up_but_no_role_lends_its_lines_to_another() -> None:
    both = Person(
        name="bo",
        grants=(
            Grant(role=Role.SUPERVISOR, lines=frozenset({"avfall"})),
            Grant(role=Role.SUPERVISOR, lines=frozenset({"kommunen"}), because="shift kc"),
        ),
    )
    assert refusal(both, Deed.SWITCH_NOTICE, ["avfall", "kommunen"]) is None
    mixed = Person(
        name="bo",
        grants=(
            Grant(role=Role.VIEWER),
            Grant(role=Role.SUPERVISOR, lines=frozenset({"avfall"})),
        ),
    )
    assert refusal(mixed, Deed.SWITCH_LINE, ["kommunen"]) is not None
    assert mixed.scope(Deed.SEE_FLOOR) is None
    assert mixed.scope(Deed.SWITCH_LINE) == {"avfall"}


def test_what_serves_one_of_the_lines_is_seen() -> None:
    anna = person(Role.VIEWER, "avfall")
    assert anna.sees(Deed.SEE_FLOOR, ["avfall", "kommunen"])
    assert not anna.sees(Deed.SEE_FLOOR, ["kommunen"])
    assert not anna.sees(Deed.SEE_AUDIT, ["avfall"])
    assert person(Role.VIEWER).sees(Deed.SEE_FLOOR, [])


def test_only_administrators_see_numbers_and_reload() -> None:
    for deed in (Deed.SEE_NUMBER, Deed.RELOAD):
        assert [role for role in Role if deed in ALLOWED[role]] == [Role.ADMINISTRATOR]


def test_the_page_shows_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    shown = {deed: [cell.strip() == "●" for cell in cells.split("|")] for deed, cells in rows}
    assert shown == {deed: [deed in ALLOWED[role] for role in Role] for deed in Deed}
