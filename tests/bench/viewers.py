"""`python -m tests.bench.viewers PORT COUNT`: boards that watch /api/events, as a process.

Prints a line when all have the present, and at the end of its input one JSON object: what came, and
by the monotonic clock, which all processes of a machine share, when each change of the probe's
queue came to each viewer.
"""

import asyncio
import json
import re
import resource
import sys
import time
from dataclasses import dataclass, field

from tests.lab.ports import LOOPBACK

REQUEST = b"GET /api/events HTTP/1.1\r\nHost: board\r\nAccept: text/event-stream\r\n\r\n"
PRESENT = b"event: present\n"
PROBE = re.compile(rb'"queue":"probe"[^\n]*?"waiting":(\d+)')
PROBE_MARK = b'"queue":"probe"'
TAIL_BYTES = 4_096
"""More than one event of a queue, so that one which comes in two parts is found."""


@dataclass
class Seen:
    """What all viewers have seen."""

    present: int = 0
    bytes: int = 0
    lost: int = 0
    probes: dict[int, list[float]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Viewer(asyncio.Protocol):
    """One board."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._tail = b""
        self._last = 0
        self._has_present = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._seen.bytes += len(data)
        whole = self._tail + data
        if not self._has_present:
            self._has_present = PRESENT in whole
            if self._has_present:
                self._seen.present += 1
                self._seen.changed.set()
        elif PROBE_MARK in whole:
            now_s = time.monotonic()
            for found in PROBE.finditer(whole):
                if (waiting := int(found[1])) > self._last:
                    self._last = waiting
                    self._seen.probes.setdefault(waiting, []).append(now_s)
        self._tail = whole[-TAIL_BYTES:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._seen.lost += 1
        self._seen.changed.set()


async def main(port: int, count: int) -> None:
    """Watch until the input ends."""
    loop = asyncio.get_running_loop()
    seen = Seen()
    began_s = time.monotonic()
    for _ in range(count):
        await loop.create_connection(lambda: Viewer(seen), LOOPBACK, port)
    while seen.present + seen.lost < count:
        seen.changed.clear()
        await seen.changed.wait()
    print(json.dumps({"all_present_s": time.monotonic() - began_s}), flush=True)
    began_bytes = seen.bytes
    await asyncio.to_thread(sys.stdin.read)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "lost": seen.lost,
        "begin_bytes": began_bytes,
        "bytes": seen.bytes - began_bytes,
        "probes": seen.probes,
        "cpu_s": used.ru_utime + used.ru_stime,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
