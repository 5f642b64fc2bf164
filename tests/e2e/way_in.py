"""A municipality with every kind of way in, callers who walk it key by key, and what they heard.

The scenarios of test_way_in*.py and test_exit_keys.py share it. What a caller came to is told in
one line, from what ivrd stored: "PATH | language | stays | outcome".
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivrd.db.facts import CallFacts
from tests.e2e.scene import PACKETS_PER_S, ROUNDS_MAX, Caller, Scene, scene
from tests.lab.floor_plan import LINE_NUMBER, Desk
from tests.lab.hearing import heard, prompts_below
from tests.lab.municipality import Municipality
from tests.lab.phone import CallOver, Ring, Talk
from tests.lab.processes import LabError

DIRECT = "0846500420"
"""A line without a menu."""
GUIDES_AT_ONCE = "0846500450"
"""The same, to the guides."""
SLOW = "0846500430"
"""A line where everybody is in slow mode."""
ENGLISH = "0846500440"
INTERNAL = "09"
"""Its first menu is one that has a back key."""
OFFICIAL = "0846500405"
"""Outside the queues."""

STAY_S, DIGIT_S, SLOW_FACTOR = 2, 1, 2

WALKING_MAX = 10
"""With thirty at once on a busy machine, keys came seconds after what they answered."""

LATE_S_MAX = 0.7
"""What a caller heard beyond what was to be heard, when a key has been pressed or the call ended.

Packets are fetched ten times a second, and a key takes 0.16 s. Beyond this, the machine stood
still for a moment, and the prompts of SHEET may have ended before the act that was to cut them.
"""

AT_ONCE = 0.1
"""The prompt has begun, and with it ivrd's first command: Asterisk drops keys that come before."""

KEY_S = 0.2
"""Nearly what one key takes, with the gap behind it."""

KEY_DIGITS_MAX = 3
"""Of a key; between its digits there is only so much time. More is a storm."""

ANSWER_S_MAX = 0.2
"""From ivrd, while digits come as often: Asterisk drops what comes between two of its commands
(res_agi.c, run_agi)."""

HEARD_S_MIN = 0.35
"""Of less than about this a prompt cannot be told (tests/lab/hearing.py)."""

WHOLE_SHARE = 0.95

SHEET = """
languages = ["sv", "en", "fi"]
fallback = ["en", "sv"]
[prompts.huvudmeny]
sv = "Välkommen till kommunen. Tryck ett för växeln."
en = "Welcome to the town. Press one for the switchboard."
fi = "Tervetuloa kuntaan. Paina yksi."
[prompts.va-meny]
sv = "Vatten och avlopp. Tryck ett för felanmälan."
en = "Water and sewage. Press one to report a fault."
[prompts.djup-meny]
sv = "Har du fått en räkning? Tryck ett."
[prompts.sprakval]
sv = "Svenska, tryck ett. English, two."
[prompts.oppettider]
sv = "Vi har öppet åtta till fem."
[prompts.fel-knapp]
sv = "Den knappen finns inte."
en = "That key is not there."
[prompts.otillganglig]
sv = "Just nu kan ingen svara."
[prompts.stangt]
sv = "Vi har stängt. Ring i morgon."
[prompts.driftstorning]
sv = "En vattenläcka lagas på Storgatan."
[prompts.i-ko]
sv = "Just nu är väntan mycket lång."
"""

MENUS = f"""
[[menus]]
name = "huvudmeny"
prompt = "huvudmeny"
invalid_prompt = "fel-knapp"
stay_choice = "kc"
failure_choice = "vaxel"
stay_after_s = {STAY_S}
digit_s = {DIGIT_S}
tries = 2
repeat_key = "*"
slow_factor = {SLOW_FACTOR}
[menus.choices]
1 = "vaxel"
112 = "va"
2 = {{ menu = "va" }}
3 = {{ announcement = "oppettider" }}
4 = {{ number = "{OFFICIAL}" }}
8 = {{ slow = true }}
9 = {{ menu = "sprak" }}

[[menus]]
name = "va"
prompt = "va-meny"
invalid_prompt = "fel-knapp"
choices = {{ 1 = "va", 2 = {{ menu = "djup" }} }}
stay_choice = "va"
stay_after_s = {STAY_S}
back_key = "0"
slow_factor = {SLOW_FACTOR}

[[menus]]
name = "djup"
prompt = "djup-meny"
choices = {{ 1 = "kc", 2 = {{ announcement = "oppettider" }}, 3 = {{ language = "fi" }} }}
stay_choice = {{ announcement = "oppettider" }}
failure_choice = {{ number = "{OFFICIAL}" }}
stay_after_s = {STAY_S}
tries = 1
repeat_key = "*"
back_key = "#"

[[menus]]
name = "sprak"
prompt = "sprakval"
invalid_prompt = "fel-knapp"
stay_choice = {{ menu = "huvudmeny" }}
choices = {{ 1 = {{ language = "sv" }}, 2 = {{ language = "en" }}, 3 = {{ language = "fi" }} }}
stay_after_s = {STAY_S}
back_key = "0"
"""

