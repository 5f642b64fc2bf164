"""What people did, as somebody may see it: stored acts page by page, and new ones as they happen.

Here: which lines an act touched, and the cut to a person's scope. Not here: statements
(db/audit.py), routes (web/audit_routes.py), and the record itself (audit.py).

Rules
    1. Acts are seen by whoever may see the audit, looks at numbers by whoever may see a number,
       within their lines: an act is seen that touched one of them.
    2. What belongs to no line, or nobody knows to which, is seen by those of all lines alone.
    3. Everybody who may see the audit sees what they did, or tried, themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ivrd.access import Deed, Person
from ivrd.core.ids import QueueName
from ivrd.core.live_view import CallerView
from ivrd.core.switches import Switch, SwitchKind
from ivrd.db.audit import Audited, AuditFilter, AuditPlace, Engine, audited, lines_of_calls
from ivrd.db.connection import DATABASE_ERRORS, reason_of
from ivrd.errors import PeerUnreachable

ROWS_AT_ONCE = 500

ROWS_MAX = 5_000
"""So many are looked through for one page; somebody of a small line goes on from there."""

CALL = "call"

_KINDS = frozenset(kind.value for kind in SwitchKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Knows which lines an act's subject belongs to, as far as that is known without asking."""

    of_switch: Callable[[Switch], frozenset[str]]
    queues_of: Callable[[str], frozenset[QueueName]]
    """In which queues an agent is or was."""
    find: Callable[[str], CallerView | None]
    """Who waits under a call's id."""
    queue_lines: Callable[[], Mapping[str, frozenset[str]]]

    def lines(self, subject: str) -> frozenset[str]:
        """Return every line that "line kommunen" or "agent PJSIP/anna" is about; none: unknown."""
        kind, _, name = subject.partition(" ")
        if kind in _KINDS:
            return self.of_switch(Switch(kind=SwitchKind(kind), name=name))
        if kind == "agent":
            return self._of_queues(self.queues_of(name))
        if kind == CALL and (view := self.find(call_in(subject) or "")) is not None:
            return self._of_queues({view.queue}) if view.line is None else frozenset({view.line})
        return frozenset()

    def _of_queues(self, queues: frozenset[QueueName] | set[QueueName]) -> frozenset[str]:
        known = self.queue_lines()
        return frozenset[str]().union(*(known.get(queue, frozenset()) for queue in queues))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some of it."""

    found: Sequence[Audited]
    next: AuditPlace | None
    """Where the next page begins; None: that was all."""


class AuditDesk:
    """Where the audit is asked for."""

    def __init__(self, engine: Engine, touched: Touched) -> None:
        """Read from a database."""
        self._engine = engine
        self._touched = touched

    async def page(
        self, person: Person, wanted: AuditFilter, *, after: AuditPlace | None, count: int
    ) -> AuditPage:
        """Return what somebody may see, newest first; fewer than `count` although more follow, if
        ROWS_MAX were looked through.

        Raises:
            PeerUnreachable: The database does not answer.
        """
        found: list[Audited] = []
        looked = 0
        try:
            while True:
                rows = await audited(
                    self._engine,
                    wanted,
                    after=after,
                    count=ROWS_AT_ONCE,
                    with_numbers=person.may(Deed.SEE_NUMBER),
                )
                for row in await self._seen(person, rows):
                    if len(found) == count:
                        return AuditPage(found=found, next=found[-1].place)
                    found.append(row)
                looked += len(rows)
                if len(rows) < ROWS_AT_ONCE:
                    return AuditPage(found=found, next=None)
                after = rows[-1].place
                if looked >= ROWS_MAX:
                    return AuditPage(found=found, next=after)
        except DATABASE_ERRORS as error:
            raise PeerUnreachable(f"database: {reason_of(error)}") from error

    async def _seen(self, person: Person, rows: Sequence[Audited]) -> Sequence[Audited]:
        if all(person.scope(deed) is None for deed in (Deed.SEE_AUDIT, Deed.SEE_NUMBER)):
            return rows
        if person.scope(Deed.SEE_AUDIT) is None and not person.may(Deed.SEE_NUMBER):
            return rows
        lines = {row.key: self._touched.lines(row.subject) for row in rows}
        asked = {row.key: call_in(row.subject) for row in rows if not lines[row.key]}
        stored = await lines_of_calls(self._engine, {call for call in asked.values() if call})
        for key, call in asked.items():
            if call is not None and (line := stored.get(call)) is not None:
                lines[key] = frozenset({line})

        def is_seen(row: Audited) -> bool:
            deed = Deed.SEE_NUMBER if row.is_number else Deed.SEE_AUDIT
            return row.who == person.name or person.sees(deed, lines[row.key])

        return [row for row in rows if is_seen(row)]


def call_in(subject: str) -> str | None:
    """Return the call's id in "call pbx1/1700000000.1 to kc"; None when it is about no call."""
    kind, _, rest = subject.partition(" ")
    return rest.partition(" ")[0] if kind == CALL else None
