"""(c) Time from the key press to being in the queue, ivrd's menu against the native one.

From the *end* of the key's RFC 4733 event, as Asterisk saw it (AMI DTMFEnd), to the arrival in the
queue (AMI QueueCallerJoin), both by Asterisk's own stamps: the end, because that is what both menus
react to, and the length of the tone is the citizen's. A listener is there on both sides.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

from tests.bench import traffic
from tests.bench.listener import header, listening
from tests.bench.result import BenchError, Result, Row, tail_row
from tests.lab.municipality import Municipality

RATE_PER_S = 10.0
WARM_UP_CALLS = 10
GOAL_MS = 10.0


async def measure(*, is_quick: bool) -> Result:
    """Return the times of both sides."""
    calls, rounds = (100, 2) if is_quick else (150, 3)
    ours: list[float] = []
    native: list[float] = []
    numbers = count(step=calls + WARM_UP_CALLS)
    async with Municipality.start(traffic.floor_plan(), with_daemon=False) as town:
        for done in range(1, rounds + 1):
            await town.start_daemon()
            ours += await _times_ms(town, calls, first=next(numbers))
            # At each start ivrd reads in the journal what it missed: the native runs before this.
            runs = 2 * done - 1
            static = await traffic.prove_counted(town, runs * (calls + WARM_UP_CALLS))
            await town.stop_daemon()
            native += await _times_ms(town, calls, first=next(numbers))
    rows = (tail_row("ivrd's menu", "ms", ours), tail_row("native menu", "ms", native))
    more = {name: rows[0].figures[name] - rows[1].figures[name] for name in rows[0].figures}
    return Result(
        key="c",
        title="time from the key press to being in the queue: ivrd's menu - native menu, p99",
        rows=(*rows, Row(name="ivrd's menu takes longer by", unit="ms", figures=more)),
        figure=more["p99"],
        goal=f"<= {GOAL_MS:g} ms",
        is_met=more["p99"] <= GOAL_MS,
        notes=(
            f"{len(ours)} and {len(native)} calls at {RATE_PER_S:g} calls/s, "
            f"in turns of {calls}; the key interrupts the prompt",
            "from the end of the key's RFC 4733 event (AMI DTMFEnd) to QueueCallerJoin, both by "
            "Asterisk's stamps",
            f"all calls answered, and stored by ivrd; {static} of ivrd's met the static menu "
            "and count as ivrd's",
        ),
    )


async def _times_ms(town: Municipality, calls: int, *, first: int) -> list[float]:
    """Let citizens call, and return how long each took."""
    await traffic.call(town, traffic.citizens(WARM_UP_CALLS, first=first), rate_per_s=RATE_PER_S)
    async with listening(
        port=town.pbx.ami_port,
        username=town.pbx.lab_user,
        secret=town.pbx.lab_secret,
        events="agent,dtmf,system",
    ) as listener:
        people = traffic.citizens(calls, first=first + WARM_UP_CALLS)
        await traffic.call(town, people, rate_per_s=RATE_PER_S)
    times_ms = _key_to_join_ms(listener.messages())
    if len(times_ms) != calls:
        raise BenchError(f"{len(times_ms)} of {calls} calls have a key and an arrival")
    return times_ms


def _key_to_join_ms(messages: Sequence[bytes]) -> list[float]:
    keys: dict[bytes, float] = {}
    times_ms = []
    for message in messages:
        channel = header(message, b"Uniqueid")
        if message.startswith(b"Event: DTMFEnd"):
            if header(message, b"Direction") == b"Received":
                keys[channel] = float(header(message, b"Timestamp"))
        elif message.startswith(b"Event: QueueCallerJoin") and channel in keys:
            joined_s = float(header(message, b"Timestamp"))
            times_ms.append(
                (joined_s - keys.pop(channel)) / timedelta(milliseconds=1).total_seconds()
            )
    return times_ms
