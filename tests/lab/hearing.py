"""Tells by signal which known prompts are in a recording of what a caller heard, and when.

Here: finding prompts in a wav file. Not here: making the recording, which is for a phone with
`is_recording=True` and then `Call.save_recording`.

How it decides. A prompt is always heard from its beginning; a key may cut its end. So the beginning
of each prompt is looked for everywhere (normalised cross-correlation), and from each place found
the prompt is followed, a twentieth of a second at a time, for as long as the recording says the
same. Of prompts found at the same place, such as two that begin with the same words, the one that
explains most of the recording was played. Both signals are differenced before, which evens their
spectrum: the same voice saying other words then correlates at 0.3 and less, µ-law at 0.9 and more.

What a PBX that stands still does to it. Nothing: it sends the rest of the prompt later. The phone
notes where nothing was sent (phone/recording.py); the ear takes that out, and listens to what was
sent, sample by sample. Only what it tells of times knows of it. Guessing such holes from silence
was tried and rejected: several in one prompt, and beside its own silences, are told by no signal.

What it cannot know. Whoever does not name the prompt that was played may be told of another one
that begins alike, with a small share; so name all that might be played. Two prompts of which no
more was heard than what they have in common are told as one, with the other in `alike`. A prompt
cut within its first 0.3 s of sound is not told.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tests.lab.phone.audio import SAMPLES_PER_S, BadAudio
from tests.lab.phone.recording import Stretch, read_unsent

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
    sent_s: float
    """As `starts_s`, without the moments in which nothing was sent: what was sent before it.

    A little below 0 when it is the first one, and its own first packet was lost.
    """
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
    """A prompt at a place in what was sent, in samples."""

    name: str
    start: int
    heard: int
    prompt_length: int
    score: float

    @property
    def end(self) -> int:
        return self.start + self.heard

    @property
    def share(self) -> float:
        return self.heard / self.prompt_length


def heard(recording: Path, prompts: Mapping[str, Path]) -> list[Heard]:
    """Return which prompts are in a recording, in the order they were heard.

    Args:
        recording: 8 kHz, mono, 16 bit, with what the phone noted beside it.
        prompts: Wav files of the same shape, by name: all that might have been played.

    Raises:
        BadAudio: A file has another shape, or a prompt is too short to be told, or silent.
    """
    sent = _Sent(_read(recording), read_unsent(recording))
    ear = _Ear(_whitened(sent.samples))
    finds: list[_Find] = []
    for name, path in prompts.items():
        prompt = _trimmed(_whitened(_read(path)))
        if len(prompt.samples) < SHORTEST:
            raise BadAudio(f"{path}: {name} has less than {SHORTEST / SAMPLES_PER_S} s of sound")
        finds += ear.finds(name, prompt)
    return sorted(_played(finds, sent), key=lambda each: each.sent_s)


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


class _Sent:
    """What was sent, without the stretches of a recording in which nothing was."""

    def __init__(self, recording: Samples, unsent: Sequence[Stretch]) -> None:
        begins = [0, *(end for _, end in unsent)]
        ends = [*(first for first, _ in unsent), len(recording)]
        parts = [part for part in zip(begins, ends, strict=True) if part[0] < part[1]]
        self.samples = np.concatenate([recording[:0], *(recording[slice(*part)] for part in parts)])
        self._recorded_from = [begin for begin, _ in parts]
        self._sent_from = np.cumsum([0, *(end - begin for begin, end in parts[:-1])])

    def seconds(self, start: int, end: int) -> tuple[float, float]:
        """Return from when to when a stretch of what was sent is in the recording."""
        first, last = self._place(start), self._place(end - 1)
        return first / SAMPLES_PER_S, (last + 1) / SAMPLES_PER_S

    def _place(self, sample: int) -> int:
        part = max(int(np.searchsorted(self._sent_from, sample, side="right")) - 1, 0)
        return self._recorded_from[part] + sample - int(self._sent_from[part])


class _Ear:
    """What was sent, made ready for being searched many times.

    Silence is put before it: a PBX that plays before it answers may not know yet where to send its
    first packet, so that a first prompt begins before all that was sent.
    """

    def __init__(self, sent: Samples) -> None:
        self._samples = samples = np.concatenate((np.zeros(HEAD), sent))
        self._size = 1 << (len(samples) + HEAD).bit_length()
        self._spectrum = np.fft.rfft(samples, self._size)
        self._energy_before = np.concatenate(([0.0], np.cumsum(samples**2)))

    def finds(self, name: str, prompt: _Prompt) -> Iterator[_Find]:
        """Follow a prompt from each place where its beginning is heard."""
        end = 0
        for start in self._places(prompt.samples[:HEAD]):
            if start < end - OVERLAP_MAX:
                continue
            heard, score = self._follow(prompt.samples, start)
            if heard >= min(HEAD, len(prompt.samples)):
                end = start + heard
                yield _Find(
                    name=name,
                    start=start - HEAD - prompt.lead,
                    heard=heard + prompt.lead,
                    prompt_length=len(prompt.samples) + prompt.lead,
                    score=score,
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

    def _follow(self, prompt: Samples, start: int) -> tuple[int, float]:
        """Follow a prompt from `start` for as long as the recording says the same.

        Returns:
            Samples of the prompt that were heard, and their correlation on average.
        """
        loudest = max(_energy(prompt[block]) for block in _blocks(len(prompt)))
        heard = failed = 0
        scores: list[float] = []
        for block in _blocks(len(prompt)):
            there = self._samples[start:][block]
            said = prompt[block]
            if len(there) < len(said) or failed > GAP_BLOCKS_MAX:
                break
            if _energy(said) < QUIET * loudest:
                continue
            score = _score(said, there)
            if score >= BLOCK_SCORE_MIN:
                heard, failed = block.stop, 0
                scores.append(score)
            else:
                failed += 1
        else:
            heard = heard if failed else len(prompt)
        return heard, sum(scores) / max(len(scores), 1)


def _blocks(length: int) -> list[slice]:
    """Return blocks that cover it all; the last is whole too, and overlaps the one before."""
    return [
        slice(max(0, min(at, length - BLOCK)), min(at + BLOCK, length))
        for at in range(0, length, BLOCK)
    ]


def _played(finds: list[_Find], sent: _Sent) -> Iterator[Heard]:
    """Choose the prompts that explain the recording, and leave out what they make impossible."""
    left = list(finds)
    while left:
        longest = max(left, key=lambda find: find.heard)
        equals = [find for find in left if _is_alike(find, longest)]
        # The end of a short prompt explains as much as the cut of a longer one: prefer the end.
        best = max(equals, key=lambda find: (find.share, find.score))
        left.remove(best)
        left = [find for find in left if _overlap(find, best) <= OVERLAP_MAX]
        starts_s, ends_s = sent.seconds(best.start, best.end)
        yield Heard(
            name=best.name,
            starts_s=starts_s,
            sent_s=best.start / SAMPLES_PER_S,
            heard_s=ends_s - starts_s,
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
    """Cut the silence around a prompt, which nobody can hear, and its last, short packet.

    Asterisk plays less of it: it leaves out the last 44 bytes of a file, as many as its header has.
    """
    count = len(samples) // BLOCK
    energy = (samples[: count * BLOCK].reshape(count, BLOCK) ** 2).sum(axis=1)
    loud = np.flatnonzero(energy >= SILENT * energy.max(initial=0.0))
    if not len(loud) or not energy.any():
        return _Prompt(samples=samples[:0], lead=0)
    whole = len(samples) // PACKET * PACKET
    first, last = int(loud[0]) * BLOCK, min((int(loud[-1]) + 1) * BLOCK, whole)
    return _Prompt(samples=samples[first:last], lead=first)


def _read(path: Path) -> Samples:
    with wave.open(str(path), "rb") as source:
        shape = (source.getframerate(), source.getnchannels(), source.getsampwidth())
        if shape != (SAMPLES_PER_S, 1, 2):
            raise BadAudio(f"{path} must be 8000 Hz, 1 channel, 2 bytes a sample, it is {shape}")
        frames = source.readframes(source.getnframes())
    return np.frombuffer(frames, dtype="<i2").astype(np.float64)
