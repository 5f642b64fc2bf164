"""All that is held of one caller, on one page or as JSON; its erasure; and one number in clear.

Here: the only way from a stored call to a number in clear, and to a person's rows. Each use leaves
a row in `number_reads`, written before anything is shown. Not here: statements (db/persons.py),
keys (ivrd/privacy), and output (cli_person.py).

The rules
    1. A number is shown to whoever may see_number (access/rights.py), for a reason in words.
    2. An export holds every row of every table that belongs to a call or a case of the number.
    3. An erasure leaves the figures: calls, stays and cases as rows, without number, keys and
       notes. It is told without the number.
"""

import asyncio
import html
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.access import Deed
from ivrd.access.rights import who_may
from ivrd.config import Config
from ivrd.core.effects import RecordCall
from ivrd.db import persons
from ivrd.db.connection import DATABASE_ERRORS, DatabaseError, check_place, open_engine, reason_of
from ivrd.db.persons import Found, NumberRead, Rows
from ivrd.db.purge import TABLES, wipe
from ivrd.errors import IvrdError
from ivrd.journal.aside import facts_on_disk, prune_aside
from ivrd.journal.codec import Fact
from ivrd.log import mask_text
from ivrd.privacy.callers import NO_KEY, Callers, sealer_of
from ivrd.privacy.numbers import e164
from ivrd.privacy.sealing import Sealer

STATEMENT_S_MAX = 3_600.0

JOURNAL_S_MAX = 120.0
"""The daemon lets go of a file that the database has within a minute (journal/facts_journal.py)."""

JOURNAL_LOOK_S = 1.0

WIPED = ("calls", "cases", "case_changes", "case_messages")


class NotAllowed(IvrdError):
    """Somebody may not see a number, or does not say why they want to."""


class NobodyFound(IvrdError):
    """The number is no number, or cannot be looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who wants to see a number or a person's file, by which role, and why."""

    who: str
    role: str
    why: str

    def __post_init__(self) -> None:
        """Refuse whoever may not.

        Raises:
            NotAllowed: With the reason.
        """
        if self.role not in who_may(Deed.SEE_NUMBER):
            raise NotAllowed(f"{self.who}: the role {self.role!r} may not see numbers")
        if len(self.why.strip()) < WHY_CHARACTERS_MIN:
            raise NotAllowed("say why, in some words: it is kept with your name")


WHY_CHARACTERS_MIN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFile:
    """All that is held of one number."""

    number: str
    made_at: datetime
    rows: Mapping[str, Rows]
    """By table."""
    waiting: int
    """Calls that the journal on disk holds besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure came to."""

    rows: Mapping[str, int]
    """Cleared, by table."""
    wiped: str
    """What was done so that the files hold no trace."""
    is_journal_clean: bool
    """False: the journal on disk still holds a sealed number after JOURNAL_S_MAX."""


async def read_number(
    engine: persons.Engine, callers: Callers, call_id: str, by: Reader, *, at: datetime
) -> str | None:
    """Return the number of a call in clear, once it is written down who asked; see `PersonDesk`.

    Raises:
        DATABASE_ERRORS: Nothing was read then.
    """
    log = _read(by, "read", at=at, call_id=call_id)
    sealed = await persons.sealed_number(engine, call_id, log=log)
    return None if sealed is None else callers.opened(sealed, call_id)


