"""What is stored comes back as it was, once."""

import asyncio
import contextlib
import sqlite3
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.config import DatabaseConfig
from ivrd.core.decisions import DecidedKind
from ivrd.core.effects import (
    Disposition,
    MoveEnd,
    Outcome,
    Reach,
)
from ivrd.core.ids import CallId, SystemName
from ivrd.core.switches import ActOutcome, Origin
from ivrd.db.decisions import calls_named, decisions_about
from ivrd.db.facts import acts_of, counts, facts_of, trail_of
from ivrd.db.migrate import migrate
from ivrd.db.models import CallRow, CaseChangeRow, CaseRow, DecisionRow, EntryRow, MoveRow
from ivrd.db.store import Storable, Store
from tests.integration.db.samples import (
    AT,
    KC,
    PBX,
    VAXEL,
    Database,
    a_call_id,
    a_case,
    a_decision,
    a_move,
    a_recorded_call,
    all_facts,
    all_of_a_call,
    an_act,
    an_engine,
    an_entry,
    rows_in,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_call_comes_back_as_it_was(engine: AsyncEngine) -> None:
    await Store(engine).save_batch([*all_of_a_call(1), an_entry(2)])
    [call] = await all_facts(engine)
    assert (call.call_id, call.line, call.outcome) == (a_call_id(1), "main", Outcome.RESOLVED)
    assert (call.arrived_at, call.wait, call.moves) == (AT, timedelta(seconds=25), 1)
    assert [entry.number for entry in call.entries] == [1, 2]
    entry = call.entries[0]
    assert entry.joined_at == AT
    assert entry.agent == "Anna Åkesson"
    assert entry.talk is None
    assert [move.end for move in call.move_attempts] == [MoveEnd.LANDED]
    assert [case.rule for case in call.cases] == ["resolved-by-guide"]


async def test_hand_over_and_where_the_knowledge_came_from_come_back(engine: AsyncEngine) -> None:
    facts = [
        replace(an_entry(), joined_by=a_call_id(7)),
        replace(a_recorded_call(), hand_over=Reach.CAME_BACK, is_from_journal=True),
        replace(a_case(), is_from_journal=True),
    ]
    await Store(engine).save_batch(facts)
    [call] = await all_facts(engine)
    assert (call.hand_over, call.is_from_journal) == (Reach.CAME_BACK, True)
    assert [entry.joined_by for entry in call.entries] == [a_call_id(7)]
    assert [case.is_from_journal for case in call.cases] == [True]


async def test_a_wait_just_over_the_threshold_is_not_stored_as_the_threshold(
    engine: AsyncEngine,
) -> None:
    await Store(engine).save_batch([a_recorded_call(), an_entry()])
    [call] = await all_facts(engine)
    assert call.entries[0].entry_wait == timedelta(milliseconds=25_001)
    assert call.entries[0].wait == timedelta(milliseconds=25_000)


async def test_an_unknown_wait_is_null_and_not_zero(engine: AsyncEngine) -> None:
    await Store(engine).save_call(replace(a_recorded_call(), wait=None))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT wait_ms FROM calls"))).scalar_one() is None
    assert (await all_facts(engine))[0].wait is None


async def test_moments_are_utc_whatever_zone_they_came_in(engine: AsyncEngine) -> None:
    stockholm = timezone(timedelta(hours=2))
    await Store(engine).save_call(a_recorded_call(arrived_at=AT.astimezone(stockholm)))
    [call] = await all_facts(engine)
    assert call.arrived_at == AT
    assert call.arrived_at.tzinfo is UTC


async def test_a_moment_without_a_zone_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        await Store(engine).save_call(a_recorded_call(arrived_at=AT.replace(tzinfo=None)))
    assert await rows_in(engine, CallRow) == 0


async def test_a_repeat_of_every_write_changes_nothing(engine: AsyncEngine) -> None:
    store = Store(engine)
    for _ in range(3):
        await store.save_entry(an_entry())
        await store.save_move(a_move())
        await store.save_call(a_recorded_call())
        await store.save_batch(all_of_a_call(1))
    assert store.conflicts == 0
    assert await rows_in(engine, CaseChangeRow) == 1
    for table in (CallRow, EntryRow, MoveRow, CaseRow):
        assert await rows_in(engine, table) == 1


async def test_a_move_that_queue_log_tells_again_is_stored_once_and_an_equal_one_too(
    engine: AsyncEngine,
) -> None:
    begin = AT.replace(microsecond=0)

    def told(seconds: float) -> list[Storable]:
        at = begin + timedelta(seconds=seconds)
        decision = a_decision(what=DecidedKind.LANDED)
        return [replace(a_move(), at=at), replace(decision, at=at)]

    store = Store(engine)
    await store.save_batch(told(5.7))
    await store.save_batch([*told(4), *told(25.7)])
    # From the journal on the disk, with the same move told again in the same batch.
    await store.save_batch([*told(5), *told(45.7), *told(45), *told(26)])
    for column in (MoveRow.ended_at, DecisionRow.at):
        async with engine.connect() as connection:
            stored = (await connection.execute(select(column).order_by(column))).scalars()
            assert [(at - begin).total_seconds() for at in stored] == [5.7, 25.7, 45.7]
    assert store.conflicts == 0


async def test_moves_refused_at_once_one_after_the_other_are_all_stored(
    engine: AsyncEngine,
) -> None:
    refused = replace(a_move(), end=MoveEnd.REFUSED)
    moves = [replace(refused, at=AT + timedelta(seconds=s)) for s in (5.1, 5.2, 5.3)]
    await Store(engine).save_batch(moves)
    assert await rows_in(engine, MoveRow) == 3


async def test_a_case_is_new_once_and_has_one_id(engine: AsyncEngine) -> None:
    store = Store(engine)
    first, again = await store.save_batch([a_case()]), await store.save_batch([a_case()])
    assert (len(first.changes), len(again.changes)) == (1, 0)
    assert first.case_ids == again.case_ids


async def test_two_daemons_opening_one_case_open_it_once(database: Database) -> None:
    async with an_engine(database.config) as one, an_engine(database.config) as two:
        await migrate(one)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(Store(engine).save_batch([a_case(call)]))
                for call in range(20)
                for engine in (one, two)
            ]
        assert sum(len(task.result().changes) for task in tasks) == 20
        assert await rows_in(one, CaseRow) == 20


