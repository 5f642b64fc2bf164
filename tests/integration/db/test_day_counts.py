"""A day's counts so far, from what is stored, are those that the live floor would have."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.core.effects import Disposition, RecordEntry
from ivrd.core.rules import QueueRules, Role
from ivrd.core.service_level import Counts
from ivrd.db.day_counts import cases_since, counts_since
from ivrd.db.store import Store
from tests.integration.db.samples import (
    AT,
    KC,
    PBX,
    VAXEL,
    a_case,
    a_contact,
    a_move,
    a_recorded_call,
    an_entry,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIDNIGHT = AT - timedelta(hours=9)


def rules(threshold_s: float) -> dict[str, QueueRules]:
    return {
        queue: QueueRules(
            name=queue,
            role=Role.GUIDE,
            service_level_threshold=timedelta(seconds=threshold_s),
            short_abandon=timedelta(seconds=5),
            department=None,
        )
        for queue in (KC, VAXEL)
    }


def unanswered(number: int, disposition: Disposition, wait_s: float | None) -> RecordEntry:
    wait = None if wait_s is None else timedelta(seconds=wait_s)
    return replace(
        an_entry(number),
        disposition=disposition,
        entry_wait=wait,
        wait=wait,
        interface=None,
        agent=None,
        answered_at=None,
        queue=VAXEL,
    )


async def test_each_kind_of_entry_is_counted_as_live(engine: AsyncEngine) -> None:
    facts = [
        unanswered(1, Disposition.MOVED, 20),
        an_entry(2),
        unanswered(3, Disposition.ABANDONED, 2),
        unanswered(4, Disposition.ABANDONED, 30),
        unanswered(5, Disposition.FULL, None),
        unanswered(6, Disposition.DIVERTED, None),
        unanswered(7, Disposition.CLOSED, None),
        unanswered(8, Disposition.UNKNOWN, None),
        a_move(),
        a_case(),
        a_recorded_call(),
    ]
    await Store(engine).save_batch(facts)
    found = await counts_since(engine, system=PBX, since=MIDNIGHT, queues=rules(25))
    assert found == {
        KC: Counts(joined=1, answered=1, answered_within=1, moved_in=1, cases=1),
        VAXEL: Counts(
            joined=4,
            refused=1,
            moved_out=1,
            abandoned=2,
            abandoned_within=1,
            short_abandons=1,
            diverted=1,
            closed=1,
            unknown=1,
        ),
    }
    stricter = await counts_since(engine, system=PBX, since=MIDNIGHT, queues=rules(24.999))
    assert stricter[KC].answered_within == 0


async def test_an_answer_after_midnight_of_a_caller_from_before_is_of_today(
    engine: AsyncEngine,
) -> None:
    await Store(engine).save_batch([an_entry(), a_recorded_call()])
    since = AT + timedelta(seconds=10)
    found = await counts_since(engine, system=PBX, since=since, queues=rules(25))
    assert found == {KC: Counts(answered=1, answered_within=1)}
    assert await counts_since(engine, system=PBX, since=AT + timedelta(1), queues=rules(25)) == {}


async def test_a_call_that_lives_still_is_left_to_whoever_tells_it_again(
    engine: AsyncEngine,
) -> None:
    await Store(engine).save_batch([an_entry(), a_move(), a_case()])
    assert await counts_since(engine, system=PBX, since=MIDNIGHT, queues=rules(25)) == {}


async def test_a_contact_is_no_case_of_its_queue(engine: AsyncEngine) -> None:
    await Store(engine).save_batch([an_entry(), a_contact(), a_recorded_call()])
    found = await counts_since(engine, system=PBX, since=MIDNIGHT, queues=rules(25))
    assert found == {KC: Counts(joined=1, answered=1, answered_within=1)}


async def test_cases_of_the_day_are_counted_as_they_stand(engine: AsyncEngine) -> None:
    facts = [a_case(1), a_case(2), replace(a_case(3), department="teknisk")]
    await Store(engine).save_batch(facts)
    found = {
        (each.department, each.case_class.value): each.number
        for each in await cases_since(engine, since=MIDNIGHT)
    }
    assert found == {(None, "resolved"): 2, ("teknisk", "resolved"): 1}
    assert await cases_since(engine, since=AT + timedelta(1)) == []
