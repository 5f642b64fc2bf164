"""A PBX's telephone traffic as core events, made on the fly, the same at every run.

Here: callers, agents, and a PBX that carries out moves when asked; simulated time. Not here:
measuring. Callers arrive, choose or hang up, wait, are rung for in vain or not, give up, are
answered, handed on (to a department, by asking first, into another queue of ours), and hang up.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from ivrd.core import events as on
from ivrd.core.effects import MoveCaller
from ivrd.core.exits import MOVE_MARK
from ivrd.core.ids import (
    CallId,
    ChannelId,
    Interface,
    LineName,
    MenuName,
    QueueName,
    SystemName,
)
from ivrd.core.overflow_rules import Condition, Figure, OverflowRule
from ivrd.core.rules import FloorRules, QueueRules, Role

SYSTEM = SystemName("pbx")
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""

MENU_HANGUPS = 0.06
ABANDONS = 0.12
RINGS_IN_VAIN = 0.2
BLIND_TRANSFERS = 0.08
ATTENDED_TRANSFERS = 0.03
OWN_QUEUE_TRANSFERS = 0.06
"""Shares of a municipality's calls; the rest is answered and ends there."""

WITHDRAW_S = 0.6
"""Asterisk looks at a request to withdraw once a second."""

IN_USE, RINGING, NOT_IN_USE = 2, 6, 1

Script = Iterator[float]
"""What somebody does; yields the seconds until the next thing."""


@dataclass(slots=True, kw_only=True)
class Caller:
    """One caller, as the PBX knows it."""

    call_id: CallId
    channel: str
    queue: QueueName
    is_waiting: bool = False
    is_rung_for: bool = False


def queue_names(count: int) -> list[QueueName]:
    """Return the names of so many queues."""
    return [QueueName(f"queue{number}") for number in range(count)]


def rules(queues: list[QueueName], *, start_waiting: int | None) -> FloorRules:
    """Return rules for queues of guides and operators in turn.

    Args:
        queues: At least two.
        start_waiting: From so many on each queue overflows into the next; None for no such rules.
    """
    overflow = [
        OverflowRule(
            name=f"relief-{queue}",
            from_queues=(queue,),
            to_queues=(queues[(number + 1) % len(queues)],),
            conditions=(
                Condition(figure=Figure.WAITING, start=start_waiting, stop=start_waiting - 1),
            ),
            leave_waiting=start_waiting - 1,
        )
        for number, queue in enumerate(queues)
        if start_waiting is not None
    ]
    return FloorRules(
        queues={
            queue: QueueRules(
                name=queue,
                role=Role.SWITCHBOARD if number % 2 else Role.GUIDE,
                service_level_threshold=timedelta(seconds=25),
                short_abandon=timedelta(seconds=5),
                department="school",
            )
            for number, queue in enumerate(queues)
        },
        overflow=tuple(overflow),
        case_rule="resolved",
    )