LINES = f"""
[[lines]]
name = "kommunen"
number = "{LINE_NUMBER}"
menu = "huvudmeny"

[[lines]]
name = "direkt"
number = "{DIRECT}"
queue = "va"

[[lines]]
name = "vagledare"
number = "{GUIDES_AT_ONCE}"
queue = "kc"

[[lines]]
name = "langsam"
number = "{SLOW}"
menu = "huvudmeny"
is_slow = true

[[lines]]
name = "english"
number = "{ENGLISH}"
menu = "huvudmeny"
language = "en"

[[lines]]
name = "internt"
number = "{INTERNAL}"
menu = "va"
is_internal = true
"""

LEAK, LEAK_DIRECT, SHUT = "0846500472", "0846500473", "0846500474"
"""A line with a notice before its menu, one with a notice before the queue, and one to be forced
closed."""

NOTICES = f"""
[[lines]]
name = "lackan"
number = "{LEAK}"
menu = "huvudmeny"

[[lines]]
name = "lackan-direkt"
number = "{LEAK_DIRECT}"
queue = "kc"

[[lines]]
name = "stangd"
number = "{SHUT}"
menu = "huvudmeny"
closed_prompt = "stangt"

[[notices]]
name = "driftstorning"
prompt = "driftstorning"
lines = ["lackan"]

[[notices]]
name = "lang-vantan"
prompt = "i-ko"
lines = ["lackan-direkt"]
place = "before_queue"
"""

INCIDENT = """
[[notices]]
name = "driftstorning"
prompt = "otillganglig"
lines = ["kommunen"]
"""
"""To be switched on before the menu of the usual line."""

WATER = 'role = "switchboard"\nservice_level_threshold_s = 60'
"""One more queue."""

SITE_NUMBERS = f"""
[ivrd-site-numbers]
exten => {OFFICIAL},1,Dial(PJSIP/department-{OFFICIAL},5)
"""


def desk(name: str, queue: str, *, talk_s: float = 0.2) -> Desk:
    """Return an agent who answers at once, and soon hangs up."""
    return Desk(name=name, queue=queue, answer=Ring(after_s=0.1), talk=Talk(s=talk_s))


HANG_UP = "hang up"

