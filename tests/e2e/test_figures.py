"""What is shown is what is: on six surfaces at one moment; and PostgreSQL."""

import contextlib
from pathlib import Path

import pytest

from tests.e2e.scene import scene
from tests.lab.agreement import Moment, Surfaces
from tests.lab.floor_plan import Desk, FloorPlan
from tests.lab.mosquitto import Mosquitto
from tests.lab.municipality import Municipality
from tests.lab.phone import NoAnswer, Ring, Talk
from tests.lab.postgres import Postgres
from tests.lab.processes import LabError

SILENT = Desk(name="silent", queue="vaxel", answer=NoAnswer())
MUTE = Desk(name="mute", queue="kc", answer=NoAnswer())

AGREED_S_MAX = 90.0
"""Asterisk stands still until the scenario goes on, so a slow machine may take its time."""


SHOWN_NOW = {"at", "longest_wait_s", "expected_wait_s"}


async def agreed(town: Municipality, surfaces: Surfaces, **waiting: int) -> Moment:
    """Return a moment in which so many wait, once all six say so."""
    wanted = {queue: str(count) for queue, count in waiting.items()}
    moments: list[Moment] = []

    async def is_agreed() -> bool:
        # Nobody comes or goes, so whoever is wrong stays wrong: asking again hides nothing.
        moments[:] = [
            await surfaces.moment(wanted=lambda seen: dict(seen.counts) == wanted, news_s=0.0)
        ]
        return not moments[0].differences

    try:
        await town.until(is_agreed, what="all six agree", within_s=AGREED_S_MAX)
    except LabError:
        if not moments:
            raise
        pytest.fail("\n".join(moments[0].differences))
    return moments[0]


async def test_every_side_shows_the_same_at_one_moment() -> None:
    async with Mosquitto.start() as broker:
        plan = FloorPlan(
            desks=(SILENT, MUTE),
            mqtt_port=broker.port,
            start_waiting=3,
            stop_waiting=2,
            # Beside a browser a key may come late.
            patient_s=30,
            # One ring outlasts the scenario.
            queue_settings={"vaxel": "timeout = 300", "kc": "timeout = 60"},
        )
        async with (
            Municipality.start(plan) as town,
            Surfaces.open(town, broker) as surfaces,
            scene(town) as played,
        ):
            await agreed(town, surfaces, vaxel=0, kc=0)
            callers = []
            for key, queue in (("1", "vaxel"), ("1", "vaxel"), ("", "kc")):
                callers.append(await played.ring(key))
                await callers[-1].joined(queue)
            rung, moved, stayed = callers
            await agreed(town, surfaces, vaxel=2, kc=1)
            last = await played.ring("1")
            await moved.joined("kc")
            moment = await agreed(town, surfaces, vaxel=2, kc=2)
            # Who was moved came before who stayed, and stands before them on both sides.
            assert moment.asterisk.callers == {
                "vaxel": (rung.call_id, last.call_id),
                "kc": (moved.call_id, stayed.call_id),
            }
            told: list[dict[str, object]] = []

            async def is_the_same() -> bool:
                status = await town.queue_status("kc")
                [message] = [one for one in await surfaces.retained() if one["queue"] == "kc"]
                told[:] = [
                    {key: one[key] for key in one.keys() - SHOWN_NOW} for one in (message, status)
                ]
                return told[0] == told[1]

            # A message goes out a moment after what it tells of.
            with contextlib.suppress(LabError):
                await town.until(is_the_same, what="MQTT says what the API says")
            assert told[0] == told[1], "the very text of the API, but for the clock"
            await rung.hang_up()
            await moved.hang_up()
            await agreed(town, surfaces, vaxel=1, kc=1)


async def test_postgresql_by_configuration(tmp_path: Path) -> None:
    async with Postgres.start() as server:
        password_file = tmp_path / "password"
        password_file.write_text(server.password + "\n", encoding="utf-8")
        plan = FloorPlan(
            desks=(Desk(name="guide", queue="kc", answer=Ring(), talk=Talk(s=0.2)),),
            database_url=server.url().replace(f":{server.password}@", "@"),
            database_password_file=password_file,
        )
        async with Municipality.start(plan) as town:
            async with scene(town) as played:
                caller = await played.ring()
                await caller.gone()
            assert played.told(caller) == (
                "stayed kc | kc answered by guide | resolved | case for guide"
            )
            assert server.password not in town.daemon_log.read_text(encoding="utf-8")
