"""Any split of the bytes gives the same events and the same fault; quoting survives Asterisk."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from ivrd.agi.codec import (
    LINE_BYTES_MAX,
    AgiAnswer,
    AgiConnection,
    AgiEvent,
    AgiProtocolError,
    AgiRequest,
    NeedData,
    PeerClosed,
    ProtocolFault,
    command,
)

REQUEST = b"agi_network: yes\nagi_network_script: menu/main\nagi_uniqueid: 1.1\n\n"

lines = st.sampled_from(
    [
        b"agi_network_script: menu/main\n",
        b"agi_calleridname: \xc3\x85sa\xff\r\n",
        b"agi_a: " + b"x" * LINE_BYTES_MAX + b"\n",
        b"agi_b: " + b"x" * 4000 + b"\n",
        b"\n",
        b"\r\n",
        b"GET / HTTP/1.0\r\n",
        b"HANGUP\n",
        b"200 result=49 endpos=100\n",
        b"200 result=1 (x)\n",
        b"510 Invalid or unknown command\n",
        b"520-Usage\n",
        b" Usage: NOOP\n",
        b"520 End of proper usage.\n",
        b"".join(b"agi_h%d: x\n" % index for index in range(70)),
    ]
)
streams = st.one_of(
    st.lists(lines | st.binary(max_size=12), max_size=12).map(b"".join),
    st.lists(lines | st.binary(max_size=12), max_size=12).map(
        lambda rest: REQUEST + b"".join(rest)
    ),
)
cuts = st.lists(st.integers(0, 9000), max_size=12)


def read(pieces: list[bytes]) -> tuple[list[AgiEvent], ProtocolFault | None]:
    """Return all events and the fault at the end; a command is open whenever one may be."""
    connection = AgiConnection()
    events: list[AgiEvent] = []
    try:
        for piece in [piece for piece in pieces if piece]:
            connection.receive(piece)
            read_on(connection, events)
        connection.receive(b"")
        read_on(connection, events)
    except AgiProtocolError as error:
        return events, error.fault
    return events, None


def read_on(connection: AgiConnection, events: list[AgiEvent]) -> None:
    while not isinstance(event := connection.next_event(), NeedData):
        events.append(event)
        if isinstance(event, PeerClosed):
            return
        if isinstance(event, AgiRequest | AgiAnswer):
            connection.send(b"NOOP\n")


@given(stream=streams, cuts=cuts)
@example(stream=REQUEST + b"HANGUP\n200 result=0\n", cuts=list(range(80)))
def test_any_split_of_the_bytes_gives_the_same_result(stream: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert read(pieces) == read([stream])


@given(stream=streams)
def test_byte_by_byte_gives_the_same_result(stream: bytes) -> None:
    pieces = [stream[index : index + 1] for index in range(len(stream))]
    assert read(pieces) == read([stream])


@given(data=st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    read([data])
    read([REQUEST, data])


def words_as_asterisk_reads_them(line: str) -> list[str]:
    """A plain reading of `parse_args` in res_agi.c."""
    words: list[str] = []
    is_quoted = is_escaped = False
    is_between = True
    for character in line:
        if character == '"' and not is_escaped:
            is_quoted = not is_quoted
            if is_quoted and is_between:
                words.append("")
                is_between = False
        elif character in " \t" and not is_quoted and not is_escaped:
            is_between = True
        elif character == "\\" and not is_escaped:
            is_escaped = True
        else:
            if is_between:
                words.append("")
                is_between = False
            words[-1] += character
            is_escaped = False
    return words


@given(
    arguments=st.lists(
        st.text(
            st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from('"\\ ,='),
            max_size=40,
        ),
        max_size=5,
    )
)
def test_asterisk_reads_back_the_words_that_were_sent(arguments: list[str]) -> None:
    line = command("NOOP", *arguments).decode()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert words_as_asterisk_reads_them(line[:-1]) == ["NOOP", *arguments]
