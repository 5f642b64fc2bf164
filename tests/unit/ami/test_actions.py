"""Actions, their answers, and the info of a withdraw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.ami import actions
from ivrd.ami.replies import command_names, reply
from ivrd.errors import PeerRefused

NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,29}", fullmatch=True)
REASONS = st.from_regex(r"[a-z][a-z0-9_-]{0,14}", fullmatch=True)


@given(NAMES, REASONS)
def test_the_info_of_a_withdraw_comes_back(queue: str, reason: str) -> None:
    text = actions.withdraw_info(queue, reason=reason)
    info = actions.parse_withdraw_info(text)
    assert info is not None
    assert info.to_queue == queue
    assert info.reason == reason


@pytest.mark.parametrize(
    "text", ["", "ivrd-move", "ivrd-move ", "other guides x", "ivrd-movex a b"]
)
def test_another_info_is_not_ours(text: str) -> None:
    assert actions.parse_withdraw_info(text) is None


def test_a_value_too_long_for_a_request_line_is_refused() -> None:
    with pytest.raises(PeerRefused, match="too long"):
        actions.login("x" * 1000, "y")


def test_the_secret_is_not_in_the_text_of_a_login() -> None:
    assert "hush" not in repr(actions.login("ivrd", "hush"))


def test_the_secret_is_not_in_the_error_of_a_refused_login() -> None:
    with pytest.raises(PeerRefused) as caught:
        actions.login("ivrd", "hush\nhush")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Unable to request withdraw from queue: No such caller", "no_such_caller"),
        ("Unable to request withdraw from queue: No such queue", "no_such_queue"),
        ("Unable to request withdraw from queue: Already requested", "already_requested"),
        ("Permission denied", "permission_denied"),
        ("?", "refused"),
    ],
)
def test_each_refusal_has_a_short_reason(message: str, reason: str) -> None:
    assert actions.refusal(message) == reason


def test_only_allowed_commands_are_taken_from_their_list() -> None:
    answer = reply(
        b"Response: Success\r\nActionID: 1\r\nPing: Keepalive command.  (Priv: <none>)\r\n"
        b"Setvar: Sets a channel variable. (Priv: call,all)"
    )
    assert command_names(answer) == {"Ping", "Setvar"}
