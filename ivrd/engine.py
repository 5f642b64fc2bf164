"""The only consumer: takes events, asks the core, hands out effects, keeps the one timer.

Here: order and guards. Not here: any decision (core) and any waiting on a peer (adapters). The
engine never awaits a sink: each takes an effect at once and has its own bounded outbox.

How to drive it, in five steps
    1. Build one `Tracker` per PBX and one `Engine` with the sinks.
    2. Give `submit` to every adapter as its way in; it never waits.
    3. Run `run()` as one task.
    4. Read the floor (`queues()`) from the same event loop, at any time.
    5. At the end cancel the task; `pass_all_deadlines` decides the last calls of a replay.

An event that breaks the core costs its own call and no other: the guard here is one of the three
places where `except Exception` is allowed (ARCHITECTURE.md, Failure).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, assert_never

import structlog

from ivrd.core.decisions import RecordDecision, Told, decided
from ivrd.core.effects import (
    CountChoice,
    CountEntry,
    CountJoin,
    CountNotice,
    DivertCallers,
    Effect,
    MoveCaller,
    OpenCase,
    PauseMember,
    PublishCase,
    PublishQueueState,
    RecordCall,
    RecordCallAct,
    RecordContact,
    RecordEntry,
    RecordMove,
    ReportUnexpected,
    TellDecision,
    TellNotMoved,
    TellRuleChange,
)
from ivrd.core.events import DeadlinePassed, Event, JournalRead, SnapshotTaken
from ivrd.core.floor import QueueView
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.service_level import Counts
from ivrd.core.tracker import Tracker
from ivrd.engine_log import PlanFaults, log_call, log_decision, log_rule_change

INBOX_EVENTS_MAX = 100_000
"""A county at its peak gives some hundred events a second: minutes of it, about 50 MB."""

EVENTS_PER_TURN = 200
"""Events between two looks at the loop's other tasks: some 5 ms at 20 µs each."""

TURN_S_MAX = 0.005
"""And no event more after so long: while a whole queue is moved one costs ten times as much, and a
turn of the loop may last 50 ms with all that others do in it."""

DECISIONS_PER_TURN = 20
"""Decisions told between two looks at the loop's other tasks: a rule that begins moves hundreds at
once, each costs some 400 µs to store, publish and log, and no move waits for its telling."""

LATE_S = 0.25
"""How long after a deadline the timer fires, so that events stamped before it have arrived."""

READING_TURNS = 3
"""Turns of the loop from a readable socket to the inbox: it is read, and its reader wakes up; and
one to spare."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


Stored = (
    RecordEntry
    | RecordCall
    | RecordMove
    | OpenCase
    | RecordContact
    | RecordCallAct
    | RecordDecision
)


class Counters(Protocol):
    """Where effects and events are counted; synchronous, cannot fail."""

    def count_entry(self, effect: CountEntry, /) -> None: ...
    def count_join(self, effect: CountJoin, /) -> None: ...
    def count_choice(self, effect: CountChoice, /) -> None: ...
    def count_notice(self, effect: CountNotice, /) -> None: ...
    def record_entry(self, effect: RecordEntry, /) -> None: ...
    def record_move(self, effect: RecordMove, /) -> None: ...
    def record_call(self, effect: RecordCall, /) -> None: ...
    def open_case(self, effect: OpenCase, /) -> None: ...
    def report_unexpected(self, effect: ReportUnexpected, /) -> None: ...
    def count_event(self, system: SystemName, event: str) -> None: ...
    def count_failed_event(self, system: SystemName, event: str) -> None: ...
    def settle(self) -> None: ...


class StoreSink(Protocol):
    """Where facts go to be stored."""

    def put_nowait(self, effect: Stored, /) -> None: ...


class Publisher(Protocol):
    """Where subscribers are told."""

    def publish_queue(self, system: SystemName, queue: QueueName) -> None: ...
    def publish_case(self, case: PublishCase, /) -> None: ...
    def publish_decision(self, decision: RecordDecision, /) -> None: ...


class Pbx(Protocol):
    """Where a PBX is asked to act, and whose clock counts for its calls."""

    def move(self, effect: MoveCaller) -> None:
        """Ask for a move; a refusal comes back as a MoveRefused event."""

    def divert(self, effect: DivertCallers) -> None:
        """Let the dialplan send callers on at a queue's door, from now on."""

    def pause(self, effect: PauseMember) -> None:
        """Pause a member, or let them take calls again; only events tell that it is so."""

    def seconds_until(self, at: datetime) -> float:
        """Return how long until this PBX's clock says `at`; negative when it is past."""


