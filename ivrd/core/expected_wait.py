"""How long a caller who enters a queue now will wait there, learnt from the queue itself.

Here: two named models and what they learn from. Not here: who stands in line (line.py), what was
right in the end (metrics), rounding and words (spoken.py).

The models
    free-agent  An agent is free for this caller: the mean time that the last callers who found one
                free waited until the answer (ringing, mostly). Zero before the first.
    agent-time  No agent is free. Each answer in such times cost so much time of all agents who
                serve: talking, ringing, calls of other queues, all in one. Mean cost T, agents g,
                place n and rate of giving up q give

                    wait = sum for i = 0 .. n-1 of 1 / (g/T + i q)

                which is Erlang's line with impatient callers: whoever stands i places ahead is
                answered, or gives up. Of q too only what happened is known: callers who left
                unanswered / time that callers waited.

How they learn
    1. Time is the events' own. Only time in which somebody waits who found no agent free is looked
       at: what agents do when nobody waits says nothing of how fast a line moves.
    2. The last ANSWERS_MAX answers count alike, whenever they were: T hardly changes from day to
       day, because the number of agents is not in it. So a changed staff is believed at once.
    3. g is the mean over the last few answers, if these are recent, because agents pause for a
       minute after a call, and whoever joins then would be told too much; else who serves now.
    4. In a gap nothing is learnt, and what had begun is forgotten; what was learnt stays.

It says nothing (None) while nobody serves, and before ANSWERS_MIN answers have been seen. A caller
who came in a gap, or was seen first in a snapshot, has no estimate, and so no error.

Source:
    Garnett, Mandelbaum, Reiman: Designing a Call Center with Impatient Customers (2002), for the
    sum; docs/expected-wait.md for what was measured and rejected.
"""

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ANSWERS_MAX = 60
"""Beyond it little is won (docs/expected-wait.md), and a new kind of call is noticed later."""

ANSWERS_MIN = 5
"""Fewer say hardly more than one call did."""

ANSWERS_RECENT = 5
RECENT = timedelta(minutes=10)
"""Who served during the last few answers serves now, if these are no older than this."""

PICK_UPS_MAX = 30

_NOTHING = timedelta(0)


