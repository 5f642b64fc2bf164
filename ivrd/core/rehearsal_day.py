"""What a day was made of: from what happened to who comes, stays, talks and serves in the model.

Here: what is known of each caller, and how the rest is drawn. Not here: playing it (rehearsal.py).

What is known, and what is drawn
    arrivals  As they were. A caller who was handed on, or sent on by a time-out, into another queue
              comes there when they came, whatever the rules are.
    patience  Of who hung up: the wait. Of who was answered: longer than that, by the curve of
              those who came to the same queue, or of all where fewer than PATIENCE_MIN hung up.
    talk      Of who was answered: as it was, in the queue that answered. In another queue, and of
              who hung up: one that was seen of callers who came to the same queue and were answered
              there; where fewer than TALKS_MIN were, one from the slower of the two queues, so that
              a rule is not praised for work that it hides.
    ringing   As it was; of who hung up, one that was seen and is longer than it rang. Where
              nothing tells of it, the usual one.
    wrap-up   staffing.py.
    agents    staffing.py. Whoever is drawn once is the same under all rules, so what differs
              between two rehearsals is the rules' doing.

The agreement with what happened is that of a model that knows the day, so it shows that the model's
queues, agents and moves work as the real ones did; it is no forecast of another Monday.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ivrd.core.day_cast import Agent, RehearsalDay, Visitor, on_duty
from ivrd.core.day_figures import Work
from ivrd.core.effects import Disposition
from ivrd.core.ids import QueueName, SystemName
from ivrd.core.patience import Patience, Watched
from ivrd.core.staffing import DutyMark, Staffing, rest_of, staffing_of
from ivrd.core.visits import Visit

PATIENCE_MIN = 20
"""Fewer hang-ups than that make no curve of their own."""

TALKS_MIN = 10

RING_QUARTER = 4
"""The usual ringing, where it is not told, is what a quarter of the waits do not exceed: those
callers found an agent free."""

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedDay:
    """What happened."""

    system: SystemName
    visits: tuple[Visit, ...]
    """In order of arrival."""
    marks: tuple[DutyMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A day to be played, and what it rests on."""

    day: RehearsalDay
    staffing: Staffing
    ring: timedelta
    """Where it is not told."""
    hang_ups: int
    """What patience rests on."""
    borrowed: Mapping[tuple[QueueName, QueueName], QueueName]
    """Of callers who came to the first, and are answered in the second, too few were seen: whose
    talks they are given."""


def model_of(
    observed: ObservedDay, queues: Sequence[QueueName], draw: Callable[[], float]
) -> Model:
    """Return the model of a day.

    Args:
        observed: What happened.
        queues: Those of the configuration; visits that begin in others are left out.
        draw: Gives a chance from 0 up to 1, another each time.
    """
    visits = [visit for visit in observed.visits if _is_in(visit, queues)]
    ring = _usual_ring(visits)
    staffing = staffing_of(visits, observed.marks, ring=ring, draw=draw)
    curves = _Curves(visits)
    talks = _Talks(visits, queues)
    rings = _Rings(visits, usual=ring)
    visitors = tuple(
        _visitor(visit, curves=curves, talks=talks, staffing=staffing, rings=rings, draw=draw)
        for visit in visits
    )
    day = RehearsalDay(
        system=observed.system, queues=tuple(queues), visitors=visitors, agents=staffing.agents
    )
    return Model(
        day=day,
        staffing=staffing,
        ring=ring,
        hang_ups=curves.hang_ups,
        borrowed=talks.borrowed,
    )


def work_of(visits: Iterable[Visit], day: RehearsalDay) -> tuple[Mapping[QueueName, Work], Work]:
    """Return the work of each queue's agents in all their queues, and of all agents."""
    wrap_ups = {visitor.call_id: visitor.wrap_up for visitor in day.visitors}
    handling: defaultdict[str, timedelta] = defaultdict(timedelta)
    for visit in visits:
        if visit.last.interface is not None:
            talk = visit.last.talk or _NOTHING
            handling[visit.last.interface] += talk + wrap_ups.get(visit.call_id, _NOTHING)

    def work(agents: Sequence[Agent]) -> Work:
        done = sum((handling[agent.interface] for agent in agents), _NOTHING)
        return Work(handling=done, on_duty=on_duty(agents))

    by_queue = {
        queue: work([agent for agent in day.agents if queue in agent.queues])
        for queue in day.queues
    }
    return by_queue, work(day.agents)


def _is_in(visit: Visit, queues: Sequence[QueueName]) -> bool:
    return all(stay.queue in queues for stay in visit.stays)


