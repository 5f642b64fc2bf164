"""`./run demo`: the main job, on a real PBX, with real SIP calls, on one screen.

A citizen rings, meets the tone choice, waits in a queue, is moved when the switchboard is
overloaded, is answered by a guide, and the resolved call becomes a case. Ends by itself.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.live import Live

from ivrd.core.effects import Disposition, Outcome
from ivrd.core.reconcile import Difference
from ivrd.db.facts import CallFacts
from tests.lab.agreement import Surfaces
from tests.lab.chaos import Chaos, Kind
from tests.lab.demo_citizens import Stream, wants
from tests.lab.demo_compare import MOMENTS, Comparison
from tests.lab.demo_screen import Picture, reconciled_line, summary_lines, table
from tests.lab.floor_plan import GUIDES, SWITCHBOARD, Department, Desk, FloorPlan
from tests.lab.mosquitto import Mosquitto
from tests.lab.municipality import Municipality
from tests.lab.phone import Phone, Ring, Talk, TransferAttended, TransferBlind
from tests.lab.postgres import Postgres
from tests.lab.processes import LabError

OPERATORS = 2
"""Fewer than the load wants, so that the queue grows until calls move."""

REDRAW_S = 0.5
PLAIN_LINE_S = 5.0
"""Between two lines where the output is no terminal."""

RESTART_S = 5.0
"""A daemon that died is started again after this long, as systemd would."""

STORED_S_MAX = 20.0
"""For the last calls to be decided (2 s after the hang-up) and stored."""

STORED_S_AFTER_DEATH = 5.0
"""The same, when some calls ended unseen while ivrd was dead."""

CALLS, CALLS_COMPARED = 60, 90

RATE, RATE_COMPARED = 2.0, 0.8
"""Calls begun per second, unless told otherwise. For the comparison Asterisk must stand still now
and then, so calls come slower, and talks last longer."""

LONGER = 1.4
"""So much longer than calls are slower: menus and ringing last as ever, and queues are to fill."""

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the demo came to."""

    facts: Sequence[CallFacts]
    differences: Sequence[Difference]
    dialled: int
    in_journal: int
    deaths: int
    """How often ivrd died and was started again."""
    troubles: str
    """What chaos made; empty without."""
    reconciled: dict[str, object] | None
    """What `ivrd reconcile` printed at the end; None without chaos."""
    comparison: Comparison | None
    """What `--compare` saw; None without."""
    seconds: float

    def as_json(self) -> dict[str, object]:
        """Return the last line of `--json`."""
        facts = self.facts
        compared = {"agreement": self.comparison.as_json()} if self.comparison else {}
        return {
            "calls": len(facts),
            "choices": dict(Counter(call.choice for call in facts if call.choice is not None)),
            "answered": sum(1 for call in facts if _is_answered(call)),
            "abandoned": sum(1 for call in facts if call.outcome is Outcome.ABANDONED),
            "moved": sum(1 for call in facts if call.moves),
            "transferred": sum(1 for call in facts if call.transfers),
            "resolved": sum(1 for call in facts if call.outcome is Outcome.RESOLVED),
            "cases": sum(len(call.cases) for call in facts),
            "menu_hangups": sum(1 for call in facts if call.outcome is Outcome.MENU_HANGUP),
            "unreconciled": len(self.differences),
            "seconds": round(self.seconds, 1),
            **({} if self.reconciled is None else {"reconcile": self.reconciled}),
            **compared,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    options = _options(arguments)
    console = Console(stderr=options.json)
    try:
        result, is_interrupted = asyncio.run(_run(options, console))
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    for line in summary_lines(result.as_json(), result.differences, result.in_journal):
        console.print(line, markup=False)
    if result.troubles:
        console.print(result.troubles)
    if result.reconciled is not None:
        console.print(reconciled_line(result.reconciled), markup=False)
    if result.deaths:
        console.print(f"ivrd dog och startades om / died and was restarted: {result.deaths}")
    if result.comparison is not None:
        result.comparison.show(console)
    if options.json:
        print(json.dumps(result.as_json()), flush=True)
    if is_interrupted:
        return INTERRUPTED
    return 0 if result.comparison is None or result.comparison.is_agreed else 1


def floor(database: Postgres | None, password_file: Path) -> FloorPlan:
    """Return the municipality of the demo; with a database it has a wire too, for the chaos."""
    operators = [
        Desk(name=f"vaxel{number}", queue=SWITCHBOARD, answer=Ring(after_s=0.3), talk=Talk(s=3.0))
        for number in range(1, OPERATORS + 1)
    ]
    guides = [
        Desk(name="guide1", queue=GUIDES, answer=Ring(after_s=0.4), talk=Talk(s=4.0)),
        Desk(name="guide2", queue=GUIDES, answer=Ring(after_s=0.8), talk=Talk(s=5.0)),
        Desk(name="guide3", queue=GUIDES, answer=Ring(after_s=0.5), talk=Talk(s=3.5)),
        Desk(name="guide4", queue=GUIDES, answer=Ring(after_s=1.2), talk=Talk(s=4.5)),
        Desk(
            name="guide5",
            queue=GUIDES,
            answer=Ring(after_s=0.6),
            talk=Talk(s=3.0, then=TransferBlind("8100")),
        ),
        Desk(
            name="guide6",
            queue=GUIDES,
            answer=Ring(after_s=0.6),
            talk=Talk(s=3.0, then=TransferAttended("8200")),
        ),
    ]
    return FloorPlan(
        desks=(*operators, *guides),
        departments=(
            Department(number="8100", answer=Ring(after_s=0.5), talk=Talk(s=2.0)),
            Department(number="8200", answer=Ring(after_s=0.5), talk=Talk(s=2.0)),
        ),
        start_waiting=4,
        stop_waiting=2,
        stay_after_s=2,
        prompts=True,
        has_wire=database is not None,
        database_url=None if database is None else _url_without_password(database),
        database_password_file=None if database is None else password_file,
    )


def compared(plan: FloorPlan, *, mqtt_port: int, longer: float) -> FloorPlan:
    """Return it with a broker, and with talks that last so many times longer."""
    desks = tuple(
        replace(desk, talk=desk.talk and replace(desk.talk, s=desk.talk.s * longer))
        for desk in plan.desks
    )
    return replace(plan, desks=desks, mqtt_port=mqtt_port)


def _url_without_password(database: Postgres) -> str:
    place = f"{database.host}:{database.port}"
    return f"postgresql+asyncpg://{database.user}@{place}/{database.user}"


async def _run(options: argparse.Namespace, console: Console) -> tuple[Result, bool]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console.print("Startar växel och ivrd … / Starting PBX and ivrd …")
    started_s = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        database = None
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ivrd-demo-")))
        password_file = scratch / "database-password"
        if options.chaos:
            database = await stack.enter_async_context(Postgres.start())
            password_file.write_text(database.password, encoding="utf-8")
        broker = await stack.enter_async_context(Mosquitto.start()) if options.compare else None
        plan = floor(database, password_file)
        if broker is not None:
            plan = compared(plan, mqtt_port=broker.port, longer=LONGER * RATE / options.rate)
        town = await stack.enter_async_context(Municipality.start(plan))
        citizens = await stack.enter_async_context(Phone("medborgare"))
        chaos = comparison = None
        if database is not None:
            chaos = Chaos(town, database, seed=options.seed, kind=Kind(options.chaos))
        if broker is not None:
            surfaces = await stack.enter_async_context(Surfaces.open(town, broker))
            comparison = Comparison(surfaces, every_s=options.calls / options.rate / MOMENTS)
        return await _play(options, console, town, citizens, chaos, comparison, stop, started_s)


async def _play(
    options: argparse.Namespace,
    console: Console,
    town: Municipality,
    citizens: Phone,
    chaos: Chaos | None,
    comparison: Comparison | None,
    stop: asyncio.Event,
    started_s: float,
) -> tuple[Result, bool]:
    calm = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        assert town.daemon is not None, "the municipality starts ivrd"
        console.print(
            f"Asterisk {town.pbx.version} (pid {town.pbx.pid}), ivrd (pid {town.daemon.pid}) · "
            f"{town.web}/metrics · {town.web}/api/queues · {town.daemon_log}"
        )
        keeper = Keeper(town)
        keeping = group.create_task(
            keeper.run() if chaos is None else chaos.run(calm), name="keep ivrd, or trouble it"
        )
        stream = Stream(town, citizens, wants(options.calls), rate_per_s=options.rate)
        drawing = group.create_task(_draw(town, stream, console), name="draw")
        bound = group.create_task(_stop_after(options.seconds, stop), name="bound")
        if comparison is None:
            await stream.run(stop)
        else:
            await comparison.during(stream.run(stop))
        bound.cancel()
        calm.set()
        if chaos is not None:
            await keeping
        await keeper.wait_until_alive()
        try:
            within_s = STORED_S_AFTER_DEATH if keeper.deaths else STORED_S_MAX
            await town.wait_for_calls(stream.dialled, within_s=within_s)
        except LabError:
            console.print("ivrd har inte sparat alla samtal / has not stored every call")
        keeping.cancel()
        drawing.cancel()
        facts = await town.facts()
        result = Result(
            facts=facts,
            differences=town.unreconciled(facts),
            dialled=stream.dialled,
            in_journal=len(town.journal()),
            deaths=keeper.deaths,
            troubles="" if chaos is None else f"frö / seed {options.seed}: {chaos.troubles.text()}",
            reconciled=None if chaos is None else await town.reconcile(),
            comparison=comparison,
            seconds=time.monotonic() - started_s,
        )
    return result, stop.is_set() and options.seconds is None


class Keeper:
    """Starts ivrd again when it died, as systemd would."""

    def __init__(self, town: Municipality) -> None:
        self._town = town
        self.deaths = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            daemon = self._town.daemon
            if daemon is not None and daemon.returncode is not None:
                self.deaths += 1
                await asyncio.sleep(RESTART_S)
                await self._town.start_daemon()
            await asyncio.sleep(REDRAW_S)

    async def wait_until_alive(self) -> None:
        """Wait for a daemon that is just being started again."""
        deadline_s = time.monotonic() + RESTART_S + STORED_S_MAX
        while time.monotonic() < deadline_s:
            daemon = self._town.daemon
            if daemon is not None and daemon.returncode is None and await self._town.is_ready():
                return
            await asyncio.sleep(REDRAW_S)


async def _draw(town: Municipality, stream: Stream, console: Console) -> None:
    """Show the live table, or now and then a line where there is no terminal."""
    if not console.is_terminal:
        while True:
            picture = await Picture.take(town, stream)
            console.print(picture.line())
            await asyncio.sleep(PLAIN_LINE_S)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while True:
            picture = await Picture.take(town, stream)
            live.update(table(picture), refresh=True)
            await asyncio.sleep(REDRAW_S)


async def _stop_after(seconds: float | None, stop: asyncio.Event) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)
        stop.set()