Deed = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What one caller does, and what comes of it."""

    does: Sequence[Deed] = ()
    """Keys to press, or seconds to listen; silence of the PBX does not count as listening."""
    comes_to: str
    hears: Sequence[str] | None = None
    """Prompts in order, as "sv/huvudmeny"; None: too little was heard to tell, or nobody asks."""
    line: str = LINE_NUMBER


async def walk(played: Scene, way: Way, *, name: str = "") -> Caller:
    """Let a citizen go a way until its last deed is done."""
    caller = await played.ring(line=way.line, name=name)
    media = caller.line.media
    heard_up_to: float | None = None
    with contextlib.suppress(CallOver):  # The PBX may end the call before all is done.
        for deed in way.does:
            if not isinstance(deed, str):
                heard_up_to = media.heard.packets + deed * PACKETS_PER_S
                await caller.hears(deed)
                continue
            if deed == HANG_UP:
                await caller.hang_up()
            else:
                await press(played, caller, deed)
            media.drain()
            if heard_up_to is not None:
                late_s = (media.heard.packets - heard_up_to) / PACKETS_PER_S
                caller.late_s = max(caller.late_s, late_s)
                heard_up_to = None
    return caller


async def press(played: Scene, caller: Caller, keys: str) -> None:
    """Press keys; those of several digits are late when a phone, or ivrd, stood still meanwhile."""
    pressing = asyncio.create_task(caller.press(keys))
    began_s = time.monotonic()
    if 1 < len(keys) <= KEY_DIGITS_MAX:
        while not pressing.done():
            asked_s = time.monotonic()
            await played.town.is_ready()
            if time.monotonic() - asked_s > ANSWER_S_MAX:
                caller.is_doubtful = True
            await asyncio.wait([pressing], timeout=ANSWER_S_MAX / 10)
    await pressing
    if len(keys) <= KEY_DIGITS_MAX:
        late_s = time.monotonic() - began_s - len(keys) * KEY_S
        caller.late_s = max(caller.late_s, late_s)


async def walk_in_time(played: Scene, way: Way, *, name: str = "") -> Caller:
    """Let citizens go a way until one was never late; the others hang up."""
    for rounds in range(1, ROUNDS_MAX + 1):
        caller = await walk(played, way, name=name)
        # A busy machine answers late, too, and loses no key for it: the last one may pass for that.
        is_sure = not caller.is_doubtful or rounds == ROUNDS_MAX
        if caller.late_s <= LATE_S_MAX and is_sure:
            return caller
        await caller.hang_up()
        await caller.gone()
    raise LabError(f"nobody could go {way} in time, the last came {caller.late_s} s late")


async def walk_all(played: Scene, ways: Iterable[Way], *, name: str = "") -> list[Caller]:
    """Let citizens go their ways, so many at once that none comes too late with a key."""
    slots = asyncio.Semaphore(WALKING_MAX)

    async def walk_in_turn(way: Way) -> Caller:
        async with slots:
            return await walk_in_time(played, way, name=name)

    return await asyncio.gather(*(walk_in_turn(way) for way in ways))


def told(facts: CallFacts) -> str:
    """Return what ivrd stored of a call, as the module says."""
    stays = [f"{entry.queue} {entry.disposition.value}" for entry in facts.entries]
    return " | ".join([facts.path or "-", facts.language or "-", *stays, facts.outcome.value])


def prompts_heard(town: Municipality, caller: Caller) -> list[str]:
    """Return the prompts that a caller heard, in order, by signal.

    What a language lacks has the sound, and here the name, of the language that replaces it.
    """
    by_sound: dict[bytes, tuple[str, Path]] = {}
    for name, path in prompts_below(town.pbx.sounds_dir).items():
        language, _, prompt = name.partition("/ivrd/")
        if prompt and (language == "sv" or path.read_bytes() not in by_sound):
            by_sound[path.read_bytes()] = f"{language}/{prompt}", path
    with tempfile.TemporaryDirectory(dir=town.directory) as shelf:
        recording = Path(shelf) / "heard.wav"
        caller.line.save_recording(recording)
        every = heard(recording, dict(by_sound.values()))
    return [
        each.name if each.share > WHOLE_SHARE else cut(each.name)
        for each in every
        if each.heard_s >= HEARD_S_MIN
    ]


def cut(prompt: str) -> str:
    """Return how a prompt is told that was not heard to its end."""
    return f"{prompt}..."


@contextlib.asynccontextmanager
async def run_by(town: Municipality, runner: str, name: str | None) -> AsyncIterator[Scene]:
    """Play a scene with ivrd, or without; then ivrd learns afterwards what it missed."""
    if runner == "ivrd":
        async with scene(town, name) as played:
            yield played
        return
    assert await town.stop_daemon() == 0
    async with scene(town, is_orderly=False) as played:
        yield played
        await played.hang_up_all()
        await town.start_daemon()
        await played.collect()
    ours = {caller.call_id for caller in played.callers}
    assert await town.differing(list(played.facts.values()), calls=ours) == []


async def switch_on(town: Municipality, notice: str, *, for_s: int = 3600) -> None:
    """Write what a supervisor's act writes; a negative time has passed."""
    until = int(town.pbx.now().timestamp()) + for_s
    await town.pbx.cli(f"database put ivrd-notice {notice} {until}")


async def force(town: Municipality, line: str, stand: str, *, for_s: int = 3600) -> None:
    """Write what a supervisor's act writes; a negative time has passed."""
    until = int(town.pbx.now().timestamp()) + for_s
    await town.pbx.cli(f'database put ivrd-line {line} "{stand} {until}"')
