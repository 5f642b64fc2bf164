"""Supervisors act on agents and on a caller's rank, by HTTP and command line, on a real Asterisk.

What Asterisk itself says afterwards is asked behind ivrd's back.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ivrd import config as ivrd_config
from ivrd.access.tokens import fingerprint, new_token
from ivrd.core.switches import ActOutcome
from ivrd.db.connection import open_engine
from ivrd.db.facts import ActFacts, acts_of
from tests.e2e.scene import scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import REPOSITORY, Municipality
from tests.lab.phone import Ring, Talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMAND_S_MAX = 120.0

TOKENS = {name: new_token() for name in ("sture", "sara", "vera", "olle")}


def access() -> str:
    """Return the section with two supervisors, a viewer and an agent who is a guide."""
    roles = {"sture": "supervisor", "sara": "supervisor", "vera": "viewer", "olle": "guide"}
    entries = [
        f'[[access.token]]\nname = "{name}"\nrole = "{role}"\nagent = "{name}"\n'
        f'sha256 = "{fingerprint(TOKENS[name])}"\n'
        for name, role in roles.items()
    ]
    return 'anonymous_role = "viewer"\n\n' + "\n".join(entries)


OLLE = Desk(name="olle", queue="vaxel", answer=Ring(), talk=Talk(s=0.2))
GUIDE = Desk(name="guide", queue="kc", answer=Ring(), talk=Talk(s=0.2))

# Everybody presses a key: the menu waits for it, however late it comes.
town = town_fixture(
    FloorPlan(desks=(OLLE, GUIDE), access=access(), rtp_port_count=100, stay_after_s=30)
)


async def post(town: Municipality, who: str, path: str, **form: object) -> httpx.Response:
    bearer = {"authorization": f"Bearer {TOKENS[who]}"}
    async with httpx.AsyncClient(base_url=town.web, headers=bearer, timeout=60) as client:
        return await client.post(path, json=form)


async def typed(town: Municipality, *words: str) -> tuple[int, str]:
    """Return the exit status of `ivrd`, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivrd", *words, "--config", str(town.config_path)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(COMMAND_S_MAX):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def asterisk_says(town: Municipality, queue: str) -> str:
    """Return what Asterisk itself tells of a queue."""
    return await town.pbx.cli(f"queue show {queue}")


async def agents(town: Municipality) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=town.web, timeout=30) as client:
        told = (await client.get("/api/agents")).json()
    return {one["agent"]: one for one in told["agents"]}


async def acts(town: Municipality) -> list[ActFacts]:
    engine = open_engine(ivrd_config.load(town.config_path).database)
    day, now = timedelta(days=1), datetime.now(UTC)
    try:
        return list(reversed(await acts_of(engine, since=now - day, until=now + day)))
    finally:
        await engine.dispose()


async def test_an_agent_is_paused_and_unpaused_and_two_supervisors_do_not_collide(
    town: Municipality,
) -> None:
    pause = {"agent": "olle", "reason": "Utbildning å så"}
    assert (await post(town, "vera", "/api/agents/pause", **pause)).status_code == 403
    done = await post(town, "sture", "/api/agents/pause", **pause)
    assert (done.status_code, done.json()["outcome"]) == (200, "done"), done.text
    assert "paused:Utbildning å så" in await asterisk_says(town, "vaxel")
    olle = (await agents(town))["olle"]
    assert (olle["state"], olle["queues"][0]["pause_reason"]) == ("paused", "Utbildning å så")
    assert olle["version"] == done.json()["version"]

    again = await post(town, "sture", "/api/agents/pause", **pause)
    assert again.json()["outcome"] == "already"
    other = {"agent": "olle", "reason": "Behövs"}
    late = await post(town, "sara", "/api/agents/unpause", **other)
    assert (late.status_code, late.json()["version"]) == (409, olle["version"])
    stale = await post(town, "sara", "/api/agents/unpause", **other, seen="000000000000")
    assert stale.status_code == 409
    done = await post(town, "sara", "/api/agents/unpause", **other, seen=olle["version"])
    assert done.json()["outcome"] == "done", done.text
    undone = await post(town, "sara", "/api/agents/undo", agent="olle")
    assert undone.json()["text"] == "olle: vaxel paused (Utbildning å så)"
    # The guide's own token ends the own pause, and touches nobody else.
    assert (await post(town, "olle", "/api/agents/unpause", **other)).status_code == 409
    seen = (await agents(town))["olle"]["version"]
    done = await post(town, "olle", "/api/agents/unpause", **other, seen=seen)
    assert done.status_code == 200, done.text
    mine = {"agent": "guide", "reason": "Paus"}
    assert (await post(town, "olle", "/api/agents/pause", **mine)).status_code == 403
    assert "paused" not in await asterisk_says(town, "vaxel")


