"""`ivrd reconcile` beside a running daemon on a real Asterisk whose journal is rotated."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import partial

from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.municipality import Municipality
from tests.lab.phone import Phone, Ring, Talk

GUIDE = Desk(name="guide", queue="kc", answer=Ring(after_s=0.1), talk=Talk(s=0.3))
CALLS = 3
WITHIN_S = 120.0


async def reconcile(town: Municipality) -> tuple[int, list[dict[str, object]]]:
    """Run the command over the last hour; return its status, and what it printed."""
    now = datetime.now(UTC)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivrd", "reconcile", "--json", "-c", town.config_path,
        "--from", (now - timedelta(hours=1)).isoformat(), "--to", now.isoformat(),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in output.splitlines()]


async def test_a_real_town_reconciles_and_its_metrics_say_so() -> None:
    async with (
        Municipality.start(FloorPlan(desks=(GUIDE,))) as town,
        Phone("citizen") as citizen,
    ):
        assert "ivrd_reconcile_calls{" not in await town.metrics()

        async def has_arrived() -> bool:
            return "IVRDARRIVED" in town.pbx.queue_log.read_text(encoding="utf-8")

        async def has_ended(count: int) -> bool:
            """The journal's last row of a call comes from a thread of Asterisk's own."""
            paths = town.pbx.queue_log.parent.glob("queue_log*")
            texts = [path.read_text(encoding="utf-8") for path in paths]
            return sum(text.count("|IVRDEND|") for text in texts) == count

        for number in range(CALLS):
            call = await town.ring(citizen, caller="0701740605")
            if number:
                # The guide ends it; the first caller gives up in the menu.
                await call.ended(timeout_s=WITHIN_S)
            else:
                await town.until(has_arrived, what="the caller is in the menu")
                await call.hang_up()
            await town.wait_for_calls(number + 1)
            await town.until(partial(has_ended, number + 1), what="the journal tells the end")
            await town.pbx.cli("logger rotate")
        status, (summary,) = await reconcile(town)
        assert status == 0
        assert (summary["calls"], summary["differences"]) == (CALLS, 0)
        metrics = await town.metrics()
        assert 'ivrd_reconcile_calls{system="pbx1"} 3.0' in metrics
        assert 'ivrd_reconcile_differences{system="pbx1"} 0.0' in metrics
        assert 'ivrd_reconcile_last_run_timestamp_seconds{system="pbx1"} 1.' in metrics
        # Somebody tampers with the journal: no guide ever answered.
        for path in town.pbx.queue_log.parent.glob("queue_log*"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("|CONNECT|", "|EXITEMPTY|"), encoding="utf-8")
        status, (*differences, summary) = await reconcile(town)
        assert status == 1
        assert [each["kinds"] for each in differences] == [["disposition", "outcome"]] * 2
        assert 'ivrd_reconcile_differences{system="pbx1"} 2.0' in await town.metrics()