class WaitModel(StrEnum):
    """What an estimate rests on."""

    FREE_AGENT = "free-agent"
    AGENT_TIME = "agent-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """An estimate, made when a caller entered."""

    model: WaitModel
    wait: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one answer cost: since the answer before, while somebody waited who found no agent."""

    at: datetime
    """When the answer was."""
    elapsed: timedelta
    agent_time: timedelta
    """Of all who served, together."""
    waited: timedelta
    """Of all who waited, together."""
    left: int
    """Callers who left the line unanswered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceHistory:
    """What was learnt, oldest first: kept across a restart."""

    costs: tuple[Cost, ...] = ()
    pick_ups: tuple[timedelta, ...] = ()


class Pace:
    """How fast one queue moves. Bounded; mutable, owned by the queue's floor."""

    __slots__ = (
        "_agent_time",
        "_agents",
        "_answers",
        "_costs",
        "_elapsed",
        "_known",
        "_left",
        "_now",
        "_pick_ups",
        "_picked_up",
        "_queued",
        "_sums",
        "_waited",
    )

    def __init__(self, history: PaceHistory | None = None) -> None:
        """Begin with what was learnt before, or with nothing."""
        self._now: datetime | None = None
        """None in a gap."""
        self._queued = self._agents = 0
        self._costs: deque[Cost] = deque()
        self._sums = (_NOTHING, _NOTHING, 0)
        """Of the costs kept: agents' time, callers' time, who left."""
        self._pick_ups: deque[timedelta] = deque()
        self._picked_up = _NOTHING
        self._known: dict[tuple[int, int, bool], Expectation | None] = {}
        """What was said since something was noted or learnt: each screen asks the same."""
        self._begin()
        known = history or PaceHistory()
        for cost in known.costs:
            self._keep(cost)
        for pick_up in known.pick_ups:
            self._keep_pick_up(pick_up)

    def _begin(self) -> None:
        """Begin the time until the next answer."""
        self._elapsed = self._agent_time = self._waited = _NOTHING
        self._left = self._answers = 0

    def history(self) -> PaceHistory:
        """Return what was learnt."""
        return PaceHistory(costs=tuple(self._costs), pick_ups=tuple(self._pick_ups))

    def note(self, at: datetime, *, queued: int, agents: int) -> None:
        """Note how the queue is from a moment on, after all that happened in that moment.

        Args:
            at: Asterisk's time; an older one than before is taken for that.
            queued: Who waits and found no agent free.
            agents: Who serves: logged in, reachable, not paused.
        """
        if self._now is not None:
            if self._queued and at > self._now:
                passed = at - self._now
                self._elapsed += passed
                self._agent_time += passed * self._agents
                self._waited += passed * self._queued
            if self._answers:
                self._learn(at)
            at = max(at, self._now)
        self._now, self._queued, self._agents = at, queued, agents
        self._known.clear()

    def pause(self) -> None:
        """Learn nothing until the next `note`: we do not see what happens."""
        self._now = None
        self._known.clear()
        self._begin()

    def end(self, expected: Expectation | None, wait: timedelta, *, is_answered: bool) -> None:
        """Take the end of one caller's wait here; `note` of the same moment comes after it."""
        if self._now is None:
            return
        if expected is None or expected.model is not WaitModel.FREE_AGENT:
            self._answers += is_answered
            self._left += not is_answered
        elif is_answered:
            self._keep_pick_up(wait)

    def expect(self, *, place: int, agents: int, is_free: bool) -> Expectation | None:
        """Return how long a caller who enters now will wait; None when nobody can tell.

        Args:
            place: The caller's, among those who found no agent free, from 1.
            agents: Who serves.
            is_free: An agent is free for this caller.
        """
        asked = (place, agents, is_free)
        if asked not in self._known:
            self._known[asked] = self._expect(place, agents, is_free=is_free)
        return self._known[asked]

    def _expect(self, place: int, agents: int, *, is_free: bool) -> Expectation | None:
        if is_free:
            pick_up = self._picked_up / len(self._pick_ups) if self._pick_ups else _NOTHING
            return Expectation(model=WaitModel.FREE_AGENT, wait=pick_up)
        if not agents or len(self._costs) < ANSWERS_MIN:
            return None
        agent_time, waited, left = self._sums
        per_answer = agent_time / (len(self._costs) * self._serving(agents))
        given_up = left * (per_answer / waited) if waited else 0.0
        return Expectation(
            model=WaitModel.AGENT_TIME, wait=per_answer * _answers_until(place, given_up)
        )

    def _serving(self, agents: int) -> float:
        """Return how many serve, over the last few answers if these are recent."""
        elapsed = agent_time = _NOTHING
        for number in range(1, min(ANSWERS_RECENT, len(self._costs)) + 1):
            cost = self._costs[-number]
            if self._now is None or cost.at < self._now - RECENT:
                break
            elapsed += cost.elapsed
            agent_time += cost.agent_time
        return agent_time / elapsed if agent_time else float(agents)

    def _learn(self, at: datetime) -> None:
        """Take the time up to now as the cost of the answers of this moment, the first one's."""
        first = Cost(
            at=at,
            elapsed=self._elapsed,
            agent_time=self._agent_time,
            waited=self._waited,
            left=self._left,
        )
        more = self._answers - 1
        self._begin()
        self._keep(first)
        for _ in range(more):
            self._keep(Cost(at=at, elapsed=_NOTHING, agent_time=_NOTHING, waited=_NOTHING, left=0))

    def _keep(self, cost: Cost) -> None:
        self._known.clear()
        agent_time, waited, left = self._sums
        self._costs.append(cost)
        agent_time += cost.agent_time
        waited += cost.waited
        left += cost.left
        if len(self._costs) > ANSWERS_MAX:
            gone = self._costs.popleft()
            agent_time -= gone.agent_time
            waited -= gone.waited
            left -= gone.left
        self._sums = (agent_time, waited, left)

    def _keep_pick_up(self, pick_up: timedelta) -> None:
        self._known.clear()
        self._pick_ups.append(pick_up)
        self._picked_up += pick_up
        if len(self._pick_ups) > PICK_UPS_MAX:
            self._picked_up -= self._pick_ups.popleft()


def _answers_until(place: int, given_up: float) -> float:
    """Return the sum of 1 / (1 + i q) for i = 0 .. place-1: how many answers' time a place takes.

    The first is exact and the rest is the integral, by the midpoint rule: within 1 %, and no dearer
    for the last of a thousand.

    >>> _answers_until(4, 0.0), round(_answers_until(4, 0.1), 2)
    (4, 3.51)

    Args:
        given_up: Of one caller, per answer.
    """
    if given_up == 0.0:
        return place
    half = given_up / 2
    return 1 + math.log1p((place - 1) * given_up / (1 + half)) / given_up
