"""The live board as somebody sees it: what stands on the page in a real Chromium."""

import contextlib
from collections.abc import AsyncIterator

from playwright.async_api import Page

from tests.lab.browser import PAGE_S_MAX, chromium

CONNECTED = """() => document.querySelector("#link").dataset.state === "live"
    && document.querySelector(".queue") !== null"""

WAITING = """() => Object.fromEntries([...document.querySelectorAll(".queue")].map(
    (card) => [card.dataset.queue, card.querySelector(".big dd").textContent]))"""

DAY = """() => Object.fromEntries([...document.querySelectorAll(".queue")].map((card) => [
    card.dataset.queue,
    Object.fromEntries([...card.querySelectorAll(".rest dt")].map(
        (what) => [what.textContent, what.nextElementSibling.textContent]))]))"""

OF_THE_DAY = ("Erbjudna", "Besvarade", "Tappade", "Svarsnivå", "Flyttade in / ut", "Ärenden")
"""What the board counts; all else is of the moment."""


class Board:
    """One page; use `open`."""

    def __init__(self, page: Page) -> None:
        """Only describes it."""
        self._page = page

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, web: str) -> "AsyncIterator[Board]":
        """Open it, in Swedish, and wait until it has its first figures."""
        async with chromium() as browser:
            page = await browser.new_page(locale="sv-SE")
            page.set_default_timeout(1000 * PAGE_S_MAX)
            await page.goto(f"{web}/board")
            await page.wait_for_function(CONNECTED)
            yield cls(page)

    async def is_connected(self) -> bool:
        """Return whether it says so."""
        return bool(await self._page.evaluate(CONNECTED))

    async def waiting(self) -> dict[str, str]:
        """Return how many wait, by queue, as it stands there."""
        shown: dict[str, str] = await self._page.evaluate(WAITING)
        return shown

    async def day(self) -> dict[str, dict[str, str]]:
        """Return the totals of the day, by queue and by what stands before each."""
        shown: dict[str, dict[str, str]] = await self._page.evaluate(DAY)
        return {
            queue: {what: told for what, told in rows.items() if what in OF_THE_DAY}
            for queue, rows in shown.items()
        }
