"""Tells by signal which known prompts are in a recording of what a caller heard, and when.

Here: finding prompts in a wav file. Not here: making the recording, which is for a phone with
`is_recording=True` and then `Call.save_recording`.

How it decides. A prompt is always heard from its beginning; a key may cut its end. So the beginning
of each prompt is looked for everywhere (normalised cross-correlation), and from each place found
the prompt is followed, a twentieth of a second at a time, for as long as the recording says the
same; over a hole in which nothing came, when it goes on behind it where it stopped. Of prompts
found at the same place, such as two that begin with the same words, the one that explains most of
the recording was played. Both signals are differenced before, which evens their spectrum: the same
voice saying other words then correlates at 0.3 and less, µ-law at 0.9 and more.

What it cannot know. Whoever does not name the prompt that was played may be told of another one
that begins alike, with a small share; so name all that might be played. Two prompts of which no
more was heard than what they have in common are told as one, with the other in `alike`. A prompt
cut within its first 0.3 s of sound is not told.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tests.lab.phone.audio import SAMPLES_PER_S, BadAudio

Samples: TypeAlias = npt.NDArray[np.float64]

HEAD = 2400
"""Samples by which a prompt is first found, 0.3 s: a syllable or two."""

SHORTEST = 1600
"""Samples of sound that a prompt must have, 0.2 s, as a spoken digit: less is not told apart."""

HEAD_SCORE_MIN = 0.8

BLOCK = 400
"""Samples that are compared at a time when a prompt is followed, 0.05 s."""

BLOCK_SCORE_MIN = 0.7

GAP_BLOCKS_MAX = 6
"""So much may be lost or wrong in the middle of a prompt, 0.3 s, before it counts as cut."""

PACKET = 160
"""Samples of one RTP packet."""

HOLE_MIN = 480
"""Asterisk lets its stamps jump when it is 0.08 s late or more, so less is no hole."""

HOLE_MAX = 16_000
"""So long a PBX may stand still in the middle of a prompt, 2 s; beyond, what follows is not it."""

STAMP = 8
"""Stamps jump by whole milliseconds."""

EDGE = 80
"""So many samples of sound may be silent by chance where a hole ends."""

TORN_MIN = 0.2
"""Of a beginning's energy on each side of a hole: with less, the other side is found alone."""

QUIET = 0.01
"""Of a prompt's loudest block, in energy (-20 dB): below, a block proves nothing."""

SILENT = 0.0001
"""Of a prompt's loudest block, in energy (-40 dB): below, at its ends, nobody hears anything."""

OVERLAP_MAX = 800
"""Samples, 0.1 s: prompts follow each other; those that overlap more exclude each other."""

