"""Telling prompts by signal: a made-up voice, always the same, says made-up words.

What real voices and a real Asterisk do to it: tests/integration. Holes anywhere: tests/property.
"""

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.lab.hearing import Heard, heard, names_heard, prompts_below
from tests.lab.made_up_voice import (
    RATE,
    WORDS,
    Unsent,
    from_a_pbx,
    played,
    prompt,
    silence,
    spoken,
    through_a_telephone,
    write,
)
from tests.lab.phone import audio

EXACT_S = 0.002


@pytest.fixture
def prompts(tmp_path: Path) -> dict[str, Path]:
    """Every prompt with a little silence around it."""
    return {name: write(tmp_path / f"{name}.wav", prompt(words)) for name, words in WORDS.items()}


def named(told: Sequence[Heard]) -> list[str]:
    return [each.name for each in told]


@pytest.mark.parametrize("name", WORDS)
def test_only_the_prompt_that_was_played_is_told(
    name: str, prompts: dict[str, Path], tmp_path: Path
) -> None:
    parts = [silence(1.3), played(name), silence(0.5)]
    (told,) = heard(through_a_telephone(tmp_path / "call", parts), prompts)
    assert told.name == name
    assert told.starts_s == pytest.approx(1.3, abs=EXACT_S)
    assert told.share == 1.0
    assert told.score > 0.98
    assert told.alike <= {"menu-and-more", "closed-today"}


def test_prompts_are_told_in_order_also_one_right_after_the_other_and_twice(
    prompts: dict[str, Path], tmp_path: Path
) -> None:
    order = ["wrong-key", "menu", "menu", "closed", "begins-like-menu", "wrong-key"]
    parts = [played(name) for name in order]
    told = heard(through_a_telephone(tmp_path / "call", parts), prompts)
    assert named(told) == order
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])]) / RATE
    assert [each.starts_s for each in told] == pytest.approx(list(starts), abs=EXACT_S)


@pytest.mark.parametrize("cut_s", [0.75, 1.03, 1.48])
def test_a_prompt_that_a_key_cut_is_told_as_heard_in_part(
    cut_s: float, prompts: dict[str, Path], tmp_path: Path
) -> None:
    cut = played("ends-like-menu")[: int(cut_s * RATE)]
    call = through_a_telephone(tmp_path / "call", [cut, played("wrong-key")])
    first, second = heard(call, prompts)
    assert (first.name, second.name) == ("ends-like-menu", "wrong-key")
    assert first.heard_s == pytest.approx(cut_s, abs=0.06)
    assert first.share == pytest.approx(cut_s / 2.1, abs=0.05)
    assert second.starts_s == pytest.approx(cut_s, abs=EXACT_S)
    assert names_heard(call, prompts, share=0.9) == ["wrong-key"]


def test_a_prompt_cut_before_it_differs_from_another_is_told_with_the_other(
    prompts: dict[str, Path], tmp_path: Path
) -> None:
    cut = played("menu")[: int(0.8 * RATE)]
    (told,) = heard(through_a_telephone(tmp_path / "call", [cut, silence(1)]), prompts)
    others = {"menu", "begins-like-menu", "menu-and-more"}
    assert {told.name} | told.alike == others


def test_what_is_said_in_the_middle_of_another_prompt_is_not_told(
    prompts: dict[str, Path], tmp_path: Path
) -> None:
    middle = write(tmp_path / "middle.wav", spoken("345"))
    (told,) = heard(
        through_a_telephone(tmp_path / "call", [played("menu")]),
        {**prompts, "middle": middle},
    )
    assert told.name == "menu"


def test_nothing_is_told_in_silence_in_noise_and_in_other_words(
    prompts: dict[str, Path], tmp_path: Path
) -> None:
    noise = np.random.default_rng(4).normal(0, 3000, RATE * 3)
    for parts in ([silence(3)], [noise], [spoken("52264106")], [spoken("0")], []):
        call = through_a_telephone(tmp_path / "call", [silence(0.01), *parts])
        assert heard(call, prompts) == []


def test_a_quieter_line_with_noise_is_told_too(prompts: dict[str, Path], tmp_path: Path) -> None:
    line = np.concatenate((silence(0.5), played("closed"), silence(0.5))) / 8
    line += np.random.default_rng(4).normal(0, 30, len(line))
    (told,) = heard(through_a_telephone(tmp_path / "call", [line]), prompts)
    assert (told.name, told.share) == ("closed", 1.0)


@pytest.mark.parametrize("lost_s", [0.02, 0.2])
def test_lost_packets_do_not_cut_a_prompt(
    lost_s: float, prompts: dict[str, Path], tmp_path: Path
) -> None:
    said = played("menu").copy()
    said[RATE : RATE + int(lost_s * RATE)] = 0
    (told,) = heard(through_a_telephone(tmp_path / "call", [said]), prompts)
    assert (told.name, told.share) == ("menu", 1.0)


def test_a_prompt_whose_middle_is_gone_is_heard_only_until_there(
    prompts: dict[str, Path], tmp_path: Path
) -> None:
    said = played("ends-like-menu").copy()
    said[RATE : int(1.6 * RATE)] = 0
    (told,) = heard(through_a_telephone(tmp_path / "call", [said]), prompts)
    assert told.name == "ends-like-menu"
    assert told.heard_s == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("hole_s", [0.04, 0.1, 0.4, 1.5])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.77])