class PersonDesk:
    """Where a person's data is asked for; one per command or request."""

    def __init__(self, config: Config) -> None:
        """Open nothing yet.

        Raises:
            NobodyFound: There is no key, so no number is held that could be found.
        """
        sealer = sealer_of(config.privacy)
        if sealer is None:
            raise NobodyFound(NO_KEY)
        self._sealer: Sealer = sealer
        self._callers = Callers(config.privacy, sealer=sealer)
        self._config = config
        self._engine = open_engine(config.database, statement_s_max=STATEMENT_S_MAX)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    def plain(self, text: str) -> str:
        """Return a number as people write it in one form.

        Raises:
            NobodyFound: It is none.
        """
        number = e164(text, country_code=self._config.privacy.country_code)
        if number is None:
            raise NobodyFound("that is no telephone number")
        return number

    def hashes(self, text: str) -> tuple[str, ...]:
        """Return how the list of protected numbers names a number."""
        return self._sealer.list_hashes(self.plain(text))

    async def note(self, what: str, by: Reader, *, at: datetime) -> None:
        """Keep that somebody protects a number, or does so no more; not which."""
        try:
            await persons.note(self._engine, _read(by, what, at=at))
        except DATABASE_ERRORS as error:
            raise self._trouble(error) from error

    async def number_of(self, call_id: str, by: Reader, *, at: datetime) -> str | None:
        """Return the number of a call in clear, once it is written down who asked.

        None when the call has none, any more or ever, or its key is gone.
        """
        try:
            return await read_number(self._engine, self._callers, call_id, by, at=at)
        except DATABASE_ERRORS as error:
            raise self._trouble(error) from error

    async def export(self, text: str, by: Reader, *, at: datetime) -> PersonFile:
        """Return all that is held of a number."""
        number = self.plain(text)
        check_place(self._engine.url)
        try:
            await persons.note(self._engine, _read(by, "export", at=at))
            found = await self._find(number, at)
            rows = await persons.rows_of(self._engine, found)
        except DATABASE_ERRORS as error:
            raise self._trouble(error) from error
        waiting = {call.call_id for call in self._on_disk(number)} - found.calls
        return PersonFile(number=number, made_at=at, rows=rows, waiting=len(waiting))

    async def erase(self, text: str, by: Reader, *, at: datetime) -> Erased:
        """Clear number, keys and notes of all rows of a number, also from the files.

        Again until the journal on disk, which the daemon brings to the database, is clean too.
        """
        number = self.plain(text)
        check_place(self._engine.url)
        total: dict[str, int] = {}
        until = time.monotonic() + JOURNAL_S_MAX
        log: NumberRead | None = _read(by, "erase", at=at)
        try:
            while True:
                found = await self._find(number, at)
                done = await persons.erase(self._engine, found, log=log)
                log = None
                for table, rows in done.items():
                    total[table] = total.get(table, 0) + rows
                prune_aside(
                    self._config.journal.directory, is_gone=lambda f: self._is_of(f, number)
                )
                is_clean = not self._on_disk(number)
                if is_clean or time.monotonic() > until:
                    break
                await asyncio.sleep(JOURNAL_LOOK_S)
            wiped = await wipe(self._engine, [t for t in WIPED if t in TABLES], is_rewritten=True)
        except DATABASE_ERRORS as error:
            raise self._trouble(error) from error
        return Erased(rows=total, wiped=wiped, is_journal_clean=is_clean)

    async def _find(self, number: str, at: datetime) -> Found:
        retention = self._config.retention
        days = max(retention.caller_key_days, retention.caller_number_days)
        # Two periods more: a purge may be late, and clocks and periods are not cut alike.
        since = at - timedelta(days=days) - 2 * self._sealer.period
        keys = self._sealer.keys_between(number, since, at + self._sealer.period)
        return await persons.find(
            self._engine,
            keys,
            is_theirs=lambda sealed, call_id: self._callers.opened(sealed, call_id) == number,
        )

    def _on_disk(self, number: str) -> list[RecordCall]:
        facts = facts_on_disk(self._config.journal.directory)
        return [f for f in facts if isinstance(f, RecordCall) and self._is_of(f, number)]

    def _is_of(self, fact: Fact | None, number: str) -> bool:
        if not isinstance(fact, RecordCall):
            return False
        closed = self._callers.closed(fact)
        sealed = closed.caller_sealed
        return sealed is not None and self._callers.opened(sealed, fact.call_id) == number

    def _trouble(self, error: BaseException) -> DatabaseError:
        place = self._engine.url.render_as_string(hide_password=True)
        return DatabaseError(f"{place}: {reason_of(error)}")


def _read(by: Reader, what: str, *, at: datetime, call_id: str = "") -> NumberRead:
    return NumberRead(
        read_id=secrets.token_hex(16),
        at=at,
        who=by.who,
        role=by.role,
        call_id=call_id,
        what=what,
        # Whoever writes the number itself as the reason must not keep it so.
        why=mask_text(by.why),
    )


def as_json(file: PersonFile) -> str:
    """Return a person's file as JSON."""
    document = {
        "number": file.number,
        "made_at": file.made_at.isoformat(),
        "waiting_in_journal": file.waiting,
        "tables": {table: [_plain(row) for row in rows] for table, rows in file.rows.items()},
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def as_page(file: PersonFile) -> str:
    """Return a person's file as a page for the person, Swedish first."""
    parts = [
        "<!doctype html>",
        '<html lang="sv"><head><meta charset="utf-8"><title>Registerutdrag</title>',
        "<style>body{font:16px/1.5 sans-serif;margin:2rem;color:#1b1f24;background:#fff}"
        "table{border-collapse:collapse;margin:0 0 2rem}caption{text-align:left;font-weight:bold}"
        "th,td{border:1px solid #8b949e;padding:.25rem .5rem;text-align:left;font-size:14px}"
        "</style></head><body><main>",
        f"<h1>Registerutdrag för {html.escape(file.number)}</h1>",
        f"<p>Gjort {file.made_at:%Y-%m-%d %H:%M} UTC (dataskyddsförordningen artikel 15). Allt som "
        "telefonsystemets program ivrd har lagrat om detta nummer står här.</p>",
        f'<p lang="en">All that ivrd holds of this number, made {file.made_at:%Y-%m-%d}.</p>',
    ]
    if not file.rows:
        parts.append("<p>Ingenting är lagrat. <span lang='en'>Nothing is held.</span></p>")
    if file.waiting:
        parts.append(f"<p>{file.waiting} samtal är på väg in i databasen; gör om utdraget.</p>")
    parts += [_table(name, rows) for name, rows in file.rows.items()]
    parts.append("</main></body></html>")
    return "\n".join(parts) + "\n"


TITLES = {
    "calls": "Samtal / Calls",
    "entries": "Tid i kö / Stays in queues",
    "moves": "Flyttar mellan köer / Moves",
    "cases": "Ärenden / Cases",
    "case_changes": "Ärendenas historik / History of cases",
    "call_acts": "Koder på telefon / Codes by phone",
    "case_messages": "Överlämnat till ärendesystem / Handed over",
    "decisions": "Beslut om flytt / Decisions",
    "number_reads": "Vem som läst numret / Who read the number",
}


def _table(name: str, rows: Rows) -> str:
    columns = list(rows[0])
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(_shown(row[column]))}</td>" for column in columns)
        + "</tr>"
        for row in rows
    )
    title = html.escape(TITLES.get(name, name))
    rows_shown = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f"<table><caption>{title}</caption>{rows_shown}</table>"


def _shown(value: persons.Value) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def _plain(row: Mapping[str, persons.Value]) -> Mapping[str, str | int | bool | None]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }
