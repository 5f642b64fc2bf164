"""Keep every choice that a caller made, and the language at the last one.

Of older rows neither is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for name in ("path", "language"):
        op.add_column("calls", sa.Column(name, sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Drop the columns and what they hold."""
    for name in ("language", "path"):
        op.drop_column("calls", name)
