"""Recordings of the real Asterisk through the production path; see README.md."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from ivrd import config, rules
from ivrd.ami import record
from ivrd.core.effects import Effect
from ivrd.core.events import AttendedTransferred, BlindTransferred, Event
from ivrd.core.ids import SystemName
from ivrd.core.rules import FloorRules
from ivrd.core.tracker import Tracker
from ivrd.engine import Engine
from ivrd.replay import Json, Ledger, NoCounters, replay
from ivrd.state_file import dumps, loads
from tests.replay.bystander import Bystander

LOGS = Path(__file__).with_name("logs")

RECORDINGS = sorted(LOGS.glob("*/*.ami"))

SYSTEM = SystemName("pbx1")

BYTES_MAX = 200_000

LATE = timedelta(milliseconds=9)
"""How long a thread of Asterisk that has sent a caller on may stand still before it tells so.

Recorded targets answer and hang up within tens of milliseconds, as no people do: what they do after
their call is over is not to be put before its transfer.
"""

FICTION = re.compile(r"0?70174\d{4}|0?8465004\d{2}")
"""Numbers that the Swedish regulator keeps free for fiction; a leading 0 may be lost."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep the line per ended call, of thousands of replays, out of a failure's report."""
    with capture_logs():
        yield


recordings = pytest.mark.parametrize(
    "path", RECORDINGS, ids=[f"{path.parent.name}-{path.stem}" for path in RECORDINGS]
)


def rules_of(path: Path) -> FloorRules:
    """Return the rules of the municipality that a recording was made in."""
    return rules.floor_rules(config.load(path.with_suffix(".toml"), with_secrets=False))


def events_of(path: Path) -> list[Event]:
    return list(record.replay(record.read_frames(path), SYSTEM))


def expected(path: Path) -> list[Json]:
    calls: list[Json] = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))
    return calls


def test_there_are_recordings() -> None:
    assert len(RECORDINGS) >= 20


@recordings
def test_a_recording_gives_what_is_expected(path: Path) -> None:
    ledger = replay(events_of(path), system=SYSTEM, rules=rules_of(path))
    assert ledger.ended_calls() == expected(path)
    assert ledger.unexpected == 0


def versions() -> dict[str, set[str]]:
    """Return the names of the recordings of each version of Asterisk."""
    return {
        folder.name: {path.stem for path in folder.glob("*.ami")}
        for folder in LOGS.iterdir()
        if folder.is_dir()
    }


def test_recordings_are_of_two_majors() -> None:
    assert {version.partition(".")[0] for version in versions()} == {"16", "22"}


@pytest.mark.parametrize("name", sorted(set.intersection(*versions().values())))
def test_a_scenario_comes_to_the_same_on_every_asterisk(name: str) -> None:
    told = {
        version: sorted(
            json.dumps(outline(call)) for call in expected(LOGS / version / f"{name}.ami")
        )
        for version in versions()
    }
    first, *others = told.values()
    assert all(other == first for other in others), told


def outline(call: Json) -> Json:
    """Return what a call came to, without what differs from one run to the next: ids and times."""
    entries = call["entries"]
    assert isinstance(entries, list)
    stays = [[entry[key] for key in ("queue", "disposition", "agent")] for entry in entries]
    keys = ("line", "choice", "digit", "tries", "is_static_menu", "moves", "transfers")
    return {key: call[key] for key in (*keys, "hand_over", "outcome", "case")} | {"entries": stays}


@recordings
def test_a_recording_is_small_and_names_nobody(path: Path) -> None:
    assert path.stat().st_size <= BYTES_MAX
    text = path.read_text(encoding="utf-8", errors="replace")
    text += path.with_suffix(".toml").read_text(encoding="utf-8")
    assert not re.search(r"(?im)^(?:secret|password|key): |/work/|/tmp/|/home/|/root/", text)
    numbers = re.findall(r"(?m)^[A-Za-z]*(?:CallerIDNum|ConnectedLineNum): (\d{5,})\r?$", text)
    assert [number for number in numbers if not FICTION.fullmatch(number)] == []


def told_late(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Yield the events with one transfer told later, behind each that came soon after it."""
    for start, event in enumerate(events):
        if not isinstance(event, BlindTransferred | AttendedTransferred):
            continue
        for end in range(start + 1, len(events)):
            if events[end].at > event.at + LATE:
                break
            late = replace(event, at=events[end].at)
            yield [*events[:start], *events[start + 1 : end + 1], late, *events[end + 1 :]]


@recordings
def test_a_transfer_may_be_told_late(path: Path) -> None:
    """Asterisk sends the caller on, and then tells of it: another thread may be quicker."""
    wanted = [outline(call) for call in expected(path)]
    for events in told_late(events_of(path)):
        ledger = replay(events, system=SYSTEM, rules=rules_of(path))
        assert [outline(call) for call in ledger.ended_calls()] == wanted


class Run:
    """A tracker at work, and all that it came to; may be cut and go on as another."""

    def __init__(self, floor_rules: FloorRules, effects: Iterable[Effect] = ()) -> None:
        self.rules = floor_rules
        self.effects = list(effects)
        self.tracker = Tracker(system=SYSTEM, rules=floor_rules)
        self.engine = Engine(
            trackers={SYSTEM: self.tracker}, counters=NoCounters(), store=None, publisher=None
        )
        self.engine.observe(self.effects.append)

    def resumed(self) -> "Run":
        """Return a run that goes on from the state as text, as after a restart."""
        run = Run(self.rules, self.effects)
        run.tracker.restore(loads(dumps(self.tracker.state())))
        return run

    def calls(self) -> list[Json]:
        """Pass every deadline, and return what the calls came to."""
        self.engine.pass_all_deadlines()
        ledger = Ledger()
        for effect in self.effects:
            ledger.observe(effect)
        return ledger.ended_calls()


def cut_at(events: Sequence[Event], floor_rules: FloorRules) -> Iterable[tuple[int, list[Json]]]:
    """Yield what comes of the events when cut after each of them and resumed from a snapshot."""
    before = Run(floor_rules)
    bystander = Bystander(SYSTEM)
    for number, event in enumerate(events):
        before.engine.apply(event)
        bystander.see(event)
        after = before.resumed()
        after.engine.apply(bystander.snapshot(event.at))
        for later in events[number + 1 :]:
            after.engine.apply(later)
        yield number, after.calls()


@recordings
def test_a_cut_at_any_event_changes_nothing(path: Path) -> None:
    events = events_of(path)
    wanted = [as_after_a_gap(call) for call in expected(path)]
    differing = {
        number: (type(events[number]).__name__, calls)
        for number, calls in cut_at(events, rules_of(path))
        if [as_after_a_gap(call) for call in calls] != wanted
    }
    assert differing == {}


def as_after_a_gap(call: Json) -> Json:
    """Return a call without what a cut may cost.

    Whom somebody else redirects leaves a queue without a word: cut between the leaving and what
    comes next, it is unknown how the stay ended, and so it is told (entry.py, rule 8).
    """
    entries = call["entries"]
    assert isinstance(entries, list)
    unseen = {"disposition": "unseen", "wait_s": None}
    return {
        **call,
        "entries": [
            {**entry, **unseen} if entry["disposition"] in ("redirected", "unknown") else entry
            for entry in entries
        ],
    }


def read(frames: Iterable[bytes]) -> tuple[list[Event], list[str]]:
    """Return the events of frames, and why others were refused."""
    refused: list[str] = []
    events = list(record.replay(iter(frames), SYSTEM, note_refused=refused.append))
    return events, refused


def unexpected(path: Path, events: Iterable[Event]) -> int:
    """Replay; return how many events fitted nowhere. Raises for a fault of ours."""
    tracker = Tracker(system=SYSTEM, rules=rules_of(path))
    ledger = Ledger()
    for event in events:
        for effect in tracker.apply(event):
            ledger.observe(effect)
    return ledger.unexpected


@pytest.fixture(scope="module")
def full() -> Path:
    """The recording with most events."""
    return max(RECORDINGS, key=lambda path: len(events_of(path)))


@recordings
def test_a_truncated_recording_gives_what_came_before(path: Path, tmp_path: Path) -> None:
    raw = path.read_bytes()
    cut = tmp_path / "cut.ami"
    whole = events_of(path)
    for kept in range(0, len(raw), max(1, len(raw) // 40)):
        cut.write_bytes(raw[:kept])
        events, refused = read(record.read_frames(cut))
        assert refused == [], "a frame without its end is no frame"
        assert len(events) <= len(whole)
        unexpected(path, events)


@recordings
def test_bytes_missing_in_the_middle_are_survived(path: Path, tmp_path: Path) -> None:
    for events, _ in hurt(path, tmp_path):
        assert len(events) <= len(events_of(path))
        unexpected(path, events)


def test_bytes_missing_in_the_middle_are_counted(full: Path, tmp_path: Path) -> None:
    told = [len(refused) + unexpected(full, events) for events, refused in hurt(full, tmp_path)]
    assert sum(told) > 0


def hurt(path: Path, tmp_path: Path) -> Iterator[tuple[list[Event], list[str]]]:
    """Yield what is read of a recording that lacks some bytes, here and there."""
    raw = path.read_bytes()
    copy = tmp_path / "hurt.ami"
    random = Random(7)
    for _ in range(40):
        start = random.randrange(len(raw))
        copy.write_bytes(raw[:start] + raw[start + random.randrange(1, 3000) :])
        yield read(record.read_frames(copy))


def test_reordered_frames_are_survived_and_counted(full: Path) -> None:
    frames = list(record.read_frames(full))
    random = Random(7)
    told = 0
    for _ in range(40):
        first = random.randrange(len(frames) - 20)
        shuffled = frames[first : first + 20]
        random.shuffle(shuffled)
        events, refused = read([*frames[:first], *shuffled, *frames[first + 20 :]])
        tracker = Tracker(system=SYSTEM, rules=rules_of(full))
        for event in events:
            tracker.apply(event)
        told += tracker.clamps + len(refused)
    assert told > 40, "a stamp that goes back is counted"
