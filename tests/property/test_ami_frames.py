"""Any split of the bytes gives the same frames; no bytes make framing, parsing or masking raise."""

import contextlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ivrd.ami.frames import END, FRAME_BYTES_MAX, Framer, event_name
from ivrd.ami.headers import MessageRefused
from ivrd.ami.parse import WANTED, parse
from ivrd.ami.record import Masker, replay
from ivrd.ami.replies import command_names, reply
from ivrd.ami.snapshot import snapshot
from ivrd.core.ids import SystemName

HEAD = b"Event: %s\r\nPrivilege: call,all\r\nTimestamp: 1700000000.500000\r\n"
BLOCK = (
    b"Language: sv\r\nAccountCode: \r\nContext: c\r\nExten: 1\r\nPriority: 1\r\n"
    b"Uniqueid: 1.1\r\nLinkedid: 1.1\r\n"
)
PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"\n",
        END,
        b"Event: ",
        b"Hangup",
        b"\r\nTimestamp: 1700000000.5",
        b"\r\nUniqueid: 1.1",
        b"\r\nUniqueid: ",
        b"\r\nCause: ",
        b"\r\nQueue: guides",
        b"Asterisk Call Manager/11",
        b"Response: Success",
        b"\r\nActionID: x",
        "\r\nCallerIDName: Å".encode(),
        b"\xc3",
        b"x" * 300,
    ]
)
STREAMS = st.one_of(st.binary(max_size=400), st.lists(PIECES, max_size=30).map(b"".join))
AT = datetime(2026, 1, 1, tzinfo=UTC)
SYSTEM = SystemName("pbx1")


@given(STREAMS, st.data(), st.booleans())
def test_any_split_gives_the_same_frames(data: bytes, draw: st.DataObject, banner: bool) -> None:
    whole, parts = Framer(has_banner=banner), Framer(has_banner=banner)
    expected = whole.feed(data)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        found += parts.feed(data[start:end])
    assert found == expected
    assert parts.banner == whole.banner


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(1, 40_000))
def test_frames_of_any_size_around_the_bound_are_cut_alike(sizes: list[int], step: int) -> None:
    bodies = [b"x" * (FRAME_BYTES_MAX - 1 + size) for size in sizes]
    data = b"".join(body + END for body in bodies) + b"tail" + END
    framer = Framer(has_banner=False)
    found = [
        frame
        for start in range(0, len(data), step + 4096)
        for frame in framer.feed(data[start : start + step + 4096])
    ]
    assert found == [body for body in bodies if len(body) <= FRAME_BYTES_MAX] + [b"tail"]
    assert framer.oversized_count == sum(len(body) > FRAME_BYTES_MAX for body in bodies)


@given(STREAMS, st.sampled_from(sorted(WANTED)))
def test_parsing_gives_an_event_or_a_refusal(data: bytes, name: bytes) -> None:
    for raw in (data, HEAD % name + data, HEAD % name + BLOCK + data):
        with contextlib.suppress(MessageRefused):
            parse(SYSTEM, name, raw)


@given(st.lists(st.tuples(PIECES, PIECES), max_size=8))
def test_lists_give_a_snapshot_or_a_refusal(items: list[tuple[bytes, bytes]]) -> None:
    raw = [b"".join(item) for item in items]
    with contextlib.suppress(MessageRefused):
        snapshot(at=AT, system=SYSTEM, queue_items=raw, channel_items=raw, can_withdraw=False)


@given(STREAMS)
def test_answers_masks_and_replays_take_any_bytes(data: bytes) -> None:
    command_names(reply(data))
    masked = Masker().mask(data)
    assert event_name(masked) == event_name(data)
    list(replay(iter(data.split(END)), SYSTEM))


@given(STREAMS)
def test_masking_keeps_the_framing(data: bytes) -> None:
    frames = Framer(has_banner=False).feed(data + END)
    masker = Masker()
    masked = b"".join(masker.mask(frame) + END for frame in frames)
    assert len(Framer(has_banner=False).feed(masked)) == len(frames)
