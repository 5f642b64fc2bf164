"""Keep every decision of overflow: the rule, the figures of that moment, and who decided."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = ("call_id", "system", "at", "what", "rule", "from_queue")


def upgrade() -> None:
    """Make the table."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "decisions",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("from_queue", sa.Text(), nullable=False),
        sa.Column("to_queue", sa.Text(), nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), nullable=False),
        sa.Column("is_by_hand", sa.Boolean(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint(*KEY, name=f"uq_decisions_{'_'.join(KEY)}"),
    )
    op.create_index("ix_decisions_system_at", "decisions", ["system", "at"])


def downgrade() -> None:
    """Drop the table and what it holds."""
    op.drop_table("decisions")
