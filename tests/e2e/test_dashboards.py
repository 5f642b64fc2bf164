"""A real Prometheus beside a real run: every panel has data, and alerts fire and clear.

The rules are those of prometheus/ivrd.rules.yml with their patience, windows and limits cut down
(`SHORTER`), because a test has seconds where they have minutes. Not tried: Grafana itself, which
this project's machines have no package of.
"""

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from math import isnan
from pathlib import Path

import pytest

from ivrd.reconciliation import Result, ResultFile
from tests.e2e.scene import ROUNDS_MAX, Scene, scene
from tests.e2e.towns import town_fixture
from tests.lab.floor_plan import LINE_NUMBER, PATIENT_NUMBER, Desk, FloorPlan, way_in
from tests.lab.municipality import SYSTEM, Municipality
from tests.lab.phone import Ring
from tests.lab.processes import LabError
from tests.lab.prometheus import Prometheus

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "prometheus" / "ivrd.rules.yml"
BOARDS = sorted((REPOSITORY / "grafana" / "dashboards").glob("*.json"))

GUIDE = Desk(name="guide", queue="kc", answer=Ring())
OPERATOR = Desk(name="operator", queue="vaxel", answer=Ring())

GOAL_S, PATIENT_S = 1, 30

GOAL = f"goal_percent = 85\ngoal_within_s = {GOAL_S}\n\n"

WAY_IN = (
    way_in("huvudmeny", "kommunen", LINE_NUMBER, 1, tries=3)
    + GOAL
    # A key may come late beside Prometheus.
    + way_in("talmodig", "talmodig", PATIENT_NUMBER, PATIENT_S, tries=3)
    + GOAL
)

HANDOVER = Path(tempfile.gettempdir()) / f"ivrd-handover-{os.getpid()}"
"""Where cases would be dropped for a case system: without a label, none is sent."""

CASE_SYSTEM = f"""
[[handover]]
name = "arkiv"
kind = "file"
directory = "{HANDOVER}"
slowest_s = 1
"""

town = town_fixture(
    FloorPlan(
        desks=(GUIDE, OPERATOR),
        start_waiting=2,
        stop_waiting=1,
        way_in=WAY_IN + CASE_SYSTEM,
        patient_s=PATIENT_S,
    )
)

SHORTER = {
    r"\[(1h|15m|5m)\]": "[10s]",
    r"\[10m\]": "[30s]",
    r"for: \d+[ms]": "for: 1s",
    r"seconds > 600": "seconds > 2",
    r"\(3 \* ivrd_queue_threshold": "(0.03 * ivrd_queue_threshold",
    r">= (10|20)$": ">= 1",
    r"unlabelled\) > 20": "unlabelled) > 0",
    r"\]\)\) > 10$": "])) > 0",
    r"> 100$": "> 0",
}

VARIABLES = {
    "$__range": "1m",
    "$__rate_interval": "1m",
    "$system": ".+",
    "$queue": ".+",
    "$line": ".+",
}

FIRED = {
    "IvrdAbandonRateHigh",
    "IvrdAmiLost",
    "IvrdCasesUnlabelledSpike",
    "IvrdDown",
    "IvrdJournalGrowing",
    "IvrdLineGoalAtRisk",
    "IvrdNobodyServes",
    "IvrdOutOfStep",
    "IvrdQueueUnserved",
    "IvrdQueueWaitLong",
    "IvrdQueueWaitTooLong",
    "IvrdReconcileDiffers",
    "IvrdStaticMenuUsed",
}
"""By what happens here; the others need faults of ours or of a disk, and are tried by promtool."""

TELLS_OF_THE_MACHINE = {"IvrdLoopStalls"}
"""Right to fire where the machine is slow."""

RESTORED = (
    "ivrd_calls_total",
    "ivrd_queue_entries_total",
    "ivrd_queue_joined_total",
    "ivrd_queue_service_total",
    "ivrd_queue_wait_seconds_bucket",
)


def short_rules() -> str:
    text = RULES.read_text(encoding="utf-8")
    for pattern, shorter in SHORTER.items():
        text, count = re.subn(pattern, shorter, text, flags=re.M)
        assert count, f"no rule has {pattern}"
    return text