class Engine:
    """Feeds trackers and hands out their effects."""

    def __init__(
        self,
        *,
        trackers: Mapping[SystemName, Tracker],
        counters: Counters,
        store: StoreSink | None,
        publisher: Publisher | None,
    ) -> None:
        """Take the parts; `store` and `publisher` may be absent, as in a replay."""
        self._trackers = trackers
        self._counters = counters
        self._store = store
        self._publisher = publisher
        self._pbxes: dict[SystemName, Pbx] = {}
        self._inbox: deque[Event] = deque()
        self._told: deque[Told] = deque()
        """Decisions that are carried out, and not told yet; about as many as moves at once."""
        self._parted: SnapshotTaken | None = None
        """The one that waits for its parts."""
        self._has_news = asyncio.Event()
        self._observers: list[Callable[[Effect], None]] = []
        self._plan_faults = PlanFaults()

    def connect(self, system: SystemName, pbx: Pbx) -> None:
        """Say who acts for a PBX. Before `run`."""
        self._pbxes[system] = pbx

    def observe(self, observer: Callable[[Effect], None]) -> None:
        """Let somebody see every effect, as `ivrd replay` does; must not raise."""
        self._observers.append(observer)

    def submit(self, event: Event) -> None:
        """Take an event, at once and without waiting.

        Raises:
            asyncio.QueueFull: There is no room. The AMI adapter then holds events back until its
                own bound is reached, says that events were lost, and takes a snapshot.
        """
        if len(self._inbox) >= INBOX_EVENTS_MAX:
            raise asyncio.QueueFull
        self._inbox.append(event)
        self._has_news.set()

    def queues(self) -> Sequence[QueueView]:
        """Return how every queue of every PBX looks now."""
        return [view for tracker in self._trackers.values() for view in tracker.views()]

    def queue(self, system: SystemName, queue: QueueName) -> QueueView | None:
        """Return how one queue looks now; None for one never heard of."""
        tracker = self._trackers.get(system)
        return None if tracker is None else tracker.view(queue)

    def count_on(
        self, system: SystemName, counts: Mapping[QueueName, Counts], since: datetime
    ) -> None:
        """Let a PBX's counts go on from what is stored since then.

        Whoever shows them is told at once: in a quiet hour no event comes that would say so.
        """
        tracker = self._trackers[system]
        tracker.count_on(counts, since)
        for view in tracker.views():
            self._dispatch(PublishQueueState(system=system, queue=view.queue))

    @property
    def inbox_depth(self) -> int:
        """Events waiting to be applied."""
        return len(self._inbox)

    async def run(self) -> None:
        """Apply events and pass deadlines until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._seconds_to_deadline()):
                    await self._has_news.wait()
            except TimeoutError:
                await self._let_come()
                if not self._inbox:
                    self._pass_due_deadlines()
                    continue
            self._apply_some()
            await asyncio.sleep(0)
            if not self._go_on_planning():
                self._tell_some(DECISIONS_PER_TURN)
            if not self._inbox and not self._told:
                self._has_news.clear()
            await asyncio.sleep(0)

    def apply(self, event: Event) -> tuple[Effect, ...]:
        """Apply one event now, hand out its effects, and return them."""
        tracker = self._trackers.get(event.system)
        if tracker is None:
            log.error("event_dropped", reason="unknown_system", asterisk=event.system)
            return ()
        name = type(event).__name__
        self._counters.count_event(event.system, name)
        missed, effects = self._apply_guarded(tracker, event, name)
        # Before all that waits, and in turns like it: a day's gap must not stall the loop, and a
        # fault in one of them must cost its own call only.
        self._inbox.extendleft(reversed(missed))
        for effect in effects:
            self._dispatch(effect)
        # Last: a call whose count is kept is not decided again after a kill, so all that it came
        # to must be with the store by then.
        self._counters.settle()
        return effects

    def _apply_guarded(
        self, tracker: Tracker, event: Event, name: str
    ) -> tuple[tuple[Event, ...], tuple[Effect, ...]]:
        """Return what is to come first, and what to do about an event; a bug costs a call.

        What broke before the event was looked at is another call's deadline, which costs that call,
        or planning, which costs none: then the event is applied again.
        """
        while True:
            try:
                if isinstance(event, JournalRead):
                    # Not applied itself: its stamp is later than what it tells.
                    return tracker.catch_up(event), ()
                if isinstance(event, SnapshotTaken) and (parts := self._parts_of(tracker, event)):
                    return (*parts, event), ()
                return (), tracker.apply(event)
            except Exception as fault:
                self._counters.count_failed_event(event.system, name)
                is_event_untouched = tracker.is_event_untouched
                if tracker.is_planning:
                    self._plan_faults.say(event.system, fault, event=name, at=event.at)
                    effects = tracker.give_up_plan()
                else:
                    dropped, effects = tracker.drop(event), ()
                    log.exception(
                        "event_failed", asterisk=event.system, tracker_event=name, call_id=dropped
                    )
                if not is_event_untouched:
                    return (), effects

    def apply_inbox(self) -> None:
        """Apply all that waits in the inbox now, as at the end."""
        while self._inbox:
            self.apply(self._inbox.popleft())
        self.tell_decisions()

    def let_go(self) -> None:
        """Let everybody go who is held for a label: nobody will look after them."""
        for tracker in self._trackers.values():
            for effect in tracker.let_go():
                self._dispatch(effect)

    def tell_decisions(self) -> None:
        """Tell of every decision now, as at the end."""
        self._tell_some(len(self._told))

    def pass_all_deadlines(self) -> tuple[Effect, ...]:
        """Pass every deadline of a call, however far off: nothing more will come."""
        effects: list[Effect] = []
        for system, tracker in self._trackers.items():
            while (deadline := tracker.next_call_deadline()) is not None:
                effects.extend(self.apply(DeadlinePassed(at=deadline, system=system)))
        return tuple(effects)

    def _apply_some(self) -> None:
        ends_s = time.monotonic() + TURN_S_MAX
        for _ in range(min(EVENTS_PER_TURN, len(self._inbox))):
            self.apply(self._inbox.popleft())
            if time.monotonic() > ends_s:
                return

    def _parts_of(self, tracker: Tracker, event: SnapshotTaken) -> tuple[SnapshotTaken, ...]:
        if event.is_part:
            return ()
        if event is self._parted:
            self._parted = None
            return ()
        # Once, also when it breaks us, and when a part does: the whole has all of it.
        self._parted = event
        parts = tracker.parts(event)
        if not parts:
            self._parted = None
        return parts

    def _seconds_to_deadline(self) -> float | None:
        waits = [
            self._pbxes[system].seconds_until(deadline) + _late_s(tracker)
            for system, tracker in self._trackers.items()
            if (deadline := tracker.next_deadline()) is not None and system in self._pbxes
        ]
        return max(0.0, min(waits)) if waits else None

    async def _let_come(self) -> None:
        """Let the adapters read what lies in their sockets already.

        A process that stood still, for longer than LATE_S, wakes up to its timer and to events from
        before it at once. These are applied first, and pass the deadlines before them.
        """
        for _ in range(READING_TURNS):
            await asyncio.sleep(0)

    def _go_on_planning(self) -> bool:
        """Decide the next moves of a plan that was cut; return whether there was one."""
        cut = [tracker for tracker in self._trackers.values() if tracker.is_plan_cut]
        for tracker in cut:
            deadline = tracker.next_deadline()
            assert deadline is not None, "a plan that was cut goes on at some time"
            self.apply(DeadlinePassed(at=deadline, system=tracker.system))
        return bool(cut)

    def _pass_due_deadlines(self) -> None:
        for system, tracker in self._trackers.items():
            pbx = self._pbxes.get(system)
            while (
                pbx is not None
                and (deadline := tracker.next_deadline()) is not None
                and pbx.seconds_until(deadline) + _late_s(tracker) <= 0
            ):
                self.apply(DeadlinePassed(at=deadline, system=system))

    def _dispatch(self, effect: Effect) -> None:
        """Hand one effect out, in a fixed order: counters, store, subscribers, PBX."""
        for observer in self._observers:
            observer(effect)
        match effect:
            case PublishQueueState():
                if self._publisher is not None:
                    self._publisher.publish_queue(effect.system, effect.queue)
            case CountEntry():
                self._counters.count_entry(effect)
            case CountJoin():
                self._counters.count_join(effect)
            case CountChoice():
                self._counters.count_choice(effect)
            case CountNotice():
                self._counters.count_notice(effect)
            case RecordEntry():
                self._counters.record_entry(effect)
                self._keep(effect)
            case RecordContact() | RecordCallAct():
                self._keep(effect)
            case RecordCall():
                self._counters.record_call(effect)
                self._keep(effect)
                log_call(effect)
            case RecordMove():
                self._counters.record_move(effect)
                self._keep(effect)
                self._tell(effect)
            case OpenCase():
                self._counters.open_case(effect)
                self._keep(effect)
            case PublishCase():
                if self._publisher is not None:
                    self._publisher.publish_case(effect)
            case MoveCaller():
                self._move(effect)
            case PauseMember():
                self._pause(effect)
            case DivertCallers():
                self._divert(effect)
                self._tell(effect)
            case TellRuleChange():
                log_rule_change(effect)
                self._tell(effect)
            case TellDecision() | TellNotMoved():
                self._tell(effect)
            case ReportUnexpected():
                self._counters.report_unexpected(effect)
                log.debug(
                    "event_unexpected",
                    asterisk=effect.system,
                    call_id=effect.call_id,
                    state=effect.state,
                    tracker_event=effect.event,
                )
            case _:
                assert_never(effect)

    def _keep(self, effect: Stored) -> None:
        if self._store is not None:
            self._store.put_nowait(effect)

    def _tell(self, effect: Told) -> None:
        """Note a decision to be told, after what it asks for has gone out."""
        if self._store is not None or self._publisher is not None:
            self._told.append(effect)
            self._has_news.set()

    def _tell_some(self, count: int) -> None:
        for _ in range(min(count, len(self._told))):
            decision = decided(self._told.popleft())
            self._keep(decision)
            if self._publisher is not None:
                self._publisher.publish_decision(decision)
            log_decision(decision)

    def _move(self, effect: MoveCaller) -> None:
        pbx = self._pbxes.get(effect.system)
        if pbx is not None:
            pbx.move(effect)
        # Without a PBX this is a replay: the recording tells what came of the move.

    def _pause(self, effect: PauseMember) -> None:
        pbx = self._pbxes.get(effect.system)
        if pbx is not None:
            pbx.pause(effect)

    def _divert(self, effect: DivertCallers) -> None:
        pbx = self._pbxes.get(effect.system)
        if pbx is not None:
            pbx.divert(effect)


def _late_s(tracker: Tracker) -> float:
    return 0.0 if tracker.is_plan_cut else LATE_S
