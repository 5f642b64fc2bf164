"""Whatever a fact holds, its line gives it back; whenever ivrd dies, no fact is lost or doubled."""

import asyncio
import itertools
import os
import shutil
import tempfile
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ivrd.core.decisions import DecidedKind, RecordDecision
from ivrd.core.effects import (
    CallActKind,
    Disposition,
    MoveEnd,
    OpenCase,
    Outcome,
    Reach,
    RecordCall,
    RecordCallAct,
    RecordContact,
    RecordEntry,
    RecordMove,
)
from ivrd.core.switches import ActOutcome, Origin, RecordAct
from ivrd.journal import facts_journal
from ivrd.journal.codec import Fact, LineBroken, decode, encode
from ivrd.journal.facts_journal import FactsJournal, Kept
from tests.integration.db.samples import a_move
from tests.unit.journals import die, directory_bytes

texts = st.text(alphabet=st.characters(), max_size=40)
maybe_text = st.none() | texts
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timedelta(minutes=minutes))
# `fold` says something only of zones with summer time, and no moment of ours has one.
moments = st.datetimes(timezones=offsets.map(timezone)).map(lambda at: at.replace(fold=0))
durations = st.timedeltas()
maybe_duration = st.none() | durations
numbers = st.integers()

facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(
        RecordEntry,
        at=moments,
        system=texts,
        call_id=texts,
        number=numbers,
        queue=texts,
        joined_at=moments,
        disposition=st.sampled_from(Disposition),
        entry_wait=maybe_duration,
        wait=maybe_duration,
        interface=maybe_text,
        agent=maybe_text,
        answered_at=st.none() | moments,
        talk=maybe_duration,
        joined_by=maybe_text,
    ),
    st.builds(
        RecordCall,
        at=moments,
        system=texts,
        call_id=texts,
        line=maybe_text,
        caller_number=st.none(),
        caller_sealed=maybe_text,
        caller_key=maybe_text,
        caller_key_before=maybe_text,
        is_protected=st.booleans(),
        arrived_at=moments,
        choice=maybe_text,
        digit=maybe_text,
        is_static_menu=st.booleans(),
        tries=numbers,
        outcome=st.sampled_from(Outcome),
        wait=maybe_duration,
        first_queue=maybe_text,
        last_queue=maybe_text,
        moves=numbers,
        transfers=numbers,
        hand_over=st.none() | st.sampled_from(Reach),
        is_from_journal=st.booleans(),
    ),
    st.builds(
        RecordMove,
        at=moments,
        system=texts,
        call_id=texts,
        from_queue=texts,
        to_queue=texts,
        reason=texts,
        end=st.sampled_from(MoveEnd),
    ),
    *(
        st.builds(
            opened,
            at=moments,
            system=texts,
            call_id=texts,
            rule=texts,
            line=maybe_text,
            queue=texts,
            agent=texts,
            interface=texts,
            department=maybe_text,
            answered_at=moments,
            is_from_journal=st.booleans(),
            caller_key=maybe_text,
        )
        for opened in (OpenCase, RecordContact)
    ),
    st.builds(
        RecordCallAct,
        act_id=texts,
        at=moments,
        system=texts,
        call_id=texts,
        agent=texts,
        what=st.sampled_from(CallActKind),
        value=texts,
        department=maybe_text,
        who=texts,
        from_where=st.sampled_from(Origin),
    ),
    st.builds(
        RecordAct,
        act_id=texts,
        at=moments,
        who=texts,
        from_where=st.sampled_from(Origin),
        act=texts,
        subject=texts,
        reason=texts,
        until=st.none() | moments,
        outcome=st.sampled_from(ActOutcome),
    ),
    st.builds(
        RecordDecision,
        at=moments,
        system=texts,
        call_id=texts,
        what=st.sampled_from(DecidedKind),
        rule=texts,
        from_queue=texts,
        to_queue=texts,
        is_dry_run=st.booleans(),
        is_by_hand=st.booleans(),
        who=texts,
        why=texts,
        figures=texts,
    ),
)


