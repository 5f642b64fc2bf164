"""The live board in a real Chromium, with real callers waiting behind it."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.async_api import expect

from ivrd import config as ivrd_config
from ivrd.access.tokens import fingerprint, new_token
from ivrd.core.effects import Disposition, Outcome, RecordCall, RecordEntry
from ivrd.core.ids import CallId, Interface, LineName, QueueName
from ivrd.db.connection import open_engine
from ivrd.db.store import Store
from tests.e2e.board_page import acts, board, choose, open_board, take_picture
from tests.e2e.scene import scene
from tests.e2e.towns import town_fixture
from tests.e2e.way_in import INCIDENT
from tests.lab.browser import chromium, violations
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import SYSTEM, Municipality
from tests.lab.phone import NoAnswer, Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOAL_S = 3

PEOPLE = {"sture": "", "sara": "", "vera": "", "ava": 'lines = ["avfall"]'}
"""Who signs in, and what stands in their entry beside the role; vera only looks."""

TOKENS = {name: new_token() for name in PEOPLE}

ACCESS = 'anonymous_role = "viewer"\n' + "\n".join(
    f'[[access.token]]\nname = "{name}"\nrole = "{"viewer" if name == "vera" else "supervisor"}"\n'
    f'sha256 = "{fingerprint(TOKENS[name])}"\n{more}'
    for name, more in PEOPLE.items()
)

WASTE = """
[[menus]]
name = "avfallsmeny"
prompt = "huvudmeny"
choices = { 1 = "kc" }
stay_choice = "kc"
stay_after_s = 1

