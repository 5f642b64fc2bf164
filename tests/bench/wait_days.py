"""Three made-up days of a contact centre's queue, as core events, the same at every run.

Here: callers, guides, and a PBX that lets them meet, in simulated time. Not here: what a caller is
told about the wait, and how right that was (expected_wait.py).

Callers come at random, by the hour; wait in order of arrival; some give up, the more the longer it
takes. Guides ring some seconds, now and then in vain, talk (lognormal: many short, few very long),
write for a while after some calls (paused), and end their shift after the call they are in. Nothing
here knows of any model; that nothing is exponential but the arrivals is on purpose.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Protocol

from ivrd.core import events as on
from ivrd.core.ids import CallId, ChannelId, Interface, QueueName, SystemName
from ivrd.core.rules import FloorRules, QueueRules, Role

SYSTEM = SystemName("pbx")
KC = QueueName("kc")
EIGHT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""When the day begins; by the clock on the wall, which is UTC's here."""

HOUR = 3600.0
CLOSES_S = 8.5 * HOUR
"""16.30; who waits then is served."""

TALK_MEDIAN_S, TALK_SPREAD = 190.0, 0.7
"""Mean 243 s; one call in forty is longer than 12 minutes."""

RING_S = (2.0, 8.0)
RINGS_IN_VAIN, RING_S_MAX = 0.04, 15.0
WRITES, WRITE_S = 0.3, (20.0, 120.0)
PATIENCE_S, PATIENCE_SHAPE = 900.0, 1.2
"""Weibull: half of all give up who have waited 11 minutes."""

