"""A real Chromium without a screen, for pages of ours.

Here: starting it, so that it asks nobody but us, and what axe says of a page. Not here: any page.
"""

import contextlib
import shutil
from collections.abc import AsyncIterator

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.lab.processes import LabError

NAMES = ("chromium", "chromium-browser", "google-chrome")

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""As root it has no sandbox of its own; and it must not ring home."""

PAGE_S_MAX = 45.0
"""For anything that a page is waited for."""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser.

    Raises:
        LabError: There is none on this machine.
    """
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise LabError("no Chromium here: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, headless=True, args=list(QUIET), timeout=2000 * PAGE_S_MAX
        )
        try:
            yield browser
        finally:
            await browser.close()


async def violations(page: Page) -> str:
    """Return what axe finds wrong with a page as it is now; "" when nothing."""
    results = await Axe().run(page)
    return str(results.generate_report()) if results.violations_count else ""
