"""Keep what became of a hand-over, who joined in a caller's stead, and what queue_log told.

Of older rows nothing is known of the first two, so they stay NULL. No older row was marked as
learnt from queue_log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("calls", sa.Column("hand_over", sa.Text(), nullable=True))
    op.add_column("entries", sa.Column("joined_by", sa.Text(), nullable=True))
    for table in ("calls", "cases"):
        mark: sa.Column[bool] = sa.Column(
            "is_from_journal", sa.Boolean(), server_default=sa.false(), nullable=False
        )
        op.add_column(table, mark)


def downgrade() -> None:
    """Drop the columns and what they hold."""
    for table in ("cases", "calls"):
        op.drop_column(table, "is_from_journal")
    op.drop_column("entries", "joined_by")
    op.drop_column("calls", "hand_over")
