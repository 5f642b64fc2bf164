"""Callers behind one busy guide hear their place and wait; and how wrong that was is measured."""

import pytest

from ivrd.config.prompt_sheet import load_sheet
from ivrd.core import spoken
from tests.e2e.scene import Caller, Scene, metrics, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import LINE_NUMBER, Desk, FloorPlan
from tests.lab.hearing import names_heard, prompts_below
from tests.lab.municipality import REPOSITORY, Municipality
from tests.lab.phone import Ring

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAY_IN = f"""
[[menus]]
name = "huvudmeny"
prompt = "otillganglig"
choices = {{ 1 = "vaxel" }}
stay_choice = "kc"

[[lines]]
name = "kommunen"
number = "{LINE_NUMBER}"
queue = "kc"
"""


def sheet() -> str:
    """Return the example's own words for a place and a wait, in Swedish."""
    example = load_sheet(REPOSITORY / "config" / "prompts.toml")
    needed = {*spoken.fragment_ids(spoken.Grammar.SWEDISH), "otillganglig"}
    texts = {prompt: example.prompts[prompt].texts["sv"] for prompt in sorted(needed)}
    rows = "".join(f'{prompt} = {{ sv = "{text}" }}\n' for prompt, text in texts.items())
    return f'languages = ["sv"]\n[prompts]\n{rows}'


GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1))
"""Talks until the caller hangs up."""

town = town_fixture(
    FloorPlan(
        desks=(GUIDE,),
        way_in=WAY_IN,
        queue_keys={"kc": "speaks_wait = true"},
        sheet=sheet(),
        prompts=True,
    )
)

JOINED_S_MAX = 45.0
"""After some ten spoken fragments."""

OURS = "sv/ivrd/"

LEARNT_FROM = 5
"""Answers, as core/expected_wait.py says."""


def words_heard(town: Municipality, caller: Caller) -> list[str]:
    """Return the fragments that a caller heard whole, by signal."""
    path = town.directory / f"heard-{caller.number}.wav"
    caller.line.save_recording(path)
    known = {
        name.removeprefix(OURS): sound
        for name, sound in prompts_below(town.pbx.sounds_dir).items()
        if name.startswith(OURS)
    }
    return names_heard(path, known, share=0.9)


def error_counts(figures: dict[str, float], model: str) -> float:
    """Return how many answers a model was measured by."""
    name = "ivrd_queue_expected_wait_error_seconds_count"
    return sum(
        value
        for series, value in figures.items()
        if series.startswith(name) and f'model="{model}"' in series and 'queue="kc"' in series
    )


async def wait_in_line(played: Scene) -> Caller:
    caller = await played.ring()
    await caller.joined("kc", within_s=JOINED_S_MAX)
    return caller


async def are_answered(town: Municipality, count: int) -> None:
    """Wait until ivrd knows of so many answers: what a caller is told goes by what it knows."""

    async def is_so() -> bool:
        counts = (await town.queue_status("kc"))["counts"]
        assert isinstance(counts, dict)
        return bool(counts["answered"] == count)

    await town.until(is_so, what=f"{count} are answered")


async def test_callers_hear_their_place_and_as_soon_as_it_is_known_the_wait(
    town: Municipality,
) -> None:
    async with scene(town) as played:
        talking = await wait_in_line(played)
        await talking.talking("kc")
        await are_answered(town, 1)
        line = []
        for number in (1, 2):
            line.append(await wait_in_line(played))
            await town.waiting("kc", number)
        status = await town.queue_status("kc")
        assert (status["waiting"], status["expected_wait_s"]) == (2, None)
        # One by one: those who come in the same tenth of a second may be answered in either order.
        line += [await wait_in_line(played) for _ in range(LEARNT_FROM - 2)]
        for following in line:
            await talking.hang_up()
            await following.talking("kc")
            talking = following
        await are_answered(town, 1 + LEARNT_FROM)
        told = await wait_in_line(played)
        await town.waiting("kc", 1)
        status = await town.queue_status("kc")
        assert status["expected_wait_model"] == "agent-time"
        expected_s = status["expected_wait_s"]
        assert isinstance(expected_s, float)
        assert 0 < expected_s < 60, "two places of a guide who talks for some seconds"
        await talking.hang_up()
        await told.talking("kc")
    nobody_waited, first, second = (words_heard(town, caller) for caller in played.callers[:3])
    assert nobody_waited == []
    assert first == ["plats-forst"]
    assert second == ["plats-nummer", "tal-2", "plats-i-kon"]
    assert words_heard(town, told) == ["plats-forst", "vantetid", "vantetid-under-minut"]
    figures = await metrics(town)
    assert error_counts(figures, "free-agent") == 1
    assert error_counts(figures, "agent-time") == 1, "the others were told no wait"
    assert not any("prompts_missing" in series and value for series, value in figures.items())


async def test_without_ivrd_nothing_is_said_and_the_caller_waits(town: Municipality) -> None:
    await town.stop_daemon()
    try:
        async with scene(town, is_orderly=False) as played:
            talking = await wait_in_line(played)
            await talking.talking("kc")
            waiting = await wait_in_line(played)
            await talking.hang_up()
            await waiting.talking("kc")
        assert words_heard(town, waiting) == []
    finally:
        await town.start_daemon()
