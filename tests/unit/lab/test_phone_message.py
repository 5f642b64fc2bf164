"""The SIP codec of the lab phone: whole messages, broken ones, and the way there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.phone.message import (
    BadMessage,
    Headers,
    Request,
    Response,
    address_uri,
    address_user,
    cseq,
    display_name,
    parameter,
    parse_message,
    quoted,
    response_to,
    top_branch,
)

INVITE = (
    b"INVITE sip:8100@127.0.0.1:5060 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1:5070;rport;branch=z9hG4bKabc, SIP/2.0/UDP 127.0.0.1;branch=z9old\r\n"
    b'f: "Citizen, One" <sip:0701740605@127.0.0.1>;tag=a1\r\n'
    b"t: <sip:8100@127.0.0.1>\r\n"
    b"i: x1@127.0.0.1\r\n"
    b"CSEQ: 7 INVITE\r\n"
    b"Subject: a long\r\n line\r\n"
    b"l: 4\r\n"
    b"\r\n"
    b"body"
)


def test_compact_forms_case_and_folded_lines_are_read() -> None:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("INVITE", "sip:8100@127.0.0.1:5060")
    assert message.headers.get("call-id") == "x1@127.0.0.1"
    assert message.headers.get("Subject") == "a long line"
    assert cseq(message.headers) == (7, "INVITE")
    assert top_branch(message.headers) == "z9hG4bKabc"
    assert message.body == b"body"


def test_bytes_after_the_content_length_are_dropped() -> None:
    assert parse_message(INVITE + b"more").body == b"body"


def test_without_content_length_the_rest_of_the_datagram_is_the_body() -> None:
    assert parse_message(INVITE.replace(b"l: 4\r\n", b"")).body == b"body"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\r\n\r\n",
        b"\x00\xff\xfe",
        b"INVITE sip:x SIP/2.0\r\nVia: x\r\n",
        b"INVITE sip:x SIP/3.0\r\n\r\n",
        b"INVITE  SIP/2.0\r\n\r\n",
        b"SIP/2.0 999 Odd\r\n\r\n",
        b"SIP/2.0 abc Odd\r\n\r\n",
        b"BYE sip:x SIP/2.0\r\nno colon here\r\n\r\n",
        b"BYE sip:x SIP/2.0\r\nX: a\nInjected: b\r\n\r\n",
        b"BYE sip:x SIP/2.0\r\nl: 5\r\n\r\nbody",
        b"BYE sip:x SIP/2.0\r\nl: -1\r\n\r\nbody",
        b"BYE sip:x SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\nbody",
        b"BYE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 201 + b"\r\n",
    ],
)
def test_what_is_not_one_whole_message_is_refused(datagram: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_message(datagram)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(datagram: bytes) -> None:
    try:
        parse_message(datagram)
    except BadMessage:
        return


@given(st.data())
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(INVITE) - 1))
    damage = data.draw(st.binary(max_size=4))
    try:
        parse_message(INVITE[:position] + damage + INVITE[position + 1 :])
    except BadMessage:
        return


TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-.!%*_+`'~", min_size=1, max_size=12)
VALUES = st.text(
    st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=30
).map(lambda text: text.strip(" \t"))
FIELDS = st.lists(
    st.tuples(TOKENS.filter(lambda name: name.lower() not in ("l", "content-length")), VALUES),
    max_size=8,
).map(Headers.of)
URIS = st.text("abc019:@;=?.%+", min_size=1, max_size=20).map(lambda rest: f"sip:{rest}")


@given(method=TOKENS, uri=URIS, headers=FIELDS, body=st.binary(max_size=50))
def test_a_request_written_and_read_again_is_the_same(
    method: str, uri: str, headers: Headers, body: bytes
) -> None:
    request = Request(method=method, uri=uri, headers=headers, body=body)
    assert parse_message(request.to_bytes()) == request


@given(status=st.integers(100, 699), reason=VALUES, headers=FIELDS, body=st.binary(max_size=50))
def test_a_response_written_and_read_again_is_the_same(
    status: int, reason: str, headers: Headers, body: bytes
) -> None:
    response = Response(status=status, reason=reason, headers=headers, body=body)
    assert parse_message(response.to_bytes()) == response


@pytest.mark.parametrize("evil", ["a\r\nEvil: 1", "a\nb", "a\0b"])
def test_a_value_cannot_bring_a_line_of_its_own(evil: str) -> None:
    with pytest.raises(BadMessage):
        Request(method="BYE", uri="sip:x", headers=Headers.of({"X": evil})).to_bytes()


def test_broken_utf8_in_a_name_survives_unchanged() -> None:
    name = b"\xc3\x28 broken".decode(errors="surrogateescape")
    sender = f"{quoted(name)} <sip:0701740605@127.0.0.1>"
    data = Request(method="BYE", uri="sip:x", headers=Headers.of({"From": sender})).to_bytes()
    assert b"\xc3\x28 broken" in data
    assert display_name(parse_message(data).headers.require("From")) == name


@given(VALUES)
def test_any_display_name_stays_inside_its_quotes(name: str) -> None:
    value = f"{quoted(name)} <sip:0701740605@127.0.0.1:5070>;tag=t1"
    assert display_name(value) == name
    assert address_user(value) == "0701740605"
    assert parameter(value, "tag") == "t1"


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("<sip:a@b>;tag=1", "sip:a@b"),
        ("sip:a@b;tag=1", "sip:a@b"),
        ('"<sip:x@y>" <sip:a@b:1;transport=udp>', "sip:a@b:1;transport=udp"),
    ],
)
def test_the_uri_of_an_address_is_found(value: str, uri: str) -> None:
    assert address_uri(value) == uri


def test_a_response_copies_the_vias_and_adds_one_tag_only() -> None:
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    first = response_to(request, 180, to_tag="t9")
    assert first.headers.get_all("Via") == request.headers.get_all("Via")
    assert parameter(first.headers.require("To"), "tag") == "t9"
    tagged = Headers.of([(n, f"{v};tag=z") if n == "To" else (n, v) for n, v in request.headers])
    again = response_to(Request(method="BYE", uri="sip:x", headers=tagged), 200, to_tag="t9")
    assert parameter(again.headers.require("To"), "tag") == "z"
