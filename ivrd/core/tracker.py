"""All live calls and queues of one PBX: events in, effects and the next deadline out.

Here: which call and which entry an event belongs to. Not here: what an event does to an entry
(entry.py), what a call comes to (call.py, cases.py), who should move (overflow.py), and the book
itself (call_book.py).

The rules
    1. Time is `event.at`. It never goes backwards: an older stamp is lifted to the last one, and
       counted (`clamps`), because events of different threads may overtake each other.
    2. Deadlines that lie before an event are passed before it. So a live run, whose timer may be a
       little late, and a replay, which has none, decide alike.
    3. Nothing is moved while we are not sure who waits (before the first snapshot, after PeerLost).
    4. A call is forgotten when it has ended; memory returns to zero when all calls have.
    5. A channel that stands in a queue in a caller's stead is taken for the caller
       (consultation.py, rule 3).
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from ivrd.core import consultation, hand_over, resync, way_in, way_out
from ivrd.core import entry_facts as facts
from ivrd.core.call import ENDING_GRACE, Call, QueueEvent, entry_of, record_of
from ivrd.core.call_book import CallBook
from ivrd.core.cases import settle_case
from ivrd.core.catch_up import catch_up
from ivrd.core.decided import Decided
from ivrd.core.effects import Effect, MoveEnd
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentLegReplaced,
    AgentRang,
    AgentRingEnded,
    AttendedTransferred,
    BlindTransferred,
    CallArrived,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    CaseLabelled,
    CaseSaved,
    ChannelHungUp,
    ChoiceMade,
    DeadlinePassed,
    DialEnded,
    Event,
    HangupRequested,
    JournalRead,
    LabelPressed,
    LineClosed,
    MemberChanged,
    MemberRemoved,
    MoveRefused,
    NoticeTold,
    OrderGiven,
    OwnReport,
    PeerLost,
    QueueExited,
    RecordingChanged,
    SnapshotTaken,
)
from ivrd.core.floor import Prospect, QueueView
from ivrd.core.ids import CallId, ChannelId, QueueName, SystemName
from ivrd.core.labelling import Labelling
from ivrd.core.mover import Mover
from ivrd.core.rules import FloorRules
from ivrd.core.service_level import Counts
from ivrd.core.settling import Settling
from ivrd.core.staff import Staff
from ivrd.core.stay import Talking, Waiting
from ivrd.core.tracker_state import TrackerState

JOURNAL_RESOLUTION = timedelta(seconds=1)
"""queue_log cuts its stamps to the second (ASTERISK.md §A5)."""


class Tracker:
    """The live picture of one PBX. Not thread-safe; never awaits."""

    def __init__(self, *, system: SystemName, rules: FloorRules) -> None:
        self.system = system
        self._book = CallBook(system=system, rules=rules)
        self._mover = Mover(self._book)
        self._settling = Settling(self._book, self._mover)
        self._labelling = Labelling(self._book)
        self._last_at: datetime | None = None
        self._counted_since: datetime | None = None
        self._can_move = False
        self._due: CallId | None = None
        """Whose deadline is passing; known to `drop` if it breaks us."""
        self._is_untouched = False
        self._decided = Decided()
        self._from_journal: set[CallId] = set()
        self.clamps = 0
        """Events whose stamp was older than one already seen."""

    def apply(self, event: Event) -> tuple[Effect, ...]:
        """Return what to do about an event, in order."""
        at = event.at
        self._is_untouched = True
        if not self._is_outside_time(event):
            last_at = self._last_at
            self._counted_since = self._counted_since or at
            if last_at is not None and at < last_at:
                # What our own side reports carries the stamp of what it answers, and may be late.
                self.clamps += not isinstance(event, OwnReport)
                at = last_at
                event = replace(event, at=at)
            self._last_at = at
            while (deadline := self._next_moment()) is not None and deadline <= at:
                self._pass_next(deadline)
            self._mover.turn_day(at)
        self._due = None
        self._is_untouched = False
        self._route(event)
        self._settle(at)
        return self._book.take_effects()

    def _is_outside_time(self, event: Event) -> bool:
        """Return whether an event's stamp must not lift what the journal is about to tell.

        In a gap our own side goes on speaking; and that it began is noticed seconds late.
        """
        if isinstance(event, PeerLost):
            return True
        is_own = isinstance(event, OwnReport) and not isinstance(event, DeadlinePassed)
        return is_own and not self.is_synced

    def parts(self, snapshot: SnapshotTaken) -> tuple[SnapshotTaken, ...]:
        """Return what is to be applied before a snapshot, and then it; mostly nothing."""
        self._is_untouched = True
        parts = resync.parts(self._book, snapshot)
        self._is_untouched = False
        return parts

    def catch_up(self, event: JournalRead) -> tuple[Event, ...]:
        """Return what the journal tells and we missed; to be applied before the snapshot."""
        for member in event.members:
            self._book.floor(member.queue).members.put(member)
        events = catch_up(
            event.rows,
            calls=self._book.calls,
            finished=self._decided.calls,
            until=event.at,
            interface_of=self._book.interface_of,
        )
        for missed in events:
            named = getattr(missed, "call_id", None) or getattr(missed, "channel_id", None)
            if named is not None:
                self._from_journal.add(CallId(named))
        return events

    def change_rules(self, rules: FloorRules) -> None:
        """Follow other rules from the next event on; who waits, and what was counted, stays."""
        self._book.change_rules(rules)
        self._mover.forget_gone()

    def count_on(self, counts: Mapping[QueueName, Counts], since: datetime) -> None:
        """Add what an earlier tracker has counted since a day's first moment, of calls now over.

        Of days before nothing was read, so what the journal told of them goes.
        """
        is_of_today = self._mover.is_of_today(since)
        if is_of_today:
            for floor in self._book.queues.values():
                floor.forget_before_today()
        self._book.count_on(counts, is_of_today=is_of_today)
        self._counted_since = since

    def next_deadline(self) -> datetime | None:
        """Return when DeadlinePassed is wanted, in Asterisk's time; None when nothing is due.

        In a gap nothing is: the journal may have something to tell of what came before.
        """
        return self._next_moment() if self.is_synced else None

    def _next_moment(self) -> datetime | None:
        holds = self._labelling.holds
        moments = (self.next_call_deadline(), self._mover.wake_at, holds.next_release)
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def is_plan_cut(self) -> bool:
        """Whether more moves are wanted already: then the next deadline is not to be late."""
        return self.is_synced and self._mover.is_plan_cut

    def next_call_deadline(self) -> datetime | None:
        """Return the next deadline of a call; None without one. Those of rules may never end."""
        return self._book.deadlines[0][0] if self._book.deadlines else None

    def drop(self, event: Event) -> CallId | None:
        """Forget the call of an event that broke us, and return its id; None when it has none.

        The other calls go on: Erlang's "let it crash", per call.
        """
        self._book.undo_unsettled()
        named, self._due = self._due, None
        if named is None and not self._is_untouched:
            named = getattr(event, "call_id", None) or getattr(event, "channel_id", None)
        if named is None:
            return None
        owner = self._book.legs.get(ChannelId(named), CallId(named))
        call = self._book.calls.get(owner)
        if call is None:
            return None
        self._book.forget(call)
        return call.call_id

    def give_up_plan(self) -> tuple[Effect, ...]:
        """Return what an event came to, after a fault in planning; nothing yet if untouched."""
        self._settling.give_up()
        self._due = None
        return () if self._is_untouched else self._book.take_effects()

    @property
    def is_planning(self) -> bool:
        """Whether planning broke us, and not an event or a deadline; until `give_up_plan`."""
        return self._settling.is_under_way

    @property
    def is_event_untouched(self) -> bool:
        """Whether what broke us came before the event itself was looked at."""
        return self._is_untouched

    @property
    def is_synced(self) -> bool:
        """Whether we hold a snapshot and an unbroken stream of events since."""
        return self._book.is_synced

    @property
    def live_calls(self) -> int:
        """How many calls are remembered."""
        return len(self._book.calls)

    @property
    def oldest_arrival_at(self) -> datetime | None:
        """When the oldest live call arrived; None when there is none."""
        return min((call.arrived_at for call in self._book.calls.values()), default=None)

    def views(self) -> tuple[QueueView, ...]:
        """Return how each queue looks now."""
        found = map(self.view, self._book.queues)
        return tuple(view for view in found if view is not None)

    def view(self, queue: QueueName) -> QueueView | None:
        """Return how one queue looks now; None for a queue never heard of."""
        floor = self._book.queues.get(queue)
        if floor is None:
            return None
        return floor.view(is_synced=self._book.is_synced, counted_since=self._counted_since)

    @property
    def book(self) -> CallBook:
        """What is known of each call and queue; to be read only."""
        return self._book

    def knows(self, call_id: CallId) -> bool:
        """Return whether a call lives here."""
        return call_id in self._book.calls

    def prospect(self, queue: QueueName, call_id: CallId) -> Prospect | None:
        """Return what awaits a caller who enters a queue now; None while nobody knows."""
        return self._book.prospect(queue, call_id)

    def let_go(self) -> tuple[Effect, ...]:
        """Return what lets everybody go who is held for a label, as at the end."""
        return self._labelling.let_go()

    def state(self) -> TrackerState:
        """Return everything known, as values."""
        return TrackerState(
            system=self.system,
            calls=tuple(self._book.calls.values()),
            queues=self._book.queue_states(),
            overflow=self._mover.state(),
            last_at=self._last_at,
            counted_since=self._counted_since,
            finished=tuple(self._decided.calls),
            from_journal=frozenset(self._from_journal),
        )

    def remember_finished(self, call_ids: Iterable[CallId]) -> None:
        """Take over which calls an earlier tracker had decided."""
        self._decided.add_all(call_ids)

    def take_consultations(self) -> Mapping[CallId, datetime]:
        """Return which consultations ended since the last time, and when; no effect tells of it."""
        # After a restart the journal must not open them as calls.
        return self._decided.take_consultations()

    def restore(self, state: TrackerState) -> None:
        """Take over what an earlier tracker knew. Not sure until the next snapshot."""
        assert state.system == self.system, "a state belongs to one PBX"
        assert not self._book.calls, "restore before the first event"
        self._last_at = state.last_at
        self._counted_since = state.counted_since
        self._mover.restore(state.overflow)
        self._from_journal = set(state.from_journal)
        self.remember_finished(state.finished)
        self._book.take_over(state)

    def _pass_next(self, at: datetime) -> None:
        """Pass the next deadline, of a call or of an overflow rule."""
        self._due = None
        self._mover.turn_day(at)
        if self.next_call_deadline() == at:
            _, call_id = heapq.heappop(self._book.deadlines)
            self._due = call_id
            self._pass_deadline(at, call_id)
        elif self._labelling.holds.next_release == at:
            self._labelling.holds.pass_due(at)
        else:
            self._settling.wake(at)
        self._settle(at)

    def _settle(self, at: datetime) -> None:
        # After each deadline too, so that a late timer, or none, gives the same moves.
        self._settling.settle(at, can_move=self._can_move)

    def _route(self, event: Event) -> None:
        event = self._book.named(event)
        match event:
            case MemberChanged():
                self._book.change_member(event)
                self._labelling.holds.see(event)
            case AgentRang() | AgentRingEnded() | CallerLeft() | CallerAbandonNoted():
                self._route_to_queue(event)
            case AgentConnected() | AgentCompleted():
                self._route_to_queue(event)
            case ChannelHungUp():
                self._hang_up(event)
            case HangupRequested():
                self._step_last(CallId(event.channel_id), event)
            case CallArrived():
                way_in.arrive(self._book, event)
            case LineClosed():
                way_in.close_line(self._book, event)
            case NoticeTold():
                way_in.hear(self._book, event)
            case ChoiceMade():
                way_in.choose(self._book, event, is_told=self._is_told)
            case LabelPressed():
                self._labelling.press(event, finished=self._decided.calls)
            case CallerJoined():
                way_in.join(self._book, event, is_told=self._is_told)
            case QueueExited():
                way_out.leave(self._book, event, is_told=self._is_told)
            case BlindTransferred() | AttendedTransferred():
                merged = hand_over.note(self._book, event)
                if merged is not None:
                    self._end_consultation(merged, event.at)
            case DialEnded():
                hand_over.dialled(self._book, event)
            case AgentLegReplaced():
                hand_over.replace_leg(self._book, event)
            case MoveRefused():
                self._step_last(event.call_id, event)
            case JournalRead() | DeadlinePassed() | RecordingChanged():
                pass  # Its events come one by one (`catch_up`); deadlines pass before any event.
            case MemberRemoved():
                self._book.floor(event.queue).members.remove(event.interface)
                self._book.touch(event.queue)
            case SnapshotTaken() if event.is_part:
                resync.open_part(self._book, event)
            case SnapshotTaken():
                self._resync(event)
            case PeerLost():
                self._book.is_synced = False
                self._book.touched.update(dict.fromkeys(self._book.queues))
            case CaseSaved():
                self._book.publish_case(event)
            case CaseLabelled():
                self._labelling.holds.label(event.call_id, event.at)
            case OrderGiven():
                self._mover.obey(event, can_move=self._can_move)
            case _:
                assert_never(event)

    def _is_told(self, call_id: CallId, known_at: datetime, at: datetime) -> bool:
        """Return whether the journal has told an event already, in the same second.

        The journal is read just after the connection is made, so it holds the first events too.
        """
        is_same_second = known_at <= at < known_at + JOURNAL_RESOLUTION
        return is_same_second and call_id in self._from_journal

    def _route_to_queue(self, event: QueueEvent) -> None:
        call = self._book.calls.get(event.call_id)
        last = None if call is None else entry_of(call, event)
        if call is None or last is None:
            self._book.report("no entry", event, event.call_id)
            return
        self._book.step(call, last, event)
        if isinstance(event, AgentConnected):
            hand_over.connected(self._book, event)

    def _step_last(self, call_id: CallId, event: HangupRequested | MoveRefused) -> None:
        call = self._book.calls.get(self._book.aliases.get(call_id, call_id))
        if call is not None and call.entries:
            self._book.step(call, call.entries[-1], event)

    def _hang_up(self, event: ChannelHungUp) -> None:
        hand_over.leg_gone(self._book, event.channel_id, event.at)
        consultation.hang_up(self._book, event)
        if (call_id := self._book.legs.get(event.channel_id)) is not None:
            call = self._book.calls[call_id]
            for stay in call.entries:
                if isinstance(stay, Talking) and stay.agent_leg == event.channel_id:
                    call = self._book.step(call, stay, event)
        ended = self._book.calls.get(CallId(event.channel_id))
        if ended is None or ended.hung_up_at is not None:
            return
        if ended.entries:
            ended = self._book.step(ended, ended.entries[-1], event)
        way_in.end_notice(self._book, ended)
        if ended.landing is not None:
            ended = self._book.end_landing(ended, event.at, MoveEnd.HUNG_UP_FIRST)
        self._book.calls[ended.call_id] = replace(ended, hung_up_at=event.at)
        self._book.set_deadline(event.at + ENDING_GRACE, ended.call_id)
        self._labelling.holds.begin(ended, event.at)

    def _pass_deadline(self, at: datetime, call_id: CallId) -> None:
        call = self._book.calls.get(call_id)
        if call is None:
            return
        if call.hung_up_at is not None and call.hung_up_at + ENDING_GRACE <= at:
            self._finish(call, call.hung_up_at)
            return
        last = call.entries[-1] if call.entries else None
        if isinstance(last, Waiting) and last.move is not None and last.move.lapses_at <= at:
            self._book.with_entry(call, last, replace(last, move=None))
            self._book.effects.append(facts.move_ended(last.stay, last.move, at, MoveEnd.LAPSED))
            self._book.touch(last.stay.queue)

    def _finish(self, call: Call, at: datetime) -> None:
        if call.consults_for is not None:
            self._book.forget(call)
            self._end_consultation(call.call_id, at)
            return
        is_from_journal = call.call_id in self._from_journal
        record = record_of(call, at, self._book.rules, is_from_journal=is_from_journal)
        self._book.effects.append(record)
        settle_case(self._book, record, call)
        self._labelling.finish(call, record)
        self._book.forget(call)
        self._from_journal.discard(call.call_id)
        self._decided.add(call.call_id)

    def _end_consultation(self, call_id: CallId, at: datetime) -> None:
        self._from_journal.discard(call_id)
        self._decided.add_consultation(call_id, at)

    def _resync(self, event: SnapshotTaken) -> None:
        event = consultation.renamed(self._book, event)
        differences = resync.compare(self._book.calls, event)
        for call_id in differences.ended_calls:
            call = self._book.lose_entries(self._book.calls[call_id], event.at)
            if call.landing is not None:
                call = self._book.end_landing(call, event.at, MoveEnd.LAPSED)
            self._finish(replace(call, is_gap=True), event.at)
        for call_id in differences.ended_entries:
            self._book.lose_entries(self._book.calls[call_id], event.at)
        for kept in differences.kept_entries:
            call = self._book.calls[kept.call_id]
            self._book.with_entry(call, call.entries[-1], kept.state)
        for new in differences.new_callers:
            resync.open_seen(self._book, new, event.at)
        members = {queue.queue: queue.members for queue in event.queues}
        for queue in {**self._book.queues, **members}:
            floor = self._book.floor(queue)
            floor.members = Staff(members.get(queue, ()))
            self._book.touch(queue)
        self._labelling.holds.see_all()
        self._book.is_synced = True
        self._can_move = event.can_withdraw
