"""queue_log under random lives: every row once across rotations, every lie of a side found.

A town's calls are told twice, as Asterisk writes them (lines) and as ivrd stores them.
"""

import gzip
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.effects import Outcome
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.core.journal import JournalRow
from ivrd.core.journal_story import REFUSALS, JournalEnd, JournalStay, Story, stories_of_journal
from ivrd.core.reconcile import Kind, differences
from ivrd.core.rules import Role
from ivrd.queue_log import QueueLog
from ivrd.queue_log_rows import RowParser

PBX = SystemName("pbx1")
NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KC = QueueName("kc")
VAXEL = QueueName("vaxel")
ROLES = {KC: Role.GUIDE, VAXEL: Role.SWITCHBOARD}


def row(second: float, call: str, event: str, queue: str = "NONE", *data: str) -> JournalRow:
    """Return a row as it comes out of the line that Asterisk would write."""
    at = int((NINE + timedelta(seconds=second)).timestamp())
    parsed = RowParser(PBX).row_of(
        "|".join([str(at), call, queue, "NONE", event, *data]).encode() + b"\n"
    )
    assert parsed is not None
    return parsed


# The file.

STEPS = st.lists(
    st.sampled_from(["row", "row", "row", "half", "garbage", "rotate", "pack", "copy", "read"]),
    max_size=40,
)


class Disk:
    """A journal to which random things happen."""

    def __init__(self, directory: str) -> None:
        self.path = Path(directory) / "queue_log"
        self.path.touch()
        self.written: list[str] = []
        self._clock = 1_764_000_000
        self._half = ""

    def do(self, step: str) -> None:
        """Let one thing happen."""
        self._clock += 1
        if step in ("rotate", "pack", "copy") and self._half:
            step = "row"  # Asterisk writes a line under the lock that it rotates under.
        if step == "row":
            stamp = self._half or f"{self._clock}|"
            call = stamp.rstrip("|")
            line = f"{call}|kc|NONE|ABANDON|1|1|9\n"
            self._write((line if self._half else stamp + line).encode())
            self.written.append(f"pbx1/{call}")
            self._half = ""
        elif step == "half" and not self._half:
            self._half = f"{self._clock}|"
            self._write(self._half.encode())
        elif step == "garbage" and not self._half:
            self._write(random.Random(self._clock).randbytes(50).replace(b"\n", b"") + b"\n")
        elif step == "rotate":
            self.path.rename(self.path.with_name(f"queue_log.{self._clock}"))
            self._begin()
        elif step == "pack":
            packed = self.path.with_name(f"queue_log-{self._clock}.gz")
            packed.write_bytes(gzip.compress(self.path.read_bytes()))
            os.utime(packed, (self._clock, self._clock))
            self.path.unlink()
            self._begin()
        elif step == "copy" and self.path.stat().st_size:
            copy = self.path.with_name(f"queue_log.{self._clock}")
            copy.write_bytes(self.path.read_bytes())
            os.utime(copy, (self._clock, self._clock))
            os.truncate(self.path, 0)

    def _begin(self) -> None:
        self._write(f"{self._clock}|NONE|NONE|NONE|CONFIGRELOAD|\n".encode())

    def _write(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)
        os.utime(self.path, (self._clock, self._clock))


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, rows_max=st.integers(1, 5))
def test_every_row_is_read_once_and_in_order_whatever_happens_to_the_file(
    steps: list[str], rows_max: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(directory)
        disk.do("row")
        queue_log = QueueLog(disk.path, system=PBX, rows_max=rows_max)
        place = queue_log.read(None).position
        told = [disk.written[0]]
        for step in [*steps, "row", "read"]:
            if step != "read":
                disk.do(step)
                continue
            while True:
                reading = queue_log.read(place)
                told += [each.call_id for each in reading.rows]
                assert not reading.is_gap
                place = reading.position
                if not reading.is_cut:
                    break
        assert told == disk.written


# Both sides.


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One stay, as it truly was."""

    queue: QueueName
    end: JournalEnd
    is_handed_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One call, as it truly was."""

    visits: tuple[Visit, ...]
    choice: str | None
    is_marked: bool

    def outcomes(self) -> frozenset[Outcome]:
        """Return the outcomes that nobody could contradict from the journal."""
        answered = [visit for visit in self.visits if visit.end is JournalEnd.ANSWERED]
        if answered:
            if answered[-1].queue == KC:
                return frozenset(
                    {Outcome.HANDED_ON if answered[-1].is_handed_on else Outcome.RESOLVED}
                )
            guided = any(visit.is_handed_on and visit.queue == KC for visit in answered)
            return frozenset({Outcome.HANDED_ON if guided else Outcome.SWITCHBOARD})
        if not self.visits:
            return frozenset({Outcome.MENU_HANGUP if self.choice is None else Outcome.UNSERVED})
        if self.visits[-1].end in (JournalEnd.ABANDONED, JournalEnd.WITHDRAWN):
            return frozenset({Outcome.ABANDONED, Outcome.UNSERVED})
        if self.visits[-1].end is JournalEnd.CLOSED:
            return frozenset({Outcome.CLOSED})
        return frozenset({Outcome.UNSERVED})

    def story(self, chance: random.Random) -> Story:
        """Return what ivrd stores."""
        outcome = chance.choice(sorted(self.outcomes()))
        return Story(
            stays=tuple(JournalStay(queue=visit.queue, end=visit.end) for visit in self.visits),
            transfers=sum(visit.is_handed_on for visit in self.visits),
            choice=self.choice,
            outcomes=frozenset({outcome}),
            cases=int(outcome is Outcome.RESOLVED),
        )

    def rows(self, call: str, chance: random.Random) -> list[JournalRow]:
        """Return what Asterisk writes, an event every few seconds."""
        events: list[tuple[str, str, tuple[str, ...]]] = []
        if self.is_marked:
            events.append(("IVRDARRIVED", "NONE", ("main", "PJSIP/x")))
            if self.choice is not None:
                events.append(("IVRDCHOICE", "NONE", ("main", "stayed", self.choice)))
        for visit in self.visits:
            events += _events(visit, is_marked=self.is_marked, chance=chance)
        if self.is_marked:
            events.append(("IVRDEND", "NONE", ()))
        second = chance.random() * 1000
        told = []
        before = ""
        for event, queue, data in events:
            # Whom the agent has left is gone at once; who lives on was handed on.
            second += chance.random() * (
                1 if (before, event) == ("COMPLETEAGENT", "IVRDEND") else 20
            )
            before = event
            told.append(row(second, call, event, queue, *data))
        return told


def _events(
    visit: Visit, *, is_marked: bool, chance: random.Random
) -> list[tuple[str, str, tuple[str, ...]]]:
    queue = visit.queue
    if visit.end in REFUSALS:
        return [("IVRDEXIT", queue, (visit.end.value,))] if is_marked else []
    events: list[tuple[str, str, tuple[str, ...]]] = [("ENTERQUEUE", queue, ("", "07", "1"))]
    if chance.random() < 0.3:
        events.append(("RINGNOANSWER", queue, ("8000",)))
    events.append((visit.end.value, queue, ("1", "2", "3")))
    if visit.end is JournalEnd.ANSWERED:
        last = "BLINDTRANSFER" if visit.is_handed_on else "COMPLETEAGENT"
        events.append((last, queue, ("4", "5")))
    elif is_marked and visit.end is not JournalEnd.ABANDONED:
        events.append(("IVRDEXIT", queue, ("TIMEOUT",)))
    return events


OURS = (JournalEnd.CLOSED, JournalEnd.DIVERTED)

ENDS = [end for end in JournalEnd if end not in (JournalEnd.OPEN, JournalEnd.UNKNOWN)]


visits = st.sampled_from(
    [
        Visit(queue=queue, end=end, is_handed_on=handed_on)
        for end in ENDS
        for queue in (KC, VAXEL)
        for handed_on in (False, True)
        if end is JournalEnd.ANSWERED or not handed_on
    ]
)

chances = st.integers(0, 2**32 - 1).map(random.Random)
"""One draw for all that happens by chance; a draw for each (st.randoms) makes a town slow."""

truths = st.builds(
    Truth,
    visits=st.lists(visits, max_size=4).map(tuple),
    choice=st.sampled_from([None, "kc", "vaxel"]),
    is_marked=st.just(True),
)


@dataclass(slots=True)
class Town:
    """Some calls as both sides tell them."""

    truths: dict[CallId, Truth]
    stored: dict[CallId, Story]
    rows: list[JournalRow]

    @classmethod
    def of(cls, calls: list[Truth], chance: random.Random) -> "Town":
        named = {CallId(f"pbx1/{number}"): truth for number, truth in enumerate(calls)}
        told = [
            each for number, truth in enumerate(calls) for each in truth.rows(str(number), chance)
        ]
        # Rows of a call keep their order: the sort is stable.
        return cls(
            truths=named,
            stored={call_id: truth.story(chance) for call_id, truth in named.items()},
            rows=sorted(told, key=lambda each: each.at),
        )

    def differences(self) -> dict[CallId, tuple[Kind, ...]]:
        found = differences(self.stored, stories_of_journal(self.rows, roles=ROLES))
        return {difference.call_id: difference.kinds for difference in found}


towns = st.builds(Town.of, st.lists(truths, min_size=1, max_size=12), chances)


@given(town=towns)
def test_what_was_told_truly_reconciles(town: Town) -> None:
    assert town.differences() == {}


@given(calls=st.lists(truths, max_size=12), chance=chances)
def test_a_journal_without_rows_of_ours_reconciles_too(
    calls: list[Truth], chance: random.Random
) -> None:
    # Only our dialplan closes a queue, or sends callers on at its door, and it writes our rows.
    unmarked = [
        replace(
            call,
            is_marked=False,
            visits=tuple(each for each in call.visits if each.end not in OURS),
        )
        for call in calls
    ]
    assert Town.of(unmarked, chance).differences() == {}


Change = Callable[[Story, Truth, random.Random], Story | None]


def _stay(story: Story, chance: random.Random) -> int | None:
    return chance.randrange(len(story.stays)) if story.stays else None


def _with_stay(story: Story, place: int, **changes: object) -> Story:
    stays = list(story.stays)
    stays[place] = replace(stays[place], **changes)  # type: ignore[arg-type]
    return replace(story, stays=tuple(stays))


def _other_end(story: Story, truth: Truth, chance: random.Random) -> Story:
    place = _stay(story, chance)
    if place is None:
        return _added(story, truth, chance)
    ends = [end for end in (*ENDS, JournalEnd.UNKNOWN) if end is not story.stays[place].end]
    return _with_stay(story, place, end=chance.choice(ends))


def _other_queue(story: Story, truth: Truth, chance: random.Random) -> Story:
    place = _stay(story, chance)
    if place is None:
        return _added(story, truth, chance)
    return _with_stay(story, place, queue=VAXEL if story.stays[place].queue == KC else KC)


def _added(story: Story, truth: Truth, chance: random.Random) -> Story:
    stay = JournalStay(queue=chance.choice([KC, VAXEL]), end=chance.choice(ENDS))
    place = chance.randint(0, len(story.stays))
    return replace(story, stays=(*story.stays[:place], stay, *story.stays[place:]))


def _removed(story: Story, truth: Truth, chance: random.Random) -> Story:
    place = _stay(story, chance)
    if place is None:
        return _added(story, truth, chance)
    return replace(story, stays=story.stays[:place] + story.stays[place + 1 :])


def _transfers(story: Story, truth: Truth, chance: random.Random) -> Story:
    return replace(story, transfers=story.transfers + (1 if chance.random() < 0.5 else -1))


def _cases(story: Story, truth: Truth, chance: random.Random) -> Story:
    return replace(story, cases={0: 1, 1: chance.choice([0, 2])}[story.cases or 0])


def _choice(story: Story, truth: Truth, chance: random.Random) -> Story:
    others = [choice for choice in (None, "kc", "vaxel") if choice != story.choice]
    return replace(story, choice=chance.choice(others))


def _outcome(story: Story, truth: Truth, chance: random.Random) -> Story:
    others = sorted(frozenset(Outcome) - truth.outcomes())
    outcome = chance.choice(others)
    return replace(story, outcomes=frozenset({outcome}), cases=int(outcome is Outcome.RESOLVED))


def _missing(story: Story, truth: Truth, chance: random.Random) -> None:
    return None


CHANGES: list[Change] = [
    _other_end, _other_queue, _added, _removed, _transfers, _cases, _choice, _outcome, _missing,
]  # fmt: skip


@settings(max_examples=300)
@given(change=st.sampled_from(CHANGES), town=towns, chance=chances)
def test_any_one_thing_stored_wrongly_is_found(
    change: Change, town: Town, chance: random.Random
) -> None:
    call_id = chance.choice(sorted(town.stored))
    changed = change(town.stored[call_id], town.truths[call_id], chance)
    if changed is None:
        del town.stored[call_id]
    else:
        town.stored[call_id] = changed
    assert list(town.differences()) == [call_id]


TELLING = frozenset(
    {"IVRDCHOICE", "ENTERQUEUE", "CONNECT", "BLINDTRANSFER", "ABANDON",
     "EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY", "WITHDRAW"}
)  # fmt: skip


@given(town=towns, chance=chances)
def test_a_call_that_only_the_journal_knows_is_found(town: Town, chance: random.Random) -> None:
    extra = Truth(visits=(Visit(queue=KC, end=JournalEnd.ABANDONED),), choice="kc", is_marked=True)
    town.rows += extra.rows("extra", chance)
    assert town.differences() == {CallId("pbx1/extra"): (Kind.NOT_STORED,)}


@given(town=towns, chance=chances)
def test_all_rows_of_one_call_lost_from_the_journal_are_found(
    town: Town, chance: random.Random
) -> None:
    other = Truth(visits=(), choice=None, is_marked=True)
    town.stored[CallId("pbx1/other")] = other.story(chance)
    town.rows += other.rows("other", chance)
    call_id = chance.choice(sorted(town.truths))
    town.rows = [each for each in town.rows if each.call_id != call_id]
    assert town.differences() == {call_id: (Kind.NOT_IN_JOURNAL,)}


@given(town=towns, chance=chances)
def test_one_row_lost_from_the_journal_is_found(town: Town, chance: random.Random) -> None:
    telling = [number for number, each in enumerate(town.rows) if each.event in TELLING]
    if not telling:
        return
    lost = town.rows.pop(chance.choice(telling))
    assert list(town.differences()) == [lost.call_id]
