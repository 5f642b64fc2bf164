"""Keep callers' numbers sealed, with a key for repeat calls, and who read one.

Numbers in clear of before are sealed when the start that migrates has a key, and dropped when it
has none: they were kept for nothing but repeat calls, which need a key. On the way down they come
back in clear with the key, and are lost without it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import context, op

from ivrd.db.callers import Callers

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BATCH_ROWS = 1_000

COLUMNS = ("caller_sealed", "caller_key", "caller_key_before")

CALLS = sa.table(
    "calls",
    sa.column("id", sa.Integer()),
    sa.column("call_id", sa.Text()),
    sa.column("arrived_at", sa.DateTime(timezone=True)),
    sa.column("caller_number", sa.Text()),
    sa.column("caller_sealed", sa.Text()),
    sa.column("caller_key", sa.Text()),
    sa.column("caller_key_before", sa.Text()),
)


def upgrade() -> None:
    """Add the columns, seal what stands in clear, and drop it."""
    for column in COLUMNS:
        op.add_column("calls", sa.Column(column, sa.Text(), nullable=True))
    for table in ("calls", "cases"):
        mark: sa.Column[bool] = sa.Column(
            "is_protected", sa.Boolean(), server_default=sa.false(), nullable=False
        )
        op.add_column(table, mark)
    callers = _callers()
    if callers is not None:
        _seal(callers)
    # First overwritten, then dropped: PostgreSQL's DROP COLUMN leaves the values in their rows.
    op.execute("UPDATE calls SET caller_number = NULL WHERE caller_number IS NOT NULL")
    op.drop_column("calls", "caller_number")
    condition = sa.text("caller_key IS NOT NULL")
    op.create_index(
        "ix_calls_caller",
        "calls",
        ["caller_key", "arrived_at"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
    _make_number_reads()
    if op.get_bind().dialect.name == "postgresql":
        # The planner's statistics would keep the commonest values of a column beyond their end.
        for table, column in (*(("calls", name) for name in COLUMNS), ("cases", "caller_key")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    """Put numbers back in clear if a key opens them, and drop the rest."""
    op.drop_table("number_reads")
    op.drop_index("ix_calls_caller", "calls")
    op.add_column("calls", sa.Column("caller_number", sa.Text(), nullable=True))
    callers = _callers()
    if callers is not None:
        _open(callers)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE cases ALTER COLUMN caller_key SET STATISTICS -1")
    op.drop_column("cases", "is_protected")
    for column in ("is_protected", *COLUMNS):
        op.drop_column("calls", column)


def _callers() -> Callers | None:
    found: Callers | None = context.config.attributes.get("callers")
    return found


def _pages(column: "sa.ColumnClause[str]") -> Iterator[list[tuple[int, str, datetime, str]]]:
    """Yield id, call, arrival and value of each row that has one, page by page."""
    bind, last = op.get_bind(), 0
    while True:
        query = sa.select(CALLS.c.id, CALLS.c.call_id, CALLS.c.arrived_at, column)
        query = query.where(CALLS.c.id > last, column.is_not(None)).order_by(CALLS.c.id)
        rows = [tuple(row) for row in bind.execute(query.limit(BATCH_ROWS))]
        if not rows:
            return
        last = rows[-1][0]
        yield rows


def _seal(callers: Callers) -> None:
    for rows in _pages(CALLS.c.caller_number):
        for row_id, call_id, arrived_at, number in rows:
            at = arrived_at.replace(tzinfo=UTC) if arrived_at.tzinfo is None else arrived_at
            values = dict(zip(COLUMNS, callers.sealed(number, call_id, at), strict=True))
            op.get_bind().execute(CALLS.update().where(CALLS.c.id == row_id).values(values))


def _open(callers: Callers) -> None:
    for rows in _pages(CALLS.c.caller_sealed):
        for row_id, call_id, _, sealed in rows:
            number = callers.opened(sealed, call_id)
            change = CALLS.update().where(CALLS.c.id == row_id).values(caller_number=number)
            op.get_bind().execute(change)


def _make_number_reads() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    texts = ("who", "role", "call_id", "what", "why")
    op.create_table(
        "number_reads",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("read_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.PrimaryKeyConstraint("id", name="pk_number_reads"),
        sa.UniqueConstraint("read_id", name="uq_number_reads_read_id"),
    )
    op.create_index("ix_number_reads_at", "number_reads", ["at"])
    op.create_index("ix_number_reads_call_id", "number_reads", ["call_id"])