WHITENING = 0.95
"""Of each sample's predecessor is taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One time that a prompt was heard."""

    name: str
    starts_s: float
    """From the beginning of the recording."""
    heard_s: float
    """How long it took, with the moments in which the PBX stood still."""
    share: float
    """Of the prompt, from its beginning; 1.0 is all of it."""
    score: float
    """Correlation of what was heard with the prompt, on average; 1.0 for equal up to loudness."""
    alike: frozenset[str] = field(default_factory=frozenset)
    """Other prompts that what was heard fits as well, as it was cut before they differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Find:
    """A prompt at a place in the recording, in samples."""

    name: str
    start: int
    heard: int
    held: int
    prompt_length: int
    score: float

    @property
    def end(self) -> int:
        return self.start + self.heard + self.held

    @property
    def share(self) -> float:
        return self.heard / self.prompt_length


def heard(recording: Path, prompts: Mapping[str, Path]) -> list[Heard]:
    """Return which prompts are in a recording, in the order they were heard.

    Args:
        recording: 8 kHz, mono, 16 bit.
        prompts: Wav files of the same shape, by name: all that might have been played.

    Raises:
        BadAudio: A file has another shape, or a prompt is too short to be told, or silent.
    """
    ear = _Ear(_whitened(_read(recording)))
    finds: list[_Find] = []
    for name, path in prompts.items():
        prompt = _trimmed(_whitened(_read(path)))
        if len(prompt.samples) < SHORTEST:
            raise BadAudio(f"{path}: {name} has less than {SHORTEST / SAMPLES_PER_S} s of sound")
        finds += ear.finds(name, prompt)
    return sorted(_played(finds), key=lambda each: each.starts_s)


def names_heard(recording: Path, prompts: Mapping[str, Path], *, share: float = 0.0) -> list[str]:
    """Return the names only, in order, of prompts of which at least `share` was heard."""
    return [each.name for each in heard(recording, prompts) if each.share >= share]


def prompts_below(sounds_dir: Path) -> dict[str, Path]:
    """Return every wav file below a PBX's `sounds_dir`, by names such as `sv/ivrd/menu`."""
    return {
        str(path.relative_to(sounds_dir).with_suffix("")): path
        for path in sorted(sounds_dir.rglob("*.wav"))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    samples: Samples
    """From the first sound to the last."""
    lead: int
    """Silent samples before them."""


class _Ear:
    """A recording made ready for being searched many times."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._size = 1 << (len(samples) + HEAD).bit_length()
        self._spectrum = np.fft.rfft(samples, self._size)
        self._energy_before = np.concatenate(([0.0], np.cumsum(samples**2)))
        self._silences = [run for run in _silences(samples) if HOLE_MIN <= run[1] - run[0]]

    def finds(self, name: str, prompt: _Prompt) -> Iterator[_Find]:
        """Follow a prompt from each place where its beginning is heard."""
        end = 0
        head = prompt.samples[:HEAD]
        for start in sorted({*self._places(head), *self._torn_places(head)}):
            if start < end - OVERLAP_MAX:
                continue
            followed = self._follow(prompt.samples, start)
            if followed.heard >= min(HEAD, len(prompt.samples)):
                end = start + followed.heard + followed.held
                yield _Find(
                    name=name,
                    start=start - prompt.lead,
                    heard=followed.heard + prompt.lead,
                    held=followed.held,
                    prompt_length=len(prompt.samples) + prompt.lead,
                    score=followed.score,
                )

    def _places(self, head: Samples) -> list[int]:
        """Return where a beginning correlates best, in order, each at least a block apart."""
        if len(self._samples) < len(head):
            return []
        energy = self._energy_before[len(head) :] - self._energy_before[: -len(head)]
        spectrum = self._spectrum * np.conj(np.fft.rfft(head, self._size))
        product = np.fft.irfft(spectrum, self._size)[: len(energy)]
        # A stretch far quieter than the beginning is no prompt, but the noise of a division by 0.
        is_loud = energy > SILENT * _energy(head)
        scores = np.zeros_like(product)
        scores[is_loud] = product[is_loud] / np.sqrt(energy[is_loud] * _energy(head))
        places: list[int] = []
        for place in np.flatnonzero(scores >= HEAD_SCORE_MIN):
            if places and place - places[-1] < BLOCK:
                if scores[place] > scores[places[-1]]:
                    places[-1] = int(place)
            else:
                places.append(int(place))
        return places

    def _torn_places(self, head: Samples) -> Iterator[int]:
        """Yield where a beginning is heard whose end comes behind a hole."""
        for silent_from, sound_from in self._silences:
            before = self._samples[max(0, silent_from - len(head) + 1) : silent_from]
            longest = (sound_from - silent_from) // STAMP * STAMP
            for hole in range(longest, longest - EDGE, -STAMP):
                after = self._samples[silent_from + hole :][: len(head)]
                joined = np.concatenate((before, after))
                place = _best_place(head, joined)[0]
                parts = np.split(head, [len(before) - place])
                heard = np.split(joined[place : place + len(head)], [len(before) - place])
                if all(
                    _energy(part) >= TORN_MIN * _energy(head)
                    and _score(part, there) >= HEAD_SCORE_MIN
                    for part, there in zip(parts, heard, strict=True)
                ):
                    yield silent_from - len(before) + place
                    break

    def _follow(self, prompt: Samples, start: int) -> _Followed:
        """Follow a prompt from `start` for as long as the recording says the same."""
        loudest = max(_energy(prompt[at : at + BLOCK]) for at in _blocks(0, len(prompt)))
        heard = held = goes_on = 0
        scores: list[float] = []
        while True:
            failed: list[int] = []
            for at in _blocks(goes_on, min(len(prompt), len(self._samples) - start - held)):
                said = prompt[at : at + BLOCK]
                if _energy(said) < QUIET * loudest:
                    continue
                score = _score(said, self._samples[start + held + at :][:BLOCK])
                if score >= BLOCK_SCORE_MIN:
                    heard, failed = at + BLOCK, []
                    scores.append(score)
                elif len(failed) < GAP_BLOCKS_MAX:
                    failed.append(at)
                else:
                    break
            else:
                if not failed:
                    is_whole = start + held + len(prompt) <= len(self._samples)
                    heard = len(prompt) if is_whole else heard
                    break
            # Whatever part of the first block that fails came before the hole is let go.
            goes_on = failed[0] + BLOCK
            here = start + held
            hole = self._hole(prompt[goes_on : goes_on + HEAD], here + heard, here + goes_on)
            hole = hole or self._hole_near_end(prompt, here, heard)
            if not hole:
                break
            held += hole
        return _Followed(heard=heard, held=held, score=sum(scores) / max(len(scores), 1))

    def _hole(self, said: Samples, silent_from: int, expected: int) -> int:
        """Return by how many samples a prompt goes on later than expected; 0 when it does not.

        An Asterisk that stood still for a moment loses nothing, but its stamps leave a hole.

        Args:
            said: What is expected next.
            silent_from: Where the recording was heard up to.
            expected: Where it is expected.
        """
        there = self._samples[expected : expected + HOLE_MAX + len(said)]
        if len(said) < SHORTEST or len(there) <= len(said):
            return 0
        hole, score = _best_place(said, there)
        # The block in which the hole begins may have been like enough.
        between = self._samples[max(0, silent_from - BLOCK) : expected + hole]
        if score < HEAD_SCORE_MIN or _longest_silence(between) < hole - PACKET:
            return 0
        return hole

    def _hole_near_end(self, prompt: Samples, here: int, heard: int) -> int:
        """Return the same, where what is left behind the hole is too short to be looked for.

        It can only be right behind the silence, and it is nothing but the prompt's end.

        Args:
            prompt: All of it.
            here: Where it would have begun, had there been no hole so far.
            heard: Samples of the prompt until then.
        """
        for silent_from, sound_from in self._silences:
            left = prompt[silent_from - here :]
            if not heard - BLOCK < silent_from - here < len(prompt) or len(left) > SHORTEST + BLOCK:
                continue
            there = self._samples[sound_from - EDGE : sound_from + len(left)]
            place, score = _best_place(left, there)
            if score >= HEAD_SCORE_MIN and sound_from - silent_from <= HOLE_MAX:
                return sound_from - EDGE + place - silent_from
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """How far a prompt was heard, in samples."""

    heard: int
    """Of the prompt."""
    held: int
    """Of the recording beyond that: the PBX stood still."""
    score: float
    """Of what was heard, on average."""


def _blocks(first: int, end: int) -> range:
    return range(first, end - BLOCK + 1, BLOCK)


def _best_place(said: Samples, there: Samples) -> tuple[int, float]:
    """Return where something is heard best, and its correlation; (0, 0.0) when nowhere."""
    if not len(said) or len(there) < len(said):
        return 0, 0.0
    energy_before = np.concatenate(([0.0], np.cumsum(there**2)))
    energy = energy_before[len(said) :] - energy_before[: -len(said)]
    size = 1 << (len(there) + len(said)).bit_length()
    spectrum = np.fft.rfft(there, size) * np.conj(np.fft.rfft(said, size))
    product = np.fft.irfft(spectrum, size)[: len(energy)]
    # A stretch far quieter than what is looked for is not it, but the noise of a division by 0.
    is_loud = energy > SILENT * _energy(said)
    scores = np.zeros_like(product)
    scores[is_loud] = product[is_loud] / np.sqrt(energy[is_loud] * _energy(said))
    place = int(np.argmax(scores))
    return place, float(scores[place])


def _silences(samples: Samples) -> list[tuple[int, int]]:
    """Return from where to where nothing at all came in; `samples` are whitened."""
    sounds = np.flatnonzero(np.concatenate(([True], samples != 0.0, [True])))
    begins = np.flatnonzero(np.diff(sounds) > 1)
    # The first silent sample is not 0, as some of its predecessor is taken off.
    return [(max(int(sounds[at]) - 1, 0), int(sounds[at + 1]) - 1) for at in begins]


def _longest_silence(samples: Samples) -> int:
    return max((end - begin for begin, end in _silences(samples)), default=0)


def _played(finds: list[_Find]) -> Iterator[Heard]:
    """Choose the prompts that explain the recording, and leave out what they make impossible."""
    left = list(finds)
    while left:
        longest = max(left, key=lambda find: find.heard)
        equals = [find for find in left if _is_alike(find, longest)]
        # The end of a short prompt explains as much as the cut of a longer one: prefer the end.
        best = max(equals, key=lambda find: (find.share, find.score))
        left.remove(best)
        left = [find for find in left if _overlap(find, best) <= OVERLAP_MAX]
        yield Heard(
            name=best.name,
            starts_s=best.start / SAMPLES_PER_S,
            heard_s=(best.end - best.start) / SAMPLES_PER_S,
            share=best.share,
            score=best.score,
            alike=frozenset(each.name for each in equals) - {best.name},
        )


def _overlap(one: _Find, other: _Find) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _is_alike(one: _Find, other: _Find) -> bool:
    return max(abs(one.start - other.start), abs(one.end - other.end)) <= OVERLAP_MAX


def _energy(samples: Samples) -> float:
    return float(samples @ samples)


def _score(one: Samples, other: Samples) -> float:
    scale = np.sqrt(_energy(one) * _energy(other))
    return float(one @ other) / float(scale) if scale else 0.0


def _whitened(samples: Samples) -> Samples:
    return samples - WHITENING * np.concatenate(([0.0], samples[:-1]))


def _trimmed(samples: Samples) -> _Prompt:
    """Cut the silence around a prompt, which nobody can hear, and what Asterisk does not send.

    It fills whole packets, so what is over waits for a next prompt, which may never come.
    """
    count = len(samples) // BLOCK
    energy = (samples[: count * BLOCK].reshape(count, BLOCK) ** 2).sum(axis=1)
    loud = np.flatnonzero(energy >= SILENT * energy.max(initial=0.0))
    if not len(loud) or not energy.any():
        return _Prompt(samples=samples[:0], lead=0)
    sent = len(samples) // PACKET * PACKET
    first, last = int(loud[0]) * BLOCK, min((int(loud[-1]) + 1) * BLOCK, sent)
    return _Prompt(samples=samples[first:last], lead=first)


def _read(path: Path) -> Samples:
    with wave.open(str(path), "rb") as source:
        shape = (source.getframerate(), source.getnchannels(), source.getsampwidth())
        if shape != (SAMPLES_PER_S, 1, 2):
            raise BadAudio(f"{path} must be 8000 Hz, 1 channel, 2 bytes a sample, it is {shape}")
        frames = source.readframes(source.getnframes())
    return np.frombuffer(frames, dtype="<i2").astype(np.float64)
