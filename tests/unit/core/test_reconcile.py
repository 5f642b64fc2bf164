"""Comparing with queue_log: scenes told as rows. Random ones are in tests/property."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ivrd.core.effects import Disposition, Outcome
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.journal import JournalRow
from ivrd.core.journal_story import (
    CALL_MAX,
    NO_STORY,
    SETTLED,
    CallJournal,
    JournalBook,
    Story,
    stay_of_ours,
    stories_of_journal,
)
from ivrd.core.reconcile import Kind, difference_of
from ivrd.core.rules import Role

PBX = SystemName("pbx1")
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KC = QueueName("kc")
VAXEL = QueueName("vaxel")
ROLES = {KC: Role.GUIDE, VAXEL: Role.SWITCHBOARD}
CALL = CallId("pbx1/c")


def row(second: float, call: str, event: str, queue: str = "NONE", *data: str) -> JournalRow:
    return JournalRow(
        at=NINE + timedelta(seconds=int(second)),
        system=PBX,
        call_id=CallId(f"pbx1/{call}"),
        queue=QueueName(queue),
        agent="NONE",
        event=event,
        data=data,
    )


def rows(text: str) -> list[JournalRow]:
    """Return the rows of one call: "event queue data ...; event queue ..."."""
    parsed = []
    for number, line in enumerate(text.split(";")):
        event, *rest = line.split()
        name = "NONE" if event == "QUEUESTART" else "c"
        parsed.append(row(number, name, event, *(rest or ["NONE"])))
    return parsed


def told(text: str) -> Story:
    return stories_of_journal(rows(text), roles=ROLES).get(CALL, NO_STORY)


SCENES = {
    # Rows: stays, transfers, outcomes that they allow.
    "ENTERQUEUE kc; CONNECT kc; COMPLETECALLER kc": ("kc CONNECT", 0, "resolved"),
    "ENTERQUEUE vaxel; CONNECT vaxel; COMPLETEAGENT vaxel": ("vaxel CONNECT", 0, "switchboard"),
    "ENTERQUEUE kc; CONNECT kc; BLINDTRANSFER kc 8100": ("kc CONNECT", 1, "handed_on"),
    "ENTERQUEUE kc; CONNECT kc; ATTENDEDTRANSFER kc BRIDGE": ("kc CONNECT", 1, "handed_on"),
    "ENTERQUEUE vaxel; CONNECT vaxel; BLINDTRANSFER vaxel 7002; ENTERQUEUE kc; CONNECT kc; "
    "COMPLETECALLER kc": ("vaxel CONNECT, kc CONNECT", 1, "resolved"),
    # The next queue may be entered before the transfer is written.
    "ENTERQUEUE vaxel; CONNECT vaxel; ENTERQUEUE kc; BLINDTRANSFER vaxel 7002; CONNECT kc; "
    "COMPLETEAGENT kc": ("vaxel CONNECT, kc CONNECT", 1, "resolved"),
    "ENTERQUEUE kc; CONNECT kc; BLINDTRANSFER kc 7001; ENTERQUEUE vaxel; CONNECT vaxel; "
    "COMPLETECALLER vaxel": ("kc CONNECT, vaxel CONNECT", 1, "handed_on"),
    "ENTERQUEUE vaxel; WITHDRAW vaxel; ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc": (
        "vaxel WITHDRAW, kc CONNECT", 0, "resolved",
    ),
    "ENTERQUEUE kc; ABANDON kc": ("kc ABANDON", 0, "abandoned unserved"),
    "ENTERQUEUE kc; WITHDRAW kc": ("kc WITHDRAW", 0, "abandoned unserved"),
    "ENTERQUEUE kc; EXITWITHTIMEOUT kc": ("kc EXITWITHTIMEOUT", 0, "unserved"),
    "ENTERQUEUE kc; EXITEMPTY kc": ("kc EXITEMPTY", 0, "unserved"),
    "ENTERQUEUE kc; EXITWITHKEY kc": ("kc EXITWITHKEY", 0, "unserved"),
    "ENTERQUEUE kc; RINGNOANSWER kc; RINGCANCELED kc; CONNECT kc; ABANDON kc; COMPLETEAGENT kc": (
        "kc CONNECT", 0, "resolved",
    ),
    "IVRDARRIVED NONE main x; IVRDEND": ("", 0, "menu_hangup"),
    "IVRDARRIVED NONE main x; IVRDCHOICE NONE main stayed kc; IVRDEND": ("", 0, "unserved"),
    "IVRDARRIVED NONE main x; IVRDCHOICE NONE main stayed kc; IVRDEXIT kc FULL; IVRDEND": (
        "kc FULL", 0, "unserved",
    ),
    "IVRDARRIVED NONE main x; IVRDEXIT kc JOINEMPTY; ENTERQUEUE vaxel; EXITEMPTY vaxel; "
    "IVRDEXIT vaxel LEAVEEMPTY; IVRDEND": ("kc JOINEMPTY, vaxel EXITEMPTY", 0, "unserved"),
    "IVRDARRIVED NONE main x; ENTERQUEUE kc; CONNECT kc; IVRDEND": ("kc CONNECT", 0, "resolved"),
    # The caller lived on after the agent: with whom, the journal does not say.
    "IVRDARRIVED NONE main x; ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc; X kc; IVRDEND": (
        "kc CONNECT", 0, "resolved",
    ),
    "IVRDARRIVED NONE main x; ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc; X kc; X kc; IVRDEND": (
        "kc CONNECT", 0, "handed_on unknown",
    ),
    "IVRDARRIVED NONE main x; ENTERQUEUE vaxel; CONNECT vaxel; COMPLETEAGENT vaxel; X kc; X kc; "
    "IVRDEND": ("vaxel CONNECT", 0, "switchboard unknown"),
    # Our dialplan goes on with the caller.
    "IVRDARRIVED NONE main x; ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc; IVRDEXIT kc CONTINUE; "
    "X kc; X kc; IVRDEND": ("kc CONNECT", 0, "resolved"),
    # Not over, or nobody knows how.
    "ENTERQUEUE kc": ("kc none yet", 0, ""),
    "ENTERQUEUE kc; CONNECT kc": ("kc CONNECT", 0, ""),
    "ENTERQUEUE kc; QUEUESTART": ("kc unknown", 0, "unknown"),
    "ENTERQUEUE kc; CONNECT kc; QUEUESTART": ("kc CONNECT", 0, "unknown"),
    "ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc; QUEUESTART": ("kc CONNECT", 0, "resolved"),
    "IVRDARRIVED NONE main x; QUEUESTART": ("", 0, "menu_hangup unknown"),
    # A tail without its beginning is no story.
    "CONNECT kc; COMPLETEAGENT kc": ("", 0, ""),
    "IVRDEND": ("", 0, ""),
    "SOMETHING kc else": ("", 0, ""),
}  # fmt: skip


@pytest.mark.parametrize("text", SCENES)
def test_what_rows_come_to(text: str) -> None:
    stays, transfers, outcomes = SCENES[text]
    story = told(text)
    assert ", ".join(f"{stay.queue} {stay.end.value}" for stay in story.stays) == stays
    assert story.transfers == transfers
    assert " ".join(sorted(story.outcomes)) == outcomes


def test_every_disposition_has_a_word_of_the_journal() -> None:
    for disposition in Disposition:
        assert stay_of_ours(KC, disposition).queue == KC


def test_the_choice_is_told_by_our_row_even_when_it_is_cut_short() -> None:
    story = told("IVRDARRIVED NONE main x; IVRDCHOICE NONE main chosen vaxel 1 0 ivrd; IVRDEND")
    assert story.choice == "vaxel"
    assert told("IVRDARRIVED NONE main x; IVRDCHOICE NONE main; IVRDEND").choice is None


# Which calls must be stored by now.


@pytest.mark.parametrize(
    ("text", "silence", "is_over"),
    [
        ("ENTERQUEUE kc; ABANDON kc", SETTLED, True),
        ("ENTERQUEUE kc; ABANDON kc", SETTLED / 2, False),
        ("ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc", SETTLED, True),
        ("ENTERQUEUE kc", SETTLED * 9, False),
        ("ENTERQUEUE kc; CONNECT kc", SETTLED * 9, False),
        ("ENTERQUEUE kc; CONNECT kc", CALL_MAX, True),
        # The caller may talk with an official for long.
        ("ENTERQUEUE kc; CONNECT kc; BLINDTRANSFER kc", SETTLED * 9, False),
        ("IVRDARRIVED", SETTLED * 9, False),
        ("IVRDARRIVED; ENTERQUEUE kc; ABANDON kc", SETTLED * 9, False),
        ("IVRDARRIVED; IVRDEND", SETTLED, True),
    ],
)
def test_when_a_call_is_over(text: str, silence: timedelta, *, is_over: bool) -> None:
    taken = rows(text)
    call = CallJournal(taken[0])
    for each in taken:
        call.add(each)
    assert call.is_over(taken[-1].at + silence) is is_over


def test_a_start_of_asterisk_ends_open_calls_and_no_others() -> None:
    book = JournalBook()
    for each in (
        row(0, "waiting", "ENTERQUEUE", "kc"),
        row(0, "done", "IVRDARRIVED"),
        row(1, "done", "IVRDEND"),
        row(500, "NONE", "QUEUESTART"),
        row(501, "later", "ENTERQUEUE", "kc"),
    ):
        book.add(each)
    now = NINE + timedelta(seconds=501) + SETTLED
    over = {call.call_id: call.is_over(now) for call in book.take_older(None)}
    assert over == {"pbx1/waiting": True, "pbx1/done": True, "pbx1/later": False}


# The two sides.

ANSWERED = "ENTERQUEUE kc; CONNECT kc; COMPLETECALLER kc"


def ours(*stays: tuple[QueueName, Disposition], outcome: Outcome, cases: int = 0) -> Story:
    return Story(
        stays=tuple(stay_of_ours(queue, disposition) for queue, disposition in stays),
        transfers=0,
        outcomes=frozenset({outcome}),
        cases=cases,
    )


RESOLVED = ours((KC, Disposition.ANSWERED), outcome=Outcome.RESOLVED, cases=1)


def kinds(stored: Story | None, journal: Story | None, *, is_marked: bool = False) -> list[Kind]:
    found = difference_of(CALL, stored, journal, is_marked=is_marked)
    return [] if found is None else list(found.kinds)


def test_two_sides_that_agree_are_no_difference() -> None:
    assert kinds(RESOLVED, told(ANSWERED)) == []


def test_each_kind_of_difference_is_named() -> None:
    journal = told(ANSWERED)
    abandoned = ours((KC, Disposition.ABANDONED), outcome=Outcome.ABANDONED)
    assert kinds(None, journal) == [Kind.NOT_STORED]
    assert kinds(RESOLVED, None) == [Kind.NOT_IN_JOURNAL]
    assert kinds(abandoned, journal) == [Kind.DISPOSITION, Kind.OUTCOME]
    assert kinds(replace(RESOLVED, transfers=1), journal) == [Kind.TRANSFERS]
    assert kinds(replace(RESOLVED, cases=0), journal) == [Kind.CASES]
    assert kinds(replace(RESOLVED, cases=2), journal) == [Kind.CASES]
    assert kinds(replace(abandoned, cases=1), told("ENTERQUEUE kc; ABANDON kc")) == [Kind.CASES]
    unknown = ours((KC, Disposition.ANSWERED), outcome=Outcome.UNKNOWN)
    assert kinds(unknown, journal) == [Kind.UNKNOWN]
    unseen = ours((KC, Disposition.UNKNOWN), outcome=Outcome.UNKNOWN)
    assert kinds(unseen, journal) == [Kind.UNKNOWN]
    elsewhere = ours((VAXEL, Disposition.ANSWERED), outcome=Outcome.RESOLVED, cases=1)
    assert kinds(elsewhere, journal) == [Kind.STAYS]


def test_unknown_to_both_is_no_difference() -> None:
    unseen = ours((KC, Disposition.UNKNOWN), outcome=Outcome.UNKNOWN)
    assert kinds(unseen, told("ENTERQUEUE kc; QUEUESTART")) == []
    talked = ours((KC, Disposition.ANSWERED), outcome=Outcome.UNKNOWN)
    assert kinds(talked, told("ENTERQUEUE kc; CONNECT kc; QUEUESTART")) == []


def test_without_rows_of_ours_refusals_choices_and_calls_without_a_queue_are_left_out() -> None:
    menu = replace(ours(outcome=Outcome.MENU_HANGUP), choice="kc")
    refused = ours(
        (VAXEL, Disposition.FULL), (KC, Disposition.ANSWERED), outcome=Outcome.RESOLVED, cases=1
    )
    assert kinds(menu, None) == []
    assert kinds(menu, None, is_marked=True) == [Kind.NOT_IN_JOURNAL]
    assert kinds(refused, told(ANSWERED)) == []
    marked = told(f"IVRDARRIVED; {ANSWERED}; IVRDEND")
    assert kinds(refused, marked) == [Kind.STAYS]
    assert kinds(replace(RESOLVED, choice="kc"), marked) == [Kind.CHOICE]


LIVED_ON = "IVRDARRIVED; ENTERQUEUE kc; CONNECT kc; COMPLETEAGENT kc; X kc; X kc; IVRDEND"


def test_a_caller_who_lived_on_may_have_been_handed_on_and_was_not_resolved() -> None:
    journal = told(LIVED_ON)
    handed_on = replace(ours((KC, Disposition.ANSWERED), outcome=Outcome.HANDED_ON), transfers=1)
    unknown = ours((KC, Disposition.ANSWERED), outcome=Outcome.UNKNOWN)
    assert kinds(handed_on, journal) == []
    assert kinds(unknown, journal) == []
    assert kinds(RESOLVED, journal) == [Kind.OUTCOME]
    assert kinds(replace(handed_on, transfers=2), journal) == [Kind.TRANSFERS]
    assert kinds(handed_on, told(ANSWERED)) == [Kind.TRANSFERS, Kind.OUTCOME]


def test_a_local_member_may_hide_a_hand_over_and_cannot_invent_one() -> None:
    stored = replace(RESOLVED, hiding=1)
    handed_on = replace(
        ours((KC, Disposition.ANSWERED), outcome=Outcome.HANDED_ON), transfers=1, hiding=1
    )
    unknown = replace(ours((KC, Disposition.ANSWERED), outcome=Outcome.UNKNOWN), hiding=1)
    transfer = told("ENTERQUEUE kc; CONNECT kc; BLINDTRANSFER kc 8100")
    for agreeing in (stored, handed_on, unknown):
        assert kinds(agreeing, told(ANSWERED)) == []
    assert kinds(handed_on, transfer) == []
    assert kinds(stored, transfer) == [Kind.TRANSFERS, Kind.OUTCOME]
    assert kinds(replace(handed_on, transfers=2), told(ANSWERED)) == [Kind.TRANSFERS, Kind.OUTCOME]
    assert kinds(
        replace(stored, outcomes=frozenset({Outcome.HANDED_ON}), cases=0), told(ANSWERED)
    ) == [Kind.OUTCOME]
    abandoned = replace(ours((KC, Disposition.ABANDONED), outcome=Outcome.ABANDONED), hiding=1)
    assert Kind.DISPOSITION in kinds(abandoned, told(ANSWERED))
