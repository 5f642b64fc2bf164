"""Labels by telephone: codes during and after a call, and wrap-up held until there is one."""

import asyncio
import contextlib
import time

import pytest

from ivrd import config
from ivrd.config import Config
from ivrd.core.case_record import Case, CaseClass, CaseState
from ivrd.core.events import AgentConnected, LabelPressed, MemberChanged
from ivrd.core.ids import CallId, QueueName
from ivrd.core.label_hold import REASON
from ivrd.db import case_reads
from ivrd.db.case_reads import CaseFilter
from ivrd.db.connection import open_engine
from tests.e2e.scene import EVENT_S_MAX, ROUNDS_MAX, Caller, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import Department, Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Call, PhoneError, Ring, Talk
from tests.lab.processes import LabError

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELD_LINE = "0846500420"

OFFICIAL = "8100"

CALL_S_MAX = 30.0

FEATURE_S = 3.0
"""Longer than featuredigittimeout: then the keys of a code that was cut are forgotten."""

AFTER_CALL_S = 20
"""Longer than a key takes on a busy machine; nobody here waits for its end."""

LABELS = f"""
[labels]
after_call_s = {AFTER_CALL_S}
digit_s = 3

[[department]]
code = "teknisk"
name_sv = "Tekniska"
name_en = "Technical"
subject = [
    {{ code = "avfall", name_sv = "Avfall", name_en = "Waste", phone_code = "51" }},
    {{ code = "vatten", name_sv = "Vatten", name_en = "Water", phone_code = "52" }},
]
"""

WAY_IN = f"""
[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
choices = {{ 1 = "vaxel" }}
stay_choice = "kc"
stay_after_s = 1

[[lines]]
name = "kommunen"
number = "0846500400"
menu = "huvudmeny"

[[lines]]
name = "aldre"
number = "{HELD_LINE}"
queue = "aldre"
"""

HELD_S = 4

town = town_fixture(
    FloorPlan(
        desks=(
            Desk(name="guide", queue="kc", answer=Ring(after_s=0.1)),
            Desk(name="hilda", queue="aldre", answer=Ring(after_s=0.1)),
        ),
        departments=(Department(number=OFFICIAL, answer=Ring(after_s=0.1), talk=Talk(s=0.3)),),
        queue_keys={
            "kc": "labels_by_phone = true",
            "aldre": 'role = "guide"\nservice_level_threshold_s = 60\nlabels_by_phone = true\n'
            f"hold_until_labelled_s = {HELD_S}\n",
        },
        queue_settings={"aldre": "wrapuptime = 1"},
        way_in=WAY_IN,
        labels=LABELS,
    )
)


async def talking(
    played: Scene, name: str = "guide", queue: str = "kc", line: str = "0846500400"
) -> tuple[Caller, Call]:
    """Return a caller in talk with a guide, and the guide's call."""
    phone = played.town.phones[name]
    phone.forget_incoming()
    caller = await played.ring(line=line)
    await caller.talking(queue)
    call = await phone.next_call(CALL_S_MAX)
    await call.answered(CALL_S_MAX)
    return caller, call


async def told(
    played: Scene, caller: Caller, label: str, *, within_s: float = EVENT_S_MAX
) -> LabelPressed:
    """Wait until the PBX has told of a code."""
    return await played.watch.first(
        LabelPressed,
        lambda e: e.call_id == caller.call_id and e.label == label,
        within_s=within_s,
    )


async def press_until_tone(guide: Call, code: str) -> None:
    """Press a code until the guide hears a tone: keys under a tone before it are lost."""
    for _ in range(ROUNDS_MAX):
        await guide.press(code)
        with contextlib.suppress(PhoneError):
            heard = guide.media.heard.packets
            await guide.heard(heard + 5, timeout_s=FEATURE_S)
            return
    raise LabError(f"{code} was never understood")


async def hang_up_until_asked(caller: Caller, guide: Call) -> int:
    """Let a caller hang up, and wait for the tone that asks; return what was heard before it."""
    before = guide.media.heard.packets
    await caller.hang_up()
    await guide.heard(before + 5, timeout_s=CALL_S_MAX)
    return before


