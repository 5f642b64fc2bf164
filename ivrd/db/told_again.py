"""Moves that are told a second time after a restart, and are stored once.

Here: which rows are stored already. Not here: writing them (store.py), and facts with a
number of their own, which tell a repeat by their key: entries, calls, cases.

The facts
    A move is stored when it ends, and the call lives on. After a kill queue_log tells the call from
    its beginning (core/catch_up.py), so the move too, cut to the second: another moment, and so
    another row. Of what ended without taking the caller out of the queue it tells nothing.

The rule
    A move whose moment has no fraction of a second is one that is stored already if the same call
    went the same way to the same end within TOLERANCE. Two such moves of one call lie further
    apart: Asterisk looks at a withdraw once a second, and the way home lies between them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivrd.core.decisions import ENDS
from ivrd.db.models import Base, DecisionRow, MoveRow

TOLERANCE = timedelta(seconds=2)
"""queue_log cuts its stamps to the second, and sets them a little after AMI does."""

CALLS_PER_QUERY = 500
"""Stays far below any limit on bound parameters."""

Row = Mapping[str, object]

MOMENTS: Mapping[type[Base], str] = {MoveRow: "ended_at", DecisionRow: "at"}
"""The tables in which a move's end stands, and the column of its moment."""

WAYS: Mapping[type[Base], tuple[str, ...]] = {
    MoveRow: ("call_id", "from_queue", "to_queue", "end"),
    DecisionRow: ("call_id", "from_queue", "to_queue", "what"),
}
"""What is the same of one move told twice; the rule's name may be cut in queue_log."""

END_WORDS = frozenset(ENDS.values())


async def without_told_again(
    connection: AsyncConnection, table: type[Base], rows: Sequence[Row]
) -> Sequence[Row]:
    """Return the rows without those of moves that are stored, or among the rows before them."""
    if not any(_is_doubtful(table, row) for row in rows):
        return rows
    calls = sorted({str(row["call_id"]) for row in rows if _is_doubtful(table, row)})
    known: defaultdict[tuple[object, ...], list[datetime]] = defaultdict(list)
    columns = [table.__table__.c[name] for name in (*WAYS[table], MOMENTS[table])]
    for start in range(0, len(calls), CALLS_PER_QUERY):
        some = calls[start : start + CALLS_PER_QUERY]
        query = select(*columns).where(table.__table__.c.call_id.in_(some))
        for *way, at in await connection.execute(query):
            known[tuple(way)].append(at)
    kept: list[Row] = []
    for row in rows:
        at = _moment(table, row)
        before = known[tuple(row[name] for name in WAYS[table])]
        # One of the very same moment is told by the table's own key.
        if _is_doubtful(table, row) and any(
            at != other and abs(at - other) <= TOLERANCE for other in before
        ):
            continue
        before.append(at)
        kept.append(row)
    return kept


def _is_doubtful(table: type[Base], row: Row) -> bool:
    """Return whether a row is of a move's end that queue_log may have told."""
    if table not in MOMENTS or _moment(table, row).microsecond:
        return False
    return table is MoveRow or row["what"] in END_WORDS


def _moment(table: type[Base], row: Row) -> datetime:
    at = row[MOMENTS[table]]
    assert isinstance(at, datetime), "a moment is a datetime"
    return at
