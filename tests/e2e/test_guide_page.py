"""The guide's page in a real Chromium, with real calls that become cases under its eyes."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from ivrd import config as ivrd_config
from ivrd.core.actors import Origin
from ivrd.core.case_search import CaseHistory
from ivrd.db import case_reads
from ivrd.db.connection import open_engine
from tests.e2e.scene import Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.browser import PAGE_S_MAX, chromium, violations
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKENS = {"anna": "guide", "berit": "guide-two"}
"""Who they are on the page, and on the phone."""

ACCESS = "\n".join(
    f'[[access.token]]\nname = "{name}"\nrole = "guide"\nagent = "{agent}"\n'
    f'sha256 = "{hashlib.sha256(f"ivrd_{name}-of-the-lab".encode()).hexdigest()}"'
    for name, agent in TOKENS.items()
)

LABELS = """
[[department]]
code = "teknik"
name_sv = "Tekniska kontoret"
name_en = "Technical services"

[[department.subject]]
code = "vatten"
phone_code = "51"
name_sv = "Vatten"
name_en = "Water"
lines = ["kommunen"]

[[department.subject]]
code = "avfall"
phone_code = "52"
name_sv = "Avfall"
name_en = "Waste"

[[department]]
code = "skola"
name_sv = "Skolan"
name_en = "Schools"
subject = [{ code = "skolval", phone_code = "21", name_sv = "Skolval", name_en = "Choice" }]
"""

PICTURES = os.environ.get("IVRD_PICTURES")
"""A directory for pictures of what is shown; for whoever writes the manual."""

town = town_fixture(
    FloorPlan(
        desks=(Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.3)),),
        access=f'anonymous_role = "viewer"\n{ACCESS}\n{LABELS}',
    )
)


@contextlib.asynccontextmanager
async def signed_in(town: Municipality, name: str = "anna") -> AsyncIterator[Page]:
    """Sign in as a person does."""
    async with chromium() as browser:
        context: BrowserContext = await browser.new_context(
            viewport={"width": 1280, "height": 900}, locale="sv-SE", timezone_id="Europe/Stockholm"
        )
        context.set_default_timeout(1000 * PAGE_S_MAX)
        expect.set_options(timeout=1000 * PAGE_S_MAX)
        page = await context.new_page()
        await page.goto(f"{town.web}/guide")
        await page.get_by_label("Nyckel").fill(f"ivrd_{name}-of-the-lab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Mina ärenden")).to_be_visible()
        yield page


async def a_call(played: Scene) -> str:
    """Let a citizen ring and be helped; return the call's id."""
    caller = await played.ring()
    await caller.talking("kc")
    await caller.gone()
    return caller.call_id


async def story(town: Municipality, call_id: str) -> CaseHistory | None:
    engine = open_engine(ivrd_config.load(town.config_path).database)
    try:
        found = await case_reads.search(engine, case_reads.CaseFilter(call_id=call_id))
        if not found.cases:
            return None
        return await case_reads.case_of(engine, found.cases[0].case_id)
    finally:
        await engine.dispose()


async def labelled(town: Municipality, call_id: str, label: str) -> CaseHistory:
    found: list[CaseHistory] = []

    async def is_labelled() -> bool:
        history = await story(town, call_id)
        if history is None or history.case.label != label:
            return False
        found.append(history)
        return True

    await town.until(is_labelled, what=f"{call_id} has the label {label}")
    return found[-1]


async def test_a_draft_comes_by_itself_and_is_labelled_in_two_strokes(town: Municipality) -> None:
    async with signed_in(town) as page, scene(town, is_orderly=False) as played:
        await expect(page.get_by_text("Inga utkast.")).to_be_visible()
        assert await violations(page) == ""
        call_id = await a_call(played)
        draft = page.locator("#drafts .case")
        await expect(draft).to_have_count(1)
        await expect(draft).to_contain_text("Utan etikett")
        await page.get_by_role("link", name="Till utkasten").focus()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await draft.focus()
        await page.keyboard.press("5")
        await expect(page.locator("#told")).to_have_text("Kod 5 …")
        await page.keyboard.press("1")
        await expect(page.locator("#told")).to_have_text("Märkt: Vatten.")
        await expect(draft).to_have_count(0)
        await expect(page.locator("#recent .case")).to_contain_text("Vatten")
        await take_picture(page, "guide-labelled")
        assert await violations(page) == ""
        history = await labelled(town, call_id, "vatten")
        assert (history.case.department, history.case.state) == ("teknik", "closed")
        [labelling] = [change for change in history.changes if change.what == "label"]
        assert (labelling.by.who, labelling.by.origin) == ("anna", Origin.PAGE)