async def cases(town: Municipality) -> dict[CallId, Case]:
    """Return everything that the desk holds, contacts too."""
    settings: Config = config.load(town.config_path)
    engine = open_engine(settings.database)
    try:
        return {case.call_id: case async for case in case_reads.all_of(engine, CaseFilter())}
    finally:
        await engine.dispose()


async def labelled(town: Municipality, caller: Caller, label: str | None) -> Case:
    """Return a caller's case, once it has this label; None for a draft."""
    found: dict[CallId, Case] = {}

    async def is_so() -> bool:
        found.update(await cases(town))
        return caller.call_id in found and found[caller.call_id].label == label

    await town.until(is_so, what=f"{caller.call_id} has {label}", within_s=CALL_S_MAX)
    return found[caller.call_id]


@pytest.mark.older_asterisk
async def test_a_code_during_the_call_is_the_label_and_the_caller_hears_no_key(
    town: Municipality,
) -> None:
    async with scene(town, "label_during_the_call") as played:
        caller, guide = await talking(played)
        await caller.press("*551")  # Their own: no label.
        await guide.press("*552")
        pressed = await told(played, caller, "vatten")
        assert caller.line.media.heard.keys == []
        await press_until_tone(guide, "*59")  # Begins no code, and changes nothing.
        await caller.hang_up()
        await guide.ended(AFTER_CALL_S - 5.0)  # Nothing is asked for any more.
    assert (pressed.is_after, pressed.is_half) == (False, False)
    assert [e.label for e in played.watch.events if isinstance(e, LabelPressed)] == ["vatten"]
    case = await labelled(town, caller, "vatten")
    assert (case.agent, case.department, case.case_class, case.state) == (
        "guide",
        "teknisk",
        CaseClass.RESOLVED,
        CaseState.CLOSED,
    )


@pytest.mark.older_asterisk
async def test_a_code_after_the_call_is_asked_for_again_when_it_was_wrong(
    town: Municipality,
) -> None:
    async with scene(town, "label_after_the_call") as played:
        caller, guide = await talking(played)
        before = await hang_up_until_asked(caller, guide)
        await guide.press("99")
        # The tone that asks, the wrong one, and the first again: 8, 20 and 8 packets. A key before
        # the third is lost; a PBX that stands still cuts the second short, and prolongs none.
        await guide.heard(before + 30, timeout_s=CALL_S_MAX)
        await guide.press("51")
        pressed = await told(played, caller, "avfall")
        await guide.ended(CALL_S_MAX)
    assert pressed.is_after
    assert (await labelled(town, caller, "avfall")).department == "teknisk"


async def test_half_helped_by_code_is_a_case_of_its_own(town: Municipality) -> None:
    async with scene(town, "label_half_helped") as played:
        caller, guide = await talking(played)
        await guide.press("*5*51")
        await told(played, caller, "avfall")
        await guide.transfer_blind(OFFICIAL)
        await caller.gone()
    case = await labelled(town, caller, "avfall")
    assert (case.case_class, case.is_case, case.is_handed_on) == (CaseClass.HALF_HELPED, True, True)


async def test_calls_back_to_back_lose_no_draft(town: Municipality) -> None:
    """Three callers at once, one guide: the second alone is labelled, on the way to the third."""
    phone = town.phones["guide"]
    async with scene(town, "label_back_to_back") as played:
        phone.forget_incoming()
        start = len(played.watch.events)
        callers = await asyncio.gather(*(played.ring() for _ in range(3)))
        for number in range(3):
            guide = await phone.next_call(CALL_S_MAX)
            await guide.answered(CALL_S_MAX)
            caller = await answered_next(played, callers, start)
            start = len(played.watch.events)
            if number == 1:
                await guide.press("*552")
                await told(played, caller, "vatten")
                second = caller
            await caller.hang_up()
            await guide.hang_up()
    for caller in callers:
        case = await labelled(town, caller, "vatten" if caller is second else None)
        assert case.state is (CaseState.CLOSED if caller is second else CaseState.DRAFT)
    settings = config.load(town.config_path)
    engine = open_engine(settings.database)
    try:
        assert await case_reads.unlabelled(engine) == {("pbx1", "kc"): 2}
    finally:
        await engine.dispose()


