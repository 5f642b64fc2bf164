"""Unit tests of what a value becomes on its way into a row."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from ivrd.db.models import Base, CleanText, UtcDateTime
from ivrd.db.store import milliseconds
from ivrd.errors import IvrdBug

DIALECT = sqlite.dialect()
OF_NO_SYSTEM = ("acts", "case_changes", "case_messages", "number_reads")
"""An act is about all PBXs; the case of a change or a message, and a call, have their system."""

durations = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2))


@given(durations, st.integers(min_value=0, max_value=3600))
def test_a_stored_wait_is_within_a_threshold_just_when_the_wait_is(
    wait: timedelta, threshold_s: int
) -> None:
    stored = milliseconds(wait)
    assert stored is not None
    assert (stored <= threshold_s * 1000) == (wait <= timedelta(seconds=threshold_s))


def test_an_unknown_wait_stays_unknown() -> None:
    assert milliseconds(None) is None
    assert milliseconds(timedelta(0)) == 0


@given(st.text(alphabet=st.characters(), max_size=50))
def test_any_text_becomes_text_that_a_database_takes(text: str) -> None:
    stored = CleanText().process_bind_param(text, DIALECT)
    assert stored is not None
    assert "\0" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_ordinary_text_is_not_touched(text: str) -> None:
    assert CleanText().process_bind_param(text, DIALECT) == text


def test_a_naive_moment_is_a_bug() -> None:
    naive = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(IvrdBug, match="without a time zone"):
        UtcDateTime().process_bind_param(naive, DIALECT)


def test_every_row_carries_the_name_of_its_system() -> None:
    for table in Base.metadata.tables.values():
        assert table.name in OF_NO_SYSTEM or not table.columns["system"].nullable


def test_every_table_has_a_key_that_makes_a_repeat_harmless() -> None:
    keys = {
        table.name: [
            tuple(column.name for column in constraint.columns)
            for constraint in table.constraints
            if constraint.name is not None and str(constraint.name).startswith("uq_")
        ]
        for table in Base.metadata.tables.values()
    }
    assert keys == {
        "calls": [("call_id",)],
        "entries": [("call_id", "number")],
        "moves": [("call_id", "ended_at")],
        "cases": [("call_id", "rule")],
        "case_changes": [("case_id", "version")],
        "call_acts": [("act_id",)],
        "case_messages": [("key",)],
        "acts": [("act_id",)],
        "number_reads": [("read_id",)],
        "decisions": [("call_id", "system", "at", "what", "rule", "from_queue")],
    }
