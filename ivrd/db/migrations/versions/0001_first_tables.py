"""Make the tables of calls, entries, moves and cases.

Plain types, not our decorated ones: a migration must mean the same when the models have moved on.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _row_id() -> "sa.Column[int]":
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True, autoincrement=True)


def _text(name: str, *, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> "sa.Column[datetime]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _milliseconds(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=True)


def upgrade() -> None:
    """Make the tables."""
    _make_calls()
    _make_entries()
    _make_moves()
    _make_cases()


def downgrade() -> None:
    """Drop the tables and all facts in them."""
    for table in ("cases", "moves", "entries", "calls"):
        op.drop_table(table)


def _make_calls() -> None:
    op.create_table(
        "calls",
        _row_id(),
        _text("system"),
        _text("call_id"),
        _text("line", nullable=True),
        _text("caller_number", nullable=True),
        _moment("arrived_at"),
        _moment("ended_at"),
        _text("choice", nullable=True),
        _text("digit", nullable=True),
        sa.Column("is_static_menu", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        _text("outcome"),
        _milliseconds("wait_ms"),
        _text("first_queue", nullable=True),
        _text("last_queue", nullable=True),
        sa.Column("moves", sa.Integer(), nullable=False),
        sa.Column("transfers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
        sa.UniqueConstraint("call_id", name="uq_calls_call_id"),
    )
    op.create_index("ix_calls_system_arrived_at", "calls", ["system", "arrived_at"])


def _make_entries() -> None:
    op.create_table(
        "entries",
        _row_id(),
        _text("system"),
        _text("call_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("queue"),
        _moment("joined_at"),
        _moment("ended_at"),
        _text("disposition"),
        _milliseconds("entry_wait_ms"),
        _milliseconds("wait_ms"),
        _text("interface", nullable=True),
        _text("agent", nullable=True),
        _moment("answered_at", nullable=True),
        _milliseconds("talk_ms"),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.UniqueConstraint("call_id", "number", name="uq_entries_call_id_number"),
    )
    op.create_index(
        "ix_entries_system_queue_joined_at", "entries", ["system", "queue", "joined_at"]
    )


def _make_moves() -> None:
    op.create_table(
        "moves",
        _row_id(),
        _text("system"),
        _text("call_id"),
        _text("from_queue"),
        _text("to_queue"),
        _text("reason"),
        _text("end"),
        _moment("ended_at"),
        sa.PrimaryKeyConstraint("id", name="pk_moves"),
        sa.UniqueConstraint("call_id", "ended_at", name="uq_moves_call_id_ended_at"),
    )
    op.create_index("ix_moves_system_ended_at", "moves", ["system", "ended_at"])


def _make_cases() -> None:
    op.create_table(
        "cases",
        _row_id(),
        _text("system"),
        _text("call_id"),
        _text("rule"),
        _text("line", nullable=True),
        _text("queue"),
        _text("agent"),
        _text("interface"),
        _text("department", nullable=True),
        _moment("answered_at"),
        _moment("opened_at"),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("call_id", "rule", name="uq_cases_call_id_rule"),
    )
    op.create_index("ix_cases_system_opened_at", "cases", ["system", "opened_at"])
