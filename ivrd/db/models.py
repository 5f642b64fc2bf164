"""Tables of the facts that we keep: calls, entries, moves, cases, decisions, and people's acts.

Here: tables, and the constraints that make a repeated write harmless. Not here: reading or writing
them (store.py, facts.py), nor how they came to be in a database (migrations/).

No foreign keys between these tables: an entry ends before its call does, so facts arrive in an
order that a foreign key would refuse. They share `call_id`, which carries the system's name. NULL
is "not known" or "did not happen", never 0. A duration is whole milliseconds, rounded up, so that
`wait_ms <= threshold` in SQL says the same as the core says of the exact wait.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from ivrd.errors import IvrdBug

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column spelled INTEGER (its manual, "Rowid Tables")."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC moment on every database; SQLite keeps none of the zone, so we put it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment: nobody could say when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise IvrdBug(f"a moment without a time zone must not be stored: {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text that every database takes, whatever a caller's phone has sent.

    PostgreSQL refuses U+0000 and both refuse lone surrogates; one such name must not block the
    facts behind it. Unbounded, because a length limit is one more way for a fact to be refused.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Put U+FFFD where a character cannot be stored."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        text = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Base(DeclarativeBase):
    """Base of all tables; named constraints, so that a migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {str: CleanText, datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own


IS_UNLABELLED = "label IS NULL AND state <> 'closed'"
"""Of cases that wait for their label. A query must say it in these very words: only then does a
planner see that the index holds all it asks for."""

IS_NOT_CLOSED = "state <> 'closed'"


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return an index of some rows only, on either database."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class CallRow(Base):
    """One ended call."""

    __tablename__ = "calls"
    __table_args__ = (
        UniqueConstraint("call_id"),
        Index(None, "system", "arrived_at"),
        partial_index(
            "ix_calls_caller", "caller_key", "arrived_at", where="caller_key IS NOT NULL"
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    system: Mapped[str]
    call_id: Mapped[str]
    line: Mapped[str | None]
    caller_sealed: Mapped[str | None]
    """The caller's number, which only the key file opens (privacy/sealing.py)."""
    caller_key: Mapped[str | None]
    """A keyed hash of it, for repeat calls; another one in each period."""
    caller_key_before: Mapped[str | None]
    """Their key of the period before, in the first days of a period only."""
    is_protected: Mapped[bool] = mapped_column(server_default=false())
    """The caller's identity is protected: nothing that leads to them is kept."""
    arrived_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    choice: Mapped[str | None]
    digit: Mapped[str | None]
    is_static_menu: Mapped[bool]
    tries: Mapped[int]
    outcome: Mapped[str]
    wait_ms: Mapped[int | None] = mapped_column(BigInteger)
    """First arrival in any queue to first answer; NULL when never answered or unknown."""
    first_queue: Mapped[str | None]
    last_queue: Mapped[str | None]
    moves: Mapped[int]
    transfers: Mapped[int]
    hand_over: Mapped[str | None]
    """What became of the last hand-over; NULL when there was none, and in rows older than it."""
    is_from_journal: Mapped[bool] = mapped_column(server_default=false())
    """A part of it was learnt from queue_log after a gap."""
    path: Mapped[str] = mapped_column(server_default="")
    """Every choice in order, as "huvudmeny:2>va:1"; "" when none was made, and in older rows."""
    language: Mapped[str] = mapped_column(server_default="")
    """At the last choice; "" as for path."""
    handed_to: Mapped[str] = mapped_column(server_default="")
    """Extension of the last hand-over, if a label knew it; "" otherwise, and in older rows."""


class EntryRow(Base):
    """One ended stay of a caller in one queue."""

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("call_id", "number"),
        Index(None, "system", "queue", "joined_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    system: Mapped[str]
    call_id: Mapped[str]
    number: Mapped[int]
    queue: Mapped[str]
    joined_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    disposition: Mapped[str]
    entry_wait_ms: Mapped[int | None] = mapped_column(BigInteger)
    wait_ms: Mapped[int | None] = mapped_column(BigInteger)
    interface: Mapped[str | None]
    agent: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    talk_ms: Mapped[int | None] = mapped_column(BigInteger)
    joined_by: Mapped[str | None]
    """The consulting channel of an agent, under whose id queue_log has the stay; mostly NULL."""


class MoveRow(Base):
    """One ended attempt to move a caller.

    A call has one open move at a time, so two of its moves never end at the same moment. One that
    queue_log tells again has another moment, and is left out (told_again.py).
    """

    __tablename__ = "moves"
    __table_args__ = (
        UniqueConstraint("call_id", "ended_at"),
        Index(None, "system", "ended_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    system: Mapped[str]
    call_id: Mapped[str]
    from_queue: Mapped[str]
    to_queue: Mapped[str]
    reason: Mapped[str]
    end: Mapped[str]
    ended_at: Mapped[datetime]


class CaseRow(Base):
    """What a guide did for a citizen in one call: the facts of its opening, and how it stands.

    What the columns mean stands at `Case` in core/case_record.py.
    """

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("call_id", "rule"),
        Index(None, "system", "opened_at"),
        Index(None, "opened_at", "id"),
        Index(None, "agent", "opened_at"),
        Index(None, "department", "opened_at"),
        Index(None, "line", "opened_at"),
        # With the label in front SQLite prefers it to all of an agent's cases, without statistics.
        partial_index("ix_cases_unlabelled", "label", "agent", "opened_at", where=IS_UNLABELLED),
        partial_index("ix_cases_not_closed", "state", "opened_at", where=IS_NOT_CLOSED),
        partial_index("ix_cases_deadline", "state", "deadline", where="deadline IS NOT NULL"),
        partial_index("ix_cases_label", "label", "opened_at", where="label IS NOT NULL"),
        partial_index("ix_cases_caller", "caller_key", "opened_at", where="caller_key IS NOT NULL"),
        partial_index(
            "ix_cases_feedback", "feedback_kind", "opened_at", where="feedback_kind IS NOT NULL"
        ),
        partial_index("ix_cases_external", "external_id", where="external_id IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    system: Mapped[str]
    call_id: Mapped[str]
    rule: Mapped[str]
    line: Mapped[str | None]
    queue: Mapped[str]
    agent: Mapped[str]
    interface: Mapped[str]
    department: Mapped[str | None]
    """NULL when it must be labelled by hand."""
    answered_at: Mapped[datetime]
    opened_at: Mapped[datetime]
    is_from_journal: Mapped[bool] = mapped_column(server_default=false())
    is_handed_on: Mapped[bool] = mapped_column(server_default=false())
    """Opened as a contact. With what stands above, except `department`, what never changes."""
    case_class: Mapped[str] = mapped_column(server_default="resolved")
    is_case: Mapped[bool] = mapped_column(server_default=true())
    state: Mapped[str] = mapped_column(server_default="draft")
    label: Mapped[str | None]
    note: Mapped[str] = mapped_column(server_default="")
    deadline: Mapped[datetime | None]
    feedback_kind: Mapped[str | None]
    feedback_receiver: Mapped[str] = mapped_column(server_default="")
    feedback_text: Mapped[str] = mapped_column(server_default="")
    linked_case_id: Mapped[int | None] = mapped_column(BigInteger)
    caller_key: Mapped[str | None]
    external_id: Mapped[str | None]
    external_status: Mapped[str | None]
    external_status_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    updated_at: Mapped[datetime]
    is_protected: Mapped[bool] = mapped_column(server_default=false())
    """As of the call: no note is taken, and no key leads to earlier cases."""


class CaseChangeRow(Base):
    """One change of a case; never changed itself, and gone only with what must be forgotten.

    No system: the case has it.
    """

    __tablename__ = "case_changes"
    __table_args__ = (UniqueConstraint("case_id", "version"), Index(None, "at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int]
    """The case's, after it; 1 is its opening."""
    at: Mapped[datetime]
    who: Mapped[str]
    from_where: Mapped[str]
    what: Mapped[str]
    before: Mapped[str]
    """JSON of the fields that changed, as they were."""
    after: Mapped[str]
    act_id: Mapped[str | None]
    """Of an act that may come twice; with it, the second changes nothing."""


class CallActRow(Base):
    """What a guide said of a call, by phone; done to its case as soon as there is one."""

    __tablename__ = "call_acts"
    __table_args__ = (UniqueConstraint("act_id"), Index(None, "call_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    act_id: Mapped[str]
    system: Mapped[str]
    call_id: Mapped[str]
    at: Mapped[datetime]
    agent: Mapped[str]
    what: Mapped[str]
    value: Mapped[str]
    department: Mapped[str | None]
    who: Mapped[str]
    from_where: Mapped[str]
    case_id: Mapped[int | None] = mapped_column(BigInteger)
    """NULL until it is done."""
    refused_because: Mapped[str | None]
    """NULL when the case took it."""


class ActRow(Base):
    """One act of a person, such as a notice switched on, whatever came of it.

    No system: an act is about all PBXs alike.
    """

    __tablename__ = "acts"
    __table_args__ = (UniqueConstraint("act_id"), Index(None, "at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    act_id: Mapped[str]
    """Made up by us, so that a repeated write is known for one."""
    at: Mapped[datetime]
    who: Mapped[str]
    from_where: Mapped[str]
    act: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str]
    until: Mapped[datetime | None]
    """NULL when the act has no end."""
    outcome: Mapped[str]


class DecisionRow(Base):
    """One decision of overflow, or what came of it.

    `call_id` is "" for a decision about a rule or a door, so that the key holds there too: NULL
    differs from NULL.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        UniqueConstraint("call_id", "system", "at", "what", "rule", "from_queue"),
        Index(None, "system", "at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    call_id: Mapped[str]
    system: Mapped[str]
    at: Mapped[datetime]
    what: Mapped[str]
    rule: Mapped[str]
    from_queue: Mapped[str]
    to_queue: Mapped[str]
    is_dry_run: Mapped[bool]
    is_by_hand: Mapped[bool]
    who: Mapped[str]
    why: Mapped[str]
    figures: Mapped[str]
    """JSON of known keys (core/decisions.py), at most FIGURES_CHARACTERS_MAX."""


class CaseMessageRow(Base):
    """One message about one version of a case, on its way to one case system."""

    __tablename__ = "case_messages"
    __table_args__ = (
        UniqueConstraint("key"),
        Index(None, "case_id", "destination", "version", unique=True),
        Index(None, "destination", "state", "next_try_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    case_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int]
    destination: Mapped[str]
    key: Mapped[str]
    kind: Mapped[str]
    payload: Mapped[str]
    """JSON; never the caller's number."""
    created_at: Mapped[datetime]
    attempts: Mapped[int]
    """Tries begun, the present one counted."""
    next_try_at: Mapped[datetime]
    state: Mapped[str]
    claimed_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    """While a sender has it; NULL when none has."""
    last_error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    external_id: Mapped[str | None]
    """What the destination calls the case."""
    settled_why: Mapped[str | None]
    """Why a person dropped it."""


class NumberReadRow(Base):
    """One time that somebody read a caller's number in clear, or asked for all of a person's."""

    __tablename__ = "number_reads"
    __table_args__ = (UniqueConstraint("read_id"), Index(None, "at"), Index(None, "call_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    read_id: Mapped[str]
    at: Mapped[datetime]
    who: Mapped[str]
    role: Mapped[str]
    """By which right."""
    call_id: Mapped[str]
    """Whose number; "" when a person's whole file was made or erased."""
    what: Mapped[str]
    """read, export or erase."""
    why: Mapped[str]
    """In the reader's words, without any number."""
