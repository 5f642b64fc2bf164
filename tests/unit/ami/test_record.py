"""Masking, writing and reading of recordings."""

import re
from pathlib import Path

import pytest

from ivrd.ami.frames import END
from ivrd.ami.record import FICTION, Masker, Recorder, read_frames, replay
from ivrd.core.ids import SystemName
from tests.integration.scripted_ami import BANNER, event, hangup

FICTIONAL = re.compile(rb"(?:\+46|0046|46|0)(?:70174[0-9]{4}|8465004[0-9]{2})")


def test_the_fiction_series_are_those_of_the_regulator() -> None:
    assert FICTION[0] == "701740605"
    assert FICTION[94] == "701740699"
    assert FICTION[95] == "846500400"
    assert FICTION[-1] == "846500499"
    assert len(set(FICTION)) == 195


@pytest.mark.parametrize(
    "number", [b"0313900612", b"+46313900612", b"0046313900612", b"46313900612", b"0980319200"]
)
def test_a_number_is_replaced_wherever_it_stands(number: bytes) -> None:
    raw = (
        b"Event: VarSet\r\nCallerIDNum: %b\r\nChannel: PJSIP/%b-0001\r\nExten: %b\r\n"
        b"Value: <sip:%b@example.org>;x\r\nUniqueid: 1700000000.1" % ((number,) * 4)
    )
    masked = Masker().mask(raw)
    assert number not in masked
    assert len(set(FICTIONAL.findall(masked))) == 1
    assert masked.count(FICTIONAL.findall(masked)[0]) == 4
    assert b"Uniqueid: 1700000000.1" in masked


def test_the_same_person_has_the_same_number_in_every_form() -> None:
    masker = Masker()
    first = masker.mask(b"Event: X\r\nCallerIDNum: 0313900612")
    second = masker.mask(b"Event: X\r\nConnectedLineNum: +46313900612")
    other = masker.mask(b"Event: X\r\nCallerIDNum: 0313900613")
    assert first.endswith(b"0701740605")
    assert second.endswith(b"+46701740605")
    assert other.endswith(b"0701740606")


def test_a_number_learnt_late_is_masked_from_then_on_even_in_odd_places() -> None:
    masker = Masker()
    masker.mask(b"Event: X\r\nCallerIDNum: 48150")
    assert b"48150" not in masker.mask(b"Event: X\r\nChannel: PJSIP/48150-0001")


def test_short_internal_numbers_are_kept() -> None:
    raw = b"Event: X\r\nCallerIDNum: 1001\r\nExten: 8001"
    assert Masker().mask(raw) == raw


def test_names_are_replaced_but_not_in_what_the_parser_needs() -> None:
    raw = (
        "Event: X\r\nCallerIDName: Åsa Öberg\r\nDestConnectedLineName: Åsa Öberg\r\n"
        "Value: hello Åsa Öberg\r\nQueue: guides\r\nMemberName: Guide One"
    ).encode()
    masked = Masker().mask(raw)
    assert "Åsa".encode() not in masked
    assert masked.count(b"Name 1") == 3
    assert b"MemberName: Guide One" in masked


def test_masking_twice_changes_nothing_more() -> None:
    once = Masker().mask(b"Event: X\r\nCallerIDNum: 0313900612\r\nExten: 0313900612")
    assert Masker().mask(once) == once


def test_a_recording_reads_back_frame_by_frame(tmp_path: Path) -> None:
    stream = BANNER + event("X", CallerIDNum="0313900612") + hangup(1) + hangup(2)
    with Recorder(tmp_path / "a.ami") as recorder:
        for start in range(0, len(stream), 7):
            recorder.tap(stream[start : start + 7])
    assert recorder.frames_count == 3
    assert recorder.error is None
    frames = list(read_frames(tmp_path / "a.ami"))
    assert [frame + END for frame in frames[1:]] == [hangup(1), hangup(2)]
    assert b"0313900612" not in (tmp_path / "a.ami").read_bytes()
    assert (tmp_path / "a.ami").read_bytes().startswith(BANNER)


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.ami").write_bytes(b"")
    with pytest.raises(FileExistsError):
        Recorder(tmp_path / "a.ami")


def test_a_recording_without_a_snapshot_gives_its_events_as_they_come() -> None:
    raw = [hangup(number).removesuffix(END) for number in (1, 2)]
    events = list(replay(iter(raw), SystemName("pbx1")))
    assert [event.channel_id for event in events] == ["pbx1/1.1", "pbx1/1.2"]  # type: ignore[union-attr]
