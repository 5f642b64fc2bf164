"""`ivrd purge`: what must go by now, by the configuration, and the last purge for the metrics.

Here: which field is how old, and in which order fields go. Not here: statements (db/purge.py), and
output (cli_person.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from ivrd.checkpoint import read_bounded, write_atomically
from ivrd.config import Config, RetentionConfig
from ivrd.db.connection import DATABASE_ERRORS, DatabaseError, check_place, open_engine, reason_of
from ivrd.db.purge import Gone, Rule, count, purge, wipe
from ivrd.journal.aside import ASIDE_NAME, prune_aside
from ivrd.journal.codec import Fact

RESULT_BYTES_MAX = 65_536

VERSION = 1

STATEMENT_S_MAX = 3_600.0
"""Rewriting a table of ten million rows takes minutes."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge came to."""

    gone: tuple[Gone, ...]
    wiped: str
    """What was done so that the files hold no trace of it; "" in a dry run."""


def rules_of(config: RetentionConfig, now: datetime) -> Sequence[Rule]:
    """Return what goes when, fields before the rows that hold them."""
    numbers = now - timedelta(days=config.caller_number_days)
    keys = now - timedelta(days=config.caller_key_days)
    notes = months_before(now, config.note_months)
    agents = months_before(now, config.agent_months)
    entries = months_before(now, 12 * config.entry_years)
    cases = months_before(now, 12 * config.case_years)

    def field(table: str, name: str, age: str, before: datetime, value: str | None = None) -> Rule:
        return Rule(table=table, field=name, age=age, before=before, cleared={name: value})

    def rows(table: str, age: str, before: datetime) -> Rule:
        return Rule(table=table, field="rows", age=age, before=before)

    return [
        field("calls", "caller_sealed", "arrived_at", numbers),
        Rule(
            table="calls",
            field="caller_key",
            age="arrived_at",
            before=keys,
            cleared={"caller_key": None, "caller_key_before": None},
        ),
        field("cases", "caller_key", "opened_at", keys),
        Rule(
            table="cases",
            field="note, feedback_text",
            age="updated_at",
            before=notes,
            cleared={"note": "", "feedback_text": ""},
            is_closed_only=True,
        ),
        rows("call_acts", "at", notes),
        Rule(
            table="entries",
            field="agent, interface",
            age="ended_at",
            before=agents,
            cleared={"agent": None, "interface": None},
        ),
        Rule(
            table="cases",
            field="agent, interface",
            age="updated_at",
            before=agents,
            cleared={"agent": "", "interface": ""},
            is_closed_only=True,
        ),
        rows("cases", "opened_at", cases),
        rows("entries", "ended_at", entries),
        rows("moves", "ended_at", entries),
        rows("calls", "arrived_at", months_before(now, 12 * config.call_years)),
        rows("decisions", "at", months_before(now, config.decision_months)),
        rows("acts", "at", months_before(now, 12 * config.act_years)),
        rows("number_reads", "at", months_before(now, 12 * config.access_log_years)),
    ]


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same day and time so many months before, or the month's last day.

    >>> from datetime import UTC
    >>> months_before(datetime(2026, 3, 31, tzinfo=UTC), 1).date().isoformat()
    '2026-02-28'
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("each month has a first day")


async def run(config: Config, *, now: datetime, is_dry_run: bool, is_rewritten: bool) -> Purged:
    """Purge, or say what would go; and leave the result for the metrics.

    Raises:
        DatabaseError: The database is away.
        OSError: The journal's directory cannot be used.
    """
    engine = open_engine(config.database, statement_s_max=STATEMENT_S_MAX)
    check_place(engine.url)
    try:
        step = count if is_dry_run else purge
        gone = [await step(engine, rule) for rule in rules_of(config.retention, now)]
        aside = _prune(config, now, is_dry_run=is_dry_run)
        wiped = ""
        if not is_dry_run:
            tables = sorted({one.table for one in gone if one.rows or is_rewritten})
            wiped = await wipe(engine, tables, is_rewritten=is_rewritten)
    except DATABASE_ERRORS as error:
        place = engine.url.render_as_string(hide_password=True)
        raise DatabaseError(f"{place}: {reason_of(error)}") from error
    finally:
        await engine.dispose()
    purged = Purged(gone=(*gone, aside), wiped=wiped)
    if not is_dry_run:
        PurgeFile(config.state_directory).save(purged, at=now)
    return purged


def _prune(config: Config, now: datetime, *, is_dry_run: bool) -> Gone:
    before = now - timedelta(days=config.retention.aside_days)

    def is_old(fact: Fact | None) -> bool:
        # What nobody can read goes at once: it may hold anything, and cannot be of use for long.
        return fact is None or fact.at < before

    lines = prune_aside(config.journal.directory, is_gone=is_old, is_dry_run=is_dry_run)
    return Gone(table="journal", field=ASIDE_NAME, rows=lines, before=before)


class PurgeFile:
    """The last purge on disk, which the daemon shows at each scrape."""

    def __init__(self, directory: Path) -> None:
        """Open nothing yet."""
        self.path = directory / "purge.json"

    def save(self, purged: Purged, *, at: datetime) -> None:
        """Replace it.

        Raises:
            OSError: It cannot be written.
        """
        rows = {f"{one.table}.{one.field}": one.rows for one in purged.gone}
        document = {"version": VERSION, "finished_at": at.timestamp(), "rows": rows}
        write_atomically(self.path, json.dumps(document) + "\n")

    def last_run(self) -> Mapping[tuple[str, ...], float]:
        """Return when the last purge ended, as Unix time; empty before the first."""
        try:
            document = json.loads(read_bounded(self.path, RESULT_BYTES_MAX))
            return {(): float(document["finished_at"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
