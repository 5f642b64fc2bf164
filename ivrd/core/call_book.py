"""The book of live calls and queues of one PBX: one home for every change to them.

Here: mutable bookkeeping, owned by the tracker: calls, the legs of their agents, queues, deadlines,
and the effects gathered while one event is applied. Not here: what an event means (tracker.py,
entry.py) and who should move (mover.py).

What must stay true: a queue's waiting list holds exactly the calls whose last entry is `Waiting`
there, consultations left out; whatever points to a call points to a live one; every
call with `hung_up_at`, or with a move, has a deadline. Of a consultation nothing is counted.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from ivrd.core import entry as entries
from ivrd.core import entry_facts
from ivrd.core.call import ENDING_GRACE, Call
from ivrd.core.call_view import arrival, candidate, moves_out, of_call, way_of
from ivrd.core.effects import (
    CountEntry,
    CountJoin,
    Effect,
    MoveEnd,
    PublishCase,
    PublishQueueState,
    ReportUnexpected,
)
from ivrd.core.entry import EntryEvent
from ivrd.core.events import (
    AgentCompleted,
    AgentConnected,
    AgentRang,
    AgentRingEnded,
    CallerAbandonNoted,
    CallerJoined,
    CallerLeft,
    CaseSaved,
    Event,
    MemberChanged,
    MoveRefused,
    QueueExited,
)
from ivrd.core.expected_wait import Pace
from ivrd.core.floor import Prospect
from ivrd.core.ids import CallId, ChannelId, Interface, QueueName, SystemName
from ivrd.core.queue_floor import QueueFloor
from ivrd.core.rules import FloorRules
from ivrd.core.service_level import Counts
from ivrd.core.staff import Staff
from ivrd.core.stay import Closed, EntryState, Move, Stay, Talking, Waiting, legs_of
from ivrd.core.tracker_state import QueueState, TrackerState

_Key = TypeVar("_Key")


def device_of(interface: str) -> str:
    """Return what a channel of a member's interface is named after.

    >>> device_of("Local/anna@mobiles/n")
    'Local/anna@mobiles'
    """
    return interface.removesuffix("/n")


def _forget_in(index: dict[_Key, CallId], key: _Key, call_id: CallId) -> None:
    """Take a key out of an index, if it still points to that call."""
    if index.get(key) == call_id:
        del index[key]


class CallBook:
    """Live calls and queues, and the effects of the event being applied."""

    def __init__(self, *, system: SystemName, rules: FloorRules) -> None:
        self.system = system
        self.rules = rules
        self.is_synced = False
        """We hold a snapshot and an unbroken stream of events since."""
        self.calls: dict[CallId, Call] = {}
        self.legs: dict[ChannelId, CallId] = {}
        """Every channel an agent of ours answered a live call with, replaced ones included."""
        self.aliases: dict[CallId, CallId] = {}
        """Channels that stand in a queue in the stead of a caller."""
        self.thirds: dict[ChannelId, CallId] = {}
        """Third parties in a talk of three."""
        self.answered: dict[ChannelId, CallId] = {}
        """Phones that answered when dialled for a live call, while they live."""
        self.recalls: dict[str, CallId] = {}
        """Agents' phones that ring again if a hand-over does not reach its target."""
        self.talkers: dict[str, CallId] = {}
        """Phones of agents in talk; an entry may be stale."""
        self.queues: dict[QueueName, QueueFloor] = {}
        self.deadlines: list[tuple[datetime, CallId]] = []
        """A heap; an entry may be stale, and is looked up again when it passes."""
        self.touched: dict[QueueName, None] = {}
        """Queues that look different now, in the order in which they changed."""
        self.on_the_way: dict[CallId, QueueName] = {}
        """Who has left a queue upon a move, and the queue where they are not yet."""
        self.refused_moves: list[tuple[QueueName, datetime]] = []
        """Queues that refused a caller whom we sent there, until the mover has seen it."""
        self.effects: list[Effect] = []
        self._settled = 0
        """So many of them belong to steps that came to their end."""
        for name in rules.queues:
            self.floor(name)

    def change_rules(self, rules: FloorRules) -> None:
        """Follow other rules.

        A queue that they do not name any more goes on by those of before: who waits there is
        served, and was counted when they came. Of a queue that they name first, who is in it
        already is counted as come now.
        """
        self.rules = replace(rules, queues={**self.rules.queues, **rules.queues})
        for name in self.rules.queues:
            floor = self.floor(name)
            if floor.rules is None:
                floor.rules = rules.queues[name]
                floor.count_those_inside(self._inside(name))
            floor.rules = self.rules.queues[name]
        for queue in self.queues:
            self.touch(queue)

    def _inside(self, queue: QueueName) -> int:
        """Return how many are in a queue, or out of it and not yet known why."""
        return sum(
            entry.stay.queue == queue and not isinstance(entry, Closed | Talking)
            for call in self.calls.values()
            if call.consults_for is None
            for entry in call.entries
        )

    def count_on(self, counts: Mapping[QueueName, Counts], *, is_of_today: bool) -> None:
        """Add what was counted of calls that are over, today or on a day before."""
        for queue, more in counts.items():
            self.floor(queue).count_more(more, is_of_today=is_of_today)
            self.touch(queue)

    def touch(self, queue: QueueName) -> None:
        """Note that a queue looks different now."""
        self.touched[queue] = None

    def tell_touched(self, at: datetime) -> None:
        """Say which queues look different now, and let each one's pace see it."""
        for queue in self.touched:
            self.floor(queue).note(at, is_synced=self.is_synced)
            self.effects.append(PublishQueueState(system=self.system, queue=queue))

    def take_effects(self) -> tuple[Effect, ...]:
        """Return the gathered effects, and begin anew."""
        effects = tuple(self.effects)
        self.effects.clear()
        self.settle()
        return effects

    def secure(self) -> None:
        """Note that what was gathered so far holds, whatever comes after."""
        self._settled = len(self.effects)

    def settle(self) -> None:
        """Note that a step came to its end."""
        self.secure()
        self.touched.clear()

    def undo_unsettled(self) -> None:
        """Take back what was gathered by a step that broke; what other calls came to stays."""
        del self.effects[self._settled :]
        self.touched.clear()

    def get_or_open(self, call_id: CallId, *, at: datetime, channel: str) -> Call:
        """Return a call; one that began unseen is opened, with no line."""
        call = self.calls.get(call_id)
        if call is None:
            call = Call(system=self.system, call_id=call_id, channel=channel, arrived_at=at)
            self.calls[call_id] = call
        return call

    def named(self, event: Event) -> Event:
        """Return an event about a channel that stands for a caller as one about the caller."""
        if not self.aliases:
            return event
        match event:
            case (
                CallerJoined()
                | CallerLeft()
                | CallerAbandonNoted()
                | QueueExited()
                | AgentRang()
                | AgentRingEnded()
                | AgentConnected()
                | AgentCompleted()
            ) if event.call_id in self.aliases:
                return replace(event, call_id=self.aliases[event.call_id])
            case _:
                return event

    def floor(self, queue: QueueName) -> QueueFloor:
        """Return a queue; one that is not configured is watched, and not counted."""
        floor = self.queues.get(queue)
        if floor is None:
            floor = QueueFloor(system=self.system, queue=queue, rules=self.rules.queues.get(queue))
            self.queues[queue] = floor
        return floor

    def keep(self, call: Call) -> None:
        """Remember a call, who waits in which queue, and whose phone its agent answered with."""
        self.calls[call.call_id] = call
        self.aliases.update(dict.fromkeys(call.aliases, call.call_id))
        self.answered.update(dict.fromkeys(call.answered_dials, call.call_id))
        if call.third is not None:
            self.thirds[call.third] = call.call_id
        way = way_of(call)
        if way is not None:
            self.on_the_way[call.call_id] = way.to_queue
        else:
            self.on_the_way.pop(call.call_id, None)
        if call.hand_overs and (phone := call.hand_overs[-1].recalls) is not None:
            self.recalls[device_of(phone)] = call.call_id
        for stay in call.entries:
            if isinstance(stay, Talking):
                self.talkers[device_of(stay.interface)] = call.call_id
            if isinstance(stay, Waiting) and call.consults_for is None:
                self.floor(stay.stay.queue).waiting.put(candidate(call, stay))
            for leg in legs_of(stay):
                self.legs[leg] = call.call_id

    def step(self, call: Call, old: EntryState, event: EntryEvent) -> Call:
        """Take one entry of a call one event further; return the call as it is then."""
        step = entries.apply(old, event)
        if step.state is not old:
            call = self.with_entry(call, old, step.state)
            if isinstance(event, AgentRingEnded):
                self.touch(old.stay.queue)  # The caller may be moved again.
            if isinstance(event, MoveRefused) and not event.was_sent:
                call = replace(call, moves_asked=call.moves_asked - 1)
                self.keep(call)
                self.touch(old.stay.queue)
        self.emit_of(call, step.effects)
        return call

    def with_entry(self, call: Call, old: EntryState, new: EntryState) -> Call:
        """Put an entry's new state in the place of the old; return the call as it is then."""
        number = old.stay.number - 1
        call = replace(call, entries=(*call.entries[:number], new, *call.entries[number + 1 :]))
        self.keep(call)
        if isinstance(old, Waiting) and not isinstance(new, Waiting):
            self.floor(old.stay.queue).waiting.remove(call.call_id)
            self.touch(old.stay.queue)
        return call

    def note_asked(self, call: Call, last: Waiting, move: Move) -> None:
        """Note that a waiting caller was asked to move."""
        asked = Waiting(
            stay=last.stay,
            offered_to=last.offered_to,
            hangup_asked_at=last.hangup_asked_at,
            move=move,
        )
        entries = (*call.entries[:-1], asked)
        self.keep(replace(call, entries=entries, moves_asked=call.moves_asked + 1))

    def emit_of(self, call: Call, effects: Iterable[Effect]) -> None:
        """Gather the effects of one call's entry; a consultation has none."""
        if call.consults_for is None:
            self.emit(of_call(call, effect) for effect in effects)

    def emit(self, effects: Iterable[Effect]) -> None:
        """Gather effects, and count what they say is counted."""
        for effect in effects:
            if isinstance(effect, CountEntry):
                self.floor(effect.queue).count(effect)
                self.touch(effect.queue)
            self.effects.append(effect)

    def open_entry(self, call: Call, queue: QueueName, at: datetime, *, is_move: bool) -> None:
        """Begin a stay in a queue."""
        stay = self.stay(call, queue, at)
        self.keep(replace(call, entries=(*call.entries, Waiting(stay=stay))))
        if call.consults_for is None:
            self.count_join(stay, is_move=is_move)

    def count_join(self, stay: Stay, *, is_move: bool) -> None:
        """Count a caller who entered a queue."""
        self.floor(stay.queue).count_join(is_move=is_move)
        self.effects.append(
            CountJoin(
                system=self.system, call_id=stay.call_id, number=stay.number, queue=stay.queue
            )
        )
        self.touch(stay.queue)

    def stay(self, call: Call, queue: QueueName, at: datetime) -> Stay:
        """Return the facts of a call's next stay."""
        first_joined_at = arrival(call) or at
        can_tell = self.is_synced and call.consults_for is None
        return Stay(
            system=self.system,
            call_id=call.call_id,
            queue=queue,
            number=len(call.entries) + 1,
            joined_at=at,
            first_joined_at=first_joined_at,
            joined_by=call.stand_ins[-1] if call.stand_ins else None,
            expected=self.floor(queue).expect(first_joined_at) if can_tell else None,
        )

    def prospect(self, queue: QueueName, call_id: CallId) -> Prospect | None:
        """Return what awaits a caller who enters a queue now; None while nobody knows."""
        floor = self.queues.get(queue)
        if floor is None or not self.is_synced:
            return None
        call = self.calls.get(call_id)
        first_joined_at = None if call is None else arrival(call)
        return Prospect(
            place=floor.waiting.place_among_all(first_joined_at),
            has_agents=floor.has_agents(),
            expected=floor.expect(first_joined_at),
        )

    def end_landing(self, call: Call, at: datetime, end: MoveEnd) -> Call:
        """End a move that took the caller out of a queue; return the call as it is then."""
        assert call.landing is not None, "only a move that has begun can end"
        moved_out = [stay for stay in call.entries if isinstance(stay, Closed) and stay.move]
        stay = moved_out[-1].stay
        self.effects.append(entry_facts.move_ended(stay, call.landing, at, end, took_out=True))
        self.on_the_way.pop(call.call_id, None)
        if end is MoveEnd.REFUSED:
            self.refused_moves.append((call.landing.to_queue, at))
        call = replace(call, landing=None, moves_landed=call.moves_landed + (end is MoveEnd.LANDED))
        self.calls[call.call_id] = call
        return call

    def start_landing(self, call: Call) -> None:
        """Remember the move that took the caller out of the last queue, if one did."""
        last = call.entries[-1]
        if isinstance(last, Closed) and last.move is not None:
            # One that the journal told was asked for by us too, before a restart.
            asked = max(call.moves_asked, len(moves_out(call)))
            self.keep(replace(call, landing=last.move, moves_asked=asked))

    def land(self, call: Call, queue: QueueName, at: datetime) -> bool:
        """End a move on its arrival in a queue; return whether it was the queue it was for."""
        if call.landing is None:
            return False
        is_there = call.landing.to_queue == queue
        self.end_landing(call, at, MoveEnd.LANDED if is_there else MoveEnd.REFUSED)
        return is_there

    def interface_of(self, queue: QueueName, name: str) -> Interface:
        """Return a member's interface; the name itself when no such member is known now."""
        for member in self.floor(queue).members:
            if member.member_name == name:
                return member.interface
        return Interface(name)

    def set_deadline(self, at: datetime, call_id: CallId) -> None:
        """Ask to look at a call again at a moment, in Asterisk's time."""
        heapq.heappush(self.deadlines, (at, call_id))

    def forget(self, call: Call) -> None:
        """Forget a call and everything that points to it."""
        del self.calls[call.call_id]
        self.on_the_way.pop(call.call_id, None)
        for stay in call.entries:
            if isinstance(stay, Waiting):
                self.floor(stay.stay.queue).waiting.remove(call.call_id)
            for leg in legs_of(stay):
                _forget_in(self.legs, leg, call.call_id)
            if isinstance(stay, Talking | Closed) and stay.interface is not None:
                _forget_in(self.talkers, device_of(stay.interface), call.call_id)
        for phone in call.answered_dials:
            _forget_in(self.answered, phone, call.call_id)
        for alias in call.aliases:
            _forget_in(self.aliases, alias, call.call_id)
        for over in call.hand_overs:
            if over.recalls is not None:
                self.forget_recall(call, over.recalls)
        if call.third is not None:
            _forget_in(self.thirds, call.third, call.call_id)

    def forget_recall(self, call: Call, phone: Interface) -> None:
        """Note that an agent's phone will not ring again for a call."""
        _forget_in(self.recalls, device_of(phone), call.call_id)

    def change_member(self, event: MemberChanged) -> None:
        """Remember how a member is now, and whether that makes its queue look different."""
        members = self.floor(event.queue).members
        known = members.get(event.interface)
        members.put(event)
        if (
            known is None
            or known.device_state != event.device_state
            or known.is_paused != event.is_paused
            or known.is_in_call != event.is_in_call
        ):
            self.touch(event.queue)

    def publish_case(self, event: CaseSaved) -> None:
        """Tell of a case that is stored."""
        self.effects.append(
            PublishCase(
                at=event.at,
                system=event.system,
                call_id=event.call_id,
                rule=event.rule,
                case_id=event.case_id,
            )
        )

    def queue_states(self) -> tuple[QueueState, ...]:
        """Return everything known of each queue, as values."""
        return tuple(
            QueueState(
                queue=floor.queue,
                members=tuple(floor.members),
                counts=floor.counts,
                counts_before_today=floor.counts_before_today,
                pace=floor.pace.history(),
            )
            for floor in self.queues.values()
        )

    def take_over(self, state: TrackerState) -> None:
        """Take over the calls and queues that an earlier book held."""
        for kept in state.queues:
            floor = self.floor(kept.queue)
            floor.counts = kept.counts
            floor.counts_before_today = kept.counts_before_today
            floor.members = Staff(kept.members)
            floor.pace = Pace(kept.pace)
        for call in state.calls:
            self.keep(call)
            if call.hung_up_at is not None:
                self.set_deadline(call.hung_up_at + ENDING_GRACE, call.call_id)
            for stay in call.entries:
                if isinstance(stay, Waiting) and stay.move is not None:
                    self.set_deadline(stay.move.lapses_at, call.call_id)

    def lose_entries(self, call: Call, at: datetime) -> Call:
        """Close what is open of a call that ended, or went on, while we were not looking."""
        for stay in call.entries:
            step = entries.lose(stay, at)
            if step.state is not stay:
                call = self.with_entry(call, stay, step.state)
            self.emit_of(call, step.effects)
        return call

    def report(self, state: str, event: Event, call_id: CallId) -> None:
        """Report an event that fits no state of ours."""
        self.effects.append(
            ReportUnexpected(
                at=event.at,
                system=self.system,
                state=state,
                event=type(event).__name__,
                call_id=call_id,
            )
        )
