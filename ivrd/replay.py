"""Runs a recorded AMI stream through the production path: parse, engine, core.

Here: one object per call, as `ivrd replay --json` prints it. Not here: reading files
(ami/record.py) and any rule.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ivrd.core.call import PATH_MARK
from ivrd.core.effects import (
    CountChoice,
    CountEntry,
    CountJoin,
    CountNotice,
    Effect,
    OpenCase,
    RecordCall,
    RecordEntry,
    RecordMove,
    ReportUnexpected,
)
from ivrd.core.events import Event
from ivrd.core.ids import CallId, SystemName
from ivrd.core.rules import FloorRules
from ivrd.core.tracker import Tracker
from ivrd.engine import Engine

Json = dict[str, object]


@dataclass(slots=True)
class CallStory:
    """What was decided about one call."""

    call: RecordCall | None = None
    """None while the call goes on."""
    entries: list[RecordEntry] = field(default_factory=list)
    case: OpenCase | None = None


class Ledger:
    """Gathers the facts of each call from the effects."""

    def __init__(self) -> None:
        self.stories: dict[CallId, CallStory] = {}
        self.events = 0
        """Events that came."""
        self.unexpected = 0
        """Events that fitted no state."""

    def observe(self, effect: Effect) -> None:
        """Take note of one effect."""
        match effect:
            case RecordEntry():
                self._story(effect.call_id).entries.append(effect)
            case RecordCall():
                self._story(effect.call_id).call = effect
            case OpenCase():
                self._story(effect.call_id).case = effect
            case ReportUnexpected():
                self.unexpected += 1
            case _:
                pass

    def ended_calls(self) -> list[Json]:
        """Return the ended calls as JSON objects, in the order of their arrival."""
        ended = [story for story in self.stories.values() if story.call is not None]
        ended.sort(key=_arrival)
        return [_call_json(story) for story in ended]

    def _story(self, call_id: CallId) -> CallStory:
        return self.stories.setdefault(call_id, CallStory())


class NoCounters:
    """Counts nothing: a replay must not look like traffic."""

    def count_entry(self, effect: CountEntry) -> None: ...
    def count_join(self, effect: CountJoin) -> None: ...
    def count_choice(self, effect: CountChoice) -> None: ...
    def count_notice(self, effect: CountNotice) -> None: ...
    def record_entry(self, effect: RecordEntry) -> None: ...
    def record_move(self, effect: RecordMove) -> None: ...
    def record_call(self, effect: RecordCall) -> None: ...
    def open_case(self, effect: OpenCase) -> None: ...
    def report_unexpected(self, effect: ReportUnexpected) -> None: ...
    def count_event(self, system: SystemName, event: str) -> None: ...
    def count_failed_event(self, system: SystemName, event: str) -> None: ...
    def settle(self) -> None: ...


def replay(
    events: Iterable[Event],
    *,
    system: SystemName,
    rules: FloorRules,
    make_tracker: Callable[..., Tracker] = Tracker,
) -> Ledger:
    """Return what the events come to, with every deadline passed at the end."""
    ledger = Ledger()
    engine = Engine(
        trackers={system: make_tracker(system=system, rules=rules)},
        counters=NoCounters(),
        store=None,
        publisher=None,
    )
    engine.observe(ledger.observe)
    for event in events:
        ledger.events += 1
        engine.apply(event)
    engine.pass_all_deadlines()
    return ledger


def _arrival(story: CallStory) -> tuple[datetime, CallId]:
    assert story.call is not None, "only ended calls have an arrival"
    return story.call.arrived_at, story.call.call_id


def _call_json(story: CallStory) -> Json:
    call = story.call
    assert call is not None, "only ended calls are shown"
    return {
        "call_id": call.call_id,
        "line": call.line,
        "arrived_at": call.arrived_at.isoformat(),
        "ended_at": call.at.isoformat(),
        "choice": call.choice,
        "digit": call.digit,
        "tries": call.tries,
        "is_static_menu": call.is_static_menu,
        "entries": [_entry_json(entry) for entry in story.entries],
        "wait_s": _seconds(call.wait),
        "moves": call.moves,
        "transfers": call.transfers,
        "hand_over": None if call.hand_over is None else call.hand_over.value,
        "outcome": call.outcome.value,
        "case": None if story.case is None else _case_json(story.case),
        # Where it says more than the choice does.
        **({"path": call.path} if PATH_MARK in call.path else {}),
    }


def _entry_json(entry: RecordEntry) -> Json:
    return {
        "queue": entry.queue,
        "joined_at": entry.joined_at.isoformat(),
        "wait_s": _seconds(entry.entry_wait),
        "disposition": entry.disposition.value,
        "agent": entry.agent,
        "talk_s": _seconds(entry.talk),
    }


def _case_json(case: OpenCase) -> Json:
    return {
        "rule": case.rule,
        "queue": case.queue,
        "agent": case.agent,
        "department": case.department,
    }


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds(), 6)
