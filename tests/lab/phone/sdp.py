"""The little SDP that these phones speak: one audio stream, µ-law, telephone-event.

Source: RFC 4566 (lines), RFC 3264 (offer, answer, directions, version), RFC 4733 (telephone-event).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

ULAW_PAYLOAD = 0
EVENT_PAYLOAD_OFFERED = 101


class Direction(StrEnum):
    """Who sends audio, seen from the side that wrote the description."""

    BOTH = "sendrecv"
    SEND = "sendonly"
    RECEIVE = "recvonly"
    NONE = "inactive"


_MIRRORED = {
    Direction.BOTH: Direction.BOTH,
    Direction.SEND: Direction.RECEIVE,
    Direction.RECEIVE: Direction.SEND,
    Direction.NONE: Direction.NONE,
}


class BadSdp(ValueError):
    """The description has no audio stream that these phones can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdp:
    """One side's description of the audio stream."""

    host: str
    port: int
    direction: Direction = Direction.BOTH
    event_payload: int | None = EVENT_PAYLOAD_OFFERED
    """The number that this side wants telephone-event packets under; None: it takes none."""

    def to_bytes(self, *, session_id: int, version: int) -> bytes:
        """Write the description; the version must grow with each change (RFC 3264 section 8)."""
        payloads = [str(ULAW_PAYLOAD)]
        attributes = ["a=rtpmap:0 PCMU/8000"]
        if self.event_payload is not None:
            payloads.append(str(self.event_payload))
            attributes.append(f"a=rtpmap:{self.event_payload} telephone-event/8000")
            attributes.append(f"a=fmtp:{self.event_payload} 0-16")
        lines = [
            "v=0",
            f"o=- {session_id} {version} IN IP4 {self.host}",
            "s=-",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {' '.join(payloads)}",
            *attributes,
            "a=ptime:20",
            f"a={self.direction.value}",
        ]
        return "\r\n".join([*lines, ""]).encode()


def parse_sdp(body: bytes) -> Sdp:
    """Read the first audio stream of a description."""
    text = body.decode(errors="replace")
    session, *streams = re.split(r"(?m)^(?=m=)", text)
    audio = next((stream for stream in streams if stream.startswith("m=audio ")), None)
    if audio is None:
        raise BadSdp(f"no audio stream in {text!r}")
    media = re.match(r"m=audio (\d{1,5})\S* RTP/AVP((?: \d{1,3})+)", audio)
    connection = re.search(r"(?m)^c=IN IP4 ([0-9.]+)", audio) or re.search(
        r"(?m)^c=IN IP4 ([0-9.]+)", session
    )
    if media is None or connection is None:
        raise BadSdp(f"no usable address or payloads in {text!r}")
    if str(ULAW_PAYLOAD) not in media.group(2).split() or media.group(1) == "0":
        raise BadSdp(f"the audio stream is closed or has no µ-law: {media.group(0)!r}")
    event = re.search(r"(?im)^a=rtpmap:(\d{1,3}) telephone-event/8000", audio)
    direction = re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\s*$", audio) or re.search(
        r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\s*$", session
    )
    return Sdp(
        host=connection.group(1),
        port=int(media.group(1)),
        direction=Direction(direction.group(1)) if direction else Direction.BOTH,
        event_payload=int(event.group(1)) if event else None,
    )


def answer_direction(offered: Direction, *, wanted: Direction) -> Direction:
    """Return the widest direction that both the offer and our own wish allow."""
    allowed = _MIRRORED[offered]
    sends = _sends(allowed) and _sends(wanted)
    receives = _receives(allowed) and _receives(wanted)
    if sends and receives:
        return Direction.BOTH
    if sends:
        return Direction.SEND
    return Direction.RECEIVE if receives else Direction.NONE


def _sends(direction: Direction) -> bool:
    return direction in (Direction.BOTH, Direction.SEND)


def _receives(direction: Direction) -> bool:
    return direction in (Direction.BOTH, Direction.RECEIVE)
