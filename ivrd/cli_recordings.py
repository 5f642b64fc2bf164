"""`ivrd record` and `ivrd replay`: AMI streams to a file, and from it.

Here: arguments, when a recording ends, and what a replay prints. Not here: the stream
(ami/record.py) and the playing (replay.py).
"""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ivrd import config, rules
from ivrd.ami import record
from ivrd.ami.client import AmiClient
from ivrd.cli_options import DEFAULT_CONFIG, ConfigPath, complain, pbx_of
from ivrd.clock import AsteriskClock
from ivrd.config import PbxConfig
from ivrd.core.ids import SystemName
from ivrd.errors import IvrdError
from ivrd.log import configure
from ivrd.replay import Json, replay


def record_stream(
    file: Annotated[Path, typer.Argument(help="The recording to make.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so long; else at Ctrl-C.")
    ] = None,
    pbx: Annotated[str | None, typer.Option(help="The PBX's name; else the first.")] = None,
) -> None:
    """Save a raw AMI stream with numbers and names masked."""
    settings = config.load(config_path)
    configure(settings.log)
    frames = asyncio.run(_record(pbx_of(settings, pbx), file, seconds))
    typer.echo(f"{frames} messages in {file}")


def replay_recording(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    config_path: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per call.")
    ] = False,
    pbx: Annotated[str | None, typer.Option(help="The PBX's name; else the first.")] = None,
) -> None:
    """Run a recording through the production path and print what each call came to."""
    settings = config.load(config_path, with_secrets=False)
    # To standard error, and without the line per call: what a call came to is printed below.
    configure(settings.log.model_copy(update={"level": "warning"}))
    system = SystemName(pbx_of(settings, pbx).name)
    refused: list[str] = []
    events = record.replay(record.read_frames(file), system, note_refused=refused.append)
    ledger = replay(events, system=system, rules=rules.floor_rules(settings))
    if refused:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(refused).items()))
        complain(f"{file}: {len(refused)} messages are broken, and left out: {kinds}")
    if not ledger.events:
        raise IvrdError(f"{file}: holds no event of {system}; is it a recording of `ivrd record`?")
    calls = ledger.ended_calls()
    if as_json:
        for call in calls:
            typer.echo(json.dumps(call, ensure_ascii=False))
    else:
        _print_calls(calls, unexpected=ledger.unexpected)


async def _record(pbx: PbxConfig, file: Path, seconds: float | None) -> int:
    """Record until the time is up or somebody stops us; return how many messages came."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with record.Recorder(file) as recorder:
        client = AmiClient(
            pbx, lambda event: None, AsteriskClock(), tap=recorder.tap, is_observer=True
        )
        task = asyncio.create_task(client.run(), name="record")
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            pass
        finally:
            task.cancel()
            await asyncio.wait([task])
    if recorder.error is not None:
        raise recorder.error
    return recorder.frames_count


def _print_calls(calls: list[Json], *, unexpected: int) -> None:
    table = Table("call", "line", "choice", "entries", "outcome", "case")
    for call in calls:
        entries = call["entries"]
        assert isinstance(entries, list), "a call's entries are a list"
        steps = " → ".join(f"{entry['queue']} {entry['disposition']}" for entry in entries)
        table.add_row(
            str(call["call_id"]),
            str(call["line"] or "?"),
            str(call["choice"] or "-"),
            steps or "-",
            str(call["outcome"]),
            "case" if call["case"] else "-",
        )
    console = Console()
    console.print(table)
    outcomes = Counter(str(call["outcome"]) for call in calls)
    text = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
    console.print(f"{len(calls)} calls: {text or 'none'}; {unexpected} unexpected events")
