"""A PBX that stands still, at any moments and as often as it likes, hides no prompt and no cut."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.hearing import heard
from tests.lab.made_up_voice import (
    BEFORE_S,
    SYLLABLE_S,
    Samples,
    Unsent,
    from_a_pbx,
    prompt,
    write,
)
from tests.lab.phone.media import FRAME_S, FRAME_SAMPLES

WORDS = {"menu": "01222", "closed": "3455", "wrong-key": "67"}
"""No syllable of one is where another one, or it again after a cut, has the same."""

SHORTEST_CUT = 21
"""Packets: a prompt cut within its first 0.3 s of sound is not told."""

FADED = 4
"""Packets at the end of a last syllable in which it is nearly silent."""

EXACT_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A prompt, and how many packets of it were sent."""

    name: str
    packets: int

    @property
    def sound_s(self) -> float:
        """Until where the whole prompt has sound."""
        return BEFORE_S + SYLLABLE_S * len(WORDS[self.name])

    @property
    def is_cut(self) -> bool:
        return self.packets * FRAME_S < self.sound_s


def plays(name: str) -> st.SearchStrategy[Played]:
    """Return a prompt played whole, or cut by a key."""
    whole = len(prompt(WORDS[name])) // FRAME_SAMPLES
    sound = round(Played(name=name, packets=whole).sound_s / FRAME_S)
    cuts = st.integers(SHORTEST_CUT, sound - FADED)
    return st.builds(Played, name=st.just(name), packets=st.one_of(st.just(whole), cuts))


CALLS = st.lists(st.sampled_from(sorted(WORDS)).flatmap(plays), min_size=1, max_size=3)
HOLES = st.lists(
    st.tuples(st.integers(0, 350), st.sampled_from((0.08, 0.088, 0.12, 0.3, 1.0))), max_size=8
)
"""Before which packet, and for how long: Asterisk's stamps do not jump by less than 80 ms."""


@given(told=CALLS, holes=HOLES)
@settings(max_examples=30, deadline=None)
def test_holes_in_any_places_hide_no_prompt_and_no_cut(
    told: list[Played],
    holes: list[tuple[int, float]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    shelf = tmp_path_factory.getbasetemp()
    prompts = {name: write(shelf / f"{name}.wav", prompt(said)) for name, said in WORDS.items()}
    sent = np.concatenate(
        [prompt(WORDS[each.name])[: each.packets * FRAME_SAMPLES] for each in told]
    )
    parts: list[Samples | Unsent] = []
    at = 0
    for packet, hole_s in sorted(holes):
        parts += [sent[at : packet * FRAME_SAMPLES], Unsent(hole_s)]
        at = packet * FRAME_SAMPLES
    every = heard(from_a_pbx(shelf / "call", [*parts, sent[at:]]), prompts)
    assert [each.name for each in every] == [each.name for each in told]
    begins = 0
    for each, play in zip(every, told, strict=True):
        held_s = sum(hole_s for packet, hole_s in holes if packet <= begins)
        assert each.sent_s == pytest.approx(begins * FRAME_S, abs=EXACT_S)
        assert each.starts_s == pytest.approx(begins * FRAME_S + held_s, abs=EXACT_S)
        assert (each.share < 1.0) == play.is_cut
        if play.is_cut:
            assert each.share * play.sound_s == pytest.approx(play.packets * FRAME_S, abs=0.08)
        begins += play.packets