def _is_answered(call: CallFacts) -> bool:
    return any(entry.disposition is Disposition.ANSWERED for entry in call.entries)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument(
        "--calls",
        type=_positive_int,
        default=None,
        help=f"citizens (default {CALLS}; to compare {CALLS_COMPARED})",
    )
    parser.add_argument(
        "--rate",
        type=_positive,
        default=None,
        help=f"calls begun per second (default {RATE:g}; to compare {RATE_COMPARED:g})",
    )
    parser.add_argument(
        "--seconds", type=_positive, default=None, help="no new calls after so long"
    )
    parser.add_argument(
        "--chaos",
        nargs="?",
        const=Kind.ALL.value,
        choices=[kind.value for kind in Kind],
        help="kill ivrd, cut AMI, stop the database, at random; or only stop the database",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the chaos (default 1)")
    parser.add_argument(
        "--compare",
        action="store_true",
        help="at ten moments: does each screen tell who waits where as Asterisk does? Else exit 1",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args(arguments)
    if options.compare and options.chaos:
        parser.error("--compare or --chaos: while ivrd is dead its screens tell nothing")
    if options.calls is None:
        options.calls = CALLS_COMPARED if options.compare else CALLS
    if options.rate is None:
        options.rate = RATE_COMPARED if options.compare else RATE
    return options


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
