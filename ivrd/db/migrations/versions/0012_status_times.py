"""Keep when a case system says that a case's status became so, to know a late one.

Of older statuses it is not known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "cases", sa.Column("external_status_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    """Drop the column and what it holds."""
    op.drop_column("cases", "external_status_at")