@given(facts)
def test_a_line_gives_back_the_fact_exactly(fact: Fact) -> None:
    line = encode(fact)
    assert line.index(b"\n") == len(line) - 1
    found = decode(line)
    assert found == fact
    # Equal moments may differ in zone, and True equals 1: so look at the words too.
    assert repr(found) == repr(fact)


@given(facts, st.data())
def test_a_line_cut_anywhere_is_broken(fact: Fact, data: st.DataObject) -> None:
    line = encode(fact)
    with pytest.raises(LineBroken):
        decode(line[: data.draw(st.integers(0, len(line) - 1))])


@given(facts, st.data())
def test_a_line_with_another_byte_is_broken(fact: Fact, data: st.DataObject) -> None:
    line = bytearray(encode(fact))
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LineBroken):
        decode(bytes(line))


class Lives(RuleBasedStateMachine):
    """One directory, many lives of a daemon, and a database that is what a set is."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp()) / "journal"
        self.numbers = itertools.count()
        self.put: list[str] = []
        self.stored: list[str] = []
        self.broken = 0
        self.journal = self.open()

    def open(self) -> FactsJournal:
        journal = FactsJournal(self.directory, bytes_max=10_000_000)
        journal.open()
        return journal

    def teardown(self) -> None:
        try:
            self.save(count=10_000)
            while self.journal.waiting:
                self.save(count=10_000)
            assert list(dict.fromkeys(self.stored)) == self.put
        finally:
            self.journal.close()
            shutil.rmtree(self.directory.parent)

    @initialize(segment=st.sampled_from([700, 2_000, 100_000]), done=st.sampled_from([0, 1_000]))
    def small_files(self, segment: int, done: int) -> None:
        facts_journal.SEGMENT_BYTES_MAX = segment
        facts_journal.DONE_BYTES_MAX = done

    @rule(count=st.integers(1, 12))
    def append(self, count: int) -> None:
        for _ in range(count):
            move = a_move(next(self.numbers))
            assert self.journal.append(move) is Kept.YES
            self.put.append(move.call_id)

    @rule(count=st.integers(1, 8), is_committed=st.booleans())
    def save(self, count: int, is_committed: bool = True) -> None:
        items = asyncio.run(self.journal.read(count))
        self.stored += [item.fact.call_id for item in items if item.fact is not None]
        if items and is_committed:
            self.journal.commit(items)

    @rule()
    def close(self) -> None:
        self.journal.close()
        self.journal = self.open()

    @rule(torn=st.sampled_from([b"", b'{"v":1,"crc":"12', b"\0" * 5_000, encode(a_move())[:-1]]))
    def kill(self, torn: bytes) -> None:
        die(self.journal)
        segments = sorted(self.directory.glob("facts-*"))
        if segments and torn:
            with segments[-1].open("ab") as file:
                file.write(torn)
        self.journal = self.open()

    @rule(keep=st.integers(0, 128))
    def cut_power(self, keep: int) -> None:
        """All that waited was flushed; the place was not, and is old or torn."""
        die(self.journal)
        place = self.directory / "committed.json"
        place.write_bytes(place.read_bytes()[:keep])
        self.journal = self.open()

    @precondition(lambda self: not self.journal.waiting)
    @rule()
    def forget_the_place(self) -> None:
        die(self.journal)
        os.unlink(self.directory / "committed.json")
        self.journal = self.open()

    @invariant()
    def nothing_is_lost(self) -> None:
        missing = len(self.put) - len(set(self.stored))
        assert self.journal.waiting >= missing
        assert self.journal.lost == 0

    @invariant()
    def the_size_is_the_size(self) -> None:
        assert self.journal.bytes == directory_bytes(self.directory)


@pytest.fixture(autouse=True)
def _sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_journal, "SEGMENT_BYTES_MAX", facts_journal.SEGMENT_BYTES_MAX)
    monkeypatch.setattr(facts_journal, "DONE_BYTES_MAX", facts_journal.DONE_BYTES_MAX)


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLives = Lives.TestCase
