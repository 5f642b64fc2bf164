"""(f) How right the expected wait is, on three made-up days, and the models it was chosen from.

The days are played into a real tracker, which says what was expected at each answer. The others are
told the same facts. Nobody who gave up is measured: how long they would have waited, nobody knows.
"""

import statistics
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ivrd.core.effects import CountEntry, Disposition
from ivrd.core.events import Event
from ivrd.core.expected_wait import ANSWERS_MAX, ANSWERS_MIN, WaitModel
from ivrd.core.tracker import Tracker
from tests.bench.result import Result, Row
from tests.bench.wait_days import DAYS, SYSTEM, Day, Simulation, rules

SEEDS = 10
SEEDS_QUICK = 2

GOAL = 0.5
"""Mean absolute error / mean wait on the worst day."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one answered caller was told, and met."""

    expected_s: float
    waited_s: float


class Rival:
    """A model that was not chosen, fed with the line as the PBX knows it."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._expected: dict[int, tuple[float, float | None]] = {}
        self._now, self._queued, self._guides = 0.0, 0, 0
        self._passed = self._worked = 0.0
        self._costs: deque[tuple[float, float]] = deque(maxlen=ANSWERS_MAX)
        """Of each answer: time since the one before while somebody waited, and guides' time."""
        self._talks: deque[float] = deque(maxlen=ANSWERS_MAX)

    def changed(self, now: float, *, queued: int, guides: int) -> None:
        self._pass(now)
        self._queued, self._guides = queued, guides

    def joined(self, call: int, now: float, *, place: int, guides: int) -> None:
        is_known = guides > 0 and len(self._costs) >= ANSWERS_MIN
        expected_s = place * self.seconds_per_place(guides) if is_known else None
        self._expected[call] = (now, expected_s)

    def answered(self, call: int, now: float) -> None:
        if call not in self._expected:
            return
        self._pass(now)
        self._costs.append((self._passed, self._worked))
        self._passed = self._worked = 0.0
        joined, expected_s = self._expected.pop(call)
        if expected_s is not None:
            self.told.append(Told(expected_s, now - joined))

    def talked(self, seconds: float) -> None:
        self._talks.append(seconds)

    def _pass(self, now: float) -> None:
        if self._queued:
            self._passed += now - self._now
            self._worked += (now - self._now) * self._guides
        self._now = now

    def seconds_per_place(self, guides: int) -> float:
        raise NotImplementedError


class AnswerInterval(Rival):
    """Place x mean time between answers while somebody waits."""

    def seconds_per_place(self, guides: int) -> float:
        return statistics.fmean(passed for passed, _ in self._costs)


class TalkTime(Rival):
    """Place x mean talk / guides."""

    def seconds_per_place(self, guides: int) -> float:
        return statistics.fmean(self._talks) / guides


class GuideTime(Rival):
    """Place x mean guides' time per answer / guides who serve at that moment."""

    def seconds_per_place(self, guides: int) -> float:
        return statistics.fmean(worked for _, worked in self._costs) / guides


RIVALS: Mapping[str, Callable[[], Rival]] = {
    "answer interval": AnswerInterval,
    "talk time / agents": TalkTime,
    "agent time / agents, no giving up": GuideTime,
}


def told_on(day: Day, seeds: int) -> dict[str, list[Told]]:
    """Return what answered callers were told, by model; who found a guide free apart."""
    told: dict[str, list[Told]] = {model.value: [] for model in WaitModel}
    told |= {name: [] for name in RIVALS}
    for seed in range(seeds):
        tracker = Tracker(system=SYSTEM, rules=rules())

        def take(event: Event, tracker: Tracker = tracker) -> None:
            for effect in tracker.apply(event):
                if isinstance(effect, CountEntry) and effect.disposition is Disposition.ANSWERED:
                    if (expected := effect.expected) is not None and effect.entry_wait is not None:
                        waited_s = effect.entry_wait.total_seconds()
                        told[expected.model].append(Told(expected.wait.total_seconds(), waited_s))

        rivals = {name: make() for name, make in RIVALS.items()}
        Simulation(day=day, seed=seed, take=take, watchers=list(rivals.values())).run()
        for name, rival in rivals.items():
            told[name] += rival.told
    return told


def row_of(name: str, told: Sequence[Told]) -> Row:
    """Return the error of a model on a day."""
    errors = [each.expected_s - each.waited_s for each in told]
    return Row(
        name=name,
        unit="s",
        figures={
            "callers": float(len(told)),
            "wait": statistics.fmean(each.waited_s for each in told),
            "mean error": statistics.fmean(map(abs, errors)),
            "bias": statistics.fmean(errors),
            "median": statistics.median(map(abs, errors)),
        },
    )


async def measure(*, is_quick: bool) -> Result:
    """Return the errors of every model on every day."""
    seeds = SEEDS_QUICK if is_quick else SEEDS
    rows: list[Row] = []
    worst = 0.0
    for day in DAYS:
        told = told_on(day, seeds)
        rows += [row_of(f"{day.name}: {model}", told[model]) for model in told]
        ours = row_of("", told[WaitModel.AGENT_TIME]).figures
        worst = max(worst, ours["mean error"] / ours["wait"])
    return Result(
        key="f",
        title="expected wait: mean absolute error / mean wait, on the worst of three days",
        rows=tuple(rows),
        figure=worst,
        goal=f"<= {GOAL}",
        is_met=worst <= GOAL,
        notes=(
            f"{seeds} days of each kind; answered callers only, so bias leans towards too long.",
            "free-agent and agent-time are what the tracker says; the others were not chosen.",
        ),
    )
