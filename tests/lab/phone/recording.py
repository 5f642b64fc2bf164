"""What came in on one call as one stretch of sound, and where in it nothing was sent.

Sound is placed by its sender's stamps. An Asterisk that stands still loses nothing: it goes on
where it stopped, under the next sequence number, but with a stamp that is later by as long (80 ms
and more; source: res_rtp_asterisk.c, MAX_TIMESTAMP_SKEW). So does one that waits between two
prompts. Such a stretch, in which nothing was sent, is noted beside the recording: whoever listens
must neither take it for a lost packet, whose number is missing, nor for silence that was played.

One stamp is wrong. The last packet of a prompt is short; Asterisk puts it its own length behind the
stamp before, into the middle of the sound before it. It belongs behind that, as its number says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.lab.phone import audio

RECORDING_S_MAX = 300
"""No scenario lasts longer; bounds the memory of a forgotten recording at 2.4 MB."""
STRAY_S = 5.0
"""A stamp so far from a packet's arrival belongs to a new run: no packet is fetched so late."""

Stretch = tuple[int, int]
"""First sample, and the first one behind it."""


@dataclass(slots=True)
class _Run:
    """One sender's packets."""

    starts: int
    """The stamp of the recording's first sample."""
    next_number: int
    """The sequence number of the packet that comes next."""
    behind: int = 0
    """The first sample behind the last packet."""


class Recording:
    """The sound of one call so far, from the call's own beginning."""

    def __init__(self) -> None:
        self._sound = bytearray()
        self._unsent: list[Stretch] = []
        self._runs: dict[bytes, _Run] = {}

    @property
    def length_s(self) -> float:
        """How much is recorded."""
        return len(self._sound) / audio.SAMPLES_PER_S

    def skip(self, source: bytes, *, number: int) -> None:
        """Count a packet without sound, such as one of a key."""
        if source in self._runs:
            self._is_next(self._runs[source], number)

    def take(
        self, source: bytes, ulaw: bytes, *, number: int, stamp: int, arrived_s: float
    ) -> None:
        """Place the sound of a packet by its stamp; each sender's first one is placed by arrival.

        Should a sender begin its stamps anew, what lies far from its arrival is placed as a first
        packet is, so that the rest of the call is not lost.
        """
        arrived = round(arrived_s * audio.SAMPLES_PER_S)
        run = self._runs.get(source)
        offset = arrived if run is None else (stamp - run.starts) & 0xFFFFFFFF
        if run is None or abs(offset - arrived) > STRAY_S * audio.SAMPLES_PER_S:
            offset = max(arrived, len(self._sound))
            run = self._runs[source] = _Run(starts=stamp - offset, next_number=number)
        is_next = self._is_next(run, number)
        if is_next:
            offset = max(offset, run.behind)
            run.behind = offset + len(ulaw)
        if offset + len(ulaw) > RECORDING_S_MAX * audio.SAMPLES_PER_S:
            return
        missing = offset - len(self._sound)
        if missing > 0:
            if is_next:
                self._unsent.append((len(self._sound), offset))
            self._sound.extend(bytes([audio.SILENCE_BYTE]) * missing)
        self._sound[offset : offset + len(ulaw)] = ulaw

    @staticmethod
    def _is_next(run: _Run, number: int) -> bool:
        """Tell whether no packet is missing before this one, and count it."""
        ahead = (number - run.next_number) & 0xFFFF
        if ahead < 0x8000:
            run.next_number = (number + 1) & 0xFFFF
        return ahead == 0

    def save(self, path: Path) -> None:
        """Write an 8 kHz wav file, and beside it where nothing was sent."""
        audio.write_wav(path, bytes(self._sound))
        write_unsent(path, self._unsent)


def write_unsent(recording: Path, stretches: list[Stretch]) -> None:
    """Note beside a recording where nothing was sent, in samples, in order."""
    _notes(recording).write_text(json.dumps(stretches), "utf-8")


def read_unsent(recording: Path) -> list[Stretch]:
    """Return where nothing was sent; nowhere when there is no note, as for any other wav file."""
    try:
        text = _notes(recording).read_text("utf-8")
    except FileNotFoundError:
        return []
    return [(first, end) for first, end in json.loads(text)]


def _notes(recording: Path) -> Path:
    return recording.with_name(f"{recording.name}.unsent.json")
