"""What the lab phone says about its audio, and what it sends as audio and keys."""

import socket
import struct
import wave
from pathlib import Path

import pytest

from tests.lab.phone import audio
from tests.lab.phone.media import Media, event_packets
from tests.lab.phone.sdp import BadSdp, Direction, Sdp, answer_direction, parse_sdp

FULL = Sdp(host="127.0.0.1", port=4000)


def test_a_description_written_and_read_again_is_the_same() -> None:
    for direction in Direction:
        for payload in (101, 96, None):
            sdp = Sdp(host="127.0.0.1", port=4002, direction=direction, event_payload=payload)
            assert parse_sdp(sdp.to_bytes(session_id=1, version=2)) == sdp


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 4000 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n",
        b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"\xff\xfe",
    ],
)
def test_a_description_without_usable_audio_is_refused(body: bytes) -> None:
    with pytest.raises(BadSdp):
        parse_sdp(body)


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        (Direction.BOTH, Direction.BOTH, Direction.BOTH),
        (Direction.SEND, Direction.BOTH, Direction.RECEIVE),
        (Direction.RECEIVE, Direction.BOTH, Direction.SEND),
        (Direction.NONE, Direction.BOTH, Direction.NONE),
        (Direction.BOTH, Direction.SEND, Direction.SEND),
        (Direction.SEND, Direction.SEND, Direction.NONE),
    ],
)
def test_an_answer_never_promises_more_than_the_offer(
    offered: Direction, wanted: Direction, answered: Direction
) -> None:
    assert answer_direction(offered, wanted=wanted) is answered


def test_a_key_is_one_marked_start_growing_durations_and_three_equal_ends() -> None:
    packets = event_packets("#", payload=101, duration_s=0.1)
    parsed = [struct.unpack("!BBH", body) for _, body in packets]
    assert [second >> 7 for second, _ in packets] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert {second & 0x7F for second, _ in packets} == {101}
    assert [code for code, _, _ in parsed] == [11] * 8
    assert [flags >> 7 for _, flags, _ in parsed] == [0] * 5 + [1] * 3
    assert [duration for _, _, duration in parsed] == [160, 320, 480, 640, 800, 800, 800, 800]


def test_a_tone_saved_as_wav_and_read_again_is_the_same(tmp_path: Path) -> None:
    ulaw = audio.tone(440, 0.1) + audio.silence(0.05)
    audio.write_wav(tmp_path / "a.wav", ulaw)
    assert audio.read_wav(tmp_path / "a.wav") == ulaw


def test_a_wav_of_another_shape_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "b.wav"), "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(44_100)
        target.writeframes(b"\0" * 8)
    with pytest.raises(audio.BadAudio):
        audio.read_wav(tmp_path / "b.wav")


def recorded(tmp_path: Path, *packets: tuple[int, bytes]) -> bytes:
    """Send these as RTP, each with its stamp, and return the recording from its first sound."""
    media = Media("127.0.0.1", is_recording=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number, (stamp, ulaw) in enumerate(packets):
            header = struct.pack("!BBHI4s", 0x80, 0, number, stamp, b"here")
            sender.sendto(header + ulaw, ("127.0.0.1", media.port))
    assert media.drain() == len(packets)
    media.close()
    media.save_recording(tmp_path / "heard.wav")
    heard = audio.read_wav(tmp_path / "heard.wav")
    return heard[heard.index(packets[0][1]) :]


ONE, OTHER = audio.tone(440, 0.02), audio.tone(1000, 0.02)


def test_a_packet_that_was_not_sent_is_silence_of_its_length(tmp_path: Path) -> None:
    heard = recorded(tmp_path, (1000, ONE), (1480, OTHER))
    assert heard == ONE + audio.silence(0.04) + OTHER


def test_stamps_may_run_over_their_end(tmp_path: Path) -> None:
    assert recorded(tmp_path, (0xFFFFFFFF - 159, ONE), (0, OTHER)) == ONE + OTHER


def test_a_sender_that_begins_its_stamps_anew_is_still_recorded(tmp_path: Path) -> None:
    heard = recorded(tmp_path, (900_000, ONE), (160, OTHER), (320, ONE), (480, OTHER))
    assert heard.startswith(ONE)
    assert heard.endswith(OTHER + ONE + OTHER)
    assert len(heard) < audio.SAMPLES_PER_S
