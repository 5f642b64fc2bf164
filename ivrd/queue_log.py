"""Asterisk's own queue journal, the file queue_log, as rows.

Here: reading lines. Not here: what they mean for a call (core/reconcile.py).

Source:
    logger.c, `ast_queue_log`: "epoch|callid|queue|agent|event|data...". A "|" in an agent's name or
    in a reason is not escaped, so only the fields before the data can be trusted to stand in place.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ivrd.core.ids import CallId, QueueName, SystemName, channel_id
from ivrd.core.journal import JournalRow

FIELDS_MIN = 5
"""Time, call, queue, agent, event."""

NOT_A_CALL = frozenset({"NONE", "MANAGER", "CLI", "REALTIME", ""})
"""What stands in the call's field when a row is about a queue or member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """A line that is not a row."""

    number: int
    """From 1."""
    text: str


def read(path: Path, *, system: SystemName) -> Iterator[JournalRow | BrokenLine]:
    """Yield the rows about calls of a queue_log file, and the lines that are not rows.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from parse(file, system=system)


def parse(lines: Iterable[str], *, system: SystemName) -> Iterator[JournalRow | BrokenLine]:
    """Yield the rows about calls, and the lines that are not rows; never raises."""
    for number, line in enumerate(lines, start=1):
        fields = line.rstrip("\n").split("|")
        if len(fields) < FIELDS_MIN or not (fields[0].isascii() and fields[0].isdigit()):
            yield BrokenLine(number=number, text=line.rstrip("\n"))
        elif fields[1] not in NOT_A_CALL:
            yield JournalRow(
                at=datetime.fromtimestamp(int(fields[0]), tz=UTC),
                system=system,
                call_id=CallId(channel_id(system, fields[1])),
                queue=QueueName(fields[2]),
                agent=fields[3],
                event=fields[4],
                data=tuple(fields[5:]),
            )
