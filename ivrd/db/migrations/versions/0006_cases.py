"""Keep how a case stands, every change of it, and what guides said of a call by phone.

Cases from before had no label and nobody is asked for one now: they come in as closed. On the way
down contacts go, because the older table knows cases only.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PARTIAL_INDEXES = {
    "ix_cases_unlabelled": (
        ["label", "agent", "opened_at"],
        "label IS NULL AND state <> 'closed'",
    ),
    "ix_cases_not_closed": (["state", "opened_at"], "state <> 'closed'"),
    "ix_cases_deadline": (["state", "deadline"], "deadline IS NOT NULL"),
    "ix_cases_label": (["label", "opened_at"], "label IS NOT NULL"),
    "ix_cases_caller": (["caller_key", "opened_at"], "caller_key IS NOT NULL"),
    "ix_cases_feedback": (["feedback_kind", "opened_at"], "feedback_kind IS NOT NULL"),
    "ix_cases_external": (["external_id"], "external_id IS NOT NULL"),
}

INDEXES = {
    "ix_cases_opened_at_id": ["opened_at", "id"],
    "ix_cases_agent_opened_at": ["agent", "opened_at"],
    "ix_cases_department_opened_at": ["department", "opened_at"],
    "ix_cases_line_opened_at": ["line", "opened_at"],
}


def upgrade() -> None:
    """Add the columns and tables, and give each case of before the first row of its history."""
    for column in _columns():
        op.add_column("cases", column)
    op.execute("UPDATE cases SET updated_at = opened_at, state = 'closed'")
    with op.batch_alter_table("cases") as batch:
        batch.alter_column("updated_at", existing_type=_moment(), nullable=False)
    _make_changes()
    _make_call_acts()
    op.execute(
        "INSERT INTO case_changes (case_id, version, at, who, from_where, what, before, after) "
        "SELECT id, 1, opened_at, 'rule', 'rule', 'opened', '{}', "
        """'{"case_class": "resolved", "state": "closed"}' FROM cases ORDER BY id"""
    )
    for name, columns in INDEXES.items():
        op.create_index(name, "cases", columns)
    for name, (columns, where) in PARTIAL_INDEXES.items():
        condition = sa.text(where)
        op.create_index(name, "cases", columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Drop the columns and tables and what they hold."""
    op.execute("DELETE FROM cases WHERE is_handed_on")
    for name in (*PARTIAL_INDEXES, *INDEXES):
        op.drop_index(name, "cases")
    op.drop_table("call_acts")
    op.drop_table("case_changes")
    with op.batch_alter_table("cases") as batch:
        for column in reversed(_columns()):
            batch.drop_column(column.name)


def _columns() -> "list[sa.Column[Any]]":
    def text(name: str, default: str | None = None) -> "sa.Column[Any]":
        if default is None:
            return sa.Column(name, sa.Text(), nullable=True)
        return sa.Column(name, sa.Text(), server_default=default, nullable=False)

    def flag(name: str, default: "sa.ColumnElement[bool]") -> "sa.Column[Any]":
        return sa.Column(name, sa.Boolean(), server_default=default, nullable=False)

    return [
        flag("is_handed_on", sa.false()),
        text("case_class", "resolved"),
        flag("is_case", sa.true()),
        text("state", "draft"),
        text("label"),
        text("note", ""),
        sa.Column("deadline", _moment(), nullable=True),
        text("feedback_kind"),
        text("feedback_receiver", ""),
        text("feedback_text", ""),
        sa.Column("linked_case_id", sa.BigInteger(), nullable=True),
        text("caller_key"),
        text("external_id"),
        text("external_status"),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", _moment(), nullable=True),
    ]


def _make_changes() -> None:
    op.create_table(
        "case_changes",
        sa.Column("id", _row_id(), primary_key=True, autoincrement=True),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", _moment(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("who", "from_where", "what")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("before", "after")),
        sa.Column("act_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_case_changes"),
        sa.UniqueConstraint("case_id", "version", name="uq_case_changes_case_id_version"),
    )
    op.create_index("ix_case_changes_at", "case_changes", ["at"])


def _make_call_acts() -> None:
    op.create_table(
        "call_acts",
        sa.Column("id", _row_id(), primary_key=True, autoincrement=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("act_id", "system", "call_id")),
        sa.Column("at", _moment(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("agent", "what", "value")),
        sa.Column("department", sa.Text(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("who", "from_where")),
        sa.Column("case_id", sa.BigInteger(), nullable=True),
        sa.Column("refused_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_call_acts"),
        sa.UniqueConstraint("act_id", name="uq_call_acts_act_id"),
    )
    op.create_index("ix_call_acts_call_id", "call_acts", ["call_id"])


def _moment() -> "sa.DateTime":
    return sa.DateTime(timezone=True)


def _row_id() -> "sa.types.TypeEngine[int]":
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
