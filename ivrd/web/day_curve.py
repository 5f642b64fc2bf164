"""A queue's day in half hours, beside the same weekday of last week: the shape, and the route.

Here: what is told. Not here: where it is read, and how old it may be (../day_curves.py).

What is not known, or has not been, is null: neither looks like a half hour in which nobody rang.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Protocol

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from ivrd.access import Deed
from ivrd.core.half_hours import PLACES, HalfHour, begin_text
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts, sl
from ivrd.web.looks import READ_ERRORS, NameInPath, SeesFloor, Sights
from ivrd.web.problems import told
from ivrd.web.status import FORMULAS, RATIO_DECIMALS


class HalfHourFigures(BaseModel):
    """What came to the queue in half an hour, as far as it is stored."""

    begins: str = Field(description="By the clock on the wall, such as 08:30.")
    is_over: bool = Field(description="False: more may come.")
    offered: int | None = Field(description="Joined plus refused; null: not known, or not yet.")
    answered: int | None
    abandoned: int | None
    sl: float | None = Field(description="0 to 1; null also when there was no traffic.")


class CurveDay(BaseModel):
    """One day, from midnight."""

    date: date
    half_hours: list[HalfHourFigures] = Field(description="48, whatever the day's length.")


class DayCurve(BaseModel):
    """A queue's day, and the same weekday of last week."""

    system: str
    queue: str
    at: datetime = Field(description="When today was read; up to a minute ago.")
    formula: str = Field(description="Of `sl`. A call counts in the half hour when it came.")
    today: CurveDay
    before: CurveDay


class Curves(Protocol):
    """Who reads curves (day_curves.DayCurves)."""

    async def curve(self, system: SystemName, queue: QueueName) -> DayCurve | None:
        """Return a queue's day; None when no such queue is configured.

        Raises:
            PeerError: The database does not answer.
        """


def curve_router(sights: Sights, curves: Curves) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api", tags=["status"], responses=READ_ERRORS)

    @router.get(
        "/queues/{system}/{queue}/day",
        responses=told(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def day(system: NameInPath, queue: NameInPath, person: SeesFloor) -> DayCurve:
        """Return a queue's day in half hours, beside the same weekday of last week."""
        found = None
        if sights.sees_queue(person, Deed.SEE_FLOOR, queue):
            found = await curves.curve(SystemName(system), QueueName(queue))
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such queue on such a system")
        return found

    return router


def curve_day(
    day: date,
    stretches: Sequence[HalfHour],
    counts: Mapping[int, Counts],
    *,
    now: datetime,
    known_since: datetime | None,
) -> CurveDay:
    """Return a day as it is told.

    Args:
        day: Its date.
        stretches: Its half hours.
        counts: What came, by place.
        now: What begins later has not been.
        known_since: What ends before it is not known; None: nothing is.
    """
    begun = {each.place for each in stretches if each.since <= now}
    known = {each.place for each in stretches if known_since and each.until > known_since}
    # Of the hour that comes twice in autumn both must be over.
    going_on = {each.place for each in stretches if each.until > now}
    return CurveDay(
        date=day,
        half_hours=[
            _figures(
                place,
                counts.get(place, Counts()) if place in begun & known else None,
                is_over=place not in going_on,
            )
            for place in range(PLACES)
        ],
    )


def formula() -> str:
    """Return the formula of `sl`."""
    return next(text for name, text, _ in FORMULAS if name == "sl")


def _figures(place: int, counts: Counts | None, *, is_over: bool) -> HalfHourFigures:
    level = None if counts is None else sl(counts)
    return HalfHourFigures(
        begins=begin_text(place),
        is_over=is_over,
        offered=None if counts is None else counts.offered,
        answered=None if counts is None else counts.answered,
        abandoned=None if counts is None else counts.abandoned,
        sl=None if level is None else round(float(level), RATIO_DECIMALS),
    )
