"""What the lab phone notes of the stretches in which nothing was sent."""

from pathlib import Path

from tests.lab.phone import audio
from tests.lab.phone.recording import Recording, Stretch, read_unsent

SOUND, OTHER = audio.tone(440, 0.02), audio.tone(1000, 0.02)

FIRST = 800
"""The first packet arrives 0.1 s after the call began."""

BEFORE: Stretch = (0, FIRST)


def unsent(tmp_path: Path, *packets: tuple[int, int], keys: tuple[int, ...] = ()) -> list[Stretch]:
    """Record packets by number and stamp, keys by number only; return what is noted."""
    recording = Recording()
    for number, stamp in packets:
        for key in keys:
            if key == number - 1:
                recording.skip(b"here", number=key)
        recording.take(b"here", SOUND, number=number, stamp=stamp, arrived_s=0.1)
    recording.save(tmp_path / "heard.wav")
    return read_unsent(tmp_path / "heard.wav")


def test_a_stamp_that_jumps_without_a_missing_number_is_noted(tmp_path: Path) -> None:
    assert unsent(tmp_path, (7, 0), (8, 160), (9, 1120)) == [BEFORE, (FIRST + 320, FIRST + 1120)]


def test_a_lost_packet_is_not(tmp_path: Path) -> None:
    assert unsent(tmp_path, (7, 0), (9, 320)) == [BEFORE]


def test_nor_one_that_comes_late(tmp_path: Path) -> None:
    assert unsent(tmp_path, (7, 0), (9, 320), (8, 160), (10, 480)) == [BEFORE]


def test_a_key_takes_a_number(tmp_path: Path) -> None:
    noted = unsent(tmp_path, (7, 0), (9, 1120), keys=(8,))
    assert noted == [BEFORE, (FIRST + 160, FIRST + 1120)]


def test_a_short_packet_that_is_stamped_into_the_one_before_comes_behind_it(tmp_path: Path) -> None:
    recording = Recording()
    sent = ((SOUND, 0), (OTHER[:28], 28), (SOUND, 188), (OTHER, 348))
    for number, (ulaw, stamp) in enumerate(sent):
        recording.take(b"here", ulaw, number=number, stamp=stamp, arrived_s=0.1)
    recording.save(tmp_path / "heard.wav")
    heard = audio.read_wav(tmp_path / "heard.wav")
    assert heard[FIRST:] == SOUND + OTHER[:28] + SOUND + OTHER
    assert read_unsent(tmp_path / "heard.wav") == [BEFORE]


def test_numbers_may_run_over_their_end(tmp_path: Path) -> None:
    noted = unsent(tmp_path, (0xFFFF, 0), (0, 160), (1, 960))
    assert noted == [BEFORE, (FIRST + 320, FIRST + 960)]


def test_another_sender_begins_with_its_own_number(tmp_path: Path) -> None:
    recording = Recording()
    recording.take(b"here", SOUND, number=7, stamp=0, arrived_s=0.1)
    recording.take(b"else", SOUND, number=90, stamp=5, arrived_s=0.2)
    recording.take(b"else", SOUND, number=91, stamp=165, arrived_s=0.2)
    recording.save(tmp_path / "heard.wav")
    assert read_unsent(tmp_path / "heard.wav") == [BEFORE, (FIRST + 160, 1600)]
    assert recording.length_s == 0.24


def test_a_wav_file_without_a_note_was_sent_all(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "tone.wav", SOUND)
    assert read_unsent(tmp_path / "tone.wav") == []
