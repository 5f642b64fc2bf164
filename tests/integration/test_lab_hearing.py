"""What a caller hears from a real Asterisk, told by signal."""

import asyncio
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.lab.hearing import Heard, heard, names_heard, prompts_below
from tests.lab.pbx import Pbx, PbxPlan
from tests.lab.phone import Call, EndedBy, Phone
from tests.lab.phone.media import FRAME_S
from tests.lab.ports import LOOPBACK
from tests.lab.prompts import Prompt, make_prompts

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_S = 10.0

OBEYED_S = 0.5
"""So much of a prompt is still sent, at most, after the key that cuts it."""

EXACT_S = 0.15
"""A prompt is followed in steps of 0.05 s, and between two of them there is a packet or two."""

WAITS_S = 0.7

TEXTS = {
    "ivrd/menu": "Tryck ett för växeln, eller vänta kvar.",
    "ivrd/other-menu": "Tryck ett för växeln, tryck två för vatten och avlopp.",
    "ivrd/wrong-key": "Den knappen finns inte.",
    "ivrd/closed": "Vi har stängt. Välkommen åter i morgon.",
    "ivrd/closed-today": "Vi har stängt i dag.",
    "ivrd/long": (
        "Det är många som ringer just nu. Vi svarar så snart vi kan, i den ordning som samtalen "
        "kom in. Du kan också läsa om avfall, vatten och skola på kommunens webbplats."
    ),
}

DIALPLAN = """[from-citizens]
exten => 8000,1,Answer()
 same => n,Playback(ivrd/menu&ivrd/wrong-key)
 same => n,Wait(0.7) ; WAITS_S
 same => n,Playback(ivrd/menu)
 same => n,Hangup()
exten => 8001,1,Answer()
 same => n,Read(KEY,ivrd/long,1,,1,8)
 same => n,Playback(ivrd/wrong-key)
 same => n,Hangup()
exten => 8002,1,Answer()
 same => n,Wait(1)
 same => n,Hangup()
exten => 8003,1,Progress()
 same => n,Playback(ivrd/closed,noanswer)
 same => n,Answer()
 same => n,Playback(ivrd/menu)
 same => n,Hangup()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    pbx: Pbx
    citizen: Phone
    prompts: dict[str, Path]

    async def dial(self, number: str) -> Call:
        return await self.citizen.dial((LOOPBACK, self.pbx.sip_port), number, caller="0701740605")

    async def all_of(self, number: str, path: Path) -> list[Heard]:
        """Call, listen until the PBX hangs up, and return what was heard."""
        call = await self.dial(number)
        assert (await call.ended(4 * SOON_S)).by is EndedBy.THEM
        call.save_recording(path)
        return heard(path, self.prompts)

    def length_s(self, prompt: str) -> float:
        """Return how long a prompt takes."""
        with wave.open(str(self.prompts[prompt])) as sound:
            return sound.getnframes() / sound.getframerate()


def sent_s(call: Call) -> float:
    """Return how much sound came in so far."""
    call.media.drain()
    return call.media.heard.audio_packets * FRAME_S


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line() -> AsyncIterator[Line]:
    """A PBX with prompts, and a citizen who records."""
    async with (
        Pbx.start(PbxPlan(dialplan={"site.conf": DIALPLAN})) as pbx,
        Phone("citizen", is_recording=True) as citizen,
    ):
        texts = {name: Prompt(language="sv", text=text) for name, text in TEXTS.items()}
        await make_prompts(texts, pbx.sounds_dir)
        yield Line(pbx=pbx, citizen=citizen, prompts=prompts_below(pbx.sounds_dir))


async def test_prompts_are_told_in_the_order_they_were_played(line: Line, tmp_path: Path) -> None:
    told = await line.all_of("8000", tmp_path / "heard.wav")
    menu, wrong, again = told
    assert [each.name for each in told] == ["sv/ivrd/menu", "sv/ivrd/wrong-key", "sv/ivrd/menu"]
    assert [each.share for each in told] == [1.0, 1.0, 1.0]
    assert min(each.score for each in told) > 0.95
    assert 0 <= menu.starts_s
    assert menu.sent_s == pytest.approx(0, abs=FRAME_S)
    # By what was sent, each follows right behind the one before, however long the PBX stood still.
    lengths_s = [wrong.sent_s - menu.sent_s, again.sent_s - wrong.sent_s]
    played_s = [line.length_s(each.name) for each in (menu, wrong)]
    assert lengths_s == pytest.approx(played_s, abs=2 * FRAME_S)
    assert again.starts_s - wrong.starts_s > wrong.heard_s + WAITS_S - EXACT_S
    assert menu.heard_s <= wrong.starts_s - menu.starts_s


async def test_a_prompt_cut_by_a_key_is_heard_in_part(line: Line, tmp_path: Path) -> None:
    call = await line.dial("8001")
    await call.heard(150, timeout_s=SOON_S)
    before_s = sent_s(call)
    await call.press("1")
    after_s = sent_s(call)
    await call.ended(SOON_S)
    call.save_recording(tmp_path / "heard.wav")
    cut, whole = heard(tmp_path / "heard.wav", line.prompts)
    assert (cut.name, whole.name) == ("sv/ivrd/long", "sv/ivrd/wrong-key")
    cut_s = cut.sent_s + cut.share * line.length_s(cut.name)
    assert before_s - EXACT_S < cut_s < after_s + OBEYED_S
    assert 0.2 < cut.share < 1.0
    assert whole.share == 1.0
    assert whole.sent_s == pytest.approx(cut_s, abs=EXACT_S)
    assert whole.starts_s > cut.starts_s + cut.heard_s - EXACT_S
    assert names_heard(tmp_path / "heard.wav", line.prompts, share=0.9) == ["sv/ivrd/wrong-key"]


async def test_silence_is_no_prompt(line: Line, tmp_path: Path) -> None:
    assert await line.all_of("8002", tmp_path / "heard.wav") == []


async def test_what_is_played_before_the_answer_is_heard_too(line: Line, tmp_path: Path) -> None:
    told = await line.all_of("8003", tmp_path / "heard.wav")
    assert [each.name for each in told] == ["sv/ivrd/closed", "sv/ivrd/menu"]
    assert [each.share for each in told] == [1.0, 1.0]


async def test_callers_at_once_hear_each_their_own(line: Line, tmp_path: Path) -> None:
    one, other = await asyncio.gather(
        line.all_of("8000", tmp_path / "one.wav"), line.all_of("8003", tmp_path / "other.wav")
    )
    assert len(one) == 3
    assert [each.name for each in other] == ["sv/ivrd/closed", "sv/ivrd/menu"]