def test_a_pbx_that_stands_still_for_a_moment_cuts_no_prompt(
    hole_s: float, share: float, prompts: dict[str, Path], tmp_path: Path
) -> None:
    menu = played("menu")
    at = int(share * len(menu)) // 160 * 160
    sent = [Unsent(0.5), menu[:at], Unsent(hole_s), menu[at:], played("wrong-key")]
    told = heard(from_a_pbx(tmp_path / "call", sent), prompts)
    assert [(each.name, each.share) for each in told] == [("menu", 1.0), ("wrong-key", 1.0)]
    assert told[0].starts_s == pytest.approx(0.5, abs=EXACT_S)
    assert told[0].heard_s == pytest.approx(len(menu) / RATE - 0.2 + hole_s, abs=0.06)
    assert told[1].starts_s == pytest.approx(0.5 + len(menu) / RATE + hole_s, abs=EXACT_S)
    assert told[1].sent_s - told[0].sent_s == pytest.approx(len(menu) / RATE, abs=EXACT_S)


@pytest.mark.parametrize("hole_s", [0.08, 0.104, 0.4, 1.5])
@pytest.mark.parametrize("name", ["menu", "closed"])
def test_nor_near_its_beginning_or_its_end(
    name: str, hole_s: float, prompts: dict[str, Path], tmp_path: Path
) -> None:
    said = played(name)
    both = {each: prompts[each] for each in (name, "wrong-key")}
    packets = len(said) // 160
    for packet in [*range(0, 21, 2), *range(packets - 25, packets + 1, 2)]:
        at = packet * 160
        torn = [Unsent(0.5), said[:at], Unsent(hole_s), said[at:]]
        call = from_a_pbx(tmp_path / "call", [*torn, played("wrong-key")])
        told = heard(call, both)
        assert [(each.name, each.share) for each in told] == [(name, 1.0), ("wrong-key", 1.0)], at
        starts_s = 0.5 if at else 0.5 + hole_s
        assert told[0].starts_s == pytest.approx(starts_s, abs=EXACT_S), at


def test_nor_right_before_the_pbx_hangs_up(prompts: dict[str, Path], tmp_path: Path) -> None:
    said = played("wrong-key")
    for at in range(160, len(said), 160):
        call = from_a_pbx(tmp_path / "call", [said[:at], Unsent(0.2), said[at:]])
        told = heard(call, {"wrong-key": prompts["wrong-key"]})
        assert [(each.name, each.share) for each in told] == [("wrong-key", 1.0)], at


def test_nor_a_first_packet_that_is_lost(prompts: dict[str, Path], tmp_path: Path) -> None:
    for lost in (160, 320):
        call = from_a_pbx(tmp_path / "call", [played("menu")[lost:], Unsent(0.3), played("closed")])
        told = heard(call, prompts)
        assert [(each.name, each.share) for each in told] == [("menu", 1.0), ("closed", 1.0)]
        assert told[0].sent_s == pytest.approx(-lost / RATE, abs=EXACT_S)


def test_nor_a_last_packet_that_is_not_sent_whole(prompts: dict[str, Path], tmp_path: Path) -> None:
    for sound in range(3000, 3800, 50):
        path = write(tmp_path / "short.wav", np.concatenate((spoken("63")[:sound], silence(0.05))))
        length = sound + 400 - 22
        call = from_a_pbx(tmp_path / "call", [spoken("63")[:sound], silence(0.05)[:-22]])
        (told,) = heard(call, {"short": path})
        assert told.share == 1.0, length


@pytest.mark.parametrize("lost", [1, 3, 8])
def test_a_prompt_whose_end_is_not_played_is_told_as_cut(
    lost: int, prompts: dict[str, Path], tmp_path: Path
) -> None:
    said = played("menu")
    cut = said[: len(said) - 1600 - lost * 400]
    call = through_a_telephone(tmp_path / "call", [cut, silence(0.4), played("wrong-key")])
    both = {each: prompts[each] for each in ("menu", "wrong-key")}
    menu, after = heard(call, both)
    assert (menu.name, after.name, after.share) == ("menu", "wrong-key", 1.0)
    assert menu.share < 1.0


def test_a_prompt_that_is_cut_and_played_again_is_told_twice(
    prompts: dict[str, Path], tmp_path: Path
) -> None:
    menu = played("menu")
    parts = [silence(0.5), menu[: len(menu) // 2], silence(0.3), menu, silence(0.3)]
    cut, whole = heard(through_a_telephone(tmp_path / "call", parts), prompts)
    assert (cut.name, whole.name) == ("menu", "menu")
    assert (cut.share < 0.6, whole.share) == (True, 1.0)


def test_a_prompt_without_enough_sound_is_refused(tmp_path: Path) -> None:
    call = write(tmp_path / "call.wav", spoken("0123"))
    for sound in (silence(2), np.concatenate((silence(1), spoken("0")[:800])), silence(0)):
        prompt = write(tmp_path / "short.wav", sound)
        with pytest.raises(audio.BadAudio, match="short has less than"):
            heard(call, {"short": prompt})


def test_a_file_of_another_shape_is_refused(tmp_path: Path, prompts: dict[str, Path]) -> None:
    path = tmp_path / "wide.wav"
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(16_000)
        target.writeframes(b"\0\0" * 800)
    with pytest.raises(audio.BadAudio, match="must be 8000 Hz"):
        heard(path, prompts)


def test_prompts_are_named_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "sv" / "ivrd").mkdir(parents=True)
    write(tmp_path / "sv" / "ivrd" / "menu.wav", spoken("01"))
    assert prompts_below(tmp_path) == {"sv/ivrd/menu": tmp_path / "sv" / "ivrd" / "menu.wav"}
