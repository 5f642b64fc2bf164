"""A day's curve, from what is stored, adds up to the day's counts."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.core.effects import Disposition, RecordEntry
from ivrd.core.half_hours import half_hours
from ivrd.core.ids import QueueName
from ivrd.core.periods import Span, period_of
from ivrd.core.service_level import Counts, added
from ivrd.db.day_counts import counts_since
from ivrd.db.day_curve import counts_by_place, known_since
from ivrd.db.store import Store
from tests.integration.db.samples import AT, PBX, VAXEL, a_recorded_call, an_entry
from tests.integration.db.test_day_counts import rules, unanswered

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZONE = ZoneInfo("Europe/Stockholm")
DAY = period_of(Span.DAY, AT.astimezone(ZONE).date(), ZONE)
THRESHOLD, SHORT = timedelta(seconds=25), timedelta(seconds=5)


def stay(number: int, disposition: Disposition, wait_s: float | None, minutes: int) -> RecordEntry:
    return replace(
        unanswered(number, disposition, wait_s), joined_at=AT + timedelta(minutes=minutes)
    )


async def curve(engine: AsyncEngine, queue: QueueName = VAXEL) -> dict[int, Counts]:
    found = await counts_by_place(
        engine,
        system=PBX,
        queue=queue,
        stretches=half_hours(DAY),
        threshold=THRESHOLD,
        short_abandon=SHORT,
    )
    return dict(found)


async def test_each_half_hour_has_what_came_in_it_and_the_day_adds_up(engine: AsyncEngine) -> None:
    assert await known_since(engine, system=PBX) is None
    answered = replace(an_entry(1), queue=VAXEL)
    stays = [
        answered,
        stay(2, Disposition.ABANDONED, 2, 0),
        stay(3, Disposition.ABANDONED, 30, 29),
        stay(4, Disposition.FULL, None, 30),
        stay(5, Disposition.DIVERTED, None, 30),
        stay(6, Disposition.CLOSED, None, 31),
        stay(7, Disposition.CLOSED, 12, 31),
        stay(8, Disposition.MOVED, 12, 60),
    ]
    elsewhere = [
        replace(stay(9, Disposition.ABANDONED, 12, 0), joined_at=DAY.since - timedelta(seconds=1)),
        replace(stay(10, Disposition.ABANDONED, 12, 0), joined_at=DAY.until),
        an_entry(11),
    ]
    await Store(engine).save_batch([*stays, *elsewhere, a_recorded_call()])
    found = await curve(engine)
    # 9:00 UTC is ten o'clock.
    assert found == {
        20: Counts(
            joined=3,
            answered=1,
            answered_within=1,
            abandoned=2,
            abandoned_within=1,
            short_abandons=1,
        ),
        21: Counts(joined=1, refused=1, diverted=1, closed=2),
        22: Counts(joined=1, moved_out=1),
    }
    assert await known_since(engine, system=PBX) == AT
    assert await curve(engine, QueueName("nowhere")) == {}
    day = await counts_since(engine, system=PBX, since=DAY.since, queues=rules(25))
    whole = Counts()
    for counts in found.values():
        whole = added(whole, counts)
    # The two beside the day: one came before it and is counted at its end, one comes after it.
    assert replace(day[VAXEL], joined=day[VAXEL].joined - 1) == replace(
        whole, abandoned=4, abandoned_within=3
    )
