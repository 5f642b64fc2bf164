"""Any recording made into telephone sound: 8 kHz, 16 bit, mono, trimmed, and equally loud.

Here: converting, trimming, levelling, and refusing what cannot be used. Not here: which recording
belongs to which prompt (importing.py), and where the sound goes (installing.py). Rules:

1. *Loudness* is the RMS of those windows of 50 ms that are at most 30 dB below the loudest one, so
   that the pauses of a long text count as little as those of a single word. (ITU-T P.56 measures
   active speech in the same spirit, with a finer gate.) It is brought to -22 dB of full scale.
2. No sample comes above -1 dB: where the gain would lift peaks over it, sox's compand limits them.
   When that costs more than 1 dB of loudness, the recording is refused.
3. Silence at both ends is what is 45 dB or more below the loudest sample. It is cut off, and 30
   ms are put before and 50 ms after, so that numbers made of several prompts flow.
4. Refused are: what sox cannot read, what is silent, below 0.15 s and above 60 s of sound, and what
   is clipped: runs of equal samples at the peak, again and again, above -12 dB. Speech that is 2 dB
   too loud is found so; clipping that was resampled afterwards has no such runs, and is not.

Nothing is left to chance: no dither (sox -D), so that the same file always gives the same bytes.
"""

import math
import re
import wave
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivrd.errors import ConfigError, PeerRefused
from ivrd.sounds.tools import run

RATE = 8000
LOUDNESS_DB = -22.0
LOUDNESS_OFF_DB_MAX = 1.0
PEAK_DB_MAX = -1.0
SECONDS_MIN = 0.15
SECONDS_MAX = 60.0
FILE_BYTES_MAX = 100_000_000
"""Nine minutes of a studio's 96 kHz stereo."""

ENDINGS = frozenset(("aif", "aifc", "aiff", "au", "flac", "mp3", "ogg", "opus", "w64", "wav"))
"""What voice actors send. Not every name that sox reads: it would follow a playlist to the web."""

_WINDOW = RATE // 20
_GATE = 10 ** (-30 / 10)
_FULL_SCALE = 32768
_SILENT_DB = -60.0
_CLIPPED_PEAK_DB = -12.0
_CLIPPED_FLATNESS_DB = 8.0
_FULL_PEAK_DB = -0.1
_CLIPPED_FLATNESS_DB_AT_FULL = 3.0
_CLIPPED_PEAKS = 20
_LEVELLING_ROUNDS = 4
_HEADROOM_DB = 20.0
_ENDS = ("silence", "1", "0.01", "-45d", "reverse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What a finished sound measures."""

    seconds: float
    loudness_db: float
    """Below full scale; minus infinity for digital silence."""
    peak_db: float


def measure(path: Path) -> Sound:
    """Return the length and the levels of a telephone sound (8 kHz, 16 bit, mono)."""
    samples = array("h")
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, RATE), f"{path} is a telephone sound"
        samples.frombytes(file.readframes(file.getnframes()))
    powers = [
        sum(sample * sample for sample in window) / len(window) for window in _windows(samples)
    ]
    loudest = max(powers, default=0.0)
    active = [power for power in powers if power >= loudest * _GATE]
    mean = sum(active) / len(active) if active else 0.0
    peak = max((abs(sample) for sample in samples), default=0)
    return Sound(
        seconds=len(samples) / RATE,
        loudness_db=_decibels(math.sqrt(mean)),
        peak_db=_decibels(peak),
    )


def shape(source: Path, target: Path) -> Sound:
    """Make telephone sound of a recording, and return what it measures.

    Args:
        source: Any file that sox reads; absolute.
        target: The WAV file to write; a second file is written beside it for the while.

    Raises:
        ConfigError: The recording cannot be used; the text says why, and names the file.
    """
    _refuse_file(source)
    # -G: a gain before the change of rate, where it would clip. norm: trimming goes by the peak.
    reshape = ("-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed-integer")
    draft = target.with_name(f"{target.name}.draft.wav")
    try:
        try:
            _refuse_clipped(source)
            trim = ("norm", "-1", *_ENDS, *_ENDS, "pad", "0.03", "0.05")
            run("sox", "-D", "-G", source, *reshape, draft, *trim)
        except PeerRefused as error:
            raise ConfigError([f"{source}: cannot be read as sound: {error}"]) from error
        _refuse_length(measure(draft), source)
        return _level(draft, target, source)
    finally:
        draft.unlink(missing_ok=True)


