"""(b) CPU of Asterisk plus ivrd per call, against Asterisk alone with a native dialplan menu.

One PBX serves both sides in turn, with ivrd started and stopped between the runs. Without ivrd the
same dialplan plays the static twin of the menu, rendered from the same configuration: no daemon,
no AMI connection, no AGI. Counted is the CPU time of the two processes, not of the phones, from
before the first call until after the last one is settled and stored; starting ivrd is not.
"""

import os
from dataclasses import dataclass
from itertools import count

from tests.bench import traffic
from tests.bench.result import Result, spread_row
from tests.lab.municipality import Municipality

RATE_PER_S = 20.0
STAYS_EVERY = 4
WARM_UP_CALLS = 20
GOAL = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU per call of one run, in milliseconds."""

    asterisk_ms: float
    ivrd_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        """Return what the call costs the machine."""
        return self.asterisk_ms + self.ivrd_ms


class _Runs:
    """Runs of both sides on one PBX."""

    def __init__(self, town: Municipality, *, calls: int) -> None:
        self._town = town
        self._calls = calls
        self._numbers = count(step=calls + WARM_UP_CALLS)
        self.with_ivrd: list[Cost] = []
        self.alone: list[Cost] = []

    async def run_with_ivrd(self) -> None:
        await self._town.start_daemon()
        try:
            self.with_ivrd.append(await self._run())
            # Cases are saved: a call is only counted when its row is there. Those of the runs
            # without ivrd are there too, for at each start ivrd reads what it missed.
            runs = len(self.with_ivrd) + len(self.alone)
            await traffic.prove_counted(self._town, runs * (self._calls + WARM_UP_CALLS))
        finally:
            await self._town.stop_daemon()

    async def run_alone(self) -> None:
        self.alone.append(await self._run())

    async def _run(self) -> Cost:
        first = next(self._numbers)
        warm_up = traffic.citizens(WARM_UP_CALLS, first=first, stays_every=STAYS_EVERY)
        await traffic.call(self._town, warm_up, rate_per_s=RATE_PER_S)
        people = traffic.citizens(self._calls, first=first + WARM_UP_CALLS, stays_every=STAYS_EVERY)
        asterisk_s, ivrd_s = self._town.pbx.cpu_seconds(), self._ivrd_cpu_seconds()
        await traffic.call(self._town, people, rate_per_s=RATE_PER_S)
        per_call_ms = 1000 / self._calls
        return Cost(
            asterisk_ms=(self._town.pbx.cpu_seconds() - asterisk_s) * per_call_ms,
            ivrd_ms=(self._ivrd_cpu_seconds() - ivrd_s) * per_call_ms,
        )

    def _ivrd_cpu_seconds(self) -> float:
        return 0.0 if self._town.daemon is None else self._town.daemon.cpu_seconds()


async def measure(*, is_quick: bool) -> Result:
    """Return the cost of a call on both sides."""
    calls, rounds = (200, 2) if is_quick else (300, 3)
    async with Municipality.start(traffic.floor_plan(), with_daemon=False) as town:
        runs = _Runs(town, calls=calls)
        for _ in range(rounds):
            await runs.run_with_ivrd()
            await runs.run_alone()
        facts = await town.facts()
    ratios = [
        ours.total_ms / alone.total_ms
        for ours, alone in zip(runs.with_ivrd, runs.alone, strict=True)
    ]
    ratio_row = spread_row("ratio, each run to the one after it", "", ratios)
    figure = ratio_row.figures["median"]
    return Result(
        key="b",
        title=f"CPU per call at {RATE_PER_S:g} calls/s: Asterisk + ivrd / Asterisk alone",
        rows=(
            spread_row("Asterisk + ivrd", "ms", [cost.total_ms for cost in runs.with_ivrd]),
            spread_row("  of which Asterisk", "ms", [cost.asterisk_ms for cost in runs.with_ivrd]),
            spread_row("  of which ivrd", "ms", [cost.ivrd_ms for cost in runs.with_ivrd]),
            spread_row("Asterisk alone, native menu", "ms", [cost.total_ms for cost in runs.alone]),
            ratio_row,
        ),
        figure=figure,
        goal=f"<= {GOAL}",
        is_met=figure <= GOAL,
        notes=(
            f"{rounds} runs of {calls} calls on each side, in turn; menu, queue, agent for "
            f"{traffic.TALK_S:g} s; "
            f"every {STAYS_EVERY}th citizen stays on the line, others press 1",
            "no speech flows, so Asterisk's own share is as small as it can be",
            "all calls answered on both sides, and stored by ivrd as queue_log has them; "
            f"{traffic.static_menus(facts)} of ivrd's met the static menu",
            f"CPU is counted in ticks of {1000 / os.sysconf('SC_CLK_TCK'):g} ms per run",
        ),
    )
