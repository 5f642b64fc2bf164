"""A day of queues played again, event by event, with the overflow rules that it is to be played by.

Here: callers, agents and a PBX in simulated time. Not here: overflow itself. The rules are played
by the daemon's own tracker, which sees the events that Asterisk would send, and asks for moves as
it would ask Asterisk: conditions, hysteresis, guards and estimates are the real ones. Nor here: who
came, stayed and talked how long (rehearsal_day.py), and figures (day_figures.py).

What the model does as Asterisk does
    1. A queue is served in order of *first* arrival, also by those who were moved there; an agent
       of several queues takes whoever looks first. The agent who has been free longest is rung.
    2. A caller's channel looks once a second, from its entry on, whether an agent is free for it:
       so many callers may ring at once as agents are free (autofill). It looks at once on entry.
    3. A move is looked at in the same rhythm, so it takes up to a second, and never while an agent
       rings for the caller. Whoever gives up before it is not moved. A divert holds at the door.
    4. Who gives up while an agent rings frees that agent at once. An agent whose time on duty ends
       finishes the call.

What it leaves out: rings in vain (their time is in `ring`, at the agent who answered), members'
penalties, weights of queues, announcements that put a look off, and agents of several PBXs.

No randomness: all that is uncertain has been decided in what it is given.

Source:
    app_queue.c: wait_our_turn, is_our_turn, RECHECK (ASTERISK.md §A1).
"""

import heapq
from bisect import insort
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol

from ivrd.core import rehearsal_events as told
from ivrd.core.day_cast import RehearsalDay, Visitor
from ivrd.core.effects import Disposition, DivertCallers, Effect, MoveCaller
from ivrd.core.events import DeadlinePassed, Event
from ivrd.core.ids import CallId, Interface, QueueName
from ivrd.core.visits import Visit, VisitStay

LOOK_EVERY = timedelta(seconds=1)

LATER_MAX = timedelta(hours=12)
"""Nobody waits longer after the day's last arrival: who still does has stayed until then."""


class Policy(Protocol):
    """Who sees the events, and asks for moves: the tracker."""

    def apply(self, event: Event, /) -> tuple[Effect, ...]:
        """Return what to do about an event."""

    def next_deadline(self) -> datetime | None:
        """Return when DeadlinePassed is wanted; None when nothing is due."""


class NoPolicy:
    """Moves nobody, and so need not be told."""

    def apply(self, event: Event, /) -> tuple[Effect, ...]:
        """Return nothing."""
        return ()

    def next_deadline(self) -> datetime | None:
        """Return nothing."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a day came to."""

    visits: tuple[Visit, ...]
    """In order of arrival; one for each visitor."""
    moves_asked: int


def rehearse(day: RehearsalDay, policy: Policy) -> Rehearsal:
    """Play a day by a policy, until the last caller has gone."""
    if not day.visitors:
        return Rehearsal(visits=(), moves_asked=0)
    return _Play(day, policy).run()


@dataclass(slots=True, kw_only=True, eq=False)
class _Caller:
    visitor: Visitor
    queue: QueueName
    entered_at: datetime
    agent: "_Agent | None" = None
    """Whose phone rings for them."""
    is_waiting: bool = True
    looks_at: datetime | None = None
    move: MoveCaller | None = None
    stays: list[VisitStay] = field(default_factory=list)

    @property
    def place(self) -> tuple[datetime, CallId]:
        return self.visitor.arrived_at, self.visitor.call_id


@dataclass(slots=True, kw_only=True, eq=False)
class _Agent:
    interface: Interface
    queues: frozenset[QueueName]
    is_on: bool = False
    caller: _Caller | None = None
    is_talking: bool = False
    is_writing: bool = False
    free_since: datetime | None = None

    @property
    def is_free(self) -> bool:
        return self.is_on and self.caller is None and not self.is_writing


@dataclass(frozen=True, slots=True)
class _Arrives:
    visitor: Visitor


