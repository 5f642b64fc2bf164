"""The live board in a browser, as a supervisor or somebody who only looks has it before them.

Here: opening it, signing in, and what one does in its dialog. Not here: what it must show.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, expect

from tests.lab.browser import PAGE_S_MAX, chromium
from tests.lab.municipality import Municipality

PICTURES = os.environ.get("IVRD_PICTURES")
"""A directory for pictures of what is shown; for whoever writes the manual."""


@contextlib.asynccontextmanager
async def board(
    town: Municipality, query: str = "", *, token: str | None = None
) -> AsyncIterator[Page]:
    """Open the board, and wait until it is connected.

    Args:
        town: Whose board.
        query: What stands after the address, such as "?wall".
        token: Whose token to sign in with; None for nobody's.
    """
    async with chromium() as browser:
        yield await open_board(browser, town, query, token=token)


async def open_board(
    browser: Browser, town: Municipality, query: str = "", *, token: str | None = None
) -> Page:
    """Open the board in a browser of its own, with cookies of its own; see `board`."""
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="sv-SE", timezone_id="Europe/Stockholm"
    )
    context.set_default_timeout(1000 * PAGE_S_MAX)
    expect.set_options(timeout=1000 * PAGE_S_MAX)
    page = await context.new_page()
    if token is not None:
        await page.goto(f"{town.web}/login?next=/board")
        await page.get_by_label("Nyckel").fill(token)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/board")
    if token is None or query:
        await page.goto(f"{town.web}/board{query}")
    connected = "Connected" if "lang=en" in query else "Ansluten"
    await expect(page.locator("#link")).to_have_text(connected)
    return page


def acts(page: Page, of: str) -> Locator:
    """Return the button that opens the dialog of one agent, caller, line, notice or rule."""
    return page.get_by_role("button", name=f"Åtgärder: {of}")


async def choose(page: Page, act: str, *, reason: str | None = None) -> None:
    """Choose in the open dialog, by the keyboard, and do it."""
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("radio", name=act).press("Space")
    if reason is not None:
        await dialog.get_by_label("Skäl").fill(reason)
        await page.keyboard.press("Enter")
    else:
        await dialog.get_by_role("button", name="Utför").press("Enter")


async def take_picture(page: Page, name: str) -> None:
    """Keep how the page looks, when somebody writes the manual."""
    if PICTURES is not None:
        await page.screenshot(
            path=Path(PICTURES) / f"{name}.png",
            full_page=await page.get_by_role("dialog").count() == 0,
        )
