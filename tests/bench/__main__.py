"""`python -m tests.bench`: runs the measurements one after the other and prints them."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from tests.bench import (
    ami_messages,
    cpu_per_call,
    expected_wait,
    great_move,
    key_to_queue,
    many_cases,
    scrape,
    tracker_alone,
    year,
)
from tests.bench.machine import describe
from tests.bench.result import BenchError, Result
from tests.lab.processes import LabError
from tests.lab.root import find_asterisk

Measure = Callable[..., Awaitable[Result]]

MEASUREMENTS: Mapping[str, Measure] = {
    "a": ami_messages.measure,
    "b": cpu_per_call.measure,
    "c": key_to_queue.measure,
    "d": tracker_alone.measure,
    "e": year.measure,
    "f": expected_wait.measure,
    "g": great_move.measure,
    "h": many_cases.measure,
    "i": scrape.measure,
}
"""By key, in the order in which they run; each takes `is_quick`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return the exit status, which speed does not change."""
    options = _options(arguments)
    try:
        return asyncio.run(_bench(options))
    except (BenchError, LabError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _bench(options: argparse.Namespace) -> int:
    asterisk = await find_asterisk()
    machine = describe(asterisk_version=asterisk.version)
    # With --json the last line is for programs, and all that people read goes before it.
    for line in machine.lines():
        print(line, flush=True)
    results = []
    for key in options.only or MEASUREMENTS:
        result = await MEASUREMENTS[key](is_quick=options.quick)
        results.append(result)
        print("\n" + "\n".join(result.lines()), flush=True)
    if options.json:
        shown = {
            "machine": machine.as_json(),
            "is_quick": options.quick,
            "results": [result.as_json() for result in results],
        }
        print(json.dumps(shown))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run bench", description="Measure ivrd against its peers; exit 0 however fast it is."
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer calls and rounds: rough figures"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument(
        "--only", action="append", choices=tuple(MEASUREMENTS), help="one measurement; may repeat"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