async def answered_next(played: Scene, callers: list[Caller], start: int) -> Caller:
    """Return the caller whom a guide answers after so many events."""
    connected = await played.watch.first(AgentConnected, start=start)
    [caller] = [each for each in callers if each.call_id == connected.call_id]
    return caller


async def test_a_label_that_was_pressed_while_ivrd_was_away_is_found(town: Municipality) -> None:
    async with scene(town, is_orderly=False) as played:
        caller, guide = await talking(played)
        later, other = await talking(played, "hilda", "aldre", HELD_LINE)
        await town.kill_daemon()
        await guide.press("*551")
        await told(played, caller, "avfall")
        await caller.hang_up()
        await hang_up_until_asked(later, other)
        await other.press("*52")
        await told(played, later, "vatten")
        await other.ended(CALL_S_MAX)
    await town.start_daemon()
    assert (await labelled(town, caller, "avfall")).agent == "guide"
    case = await labelled(town, later, "vatten")
    assert (case.agent, case.case_class) == ("hilda", CaseClass.HALF_HELPED)


async def paused(played: Scene, start: int, reason: str | None) -> MemberChanged:
    """Wait until the guide with the hold is paused for a reason; None for not at all."""
    return await played.watch.first(
        MemberChanged,
        lambda e: (
            e.queue == QueueName("aldre")
            and e.is_paused == (reason is not None)
            and (reason is None or e.pause_reason == reason)
        ),
        start=start,
    )


@pytest.mark.older_asterisk
async def test_a_guide_is_held_until_the_label_or_the_time_limit(town: Municipality) -> None:
    async with scene(town, "label_held") as played:
        for _ in range(ROUNDS_MAX):
            if await held_until_labelled_s(played) < 1.0:
                break
        else:
            pytest.fail("a label lets nobody go at once")
        for _ in range(ROUNDS_MAX):
            second, took_s = await held_until_the_limit_s(played)
            assert took_s > HELD_S - 0.1
            if took_s < HELD_S + 2:
                break
        else:
            pytest.fail(f"held for {took_s} s")
    assert (await labelled(town, second, None)).state is CaseState.DRAFT


async def held_until_labelled_s(played: Scene) -> float:
    """Return how long after the label a guide is let go."""
    caller, guide = await talking(played, "hilda", "aldre", HELD_LINE)
    start = len(played.watch.events)
    await hang_up_until_asked(caller, guide)
    await paused(played, start, REASON)
    await guide.press("51")
    pressed = await told(played, caller, "avfall")
    released = await paused(played, played.watch.events.index(pressed), None)
    await guide.ended(CALL_S_MAX)
    return (released.at - pressed.at).total_seconds()


async def held_until_the_limit_s(played: Scene) -> tuple[Caller, float]:
    """Return a caller whose case has no label, and how long the guide is held, by our clock."""
    caller, guide = await talking(played, "hilda", "aldre", HELD_LINE)
    start, began_s = len(played.watch.events), time.monotonic()
    await guide.hang_up()
    held = await paused(played, start, REASON)
    await paused(played, played.watch.events.index(held), None)
    took_s = time.monotonic() - began_s
    await caller.gone()
    return caller, took_s


@pytest.mark.parametrize("is_crash", [True, False])
async def test_nobody_stays_held_when_ivrd_is_gone(town: Municipality, is_crash: bool) -> None:
    async with scene(town, is_orderly=False) as played:
        await town.pbx.cli("queue pause member PJSIP/guide queue kc reason Rast")
        caller, guide = await talking(played, "hilda", "aldre", HELD_LINE)
        start = len(played.watch.events)
        await caller.hang_up()
        await paused(played, start, REASON)
        start = len(played.watch.events)
        if is_crash:
            await town.kill_daemon()
            await guide.hang_up()
            await town.start_daemon()
            await paused(played, start, None)
        else:
            await town.stop_daemon()
            await paused(played, start, None)
            await guide.hang_up()
            await town.start_daemon()
        shown = await town.pbx.cli("queue show kc")
        await town.pbx.cli("queue unpause member PJSIP/guide queue kc")
    assert "paused" in shown, "what somebody else set stays"