[[lines]]
name = "avfall"
number = "0846500460"
menu = "avfallsmeny"
"""

MANY = 50
"""Callers at whom the overflow rule begins: it is there to be switched, and moves nobody."""

town = town_fixture(
    FloorPlan(
        desks=(
            Desk(name="op", queue="vaxel", answer=NoAnswer()),
            Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.3)),
        ),
        switchboard_goal_s=GOAL_S,
        start_waiting=MANY,
        # Beside a browser a key may come late.
        patient_s=30,
        access=ACCESS,
        more_ways_in=WASTE + INCIDENT,
    ),
    is_within_a_day=True,
)


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
        # Who opens the board now sees the whole wait, though nothing has changed for a while.
        seen_s = seconds(await longest.inner_text())
        async with board(town) as late:
            theirs = late.locator('.queue[data-queue="vaxel"] .big dd').nth(1)
            assert seconds(await theirs.inner_text()) >= seen_s - 1
        for caller in (first, second):
            await caller.hang_up()
            await caller.gone()
        await expect(waiting).to_have_text("0")
        await expect(card).not_to_contain_text("Väntan är över målet")
        guided = await played.ring()
        await guided.gone()
        cases = page.locator('.queue[data-queue="kc"] .rest dd').last
        await expect(cases).to_have_text("1")


def seconds(shown: str) -> int:
    minutes, rest = shown.split(":")
    return 60 * int(minutes) + int(rest)


async def test_the_day_stands_beside_the_same_weekday_of_last_week(town: Municipality) -> None:
    zone = ZoneInfo("Europe/Stockholm")
    last = town.pbx.now().astimezone(zone).date() - timedelta(days=7)
    engine = open_engine(ivrd_config.load(town.config_path).database)
    try:
        facts = [
            fact
            for number, minute in enumerate((9 * 60 + 5, 9 * 60 + 20, 9 * 60 + 40))
            for fact in call_of(datetime.combine(last, time(), zone), minute, number)
        ]
        await Store(engine).save_batch(facts)
    finally:
        await engine.dispose()
    # Those of the test before, of whom two gave up.
    await town.wait_for_calls(3)
    async with board(town) as page:
        await page.get_by_label("Dagskurva för kön").select_option(label="Växel")
        legend, table = page.locator(".legend"), page.locator("#curve table")
        await expect(legend).to_contain_text("förra ")
        await page.get_by_text("Som tabell").press("Enter")
        nine = table.locator("tr", has_text="09:00").locator("td")
        # Offered, abandoned and the level: of today, then of last week.
        await expect(nine.nth(1)).to_have_text("2")
        await expect(nine.nth(3)).to_have_text("1")
        await expect(nine.nth(5)).to_have_text("50 %")
        before = table.locator("tr", has_text="08:30").locator("td")
        await expect(before.nth(1)).to_have_text("?")
        async with httpx.AsyncClient(base_url=town.web, timeout=30) as client:
            day = (await client.get(f"/api/queues/{SYSTEM}/vaxel/day")).json()
            assert (await client.get(f"/api/queues/{SYSTEM}/nowhere/day")).status_code == 404
        assert sum(one["abandoned"] or 0 for one in day["today"]["half_hours"]) == 2
        await expect(page.locator("#curve svg[role=img]")).to_have_count(3)
        assert await violations(page) == ""
        await take_picture(page, "board-curve")


def call_of(midnight: datetime, minute: int, number: int) -> list[RecordEntry | RecordCall]:
    """Return a stored call to the switchboard: of two the second gives up."""
    at = midnight + timedelta(minutes=minute)
    call_id = CallId(f"{SYSTEM}/last-week.{number}")
    is_answered = number % 2 == 0
    wait = timedelta(seconds=2 if is_answered else 40)
    entry = RecordEntry(
        at=at + 2 * wait,
        system=SYSTEM,
        call_id=call_id,
        number=1,
        queue=QueueName("vaxel"),
        joined_at=at,
        disposition=Disposition.ANSWERED if is_answered else Disposition.ABANDONED,
        entry_wait=wait,
        wait=wait,
        interface=Interface("PJSIP/op") if is_answered else None,
        agent="op" if is_answered else None,
        answered_at=at + wait if is_answered else None,
        talk=None,
    )
    call = RecordCall(
        at=at + 2 * wait,
        system=SYSTEM,
        call_id=call_id,
        line=LineName("kommunen"),
        caller_number=None,
        arrived_at=at,
        choice="vaxel",
        digit="1",
        is_static_menu=False,
        tries=0,
        outcome=Outcome.SWITCHBOARD if is_answered else Outcome.ABANDONED,
        wait=wait if is_answered else None,
        first_queue=QueueName("vaxel"),
        last_queue=QueueName("vaxel"),
        moves=0,
        transfers=0,
    )
    return [entry, call]


async def test_a_supervisor_pauses_an_agent_and_moves_a_caller_from_the_board(
    town: Municipality,
) -> None:
    async with board(town, token=TOKENS["sture"]) as page, scene(town, is_orderly=False) as played:
        told, dialog = page.locator("#told-text"), page.get_by_role("dialog")
        await acts(page, "op").press("Enter")
        await expect(dialog.get_by_role("heading", name="op")).to_be_visible()
        assert await violations(page) == ""
        await take_picture(page, "board-act")
        await choose(page, "Pausa", reason=" ")
        await expect(dialog.get_by_role("alert")).to_have_text("Skriv ett skäl.")
        await choose(page, "Pausa", reason="Utbildning")
        await expect(told).to_have_text("op: Pausa \N{EN DASH} klart.")
        await expect(dialog).to_have_count(0)
        await expect(acts(page, "op")).to_be_focused()
        await expect(page.locator("#agents")).to_contain_text("pausad (Utbildning)")
        assert "paused:Utbildning" in await town.pbx.cli("queue show vaxel")
        caller = await played.ring("1")
        await caller.joined("vaxel")
        await acts(page, "Växel, plats 1").press("Enter")
        await expect(dialog.get_by_label("Till kön")).to_have_value("kc")
        assert await violations(page) == ""
        await choose(page, "Flytta till annan kö", reason="Har väntat nog")
        await caller.talking("kc")
        await expect(told).to_have_text("Växel, plats 1: Flytta till annan kö \N{EN DASH} klart.")
        await expect(page.get_by_role("heading", name="Väntar nu")).to_be_focused()
        await expect(page.locator("#moves")).to_contain_text("Växel → Kontaktcenter: flyttades")
        await caller.gone()
        await acts(page, "op").press("Enter")
        await choose(page, "Ångra det senaste")
        await expect(told).to_have_text("op: Ångra det senaste \N{EN DASH} klart.")
        assert "paused" not in await town.pbx.cli("queue show vaxel")


async def test_of_two_supervisors_at_once_the_second_is_told_and_decides_anew(
    town: Municipality,
) -> None:
    async with board(town, token=TOKENS["sture"]) as page:
        dialog = page.get_by_role("dialog")
        await acts(page, "Linje kommunen").press("Enter")
        later = town.pbx.now() + timedelta(hours=2)
        bearer = {"authorization": f"Bearer {TOKENS['sara']}"}
        async with httpx.AsyncClient(base_url=town.web, headers=bearer, timeout=60) as sara:
            form = {"until": later.isoformat(), "reason": "Utrymning"}
            answer = await sara.post("/api/lines/kommunen/close", json=form)
        assert answer.status_code == 200, answer.text
        await choose(page, "Håll linjen öppen", reason="Kvällsöppet")
        await expect(dialog.get_by_role("alert")).to_contain_text("sara hann före: stängd till")
        assert await violations(page) == ""
        await dialog.get_by_role("button", name="Utför").press("Enter")
        await expect(page.locator("#told-text")).to_have_text(
            "Linje kommunen: Håll linjen öppen \N{EN DASH} klart."
        )
        await expect(page.locator("#lines")).to_contain_text("av sture: Kvällsöppet")
        await page.get_by_role("button", name="English").press("Enter")
        await page.get_by_role("button", name="Undo").press("Enter")
        await expect(page.locator("#told-text")).to_have_text(
            "Linje kommunen: Undo \N{EN DASH} done."
        )
        await expect(page.locator("#lines")).to_contain_text("closed until")
        await page.get_by_role("button", name="Actions: Line kommunen").press("Enter")
        await dialog.get_by_role("radio", name="Follow its hours again").check()
        await dialog.get_by_label("Reason").fill("Faran är över")
        await page.keyboard.press("Enter")
        await expect(page.locator("#told-text")).to_contain_text("Follow its hours again")
        for what, act in (
            ("Notice driftstorning", "Play the notice"),
            ("Rule vaxel-hog-last", "Dry run"),
        ):
            await page.get_by_role("button", name=f"Actions: {what}").press("Enter")
            await dialog.get_by_role("radio", name=act).check()
            await dialog.get_by_label("Reason").fill("Prov")
            await page.keyboard.press("Enter")
            await expect(page.locator("#told-text")).to_contain_text(f"{what}: {act}")
            await page.get_by_role("button", name="Undo").press("Enter")
            await expect(page.locator("#told-text")).to_have_text(f"{what}: Undo \N{EN DASH} done.")


async def test_nobody_sees_a_button_for_what_they_may_not_do(town: Municipality) -> None:
    async with chromium() as browser, scene(town, is_orderly=False) as played:
        caller = await played.ring("1")
        await caller.joined("vaxel")
        vera = await open_board(browser, town, token=TOKENS["vera"])
        await expect(vera.locator("#who")).to_have_text("vera")
        await expect(vera.locator("#agents")).to_contain_text("guide")
        await expect(vera.locator(".act")).to_have_count(0)
        await expect(vera.locator("[data-act]:visible")).to_have_count(0)
        await expect(vera.locator("#callers-part")).to_be_hidden()
        # The line that is hers, and nothing of what the other line's callers reach as well.
        ava = await open_board(browser, town, token=TOKENS["ava"])
        await expect(acts(ava, "Linje avfall")).to_be_visible()
        await expect(ava.locator("[data-act]:visible")).to_have_count(1)
        await expect(ava.locator("#callers li")).to_have_count(0)
        # Wall screens show, and nobody acts by them.
        await ava.get_by_role("button", name="Vägg").press("Enter")
        await expect(ava.locator("[data-act]:visible")).to_have_count(0)


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
        await expect(page.locator("#lines")).to_contain_text("kommunen")
        assert await violations(page) == ""


async def test_a_lost_connection_is_said_and_found_again(town: Municipality) -> None:
    async with board(town) as page:
        await town.kill_daemon()
        await expect(page.locator("#link")).to_contain_text("Ingen förbindelse")
        await expect(page.locator('.queue[data-queue="vaxel"]')).to_be_visible()
        assert await violations(page) == ""
        await take_picture(page, "board-lost")
        await town.start_daemon()
        await expect(page.locator("#link")).to_have_text("Ansluten")
        cases = page.locator('.queue[data-queue="kc"] .rest dd').last
        await expect(cases).to_have_text("2")