def _level(draft: Path, target: Path, source: Path) -> Sound:
    """Write the draft at the wanted loudness."""
    lift_db = LOUDNESS_DB - measure(draft).loudness_db
    for _ in range(_LEVELLING_ROUNDS):
        run("sox", "-D", draft, target, *_lift(lift_db, measure(draft).peak_db))
        sound = measure(target)
        off_db = LOUDNESS_DB - sound.loudness_db
        if abs(off_db) < LOUDNESS_OFF_DB_MAX / 4:
            return sound
        lift_db += off_db
    if abs(off_db) > LOUDNESS_OFF_DB_MAX:
        raise ConfigError(
            [
                f"{source}: its peaks are so far above its voice that it cannot be made as loud as "
                f"the others ({off_db:.1f} dB are missing): are there clicks or knocks in it?"
            ]
        )
    return sound


def _lift(lift_db: float, peak_db: float) -> tuple[str, ...]:
    """Return sox's effects for a gain that lets no peak above the ceiling.

    Source:
        sox(1), "compand": at an attack of 0 each sample is taken down at once, and the gain comes
        back within the decay. It sees nothing above full scale, so it works 20 dB further down.
        The limiter of "gain -l" was no choice: it bends every sample, quiet ones too.
    """
    if peak_db + lift_db <= PEAK_DB_MAX:
        return ("gain", f"{lift_db:.3f}")
    knee_db, ceiling_db = PEAK_DB_MAX - 3 - _HEADROOM_DB, PEAK_DB_MAX - _HEADROOM_DB
    curve = f"-120,-120,{knee_db},{knee_db},0,{ceiling_db - 0.1}"
    lowered = ("gain", f"{lift_db - _HEADROOM_DB:.3f}")
    return (*lowered, "compand", "0,0.05", curve, "gain", f"{_HEADROOM_DB}")


def _refuse_file(source: Path) -> None:
    ending = source.suffix.removeprefix(".").lower()
    if ending not in ENDINGS:
        known = ", ".join(sorted(ENDINGS))
        raise ConfigError([f"{source}: .{ending} is not a recording; known: {known}"])
    if not source.is_file():
        raise ConfigError([f"{source}: there is no such file"])
    size = source.stat().st_size
    if size > FILE_BYTES_MAX:
        raise ConfigError([f"{source}: has {size} bytes, above {FILE_BYTES_MAX}: a whole session?"])


def _refuse_clipped(source: Path) -> None:
    """Refuse silence and clipping, by what sox measures before anything is changed.

    Source:
        sox(1), "stats": the flat factor is the square of the length of runs of equal samples at
        the peak, in decibels; 0 when no peak has two.
    """
    report = run("sox", source, "-n", "stats")
    peak_db = _statistic(report, "Pk lev dB")
    if peak_db is None or peak_db < _SILENT_DB:
        raise ConfigError([f"{source}: is silent"])
    flatness_db = _statistic(report, "Flat factor") or 0.0
    peaks = _statistic(report, "Pk count") or 0.0
    is_full = peak_db >= _FULL_PEAK_DB
    limit_db = _CLIPPED_FLATNESS_DB_AT_FULL if is_full else _CLIPPED_FLATNESS_DB
    if peak_db > _CLIPPED_PEAK_DB and flatness_db >= limit_db and peaks > _CLIPPED_PEAKS:
        raise ConfigError(
            [
                f"{source}: is clipped: {peaks:.0f} peaks are cut flat at {peak_db:.1f} dB; record "
                "it again with less gain"
            ]
        )


def _refuse_length(sound: Sound, source: Path) -> None:
    if sound.loudness_db < _SILENT_DB:
        raise ConfigError([f"{source}: is silent"])
    if sound.seconds < SECONDS_MIN:
        raise ConfigError(
            [f"{source}: has only {sound.seconds:.2f} s of sound; {SECONDS_MIN} s is the least"]
        )
    if sound.seconds > SECONDS_MAX:
        raise ConfigError(
            [f"{source}: has {sound.seconds:.0f} s of sound; {SECONDS_MAX:.0f} s is the most"]
        )


def _statistic(report: str, name: str) -> float | None:
    """Return the overall value of a line of sox's stats; None for none, and for minus infinity."""
    found = re.search(rf"^{name}\s+(-?[\d.]+)([kM]?)", report, re.MULTILINE)
    if found is None:
        return None
    return float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]


def _windows(samples: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield the windows; a rest that is shorter only when it is the whole."""
    for start in range(0, max(len(samples) - _WINDOW + 1, min(len(samples), 1)), _WINDOW):
        yield samples[start : start + _WINDOW]


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude / _FULL_SCALE) if amplitude else -math.inf