class MadeUpFloor:
    """Traffic of one PBX; everything that was not asked for is decided by a fixed seed."""

    def __init__(
        self, queues: list[QueueName], *, wait_s: float, when_ended: Callable[[], None] | None
    ) -> None:
        """Make an empty floor at START.

        Args:
            queues: Among which callers spread evenly.
            wait_s: Mean wait before the first ringing.
            when_ended: Called at the end of each call.
        """
        self.now_s = 0.0
        self.callers: dict[CallId, Caller] = {}
        self.calls = 0
        """Calls that have begun."""
        self._queues = queues
        self._wait_s = wait_s
        self._when_ended = when_ended
        self._random = Random(1)
        self._agenda: list[tuple[float, int, Script]] = []
        self._things = 0
        self._free: dict[QueueName, list[Interface]] = {queue: [] for queue in queues}
        self._members = 0
        self._channels = 0
        self._events: list[on.Event] = []

    def snapshot(self) -> on.SnapshotTaken:
        """Return the picture of a floor with nobody on it."""
        queues = tuple(
            on.QueueSnapshot(queue=queue, members=(), callers=()) for queue in self._queues
        )
        return on.SnapshotTaken(
            at=self._at, system=SYSTEM, queues=queues, channels=frozenset(), can_withdraw=True
        )

    def call_in(self, seconds: float) -> None:
        """Let somebody call in so many seconds."""
        self._plan(seconds, self._life())

    def move(self, effect: MoveCaller) -> None:
        """Carry out a move, unless an agent answers or the caller hangs up first."""
        self._plan(WITHDRAW_S, self._withdraw(effect))

    @property
    def next_s(self) -> float | None:
        """When something happens next; None when nothing will."""
        return self._agenda[0][0] if self._agenda else None

    def step(self) -> list[on.Event]:
        """Let the next thing happen, and return its events, perhaps none."""
        self._events = []
        self.now_s, number, script = heapq.heappop(self._agenda)
        delay_s = next(script, None)
        if delay_s is not None:
            heapq.heappush(self._agenda, (self.now_s + delay_s, number, script))
        return self._events

    def _plan(self, seconds: float, script: Script) -> None:
        self._things += 1
        heapq.heappush(self._agenda, (self.now_s + seconds, self._things, script))

    @property
    def _at(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def _emit(self, *events: on.Event) -> None:
        self._events.extend(events)

    def _between(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def _channel(self) -> ChannelId:
        self._channels += 1
        return ChannelId(f"{SYSTEM}/1767571200.{self._channels}")

    def _life(self) -> Script:
        channel = self._channel()
        caller = Caller(
            call_id=CallId(channel),
            channel=f"PJSIP/trunk-{self._channels:08x}",
            queue=self._random.choice(self._queues),
        )
        self.calls += 1
        self.callers[caller.call_id] = caller
        self._emit(
            on.CallArrived(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                linked_id=channel,
                channel=caller.channel,
                line=LineName("main"),
                caller_number=f"0701{self._channels % 1_000_000:06d}",
            )
        )
        yield self._between(3, 12)
        if self._random.random() >= MENU_HANGUPS:
            self._choose(caller)
            yield from self._in_queue(caller)
        self._hang_up(caller)

    def _choose(self, caller: Caller) -> None:
        self._emit(
            on.ChoiceMade(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                menu=MenuName("main"),
                outcome="chosen",
                choice=caller.queue,
                digit="1",
                tries=0,
                is_static=False,
            )
        )
        self._join(caller)

    def _join(self, caller: Caller) -> None:
        caller.is_waiting = True
        self._emit(
            on.CallerJoined(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                linked_id=ChannelId(caller.call_id),
                channel=caller.channel,
                queue=caller.queue,
                position=1,
            )
        )

    def _leave(self, caller: Caller) -> None:
        caller.is_waiting = False
        self._emit(
            on.CallerLeft(at=self._at, system=SYSTEM, call_id=caller.call_id, queue=caller.queue)
        )

    def _leave_unanswered(self, caller: Caller) -> None:
        self._emit(
            on.CallerAbandonNoted(
                at=self._at, system=SYSTEM, call_id=caller.call_id, queue=caller.queue
            )
        )
        self._leave(caller)

    def _hang_up(self, caller: Caller) -> None:
        del self.callers[caller.call_id]
        if caller.is_waiting:
            self._ask_hangup(caller)
            self._leave_unanswered(caller)
        else:
            self._ask_hangup(caller)
        self._gone(ChannelId(caller.call_id))
        if self._when_ended is not None:
            self._when_ended()

    def _ask_hangup(self, caller: Caller) -> None:
        self._emit(
            on.HangupRequested(at=self._at, system=SYSTEM, channel_id=ChannelId(caller.call_id))
        )

    def _gone(self, channel: ChannelId) -> None:
        self._emit(on.ChannelHungUp(at=self._at, system=SYSTEM, channel_id=channel, cause=16))

    def _in_queue(self, caller: Caller) -> Script:
        """Wait, talk, and be handed on; returns when the caller hangs up, perhaps waiting."""
        yield self._between(0.3, 1.7) * self._wait_s
        if self._random.random() < ABANDONS:
            return
        agent = self._ring(caller)
        yield self._between(2, 12)
        while self._random.random() < RINGS_IN_VAIN:
            self._ring_in_vain(caller, agent)
            yield self._between(5, 15)
            agent = self._ring(caller)
            yield self._between(2, 12)
        leg = self._answer(caller, agent)
        yield self._between(20, 280)
        fate = self._random.random()
        if fate < BLIND_TRANSFERS:
            self._transfer(caller, leg, extension="4711")
            self._end_talk(caller, agent, leg, reason="transfer")
            yield self._between(3, 15)
            self._answered_elsewhere(caller)
            yield self._between(20, 100)
        elif fate < BLIND_TRANSFERS + ATTENDED_TRANSFERS:
            self._transfer_after_asking(caller, leg)
            self._end_talk(caller, agent, leg, reason="transfer")
            yield self._between(20, 100)
        elif fate < BLIND_TRANSFERS + ATTENDED_TRANSFERS + OWN_QUEUE_TRANSFERS:
            self._transfer(caller, leg, extension="700")
            self._end_talk(caller, agent, leg, reason="transfer")
            caller.queue = self._random.choice(self._queues)
            self._join(caller)
            yield from self._in_queue(caller)
        else:
            self._end_talk(caller, agent, leg, reason="agent")

    def _ring(self, caller: Caller) -> Interface:
        free = self._free[caller.queue]
        if free:
            agent = free.pop(self._random.randrange(len(free)))
        else:
            self._members += 1
            agent = Interface(f"PJSIP/agent{self._members}")
        caller.is_rung_for = True
        self._member(caller.queue, agent, RINGING)
        self._emit(
            on.AgentRang(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                queue=caller.queue,
                interface=agent,
            )
        )
        return agent

    def _ring_in_vain(self, caller: Caller, agent: Interface) -> None:
        caller.is_rung_for = False
        self._emit(
            on.AgentRingEnded(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                queue=caller.queue,
                interface=agent,
            )
        )
        self._member(caller.queue, agent, NOT_IN_USE)
        self._free[caller.queue].append(agent)

    def _answer(self, caller: Caller, agent: Interface) -> ChannelId:
        caller.is_rung_for = False
        leg = self._channel()
        self._leave(caller)
        self._emit(
            on.AgentConnected(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                queue=caller.queue,
                interface=agent,
                member_name=agent,
                agent_leg=leg,
            )
        )
        self._member(caller.queue, agent, IN_USE)
        return leg

    def _end_talk(self, caller: Caller, agent: Interface, leg: ChannelId, *, reason: str) -> None:
        self._emit(
            on.AgentCompleted(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                queue=caller.queue,
                reason=reason,
            )
        )
        self._gone(leg)
        self._member(caller.queue, agent, NOT_IN_USE)
        self._free[caller.queue].append(agent)

    def _transfer(self, caller: Caller, leg: ChannelId, *, extension: str) -> None:
        self._emit(
            on.BlindTransferred(
                at=self._at,
                system=SYSTEM,
                transferer_id=leg,
                transferee_id=ChannelId(caller.call_id),
                extension=extension,
                is_success=True,
            )
        )

    def _transfer_after_asking(self, caller: Caller, leg: ChannelId) -> None:
        self._emit(
            on.AttendedTransferred(
                at=self._at,
                system=SYSTEM,
                orig_transferer_id=leg,
                second_transferer_id=self._channel(),
                transferee_id=ChannelId(caller.call_id),
                target_id=self._channel(),
                destination="Bridge",
                is_success=True,
            )
        )

    def _answered_elsewhere(self, caller: Caller) -> None:
        self._emit(
            on.DialEnded(
                at=self._at,
                system=SYSTEM,
                channel_id=ChannelId(caller.call_id),
                linked_id=ChannelId(caller.call_id),
                dialled_id=self._channel(),
                device="PJSIP/department",
                status="ANSWER",
            )
        )

    def _member(self, queue: QueueName, agent: Interface, state: int) -> None:
        self._emit(
            on.MemberChanged(
                at=self._at,
                system=SYSTEM,
                queue=queue,
                interface=agent,
                member_name=agent,
                device_state=state,
                is_paused=False,
                is_in_call=state == IN_USE,
            )
        )

    def _withdraw(self, effect: MoveCaller) -> Script:
        caller = self.callers.get(effect.call_id)
        while caller is not None and caller.is_rung_for:
            yield 1.0
            caller = self.callers.get(effect.call_id)
        if caller is None or not caller.is_waiting or caller.queue != effect.from_queue:
            return
        self._leave_unanswered(caller)
        self._emit(
            on.QueueExited(
                at=self._at,
                system=SYSTEM,
                call_id=caller.call_id,
                linked_id=ChannelId(caller.call_id),
                channel=caller.channel,
                queue=caller.queue,
                status="WITHDRAW",
                info=f"{MOVE_MARK} {effect.to_queue} {effect.reason}",
            )
        )
        caller.queue = effect.to_queue
        self._join(caller)