NOT_IN_USE, IN_USE, RINGING = 1, 2, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day is made of, by the hour since eight."""

    name: str
    calls_per_hour: Callable[[float], float]
    guides: Callable[[float], int]


def _stairs(*steps: tuple[float, float]) -> Callable[[float], float]:
    """Return a figure by hour: each step holds until the hour it names."""
    return lambda hour: next((value for until, value in steps if hour < until), steps[-1][1])


def _guides(*steps: tuple[float, int]) -> Callable[[float], int]:
    return lambda hour: round(_stairs(*steps)(hour))


DAYS: Sequence[Day] = (
    Day(
        name="calm",
        calls_per_hour=_stairs((1, 70), (4, 105), (5.5, 90), (8.5, 75)),
        guides=_guides((0.5, 6), (3.5, 9), (5, 8), (8, 8), (8.5, 6)),
    ),
    Day(
        name="Monday peak",
        calls_per_hour=_stairs((0.5, 140), (2.5, 215), (4, 145), (5.5, 120), (8.5, 110)),
        guides=_guides((0.5, 8), (3.5, 12), (5, 10), (8, 11), (8.5, 7)),
    ),
    Day(
        name="staff leaves at lunch",
        calls_per_hour=_stairs((3.5, 115), (5.5, 95), (8.5, 90)),
        guides=_guides((3.5, 10), (4.25, 5), (5, 6), (8, 10), (8.5, 8)),
    ),
)


def rules() -> FloorRules:
    """Return a floor of the one queue."""
    queue = QueueRules(
        name=KC,
        role=Role.GUIDE,
        service_level_threshold=timedelta(seconds=60),
        short_abandon=timedelta(seconds=5),
        department=None,
    )
    return FloorRules(queues={KC: queue}, overflow=(), case_rule="resolved")


class Watcher(Protocol):
    """Sees the line as the PBX knows it; what a model may learn from."""

    def changed(self, now: float, *, queued: int, guides: int) -> None:
        """The line, or the staff, is so from now on. Queued is who found no guide free."""

    def joined(self, call: int, now: float, *, place: int, guides: int) -> None:
        """A caller found no guide free."""

    def answered(self, call: int, now: float) -> None: ...
    def talked(self, seconds: float) -> None: ...


@dataclass(slots=True, kw_only=True)
class _Guide:
    name: str
    is_on: bool = False
    is_writing: bool = False
    caller: "_Caller | None" = None
    is_talking: bool = False
    free_since: float = 0.0

    @property
    def is_free(self) -> bool:
        return self.is_on and not self.is_writing and self.caller is None

    @property
    def is_serving(self) -> bool:
        return (self.is_on or self.caller is not None) and not self.is_writing


@dataclass(slots=True, kw_only=True)
class _Caller:
    number: int
    is_queued: bool
    patience_s: float
    joined_s: float
    is_rung_for: bool = False

    @property
    def call_id(self) -> CallId:
        return CallId(f"{SYSTEM}/c{self.number}")


@dataclass(slots=True, kw_only=True)
class Simulation:
    """One day, played event by event."""

    day: Day
    seed: int
    take: Callable[[on.Event], object]
    watchers: Sequence[Watcher] = ()
    now: float = 0.0
    abandoned: int = 0
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _line: deque[_Caller] = field(default_factory=deque)
    _guides: list[_Guide] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)
    _callers: "count[int]" = field(default_factory=count)
    _random: Random = field(default_factory=Random)

    def run(self) -> None:
        """Play the whole day, until the last caller is gone."""
        self._random = Random(f"{self.day.name}/{self.seed}")
        most = max(self.day.guides(step / 4) for step in range(40))
        self._guides = [_Guide(name=f"guide{number}") for number in range(most)]
        self.take(
            on.SnapshotTaken(
                at=self._at(), system=SYSTEM, queues=(), channels=frozenset(), can_withdraw=True
            )
        )
        for quarter in range(int(CLOSES_S / 900)):
            self._later(quarter * 900.0 - self.now, self._change_shift)
        self._later(0.0, self._arrive)
        while self._agenda:
            self.now, _, act = heapq.heappop(self._agenda)
            act()

    def _at(self) -> datetime:
        return EIGHT + timedelta(seconds=round(self.now, 3))

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), act))

    def _tell_change(self) -> None:
        queued = sum(caller.is_queued for caller in self._line)
        guides = sum(guide.is_serving for guide in self._guides)
        for watcher in self.watchers:
            watcher.changed(self.now, queued=queued, guides=guides)

    # Guides.

    def _change_shift(self) -> None:
        wanted = self.day.guides(self.now / HOUR)
        for number, guide in enumerate(self._guides):
            is_on = number < wanted
            if is_on != guide.is_on:
                guide.is_on = is_on
                guide.free_since = self.now
                self._tell_guide(guide)
        self._match()

    def _tell_guide(self, guide: _Guide) -> None:
        state = NOT_IN_USE if guide.caller is None else IN_USE if guide.is_talking else RINGING
        self.take(
            on.MemberChanged(
                at=self._at(),
                system=SYSTEM,
                queue=KC,
                interface=Interface(guide.name),
                member_name=guide.name,
                device_state=state,
                is_paused=not guide.is_serving,
                is_in_call=guide.is_talking,
            )
        )
        self._tell_change()

    def _match(self) -> None:
        """Ring the guide who has been free longest for whoever has waited longest, if any."""
        for caller in list(self._line):
            free = [guide for guide in self._guides if guide.is_free]
            if not free:
                return
            if not caller.is_rung_for:
                self._ring(min(free, key=lambda guide: guide.free_since), caller)

    def _ring(self, guide: _Guide, caller: _Caller) -> None:
        guide.caller, caller.is_rung_for = caller, True
        self._tell_guide(guide)
        self.take(
            on.AgentRang(
                at=self._at(),
                system=SYSTEM,
                call_id=caller.call_id,
                queue=KC,
                interface=Interface(guide.name),
            )
        )
        if self._random.random() < RINGS_IN_VAIN:
            self._later(RING_S_MAX, lambda: self._stop_ringing(guide, caller))
        else:
            self._later(self._random.uniform(*RING_S), lambda: self._answer(guide, caller))

    def _stop_ringing(self, guide: _Guide, caller: _Caller) -> None:
        if guide.caller is not caller:
            return
        guide.caller, caller.is_rung_for = None, False
        guide.free_since = self.now
        self.take(
            on.AgentRingEnded(
                at=self._at(),
                system=SYSTEM,
                call_id=caller.call_id,
                queue=KC,
                interface=Interface(guide.name),
            )
        )
        self._tell_guide(guide)
        self._match()

    def _answer(self, guide: _Guide, caller: _Caller) -> None:
        if guide.caller is not caller:
            return  # The caller has given up meanwhile.
        self._line.remove(caller)
        guide.is_talking = True
        leg = ChannelId(f"{SYSTEM}/a{caller.number}")
        self.take(on.CallerLeft(at=self._at(), system=SYSTEM, call_id=caller.call_id, queue=KC))
        self.take(
            on.AgentConnected(
                at=self._at(),
                system=SYSTEM,
                call_id=caller.call_id,
                queue=KC,
                interface=Interface(guide.name),
                member_name=guide.name,
                agent_leg=leg,
            )
        )
        for watcher in self.watchers:
            watcher.answered(caller.number, self.now)
        self._tell_guide(guide)
        talk_s = TALK_MEDIAN_S * self._random.lognormvariate(0, TALK_SPREAD)
        self._later(talk_s, lambda: self._part(guide, caller, leg, talk_s))

    def _part(self, guide: _Guide, caller: _Caller, leg: ChannelId, talk_s: float) -> None:
        for channel in (leg, ChannelId(caller.call_id)):
            self.take(on.ChannelHungUp(at=self._at(), system=SYSTEM, channel_id=channel, cause=16))
        for watcher in self.watchers:
            watcher.talked(talk_s)
        guide.caller, guide.is_talking, guide.free_since = None, False, self.now
        if self._random.random() < WRITES:
            guide.is_writing = True
            self._later(self._random.uniform(*WRITE_S), lambda: self._stop_writing(guide))
        self._tell_guide(guide)
        self._match()

    def _stop_writing(self, guide: _Guide) -> None:
        guide.is_writing, guide.free_since = False, self.now
        self._tell_guide(guide)
        self._match()

    # Callers.

    def _arrive(self) -> None:
        hour = self.now / HOUR
        # Thinned from the busiest hour's stream, so that the hours need not be constant.
        busiest = max(self.day.calls_per_hour(step / 4) for step in range(40))
        if self._random.random() < self.day.calls_per_hour(hour) / busiest:
            self._join()
        gap_s = self._random.expovariate(busiest / HOUR)
        if self.now + gap_s < CLOSES_S:
            self._later(gap_s, self._arrive)

    def _join(self) -> None:
        free = sum(guide.is_free for guide in self._guides)
        unserved = sum(not caller.is_rung_for for caller in self._line)
        caller = _Caller(
            number=next(self._callers),
            is_queued=free <= unserved,
            patience_s=self._random.weibullvariate(PATIENCE_S, PATIENCE_SHAPE),
            joined_s=self.now,
        )
        if caller.is_queued:
            place = 1 + sum(other.is_queued for other in self._line)
            guides = sum(guide.is_serving for guide in self._guides)
            for watcher in self.watchers:
                watcher.joined(caller.number, self.now, place=place, guides=guides)
        self._line.append(caller)
        self.take(
            on.CallerJoined(
                at=self._at(),
                system=SYSTEM,
                call_id=caller.call_id,
                linked_id=ChannelId(caller.call_id),
                channel=f"PJSIP/c{caller.number}",
                queue=KC,
                position=len(self._line),
            )
        )
        self._tell_change()
        self._later(caller.patience_s, lambda: self._give_up(caller))
        self._match()

    def _give_up(self, caller: _Caller) -> None:
        if caller not in self._line:
            return
        self._line.remove(caller)
        self.abandoned += 1
        channel = ChannelId(caller.call_id)
        self.take(on.HangupRequested(at=self._at(), system=SYSTEM, channel_id=channel))
        self.take(on.CallerLeft(at=self._at(), system=SYSTEM, call_id=caller.call_id, queue=KC))
        self.take(on.ChannelHungUp(at=self._at(), system=SYSTEM, channel_id=channel, cause=16))
        for guide in self._guides:
            if guide.caller is caller:
                guide.caller, guide.free_since = None, self.now
                self._tell_guide(guide)
        self._tell_change()
        self._match()
