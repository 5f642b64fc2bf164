"""Acts on cases, on both databases: one row of history each, and nobody overwrites another."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ivrd.case_desk import (
    CaseConflict,
    CaseDesk,
    CaseFilter,
    CaseRefused,
    CaseUnknown,
    DatabaseError,
)
from ivrd.config import DatabaseConfig
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import (
    Case,
    CaseChanged,
    CaseClass,
    CaseRules,
    CaseState,
    Close,
    Feedback,
    FeedbackKind,
    HalfHelped,
    HandOverCase,
    Note,
    Promise,
    Reopen,
    SetClass,
    TellStatus,
)
from ivrd.core.case_search import Scope
from ivrd.core.effects import CallActKind
from ivrd.core.first_contact import AnsweredCalls, by_department
from ivrd.core.ids import LineName
from ivrd.core.labels import Department, LabelTree, Subject
from ivrd.db import case_reads
from ivrd.db.case_reads import answered_by_department, unlabelled
from ivrd.db.models import CallActRow, CaseChangeRow, CaseRow
from ivrd.db.store import Store
from tests.integration.db.samples import (
    AT,
    KC,
    PBX,
    VAXEL,
    a_call_act,
    a_call_id,
    a_case,
    a_contact,
    an_engine,
    rows_in,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANNA = Actor(who="anna", origin=Origin.PAGE)
CODES = {"teknisk": ("va.lacka", "va.avgift"), "barn": ("skola.plats",)}
LABELS = LabelTree(
    tuple(
        Department(
            code=department,
            name_sv=department,
            name_en=department,
            subjects=tuple(
                Subject(code=code, name_sv=code, name_en=code, phone_code="") for code in codes
            ),
        )
        for department, codes in CODES.items()
    )
)
HOUR = timedelta(hours=1)


class Desk:
    """A desk on one database, with what its listeners heard."""

    def __init__(self, engine: AsyncEngine, rules: CaseRules | None = None) -> None:
        self.store = Store(engine, case_rules=rules)
        self.now = AT + HOUR
        self.heard: list[CaseChanged] = []
        self.desk = CaseDesk(
            self.store, now=lambda: self.now, labels=LABELS, record=lambda act: None
        )
        self.desk.listen(self.heard.append)

    async def opened(self, *effects: object) -> list[Case]:
        """Store effects, tell the desk as the outbox does, and return the cases as they are."""
        saved = await self.store.save_batch(effects or [a_case()])  # type: ignore[arg-type]
        for changed in saved.changes:
            self.desk.tell(changed)
        last = {changed.case.case_id: changed.case for changed in saved.changes}
        return list(last.values())

    async def words(self, case_id: int) -> list[tuple[int, str, str]]:
        """Return a case's history in short."""
        changes = (await self.desk.case(case_id)).changes
        return [(change.version, change.what, change.by.who) for change in changes]


async def test_a_case_is_a_draft_until_its_label_and_every_change_is_a_row(
    engine: AsyncEngine,
) -> None:
    desk = Desk(engine)
    [draft] = await desk.opened()
    assert (draft.state, draft.label, draft.version) == (CaseState.DRAFT, None, 1)
    assert [case.case_id for case in await desk.desk.drafts_of("Anna Åkesson")] == [draft.case_id]
    noted = await desk.desk.act(
        draft.case_id, Note(text="Läcka på Å-gatan"), ANNA, expected_version=1
    )
    desk.now += HOUR
    labelled = await desk.desk.label(noted.case_id, "va.lacka", ANNA, expected_version=2)
    assert (labelled.state, labelled.label, labelled.department) == (
        CaseState.CLOSED,
        "va.lacka",
        "teknisk",
    )
    assert await desk.desk.drafts_of("Anna Åkesson") == ()
    history = await desk.desk.case(draft.case_id)
    assert history.case == labelled
    opened, note, label = history.changes
    assert (opened.what, opened.by.origin, opened.at) == ("opened", Origin.RULE, a_case().at)
    assert (note.at, note.by) == (AT + HOUR, ANNA)
    assert json.loads(note.before) == {"note": ""}
    assert json.loads(note.after) == {"note": "Läcka på Å-gatan"}
    assert json.loads(label.before) == {"department": None, "label": None, "state": "draft"}
    assert json.loads(label.after) == {
        "department": "teknisk",
        "label": "va.lacka",
        "state": "closed",
    }
    assert label.at == labelled.updated_at == AT + 2 * HOUR
    assert [one.change for one in desk.heard] == list(history.changes)
    assert desk.heard[-1].case == labelled