def queries() -> Iterator[tuple[str, str]]:
    """Yield each query of each panel, with the board's and the panel's name."""
    for file in BOARDS:
        board = json.loads(file.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield f"{board['title']}: {panel['title']}", put_in(target["expr"])


def put_in(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


@contextlib.asynccontextmanager
async def watched(prometheus: Prometheus) -> AsyncIterator[set[str]]:
    """Gather every alert that fires while the body runs."""
    fired: set[str] = set()

    async def gather() -> None:
        while True:
            fired.update(await prometheus.fired())
            await asyncio.sleep(0.3)

    task = asyncio.create_task(gather(), name="alerts")
    try:
        yield fired
    finally:
        task.cancel()
        await asyncio.wait([task])


def reconciled(town: Municipality, differences: int) -> None:
    now = datetime.now(UTC)
    result = Result(since=now, until=now, finished_at=now, calls=3, open=0, differences=differences)
    ResultFile(town.directory / "state", SYSTEM).save(result)


async def some_of_everything(town: Municipality, played: Scene) -> None:
    """Let callers be answered, wait, be moved and give up."""
    resolved = await played.ring()
    await resolved.talking("kc")
    await resolved.hang_up()
    await resolved.gone()
    first, second, third = await played.ring("1"), await played.ring("1"), await played.ring("1")
    await first.talking("vaxel")
    moved = asyncio.create_task(second.talking("kc"))
    other = asyncio.create_task(third.talking("kc"))
    done, waiting = await asyncio.wait([moved, other], return_when=asyncio.FIRST_COMPLETED)
    assert done, "one of them was moved to the guides"
    for task in waiting:
        task.cancel()
    await played.hang_up_all()


async def test_every_panel_has_data_and_alerts_fire_and_clear(town: Municipality) -> None:
    target = town.web.removeprefix("http://")
    reconciled(town, 0)
    async with Prometheus.start(target, rules=short_rules()) as prometheus:
        async with watched(prometheus) as fired, scene(town, is_orderly=False) as played:
            await scraped(town, prometheus)
            await some_of_everything(town, played)
            await all_have_data(town, prometheus)
            reconciled(town, 2)
            await nobody_serves(town, played, prometheus, fired)
            await the_database_is_locked(town, played, fired)
            await ivrd_is_killed(town, played, fired)
            for metric in RESTORED:
                [resets] = await prometheus.ask(f"sum(resets({metric}[5m]))")
                assert resets.value == 0, f"{metric} went down over the kill"
            await the_pbx_is_gone(town, played, fired)
            reconciled(town, 0)

            async def is_quiet() -> bool:
                return await prometheus.firing() == set()

            await town.until(is_quiet, what="every alert has cleared", within_s=90)
            fired = await prometheus.fired() - TELLS_OF_THE_MACHINE
            assert fired == FIRED, fired ^ FIRED


async def scraped(town: Municipality, prometheus: Prometheus) -> None:
    """Wait until Prometheus knows the zeros, from which it sees the first step."""

    async def is_known() -> bool:
        found = await prometheus.ask("count_over_time(ivrd_queue_joined_total[10s]) > 1")
        return bool(found)

    await town.until(is_known, what="two scrapes", within_s=60)


async def all_have_data(town: Municipality, prometheus: Prometheus) -> None:
    missing = dict.fromkeys(queries())

    async def none_is_missing() -> bool:
        for where, query in list(missing):
            samples = await prometheus.ask(query)
            if any(not isnan(sample.value) for sample in samples):
                del missing[where, query]
        return not missing

    try:
        await town.until(none_is_missing, what="every query has data", within_s=60)
    except LabError:
        pytest.fail("no data for:\n" + "\n".join(f"{where}\n  {query}" for where, query in missing))


async def nobody_serves(
    town: Municipality, played: Scene, prometheus: Prometheus, fired: set[str]
) -> None:
    for phone, queue in (("guide", "kc"), ("operator", "vaxel")):
        await town.pbx.cli(f"queue pause member PJSIP/{phone} queue {queue}")
    caller = await played.ring()
    await caller.joined("kc")

    async def is_told() -> bool:
        wanted = {"IvrdNobodyServes", "IvrdQueueUnserved", "IvrdQueueWaitTooLong"}
        return wanted <= await prometheus.firing()

    await town.until(is_told, what="an empty hall is told", within_s=90)
    await caller.hang_up()
    await caller.gone()
    for _ in range(ROUNDS_MAX):
        with contextlib.suppress(LabError):
            await told(town, fired, "IvrdAbandonRateHigh", within_s=5.0)
            break
        # On a slow machine those before had come too long before they gave up.
        caller = await played.ring()
        await caller.joined("kc")
        await caller.hang_up()
        await caller.gone()
    late = None
    if "IvrdLineGoalAtRisk" not in fired:
        # Unless those who were moved have waited long enough: nobody else is answered too late.
        late = await played.ring()
        await late.joined("kc")

        async def is_late() -> bool:
            waited_s = (await town.queue_status("kc"))["longest_wait_s"]
            return isinstance(waited_s, float) and waited_s > 2 * GOAL_S

        await town.until(is_late, what="a caller has waited longer than the line's goal")
    for phone, queue in (("guide", "kc"), ("operator", "vaxel")):
        await town.pbx.cli(f"queue unpause member PJSIP/{phone} queue {queue}")
    if late is not None:
        await late.talking("kc")
        await late.hang_up()
        await late.gone()
        await told(town, fired, "IvrdLineGoalAtRisk")


async def told(town: Municipality, fired: set[str], *names: str, within_s: float = 90.0) -> None:
    async def is_told() -> bool:
        return set(names) <= fired

    await town.until(is_told, what=f"{names} fired", within_s=within_s)


async def the_database_is_locked(town: Municipality, played: Scene, fired: set[str]) -> None:
    file = town.directory / "ivrd.sqlite"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            caller = await played.ring()
            await caller.talking("kc")
            await caller.hang_up()
            await caller.gone()
        await told(town, fired, "IvrdJournalGrowing")
        other.execute("ROLLBACK")


async def ivrd_is_killed(town: Municipality, played: Scene, fired: set[str]) -> None:
    await town.kill_daemon()
    caller = await played.ring()
    await caller.talking("kc")
    await told(town, fired, "IvrdDown")
    await town.start_daemon()
    await caller.hang_up()
    await caller.gone()
    await told(town, fired, "IvrdStaticMenuUsed")


async def the_pbx_is_gone(town: Municipality, played: Scene, fired: set[str]) -> None:
    await town.pbx.kill()
    played.callers.clear()
    await told(town, fired, "IvrdAmiLost", "IvrdOutOfStep")
    await town.pbx.resume()
    await town.until(town.is_ready, what="ivrd is in step again", within_s=60)
