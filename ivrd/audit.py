"""Tells of every act of a person: one line in the log, one row in the database, one count.

Here: the record, made and handed on. Not here: the acts themselves (switches.py), and the way of a
row to the database (db/outbox.py): it is on the disk at once, and waits there for a database that
is away.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import structlog

from ivrd.core.switches import Actor, ActOutcome, RecordAct

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Audit:
    """Where whoever carries out acts tells of them.

    Attributes:
        acts: How many, by act, origin and outcome.
    """

    def __init__(self, *, record: Callable[[RecordAct], None], now: Callable[[], datetime]) -> None:
        """Take the ways out.

        Args:
            record: Takes the rows; must not block or raise.
            now: The time of the rows.
        """
        self.acts: Counter[tuple[str, ...]] = Counter()
        self._record = record
        self._now = now
        self._listeners: list[Callable[[RecordAct], None]] = []

    def listen(self, listener: Callable[[RecordAct], None]) -> None:
        """Tell somebody of each act from now on; must not block or raise."""
        self._listeners.append(listener)

    def note(
        self,
        act: str,
        subject: str,
        by: Actor,
        outcome: ActOutcome,
        *,
        reason: str,
        until: datetime | None = None,
    ) -> None:
        """Tell of an act of which something came, if only a conflict."""
        self.acts[(act, by.origin.value, outcome.value)] += 1
        log.info(
            "act_noted",
            act=act,
            subject=subject,
            who=by.who,
            origin=by.origin.value,
            outcome=outcome.value,
            reason=reason,
            until=None if until is None else until.isoformat(),
        )
        done = RecordAct(
            act_id=secrets.token_hex(16),
            at=self._now(),
            who=by.who,
            from_where=by.origin,
            act=act,
            subject=subject,
            reason=reason,
            until=until,
            outcome=outcome,
        )
        self._record(done)
        for listener in self._listeners:
            listener(done)

    def refuse(self, act: str, subject: str, by: Actor, faults: tuple[str, ...]) -> None:
        """Tell of an act that was wrong in itself: no row, for rows speak of what there is."""
        self.acts[(act, by.origin.value, ActOutcome.REFUSED.value)] += 1
        log.warning(
            "act_refused",
            act=act,
            subject=subject,
            who=by.who,
            origin=by.origin.value,
            faults=faults,
        )
