"""Towns for whole modules, and their logs when something in them failed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.lab.directories import keep_logs
from tests.lab.floor_plan import FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.root import print_progress


def town_fixture(plan: FloorPlan) -> Callable[..., object]:
    """Return a fixture that runs one town for all scenarios of a module."""

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def town(request: pytest.FixtureRequest) -> AsyncIterator[Municipality]:
        failed_before = request.session.testsfailed
        async with hosted(plan) as running:
            yield running
            if request.session.testsfailed > failed_before:
                for directory in (running.directory, running.pbx.log_path.parent):
                    print_progress(f"logs are kept in {keep_logs(directory, name='e2e')}")

    return town


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
