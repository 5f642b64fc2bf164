"""Signatures, against the standard's own vector and whatever else may come."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.config.handover import signing_fault
from ivrd.handover.signing import SignatureRefused, new_secret, sign, verify

VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_AT = datetime.fromtimestamp(1614265330, UTC)
OLD, NEW, OTHER = new_secret(), new_secret(), new_secret()


def test_the_standards_own_example_is_signed_as_it_says() -> None:
    headers = sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", VECTOR_AT, b'{"test": 2432232314}', [VECTOR_SECRET]
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(st.binary(max_size=200))
def test_what_is_signed_is_verified_and_names_its_id(body: bytes) -> None:
    headers = sign("key", VECTOR_AT, body, [NEW])
    assert verify(headers, body, [NEW], now=VECTOR_AT) == "key"


@pytest.mark.parametrize(("signs", "knows"), [([OLD, NEW], [OLD]), ([NEW], [OLD, NEW])])
def test_while_a_secret_is_changed_either_side_may_be_first(
    signs: list[str], knows: list[str]
) -> None:
    headers = sign("key", VECTOR_AT, b"{}", signs)
    assert verify(headers, b"{}", knows, now=VECTOR_AT) == "key"


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"webhook-id": "another"}, "no signature fits"),
        ({"webhook-signature": "v1,"}, "no signature fits"),
        ({"webhook-signature": "v1a,g0hM åäö"}, "no signature fits"),
        ({"webhook-signature": ""}, "are needed"),
        ({"webhook-timestamp": "1614265331"}, "no signature fits"),
        ({"webhook-timestamp": "1614265030"}, "no signature fits"),
        ({"webhook-timestamp": "1614265029"}, "more than 300 s from now"),
        ({"webhook-timestamp": "1614265631"}, "more than 300 s from now"),
        ({"webhook-timestamp": "soon"}, "must be whole seconds"),
        ({"webhook-timestamp": "9" * 400}, "must be whole seconds"),
    ],
)
def test_what_was_changed_or_is_too_old_is_refused(change: dict[str, str], because: str) -> None:
    headers = {**sign("key", VECTOR_AT, b"{}", [NEW]), **change}
    with pytest.raises(SignatureRefused, match=because):
        verify(headers, b"{}", [NEW], now=VECTOR_AT)


def test_another_body_secret_or_missing_header_is_refused() -> None:
    headers = sign("key", VECTOR_AT, b"{}", [NEW])
    for given_headers, body, keys in (
        (headers, b"{} ", [NEW]),
        (headers, b"{}", [OTHER]),
        (headers, b"{}", []),
        ({}, b"{}", [NEW]),
    ):
        with pytest.raises(SignatureRefused):
            verify(given_headers, body, keys, now=VECTOR_AT + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        (VECTOR_SECRET, None),
        ("hush", "must begin with whsec_"),
        ("whsec_åäö", "must be base64"),
        ("whsec_AAAA", "must be of 24 to 64 bytes, and is of 3"),
    ],
)
def test_a_secret_that_the_standard_does_not_know_is_a_fault(
    secret: str, fault: str | None
) -> None:
    found = signing_fault(secret)
    assert found == fault if fault is None else (found or "").startswith(fault)