@dataclass(frozen=True, slots=True)
class _GivesUp:
    caller: _Caller


@dataclass(frozen=True, slots=True)
class _Looks:
    caller: _Caller


@dataclass(frozen=True, slots=True)
class _Moves:
    caller: _Caller
    move: MoveCaller


@dataclass(frozen=True, slots=True)
class _Answers:
    agent: _Agent
    caller: _Caller


@dataclass(frozen=True, slots=True)
class _Parts:
    agent: _Agent


@dataclass(frozen=True, slots=True)
class _HasWritten:
    agent: _Agent


@dataclass(frozen=True, slots=True)
class _Turns:
    """Comes on duty, or goes."""

    agent: _Agent
    is_on: bool


_Act = _Arrives | _GivesUp | _Looks | _Moves | _Answers | _Parts | _HasWritten | _Turns


class _Play:
    """One day being played."""

    def __init__(self, day: RehearsalDay, policy: Policy) -> None:
        self._system = day.system
        self._policy = policy
        self._order = count()
        self._agenda: list[tuple[datetime, int, _Act]] = []
        self._lines: dict[QueueName, list[tuple[tuple[datetime, CallId], _Caller]]] = {
            queue: [] for queue in day.queues
        }
        self._agents = [_Agent(interface=a.interface, queues=a.queues) for a in day.agents]
        self._callers: dict[CallId, _Caller] = {}
        self._doors: dict[QueueName, QueueName | None] = {}
        """Where callers at a door go instead."""
        self._visits: list[Visit] = []
        self._moves_asked = 0
        self._plan(day)
        self._now = self._agenda[0][0]

    def _plan(self, day: RehearsalDay) -> None:
        for agent, given in zip(self._agents, day.agents, strict=True):
            for shift in given.shifts:
                self._at(shift.begins_at, _Turns(agent, is_on=True))
                self._at(shift.ends_at, _Turns(agent, is_on=False))
        for visitor in day.visitors:
            self._at(visitor.arrived_at, _Arrives(visitor))

    def run(self) -> Rehearsal:
        """Play to the end."""
        self._tell(told.nobody_there(self._system, tuple(self._lines), self._now))
        while self._agenda:
            at, _, act = heapq.heappop(self._agenda)
            self._pass_deadlines(at)
            if self._agenda and self._agenda[0][0] < at:
                heapq.heappush(self._agenda, (at, next(self._order), act))
                continue  # A deadline had something done before.
            self._now = at
            self._do(act)
        self._end_of_day()
        self._visits.sort(key=lambda visit: (visit.first.joined_at, visit.call_id))
        return Rehearsal(visits=tuple(self._visits), moves_asked=self._moves_asked)

    def _do(self, act: _Act) -> None:
        match act:
            case _Arrives(visitor):
                self._arrive(visitor)
            case _GivesUp(caller):
                self._give_up(caller)
            case _Looks(caller):
                self._look(caller)
            case _Moves(caller, move):
                self._carry_out(caller, move)
            case _Answers(agent, caller):
                self._answer(agent, caller)
            case _Parts(agent):
                self._part(agent)
            case _HasWritten(agent):
                agent.is_writing = False
                self._set_free(agent)
            case _Turns(agent, is_on):
                self._turn(agent, is_on=is_on)

    def _at(self, moment: datetime, act: _Act) -> None:
        heapq.heappush(self._agenda, (moment, next(self._order), act))

    def _tell(self, *events: Event) -> None:
        for event in events:
            for effect in self._policy.apply(event):
                if isinstance(effect, MoveCaller):
                    self._ask_move(effect)
                elif isinstance(effect, DivertCallers):
                    self._doors[effect.queue] = effect.to_queue

    def _pass_deadlines(self, until: datetime) -> None:
        """Let the policy see time pass: some of its conditions no event tells."""
        last: datetime | None = None
        while (due := self._policy.next_deadline()) is not None and due <= until and due != last:
            last = due
            self._now = max(self._now, due)
            self._tell(DeadlinePassed(at=due, system=self._system))

    # Callers.

    def _arrive(self, visitor: Visitor) -> None:
        caller = _Caller(visitor=visitor, queue=visitor.queue, entered_at=self._now)
        self._callers[visitor.call_id] = caller
        if visitor.patience is not None:
            self._at(self._now + visitor.patience, _GivesUp(caller))
        if visitor.line is not None:
            self._tell(told.arrived(self._system, visitor.call_id, visitor.line, self._now))
        to_queue = self._doors.get(visitor.queue)
        if to_queue is not None:
            self._tell(told.diverted(self._system, visitor.call_id, visitor.queue, self._now))
            caller.queue = to_queue
        self._enter(caller)

    def _enter(self, caller: _Caller) -> None:
        caller.entered_at = self._now
        line = self._lines[caller.queue]
        insort(line, (caller.place, caller))
        call_id = caller.visitor.call_id
        self._tell(told.joined(self._system, call_id, caller.queue, len(line), self._now))
        self._call_callers(caller.queue)

    def _leave(self, caller: _Caller, disposition: Disposition) -> None:
        """Take a caller out of the line, for good or by a move."""
        line = self._lines[caller.queue]
        line.remove((caller.place, caller))
        caller.looks_at = None
        caller.stays.append(
            VisitStay(
                queue=caller.queue,
                joined_at=caller.entered_at,
                left_at=self._now,
                disposition=disposition,
            )
        )

    def _end(self, caller: _Caller) -> None:
        """End a visit."""
        caller.is_waiting = False
        visitor = caller.visitor
        del self._callers[visitor.call_id]
        self._visits.append(
            Visit(
                call_id=visitor.call_id,
                stays=tuple(caller.stays),
                line=visitor.line,
                diverted_from=None if caller.stays[0].queue == visitor.queue else visitor.queue,
            )
        )

    def _give_up(self, caller: _Caller) -> None:
        if not caller.is_waiting:
            return
        agent, caller.agent = caller.agent, None
        self._leave(caller, caller.visitor.leaves_by)
        self._end(caller)
        self._tell(
            *told.left(
                self._system,
                caller.visitor.call_id,
                caller.queue,
                caller.visitor.leaves_by,
                self._now,
            )
        )
        if agent is not None:
            agent.caller = None
            self._set_free(agent)
        self._call_callers(caller.queue)

    # Moves.

    def _ask_move(self, effect: MoveCaller) -> None:
        self._moves_asked += 1
        caller = self._callers.get(effect.call_id)
        if caller is None or caller.queue != effect.from_queue or caller.move is not None:
            return
        caller.move = effect
        if caller.agent is None:
            self._at(self._next_look(caller), _Moves(caller, effect))

    def _carry_out(self, caller: _Caller, move: MoveCaller) -> None:
        """Let the caller's channel see the move, unless somebody rings or it is over."""
        if not caller.is_waiting or caller.move is not move or caller.agent is not None:
            return
        caller.move = None
        from_queue = caller.queue
        call_id = caller.visitor.call_id
        self._leave(caller, Disposition.MOVED)
        self._tell(
            *told.moved(self._system, call_id, from_queue, move.to_queue, move.reason, self._now)
        )
        caller.queue = move.to_queue
        self._enter(caller)
        self._call_callers(from_queue)

    def _next_look(self, caller: _Caller) -> datetime:
        """Return when the caller's channel looks next, later than now."""
        looks = (self._now - caller.entered_at) // LOOK_EVERY
        return caller.entered_at + (looks + 1) * LOOK_EVERY

    # Agents.

    def _call_callers(self, queue: QueueName) -> None:
        """Let those look, at their next look, for whom an agent is free."""
        line = self._lines[queue]
        free = self._free(queue) if line else 0
        for _, caller in line:
            if not free:
                return
            if caller.agent is not None or caller.move is not None:
                continue
            free -= 1
            if caller.looks_at is not None:
                continue
            is_new = caller.entered_at == self._now
            caller.looks_at = self._now if is_new else self._next_look(caller)
            self._at(caller.looks_at, _Looks(caller))

    def _free(self, queue: QueueName) -> int:
        return sum(agent.is_free and queue in agent.queues for agent in self._agents)

    def _look(self, caller: _Caller) -> None:
        """Ring the agent who has been free longest, if it is the caller's turn."""
        if caller.looks_at != self._now:
            return  # Has moved, or left.
        caller.looks_at = None
        if caller.agent is not None or caller.move is not None or not caller.is_waiting:
            return
        free = [agent for agent in self._agents if agent.is_free and caller.queue in agent.queues]
        if self._ahead(caller) >= len(free):
            return
        agent = min(free, key=lambda each: each.free_since or self._now)
        agent.caller, caller.agent = caller, agent
        self._tell_agent(agent)
        call_id = caller.visitor.call_id
        self._tell(told.rang(self._system, call_id, caller.queue, agent.interface, self._now))
        self._at(self._now + caller.visitor.ring, _Answers(agent, caller))

    def _ahead(self, caller: _Caller) -> int:
        """Return how many before a caller have nobody ringing for them."""
        ahead = 0
        for _, other in self._lines[caller.queue]:
            if other is caller:
                return ahead
            ahead += other.agent is None and other.move is None
        raise AssertionError("whoever looks stands in line")

    def _answer(self, agent: _Agent, caller: _Caller) -> None:
        if agent.caller is not caller or not caller.is_waiting:
            return  # The caller gave up while it rang.
        talk = caller.visitor.talks[caller.queue]
        self._leave(caller, Disposition.ANSWERED)
        caller.stays[-1] = replace(
            caller.stays[-1],
            interface=agent.interface,
            talk=talk,
            ring=caller.visitor.ring,
        )
        self._end(caller)
        agent.is_talking = True
        call_id = caller.visitor.call_id
        self._tell(*told.answered(self._system, call_id, caller.queue, agent.interface, self._now))
        self._tell_agent(agent)
        self._at(self._now + talk, _Parts(agent))

    def _part(self, agent: _Agent) -> None:
        caller = agent.caller
        assert caller is not None, "a talk has two ends"
        agent.caller, agent.is_talking = None, False
        self._tell(*told.parted(self._system, caller.visitor.call_id, self._now))
        if caller.visitor.wrap_up:
            agent.is_writing = True
            self._tell_agent(agent)
            self._at(self._now + caller.visitor.wrap_up, _HasWritten(agent))
        else:
            self._set_free(agent)

    def _turn(self, agent: _Agent, *, is_on: bool) -> None:
        if agent.is_on == is_on:
            return
        agent.is_on = is_on
        if agent.caller is None and not agent.is_writing:
            self._set_free(agent)
        else:
            self._tell_agent(agent)

    def _set_free(self, agent: _Agent) -> None:
        """Let an agent take calls, if on duty."""
        agent.free_since = self._now
        self._tell_agent(agent)
        if agent.is_on:
            for queue in self._lines:
                if queue in agent.queues:
                    self._call_callers(queue)

    def _tell_agent(self, agent: _Agent) -> None:
        is_there = agent.is_on or agent.caller is not None
        for queue in self._lines:
            if queue in agent.queues:
                self._tell(
                    told.member(
                        self._system,
                        queue,
                        agent.interface,
                        self._now,
                        is_busy=agent.caller is not None or agent.is_writing,
                        is_talking=agent.is_talking,
                        is_paused=not is_there,
                    )
                )

    def _end_of_day(self) -> None:
        """End the visits of those for whom nobody ever came: they have not left either."""
        self._now += LATER_MAX
        for caller in list(self._callers.values()):
            self._leave(caller, Disposition.UNKNOWN)
            self._end(caller)
