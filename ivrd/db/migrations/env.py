"""Alembic's entry: runs the steps on the connection that ivrd/db/migrate.py hands over."""

from alembic import context
from sqlalchemy import Connection

from ivrd.db.migrate import CONNECTION
from ivrd.db.models import Base
from ivrd.errors import IvrdBug


def run() -> None:
    """Run the steps in the caller's transaction, so that its lock covers them all."""
    connection = context.config.attributes.get(CONNECTION)
    if not isinstance(connection, Connection):
        raise IvrdBug("migrations run through ivrd.db.migrate only, which holds the lock")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter a table in place; Alembic then copies it.
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    context.run_migrations()


run()