async def test_calls_back_to_back_lose_no_draft_and_all_is_done_by_keyboard(
    town: Municipality,
) -> None:
    async with signed_in(town) as page, scene(town, is_orderly=False) as played:
        calls = [await a_call(played) for _ in range(3)]
        tomorrow = (town.pbx.now() + timedelta(days=1)).date().isoformat()
        drafts = page.locator("#drafts .case")
        await expect(drafts).to_have_count(3)
        await expect(drafts.first).to_contain_text("Vatten (linjen")
        await drafts.first.focus()
        await page.keyboard.press("ArrowDown")
        await expect(drafts.nth(1)).to_be_focused()
        await page.keyboard.press("a")
        await expect(page.get_by_label("Anteckning")).to_be_focused()
        await page.keyboard.type("Läcka vid lekplatsen")
        await take_picture(page, "guide-page")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#told")).to_have_text("Anteckningen är sparad.")
        await page.get_by_label("Etikett", exact=True).fill("Avfall")
        await page.keyboard.press("Enter")
        await expect(page.locator("#told")).to_have_text("Märkt: Avfall.")
        await expect(drafts).to_have_count(2)
        await page.get_by_label("Ring upp senast").fill(f"{tomorrow}T09:00")
        await page.keyboard.press("Enter")
        await expect(page.locator("#promised .case")).to_contain_text(f"Ring upp senast {tomorrow}")
        await page.get_by_label("Mottagare").fill("Nämnden")
        await page.get_by_label("Vad sades").fill("Snabbt och vänligt")
        await page.get_by_label("Slag").select_option("Beröm")
        await page.locator("#feedback-form button").press("Enter")
        await expect(page.locator("#facts")).to_contain_text("Snabbt och vänligt (till Nämnden)")
        await take_picture(page, "guide")
        assert await violations(page) == ""
        await page.get_by_role("button", name="Halvt hjälpt").press("Enter")
        await expect(page.locator("#fault")).to_have_text(
            "Inte gjort: ärendet är på gång. Stäng det först."
        )
        await english_is_one_key_away_and_stays(page)
        history = await labelled(town, calls[1], "avfall")
        assert (history.case.note, history.case.state) == ("Läcka vid lekplatsen", "open")
        assert history.case.feedback_kind == "praise"
        for number in range(2):
            await drafts.first.focus()
            await page.keyboard.type("21")
            await expect(drafts).to_have_count(1 - number)
        for call_id in (calls[0], calls[2]):
            await labelled(town, call_id, "skolval")


async def english_is_one_key_away_and_stays(page: Page) -> None:
    """See the same page in English, refusals too, also after a reload; then go back."""
    await page.get_by_role("button", name="English").press("Enter")
    await expect(page.get_by_role("heading", name="My cases")).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "en"
    await expect(page.locator("#fault")).to_have_text("")
    await expect(page.locator("#facts")).to_contain_text("Snabbt och vänligt (to Nämnden)")
    await expect(page.locator("#panel-title")).to_contain_text("Waste")
    await page.get_by_role("button", name="Half helped").press("Enter")
    await expect(page.locator("#fault")).to_have_text(
        "Not done: the case is under way. Close it first."
    )
    assert await violations(page) == ""
    await page.reload()
    await expect(page.locator("#drafts .case").first).to_contain_text("(the line")
    await page.locator("#drafts .case").first.press("Enter")
    await expect(page.locator("#panel-title")).to_contain_text("Without a label")
    await take_picture(page, "guide-page-english")
    await page.get_by_role("button", name="Svenska").press("Enter")
    await expect(page.get_by_role("heading", name="Mina ärenden")).to_be_visible()


async def test_an_act_while_ivrd_is_away_is_done_once_when_it_is_back(town: Municipality) -> None:
    async with signed_in(town) as page, scene(town, is_orderly=False) as played:
        call_id = await a_call(played)
        draft = page.locator("#drafts .case")
        await expect(draft).to_have_count(1)
        await town.kill_daemon()
        await expect(page.locator("#link")).to_contain_text("Ingen förbindelse")
        await draft.focus()
        await page.keyboard.type("52")
        await expect(page.locator("#fault")).to_contain_text("Inte sparat än")
        await town.start_daemon()
        await expect(page.locator("#told")).to_have_text("Märkt: Avfall.")
        await expect(page.locator("#link")).to_contain_text("Ansluten")
        await expect(draft).to_have_count(0)
        history = await labelled(town, call_id, "avfall")
        assert [change.what for change in history.changes] == ["opened", "label"]


async def test_what_is_typed_outlives_a_proxys_answer_and_the_end_of_the_session(
    town: Municipality,
) -> None:
    async with signed_in(town) as page, scene(town, is_orderly=False) as played:
        call_id = await a_call(played)
        draft = page.locator("#drafts .case")
        await expect(draft).to_have_count(1)
        answers = {"status": 413}
        await page.route(
            "**/acts", lambda route: route.fulfill(**answers, content_type="text/html", body="<p>")
        )
        await draft.focus()
        await page.keyboard.type("51")
        await expect(page.locator("#fault")).to_contain_text("Inte gjort")
        # What a network's own sign-in page answers is no word of ivrd's, however well it sounds.
        answers["status"] = 200
        await draft.focus()
        await page.keyboard.type("52")
        await expect(page.locator("#fault")).to_contain_text("Inte sparat än: något annat än ivrd")
        await expect(page.locator("#told")).to_have_text("")
        await expect(page.locator("#link")).to_contain_text("1 sparas")
        answers["status"] = 401
        await expect(page.locator("#fault")).to_contain_text("Du är utloggad")
        await page.unroute("**/acts")
        await expect(page.locator("#told")).to_have_text("Märkt: Avfall.")
        await expect(draft).to_have_count(0)
        await labelled(town, call_id, "avfall")


async def test_nobody_sees_or_changes_the_cases_of_another(town: Municipality) -> None:
    async with scene(town, is_orderly=False) as played:
        call_id = await a_call(played)
        history = None
        while history is None:
            history = await story(town, call_id)
            await asyncio.sleep(0.05)
        case_id = history.case.case_id
        async with signed_in(town, "berit") as page:
            await expect(page.locator("#who")).to_have_text("guide-two")
            await expect(page.locator("#drafts .case")).to_have_count(0)
            answers = await page.evaluate(
                """async (id) => {
                    const act = { method: "POST", headers: { "content-type": "application/json" },
                                  body: JSON.stringify({ do: "label", code: "vatten" }) };
                    const answers = [await fetch(`/api/cases/${id}`),
                                     await fetch(`/api/cases/${id}/acts`, act)];
                    return answers.map((answer) => answer.status);
                }""",
                case_id,
            )
        assert answers == [404, 404]
        unchanged = await story(town, call_id)
        assert unchanged is not None
        assert unchanged.case.version == history.case.version


async def take_picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")
