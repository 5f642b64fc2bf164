"""A made-up voice says made-up words, for testing the ear without a PBX.

Its pitch and its syllables are the same in every prompt, so that words are told apart by what is
said, not by who says it.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tests.lab.hearing import Samples
from tests.lab.phone import audio
from tests.lab.phone.media import FRAME_SAMPLES
from tests.lab.phone.recording import Recording

RATE = audio.SAMPLES_PER_S

SYLLABLE_S = 0.2

BEFORE_S, BEHIND_S = 0.1, 0.2
"""Silence around the sound of a prompt."""

SYLLABLES = (
    (300, 2300),
    (400, 800),
    (700, 1200),
    (500, 1900),
    (350, 1500),
    (600, 1000),
    (450, 2600),
    (800, 1700),
)
"""The two formants of each, in hertz."""

WORDS = {
    "menu": "0123456701",
    "begins-like-menu": "0123422415",
    "menu-and-more": "01234567013355",
    "ends-like-menu": "6552234567",
    "wrong-key": "36",
    "closed": "7410",
    "closed-today": "74102",
}


@dataclass(frozen=True, slots=True)
class Unsent:
    """A moment in which the PBX sends nothing: it stands still, or waits."""

    seconds: float


def spoken(syllables: str) -> Samples:
    """Return the voice saying syllables: a pulse train of 110 Hz through two formants each."""
    length = int(SYLLABLE_S * RATE)
    at = np.arange(length) / RATE
    parts = []
    for syllable in syllables:
        pulses = np.zeros(length)
        pulses[:: RATE // 110] = 1.0
        ring = sum(
            np.exp(-at * 400) * np.sin(2 * np.pi * hz * at) for hz in SYLLABLES[int(syllable)]
        )
        parts.append(np.convolve(pulses, ring)[:length] * np.sin(np.pi * at / SYLLABLE_S))
    said = np.concatenate(parts)
    return 12_000 * said / np.abs(said).max()


def silence(seconds: float) -> Samples:
    """Return silence that is played."""
    return np.zeros(int(seconds * RATE))


@cache
def prompt(syllables: str) -> Samples:
    """Return spoken syllables with a little silence around them."""
    return np.concatenate((silence(BEFORE_S), spoken(syllables), silence(BEHIND_S)))


def played(name: str) -> Samples:
    """Return what Asterisk sends for a prompt of WORDS."""
    return prompt(WORDS[name])


def write(path: Path, samples: Samples) -> Path:
    """Write a wav file."""
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(samples.astype("<i2").tobytes())
    return path


def through_a_telephone(path: Path, parts: Sequence[Samples]) -> Path:
    """Write a recording as a phone hears it: µ-law."""
    write(path, np.concatenate(parts))
    audio.write_wav(path, audio.read_wav(path))
    return path


def from_a_pbx(path: Path, parts: Sequence[Samples | Unsent]) -> Path:
    """Write what a phone records of what a PBX sends, which stands still but loses nothing."""
    sounds = [part for part in parts if not isinstance(part, Unsent)]
    ulaw = audio.read_wav(write(path, np.concatenate(sounds)))
    recording = Recording()
    at = number = stamp = 0
    for part in parts:
        if isinstance(part, Unsent):
            stamp += round(part.seconds * RATE)
            continue
        for _ in range(0, len(part), FRAME_SAMPLES):
            sent = ulaw[at : at + FRAME_SAMPLES]
            arrived_s = stamp / RATE
            recording.take(b"pbx", sent, number=number, stamp=stamp, arrived_s=arrived_s)
            at, number, stamp = at + len(sent), number + 1, stamp + len(sent)
    recording.save(path)
    return path