async def test_an_agent_is_logged_in_and_out_and_queues_conf_keeps_its_own(
    town: Municipality,
) -> None:
    status, said = await typed(
        town, "agent", "login", "guide", "--queue", "vaxel", "--reason", "Hjälp till"
    )
    assert (status, said.strip()) == (0, "guide: kc not paused, vaxel not paused")
    assert "guide (PJSIP/guide) (ringinuse disabled) (dynamic)" in await asterisk_says(
        town, "vaxel"
    )
    status, said = await typed(town, "agent", "logout", "guide", "--reason", "Klar")
    assert (status, "cannot be logged out there; pause instead" in said) == (1, True), said
    status, said = await typed(
        town, "agent", "logout", "guide", "--queue", "vaxel", "--reason", "Klar"
    )
    assert (status, said.strip()) == (0, "guide: kc not paused")
    assert "guide" not in await asterisk_says(town, "vaxel")
    status, said = await typed(town, "agent", "undo", "guide")
    assert (status, said.strip()) == (0, "guide: kc not paused, vaxel not paused")
    status, said = await typed(
        town, "agent", "logout", "guide", "--queue", "vaxel", "--reason", "Klar"
    )
    assert status == 0, said
    evil = {"agent": "Local/0900@outside", "queues": ["kc"], "reason": "x"}
    refused = await post(town, "sture", "/api/agents/log-in", **evil)
    assert (refused.status_code, "PJSIP/anna" in refused.text) == (404, True)


async def test_a_caller_goes_first_and_is_answered_first(town: Municipality) -> None:
    seen = (await agents(town))["olle"]["version"]
    paused = await post(town, "sture", "/api/agents/pause", agent="olle", reason="Prov", seen=seen)
    assert paused.status_code == 200, paused.text
    async with scene(town, "agent_acts_rank") as played:
        first = await played.ring("1")
        await first.joined("vaxel")
        second = await played.ring("1")
        await second.joined("vaxel")
        await town.waiting("vaxel", 2)
        rank = {"call": second.call_id, "is_urgent": True, "reason": "Liv i fara"}
        done = await post(town, "sture", "/api/calls/rank", **rank)
        assert (done.status_code, done.json()["outcome"]) == (200, "done"), done.text
        again = await post(town, "sture", "/api/calls/rank", **rank)
        assert again.json()["outcome"] == "already"
        late = await post(town, "sara", "/api/calls/rank", **{**rank, "is_urgent": False})
        assert late.status_code == 409
        undone = await post(town, "sture", "/api/agents/undo", agent="olle")
        assert undone.status_code == 200, undone.text
        answered = await second.talking("vaxel")
        assert answered.at < (await first.talking("vaxel")).at
        await asyncio.gather(first.gone(), second.gone())
    # Outside the scene, which allows no warning in the log.
    assert (await post(town, "vera", "/api/calls/rank", **rank)).status_code == 403
    status, said = await typed(town, "caller", "first", "1.1", "--reason", "Finns inte")
    assert (status, "nobody waits under the id '1.1'" in said) == (1, True)
    found = [(one.act, one.who, one.outcome) for one in await acts(town)]
    assert ("caller_first", "sture", ActOutcome.DONE) in found
    assert ("caller_first", "vera", ActOutcome.REFUSED) in found
    assert ("caller_by_arrival", "sara", ActOutcome.CONFLICT) in found
    assert ("agent_pause", "vera", ActOutcome.REFUSED) in found
