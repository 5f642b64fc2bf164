"""A row with a word of a newer ivrd: it is said, counted, left as it is, and the rest goes on."""

from datetime import UTC, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from ivrd import counts_today
from ivrd.core.actors import Actor, Origin
from ivrd.core.case_record import Close
from ivrd.core.case_search import CaseFilter
from ivrd.core.effects import Outcome
from ivrd.core.first_contact import AnsweredCalls
from ivrd.core.period_book import House
from ivrd.core.periods import Span, period_of
from ivrd.core.rules import FloorRules
from ivrd.core.service_level import Counts
from ivrd.db import words
from ivrd.db.case_reads import answered_by_department, search
from ivrd.db.connection import DATABASE_ERRORS
from ivrd.db.day_counts import cases_since, counts_since
from ivrd.db.decisions import decisions_about
from ivrd.db.facts import counts
from ivrd.db.period_calls import calls_of
from ivrd.db.store import Store
from ivrd.db.words import UnknownWords
from tests.integration.db.samples import (
    AT,
    KC,
    PBX,
    a_call_act,
    a_call_id,
    a_decision,
    all_facts,
    all_of_a_call,
)
from tests.integration.db.test_day_counts import MIDNIGHT, rules

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATER = AT + timedelta(hours=1)

NEWER = {
    "entries.disposition": "UPDATE entries SET disposition = 'called_back' WHERE call_id = :call",
    "calls.outcome": "UPDATE calls SET outcome = 'called_back' WHERE call_id = :call",
    "calls.hand_over": "UPDATE calls SET hand_over = 'voicemail' WHERE call_id = :call",
    "moves.end": "UPDATE moves SET \"end\" = 'postponed' WHERE call_id = :call",
    "cases.case_class": "UPDATE cases SET case_class = 'complaint' WHERE call_id = :call",
    "decisions.what": "UPDATE decisions SET what = 'pondered' WHERE call_id = :call",
}
"""What a newer version may have written, of the first of two calls."""


@pytest_asyncio.fixture(loop_scope="session")
async def unknown(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> UnknownWords:
    """Give a database where all that belongs to one of two calls is of a newer version."""
    facts = [one for call in (1, 2) for one in (*all_of_a_call(call), a_decision(call))]
    await Store(engine).save_batch(facts)
    async with engine.begin() as connection:
        for statement in NEWER.values():
            await connection.execute(text(statement), {"call": a_call_id(1)})
    noted = UnknownWords()
    monkeypatch.setattr(words, "UNKNOWN_WORDS", noted)
    return noted


async def test_every_reading_goes_on_with_what_it_knows(
    engine: AsyncEngine, unknown: UnknownWords
) -> None:
    with capture_logs() as logs:
        today = await counts_since(engine, system=PBX, since=MIDNIGHT, queues=rules(25))
        assert (today[KC].answered, today[KC].unknown, today[KC].joined) == (1, 1, 2)
        assert sum(each.number for each in await cases_since(engine, since=MIDNIGHT)) == 1
        stored = await counts(engine, system=PBX, since=MIDNIGHT, until=LATER)
        assert stored.calls == {Outcome.UNKNOWN: 1, Outcome.RESOLVED: 1}
        assert (sum(stored.moves.values()), stored.cases) == (1, 2)
        first, second = await all_facts(engine)
        assert (first.outcome, first.move_attempts, first.cases) == (Outcome.UNKNOWN, (), ())
        assert (second.outcome, len(second.cases)) == (Outcome.RESOLVED, 1)
        house = House(queues={}, internal_lines=frozenset(), zone=UTC)
        day = period_of(Span.DAY, AT.date(), UTC)
        period = [one async for one in calls_of(engine, day, house=house, systems=[PBX])]
        assert [(one.outcome.value, one.case is None) for one in period] == [
            ("unknown", True),
            ("resolved", False),
        ]
        page = await search(engine, CaseFilter(), count_max=1)
        assert [case.call_id for case in page.cases] == [a_call_id(2)]
        assert (await search(engine, CaseFilter(), after=page.next)).cases == ()
        answered = await answered_by_department(engine, since=MIDNIGHT, until=LATER)
        assert list(answered.values()) == [AnsweredCalls(first_contact=1)]
        assert await decisions_about(engine, a_call_id(1)) == []
        assert len(await decisions_about(engine, a_call_id(2))) == 1
    said = {(line["table"], line["column"], line["word"]) for line in logs}
    assert len(logs) == len(said) == len(NEWER), "each word once"
    assert set(unknown.counts()) == {tuple(place.split(".")) for place in NEWER}
    assert unknown.counts()["calls", "outcome"] == 3


async def test_writing_goes_on_and_what_waits_for_the_unknown_case_stays(
    engine: AsyncEngine, unknown: UnknownWords
) -> None:
    store = Store(engine)
    mine = {"call": a_call_id(1)}
    acts = [a_call_act(1, call=1), a_call_act(2, call=2)]
    saved = await store.save_batch([*acts, *all_of_a_call(3)])
    labelled = [change.case.call_id for change in saved.changes if change.case.label]
    assert labelled == [a_call_id(2)]
    async with engine.begin() as connection:
        waiting = text("SELECT act_id FROM call_acts WHERE case_id IS NULL")
        assert list((await connection.execute(waiting)).scalars()) == ["key1"]
        parked = "UPDATE cases SET state = 'parked', case_class = 'resolved' WHERE call_id = :call"
        await connection.execute(text(parked), mine)
        which = text("SELECT id FROM cases WHERE call_id = :call")
        case_id = (await connection.execute(which, mine)).scalar_one()
    by = Actor(who="Anna Åkesson", origin=Origin.PAGE)
    with pytest.raises(DATABASE_ERRORS, match=f"cases.state of {case_id} is 'parked'"):
        await store.change_case(case_id, Close(), by, at=LATER)
    async with engine.begin() as connection:
        known = text("UPDATE cases SET state = 'draft' WHERE call_id = :call")
        await connection.execute(known, mine)
    saved = await store.save_batch([a_call_act(3, call=1, value="va.avlopp", seconds=61)])
    [label, other] = [change.case.label for change in saved.changes]
    assert (label, other) == ("va.lacka", "va.avlopp"), "nothing is lost, and all is in order"


async def test_the_days_counts_are_given_back_at_start(
    engine: AsyncEngine, unknown: UnknownWords
) -> None:
    given: list[Counts] = []

    class Board:
        def count_on(self, system: object, found: dict[object, Counts], since: object) -> None:
            given.append(found[KC])

    floor = FloorRules(queues=rules(25), overflow=(), case_rule="resolved")
    await counts_today.restore(Store(engine), Board(), [PBX], rules=floor, now=lambda _: LATER)
    assert [(each.answered, each.unknown) for each in given] == [(1, 1)]