def _visitor(
    visit: Visit,
    *,
    curves: "_Curves",
    talks: "_Talks",
    staffing: Staffing,
    rings: "_Rings",
    draw: Callable[[], float],
) -> Visitor:
    chances = draw(), draw(), draw(), draw()
    last = visit.last
    wait = visit.wait
    patience: timedelta | None = wait
    leaves_by = last.disposition
    if visit.is_answered or last.disposition is Disposition.MOVED:
        leaves_by = Disposition.ABANDONED
        patience = curves.of(visit.came_to).draw(over=wait, chance=chances[0])
    wrap_up = staffing.wrap_ups.get(visit.call_id)
    if wrap_up is None:
        wrap_up = rest_of(staffing.seen.get(last.queue, ()), timedelta.max, chances[2])
    return Visitor(
        call_id=visit.call_id,
        queue=visit.came_to,
        arrived_at=visit.first.joined_at,
        patience=patience,
        leaves_by=leaves_by,
        ring=rings.of(visit, chances[3]),
        talks=talks.of(visit, chances[1]),
        wrap_up=wrap_up,
        line=visit.line,
    )


def _usual_ring(visits: Iterable[Visit]) -> timedelta:
    told = sorted(v.last.ring for v in visits if v.last.ring is not None)
    if told:
        return told[len(told) // 2]
    waits = sorted(v.last.left_at - v.last.joined_at for v in visits if v.is_answered)
    return waits[len(waits) // RING_QUARTER] if waits else _NOTHING


class _Rings:
    """How long it rings for each caller."""

    def __init__(self, visits: Iterable[Visit], *, usual: timedelta) -> None:
        self._usual = usual
        self._seen = sorted(
            visit.last.ring for visit in visits if visit.is_answered and visit.last.ring is not None
        )

    def of(self, visit: Visit, chance: float) -> timedelta:
        """Return how long it rings for a caller until the answer."""
        last = visit.last
        if visit.is_answered:
            ring = self._usual if last.ring is None else last.ring
            return min(ring, last.left_at - last.joined_at)
        longer = self._seen[bisect_right(self._seen, last.ring or _NOTHING) :]
        return (
            longer[int(chance * len(longer))] if longer else max(self._usual, last.ring or _NOTHING)
        )


class _Curves:
    """Patience by the queue that callers come to."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        watched: defaultdict[QueueName, list[Watched]] = defaultdict(list)
        for visit in visits:
            has_left = visit.last.disposition is Disposition.ABANDONED
            watched[visit.came_to].append(Watched(wait=visit.wait, has_left=has_left))
        self._all = Patience([each for queue in watched.values() for each in queue])
        self._own = {queue: Patience(each) for queue, each in watched.items()}
        self.hang_ups = self._all.leaves

    def of(self, queue: QueueName) -> Patience:
        """Return the curve of those who come to a queue."""
        own = self._own.get(queue)
        return self._all if own is None or own.leaves < PATIENCE_MIN else own


class _Talks:
    """Lengths of talks by where callers came to, and who answered."""

    def __init__(self, visits: Iterable[Visit], queues: Sequence[QueueName]) -> None:
        seen: defaultdict[tuple[QueueName, QueueName], list[timedelta]] = defaultdict(list)
        of_queue: defaultdict[QueueName, list[timedelta]] = defaultdict(list)
        for visit in visits:
            if visit.last.talk is not None:
                seen[visit.came_to, visit.last.queue].append(visit.last.talk)
                of_queue[visit.last.queue].append(visit.last.talk)
        for talks in (*seen.values(), *of_queue.values()):
            talks.sort()
        self._pools: dict[tuple[QueueName, QueueName], list[timedelta]] = {}
        self.borrowed: dict[tuple[QueueName, QueueName], QueueName] = {}
        for came in queues:
            for answers in queues:
                own = seen[came, answers]
                if len(own) >= TALKS_MIN or (came == answers and own):
                    self._pools[came, answers] = own
                    continue
                slower = max((came, answers), key=lambda queue: _mean(of_queue[queue]))
                self._pools[came, answers] = of_queue[slower]
                self.borrowed[came, answers] = slower
        self._queues = queues

    def of(self, visit: Visit, chance: float) -> Mapping[QueueName, timedelta]:
        """Return how long a caller talks, by who answers.

        Whoever talks long talks long with everybody.
        """
        came, answered, own = visit.came_to, visit.last.queue, visit.last.talk
        if own is not None:
            pool = self._pools[came, answered]
            chance = (sum(talk < own for talk in pool) + chance) / (len(pool) + 1)
        talks = {queue: _at(self._pools[came, queue], chance) for queue in self._queues}
        if own is not None:
            talks[answered] = own
        return talks


def _at(talks: Sequence[timedelta], chance: float) -> timedelta:
    return talks[min(int(chance * len(talks)), len(talks) - 1)] if talks else _NOTHING


def _mean(talks: Sequence[timedelta]) -> timedelta:
    return sum(talks, _NOTHING) / len(talks) if talks else _NOTHING
