"""Unit tests of the log: no number and no secret gets out, by whatever way."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ivrd.config import LogConfig
from ivrd.log import configure, mask, mask_text

NUMBER = "0701740612"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def a_stream(
    form: Literal["json", "console"] = "json", level: Literal["debug", "info"] = "info"
) -> io.StringIO:
    stream = io.StringIO()
    configure(LogConfig(form=form, level=level), stream=stream)
    return stream


def masked(**values: object) -> dict[str, object]:
    return dict(mask(None, "info", dict(values)))


@pytest.mark.parametrize(
    "text",
    [
        f"from {NUMBER}.",
        "from +46701740612",
        "from 0046701740612",
        "from 070-174 06 12",
        "from 036 10 50 00",
        "from 08-7612345",
        "from +46 70 174 06 12",
        f"<sip:{NUMBER}@127.0.0.1>",
        f"PJSIP/{NUMBER}-0000002a",
    ],
)
def test_a_number_in_free_text_is_cut(text: str) -> None:
    for piece in ("12345", "123 45", "10 50", "7612345"):
        assert piece not in mask_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "pbx1/1732212345.17",
        "queue kc has 12345 callers",
        "Asterisk 22.10.1",
        "127.0.0.1:5038",
        "waited 90.25 s",
        "line 4573 of 9573",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert mask_text(text) == text


def test_a_value_under_a_number_key_is_cut_although_it_is_short() -> None:
    assert masked(caller_number="1177") == {"caller_number": "***77"}
    assert masked(extension=90510) == {"extension": "***10"}
    assert masked(connected_line="036 - 10 50 00") == {"connected_line": "***00"}


def test_how_manieth_an_entry_is_stays() -> None:
    assert masked(number=2, tries=3) == {"number": 2, "tries": 3}


def test_ids_and_stamps_stay() -> None:
    line = {"call_id": "pbx1/1732212345.7", "timestamp": "2026-03-02T09:00:00.123456Z"}
    assert masked(**line) == line


def test_numbers_in_nested_values_are_cut() -> None:
    assert NUMBER not in repr(masked(headers={"CallerIDNum": NUMBER, "x": [NUMBER, (NUMBER,)]}))
    assert NUMBER not in repr(masked(raw=f"CallerIDNum: {NUMBER}".encode()))


def test_secrets_are_hidden() -> None:
    line = masked(
        ami_secret="hush",
        password=SecretStr("hush"),
        headers={"Authorization": "hush"},
        url="postgresql+asyncpg://ivrd:hush@127.0.0.1/ivrd",
    )
    assert "hush" not in repr(line)
    assert line["url"] == "postgresql+asyncpg://ivrd:<hidden>@127.0.0.1/ivrd"


def test_a_secret_that_is_not_there_is_seen_to_be_absent() -> None:
    assert masked(password=None) == {"password": None}


def test_a_json_line_has_the_event_its_keys_and_a_utc_stamp() -> None:
    stream = a_stream()
    structlog.get_logger().bind(system="pbx1").info("call_ended", wait_s=90.5, caller=NUMBER)
    line = json.loads(stream.getvalue())
    assert line["event"] == "call_ended"
    assert line["level"] == "info"
    assert line["system"] == "pbx1"
    assert line["wait_s"] == 90.5
    assert line["caller"] == "***12"
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_number_in_an_exception_is_cut(form: Literal["json", "console"]) -> None:
    stream = a_stream(form)
    try:
        raise ValueError(f"cannot parse {NUMBER}")
    except ValueError:
        structlog.get_logger().exception("event_failed")
    assert "ValueError" in stream.getvalue()
    assert NUMBER not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_of_a_library_is_masked_too(form: Literal["json", "console"]) -> None:
    stream = a_stream(form)
    logging.getLogger("aiomqtt").warning("cannot send %s", NUMBER, extra={"caller": NUMBER})
    assert "cannot send ***12" in stream.getvalue()
    assert NUMBER not in stream.getvalue()


def test_a_library_is_heard_from_warning_up() -> None:
    stream = a_stream(level="debug")
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("form", ["json", "console"])
def test_text_from_the_wire_cannot_forge_a_line(form: Literal["json", "console"]) -> None:
    stream = a_stream(form)
    structlog.get_logger().info("call_arrived", name='Eve\r\n{"event": "forged"}\x1b[2J')
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_broken_text_is_still_a_line() -> None:
    stream = a_stream()
    structlog.get_logger().info("call_arrived", name="\udce5\udce4")
    assert json.loads(stream.getvalue())["event"] == "call_arrived"


def test_a_level_below_the_configured_one_is_silent() -> None:
    stream = a_stream(level="info")
    structlog.get_logger().debug("event_taken")
    assert stream.getvalue() == ""


@given(st.text(), st.from_regex(r"0\d{7,9}", fullmatch=True), st.text())
def test_no_number_survives_in_any_surroundings(before: str, number: str, after: str) -> None:
    assert number not in mask_text(f"{before} {number} {after}")
