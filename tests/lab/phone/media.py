"""The RTP side of one call: keys as RFC 4733 events, audio on request, and what was heard.

Nothing is sent unless asked, and what comes in is fetched in batches by the phone's one drain task,
not packet by packet, so that a hundred calls listening to music on hold cost next to nothing.
Source: RFC 3550 (RTP header), RFC 4733 sections 2.3 and 2.5 (events).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.phone import audio
from tests.lab.phone.recording import Recording
from tests.lab.phone.sdp import ULAW_PAYLOAD, Sdp

FRAME_S = 0.02
FRAME_SAMPLES = 160
EVENT_ENDS = 3
"""RFC 4733 2.5.1.4: the last packet of an event is sent three times, against loss."""
KEY_S = 0.1
"""Long enough for every detector (40 ms is the least), short enough for quick tests."""
DRAIN_PACKETS_MAX = 500
"""More than the kernel's buffer holds between two drains, so one call cannot starve the others."""
_KEYS = "0123456789*#ABCD"
_PACKET_BYTES_MAX = 2048


def event_packets(key: str, *, payload: int, duration_s: float) -> tuple[tuple[int, bytes], ...]:
    """Return (second header byte, body) of each packet of one key press, 20 ms apart."""
    code = _KEYS.index(key)
    steps = max(1, round(duration_s / FRAME_S))
    packets = []
    for step in range(1, steps + 1):
        marker = 0x80 if step == 1 else 0
        packets.append((marker | payload, struct.pack("!BBH", code, 10, step * FRAME_SAMPLES)))
    end = (payload, struct.pack("!BBH", code, 0x80 | 10, steps * FRAME_SAMPLES))
    return (*packets, *([end] * EVENT_ENDS))


@dataclass(slots=True)
class Heard:
    """What came in on a call so far."""

    packets: int = 0
    audio_packets: int = 0
    keys: list[str] = field(default_factory=list)
    first_at: float | None = None
    """Monotonic time of the first packet, as exact as the drain's pace; None: nothing came."""
    _last_event: int | None = None


class Media:
    """One RTP socket."""

    def __init__(self, host: str, *, is_recording: bool) -> None:
        self.host = host
        self.heard = Heard()
        self.remote: Sdp | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self.session_id = secrets.randbits(31)
        self._version = 0
        self._ssrc = secrets.token_bytes(4)
        self._sequence = secrets.randbits(15)
        self._timestamp_base = secrets.randbits(31)
        self._born_at = time.monotonic()
        self._is_pressing = False
        self._recording = Recording() if is_recording else None

    def describe(self, local: Sdp) -> bytes:
        """Write our description under the next version number."""
        self._version += 1
        return local.to_bytes(session_id=self.session_id, version=self._version)

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._socket.close()

    @property
    def is_closed(self) -> bool:
        """Whether the port was given back."""
        return self._socket.fileno() == -1

    def _send(self, second_byte: int, *, timestamp: int, body: bytes) -> None:
        if self.remote is None or self.is_closed:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        header = struct.pack("!BBHI", 0x80, second_byte, self._sequence, timestamp & 0xFFFFFFFF)
        try:
            self._socket.sendto(header + self._ssrc + body, (self.remote.host, self.remote.port))
        except (BlockingIOError, ConnectionError):
            return  # RTP may be lost: a full buffer, or the other side's port is closed already.

    def _now(self) -> int:
        return self._timestamp_base + round(
            (time.monotonic() - self._born_at) * audio.SAMPLES_PER_S
        )

    async def press(self, key: str, *, duration_s: float = KEY_S) -> None:
        """Send one key as RFC 4733 packets; audio pauses meanwhile, as on a real phone."""
        payload = self.remote.event_payload if self.remote else None
        if payload is None:
            raise ValueError("the other side takes no telephone-event packets, press with INFO")
        timestamp = self._now()
        self._is_pressing = True
        try:
            pace = _Pace()
            for second_byte, body in event_packets(key, payload=payload, duration_s=duration_s):
                self._send(second_byte, timestamp=timestamp, body=body)
                await pace.next_frame()
        finally:
            self._is_pressing = False

    async def say(self, ulaw: bytes) -> None:
        """Send audio at its own pace, 20 ms a packet."""
        pace = _Pace()
        start = self._now()
        for offset in range(0, len(ulaw), FRAME_SAMPLES):
            body = ulaw[offset : offset + FRAME_SAMPLES]
            if not self._is_pressing:
                marker = 0x80 if offset == 0 else 0
                self._send(marker | ULAW_PAYLOAD, timestamp=start + offset, body=body)
            await pace.next_frame()

    def drain(self) -> int:
        """Take what the kernel holds for us; returns how many packets that was."""
        if self.is_closed:
            return 0
        for count in range(DRAIN_PACKETS_MAX):
            try:
                packet = self._socket.recv(_PACKET_BYTES_MAX)
            except BlockingIOError:
                return count
            except ConnectionError:
                continue  # An ICMP answer to something that we sent to a closed port.
            self._take(packet)
        return DRAIN_PACKETS_MAX

    def _take(self, packet: bytes) -> None:
        if len(packet) < 12 or packet[0] >> 6 != 2 or 200 <= packet[1] <= 211:
            return  # Not RTP, or RTCP of a neighbour: it is sent to the port above the audio.
        heard = self.heard
        heard.packets += 1
        if heard.first_at is None:
            heard.first_at = time.monotonic()
        start = 12 + 4 * (packet[0] & 0x0F)
        payload = packet[1] & 0x7F
        number, timestamp, source = struct.unpack_from("!HI4s", packet, 2)
        if payload == ULAW_PAYLOAD:
            heard.audio_packets += 1
            if self._recording is not None:
                arrived_s = time.monotonic() - self._born_at
                sound = packet[start:]
                self._recording.take(
                    source, sound, number=number, stamp=timestamp, arrived_s=arrived_s
                )
            return
        if self._recording is not None:
            self._recording.skip(source, number=number)
        if payload >= 96 and len(packet) >= start + 4:
            self._take_event(packet[start], flags=packet[start + 1], timestamp=timestamp)

    def _take_event(self, code: int, *, flags: int, timestamp: int) -> None:
        if flags & 0x80 and timestamp != self.heard._last_event and code < len(_KEYS):
            self.heard._last_event = timestamp
            self.heard.keys.append(_KEYS[code])

    @property
    def recorded_s(self) -> float:
        """How much of the call is recorded so far; ValueError when none is."""
        return self._recorded().length_s

    def save_recording(self, path: Path) -> float:
        """Write what was heard, as recording.py says; returns its length in seconds."""
        recording = self._recorded()
        recording.save(path)
        return recording.length_s

    def _recorded(self) -> Recording:
        if self._recording is None:
            raise ValueError("this call was not recorded, ask for it when the phone is made")
        return self._recording


class _Pace:
    """Twenty milliseconds a step from a fixed start, so that lateness does not add up."""

    def __init__(self) -> None:
        self._next_at = time.monotonic()

    async def next_frame(self) -> None:
        self._next_at += FRAME_S
        await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
