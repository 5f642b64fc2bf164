"""Towns for whole modules, and their logs when something in them failed."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from tests.lab.directories import keep_logs
from tests.lab.floor_plan import FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.root import print_progress

ZONE = ZoneInfo("Europe/Stockholm")

LONGEST = timedelta(minutes=8)
"""No town of a module lives so long."""


def town_fixture(plan: FloorPlan, *, is_within_a_day: bool = False) -> Callable[..., object]:
    """Return a fixture that runs one town for all scenarios of a module.

    Args:
        plan: Of the town.
        is_within_a_day: Its scenarios count what happened today, so midnight must not pass.
    """

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def town(request: pytest.FixtureRequest) -> AsyncIterator[Municipality]:
        failed_before = request.session.testsfailed
        starts_at = clear_of_midnight(datetime.now(UTC)) if is_within_a_day else plan.starts_at
        async with hosted(dataclasses.replace(plan, starts_at=starts_at)) as running:
            yield running
            if request.session.testsfailed > failed_before:
                for directory in (running.directory, running.pbx.log_path.parent):
                    print_progress(f"logs are kept in {keep_logs(directory, name='e2e')}")

    return town


def clear_of_midnight(now: datetime) -> datetime | None:
    """Return when a town is to start so that its day does not end; None for now."""
    later = now + LONGEST
    is_over = later.astimezone(ZONE).date() != now.astimezone(ZONE).date()
    return later if is_over else None


@contextlib.asynccontextmanager
async def hosted(plan: FloorPlan) -> AsyncIterator[Municipality]:
    """Run a town in a task of its own: a fixture is set up and torn down in different tasks."""
    started: asyncio.Future[Municipality] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def live() -> None:
        async with Municipality.start(plan) as town:
            started.set_result(town)
            await stop.wait()

    task = asyncio.create_task(live(), name="town")
    try:
        await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield started.result()
    finally:
        stop.set()
        await task