async def test_who_saw_an_older_version_must_look_again(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    await desk.desk.label(case.case_id, "va.lacka", ANNA, expected_version=1)
    with pytest.raises(CaseConflict) as caught:
        await desk.desk.label(case.case_id, "skola.plats", ANNA, expected_version=1)
    assert (caught.value.case.label, caught.value.case.version) == ("va.lacka", 2)
    same = await desk.desk.label(case.case_id, "va.lacka", ANNA, expected_version=1)
    assert same.version == 2, "to wish for what is so already is no conflict, and no change"
    assert await rows_in(engine, CaseChangeRow) == 2


async def test_of_twenty_at_once_who_saw_the_same_one_wins(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    wishes = (
        desk.desk.act(case.case_id, Note(text=f"note {number}"), ANNA, expected_version=1)
        for number in range(20)
    )
    came = await asyncio.gather(*wishes, return_exceptions=True)
    won = [one for one in came if isinstance(one, Case)]
    assert len(won) == 1
    assert all(isinstance(one, CaseConflict) for one in came if one is not won[0])
    assert await desk.words(case.case_id) == [(1, "opened", "rule"), (2, "note", "anna")]


async def test_of_twenty_at_once_who_do_not_care_none_is_lost(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(desk.desk.act(case.case_id, Note(text=f"note {number}"), ANNA))
    history = await desk.desk.case(case.case_id)
    assert [change.version for change in history.changes] == list(range(1, 22))
    for before, after in zip(history.changes[1:], history.changes[2:], strict=False):
        assert json.loads(before.after) == json.loads(after.before)


async def test_an_act_with_an_id_is_done_once(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    await desk.desk.label(case.case_id, "va.lacka", ANNA, act_id="a1")
    await desk.desk.label(case.case_id, "skola.plats", ANNA, act_id="a2")
    again = await desk.desk.label(case.case_id, "va.lacka", ANNA, act_id="a1")
    assert (again.label, again.version) == ("skola.plats", 3)


async def test_what_does_not_fit_is_refused_and_changes_nothing(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    case, contact = await desk.opened(a_case(1), a_contact(2))
    with pytest.raises(CaseRefused, match="no label has the code 'nonsense'"):
        await desk.desk.label(case.case_id, "nonsense", ANNA)
    with pytest.raises(CaseRefused, match=f"case {case.case_id}: it has no label"):
        await desk.desk.act(case.case_id, Close(), ANNA)
    with pytest.raises(CaseRefused, match="half helped at most"):
        await desk.desk.act(contact.case_id, SetClass(case_class=CaseClass.RESOLVED), ANNA)
    with pytest.raises(CaseUnknown, match="there is no case 99"):
        await desk.desk.act(99, Close(), ANNA)
    assert await rows_in(engine, CaseChangeRow) == 2


async def test_a_promise_keeps_a_case_open_until_somebody_closes_it(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    await desk.desk.act(case.case_id, Promise(deadline=desk.now + HOUR), ANNA)
    labelled = await desk.desk.label(case.case_id, "va.lacka", ANNA)
    assert (labelled.state, labelled.deadline) == (CaseState.OPEN, AT + 2 * HOUR)
    due = CaseFilter(due_before=AT + 3 * HOUR)
    assert [one.case_id for one in (await desk.desk.search(due)).cases] == [case.case_id]
    assert (await desk.desk.search(CaseFilter(due_before=AT + 2 * HOUR))).cases == ()
    closed = await desk.desk.act(case.case_id, Close(), ANNA)
    assert (closed.state, closed.deadline) == (CaseState.CLOSED, AT + 2 * HOUR)
    assert (await desk.desk.search(due)).cases == ()


async def test_a_case_goes_to_its_department_and_comes_back(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    system = Actor(who="supportmanagement", origin=Origin.CASE_SYSTEM)
    await desk.desk.label(case.case_id, "va.lacka", ANNA)
    over = await desk.desk.act(
        case.case_id, HandOverCase(external_id="KC-1"), system, act_id="sent"
    )
    assert (over.state, over.external_id) == (CaseState.HANDED_OVER, "KC-1")
    await desk.desk.act(case.case_id, TellStatus(status="ONGOING"), system)
    with pytest.raises(CaseRefused, match="another department has it"):
        await desk.desk.label(case.case_id, "skola.plats", ANNA)
    [found] = (await desk.desk.search(CaseFilter(external_id="KC-1"))).cases
    assert (found.external_status, found.state) == ("ONGOING", CaseState.HANDED_OVER)
    await desk.desk.act(case.case_id, Close(), system)
    reopened = await desk.desk.act(case.case_id, Reopen(), ANNA)
    assert (reopened.state, reopened.version) == (CaseState.OPEN, 6)


async def test_feedback_has_a_named_receiver(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened()
    with pytest.raises(CaseRefused, match="who is to hear it"):
        await desk.desk.act(
            case.case_id, Feedback(kind=FeedbackKind.PRAISE, receiver=" ", text="Tack!"), ANNA
        )
    kept = await desk.desk.act(
        case.case_id,
        Feedback(kind=FeedbackKind.PRAISE, receiver="Förvaltningschefen", text="Tack!"),
        ANNA,
    )
    assert (kept.feedback_kind, kept.feedback_receiver) == (
        FeedbackKind.PRAISE,
        "Förvaltningschefen",
    )
    found = await desk.desk.search(CaseFilter(feedback_kind=FeedbackKind.PRAISE))
    assert [one.feedback_text for one in found.cases] == ["Tack!"]
    gone = await desk.desk.act(case.case_id, Feedback(kind=None, receiver="", text=""), ANNA)
    assert (gone.feedback_kind, gone.feedback_receiver) == (None, "")


@pytest.mark.parametrize("half_helped", HalfHelped)
async def test_a_contact_becomes_half_helped_by_the_guides_act(
    engine: AsyncEngine, half_helped: HalfHelped
) -> None:
    desk = Desk(engine, CaseRules(half_helped=half_helped))
    [contact] = await desk.opened(a_contact())
    assert (contact.case_class, contact.is_case, contact.state) == (
        CaseClass.CONTACT,
        False,
        CaseState.CLOSED,
    )
    assert await desk.desk.drafts_of("Anna Åkesson") == ()
    half = await desk.desk.act(contact.case_id, SetClass(case_class=CaseClass.HALF_HELPED), ANNA)
    is_case = half_helped is HalfHelped.CASE
    assert (half.case_class, half.is_case) == (CaseClass.HALF_HELPED, is_case)
    drafts = await desk.desk.drafts_of("Anna Åkesson")
    assert len(drafts) == is_case
    back = await desk.desk.act(contact.case_id, SetClass(case_class=CaseClass.CONTACT), ANNA)
    assert (back.is_case, back.state) == (False, CaseState.CLOSED)


async def test_a_label_keyed_in_during_the_call_is_on_the_case_when_it_opens(
    engine: AsyncEngine,
) -> None:
    desk = Desk(engine)
    assert await desk.opened(a_call_act(1), a_call_act(2, value="va.avgift", seconds=70)) == []
    assert await rows_in(engine, CallActRow) == 2
    [case] = await desk.opened(a_case())
    assert (case.label, case.department, case.state) == ("va.avgift", "teknisk", CaseState.CLOSED)
    assert await desk.words(case.case_id) == [
        (1, "opened", "rule"),
        (2, "label", "Anna Åkesson"),
        (3, "label", "Anna Åkesson"),
    ]
    history = await desk.desk.case(case.case_id)
    assert [change.at for change in history.changes] == [a_case().at] * 3
    assert [change.act_id for change in history.changes] == [None, "key1", "key2"]


async def test_a_label_keyed_in_after_the_call_is_done_once(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    late = a_call_act(1, seconds=120)
    await desk.opened(a_case())
    [case] = await desk.opened(late)
    assert (case.label, case.updated_at) == ("va.lacka", AT + timedelta(seconds=120))
    await desk.desk.label(case.case_id, "skola.plats", ANNA)
    assert await desk.opened(late, a_case()) == [], "a repeat after a crash"
    assert (await desk.desk.case(case.case_id)).case.label == "skola.plats"
    assert (await rows_in(engine, CaseRow), await rows_in(engine, CallActRow)) == (1, 1)


async def test_the_journal_may_bring_all_of_it_in_one_batch_and_in_any_order(
    engine: AsyncEngine,
) -> None:
    desk = Desk(engine)
    half = a_call_act(3, call=2, what=CallActKind.HALF_HELPED)
    first = [a_call_act(1, call=1), a_contact(2), a_case(1), a_call_act(2, call=2), half]
    cases = await desk.opened(*first)
    assert {(case.call_id, case.case_class, case.label) for case in cases} == {
        (a_call_id(1), CaseClass.RESOLVED, "va.lacka"),
        (a_call_id(2), CaseClass.HALF_HELPED, "va.lacka"),
    }
    assert await desk.opened(*first) == []
    assert desk.store.conflicts == 0


async def test_a_key_that_does_not_fit_is_kept_with_the_reason(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [case] = await desk.opened(a_case())
    await desk.desk.label(case.case_id, "va.lacka", ANNA)
    await desk.desk.act(case.case_id, HandOverCase(), ANNA)
    with structlog.testing.capture_logs() as logs:
        assert await desk.opened(a_call_act(1, value="skola.plats", department="barn")) == []
    assert [entry["event"] for entry in logs] == ["call_act_refused"]
    async with engine.connect() as connection:
        row = (await connection.execute(CallActRow.__table__.select())).one()
    assert row.case_id == case.case_id
    assert "another department" in row.refused_because


async def test_a_repeat_is_linked_to_the_callers_case_that_is_not_closed(
    engine: AsyncEngine,
) -> None:
    desk = Desk(engine)
    day = timedelta(days=1)
    keyed = [replace(a_case(number), caller_key="5f2c") for number in range(6)]
    [first] = await desk.opened(keyed[0])
    [second] = await desk.opened(replace(keyed[1], at=keyed[1].at + day))
    assert (first.linked_case_id, second.linked_case_id) == (None, first.case_id)
    opened = (await desk.desk.case(second.case_id)).changes[0]
    assert json.loads(opened.after)["linked_case_id"] == first.case_id
    for case in (first, second):
        await desk.desk.label(case.case_id, "va.lacka", ANNA)
    [third] = await desk.opened(replace(keyed[2], at=keyed[2].at + 2 * day))
    assert third.linked_case_id is None, "both before are closed"
    [late] = await desk.opened(replace(keyed[3], at=keyed[3].at + 17 * day))
    assert late.linked_case_id is None, "more than 14 days after the third"
    other, hidden = await desk.opened(replace(keyed[4], caller_key="77aa"), a_case(5))
    assert (other.linked_case_id, hidden.linked_case_id) == (None, None)


async def test_who_may_see_one_line_sees_no_other(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    [mine, other] = await desk.opened(a_case(1), replace(a_case(2), line=None, department="barn"))
    main, school = Scope(lines=frozenset({"main"})), Scope(departments=frozenset({"barn"}))
    found = [
        [case.case_id for case in (await desk.desk.search(CaseFilter(scope=scope))).cases]
        for scope in (main, school)
    ]
    assert found == [[mine.case_id], [other.case_id]]


async def test_of_several_lines_the_newest_of_all_come_first(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    lines = ["main", "va", "main", "secret", "va", "main"]
    await desk.opened(
        *(
            replace(
                a_case(number),
                line=LineName(line),
                department=line,
                at=AT + timedelta(seconds=number // 2),
            )
            for number, line in enumerate(lines)
        )
    )
    names = frozenset({"main", "va"})
    for scope in (Scope(lines=names), Scope(departments=names)):
        wanted = CaseFilter(scope=scope)
        first = await desk.desk.search(wanted, count_max=3)
        rest = await desk.desk.search(wanted, after=first.next, count_max=3)
        found = [case.call_id for case in (*first.cases, *rest.cases)]
        assert found == [a_call_id(number) for number in (5, 4, 2, 1, 0)]
        assert rest.next is None
    mixed = CaseFilter(line="va", scope=Scope(lines=names))
    assert len((await desk.desk.search(mixed)).cases) == 2
    assert (await desk.desk.search(replace(mixed, line="secret"))).cases == ()


async def test_words_are_sought_within_a_period(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    first, second = await desk.opened(a_case(1), a_case(2))
    await desk.desk.act(first.case_id, Note(text="LÄCKA på 100 % av gatan"), ANNA)
    await desk.desk.act(
        second.case_id,
        Feedback(kind=FeedbackKind.IDEA, receiver="Chefen", text="En läcka till"),
        ANNA,
    )
    with pytest.raises(CaseRefused, match="say from when"):
        await desk.desk.search(CaseFilter(words="gatan"))
    period = CaseFilter(since=AT, until=AT + HOUR)
    with pytest.raises(CaseRefused, match="within 93 days"):
        await desk.desk.search(replace(period, words="x", until=AT + timedelta(days=94)))
    for words, count in (("GATAN", 1), ("0 %", 1), ("%", 1), ("_", 0), ("cka", 2)):
        found = await desk.desk.search(replace(period, words=words))
        assert len(found.cases) == count, words


async def test_first_contact_is_counted_by_department_and_adds_up(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    cases = await desk.opened(a_case(1), a_case(2), a_case(3), a_contact(4), a_contact(5))
    await desk.desk.label(cases[0].case_id, "va.lacka", ANNA)
    await desk.desk.label(cases[1].case_id, "va.lacka", ANNA)
    await desk.desk.act(cases[1].case_id, Promise(deadline=desk.now + HOUR), ANNA)
    await desk.desk.act(cases[3].case_id, SetClass(case_class=CaseClass.HALF_HELPED), ANNA)
    counts = await answered_by_department(engine, since=AT, until=AT + HOUR)
    assert counts == {
        "teknisk": AnsweredCalls(first_contact=1, resolved_later=1),
        None: AnsweredCalls(first_contact=1, half_helped=1, handed_on=1),
    }
    stored = [case async for case in case_reads.all_of(engine, CaseFilter())]
    assert counts == by_department(stored)
    assert await answered_by_department(engine, since=AT, until=AT + timedelta(seconds=1)) == {}


async def test_cases_without_a_label_are_counted_by_queue(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    other = replace(a_case(3), queue=VAXEL)
    cases = await desk.opened(a_case(1), a_case(2), other, a_contact(4))
    await desk.desk.label(cases[0].case_id, "va.lacka", ANNA)
    assert await unlabelled(engine) == {(PBX, KC): 1, (PBX, VAXEL): 1}


async def test_a_database_that_is_away_is_told_in_one_way() -> None:
    nowhere = DatabaseConfig(url="postgresql+asyncpg://ivrd@127.0.0.1:1/ivrd")
    async with an_engine(nowhere) as engine:
        desk = Desk(engine).desk
        with pytest.raises(DatabaseError, match="database: "):
            await desk.act(1, Note(text="x"), ANNA)
        with pytest.raises(DatabaseError):
            await desk.case(1)
        with pytest.raises(DatabaseError):
            await desk.search(CaseFilter())
        with pytest.raises(DatabaseError):
            await desk.drafts_of("anna")


async def test_what_must_go_out_is_kept_with_the_change_or_neither_is(engine: AsyncEngine) -> None:
    desk = Desk(engine)
    seen: list[str] = []
    is_broken = False

    async def hook(connection: AsyncConnection, changes: Sequence[CaseChanged]) -> None:
        seen.extend(one.change.what for one in changes)
        if is_broken:
            raise OSError("no room")

    desk.store.change_hooks.append(hook)
    [case] = await desk.opened(a_case(1), a_call_act(1))
    assert seen == ["opened", "label"]
    is_broken = True
    # The desk says of whatever a database raises that it is away.
    with pytest.raises(DatabaseError, match="no room"):
        await desk.desk.act(case.case_id, Note(text="x"), ANNA)
    with pytest.raises(OSError, match="no room"):
        await desk.opened(a_case(2))
    assert (await desk.desk.case(case.case_id)).case.note == ""
    assert await rows_in(engine, CaseRow) == 1
    assert len(desk.heard) == 2


async def test_pages_end_between_cases_of_one_moment_and_none_is_skipped(
    engine: AsyncEngine,
) -> None:
    desk = Desk(engine)

    def moment(number: int) -> datetime:
        return AT + timedelta(seconds=number // 3)

    await desk.opened(*(replace(a_case(number), at=moment(number)) for number in range(10)))
    pages, after = [], None
    while True:
        page = await desk.desk.search(CaseFilter(), after=after, count_max=4)
        pages.append([case.call_id for case in page.cases])
        if page.next is None:
            break
        after = page.next
    assert [len(page) for page in pages] == [4, 4, 2]
    found = [call for page in pages for call in page]
    assert set(found) == {a_call_id(number) for number in range(10)}
    assert found[0] == a_call_id(9)
    assert [case.call_id async for case in case_reads.all_of(engine, CaseFilter())] == found
