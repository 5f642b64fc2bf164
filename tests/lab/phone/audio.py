"""µ-law audio as bytes: tones, silence and wav files, 8 kHz, one byte a sample.

Written out here because the standard `audioop` module is deprecated and warns. Source: ITU-T G.711.
"""

from __future__ import annotations

import math
import struct
import wave
from functools import cache
from pathlib import Path

SAMPLES_PER_S = 8000
SILENCE_BYTE = 0xFF
_BIAS = 0x84
_CLIP = 32_635
_TONE_AMPLITUDE = 8000
"""About -12 dBFS, the level of a loud voice."""


class BadAudio(ValueError):
    """The wav file is not 8 kHz, mono, 16 bit."""


def _encode_sample(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | (exponent << 4) | mantissa) & 0xFF


def _decode_sample(code: int) -> int:
    inverted = ~code & 0xFF
    exponent, mantissa = (inverted >> 4) & 0x07, inverted & 0x0F
    magnitude = (((mantissa << 3) + _BIAS) << exponent) - _BIAS
    return -magnitude if inverted & 0x80 else magnitude


@cache
def _encode_table() -> bytes:
    """By a sample's 16 bits, read as a number from 0."""
    return bytes(_encode_sample(bits - (bits >> 15 << 16)) for bits in range(1 << 16))


@cache
def _decode_table() -> tuple[int, ...]:
    return tuple(_decode_sample(code) for code in range(256))


def silence(duration_s: float) -> bytes:
    """Return that much silence."""
    return bytes([SILENCE_BYTE]) * round(duration_s * SAMPLES_PER_S)


def tone(frequency_hz: float, duration_s: float) -> bytes:
    """Return a sine tone."""
    step = 2 * math.pi * frequency_hz / SAMPLES_PER_S
    return bytes(
        _encode_sample(round(_TONE_AMPLITUDE * math.sin(step * index)))
        for index in range(round(duration_s * SAMPLES_PER_S))
    )


def read_wav(path: Path) -> bytes:
    """Read an 8 kHz mono 16 bit wav file as µ-law."""
    with wave.open(str(path), "rb") as source:
        shape = (source.getframerate(), source.getnchannels(), source.getsampwidth())
        if shape != (SAMPLES_PER_S, 1, 2):
            raise BadAudio(f"{path} must be 8000 Hz, 1 channel, 2 bytes a sample, it is {shape}")
        frames = source.readframes(source.getnframes())
    table = _encode_table()
    return bytes(table[bits] for (bits,) in struct.iter_unpack("<H", frames))


def write_wav(path: Path, ulaw: bytes) -> None:
    """Write µ-law as an 8 kHz mono 16 bit wav file."""
    table = _decode_table()
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLES_PER_S)
        target.writeframes(struct.pack(f"<{len(ulaw)}h", *(table[code] for code in ulaw)))
