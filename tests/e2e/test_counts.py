"""After kill -9 in the middle of a day its totals go on, at Prometheus and on boards alike."""

import asyncio

import httpx
import pytest

from tests.e2e.scene import metrics, scene
from tests.e2e.towns import town_fixture
from tests.lab.board import Board
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Ring

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Desk(name="guide", queue="kc", answer=Ring())
OPERATOR = Desk(name="operator", queue="vaxel", answer=Ring())

# Beside a browser a key may come late.
town = town_fixture(FloorPlan(desks=(GUIDE, OPERATOR), patient_s=30), is_within_a_day=True)

LASTING = (
    "ivrd_calls_total",
    "ivrd_cases_opened_total",
    "ivrd_line_wait",
    "ivrd_line_service",
    "ivrd_menu_",
    "ivrd_queue_entries_total",
    "ivrd_queue_joined_total",
    "ivrd_queue_service_total",
    "ivrd_queue_talk_seconds",
    "ivrd_queue_wait_seconds",
)

THREE_SEEN, THREE_CASES = ("3", "2", "0", "1"), ("3", "3", "0", "3")
ONE_GAVE_UP = ("2", "1", "1", "0")
"""On the board: offered, answered, abandoned, cases."""

Day = dict[str, dict[str, str]]


async def day_shown(town: Municipality, board: Board, *, kc: tuple[str, ...]) -> Day:
    """Return what somebody sees of the day in the browser, once it is this."""
    wanted = {"kc": kc, "vaxel": ONE_GAVE_UP}
    rows = ("Erbjudna", "Besvarade", "Tappade", "Ärenden")
    day: Day = {}

    async def is_shown() -> bool:
        day.update(await board.day())
        return {queue: tuple(day[queue][row] for row in rows) for queue in wanted} == wanted

    await town.until(is_shown, what=f"the board shows {wanted}, not {day}", within_s=60)
    return day


async def shows_again(town: Municipality, board: Board, day: Day) -> None:
    async def is_shown() -> bool:
        return await board.is_connected() and await board.day() == day

    await town.until(is_shown, what=f"the board shows {day} again", within_s=60)


async def lost(town: Municipality, board: Board) -> None:
    async def is_lost() -> bool:
        return not await board.is_connected()

    await town.until(is_lost, what="the board says that nobody answers", within_s=60)


async def lasting(town: Municipality) -> dict[str, float]:
    shown = await metrics(town)
    return {name: value for name, value in shown.items() if name.startswith(LASTING)}


async def today(town: Municipality) -> dict[str, object]:
    """Return what boards show of the day, by queue."""
    return {str(status["queue"]): status["counts"] for status in await town.queue_statuses()}


async def calls_ended(town: Municipality) -> float:
    shown = await lasting(town)
    return sum(value for name, value in shown.items() if name.startswith("ivrd_calls_total"))


async def scrapes_until_ready(town: Municipality) -> list[dict[str, float]]:
    """Return every scrape that was answered from the start until ivrd was ready."""
    answered: list[dict[str, float]] = []

    async def is_ready() -> bool:
        try:
            answered.append(await lasting(town))
        except httpx.TransportError:
            return False
        return await town.is_ready()

    await town.until(is_ready, what="ivrd is ready", within_s=60)
    return answered


async def test_totals_go_on_after_a_kill_in_the_middle_of_calls(town: Municipality) -> None:
    async with Board.open(town.web) as board, scene(town, is_orderly=False) as played:
        resolved = await played.ring()
        await resolved.talking("kc")
        await resolved.hang_up()
        await resolved.gone()
        connected, gave_up = await played.ring("1"), await played.ring("1")
        await connected.talking("vaxel")
        await gave_up.joined("vaxel")
        in_talk = await played.ring()
        await in_talk.talking("kc")
        waiting = await played.ring()
        await waiting.joined("kc")
        await gave_up.hang_up()

        async def are_counted() -> bool:
            return await calls_ended(town) == 2 and await is_seen(town)

        # Killed as soon as the second is decided: no checkpoint says so yet.
        await town.until(are_counted, what="two calls are counted")
        before, day_before = await lasting(town), await today(town)
        seen_before = await day_shown(town, board, kc=THREE_SEEN)
        await town.kill_daemon()
        await lost(town, board)
        await town.start_daemon(is_ready=False)
        scrapes = await scrapes_until_ready(town)

        async def is_as_before() -> bool:
            return await today(town) == day_before and await lasting(town) == before

        # Counters only grow: what was too much for a moment would be so still.
        await town.until(is_as_before, what=f"boards show again {day_before}, counters {before}")
        await shows_again(town, board, seen_before)
        for scrape in scrapes:
            lower = {name for name, value in before.items() if scrape.get(name, 0) < value}
            assert lower == set(), "a counter that went down would be added once more"

        await asyncio.gather(connected.hang_up(), in_talk.hang_up())
        await waiting.talking("kc")
        await waiting.hang_up()
        await played.hang_up_all()
        await played.collect()
        await day_shown(town, board, kc=THREE_CASES)
    assert await calls_ended(town) == 5
    shown = await lasting(town)
    assert shown['ivrd_queue_joined_total{queue="kc",system="pbx1"}'] == 3
    assert shown['ivrd_queue_joined_total{queue="vaxel",system="pbx1"}'] == 2
    assert (await day_of(town, "kc"))["answered"] == 3
    assert (await day_of(town, "kc"))["cases"] == 3
    assert (await day_of(town, "vaxel"))["abandoned"] == 1


async def is_seen(town: Municipality) -> bool:
    """Return whether the answers of those in talk, and the one who waits, are counted."""
    kc, vaxel = await day_of(town, "kc"), await day_of(town, "vaxel")
    return (kc["joined"], kc["answered"], vaxel["answered"]) == (3, 2, 1)


async def day_of(town: Municipality, queue: str) -> dict[str, int]:
    counts = (await town.queue_status(queue))["counts"]
    assert isinstance(counts, dict)
    return counts
