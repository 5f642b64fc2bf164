"""The live board in a real Chromium, with real callers waiting behind it."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.e2e.scene import scene
from tests.e2e.towns import town_fixture
from tests.lab.browser import PAGE_S_MAX, chromium, violations
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import SYSTEM, Municipality
from tests.lab.phone import NoAnswer, Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOAL_S = 3

PICTURES = os.environ.get("IVRD_PICTURES")
"""A directory for pictures of what is shown; for whoever writes the manual."""

town = town_fixture(
    FloorPlan(
        desks=(
            Desk(name="op", queue="vaxel", answer=NoAnswer()),
            Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.3)),
        ),
        switchboard_goal_s=GOAL_S,
    )
)


@contextlib.asynccontextmanager
async def board(town: Municipality, query: str = "") -> AsyncIterator[Page]:
    async with chromium() as browser:
        context = await browser.new_context(
            viewport={"width": 1280, "height": 800}, locale="sv-SE", timezone_id="Europe/Stockholm"
        )
        context.set_default_timeout(1000 * PAGE_S_MAX)
        expect.set_options(timeout=1000 * PAGE_S_MAX)
        page = await context.new_page()
        await page.goto(f"{town.web}/board{query}")
        await expect(page.locator("#link")).to_have_text("Ansluten")
        yield page


async def test_callers_are_seen_as_they_come_wait_and_go(town: Municipality) -> None:
    async with board(town) as page, scene(town, is_orderly=False) as played:
        card = page.locator('.queue[data-queue="vaxel"]')
        waiting, longest = card.locator(".big dd").nth(0), card.locator(".big dd").nth(1)
        await expect(waiting).to_have_text("0")
        await expect(card.locator(".rest")).to_contain_text("Svarsnivå\N{EN DASH}")
        assert await violations(page) == ""
        first = await played.ring("1")
        await first.joined("vaxel")
        await expect(waiting).to_have_text("1")
        second = await played.ring("1")
        await second.joined("vaxel")
        await expect(waiting).to_have_text("2")
        status = await town.queue_status("vaxel")
        assert (status["waiting"], SYSTEM) == (2, status["system"])
        # It counts on by itself, and says in words that it is too long.
        await expect(card).to_contain_text("Väntan är över målet")
        await expect(longest).not_to_have_text("0:00")
        assert "late" in (await card.get_attribute("class") or "")
        await take_picture(page, "board")
        assert await violations(page) == ""
        for caller in (first, second):
            await caller.hang_up()
            await caller.gone()
        await expect(waiting).to_have_text("0")
        await expect(card).not_to_contain_text("Väntan är över målet")
        guided = await played.ring()
        await guided.gone()
        cases = page.locator('.queue[data-queue="kc"] .rest dd').last
        await expect(cases).to_have_text("1")


async def test_the_wall_is_dark_and_large_and_english_is_one_key_away(town: Municipality) -> None:
    async with board(town, "?wall&dark") as page:
        figure = page.locator('.queue[data-queue="vaxel"] .big dd').first
        size = await figure.evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)")
        assert size >= 0.1 * 800
        assert await violations(page) == ""
        await take_picture(page, "board-wall")
        await page.get_by_role("button", name="English").press("Enter")
        await expect(page.get_by_role("heading", name="Now")).to_be_visible()
        assert await page.locator("html").get_attribute("lang") == "en"
        await page.get_by_role("button", name="Wall").press("Enter")
        await expect(page.locator("#lines li")).to_contain_text("kommunen")
        assert await violations(page) == ""


async def test_a_lost_connection_is_said_and_found_again(town: Municipality) -> None:
    async with board(town) as page:
        await town.kill_daemon()
        await expect(page.locator("#link")).to_contain_text("Ingen förbindelse")
        await expect(page.locator('.queue[data-queue="vaxel"]')).to_be_visible()
        assert await violations(page) == ""
        await town.start_daemon()
        await expect(page.locator("#link")).to_have_text("Ansluten")
        cases = page.locator('.queue[data-queue="kc"] .rest dd').last
        await expect(cases).to_have_text("1")


async def take_picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")
