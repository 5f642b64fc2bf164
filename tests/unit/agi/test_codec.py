"""The FastAGI codec, each input whole, byte by byte, and with trailing bytes (h11's method)."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from ivrd.agi.codec import (
    COMMAND_BYTES_MAX,
    HEADER_COUNT_MAX,
    LINE_BYTES_MAX,
    NEED_DATA,
    USAGE_BYTES_MAX,
    AgiAnswer,
    AgiConnection,
    AgiEvent,
    AgiProtocolError,
    AgiRequest,
    HangupNoticed,
    NeedData,
    PeerClosed,
    ProtocolFault,
    command,
    set_variable,
    set_variables,
    stream_file,
    wait_for_digit,
)
from ivrd.errors import IvrdBug

REQUEST = (
    b"agi_network: yes\nagi_network_script: menu/main\nagi_request: agi://127.0.0.1:4573/menu/main\n"
    b"agi_channel: PJSIP/trunk-00000001\nagi_uniqueid: 1732212.7\nagi_callerid: 0701740612\n"
    b"agi_calleridname: \xc3\x85sa \xff\nagi_accountcode: \nagi_arg_1: one\nagi_arg_2: two\n\n"
)


def whole(connection: AgiConnection, data: bytes) -> list[AgiEvent]:
    connection.receive(data)
    return drain(connection)


def byte_by_byte(connection: AgiConnection, data: bytes) -> list[AgiEvent]:
    events = []
    for index in range(len(data)):
        connection.receive(data[index : index + 1])
        events += drain(connection)
    return events


def drain(connection: AgiConnection) -> list[AgiEvent]:
    events: list[AgiEvent] = []
    while not isinstance(event := connection.next_event(), NeedData):
        events.append(event)
        if isinstance(event, PeerClosed):
            break
    return events


@pytest.fixture(params=[whole, byte_by_byte])
def feed(request: pytest.FixtureRequest) -> Callable[[AgiConnection, bytes], list[AgiEvent]]:
    return request.param


FeedEvents = Callable[[AgiConnection, bytes], list[AgiEvent]]


def opened() -> AgiConnection:
    connection = AgiConnection()
    assert len(whole(connection, REQUEST)) == 1
    return connection


def asked() -> AgiConnection:
    connection = opened()
    connection.send(b"NOOP\n")
    return connection


def fault_of(connection: AgiConnection, feed: FeedEvents, data: bytes) -> ProtocolFault:
    with pytest.raises(AgiProtocolError) as caught:
        feed(connection, data)
    return caught.value.fault


# The request.


def test_a_request_is_read(feed: FeedEvents) -> None:
    [request] = feed(AgiConnection(), REQUEST)
    assert isinstance(request, AgiRequest)
    assert request.script == "menu/main"
    assert request.args == ("one", "two")
    assert request.uniqueid == "1732212.7"
    assert request.headers["agi_accountcode"] == ""


def test_broken_utf8_in_a_callers_name_is_replaced(feed: FeedEvents) -> None:
    [request] = feed(AgiConnection(), REQUEST)
    assert isinstance(request, AgiRequest)
    assert request.headers["agi_calleridname"] == "Åsa \ufffd"


def test_a_request_does_not_show_its_caller_when_printed(feed: FeedEvents) -> None:
    [request] = feed(AgiConnection(), REQUEST)
    assert "0701740612" not in repr(request)
    assert "sa" not in repr(request).replace("script", "")


def test_a_hangup_right_after_the_request_is_trailing_and_kept(feed: FeedEvents) -> None:
    request, hangup = feed(AgiConnection(), REQUEST + b"HANGUP\n")
    assert isinstance(request, AgiRequest)
    assert hangup == HangupNoticed()


def test_a_url_without_a_path_gives_an_empty_script(feed: FeedEvents) -> None:
    [request] = feed(AgiConnection(), b"agi_network: yes\n\n")
    assert isinstance(request, AgiRequest)
    assert request.script == ""


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"\n", b"\x00" * 50, b"agi_x\n", b"a b\n"],
)
def test_garbage_is_refused(feed: FeedEvents, garbage: bytes) -> None:
    assert fault_of(AgiConnection(), feed, garbage) is ProtocolFault.NOT_AGI


def test_garbage_is_refused_at_its_first_bytes_without_a_newline() -> None:
    assert fault_of(AgiConnection(), whole, b"G") is ProtocolFault.NOT_AGI


def test_ten_thousand_header_lines_are_refused(feed: FeedEvents) -> None:
    flood = b"".join(b"agi_h%d: x\n" % index for index in range(10_000))
    assert fault_of(AgiConnection(), feed, flood) is ProtocolFault.TOO_MANY_HEADERS


def test_the_last_header_that_is_allowed_is_allowed(feed: FeedEvents) -> None:
    full = b"".join(b"agi_h%d: x\n" % index for index in range(HEADER_COUNT_MAX))
    [request] = feed(AgiConnection(), full + b"\n")
    assert isinstance(request, AgiRequest)


def test_a_line_that_never_ends_is_refused(feed: FeedEvents) -> None:
    endless = b"agi_calleridname: " + b"x" * LINE_BYTES_MAX
    assert fault_of(AgiConnection(), feed, endless) is ProtocolFault.LINE_TOO_LONG


def test_a_request_of_too_many_bytes_is_refused(feed: FeedEvents) -> None:
    lines = b"".join(b"agi_h%d: %s\n" % (index, b"x" * 4000) for index in range(6))
    assert fault_of(AgiConnection(), feed, lines) is ProtocolFault.REQUEST_TOO_LONG


def test_a_callers_name_cannot_replace_the_path(feed: FeedEvents) -> None:
    forged = (
        b"agi_network: yes\nagi_network_script: menu/main\n"
        b"agi_calleridname: x\nagi_network_script: menu/other\n\n"
    )
    assert fault_of(AgiConnection(), feed, forged) is ProtocolFault.REPEATED_HEADER


def test_a_name_that_ends_the_request_early_is_refused_before_it_can_answer(
    feed: FeedEvents,
) -> None:
    forged = b"agi_network_script: menu/main\nagi_calleridname: x\n\n200 result=49\n"
    assert fault_of(AgiConnection(), feed, forged) is ProtocolFault.ANSWER_WITHOUT_COMMAND


def test_a_request_cut_short_is_told_apart_from_a_probe() -> None:
    probe = AgiConnection()
    probe.receive(b"")
    assert probe.next_event() == PeerClosed()
    cut = AgiConnection()
    cut.receive(b"agi_network: y")
    assert cut.next_event() is NEED_DATA
    cut.receive(b"")
    with pytest.raises(AgiProtocolError) as caught:
        cut.next_event()
    assert caught.value.fault is ProtocolFault.CUT_SHORT


# Answers.


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"200 result=1", AgiAnswer(code=200, result=1)),
        (b"200 result=-1", AgiAnswer(code=200, result=-1)),
        (b"200 result=49 endpos=12320", AgiAnswer(code=200, result=49, endpos=12320)),
        (b"200 result=-1 endpos=0", AgiAnswer(code=200, result=-1, endpos=0)),
        (b"200 result=1 (main (a))", AgiAnswer(code=200, result=1, value="main (a)")),
        (b"200 result=0\r", AgiAnswer(code=200, result=0)),
        (b"510 Invalid or unknown command", AgiAnswer(code=510, result=None)),
        (b"511 Command Not Permitted on a dead channel", AgiAnswer(code=511, result=None)),
        (b"520 Invalid command syntax.", AgiAnswer(code=520, result=None)),
        (
            b"520-Invalid command syntax.  Proper usage follows:\n Usage: NOOP\n\n200 x\n"
            b"520 End of proper usage.",
            AgiAnswer(code=520, result=None),
        ),
    ],
)
def test_an_answer_is_read(feed: FeedEvents, line: bytes, answer: AgiAnswer) -> None:
    assert feed(asked(), line + b"\n") == [answer]
    assert feed(asked(), line + b"\nHANGUP\n") == [answer, HangupNoticed()]


def test_hangup_before_the_answers_does_not_shift_them_by_one(feed: FeedEvents) -> None:
    connection = asked()
    assert feed(connection, b"HANGUP\n511 Command Not Permitted\n") == [
        HangupNoticed(),
        AgiAnswer(code=511, result=None),
    ]
    connection.send(b"NOOP\n")
    assert feed(connection, b"200 result=0\n") == [AgiAnswer(code=200, result=0)]


@pytest.mark.parametrize(
    "line",
    [
        b"agi_callingpres: 0",
        b"200",
        b"200 result=",
        b"200 result=1x",
        b"2000 result=1",
        b"300 result=1",
        b"",
        b"hangup",
        b"200 result=99999999999999",
    ],
)
def test_a_line_that_is_no_answer_is_refused(feed: FeedEvents, line: bytes) -> None:
    assert fault_of(asked(), feed, line + b"\n") is ProtocolFault.NOT_AN_ANSWER


def test_an_answer_to_no_command_is_refused(feed: FeedEvents) -> None:
    fault = fault_of(asked(), feed, b"200 result=0\n200 result=0\n")
    assert fault is ProtocolFault.ANSWER_WITHOUT_COMMAND


def test_a_usage_text_without_end_is_refused() -> None:
    endless = b"520-usage\n" + b"line\n" * (USAGE_BYTES_MAX // 4)
    assert fault_of(asked(), whole, endless) is ProtocolFault.USAGE_TOO_LONG


def test_an_answer_cut_by_the_end_of_the_stream_is_the_end(feed: FeedEvents) -> None:
    connection = asked()
    assert feed(connection, b"200 resu") == []
    connection.receive(b"")
    assert connection.next_event() == PeerClosed()
    assert connection.next_event() == PeerClosed()


def test_two_commands_at_once_are_our_bug() -> None:
    connection = asked()
    with pytest.raises(IvrdBug, match="was not answered"):
        connection.send(b"NOOP\n")


def test_a_long_line_byte_by_byte_costs_no_square_of_its_length() -> None:
    """Without remembering where the search stopped, this takes more than ten times as long."""
    line = b"agi_calleridname: " + b"x" * 4000
    started_s = time.thread_time()
    assert byte_by_byte(AgiConnection(), line) == []
    assert time.thread_time() - started_s < 1


# Commands.


def test_commands_are_quoted() -> None:
    assert set_variable("TIMEOUT(absolute)", "300") == b'SET VARIABLE "TIMEOUT(absolute)" "300"\n'
    assert stream_file("ivrd/welcome", "12#") == b'STREAM FILE "ivrd/welcome" "12#"\n'
    assert wait_for_digit(timedelta(seconds=2.5)) == b'WAIT FOR DIGIT "2500"\n'
    assert set_variables({"A": "1", "B": "", "C": "#"}) == b'EXEC "MSet" "A=1,B=,C=#"\n'


def test_quotes_and_backslashes_are_escaped() -> None:
    assert command("NOOP", 'a "b" \\ c', "") == b'NOOP "a \\"b\\" \\\\ c" ""\n'


@pytest.mark.parametrize(
    "character", ["\r", "\n", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\udc80"]
)
def test_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(IvrdBug, match="control character"):
        command("NOOP", f"a{character}b")


def test_a_line_that_asterisk_would_cut_is_refused() -> None:
    frame = len(command("NOOP", ""))
    assert len(command("NOOP", "x" * (COMMAND_BYTES_MAX - frame))) == COMMAND_BYTES_MAX
    with pytest.raises(IvrdBug, match="2048 bytes"):
        command("NOOP", "x" * (COMMAND_BYTES_MAX - frame + 1))


def test_the_labels_of_targets_are_taken_literally() -> None:
    line = set_variables({"A": "number:+46846500405", "B": "say:ivrd/tider_1", "C": "*#"})
    assert line == b'EXEC "MSet" "A=number:+46846500405,B=say:ivrd/tider_1,C=*#"\n'


@pytest.mark.parametrize("value", ["a,B=2", "a=b", "${X}", "a b", "(", '"', "\\", "å"])
def test_a_value_that_mset_would_not_take_literally_is_refused(value: str) -> None:
    with pytest.raises(IvrdBug, match="not a plain channel variable"):
        set_variables({"A": value})


def test_a_name_that_mset_would_not_take_literally_is_refused() -> None:
    with pytest.raises(IvrdBug, match="not a plain channel variable"):
        set_variables({"TIMEOUT(absolute)": "0"})
