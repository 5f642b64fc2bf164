"""Pages to print: whole, harmless, and without anything of the caller."""

import re
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from ivrd.case_print import Teller, case_page, list_page
from ivrd.case_words import Language
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import Change, FeedbackKind
from ivrd.core.case_search import CaseHistory
from ivrd.core.labels import Department, LabelTree, Subject
from tests.unit.core.test_case_record import AT, DRAFT

STOCKHOLM = ZoneInfo("Europe/Stockholm")
LABELS = LabelTree(
    (
        Department(
            code="teknisk",
            name_sv="Tekniska",
            name_en="Technical services",
            subjects=(Subject(code="lacka", name_sv="Läcka", name_en="Leak", phone_code="41"),),
        ),
    )
)
CASE = replace(
    DRAFT,
    label="lacka",
    department="teknisk",
    note="<script>alert('Å & O')</script>\nrad två",
    deadline=AT + timedelta(hours=3),
    feedback_kind=FeedbackKind.PRAISE,
    feedback_receiver="Chefen",
    caller_key="5f2c-secret",
    linked_case_id=12,
)
CHANGES = (
    Change(
        case_id=1,
        version=1,
        at=AT,
        by=Actor(who="rule", origin=Origin.RULE),
        what="opened",
        before="{}",
        after='{"case_class": "resolved", "state": "draft", "caller_key": "5f2c-secret"}',
    ),
    Change(
        case_id=1,
        version=2,
        at=AT,
        by=Actor(who="anna <b>", origin=Origin.PAGE),
        what="promise",
        before='{"deadline": null, "state": "draft"}',
        after='{"deadline": "2026-07-02T12:00:00+00:00", "state": "open"}',
    ),
)


def one(language: Language = "sv") -> str:
    return case_page(
        CaseHistory(case=CASE, changes=CHANGES),
        labels=LABELS,
        zone=STOCKHOLM,
        now=AT,
        language=language,
    )


def text_of(page: str) -> str:
    """Return what is read of a page; that it can be parsed shows that it is whole."""
    plain = page.replace("<!doctype html>", "")
    plain = re.sub(r"<meta[^>]*>", "", plain)
    return "\n".join(ElementTree.fromstring(plain).itertext())


def test_a_case_is_printed_with_its_history_in_words() -> None:
    text = text_of(one())
    for told in (
        "Ärende 1",
        "Läcka",
        "Tekniska",
        "Utkast",
        "Löst",
        "Beröm",
        "2026-03-02 13.00",
        "Ring upp senast: - → 2026-07-02 14.00",
        "Läge: Utkast → Öppet",
        "Lovat att ringa upp",
        "anna <b>",
        "<script>alert('Å & O')</script>\nrad två",
        "Utskrivet 2026-03-02 10.00",
    ):
        assert told in text, told
    assert "Technical services" in text_of(one("en"))


@pytest.mark.parametrize("language", ["sv", "en"])
def test_a_page_runs_nothing_fetches_nothing_and_names_nobody(language: Language) -> None:
    page = one(language)
    assert f'<html lang="{language}">' in page
    assert not re.search(r"<script|https?:|url\(|@import|onload|src=|href=", page)
    assert "5f2c" not in page
    assert page.count("<h1>") == 1
    assert page.count("<th ") == page.count('<th scope="')


def test_a_list_has_a_row_each_and_says_how_many() -> None:
    page = list_page([CASE, DRAFT], title="Ärenden", labels=LABELS, zone=STOCKHOLM, now=AT)
    text = text_of(page)
    assert "2 ärenden" in text
    assert page.count("<tr>") == 3
    assert "5f2c" not in page
    assert "@page" in page


def test_what_somebody_wrote_steers_no_terminal() -> None:
    teller = Teller(LABELS, STOCKHOLM, "sv")
    assert teller.told("note", "a\x1b]0;b\x07\r\nc\td\x9b2J") == "a�]0;b�\r\nc\td�2J"
