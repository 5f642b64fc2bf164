"""What an answer over HTTP means for the message that was sent."""

import json
from datetime import timedelta

import pytest

from ivrd.core.case_messages import Accepted, NotNow, Refused
from ivrd.handover.http_client import HttpAnswer, delivery_of
from ivrd.handover.webhook import external_id_in


def an_answer(status: int, body: object = None, **headers: str) -> HttpAnswer:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return HttpAnswer(status=status, headers=names, body=json.dumps(body).encode())


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_accepted(status: int) -> None:
    assert delivery_of(an_answer(status), external_id="K-1") == Accepted(external_id="K-1")


@pytest.mark.parametrize("status", [300, 301, 304, 308, 400, 404, 405, 410, 413, 415, 422])
def test_what_will_never_be_taken_is_refused(status: int) -> None:
    assert isinstance(delivery_of(an_answer(status)), Refused)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 501, 502, 503, 504, 599, 101])
def test_what_passes_is_sent_again(status: int) -> None:
    delivery = delivery_of(an_answer(status))
    assert isinstance(delivery, NotNow)
    assert delivery.is_peer_away is (status in (429, 502, 503, 504))
    assert not delivery.needs_person


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_refused_secret_waits_for_a_person_and_buries_nothing(status: int) -> None:
    delivery = delivery_of(an_answer(status))
    assert isinstance(delivery, NotNow)
    assert delivery.needs_person
    assert delivery.is_peer_away


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("7", timedelta(seconds=7)),
        ("9" * 30, timedelta(days=1)),
        ("-1", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta()),
        ("soon", None),
    ],
)
def test_a_wish_to_wait_is_heard(text: str, after: timedelta | None) -> None:
    delivery = delivery_of(an_answer(503, retry_after=text))
    assert isinstance(delivery, NotNow)
    assert delivery.after == after


@pytest.mark.parametrize(
    "body",
    [None, [], "x", {"violations": 3}, {"violations": [3]}, {"title": {"a": ["b"]}}, 2**70],
)
def test_a_problem_of_any_form_is_told_in_one_line(body: object) -> None:
    delivery = delivery_of(an_answer(400, body))
    assert isinstance(delivery, Refused)
    assert delivery.reason.startswith("HTTP 400")


@pytest.mark.parametrize(
    ("body", "external_id"),
    [
        ({"external_id": "K-2026-17"}, "K-2026-17"),
        ({"external_id": 17}, None),
        ({"external_id": ""}, None),
        ({"external_id": "a\nb"}, None),
        (["external_id"], None),
        (None, None),
    ],
)
def test_an_answer_may_call_the_case_something(body: object, external_id: str | None) -> None:
    assert external_id_in(an_answer(200, body)) == external_id


def test_an_answer_that_was_cut_says_nothing() -> None:
    cut = HttpAnswer(status=200, headers={}, body=b'{"external_id": "K"}', is_cut=True)
    assert external_id_in(cut) is None