async def test_text_that_a_database_cannot_hold_does_not_stop_it(engine: AsyncEngine) -> None:
    nasty = replace(an_entry(), agent="Eve\0\udce5'); DROP TABLE entries; --")
    await Store(engine).save_batch([nasty, a_recorded_call()])
    [call] = await all_facts(engine)
    assert call.entries[0].agent == "Eve\ufffd\ufffd'); DROP TABLE entries; --"


async def test_facts_are_read_in_pages_and_none_is_skipped(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivrd.db.facts.PAGE_CALLS", 3)
    # Three calls at each moment, so that pages end between calls of the same moment.
    calls = [
        a_recorded_call(number, arrived_at=AT + timedelta(seconds=number // 3))
        for number in range(10)
    ]
    await Store(engine).save_batch(calls)
    found = await all_facts(engine)
    assert [call.call_id for call in found] == [call.call_id for call in calls]


async def test_facts_begin_at_since_and_end_before_until(engine: AsyncEngine) -> None:
    minute = timedelta(minutes=1)
    calls = [a_recorded_call(number, arrived_at=AT + number * minute) for number in range(4)]
    await Store(engine).save_batch(calls)
    found = [
        call.call_id
        async for call in facts_of(engine, system=PBX, since=AT + minute, until=AT + 3 * minute)
    ]
    assert found == [a_call_id(1), a_call_id(2)]


async def test_counts_are_by_outcome_disposition_and_end(engine: AsyncEngine) -> None:
    await Store(engine).save_batch(
        [effect for number in range(3) for effect in all_of_a_call(number)]
    )
    day = timedelta(days=1)
    found = await counts(engine, system=PBX, since=AT - day, until=AT + day)
    assert found.calls == {Outcome.RESOLVED: 3}
    assert found.entries == {(KC, Disposition.ANSWERED): 3}
    assert found.moves == {MoveEnd.LANDED: 3}
    assert found.cases == 3
    other = await counts(engine, system=SystemName("pbx2"), since=AT - day, until=AT + day)
    assert (other.calls, other.cases) == ({}, 0)


async def test_sqlite_is_durable_and_lets_readers_read(tmp_path: Path) -> None:
    file = tmp_path / "ivrd.sqlite"
    async with an_engine(DatabaseConfig(url=f"sqlite+aiosqlite:///{file}")) as engine:
        await migrate(engine)
        async with engine.connect() as connection:
            for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
                found = await connection.execute(text(f"PRAGMA {pragma}"))
                assert found.scalar_one() == value
        with contextlib.closing(sqlite3.connect(file)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM calls").fetchone()
            await Store(engine).save_call(a_recorded_call())
        assert await rows_in(engine, CallRow) == 1


DAY = timedelta(hours=24)


async def test_without_a_stored_call_there_is_no_trail(engine: AsyncEngine) -> None:
    assert await trail_of(engine, system=PBX, age=DAY) is None
    await Store(engine).save_call(replace(a_recorded_call(), system=SystemName("other")))
    assert await trail_of(engine, system=PBX, age=DAY) is None


async def test_the_trail_goes_back_from_the_last_end_and_not_before_the_first_call(
    engine: AsyncEngine,
) -> None:
    store = Store(engine)
    first, second = a_recorded_call(1), a_recorded_call(2, arrived_at=AT + timedelta(hours=1))
    await store.save_batch([first, second])
    trail = await trail_of(engine, system=PBX, age=DAY)
    assert trail is not None
    assert trail.since == first.arrived_at
    assert trail.calls == {first.call_id: first.at, second.call_id: second.at}
    long = replace(a_recorded_call(3, arrived_at=AT + timedelta(hours=30)), at=AT + 2 * DAY)
    await store.save_batch([long, a_recorded_call(4, arrived_at=AT + timedelta(hours=31))])
    trail = await trail_of(engine, system=PBX, age=DAY)
    assert trail is not None
    assert trail.since == AT + DAY, "the long call ended last, although it was not the last to come"
    assert set(trail.calls) == {a_call_id(3), a_call_id(4)}


async def test_an_act_comes_back_as_it_was_once(engine: AsyncEngine) -> None:
    store = Store(engine)
    await store.save_act(an_act(1))
    await store.save_batch([an_act(1), replace(an_act(2), until=None), *all_of_a_call(1)])
    assert store.conflicts == 0
    year = timedelta(days=365)
    newer, older = await acts_of(engine, since=AT - year, until=AT + year)
    assert (newer.at, newer.until) == (AT + timedelta(seconds=2), None)
    assert (older.at, older.who, older.from_where) == (
        AT + timedelta(seconds=1),
        "anna as root",
        Origin.CONTROL,
    )
    assert (older.act, older.subject) == ("notice_on", "notice driftstorning")
    assert (older.reason, older.until) == ("Vattenläcka i Råsunda", AT + timedelta(hours=4))
    assert older.outcome is ActOutcome.DONE
    assert await acts_of(engine, since=AT, until=AT + timedelta(seconds=1)) == []
    assert len(await acts_of(engine, since=AT, until=AT + year, count_max=1)) == 1


async def test_another_act_under_the_same_id_is_noticed(engine: AsyncEngine) -> None:
    store = Store(engine)
    await store.save_act(an_act(1))
    with structlog.testing.capture_logs() as logs:
        await store.save_act(replace(an_act(1), who="bo"))
    assert store.conflicts == 1
    told = [entry for entry in logs if entry["event"] == "store_conflict_noticed"]
    assert [(entry["table"], entry["call_id"], entry["columns"]) for entry in told] == [
        ("acts", "act1", ("who",))
    ]


async def test_what_was_decided_comes_back_in_order_with_its_rule(engine: AsyncEngine) -> None:
    store = Store(engine)
    asked, landed = a_decision(1), a_decision(1, what=DecidedKind.LANDED, seconds=5)
    by_hand = replace(a_decision(1, seconds=90), rule="by-hand", who="anna", why="Sjuk, väntar")
    began = [a_decision(0, what=DecidedKind.BEGAN, seconds=second) for second in (-60, 4, 60)]
    others = [a_decision(2), replace(began[1], rule="another", from_queue=KC)]
    await store.save_batch([by_hand, landed, asked, *began, *others])
    await store.save_batch([asked, began[1]])
    assert store.conflicts == 0
    assert await rows_in(engine, DecisionRow) == 8
    assert {one.at for one in await decisions_about(engine, a_call_id(3))} == set()
    found = await decisions_about(engine, a_call_id(1))
    assert [one for one in found if one.call_id] == [asked, landed, by_hand]
    assert [one for one in found if not one.call_id] == [began[1]]


async def test_a_caller_sent_on_at_the_door_is_told_with_the_rule(engine: AsyncEngine) -> None:
    store = Store(engine)
    began = a_decision(0, what=DecidedKind.BEGAN, seconds=-2)
    door = a_decision(0, what=DecidedKind.DIVERTING, seconds=-1)
    later = replace(a_decision(0, what=DecidedKind.DIVERTING, seconds=9), rule="later")
    sent_on = replace(an_entry(), queue=VAXEL, disposition=Disposition.DIVERTED)
    await store.save_batch([began, door, later, sent_on, a_recorded_call()])
    found = await decisions_about(engine, a_call_id(1))
    assert [(one.what, one.rule, one.to_queue) for one in found] == [
        (DecidedKind.BEGAN, "rush", KC),
        (DecidedKind.DIVERTED, "rush", KC),
    ]
    assert found[-1].at == sent_on.joined_at


async def test_another_decision_under_the_same_key_is_noticed(engine: AsyncEngine) -> None:
    store = Store(engine)
    await store.save_batch([a_decision(1)])
    await store.save_batch([replace(a_decision(1), figures="{}")])
    assert store.conflicts == 1


async def test_a_call_is_named_by_its_id_or_the_last_part(engine: AsyncEngine) -> None:
    store = Store(engine)
    elsewhere = replace(a_decision(1), call_id=CallId("pbx2/1772442000.1"))
    await store.save_batch([a_decision(1), a_decision(11), elsewhere, a_recorded_call(3)])
    whole, last = a_call_id(1), "1772442000.1"
    assert await calls_named(engine, whole) == [whole]
    assert set(await calls_named(engine, last)) == {whole, elsewhere.call_id}
    assert await calls_named(engine, "1772442000.3") == [a_call_id(3)], "nothing was decided of it"
    assert await calls_named(engine, "%") == []
