"""A whole made-up Monday of some 1,700 calls, written as Asterisk would write its queue_log.

Here: callers, agents and rules second by second, where the truth is known: what each caller brought
along, and so what the same day would have come to by another rule. Not here: the model that is
judged by it. It shares no code with ivrd/core/rehearsal.py, and works in another way on purpose:
it walks through all seconds of the day, where that one goes from event to event.

What the model is not told: patience of those who were answered, talks that did not happen, who was
there when (the growth of KC's staff is in the journal, everybody else's lunch is not), and writing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

EIGHT = int(datetime(2026, 3, 2, 7, 0, tzinfo=UTC).timestamp())
"""Monday 2 March 2026, 8.00 in Stockholm."""

HOUR = 3600
CLOSES = 8 * HOUR + HOUR // 2

PER_HOUR = {
    "vaxel": (158, 185, 130, 95, 75, 88, 82, 74, 62),
    "kc": (86, 104, 88, 66, 52, 60, 54, 46, 38),
    "va": (40, 48, 38, 28, 20, 24, 22, 18, 14),
}
"""Calls by the hour since eight; a Monday's peak is at nine."""

TALK_S = {
    ("vaxel", "vaxel"): (34.0, 0.6),
    ("vaxel", "kc"): (60.0, 0.6),
    ("kc", "kc"): (185.0, 0.7),
    ("va", "va"): (190.0, 0.7),
    ("va", "kc"): (215.0, 0.7),
}
"""Median and spread of a lognormal, by where callers came to and who answers."""

PATIENCE_S = {"vaxel": (330.0, 1.0), "kc": (560.0, 1.1), "va": (480.0, 1.1)}
"""Weibull."""

RING_S = (2, 8)
RING_IN_VAIN, RING_S_MAX, RETRY_S = 0.02, 15, 5
WRITES = {"vaxel": (3, 12), "kc": (10, 50), "va": (10, 45)}

