"""Keep where a caller was handed on to, when a label knows the extension: a clue for suggestions.

Of older calls it is not known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("calls", sa.Column("handed_to", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Drop the column and what it holds."""
    op.drop_column("calls", "handed_to")
