"""(d) Events per second and bytes per live call of the tracker alone, as calls grow in number.

The stream is made beforehand, against a tracker of its own that asks for moves; the tracker that is
measured gets the same events, and so asks for the same moves. Each call that ends is followed by a
new one, so the number of live calls stays.
"""

import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType

from ivrd.core.effects import MoveCaller
from ivrd.core.events import Event
from ivrd.core.rules import FloorRules
from ivrd.core.tracker import Tracker
from ivrd.core.tracker_state import TrackerState
from tests.bench.made_up_floor import SYSTEM, MadeUpFloor, queue_names, rules
from tests.bench.result import BenchError, Result, Row, spread_row

SIZES = (100, 1_000, 10_000)
QUEUES = 20
WAIT_S = 150.0
RAMP_S = 300.0
"""About the length of a call: within it the first calls begin."""

SETTLED_S = 1.5 * RAMP_S
"""By then ends and beginnings are spread evenly."""

START_WAITING = 2
"""At 100 live calls some three wait in each queue, and at 10,000 some 300: always enough."""

GOAL = 1.5


@dataclass(slots=True, kw_only=True)
class Stream:
    """The events of so many live calls."""

    live_calls: int
    rules: FloorRules
    ramp: Sequence[Event]
    steady: Sequence[Event]
    end: TrackerState
    """What the tracker knew then with which the events were made."""
    bytes_per_call: float
    micros: list[float] = field(default_factory=list)
    """Per event, of each round."""


async def measure(*, is_quick: bool) -> Result:
    """Return the speed at each size, with overflow at rest and at work."""
    events, rounds = (5_000, 3) if is_quick else (10_000, 7)
    kinds = {
        "overflow at rest": _measured(QUEUES, None, events, rounds),
        "overflow at work": _measured(QUEUES, START_WAITING, events, rounds),
        "overflow at work, two queues": _measured(2, START_WAITING, events, rounds),
    }
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for kind, streams in kinds.items():
        rows += [
            spread_row(
                f"{stream.live_calls:,} live, {kind}", "events/s", [1e6 / m for m in stream.micros]
            )
            for stream in streams
        ]
        of_rounds = [b / a for a, b in zip(streams[0].micros, streams[-1].micros, strict=True)]
        ratio = spread_row(f"10,000 / 100, {kind}", "", of_rounds)
        rows.append(ratio)
        ratios[kind] = ratio.figures["median"]
    rows.append(_bytes_row(kinds["overflow at rest"]))
    worst = max(ratios.values())
    return Result(
        key="d",
        title="tracker alone: CPU per event at 10,000 live calls / at 100, the worst kind",
        rows=tuple(rows),
        figure=worst,
        goal=f"<= {GOAL:g} (flat)",
        is_met=worst <= GOAL,
        notes=(
            f"{events:,} events a round, {rounds} rounds, the sizes in turn, by this thread's CPU "
            "time",
            f"calls spread over {QUEUES} queues, half of them waiting; overflow at work: all "
            f"{QUEUES} rules in force, lines above their start, each caller moved once",
            "bytes: all that the tracker's book holds (calls, indices, queues, members), by "
            "sys.getsizeof, divided by the live calls",
        ),
    )


def _measured(queues: int, start_waiting: int | None, events: int, rounds: int) -> list[Stream]:
    streams = [_stream(calls, queues, start_waiting, events * rounds) for calls in SIZES]
    trackers = [Tracker(system=SYSTEM, rules=stream.rules) for stream in streams]
    for stream, tracker in zip(streams, trackers, strict=True):
        for event in stream.ramp:
            tracker.apply(event)
    # The stream itself must not make the garbage collector slower at 10,000.
    gc.collect()
    gc.freeze()
    try:
        for number in range(rounds):
            for stream, tracker in zip(streams, trackers, strict=True):
                last = None if number == rounds - 1 else (number + 1) * events
                part = stream.steady[number * events : last]
                stream.micros.append(_micros_per_event(tracker, part))
    finally:
        gc.unfreeze()
    for stream, tracker in zip(streams, trackers, strict=True):
        _prove_same(stream, tracker)
    return streams


def _stream(calls: int, queues: int, start_waiting: int | None, events: int) -> Stream:
    names = queue_names(queues)
    floor_rules = rules(names, start_waiting=start_waiting)
    floor = MadeUpFloor(names, wait_s=WAIT_S, when_ended=lambda: floor.call_in(0.0))
    tracker = Tracker(system=SYSTEM, rules=floor_rules)
    ramp: list[Event] = [floor.snapshot()]
    tracker.apply(ramp[0])
    for number in range(calls):
        floor.call_in(RAMP_S * number / calls)
    while floor.now_s < SETTLED_S:
        _advance(floor, tracker, ramp)
    steady: list[Event] = []
    moves = 0
    while len(steady) < events:
        moves += _advance(floor, tracker, steady)
    active = sum(rule.is_active for rule in tracker.state().overflow.policy.rules.values())
    if not 0.9 * calls <= tracker.live_calls <= 1.1 * calls:
        raise BenchError(f"{tracker.live_calls} calls are live instead of {calls}")
    if (start_waiting is not None) != bool(moves and active):
        raise BenchError(f"{moves} moves were asked for, and {active} rules are in force")
    return Stream(
        live_calls=calls,
        rules=floor_rules,
        ramp=ramp,
        steady=steady,
        end=tracker.state(),
        bytes_per_call=deep_bytes(tracker._book) / tracker.live_calls,
    )


def _advance(floor: MadeUpFloor, tracker: Tracker, events: list[Event]) -> int:
    """Let one thing happen; return how many moves the tracker asks for upon it."""
    moves = 0
    for event in floor.step():
        events.append(event)
        for effect in tracker.apply(event):
            if isinstance(effect, MoveCaller):
                floor.move(effect)
                moves += 1
    return moves


def _micros_per_event(tracker: Tracker, events: Sequence[Event]) -> float:
    apply = tracker.apply
    gc.collect()
    started_s = time.thread_time()
    for event in events:
        apply(event)
    return 1e6 * (time.thread_time() - started_s) / len(events)


def _prove_same(stream: Stream, tracker: Tracker) -> None:
    """Prove that the tracker that was measured came to what the events were made with.

    Raises:
        BenchError: It did not, so something else was measured.
    """
    if tracker.state() != stream.end:
        raise BenchError(f"other calls at the end with {stream.live_calls} live calls")


def _bytes_row(streams: Sequence[Stream]) -> Row:
    figures = {f"{stream.live_calls:,} live": stream.bytes_per_call for stream in streams}
    return Row(name="bytes per live call", unit="", figures=figures)


def deep_bytes(root: object) -> int:
    """Return the size of an object and of all that it refers to, each once; code left out."""
    seen: set[int] = set()
    left = [root]
    total = 0
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        left.extend(gc.get_referents(each))
    return total