AGENTS = {"vaxel": 3, "va": 3, "kc": 9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Moves callers to KC from `start` waiting until `stop` are left."""

    name: str
    queue: str
    start: int
    stop: int


IN_FORCE = (
    Rule(name="vaxel-hog-last", queue="vaxel", start=7, stop=4),
    Rule(name="va-hog-last", queue="va", start=5, stop=3),
)


@dataclass(slots=True, kw_only=True)
class Caller:
    """One caller, and what became of them."""

    number: int
    came: str
    rings_at: int
    patience: int
    ring: int
    vain: bool
    writing: Mapping[str, int]
    queue: str = ""
    agent: "Agent | None" = None
    connects_at: int = 0
    rung_at: int = 0
    vain_until: int = 0
    retry_at: int = 0
    entered_at: int = 0
    moves: int = 0
    leaves_queue_at: int | None = None
    answered_at: int | None = None
    answered_in: str = ""
    left_at: int | None = None

    @property
    def call_id(self) -> str:
        """As Asterisk would number it."""
        return f"{EIGHT + self.rings_at}.{2 * self.number}"

    def talk(self, queue: str) -> int:
        """How long the talk is, by who answers."""
        median, spread = TALK_S[self.came, queue]
        return max(3, round(median * Random(self.number).lognormvariate(0, spread)))


@dataclass(slots=True, kw_only=True)
class Agent:
    """One agent's day."""

    name: str
    queue: str
    spans: tuple[tuple[int, int], ...]
    has_rows: bool
    free_at: int = 0
    caller: Caller | None = None
    idle_since: int = 0

    def is_on(self, now: int) -> bool:
        """Whether they take calls now."""
        return any(begin <= now < end for begin, end in self.spans)


@dataclass(slots=True, kw_only=True)
class Day:
    """What a day came to."""

    rows: list[str]
    """queue_log."""
    callers: list[Caller]
    moves: int = 0

    def waits(self, queue: str | None = None) -> list[int]:
        """Waits of answered calls, in ascending order, of one answering queue or of all."""
        return sorted(
            each.answered_at - each.rings_at
            for each in self.callers
            if each.answered_at is not None and queue in (None, each.answered_in)
        )

    @property
    def abandoned(self) -> int:
        """Callers who hung up."""
        return sum(each.left_at is not None for each in self.callers)

    @property
    def p90(self) -> int:
        """The nearest rank, of all answered calls."""
        waits = self.waits()
        return waits[-(-len(waits) * 90 // 100) - 1]


def callers(seed: int) -> list[Caller]:
    """Return who rings, and what each brings along, whatever the rules are."""
    chance = Random(seed)
    found: list[tuple[int, str]] = []
    for queue, per_hour in PER_HOUR.items():
        now = 0.0
        while now < CLOSES:
            now += chance.expovariate(max(per_hour) / HOUR)
            rate = per_hour[min(len(per_hour) - 1, int(now // HOUR))]
            if now < CLOSES and chance.random() < rate / max(per_hour):
                found.append((int(now), queue))
    people = []
    for number, (rings_at, came) in enumerate(sorted(found), start=1):
        own = Random(f"{seed}/{number}")
        people.append(
            Caller(
                number=number,
                came=came,
                rings_at=rings_at,
                patience=max(1, round(own.weibullvariate(*PATIENCE_S[came]))),
                ring=own.randint(*RING_S),
                vain=own.random() < RING_IN_VAIN,
                writing={queue: own.randint(*span) for queue, span in WRITES.items()},
            )
        )
    return people


def agents() -> list[Agent]:
    """Return who is there; guides come one after the other, and everybody has lunch."""
    found = []
    for queue, count in AGENTS.items():
        for number in range(count):
            begin = number * 600 if queue == "kc" and number > 5 else 0
            lunch = 3 * HOUR + number * 1800 % (2 * HOUR)
            end = CLOSES + HOUR if number < 3 else CLOSES - (number % 3) * 900
            found.append(
                Agent(
                    name=f"{queue}{number + 1}",
                    queue=queue,
                    spans=((begin, lunch), (lunch + 1800, end)),
                    has_rows=queue == "kc",
                )
            )
    return found


class _Clock:
    """One day, second by second."""

    def __init__(self, people: list[Caller], rules: Iterable[Rule]) -> None:
        self.day = Day(rows=[], callers=people)
        self.now = 0
        self._rules = list(rules)
        self._active: set[str] = set()
        self._lines: dict[str, list[Caller]] = {queue: [] for queue in AGENTS}
        self._agents = agents()

    def run(self) -> Day:
        """Walk through the day."""
        coming = list(self.day.callers)
        while self.now < CLOSES + 2 * HOUR:
            self._tell_shifts()
            self._end_talks()
            self._give_up()
            self._land_moves()
            while coming and coming[0].rings_at == self.now:
                caller = coming.pop(0)
                caller.queue = caller.came
                self._write(caller, "NONE", "NONE", "IVRDARRIVED", "kommunen", "SIP/trunk")
                self._enter(caller)
            self._connect()
            self._plan_moves()
            self._ring()
            self.now += 1
        return self.day

    def _row(self, call_id: str, queue: str, agent: str, event: str, *more: object) -> None:
        words = [str(EIGHT + self.now), call_id, queue, agent, event, *map(str, more)]
        self.day.rows.append("|".join(words))

    def _write(self, caller: Caller, queue: str, agent: str, event: str, *more: object) -> None:
        self._row(caller.call_id, queue, agent, event, *more)

    def _tell_shifts(self) -> None:
        for agent in self._agents:
            for begin, end in agent.spans:
                if agent.has_rows and self.now == begin:
                    event = "ADDMEMBER" if begin == agent.spans[0][0] else "UNPAUSE"
                    self._row("MANAGER", agent.queue, agent.name, event, "")
                if agent.has_rows and self.now == end:
                    event = "REMOVEMEMBER" if end == agent.spans[-1][1] else "PAUSE"
                    self._row("MANAGER", agent.queue, agent.name, event, "")
                if self.now == begin:
                    agent.idle_since = self.now

    def _end_talks(self) -> None:
        for agent in self._agents:
            caller = agent.caller
            if caller is not None and caller.answered_at is not None and agent.free_at == self.now:
                talk = self.now - caller.answered_at
                wait = caller.answered_at - caller.entered_at
                self._write(caller, agent.queue, agent.name, "COMPLETECALLER", wait, talk, 1)
                agent.caller = None
                agent.free_at = self.now + caller.writing[agent.queue]
                agent.idle_since = agent.free_at

    def _give_up(self) -> None:
        for line in self._lines.values():
            for caller in list(line):
                if self.now - caller.rings_at >= caller.patience:
                    line.remove(caller)
                    caller.left_at = self.now
                    if caller.agent is not None:
                        rung = 1000 * (self.now - caller.rung_at)
                        agent = caller.agent
                        self._write(caller, agent.queue, agent.name, "RINGCANCELED", rung)
                        caller.agent.caller = None
                        caller.agent.idle_since = self.now
                    wait = self.now - caller.entered_at
                    self._write(caller, caller.queue, "NONE", "ABANDON", 1, 1, wait)

    def _enter(self, caller: Caller) -> None:
        caller.entered_at = self.now
        line = self._lines[caller.queue]
        line.append(caller)
        line.sort(key=lambda each: (each.rings_at, each.number))
        self._write(caller, caller.queue, "NONE", "ENTERQUEUE", "", "0701740605", len(line))

    def _land_moves(self) -> None:
        for rule in self._rules:
            for caller in list(self._lines[rule.queue]):
                if caller.leaves_queue_at is None or caller.leaves_queue_at > self.now:
                    continue
                caller.leaves_queue_at = None
                self._lines[rule.queue].remove(caller)
                wait, info = self.now - caller.entered_at, f"ivrd-move kc {rule.name}"
                self._write(caller, rule.queue, "NONE", "WITHDRAW", 1, 1, wait, info)
                caller.queue = "kc"
                self.day.moves += 1
                self._enter(caller)

    def _connect(self) -> None:
        for agent in self._agents:
            caller = agent.caller
            if caller is None or caller.answered_at is not None:
                continue
            if caller.vain_until == self.now:
                caller.vain_until, caller.agent, agent.caller = 0, None, None
                caller.retry_at = self.now + RETRY_S
                agent.idle_since = self.now
                self._write(caller, agent.queue, agent.name, "RINGNOANSWER", RING_S_MAX * 1000)
            elif caller.connects_at == self.now:
                self._lines[agent.queue].remove(caller)
                caller.answered_at, caller.answered_in = self.now, agent.queue
                agent.free_at = self.now + caller.talk(agent.queue)
                wait = self.now - caller.entered_at
                channel = f"{caller.call_id}1"
                more = (wait, channel, caller.ring)
                self._write(caller, agent.queue, agent.name, "CONNECT", *more)

    def _plan_moves(self) -> None:
        for rule in self._rules:
            line = [each for each in self._lines[rule.queue] if each.leaves_queue_at is None]
            was_active = rule.name in self._active
            is_active = len(line) >= rule.start or (was_active and len(line) > rule.stop)
            is_served = any(a.queue == "kc" and a.is_on(self.now) for a in self._agents)
            left = len(line)
            for caller in line if is_active and is_served else ():
                if left > rule.stop and caller.agent is None and caller.moves == 0:
                    caller.moves, caller.leaves_queue_at = 1, self.now + 1
                    left -= 1
            (self._active.add if is_active and left > rule.stop else self._active.discard)(
                rule.name
            )

    def _ring(self) -> None:
        for queue, line in self._lines.items():
            for caller in line:
                is_busy = caller.agent is not None or caller.leaves_queue_at is not None
                if is_busy or caller.retry_at > self.now:
                    continue
                free = [
                    agent
                    for agent in self._agents
                    if agent.queue == queue
                    and agent.caller is None
                    and agent.free_at <= self.now
                    and agent.is_on(self.now)
                ]
                if not free:
                    break
                agent = min(free, key=lambda each: each.idle_since)
                agent.caller, caller.agent, caller.rung_at = caller, agent, self.now
                if caller.vain:
                    caller.vain, caller.vain_until = False, self.now + RING_S_MAX
                else:
                    caller.connects_at = self.now + caller.ring


def monday(seed: int, rules: Iterable[Rule] = IN_FORCE) -> Day:
    """Return a Monday by some rules; who comes depends on the seed alone."""
    return _Clock(callers(seed), rules).run()
